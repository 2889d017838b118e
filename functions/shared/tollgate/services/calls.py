"""The second half of every model call: the call and its settlement."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from tollgate.domain.custody import Custody
from tollgate.domain.endpoints import MACHINE_UNIT
from tollgate.domain.errors import StreamBrokenError, TollgateError, UnavailableError
from tollgate.domain.holds import applicable_rates
from tollgate.domain.models import profile_arn
from tollgate.domain.native import image_count
from tollgate.domain.prices import Cost, PriceBook, Rates, TokenUsage
from tollgate.observability import logger
from tollgate.ports import Clock, ModelReply, ModelRequest, ModelRuntime, StreamPiece
from tollgate.services.leases import RENEW_SECONDS, Leases
from tollgate.services.metering import (
    NO_USAGE,
    Attribution,
    Outcome,
    held_cost,
    log_usage,
    usage_row,
)
from tollgate.services.pricing import LIST_PRICES, PriceTerms, Pricing, dearest_usage, model_ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from tollgate.domain.ledger import Hold
    from tollgate.domain.tenants import Caller
    from tollgate.domain.usage import Status, UsageSource
    from tollgate.services.ledger import Lease, Ledger


@dataclass(frozen=True, slots=True)
class AdmittedCall:
    """A call whose worst case is held: everything needed to make and to settle it.

    It is settled under the `terms` it was admitted under. `most_output` is how many of the hold's
    tokens may be output, `units` what the request is billed for beyond tokens.
    `lowered_max_tokens` is the `maxTokens` that it was clamped to, None where it has what was
    asked for. `custody` is how its texts are kept.
    """

    caller: Caller
    lease: Lease
    started_at: datetime
    request: ModelRequest
    most_output: int
    cost_center: str
    tags: Mapping[str, str]
    terms: PriceTerms = LIST_PRICES
    units: Mapping[str, int] = field(default_factory=dict)
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

    `document` is the model service's own answer, see `ModelReply`. `cost` is exact; `remaining` is
    what is left of the tightest budget in picodollars, None without a budget or where settling is
    left to the sweep.
    """

    request_id: str
    document: Any
    stop_reason: str | None
    usage: TokenUsage
    cost: Cost
    remaining: int | None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> Sequence[Mapping[str, Any]]:
        """The content blocks of a chat."""
        blocks: Sequence[Mapping[str, Any]] = self.document["output"]["message"]["content"]
        return blocks


class OpenCall:
    """A streamed call that the model service has taken; it must be read to be settled."""

    def __init__(
        self,
        calls: Calls,
        call: AdmittedCall,
        pieces: Iterable[StreamPiece | ModelReply],
        began: datetime,
    ) -> None:
        self._calls = calls
        self._call = call
        self._pieces = pieces
        self._began = began

    def read(self, on_piece: Callable[[StreamPiece], None]) -> Answer:
        """Hand each piece to `on_piece`, and settle the call.

        Raises the upstream errors. When `on_piece` fails, the stream is still read to its end,
        because the provider bills it to the end; the failure is raised once that is settled.
        """
        return self._calls.read(self._call, self._pieces, on_piece, self._began)


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
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        """`logged`: the model service keeps invocation logs that the sweep can read."""
        self._ledger = ledger
        self._leases = Leases(ledger, clock, renew_seconds)
        self._runtime = runtime
        self._pricing = Pricing(prices, region)
        self._region = region
        self._clock = clock
        self._logged = logged

    def run(self, call: AdmittedCall) -> Answer:
        """Make the call and settle it. Raises the upstream errors."""
        began = self._clock()
        try:
            with self._leases.kept(call.lease):
                reply = self._runtime.call(call.request)
        except TollgateError as error:
            self.fail(call, error)
            raise
        return self._succeed(call, reply, began, None)

    def stream(self, call: AdmittedCall, on_piece: Callable[[StreamPiece], None]) -> Answer:
        """Make the call as a stream, hand its pieces to `on_piece`, and settle it; see `read`."""
        return self.open(call).read(on_piece)

    def open(self, call: AdmittedCall) -> OpenCall:
        """Make the call as a stream, up to its first piece.

        Raises what the model service refuses it for; then the call is settled.
        """
        began = self._clock()
        pieces = self._leases.kept_while(call.lease, self._runtime.stream(call.request))
        try:
            first = next(pieces)
        except StreamBrokenError as error:
            self._break_off(call, error, _Received(lambda _: None))
            raise
        except TollgateError as error:
            self.fail(call, error)
            raise
        return OpenCall(self, call, chain([first], pieces), began)

    def read(
        self,
        call: AdmittedCall,
        pieces: Iterable[StreamPiece | ModelReply],
        on_piece: Callable[[StreamPiece], None],
        began: datetime,
    ) -> Answer:
        """Read an open call, which `began` then, to its end; see `OpenCall.read`."""
        received = _Received(on_piece)
        try:
            for piece in pieces:
                received.take(piece, self._clock)
            if received.reply is None:
                raise StreamBrokenError("the model's stream had no end", may_be_billed=True)
        except StreamBrokenError as error:
            self._break_off(call, error, received)
            raise
        except TollgateError as error:
            self.fail(call, error)
            raise
        answer = self._succeed(call, received.reply, began, received.first_token_at)
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
        return self._leases.extend(call.lease, lease_seconds)

    def _is_logged(self, call: AdmittedCall) -> bool:
        """Whether the sweep can read how the call ended: Bedrock logs its account's own calls."""
        session = call.request.session
        is_elsewhere = session is not None and session.is_silo
        return self._logged and not is_elsewhere and call.request.operation != "invoke_endpoint"

    def _break_off(self, call: AdmittedCall, error: StreamBrokenError, received: _Received) -> None:
        """Account for a stream whose usage never came: by the log, else by what was received."""
        error.request_id = call.request_id
        if self._is_logged(call):
            self._hand_over(call, error)
            return
        usage = self._most_used(call, received.size)
        outcome = replace(
            _failed("aborted", error),
            usage=usage,
            units=call.units,
            usage_source="estimated",
            cost=self._estimated(call, usage, "default"),
            first_token_at=received.first_token_at,
        )
        self._settle(call, outcome)

    def _most_used(self, call: AdmittedCall, received_bytes: int) -> TokenUsage:
        """The bound of the input, and a token for every byte of output that came."""
        hold, body = call.hold, call.request.body
        held_at = self._pricing.rates(hold.model, call.started_at, call.terms) or Rates()
        model_id = model_ref(hold.model, call.terms.model_arns).model_id
        if isinstance(body, Mapping):
            held_at = applicable_rates(held_at, model_id, body)
        return dearest_usage(
            held_at, hold.tokens - call.most_output, min(received_bytes, call.most_output)
        )

    def _estimated(self, call: AdmittedCall, usage: TokenUsage, tier: str) -> Cost:
        charged = self._cost(call, usage, tier, call.units)
        return charged if charged.total <= call.hold.usd else held_cost(call.hold)

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
        self,
        call: AdmittedCall,
        reply: ModelReply,
        began: datetime,
        first_token_at: datetime | None,
    ) -> Answer:
        units = {**self._served_units(call, reply, began), **reply.units}
        usage, source = self._usage(call, reply)
        charged = (
            self._cost(call, usage, reply.service_tier, units)
            if source == "provider"
            else self._estimated(call, usage, reply.service_tier)
        )
        outcome = Outcome(
            status="ok",
            http_status=200,
            stop_reason=reply.stop_reason,
            usage=usage,
            units=units,
            usage_source=source,
            cost=charged,
            service_tier=reply.service_tier,
            first_token_at=first_token_at,
        )
        return Answer(
            request_id=call.request_id,
            document=reply.document,
            stop_reason=reply.stop_reason,
            usage=usage,
            cost=charged,
            remaining=self._settle(call, outcome),
            headers=reply.headers,
        )

    def _usage(self, call: AdmittedCall, reply: ModelReply) -> tuple[TokenUsage, UsageSource]:
        """What the provider counted; what it does not count is bounded by what it sent."""
        if reply.usage is not None:
            return reply.usage, "provider"
        if call.units:
            # Billed by the image, the request or the machine's time: no token costs anything.
            return NO_USAGE, "provider"
        size = len(json.dumps(reply.document, ensure_ascii=False).encode(errors="surrogatepass"))
        return self._most_used(call, size), "estimated"

    def _served_units(
        self, call: AdmittedCall, reply: ModelReply, began: datetime
    ) -> Mapping[str, int]:
        """The units of the request, as far as they came: images made, milliseconds taken."""
        elapsed = -(-(self._clock() - began) // timedelta(milliseconds=1))
        served = {}
        for unit, count in call.units.items():
            if unit == MACHINE_UNIT:
                served[unit] = min(count, elapsed)
            elif unit.startswith("image/"):
                served[unit] = min(count, image_count(reply.document))
            else:
                served[unit] = count
        return served

    def _cost(
        self, call: AdmittedCall, usage: TokenUsage, tier: str, units: Mapping[str, int]
    ) -> Cost:
        charged = self._pricing.charge(
            call.hold.model, call.started_at, call.terms, usage, tier, units
        )
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

    def __init__(self, on_piece: Callable[[StreamPiece], None]) -> None:
        self._on_piece = on_piece
        self.size = 0
        self.first_token_at: datetime | None = None
        self.reply: ModelReply | None = None
        self.undelivered: Exception | None = None

    def take(self, piece: StreamPiece | ModelReply, clock: Clock) -> None:
        if isinstance(piece, ModelReply):
            self.reply = piece
            return
        if piece.size:
            self.first_token_at = self.first_token_at or clock()
        self.size += piece.size
        if self.undelivered is None:
            self._deliver(piece)

    def _deliver(self, piece: StreamPiece) -> None:
        try:
            self._on_piece(piece)
        except Exception as error:  # noqa: BLE001 - raised again once the call is settled
            self.undelivered = error


def _failed(status: Status, error: TollgateError) -> Outcome:
    return Outcome(status=status, http_status=error.http_status, error_code=error.code)
