"""The first half of a model call: policy, price, bound, hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tollgate.domain.custody import Custody
from tollgate.domain.errors import ForbiddenError, InvalidRequestError, TollgateError
from tollgate.domain.holds import (
    Bound,
    applicable_rates,
    chat_answers,
    chat_bound,
    chat_input_tokens,
    has_media,
    least_max_tokens,
    max_tokens_of,
)
from tollgate.domain.ids import new_request_id
from tollgate.domain.ledger import Hold, Refusal, Scope, scopes_of
from tollgate.domain.prices import ModelCard, PriceBook, Rates
from tollgate.domain.sessions import Session, model_session
from tollgate.ledger import Lease, Ledger, RefusedError, refusal_error
from tollgate.observability import logger
from tollgate.pipeline import AdmittedCall, ChatCall
from tollgate.policy import Party, Policies, allowed_model, call_tags
from tollgate.ports import ChatRequest, Clock, TokenCounter
from tollgate.pricing import PriceTerms, Pricing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.domain.models import ModelRef
    from tollgate.domain.tenants import Caller

# Above this size input is counted before the first try. A model takes seconds to read so much, the
# count a fraction of one, and by its bytes such a call takes the room of several others.
LARGE_INPUT_BYTES = 32_768

# After a tenant's bytes did not fit once, its input is counted before the first try for this long.
CROWDED_SECONDS = 300

# A clamped call may meet another limit, or another call that took the room since: each try is
# lower than the one before, and a caller waits for all of them.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Call:
    """What stands about a call before its bound is known."""

    chat: ChatCall
    party: Party
    ref: ModelRef
    rates: Rates
    hold: Hold
    scopes: Sequence[Scope]
    session: Session | None

    @property
    def is_countable(self) -> bool:
        """Whether the tenant wants exact counts and the input is all text."""
        messages = self.chat.body.get("messages", ())
        return self.party.tenant.count_tokens == "exact" and not has_media(messages)

    def bound(self, input_tokens: int, max_tokens: int) -> Bound:
        """The bound with this many input tokens."""
        answers = chat_answers(self.chat.body)
        return chat_bound(input_tokens, max_tokens, self.rates, answers)


class Admission:
    """Decides whether a call may be made, and holds its worst case."""

    def __init__(
        self,
        *,
        policies: Policies,
        ledger: Ledger,
        prices: PriceBook,
        region: str,
        clock: Clock,
        counter: TokenCounter | None = None,
        pool_role_arn: str | None = None,
    ) -> None:
        """Without a `counter` input is bounded by its bytes, whatever the policy says.

        `pool_role_arn` is the role assumed for tenants without an account of their own, if any.
        """
        self._policies = policies
        self._ledger = ledger
        self._prices = prices
        self._pricing = Pricing(prices, region)
        self._region = region
        self._clock = clock
        self._counter = counter
        self._pool_role_arn = pool_role_arn
        self._crowded_until: dict[str, datetime] = {}

    def admit(
        self,
        caller: Caller,
        call: ChatCall,
        *,
        lease_seconds: int,
        streamed: bool,
        request_id: str | None = None,
    ) -> AdmittedCall:
        """Check policy and hold the call's worst case for `lease_seconds`.

        `request_id` is one made just now, where the caller wrote it down before.
        Raises the 4xx errors of `tollgate.domain.errors`; then nothing is held.
        """
        started_at = self._clock()
        party = self._policies.party(caller)
        ref = allowed_model(party, call.model)
        terms = PriceTerms.of(party.tenant, party.app)
        card, rates = self._priced(ref, terms, started_at)
        max_tokens = max_tokens_of(call.max_tokens, party.tenant, card)
        request_id = request_id or new_request_id(started_at)
        prepared = _Call(
            chat=call,
            party=party,
            ref=ref,
            rates=applicable_rates(rates, card.model_id, call.body),
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
            scopes=scopes_of(party.tenant, party.app),
            session=model_session(party.tenant, caller, self._pool_role_arn),
        )
        bound = prepared.bound(chat_input_tokens(call.body, card), max_tokens)
        lease, bound = self._place(prepared, bound, started_at)
        return AdmittedCall(
            # Its key may have been issued while the tenant was on another tier.
            caller=replace(caller, tier=party.tenant.tier),
            lease=lease,
            started_at=started_at,
            request=_request(prepared, bound.max_tokens),
            cost_center=party.tenant.cost_center,
            tags=call_tags(party.tenant, party.app, ref),
            terms=terms,
            lowered_max_tokens=bound.max_tokens if bound.max_tokens < max_tokens else None,
            custody=Custody.of(party.tenant),
        )

    def _priced(self, ref: ModelRef, terms: PriceTerms, at: datetime) -> tuple[ModelCard, Rates]:
        rates = self._pricing.rates(ref.requested, at, terms)
        card = self._prices.with_overrides(terms.prices).card(ref.model_id)
        if card is not None and card.mode != "chat":
            raise InvalidRequestError(
                f"{ref.profile_id} is a model for {card.mode}; this call needs one for chat",
                code="wrong_operation",
            )
        if rates is None or rates.input is None or rates.output is None:
            raise ForbiddenError(
                f"{ref.profile_id} has no price in {self._region}, so its cost cannot be bounded; "
                "use a model of GET /list_foundation_models or ask the platform team to price it",
                code="model_not_priced",
                details={
                    "model_id": ref.profile_id,
                    "price_version": self._pricing.version(terms),
                },
            )
        # Under a ceiling even a model that the book does not know can be called.
        return card or ModelCard(ref.model_id, "chat", None, None, None), rates

    def _place(self, call: _Call, bound: Bound, now: datetime) -> tuple[Lease, Bound]:
        """Hold the call, at an exact count or with a lower maximum where that is what fits.

        For a small call bytes come first and a count only when they do not fit: the count is
        another round trip in front of the model's own, while most such calls fit either way. But a
        hold of four times the need takes room from the calls beside it. So large calls are counted
        at once, and once bytes have not fitted, all calls of the tenant are for a while.
        """
        tenant_id = call.party.tenant.tenant_id
        is_crowded = self._crowded_until.get(tenant_id, now) > now
        is_uncounted = call.is_countable
        is_large = bound.input_tokens > LARGE_INPUT_BYTES
        if is_uncounted and (is_large or is_crowded or _input_error(call, bound) is not None):
            is_uncounted, bound = False, self._counted(call, bound) or bound
        error = _input_error(call, bound)
        if error is not None:
            raise error
        tries = _TRIES
        while True:
            placed = self._try(call, bound, now)
            if isinstance(placed, Lease):
                return placed, bound
            tries -= 1
            smaller = None
            if is_uncounted and _depends_on_tokens(placed):
                self._crowded_until[tenant_id] = now + timedelta(seconds=CROWDED_SECONDS)
                is_uncounted, smaller = False, self._counted(call, bound)
            smaller = smaller or _clamped(call, bound, placed)
            if smaller is None or tries == 0:
                raise refusal_error(placed, _fitting(bound, placed), now)
            bound = smaller

    def _try(self, call: _Call, bound: Bound, now: datetime) -> Lease | Refusal:
        hold = replace(call.hold, usd=bound.usd, tokens=bound.tokens)
        try:
            return self._ledger.admit(hold, call.scopes, now)
        except RefusedError as error:
            return error.refusal

    def _counted(self, call: _Call, bound: Bound) -> Bound | None:
        """The bound with an exact input; None where nobody can count it, or that gains nothing."""
        if self._counter is None:
            return None
        tokens = self._counter.count(call.ref.model_id, call.chat.body, call.session)
        if tokens is None or tokens >= bound.input_tokens:
            return None
        return call.bound(tokens, bound.max_tokens)


def _depends_on_tokens(refused: Refusal) -> bool:
    return refused.is_budget or refused.limit_name == "tokens_per_minute"


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
    if not least_max_tokens(call.chat.body) <= affordable < bound.max_tokens:
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
    limit = call.rates.input_limit
    if limit is None or call.rates.long_context is not None or bound.input_tokens <= limit:
        return None
    return ForbiddenError(
        f"{call.ref.profile_id} is priced up to {limit} input tokens; this request "
        f"may have {bound.input_tokens}; shorten it",
        code="model_not_priced",
        details={"max_input_tokens": limit},
    )


def _request(call: _Call, max_tokens: int) -> ChatRequest:
    caller, body = call.party.caller, call.chat.body
    inference: Mapping[str, Any] = {**body.get("inferenceConfig", {}), "maxTokens": max_tokens}
    return ChatRequest(
        model_id=call.ref.upstream_id,
        body={**body, "inferenceConfig": inference},
        metadata={
            "tenant": caller.tenant_id,
            "app": caller.app_id,
            "request_id": call.hold.request_id,
        },
        session=call.session,
    )
