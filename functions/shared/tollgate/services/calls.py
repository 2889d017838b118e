"""The second half of every model call: the call and its settlement."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from tollgate.domain.custody import Custody
from tollgate.domain.errors import (
    StreamBrokenError,
    TollgateError,
    UnreadableError,
    not_called,
)
from tollgate.domain.models import profile_arn
from tollgate.domain.sessions import model_account
from tollgate.observability import logger
from tollgate.ports import Clock, ModelReply, ModelRequest, ModelRuntime, StreamPiece
from tollgate.services.charging import Charging
from tollgate.services.leases import RENEW_SECONDS, Leases
from tollgate.services.metering import (
    Attribution,
    Outcome,
    held_cost,
    log_usage,
    usage_row,
)
from tollgate.services.pricing import LIST_PRICES, PriceTerms, Pricing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tollgate.domain.ledger import Hold
    from tollgate.domain.prices import Cost, PriceBook, TokenUsage
    from tollgate.domain.tenants import Caller
    from tollgate.domain.usage import Status
    from tollgate.services.ledger import Lease, Ledger


@dataclass(frozen=True, slots=True)
class AdmittedCall:
    """A call whose worst case is held: everything needed to make and to settle it.

    It is settled under the `terms` it was admitted under. `units` are what the request is billed
    for beyond tokens.
    `lowered_max_tokens` is the `maxTokens` that it was clamped to, None where it has what was
    asked for. `custody` is how its texts are kept.
    """

    caller: Caller
    lease: Lease
    started_at: datetime
    request: ModelRequest
    cost_center: str
    tags: Mapping[str, str]
    terms: PriceTerms = LIST_PRICES
    units: Mapping[str, int] = field(default_factory=dict)
    lowered_max_tokens: int | None = None
    custody: Custody = field(default_factory=Custody)
    business_unit: str | None = None

    @property
    def hold(self) -> Hold:
        """What is held for it."""
        return self.lease.hold

    @property
    def most_output(self) -> int:
        """How many of the hold's tokens may be output."""
        return self.hold.output_tokens

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


@contextmanager
def foreseen(request_id: str, failure: Callable[[], TollgateError]) -> Iterator[None]:
    """For what must fail in known ways only: what nobody foresaw is logged, and is a `failure`."""
    try:
        yield
    except TollgateError:
        raise
    except Exception as error:
        logger.exception("unexpected failure", extra={"request_id": request_id})
        raise failure() from error


@contextmanager
def paid(request_id: str) -> Iterator[None]:
    """For what is done with the answer of a settled call.

    A failure that nobody foresaw is one of an answer that cannot be handed on: it is no reason to
    make the call again.
    """

    def unreadable() -> UnreadableError:
        failure = UnreadableError()
        failure.request_id = request_id
        return failure

    with foreseen(request_id, unreadable):
        yield


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

    def __init__(  # noqa: PLR0913 - what a call and its row rest on
        self,
        *,
        ledger: Ledger,
        runtime: ModelRuntime,
        prices: PriceBook,
        region: str,
        account_id: str,
        clock: Clock,
        logged: bool = False,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        """`account_id` is the gateway's own, where models run that no other account's role calls.

        `logged`: the model service keeps invocation logs that the sweep can read.
        """
        self._ledger = ledger
        self._leases = Leases(ledger, clock, renew_seconds)
        self._runtime = runtime
        self._pricing = Pricing(prices, region)
        self._charging = Charging(self._pricing)
        self._region = region
        self._account_id = account_id
        self._clock = clock
        self._logged = logged

    @contextmanager
    def unsent(self, call: AdmittedCall) -> Iterator[None]:
        """For what is done between admission and the call: its failure costs nothing."""
        try:
            with foreseen(call.request_id, not_called):
                yield
        except TollgateError as error:
            self.fail(call, error)
            raise

    def run(self, call: AdmittedCall) -> Answer:
        """Make the call and settle it. Raises the upstream errors."""
        began = self._clock()
        try:
            with self._leases.kept(call.lease):
                reply = self._runtime.call(call.request)
        except Exception as error:
            raise self._failed(call, error, _Received(_nobody)) from _cause(error)
        return self._succeed(call, reply, began, None)

    def stream(self, call: AdmittedCall, on_piece: Callable[[StreamPiece], None]) -> Answer:
        """Make the call as a stream, hand its pieces to `on_piece`, and settle it; see `read`."""
        return self.open(call).read(on_piece)

    def open(self, call: AdmittedCall) -> OpenCall:
        """Make the call as a stream, up to its first piece.

        Raises what the model service refuses it for; then the call is settled.
        """
        began = self._clock()
        try:
            pieces = self._leases.kept_while(call.lease, self._runtime.stream(call.request))
            first = next(pieces, None)
        except Exception as error:
            raise self._failed(call, error, _Received(_nobody)) from _cause(error)
        return OpenCall(self, call, chain(() if first is None else (first,), pieces), began)

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
        except Exception as error:
            if received.reply is None:
                raise self._failed(call, error, received) from _cause(error)
            logger.exception("stream failed after its end", extra={"request_id": call.request_id})
        answer = self._succeed(call, received.reply, began, received.first_token_at)
        if received.undelivered is not None:
            raise received.undelivered
        return answer

    def _failed(self, call: AdmittedCall, error: Exception, received: _Received) -> TollgateError:
        """Settle a call that failed under way; returns what its caller is told.

        A failure that nobody foresaw is taken as one of an answer that is paid for.
        """
        if isinstance(error, StreamBrokenError):
            self._break_off(call, error, received)
            return error
        if isinstance(error, TollgateError):
            self.fail(call, error)
            return error
        logger.error("unexpected failure", exc_info=error, extra={"request_id": call.request_id})
        failure = UnreadableError()
        self.fail(call, failure)
        return failure

    def fail(self, call: AdmittedCall, error: TollgateError) -> None:
        """Settle a call that failed: it costs nothing, unless the provider may bill it.

        A call whose answer was lost may have used all that it was held for.
        """
        error.request_id = call.request_id
        if error.upstream_message is not None:
            _log_denial(call, error)
        if not error.may_be_billed:
            self._settle(call, _failed("error", error))
        elif self._is_logged(call):
            self._hand_over(call, error)
        else:
            outcome = _failed("orphaned", error)
            self._settle(call, replace(outcome, usage_source="hold", cost=held_cost(call.hold)))

    def prepare(self, call: AdmittedCall) -> None:
        """Get what the call needs and sends nothing; see `ModelRuntime.prepare`."""
        self._runtime.prepare(call.request)

    def renew(self, call: AdmittedCall) -> bool:
        """Renew the hold from now; False when a sweep has ended it."""
        return self._leases.renew(call.lease)

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
        charge = self._charging.of_bytes(call, received.size, "default")
        outcome = replace(
            _failed("aborted", error),
            usage=charge.usage,
            units=charge.units,
            usage_source=charge.source,
            cost=charge.cost,
            first_token_at=received.first_token_at,
        )
        self._settle(call, outcome)

    def _hand_over(self, call: AdmittedCall, error: TollgateError) -> None:
        """Leave the call to the sweep, which reads its log: its hold expires now."""
        logger.warning(
            "model call ended unknown",
            extra={"request_id": call.request_id, "error_code": error.code},
        )
        try:
            self._leases.extend(call.lease, 0)
        except Exception:  # noqa: BLE001 - the sweep comes to it later all the same
            logger.exception("hold not handed over", extra={"request_id": call.request_id})

    def _succeed(
        self,
        call: AdmittedCall,
        reply: ModelReply,
        began: datetime,
        first_token_at: datetime | None,
    ) -> Answer:
        """Settle a call that was answered. Raises UnreadableError for an answer with a fault."""
        fault = None if reply.fault is None else UnreadableError(reply.fault)
        try:
            outcome = self._outcome(call, reply, began, fault)
        except Exception as error:
            raise self._failed(call, error, _Received(_nobody)) from _cause(error)
        if outcome is None:
            raise self._failed(call, fault or UnreadableError(), _Received(_nobody))
        remaining = self._settle(call, replace(outcome, first_token_at=first_token_at))
        if fault is not None:
            fault.request_id = call.request_id
            raise fault
        return Answer(
            request_id=call.request_id,
            document=reply.document,
            stop_reason=reply.stop_reason,
            usage=outcome.usage,
            cost=outcome.cost,
            remaining=remaining,
            headers=reply.headers,
        )

    def _outcome(
        self, call: AdmittedCall, reply: ModelReply, began: datetime, fault: TollgateError | None
    ) -> Outcome | None:
        """How an answered call ended; None where nothing at all tells what it used."""
        if fault is not None and reply.usage is None and not call.units:
            return None
        charge = self._charging.of_reply(call, reply, self._clock() - began)
        return Outcome(
            status="ok" if fault is None else "error",
            http_status=200 if fault is None else fault.http_status,
            error_code=None if fault is None else fault.code,
            stop_reason=reply.stop_reason,
            usage=charge.usage,
            units=charge.units,
            usage_source=charge.source,
            cost=charge.cost,
            service_tier=reply.service_tier,
        )

    def _settle(self, call: AdmittedCall, outcome: Outcome) -> int | None:
        attribution = Attribution(
            tenant_id=call.caller.tenant_id,
            tier=call.caller.tier,
            cost_center=call.cost_center,
            tags=call.tags,
            region=self._region,
            account_id=model_account(call.request.session, self._account_id),
            price_version=self._pricing.version(call.terms),
            model_arns=call.terms.model_arns,
            inference_profile_arn=profile_arn(call.request.model_id),
            business_unit=call.business_unit,
        )
        row = usage_row(call.hold, attribution, outcome, self._clock())
        try:
            remaining = self._ledger.settle(call.lease, row)
            log_usage(row)
        except Exception as error:  # noqa: BLE001
            # The answer is paid for: the caller gets it. The hold stays and a sweep ends it.
            logger.exception(
                "call not settled",
                extra={
                    "request_id": row.request_id,
                    "dependency": error.details if isinstance(error, TollgateError) else None,
                },
            )
            return None
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
        if piece.event and self.undelivered is None:
            self._deliver(piece)

    def _deliver(self, piece: StreamPiece) -> None:
        try:
            self._on_piece(piece)
        except Exception as error:  # noqa: BLE001 - raised again once the call is settled
            self.undelivered = error


def _nobody(_: StreamPiece) -> None:
    """Takes the pieces that nobody waits for."""


def _cause(error: Exception) -> BaseException | None:
    """What an error came of: itself, unless it is one that callers see as it is."""
    return error.__cause__ if isinstance(error, TollgateError) else error


def _log_denial(call: AdmittedCall, error: TollgateError) -> None:
    """What the service said; the caller is not told, because it names accounts and roles."""
    logger.warning(
        "model call denied",
        extra={
            "request_id": call.request_id,
            "tenant_id": call.caller.tenant_id,
            "model_id": call.request.model_id,
            "upstream_code": error.upstream_code,
            "upstream_message": error.upstream_message,
        },
    )


def _failed(status: Status, error: TollgateError) -> Outcome:
    return Outcome(status=status, http_status=error.http_status, error_code=error.code)
