"""How a call of the Bedrock stub ends: paced, broken off as directed, and logged before its end."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.errors import asked_for
from scripts.local.stubs.calls import Outcome
from scripts.local.stubs.model_stub import ModelHandler
from tollgate.dialects.bedrock import eventstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scripts.local.stubs.calls import Call
    from scripts.local.stubs.errors import ServiceError

SLOW_DELTA_SECONDS = 0.25
_TIER = "X-Amzn-Bedrock-Service-Tier"


class ReplyHandler(ModelHandler):
    """Sends errors, ends of buffered calls and streams."""

    def send_service_error(self, error: ServiceError) -> None:
        """Answer with an error."""
        self.send_json({"message": str(error), **error.details}, error.status, error.code)

    def end_call(self, call: Call, usage: Mapping[str, Any], reason: str | None) -> bool:
        """Log the end of a buffered call; False where it is cut and nothing is to be sent."""
        cut = call.directions.cut is not None
        outcome = Outcome("cut" if cut else "ok", usage=usage, stop_reason=reason)
        self.stub.log.write(call, outcome)
        if cut:
            self.drop()
        return not cut

    def send_stream(
        self,
        call: Call,
        frames: Sequence[tuple[bytes, int]],
        stop_reason: str,
        last: Callable[[Mapping[str, Any]], bytes] | None = None,
    ) -> None:
        """Send frames with the output tokens of each; `last` makes one more of the usage.

        A stream without `last` is one of native chunks.
        """
        self._send_stream_headers(call, is_native=last is None)
        billed = 0
        try:
            for frame, tokens in self._paced(call, frames):
                billed += tokens
                self.send_chunk(frame)
        except ConnectionError:
            self._log_cut(call, billed)
            self.close_connection = True
            return
        except _MidStreamError as failure:
            self.stub.log.write(call, Outcome("error", error=failure.error.code))
            member = failure.error.code[:1].lower() + failure.error.code[1:]
            self.send_last_chunk(eventstream.exception(member, str(failure.error)))
            return
        except _CutError:
            self._log_cut(call, billed)
            self.drop()
            return
        usage = call.usage(billed)
        self.stub.log.write(call, Outcome("ok", usage=usage, stop_reason=stop_reason))
        self.send_last_chunk(b"" if last is None else last(usage))

    def tier_header(self, call: Call) -> dict[str, str]:
        """The header that names the tier, of a native call that names one."""
        is_told = _TIER in self.headers or "tier" in call.directions.values
        return {_TIER: call.tier} if is_told else {}

    def _send_stream_headers(self, call: Call, *, is_native: bool) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", eventstream.CONTENT_TYPE)
        if is_native:
            self.send_header("X-Amzn-Bedrock-Content-Type", "application/json")
            for name, value in self.tier_header(call).items():
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _log_cut(self, call: Call, billed: int) -> None:
        self.stub.log.write(call, Outcome("cut", usage=call.usage(billed)))

    def _paced(
        self, call: Call, frames: Sequence[tuple[bytes, int]]
    ) -> Iterator[tuple[bytes, int]]:
        """Yield the frames at the directed pace.

        Raises:
            _MidStreamError, _CutError: as directed.
        """
        pause = self._pause(call)
        middle = len(frames) // 2
        for index, (frame, tokens) in enumerate(frames):
            if index == middle:
                self.wfile.flush()
                self.stub.pass_gate(call, mid_stream=True)
                _break_off(call)
            yield frame, tokens
            if tokens:
                self.wfile.flush()
                self.stub.stopping.wait(pause)
        if call.directions.cut == "before-metadata":
            raise _CutError

    def _pause(self, call: Call) -> float:
        """Return the seconds between two pieces of a stream."""
        directed = call.directions.number("delta_ms")
        if directed is not None:
            return directed / 1000
        return SLOW_DELTA_SECONDS if "slow" in call.directions.values else self.stub.delta_seconds


class _MidStreamError(Exception):
    def __init__(self, error: ServiceError) -> None:
        super().__init__(str(error))
        self.error = error


class _CutError(Exception):
    pass


def _break_off(call: Call) -> None:
    if call.directions.error is not None:
        raise _MidStreamError(asked_for(call.directions.error[0]))
    if call.directions.cut == "mid-stream":
        raise _CutError
