"""The first half of a model call: policy, price and bound; `placement` then holds it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from tollgate.domain.custody import Custody
from tollgate.domain.errors import ForbiddenError, NotFoundError, TollgateError
from tollgate.domain.ids import new_request_id
from tollgate.domain.jobs import RUN_SECONDS
from tollgate.domain.ledger import Hold, scopes_of
from tollgate.domain.models import shown_id
from tollgate.domain.prices import ModelCard, PriceBook, Rates, unlisted_card
from tollgate.domain.sessions import model_session
from tollgate.ports import Clock, CountRequest, ModelRequest, TokenCounter
from tollgate.services.calls import AdmittedCall
from tollgate.services.endpoint_calls import EndpointCall
from tollgate.services.leases import LEASE_SECONDS
from tollgate.services.nearby import Nearby
from tollgate.services.placement import Placeable, Placement
from tollgate.services.policy import Party, Policies, allowed_endpoint, allowed_model, call_tags
from tollgate.services.pricing import PriceTerms, Pricing, has_token_prices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tollgate.domain.endpoints import Endpoint
    from tollgate.domain.models import ModelRef
    from tollgate.domain.tenants import Caller
    from tollgate.services.ledger import Lease, Ledger
    from tollgate.services.shape import Shape
    from tollgate.services.shapes import Call, ChatCall, NativeCall

# The tag that names what a call in observe mode would have been refused for.
WOULD_REFUSE = "would_refuse"

_NO_ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Target:
    """What a call is for, and at which prices."""

    shape: Shape
    ref: ModelRef
    terms: PriceTerms
    rates: Sequence[Rates]


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
        self._placement = Placement(ledger, counter)
        self._prices = prices
        self._pricing = Pricing(prices, region)
        self._nearby = Nearby(prices, region)
        self._region = region
        self._clock = clock
        self._pool_role_arn = pool_role_arn
        self._endpoints = endpoints

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
        placeable = Placeable(
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
                end_user=call.end_user,
            ),
            scopes=scopes_of(
                party.tenant, party.app, (ref.model_id, ref.profile_id), party.business_unit
            ),
            session=model_session(party.tenant, caller, self._pool_role_arn),
        )
        bound = placeable.bound(shape.input_tokens, shape.max_tokens)
        lease, bound = self._placement.place(placeable, bound, started_at)
        is_lowered = bound.max_tokens < shape.max_tokens
        try:
            return AdmittedCall(
                # Its key may have been issued while the tenant was on another tier.
                caller=replace(caller, tier=party.tenant.tier),
                lease=lease,
                started_at=started_at,
                request=_request(placeable, bound.max_tokens),
                cost_center=party.tenant.cost_center,
                tags={**call_tags(party.tenant, party.app, ref), **call.tags, **_observed(lease)},
                terms=terms,
                units=dict(shape.units),
                lowered_max_tokens=bound.max_tokens if is_lowered else None,
                custody=Custody.of(party.tenant),
                business_unit=party.tenant.business_unit,
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


def _observed(lease: Lease) -> Mapping[str, str]:
    """The tag of a call that an observed limit would have refused."""
    return {} if lease.would_refuse is None else {WOULD_REFUSE: lease.would_refuse}


def _priced(mode: str, rates: Rates | None) -> Sequence[Rates]:
    """The rates, if they bound the cost per token of what a kind of model does."""
    return () if rates is None or not has_token_prices(mode, rates) else (rates,)


def _request(call: Placeable, max_tokens: int) -> ModelRequest:
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
