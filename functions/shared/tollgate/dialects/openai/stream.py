"""Streamed answers of OpenAI's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects import sse
from tollgate.dialects.openai.answer import completion_head, stop_reason_of, usage_counts
from tollgate.dialects.openai.errors import error_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.dialects.exchange import ParsedCall
    from tollgate.domain.errors import TollgateError
    from tollgate.services.calls import Answer

_DONE = b"data: [DONE]\n\n"


class ChatStream:
    """Converse's stream events as server-sent events of Chat Completions."""

    headers = sse.HEADERS
    # A comment, which readers of server-sent events pass over.
    keep_alive = b": still working\n\n"

    def __init__(self, parsed: ParsedCall, request_id: str) -> None:
        self._base = completion_head("chat.completion.chunk", parsed, request_id)
        self._includes_usage = parsed.includes_usage
        self._tool_indexes: dict[int, int] = {}
        # Tools that were called without a word of arguments so far.
        self._bare: set[int] = set()

    def event(self, event: Mapping[str, Any]) -> bytes:
        """What the client gets for one event; nothing for those that OpenAI has no word for."""
        if "messageStart" in event:
            return self._delta({"role": "assistant", "content": ""})
        if "contentBlockStart" in event:
            return self._start(event["contentBlockStart"])
        if "contentBlockDelta" in event:
            return self._block(event["contentBlockDelta"])
        if "contentBlockStop" in event:
            return self._stop(event["contentBlockStop"]["contentBlockIndex"])
        return b""

    def end(self, answer: Answer, receipt: Mapping[str, str]) -> bytes:
        """The last events of a settled call; the receipt says what it cost."""
        finish_reason = stop_reason_of(answer.stop_reason or "")
        choice = {"index": 0, "delta": {}, "finish_reason": finish_reason}
        events = sse.event({**self._base, "choices": [choice], "tollgate": dict(receipt)})
        if self._includes_usage:
            usage = usage_counts(answer.usage)
            events += sse.event({**self._base, "choices": [], "usage": usage})
        return events + _DONE

    def error(self, error: TollgateError, request_id: str) -> bytes:
        """A failure after the first byte: the status is out, so the client reads it here."""
        return sse.event(error_body(error, request_id)) + _DONE

    def _start(self, start: Mapping[str, Any]) -> bytes:
        tool_use = start["start"].get("toolUse")
        if tool_use is None:
            return b""
        index = len(self._tool_indexes)
        self._tool_indexes[start["contentBlockIndex"]] = index
        self._bare.add(start["contentBlockIndex"])
        function = {"name": tool_use["name"], "arguments": ""}
        call = {
            "index": index,
            "id": tool_use["toolUseId"],
            "type": "function",
            "function": function,
        }
        return self._delta({"tool_calls": [call]})

    def _block(self, block: Mapping[str, Any]) -> bytes:
        delta = block["delta"]
        if "text" in delta:
            return self._delta({"content": delta["text"]})
        if "toolUse" in delta:
            return self._arguments(block["contentBlockIndex"], delta["toolUse"]["input"])
        reasoning = delta.get("reasoningContent", {}).get("text")
        return b"" if reasoning is None else self._delta({"reasoning_content": reasoning})

    def _arguments(self, block_index: int, text: str) -> bytes:
        if block_index not in self._tool_indexes:
            # Of a tool that was never named: the end of the stream says that it cannot be read.
            return b""
        if text:
            self._bare.discard(block_index)
        call = {"index": self._tool_indexes[block_index], "function": {"arguments": text}}
        return self._delta({"tool_calls": [call]})

    def _stop(self, block_index: int) -> bytes:
        # Clients parse what they were sent, and nothing is not JSON.
        return self._arguments(block_index, "{}") if block_index in self._bare else b""

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        return sse.event({**self._base, "choices": [choice]})
