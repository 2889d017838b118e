"""The routes of Bedrock Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.bedrock import eventstream
from tollgate.dialects.bedrock import request as bedrock
from tollgate.entry.http import failure_headers, json_answer
from tollgate.services.shapes import ChatCall, NativeCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.domain.errors import TollgateError
    from tollgate.entry.http import Request, Response
    from tollgate.services.calls import Answer

_METRICS = b"amazon-bedrock-invocationMetrics"


class Bedrock:
    """Bedrock's errors."""

    deciding_headers = ("accept", "content-type", "x-amzn-bedrock-service-tier")

    def id_headers(self, request_id: str) -> Mapping[str, str]:
        """The SDKs read x-amzn-requestid, which API Gateway sets itself."""
        return {}

    def refusal(self, error: TollgateError, request_id: str) -> Response:
        """The exception's name in a header and in the body."""
        headers = {
            **failure_headers(error, request_id),
            "x-amzn-errortype": bedrock.exception_of(error),
        }
        return json_answer(bedrock.status_of(error), bedrock.error_body(error, request_id), headers)


class _Exchange:
    # A reader of frames takes no bytes between them.
    keep_alive = b""
    notes: Sequence[str] = ()

    def __init__(self, *, is_streamed: bool) -> None:
        self.is_streamed = is_streamed

    def stream(self, request_id: str) -> FrameStream:  # noqa: ARG002 - frames have no id
        """Frames of the model's own events."""
        return FrameStream()


class Converse(_Exchange):
    """`POST /model/{modelId}/converse` and `/converse-stream`."""

    stream_headers: Mapping[str, str] = {"Content-Type": eventstream.CONTENT_TYPE}

    def __init__(self, request: Request, *, is_streamed: bool) -> None:
        super().__init__(is_streamed=is_streamed)
        model = bedrock.model_of(request.path)
        self.call = bedrock.parse_converse(model, request.json_object())

    def body(self, answer: Answer) -> Any:  # noqa: ANN401 - JSON
        """Bedrock's own answer."""
        return bedrock.converse_body(answer.document)

    def headers(self, answer: Answer) -> Mapping[str, str]:
        """None of its own."""
        return {}


class Invocation(_Exchange):
    """`POST /model/{modelId}/invoke` and `/invoke-with-response-stream`."""

    stream_headers: Mapping[str, str] = {
        "Content-Type": eventstream.CONTENT_TYPE,
        "x-amzn-bedrock-content-type": "application/json",
    }

    def __init__(self, request: Request, *, is_streamed: bool) -> None:
        super().__init__(is_streamed=is_streamed)
        model = bedrock.model_of(request.path)
        self.call = bedrock.native_call(model, request.headers, request.body)
        self.notes = bedrock.native_notes(request.headers)

    def body(self, answer: Answer) -> Any:  # noqa: ANN401 - JSON
        """The provider's own answer."""
        return answer.document

    def headers(self, answer: Answer) -> Mapping[str, str]:
        """What Bedrock counted."""
        return answer.headers


class FrameStream:
    """Frames of the model's own events; the last one waits for the receipt."""

    def __init__(self) -> None:
        self._last: Mapping[str, Any] | None = None

    def piece(self, event: Mapping[str, Any]) -> bytes:
        """The frame of an event, and of one that turns out not to be the last."""
        frames = b"" if self._last is None else bedrock.stream_event(self._last)
        self._last = event if _is_last(event) else None
        return frames if self._last is not None else frames + bedrock.stream_event(event)

    def end(self, answer: Answer, receipt: Mapping[str, str]) -> bytes:  # noqa: ARG002
        """The last event's frame with the receipt in it, which the SDKs pass over."""
        return b"" if self._last is None else bedrock.last_event(self._last, receipt)

    def error(self, error: TollgateError, request_id: str) -> bytes:  # noqa: ARG002
        """An exception frame."""
        return bedrock.stream_error(error)


def _is_last(event: Mapping[str, Any]) -> bool:
    return "metadata" in event or _METRICS in event.get("chunk", {}).get("bytes", b"")


def count_call(request: Request) -> ChatCall | NativeCall:
    """The call of `POST /model/{modelId}/count-tokens`, which is counted and not made."""
    model = bedrock.model_of(request.path)
    given = bedrock.parse_count(request.json_object())
    if "converse" in given:
        return ChatCall(model, given["converse"], None, bedrock.CONVERSE)
    return NativeCall(model, bedrock.parse_native(given["invokeModel"]["body"]), bedrock.INVOKE)


def count_body(input_tokens: int) -> dict[str, int]:
    """A count."""
    return {"inputTokens": input_tokens}
