"""The second half of every model call: the call and its settlement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tollgate.domain.custody import Custody
from tollgate.domain.errors import StreamBrokenError, TollgateError, UnavailableError
from tollgate.domain.holds import applicable_rates, chat_answers
from tollgate.domain.models import profile_arn
from tollgate.domain.prices import Cost, PriceBook, Rates, TokenUsage
from tollgate.metering import Attribution, Outcome, held_cost, log_usage, usage_row
from tollgate.observability import logger
from tollgate.ports import (
    ChatReply,
    ChatRequest,
    Clock,
    ModelRuntime,
    OutputDelta,
    StreamEnd,
    TextDelta,
)
from tollgate.pricing import LIST_PRICES, PriceTerms, Pricing, dearest_usage, model_ref

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tollgate.domain.ledger import Hold
    from tollgate.domain.tenants import Caller
    from tollgate.domain.usage import Status
    from tollgate.ledger import Lease, Ledger


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
    """A call whose worst case is held: everything needed to make and to settle it.

    It is settled under the `terms` it was admitted under. `lowered_max_tokens` is the `maxTokens`
    that it was clamped to, None where it has what was asked for. `custody` is how its texts are
    kept.
    """

    caller: Caller
    lease: Lease
    started_at: datetime
    request: ChatRequest
    cost_center: str
    tags: Mapping[str, str]
    terms: PriceTerms = LIST_PRICES
    lowered_max_tokens: int | None = None
    custody: Custody = field(default_factory=Custody)

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


class Calls:
    """Makes model calls and settles them."""

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
        error.request_id = call.request_id
        if not error.may_be_billed:
            self._settle(call, _failed("error", error))
        elif self._is_logged(call):
            self._hand_over(call, error)
        else:
            outcome = _failed("orphaned", error)
            self._settle(call, replace(outcome, usage_source="hold", cost=held_cost(call.hold)))

    def extend(self, call: AdmittedCall, lease_seconds: int) -> bool:
        """Renew the hold from now; False when a sweep has ended it."""
        return self._ledger.extend(call.lease, int(self._clock().timestamp()) + lease_seconds)

    def _is_logged(self, call: AdmittedCall) -> bool:
        """Whether the sweep can read how the call ended: an account logs its own calls only."""
        session = call.request.session
        return self._logged and not (session is not None and session.is_silo)

    def _break_off(self, call: AdmittedCall, error: StreamBrokenError, received: _Received) -> None:
        """Account for a stream whose usage never came: by the log, else by what was received."""
        error.request_id = call.request_id
        if self._is_logged(call):
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
        held_at = self._pricing.rates(hold.model, call.started_at, call.terms) or Rates()
        model_id = model_ref(hold.model, call.terms.model_arns).model_id
        return dearest_usage(
            applicable_rates(held_at, model_id, body),
            hold.tokens - most_output,
            min(received_bytes, most_output),
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
            inference_profile_arn=profile_arn(call.request.model_id),
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


def _failed(status: Status, error: TollgateError) -> Outcome:
    return Outcome(status=status, http_status=error.http_status, error_code=error.code)
