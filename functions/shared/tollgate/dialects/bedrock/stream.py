"""Streamed answers of Bedrock Runtime's API: the model's own events, in frames."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from tollgate.dialects.bedrock import eventstream
from tollgate.dialects.bedrock.blobs import encoded
from tollgate.domain.errors import (
    InvalidRequestError,
    StreamBrokenError,
    TollgateError,
    UnavailableError,
    UpstreamThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.dialects.exchange import ParsedCall
    from tollgate.services.calls import Answer

_STREAM_MEMBERS = (
    "internalServerException",
    "modelStreamErrorException",
    "serviceUnavailableException",
    "throttlingException",
    "validationException",
)
_STREAM_EXCEPTIONS: tuple[tuple[type[TollgateError], str], ...] = (
    (StreamBrokenError, "modelStreamErrorException"),
    (UpstreamThrottledError, "throttlingException"),
    (InvalidRequestError, "validationException"),
    (UnavailableError, "serviceUnavailableException"),
)
_METRICS = b"amazon-bedrock-invocationMetrics"


class ChatStream:
    """Events of ConverseStream as frames; the last one waits for the receipt."""

    headers: ClassVar[Mapping[str, str]] = {"Content-Type": eventstream.CONTENT_TYPE}
    # A reader of frames takes no bytes between them.
    keep_alive = b""

    def __init__(self, _parsed: ParsedCall, _request_id: str) -> None:
        self._last: Mapping[str, Any] | None = None

    def event(self, event: Mapping[str, Any]) -> bytes:
        """The frame of an event, and of one that turns out not to be the last."""
        frames = b"" if self._last is None else _frame(self._last)
        self._last = event if _is_last(event) else None
        return frames if self._last is not None else frames + _frame(event)

    def end(self, _answer: Answer, receipt: Mapping[str, str]) -> bytes:
        """The last event's frame with the receipt in it, which the SDKs pass over."""
        return b"" if self._last is None else _frame(self._last, {"tollgate": dict(receipt)})

    def error(self, error: TollgateError, _request_id: str) -> bytes:
        """A failure after the first byte: the status is out, so the client reads it here."""
        if error.upstream_code in _STREAM_MEMBERS:
            return eventstream.exception(error.upstream_code, error.message)
        name = next(
            (name for kind, name in _STREAM_EXCEPTIONS if isinstance(error, kind)),
            "internalServerException",
        )
        return eventstream.exception(name, error.message)


class NativeStream(ChatStream):
    """Chunks of the provider's own stream as frames."""

    headers: ClassVar[Mapping[str, str]] = {
        **ChatStream.headers,
        "x-amzn-bedrock-content-type": "application/json",
    }


def _frame(event: Mapping[str, Any], beside: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    ((kind, payload),) = event.items()
    return eventstream.event(kind, {**encoded(payload), **beside})


def _is_last(event: Mapping[str, Any]) -> bool:
    return "metadata" in event or _METRICS in event.get("chunk", {}).get("bytes", b"")
