"""The one path of every model call: policy, price, hold, admit, call, settle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    StreamBrokenError,
    TollgateError,
    UnavailableError,
)
from tollgate.domain.holds import (
    Bound,
    chat_answers,
    chat_bound,
    chat_input_tokens,
    max_tokens_of,
)
from tollgate.domain.ids import new_request_id
from tollgate.domain.ledger import Hold, scopes_of
from tollgate.domain.prices import Cost, ModelCard, PriceBook, Rates, TokenUsage
from tollgate.ledger import Lease, Ledger, RefusedError, refusal_error
from tollgate.metering import Attribution, Outcome, held_cost, log_usage, usage_row
from tollgate.observability import logger
from tollgate.policy import Party, Policies, allowed_model
from tollgate.ports import (
    ChatReply,
    ChatRequest,
    Clock,
    ModelRuntime,
    OutputDelta,
    StreamEnd,
    TextDelta,
)
from tollgate.pricing import LIST_PRICES, PriceTerms, Pricing, dearest_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tollgate.domain.models import ModelRef
    from tollgate.domain.tenants import Caller
    from tollgate.domain.usage import Status


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
    terms: PriceTerms = LIST_PRICES

    @property
    def hold(self) -> Hold:
        """What is held for it."""
        return self.lease.hold

    @property
    def request_id(self) -> str:
        """Id of the call in the ledger."""
        return self.hold.request_id


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
            terms=PriceTerms.of(party.tenant),
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
        logged: bool = False,
    ) -> None:
        """`logged`: the model service keeps invocation logs that the sweep can read."""
        self._ledger = ledger
        self._runtime = runtime
        self._pricing = Pricing(prices, region)
        self._region = region
        self._clock = clock
        self._logged = logged

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
        received = _Received(on_text)
        try:
            for event in self._runtime.chat_stream(call.request):
                received.take(event, self._clock)
            if received.end is None:
                raise StreamBrokenError("the model's stream had no end", may_be_billed=True)
        except StreamBrokenError as error:
            self._break_off(call, error, received)
            raise
        except TollgateError as error:
            self.fail(call, error)
            raise
        answer = self._succeed(call, received.reply(received.end), received.first_token_at)
        if received.undelivered is not None:
            raise received.undelivered
        return answer

    def fail(self, call: AdmittedCall, error: TollgateError) -> None:
        """Settle a call that failed: it costs nothing, unless the provider may bill it.

        A call whose answer was lost may have used all that it was held for.
        """
        if not error.may_be_billed:
            self._settle(call, _failed("error", error))
        elif self._logged:
            self._hand_over(call, error)
        else:
            outcome = _failed("orphaned", error)
            self._settle(call, replace(outcome, usage_source="hold", cost=held_cost(call.hold)))

    def extend(self, call: AdmittedCall, lease_seconds: int) -> bool:
        """Renew the hold from now; False when a sweep has ended it."""
        return self._ledger.extend(call.lease, int(self._clock().timestamp()) + lease_seconds)

    def _break_off(self, call: AdmittedCall, error: StreamBrokenError, received: _Received) -> None:
        """Account for a stream whose usage never came: by the log, else by what was received."""
        if self._logged:
            self._hand_over(call, error)
            return
        usage = self._most_used(call, received.size)
        charged = self._cost(call, usage, "default")
        outcome = replace(
            _failed("aborted", error),
            usage=usage,
            usage_source="estimated",
            cost=charged if charged.total <= call.hold.usd else held_cost(call.hold),
            first_token_at=received.first_token_at,
        )
        self._settle(call, outcome)

    def _most_used(self, call: AdmittedCall, received_bytes: int) -> TokenUsage:
        """The bound of the input, and a token for every byte of output that came."""
        hold, body = call.hold, call.request.body
        most_output: int = body["inferenceConfig"]["maxTokens"] * chat_answers(body)
        held_at = self._pricing.rates(hold.model, call.started_at, call.terms)
        return dearest_usage(
            held_at or Rates(),
            hold.tokens - most_output,
            min(received_bytes, most_output),
            cached=_has_cache_point(body),
        )

    def _hand_over(self, call: AdmittedCall, error: TollgateError) -> None:
        """Leave the call to the sweep, which reads its log: its hold expires now."""
        logger.warning(
            "model call ended unknown",
            extra={"request_id": call.request_id, "error_code": error.code},
        )
        try:
            self.extend(call, 0)
        except UnavailableError:
            logger.exception("hold not handed over", extra={"request_id": call.request_id})

    def _succeed(
        self, call: AdmittedCall, reply: ChatReply, first_token_at: datetime | None
    ) -> Answer:
        charged = self._cost(call, reply.usage, reply.service_tier)
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

    def _cost(self, call: AdmittedCall, usage: TokenUsage, tier: str) -> Cost:
        charged = self._pricing.charge(call.hold.model, call.started_at, call.terms, usage, tier)
        # A job may run under a later price book than the one it was held under.
        return held_cost(call.hold, priced=False) if charged is None else charged

    def _settle(self, call: AdmittedCall, outcome: Outcome) -> int | None:
        attribution = Attribution(
            tenant_id=call.caller.tenant_id,
            tier=call.caller.tier,
            cost_center=call.cost_center,
            tags=call.tags,
            region=self._region,
            price_version=self._pricing.version(call.terms),
            model_arns=call.terms.model_arns,
        )
        row = usage_row(call.hold, attribution, outcome, self._clock())
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


class _Received:
    """What came of a stream so far."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self._on_text = on_text
        self._texts: list[str] = []
        self.size = 0
        self.first_token_at: datetime | None = None
        self.end: StreamEnd | None = None
        self.undelivered: Exception | None = None

    def take(self, event: TextDelta | OutputDelta | StreamEnd, clock: Clock) -> None:
        if isinstance(event, StreamEnd):
            self.end = event
            return
        self.first_token_at = self.first_token_at or clock()
        if isinstance(event, OutputDelta):
            self.size += event.size
            return
        self.size += len(event.text.encode(errors="surrogatepass"))
        self._texts.append(event.text)
        if self.undelivered is None:
            self._deliver(event.text)

    def _deliver(self, text: str) -> None:
        try:
            self._on_text(text)
        except Exception as error:  # noqa: BLE001 - raised again once the call is settled
            self.undelivered = error

    def reply(self, end: StreamEnd) -> ChatReply:
        """The complete answer."""
        text = "".join(self._texts)
        return ChatReply([{"text": text}], end.stop_reason, end.usage, end.service_tier)


def _has_cache_point(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(
            key in ("cachePoint", "cache_control") or _has_cache_point(item)
            for key, item in value.items()
        )
    return isinstance(value, list | tuple) and any(map(_has_cache_point, value))


def _failed(status: Status, error: TollgateError) -> Outcome:
    return Outcome(status=status, http_status=error.http_status, error_code=error.code)


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
