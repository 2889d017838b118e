"""Chat completions as they are streamed."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.exchanges import CALL_ID, RECEIPT, answer, parsed
from tollgate.dialects.openai.answer import usage_counts
from tollgate.dialects.openai.stream import ChatStream
from tollgate.domain.errors import StreamBrokenError
from tollgate.domain.prices import TokenUsage

USAGE = TokenUsage(input=10, output=5)


def events(data: bytes) -> list[Any]:
    lines = [line for line in data.decode().split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    texts = [line.removeprefix("data: ") for line in lines]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


def test_a_stream() -> None:
    stream = ChatStream(parsed(includes_usage=True), CALL_ID)
    given: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        {
            "contentBlockDelta": {
                "contentBlockIndex": 0,
                "delta": {"reasoningContent": {"text": "Hm"}},
            }
        },
        {
            "contentBlockDelta": {
                "contentBlockIndex": 0,
                "delta": {"reasoningContent": {"signature": "s"}},
            }
        },
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "Hi"}}},
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {
            "contentBlockStart": {
                "contentBlockIndex": 2,
                "start": {"toolUse": {"toolUseId": "t1", "name": "get_weather"}},
            }
        },
        {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a"'}}}},
        {"messageStop": {"stopReason": "tool_use"}},
        {"metadata": {}},
    ]

    data = b"".join(stream.event(event) for event in given)
    data += stream.end(answer(usage=USAGE, stop_reason="tool_use"), RECEIPT)
    *chunks, finish, usage, done = events(data)

    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Hm"},
        {"content": "Hi"},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "t1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
    ]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    assert finish["tollgate"] == RECEIPT
    assert (usage["choices"], usage["usage"]) == ([], usage_counts(USAGE))
    assert done == "[DONE]"


def test_usage_comes_only_when_asked_for() -> None:
    stream = ChatStream(parsed(), CALL_ID)

    assert len(events(stream.end(answer(), {}))) == 2


def test_a_failure_after_the_first_byte_is_an_event() -> None:
    stream = ChatStream(parsed(), CALL_ID)

    told, done = events(stream.error(StreamBrokenError("broke"), CALL_ID))
    assert (told["error"]["message"], told["error"]["request_id"]) == ("broke", CALL_ID)
    assert done == "[DONE]"


def test_a_tool_without_arguments_is_called_with_an_empty_object() -> None:
    stream = ChatStream(parsed(), CALL_ID)
    start = {"toolUse": {"toolUseId": "t1", "name": "now"}}
    given: list[dict[str, Any]] = [
        {"contentBlockStart": {"contentBlockIndex": 0, "start": start}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": ""}}}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
    ]

    chunks = events(b"".join(stream.event(event) for event in given))
    calls = [chunk["choices"][0]["delta"]["tool_calls"][0] for chunk in chunks]
    assert "".join(call["function"]["arguments"] for call in calls) == "{}"
