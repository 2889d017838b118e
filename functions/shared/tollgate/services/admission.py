"""The first half of a model call: policy, price, bound, hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from tollgate.domain.custody import Custody
from tollgate.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    TollgateError,
)
from tollgate.domain.ids import new_request_id
from tollgate.domain.jobs import RUN_SECONDS
from tollgate.domain.ledger import Hold, Refusal, Scope, scopes_of
from tollgate.domain.models import shown_id
from tollgate.domain.money import PICO_PER_USD
from tollgate.domain.prices import ModelCard, PriceBook, Rates, unlisted_card
from tollgate.domain.sessions import Session, model_session
from tollgate.domain.usage import MAX_INTEGER
from tollgate.observability import logger
from tollgate.ports import Clock, CountRequest, ModelRequest, TokenCounter
from tollgate.services.calls import AdmittedCall
from tollgate.services.endpoint_calls import EndpointCall
from tollgate.services.leases import LEASE_SECONDS
from tollgate.services.ledger import Lease, Ledger, RefusedError, refusal_error
from tollgate.services.nearby import Nearby
from tollgate.services.policy import Party, Policies, allowed_endpoint, allowed_model, call_tags
from tollgate.services.pricing import PriceTerms, Pricing, has_token_prices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.domain.endpoints import Endpoint
    from tollgate.domain.holds import Bound
    from tollgate.domain.models import ModelRef
    from tollgate.domain.tenants import Caller
    from tollgate.services.shape import Shape
    from tollgate.services.shapes import Call, ChatCall, NativeCall

# Above this size input is counted before the first try. A model takes seconds to read so much, the
# count a fraction of one, and by its bytes such a call takes the room of several others.
LARGE_INPUT_BYTES = 32_768

# After a tenant's bytes did not fit once, its input is counted before the first try for this long.
CROWDED_SECONDS = 300

# The most picodollars (nine million dollars) and tokens of a hold: what a usage row has room for.
MOST_HELD = MAX_INTEGER

# A clamped call may meet another limit, or another call that took the room since: each try is
# lower than the one before, and a caller waits for all of them.
_TRIES = 5

_NO_ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Target:
    """What a call is for, and at which prices."""

    shape: Shape
    ref: ModelRef
    terms: PriceTerms
    rates: Sequence[Rates]


@dataclass(frozen=True, slots=True)
class _Call:
    """What stands about a call before its bound is known.

    `rates` are those of every service tier that may serve it.
    """

    shape: Shape
    party: Party
    ref: ModelRef
    rates: Sequence[Rates]
    hold: Hold
    scopes: Sequence[Scope]
    session: Session | None

    @property
    def is_countable(self) -> bool:
        """Whether the tenant wants counts and the input is all text."""
        return self.party.tenant.count_tokens != "bytes" and self.shape.countable is not None

    @property
    def is_exact(self) -> bool:
        """Whether the tenant wants its calls held at their counts also where more would fit."""
        return self.party.tenant.count_tokens == "exact"

    def bound(self, input_tokens: int, max_tokens: int) -> Bound:
        """The bound with this many input tokens, on whichever tier costs most."""
        bounds = [self.shape.bound(input_tokens, max_tokens, rates) for rates in self.rates]
        return max(bounds, key=lambda bound: bound.usd)


class Admission:
    """Decides whether a call may be made, and holds its worst case."""

    def __init__(  # noqa: PLR0913 - what a decision rests on
        self,
        *,
        policies: Policies,
        ledger: Ledger,
        prices: PriceBook,
        region: str,
        clock: Clock,
        counter: TokenCounter | None = None,
        pool_role_arn: str | None = None,
        endpoints: Mapping[str, Endpoint] = _NO_ENDPOINTS,
    ) -> None:
        """Without a `counter` input is bounded by its bytes, whatever the policy says.

        `pool_role_arn` is the role assumed for tenants without an account of their own, if any.
        `endpoints` are SageMaker's, by the name that callers use.
        """
        self._policies = policies
        self._ledger = ledger
        self._prices = prices
        self._pricing = Pricing(prices, region)
        self._nearby = Nearby(prices, region)
        self._region = region
        self._clock = clock
        self._counter = counter
        self._pool_role_arn = pool_role_arn
        self._endpoints = endpoints
        self._crowded_until: dict[str, datetime] = {}

    def party(self, caller: Caller) -> Party:
        """The caller's tenant and app. Raises ForbiddenError unless both are active."""
        return self._policies.party(caller)

    def model(self, party: Party, requested: str) -> ModelRef:
        """The model behind a requested id, as the app calls it.

        Raises as `allowed_model` does, and names the models that may have been meant.
        """
        try:
            return allowed_model(party, requested)
        except TollgateError as error:
            raise self._nearby.advised(error, party, requested, self._clock()) from error

    def is_endpoint(self, model: str) -> bool:
        """Whether a model's name is that of a SageMaker endpoint."""
        return model in self._endpoints

    def admit(
        self,
        caller: Caller,
        call: Call,
        *,
        streamed: bool,
        lease_seconds: int = LEASE_SECONDS,
        most_seconds: int = RUN_SECONDS,
        request_id: str | None = None,
    ) -> AdmittedCall:
        """Check policy and hold the call's worst case for `lease_seconds`.

        It cannot take more than `most_seconds`, which bounds what a machine's time costs.
        `request_id` is one made just now, where the caller wrote it down before.
        Raises the 4xx errors of `tollgate.domain.errors`; then nothing is held.
        """
        started_at = self._clock()
        party = self._policies.party(caller)
        target = self._target(party, call, started_at, most_seconds)
        shape, ref, terms = target.shape, target.ref, target.terms
        request_id = request_id or new_request_id(started_at)
        prepared = _Call(
            shape=shape,
            party=party,
            ref=ref,
            rates=target.rates,
            hold=Hold(
                request_id=request_id,
                usd=0,
                tokens=0,
                expires_at=int(started_at.timestamp()) + lease_seconds,
                model=call.model,
                app_id=caller.app_id,
                key_id=caller.key_id,
                dialect=call.dialect,
                streamed=streamed,
            ),
            scopes=scopes_of(party.tenant, party.app, (ref.model_id, ref.profile_id)),
            session=model_session(party.tenant, caller, self._pool_role_arn),
        )
        bound = prepared.bound(shape.input_tokens, shape.max_tokens)
        lease, bound = self._place(prepared, bound, started_at)
        is_lowered = bound.max_tokens < shape.max_tokens
        try:
            return AdmittedCall(
                # Its key may have been issued while the tenant was on another tier.
                caller=replace(caller, tier=party.tenant.tier),
                lease=lease,
                started_at=started_at,
                request=_request(prepared, bound.max_tokens),
                cost_center=party.tenant.cost_center,
                tags={**call_tags(party.tenant, party.app, ref), **call.tags},
                terms=terms,
                units=dict(shape.units),
                lowered_max_tokens=bound.max_tokens if is_lowered else None,
                custody=Custody.of(party.tenant),
            )
        except Exception:
            self._ledger.withdraw(lease)
            raise

    def count_request(self, caller: Caller, call: ChatCall | NativeCall) -> CountRequest:
        """The count of a call's input, the tenant's own context included; nothing is held for it.

        Raises the 4xx errors of `tollgate.domain.errors`.
        """
        party = self._policies.party(caller)
        ref = self.model(party, call.model)
        card = self._card(ref, PriceTerms.of(party.tenant, party.app))
        shape = call.shaped(card, party.tenant)
        session = model_session(party.tenant, caller, self._pool_role_arn)
        return CountRequest(ref.model_id, shape.counted, session)

    def _card(self, ref: ModelRef, terms: PriceTerms) -> ModelCard:
        # Under a ceiling even a model that the book does not know can be called.
        book = self._prices.with_overrides(terms.prices)
        return book.card(ref.model_id) or unlisted_card(ref.model_id)

    def _target(self, party: Party, call: Call, at: datetime, most_seconds: int) -> _Target:
        if isinstance(call, EndpointCall):
            return self._endpoint(party, call, at, most_seconds)
        ref = self.model(party, call.model)
        terms = PriceTerms.of(party.tenant, party.app)
        terms = replace(terms, is_guarded=party.tenant.guardrail is not None)
        card = self._card(ref, terms)
        priced = _priced(card.mode, self._pricing.rates(ref.requested, at, terms))
        if not priced:
            # Before what is wrong with the request, as it may be meant for another model.
            where = f"in {self._region}, so its cost cannot be bounded"
            error = self._not_priced(ref, terms, where)
            raise self._nearby.advised(error, party, ref.profile_id, at)
        shape = call.shaped(card, party.tenant)
        # A count, which asks for no output, has no maximum to keep.
        shape.check_output()
        if shape.service_tier != "default":
            # What asks for another tier may be served, and billed, as the default.
            rates = self._pricing.rates(ref.requested, at, terms, shape.service_tier)
            of_tier = _priced(card.mode, rates)
            if not of_tier:
                where = "on that service tier; ask the platform team to add it"
                raise self._not_priced(ref, terms, where)
            priced = [*priced, *of_tier]
        return _Target(shape, ref, terms, priced)

    def _endpoint(
        self, party: Party, call: EndpointCall, at: datetime, most_seconds: int
    ) -> _Target:
        endpoint = self._endpoints.get(call.model)
        if endpoint is None:
            raise NotFoundError(
                "there is no such endpoint; GET /list_foundation_models lists the models",
                code="model_not_found",
            )
        ref = allowed_endpoint(party, endpoint)
        terms = PriceTerms(unpriced=party.tenant.unpriced, endpoint=endpoint.price)
        shape = call.shaped(party.tenant, endpoint, most_seconds)
        priced = _priced("chat", self._pricing.rates(call.model, at, terms))
        if not priced:
            raise self._not_priced(ref, terms, "as an endpoint; ask the platform team to add it")
        return _Target(shape, ref, terms, priced)

    def _not_priced(self, ref: ModelRef, terms: PriceTerms, what: str) -> ForbiddenError:
        """The error of a call whose cost could not be bounded."""
        model_id = shown_id(ref.profile_id)
        return ForbiddenError(
            f"{model_id} has no price {what}",
            code="model_not_priced",
            details={"model_id": model_id, "price_version": self._pricing.version(terms)},
        )

    def _place(self, call: _Call, bound: Bound, now: datetime) -> tuple[Lease, Bound]:
        """Hold the call, at an exact count or with a lower maximum where that is what fits.

        Bytes come first and a count only when they do not fit: the count is another round trip in
        front of the model's own, while most calls fit either way.
        """
        is_uncounted = call.is_countable
        if is_uncounted and (
            self._is_counted_first(call, bound, now) or _input_error(call, bound) is not None
        ):
            is_uncounted, bound = False, self._counted(call, bound) or bound
        error = _input_error(call, bound) or _size_error(bound)
        if error is not None:
            raise error
        tries = _TRIES
        while True:
            placed = self._try(call, bound, now)
            if isinstance(placed, Lease):
                return placed, bound
            tries -= 1
            smaller = None
            if is_uncounted and _depends_on_count(call, bound, placed):
                until = now + timedelta(seconds=CROWDED_SECONDS)
                self._crowded_until[call.party.tenant.tenant_id] = until
                is_uncounted, smaller = False, self._counted(call, bound)
            smaller = smaller or _clamped(call, bound, placed)
            if smaller is None or tries == 0:
                raise refusal_error(placed, _fitting(bound, placed), now)
            bound = smaller

    def _is_counted_first(self, call: _Call, bound: Bound, now: datetime) -> bool:
        """Whether a call is counted although its bytes may fit.

        A hold of four times the need takes room from the calls beside it. So where the tenant wants
        exact holds large calls are counted at once, and once bytes have not fitted, all of its
        calls are for a while.
        """
        is_crowded = self._crowded_until.get(call.party.tenant.tenant_id, now) > now
        return call.is_exact and (is_crowded or bound.input_tokens > LARGE_INPUT_BYTES)

    def _try(self, call: _Call, bound: Bound, now: datetime) -> Lease | Refusal:
        hold = replace(
            call.hold, usd=bound.usd, tokens=bound.tokens, output_tokens=bound.output_tokens
        )
        try:
            return self._ledger.admit(hold, call.scopes, now)
        except RefusedError as error:
            return error.refusal

    def _counted(self, call: _Call, bound: Bound) -> Bound | None:
        """The bound with an exact input; None where nobody can count it, or that gains nothing."""
        if self._counter is None:
            return None
        body = call.shape.countable or {}
        counted = self._counter.count(call.ref.model_id, body, call.session)
        if counted is None:
            return None
        tokens = counted + call.shape.uncounted_tokens
        if tokens >= bound.input_tokens:
            return None
        return call.bound(tokens, bound.max_tokens)


def _priced(mode: str, rates: Rates | None) -> Sequence[Rates]:
    """The rates, if they bound the cost per token of what a kind of model does."""
    return () if rates is None or not has_token_prices(mode, rates) else (rates,)


def _depends_on_count(call: _Call, bound: Bound, refused: Refusal) -> bool:
    """Whether a count can change what becomes of a call that a limit has refused.

    It cannot where the output alone is too much. An exact hold is counted all the same, for the
    figures that its caller is told.
    """
    least = call.bound(call.shape.uncounted_tokens, bound.max_tokens)
    if refused.is_budget:
        if call.party.tenant.clamp_max_tokens:
            least = least.with_max_tokens(min(call.shape.least_max_tokens, bound.max_tokens))
        return call.is_exact or least.usd <= refused.room
    return refused.limit_name == "tokens_per_minute" and (
        call.is_exact or least.tokens <= refused.room
    )


def _fitting(bound: Bound, refused: Refusal) -> int | None:
    """The `maxTokens` that the refusing limit would have taken; None where it counts no tokens."""
    if refused.is_budget:
        return min(bound.affordable_max_tokens(refused.room), bound.max_tokens)
    if refused.limit_name == "tokens_per_minute":
        return min(bound.fitting_max_tokens(refused.room), bound.max_tokens)
    return None


def _clamped(call: _Call, bound: Bound, refused: Refusal) -> Bound | None:
    """The bound with the highest `maxTokens` that fits, None where the call is to be refused.

    Only for budgets: a full minute is over soon, and waiting costs no part of the answer.
    """
    if not (call.party.tenant.clamp_max_tokens and refused.is_budget):
        return None
    affordable = bound.affordable_max_tokens(refused.room)
    if not call.shape.least_max_tokens <= affordable < bound.max_tokens:
        return None
    logger.info(
        "maxTokens lowered",
        extra={
            "request_id": call.hold.request_id,
            "limit_name": refused.limit_name,
            "asked": bound.max_tokens,
            "lowered_to": affordable,
        },
    )
    return bound.with_max_tokens(affordable)


def _input_error(call: _Call, bound: Bound) -> TollgateError | None:
    limits = [
        rates.input_limit
        for rates in call.rates
        if rates.input_limit is not None and rates.long_context is None
    ]
    if not limits or bound.input_tokens <= min(limits):
        return None
    return ForbiddenError(
        f"{call.ref.profile_id} is priced up to {min(limits)} input tokens; this request "
        f"may have {bound.input_tokens}; shorten it",
        code="model_not_priced",
        details={"max_input_tokens": min(limits)},
    )


def _size_error(bound: Bound) -> InvalidRequestError | None:
    if max(bound.usd, bound.tokens) <= MOST_HELD:
        return None
    return InvalidRequestError(
        f"this call can cost more than ${MOST_HELD // PICO_PER_USD} or use more than {MOST_HELD} "
        "tokens; ask for a lower maximum of tokens, or for fewer answers or images",
        code="unbounded_request",
    )


def _request(call: _Call, max_tokens: int) -> ModelRequest:
    caller = call.party.caller
    return ModelRequest(
        operation=call.shape.operation,
        model_id=call.ref.upstream_id,
        body=call.shape.sent(max_tokens),
        metadata={
            "tenant": caller.tenant_id,
            "app": caller.app_id,
            "request_id": call.hold.request_id,
        },
        session=call.session,
        settings=dict(call.shape.settings),
        component=call.shape.component,
        base_model_id=call.ref.model_id,
    )
