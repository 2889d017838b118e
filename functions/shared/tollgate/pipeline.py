"""The one path of every model call: policy, price, hold, admit, call, settle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    TollgateError,
    UnavailableError,
    UpstreamFailedError,
)
from tollgate.domain.holds import Bound, chat_bound, chat_input_tokens, max_tokens_of
from tollgate.domain.ids import new_request_id
from tollgate.domain.ledger import Hold, scopes_of
from tollgate.domain.models import ModelRef, resolve_model
from tollgate.domain.prices import Cost, ModelCard, PriceBook, Rates, TokenUsage, cost
from tollgate.ledger import Lease, Ledger, RefusedError, refusal_error
from tollgate.metering import Attribution, Outcome, log_usage, usage_row
from tollgate.observability import logger
from tollgate.policy import Party, Policies, allowed_model
from tollgate.ports import ChatReply, ChatRequest, Clock, ModelRuntime, StreamEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tollgate.domain.tenants import Caller


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A chat request as a dialect parsed it.

    `body` is a Converse request without modelId; `max_tokens` is what the caller asked for.
    """

    model: str
    body: Mapping[str, Any]
    max_tokens: int | None
    dialect: str


@dataclass(frozen=True, slots=True)
class AdmittedCall:
    """A call whose worst case is held: everything needed to make and to settle it."""

    caller: Caller
    lease: Lease
    started_at: datetime
    request: ChatRequest
    cost_center: str
    tags: Mapping[str, str]

    @property
    def request_id(self) -> str:
        """Id of the call in the ledger."""
        return self.lease.hold.request_id


@dataclass(frozen=True, slots=True)
class Answer:
    """A settled call.

    `cost` is exact; `remaining` is what is left of the tightest budget in picodollars, None
    without a budget or where settling is left to the sweep.
    """

    request_id: str
    content: Sequence[Mapping[str, Any]]
    stop_reason: str | None
    usage: TokenUsage
    cost: Cost
    remaining: int | None


class Admission:
    """The first half: policy, price, hold."""

    def __init__(
        self,
        *,
        policies: Policies,
        ledger: Ledger,
        prices: PriceBook,
        region: str,
        clock: Clock,
    ) -> None:
        self._policies = policies
        self._ledger = ledger
        self._prices = prices
        self._region = region
        self._clock = clock

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
        ref = allowed_model(party.tenant, call.model)
        card, rates = _priced(self._prices, ref, self._region, started_at)
        max_tokens = max_tokens_of(call.max_tokens, party.tenant, card)
        bound = chat_bound(chat_input_tokens(call.body, card), max_tokens, rates)
        _check_input_limit(ref, bound, rates)
        request_id = request_id or new_request_id(started_at)
        hold = Hold(
            request_id=request_id,
            usd=bound.usd,
            tokens=bound.tokens,
            expires_at=int(started_at.timestamp()) + lease_seconds,
            model=call.model,
            app_id=caller.app_id,
            key_id=caller.key_id,
            dialect=call.dialect,
            streamed=streamed,
        )
        return AdmittedCall(
            caller=caller,
            lease=self._hold(hold, bound, party, started_at),
            started_at=started_at,
            request=_request(ref, call, max_tokens, request_id, caller),
            cost_center=party.tenant.cost_center,
            tags={**party.tenant.tags, **party.app.tags},
        )

    def _hold(self, hold: Hold, bound: Bound, party: Party, now: datetime) -> Lease:
        try:
            return self._ledger.admit(hold, scopes_of(party.tenant, party.app), now)
        except RefusedError as error:
            refused = error.refusal
            affordable = bound.affordable_max_tokens(refused.room) if refused.is_budget else None
            raise refusal_error(refused, affordable, now) from error


class Calls:
    """The second half: the model call and its settlement."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        runtime: ModelRuntime,
        prices: PriceBook,
        region: str,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._runtime = runtime
        self._prices = prices
        self._region = region
        self._clock = clock

    def chat(self, call: AdmittedCall) -> Answer:
        """Make the call and settle it. Raises the upstream errors."""
        try:
            reply = self._runtime.chat(call.request)
        except TollgateError as error:
            self.fail(call, error)
            raise
        return self._succeed(call, reply, None)

    def stream(self, call: AdmittedCall, on_text: Callable[[str], None]) -> Answer:
        """Make the call as a stream, hand its text to `on_text`, and settle it.

        Raises the upstream errors. When `on_text` fails, the stream is still read to its end,
        because the provider bills it to the end; the failure is raised once that is settled.
        """
        texts: list[str] = []
        first_token_at: datetime | None = None
        undelivered: TollgateError | None = None
        end: StreamEnd | None = None
        try:
            for event in self._runtime.chat_stream(call.request):
                if isinstance(event, StreamEnd):
                    end = event
                    continue
                first_token_at = first_token_at or self._clock()
                texts.append(event.text)
                if undelivered is None:
                    undelivered = _deliver(on_text, event.text)
            if end is None:
                raise UpstreamFailedError("the model's stream had no end", may_be_billed=True)
        except TollgateError as error:
            self.fail(call, error)
            raise
        reply = ChatReply([{"text": "".join(texts)}], end.stop_reason, end.usage, end.service_tier)
        answer = self._succeed(call, reply, first_token_at)
        if undelivered is not None:
            raise undelivered
        return answer

    def fail(self, call: AdmittedCall, error: TollgateError) -> None:
        """Settle a call that failed: it costs nothing, unless the provider may bill it."""
        if error.may_be_billed:
            # Its hold stays until a sweep accounts for it.
            logger.warning(
                "model call ended unknown",
                extra={"request_id": call.request_id, "error_code": error.code},
            )
            return
        outcome = Outcome(status="error", http_status=error.http_status, error_code=error.code)
        self._settle(call, outcome)

    def extend(self, call: AdmittedCall, lease_seconds: int) -> bool:
        """Renew the hold from now; False when a sweep has ended it."""
        return self._ledger.extend(call.lease, int(self._clock().timestamp()) + lease_seconds)

    def _succeed(
        self, call: AdmittedCall, reply: ChatReply, first_token_at: datetime | None
    ) -> Answer:
        charged = self._cost(call, reply)
        outcome = Outcome(
            status="ok",
            http_status=200,
            stop_reason=reply.stop_reason,
            usage=reply.usage,
            cost=charged,
            service_tier=reply.service_tier,
            first_token_at=first_token_at,
        )
        return Answer(
            request_id=call.request_id,
            content=reply.content,
            stop_reason=reply.stop_reason,
            usage=reply.usage,
            cost=charged,
            remaining=self._settle(call, outcome),
        )

    def _cost(self, call: AdmittedCall, reply: ChatReply) -> Cost:
        ref = resolve_model(call.lease.hold.model)
        _, held_at = _priced(self._prices, ref, self._region, call.started_at)
        served = self._prices.rates(
            ref, region=self._region, at=call.started_at, tier=reply.service_tier
        )
        if served is None:
            # A tier without a price: book the price it was held at and flag it for re-pricing.
            return replace(cost(held_at, reply.usage), priced=False)
        return cost(served, reply.usage)

    def _settle(self, call: AdmittedCall, outcome: Outcome) -> int | None:
        attribution = Attribution(
            tenant_id=call.caller.tenant_id,
            tier=call.caller.tier,
            cost_center=call.cost_center,
            tags=call.tags,
            region=self._region,
            price_version=self._prices.version,
        )
        row = usage_row(call.lease.hold, attribution, outcome, self._clock())
        if row.total_cost > row.held:
            logger.error("cost above hold", extra={"request_id": row.request_id})
        try:
            remaining = self._ledger.settle(call.lease, row)
        except UnavailableError as error:
            # The answer is paid for: the caller gets it. The hold stays and a sweep ends it.
            logger.error(
                "call not settled",
                extra={"request_id": row.request_id, "dependency": error.details},
            )
            return None
        log_usage(row)
        return remaining


def _priced(prices: PriceBook, ref: ModelRef, region: str, at: datetime) -> tuple[ModelCard, Rates]:
    card = prices.card(ref.model_id)
    rates = prices.rates(ref, region=region, at=at)
    if card is None or rates is None or rates.input is None or rates.output is None:
        raise ForbiddenError(
            f"{ref.profile_id} has no price in {region}, so its cost cannot be bounded; "
            "use a model of GET /list_foundation_models or ask the platform team to price it",
            code="model_not_priced",
            details={"model_id": ref.profile_id, "price_version": prices.version},
        )
    if card.mode != "chat":
        raise InvalidRequestError(
            f"{ref.profile_id} is a model for {card.mode}; this call needs one for chat",
            code="wrong_operation",
        )
    return card, rates


def _deliver(on_text: Callable[[str], None], text: str) -> TollgateError | None:
    try:
        on_text(text)
    except TollgateError as error:
        return error
    return None


def _check_input_limit(ref: ModelRef, bound: Bound, rates: Rates) -> None:
    if rates.input_limit is not None and bound.input_tokens > rates.input_limit:
        raise ForbiddenError(
            f"{ref.profile_id} is priced up to {rates.input_limit} input tokens; this request "
            f"may have {bound.input_tokens}; shorten it",
            code="model_not_priced",
            details={"max_input_tokens": rates.input_limit},
        )


def _request(
    ref: ModelRef, call: ChatCall, max_tokens: int, request_id: str, caller: Caller
) -> ChatRequest:
    inference = {**call.body.get("inferenceConfig", {}), "maxTokens": max_tokens}
    return ChatRequest(
        model_id=ref.upstream_id,
        body={**call.body, "inferenceConfig": inference},
        metadata={
            "tenant": caller.tenant_id,
            "app": caller.app_id,
            "request_id": request_id,
        },
    )
