"""Streamed answers of Anthropic's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects import sse
from tollgate.dialects.anthropic.answer import (
    base64_text,
    message_head,
    stop_reason_of,
    stop_sequence_of,
    usage_counts,
)
from tollgate.dialects.anthropic.errors import error_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.dialects.exchange import ParsedCall
    from tollgate.domain.errors import TollgateError
    from tollgate.services.calls import Answer

_PING = b'event: ping\ndata: {"type": "ping"}\n\n'


class ChatStream:
    """Converse's stream events as server-sent events of Messages."""

    headers = sse.HEADERS
    keep_alive = _PING

    def __init__(self, parsed: ParsedCall, request_id: str) -> None:
        self._base = message_head(parsed, request_id)
        # Where each block of Converse stands in the message: clients count the blocks that they
        # were shown, and Converse has some that have no form here.
        self._indexes: dict[int, int] = {}
        self._stop_sequence: str | None = None

    def event(self, event: Mapping[str, Any]) -> bytes:
        """What the client gets for one event."""
        if "messageStart" in event:
            return self._start()
        if "contentBlockStart" in event:
            return self._block_start(event["contentBlockStart"])
        if "contentBlockDelta" in event:
            return self._block_delta(event["contentBlockDelta"])
        if "contentBlockStop" in event:
            index = self._indexes.get(event["contentBlockStop"]["contentBlockIndex"])
            return b"" if index is None else _sse("content_block_stop", {"index": index})
        if "messageStop" in event:
            self._stop_sequence = stop_sequence_of(event["messageStop"])
        return b""

    def end(self, answer: Answer, receipt: Mapping[str, str]) -> bytes:
        """The last events of a settled call; the receipt says what it cost."""
        delta = {
            "stop_reason": stop_reason_of(answer.stop_reason or ""),
            "stop_sequence": self._stop_sequence,
        }
        usage = usage_counts(answer.usage)
        return _sse("message_delta", {"delta": delta, "usage": usage}) + _sse(
            "message_stop", {"tollgate": dict(receipt)}
        )

    def error(self, error: TollgateError, request_id: str) -> bytes:
        """A failure after the first byte: the status is out, so the client reads it here."""
        return _sse("error", error_body(error, request_id))

    def _start(self) -> bytes:
        # What the input counts is known at the end; the last usage is the one clients keep.
        empty = {"input_tokens": 0, "output_tokens": 0}
        message = {
            **self._base,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": empty,
        }
        return _sse("message_start", {"message": message}) + _PING

    def _block_start(self, start: Mapping[str, Any]) -> bytes:
        use = start["start"].get("toolUse")
        if use is None:
            return b""
        block = {"type": "tool_use", "id": use["toolUseId"], "name": use["name"], "input": {}}
        return self._opened(start["contentBlockIndex"], block)

    def _opened(self, block_index: int, block: Mapping[str, Any]) -> bytes:
        index = self._indexes.setdefault(block_index, len(self._indexes))
        return _sse("content_block_start", {"index": index, "content_block": block})

    def _block_delta(self, block: Mapping[str, Any]) -> bytes:
        number, delta = block["contentBlockIndex"], block["delta"]
        if "redactedContent" in delta.get("reasoningContent", {}):
            data = base64_text(delta["reasoningContent"]["redactedContent"])
            return self._opened(number, {"type": "redacted_thinking", "data": data})
        rendered = _delta(delta)
        if rendered is None:
            return b""
        # Converse begins a block of text with its first piece.
        opening = b"" if number in self._indexes else self._opened(number, _empty_block(delta))
        fields = {"index": self._indexes[number], "delta": rendered}
        return opening + _sse("content_block_delta", fields)


def _empty_block(delta: Mapping[str, Any]) -> dict[str, Any]:
    if "reasoningContent" in delta:
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def _delta(delta: Mapping[str, Any]) -> dict[str, Any] | None:
    if "text" in delta:
        return {"type": "text_delta", "text": delta["text"]}
    if "toolUse" in delta:
        return {"type": "input_json_delta", "partial_json": delta["toolUse"]["input"]}
    reasoning = delta.get("reasoningContent", {})
    if "text" in reasoning:
        return {"type": "thinking_delta", "thinking": reasoning["text"]}
    if "signature" in reasoning:
        return {"type": "signature_delta", "signature": reasoning["signature"]}
    return None


def _sse(name: str, fields: Mapping[str, Any]) -> bytes:
    # The fields win: an error brings its type along, which is the same word.
    return sse.event({"type": name, **fields}, name)
