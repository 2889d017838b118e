"""Messages as they are streamed."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.fakes.exchanges import CALL_ID, RECEIPT, answer, parsed
from tollgate.dialects.anthropic.answer import usage_counts
from tollgate.dialects.anthropic.stream import ChatStream
from tollgate.domain.errors import StreamBrokenError
from tollgate.domain.prices import TokenUsage

PIXEL = base64.b64encode(b"pixel").decode()
USAGE = TokenUsage(input=10, output=5, cache_read=3)


def events(data: bytes) -> list[dict[str, Any]]:
    found = []
    for text in data.decode().split("\n\n"):
        if text:
            name, line = text.split("\n")
            event = json.loads(line.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            found.append(event)
    return found


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": fields}}


def stop(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def test_a_stream() -> None:
    stream = ChatStream(parsed(), CALL_ID)
    given: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        delta(0, reasoningContent={"text": "Hm"}),
        delta(0, reasoningContent={"signature": "s"}),
        stop(0),
        delta(1, reasoningContent={"redactedContent": b"pixel"}),
        stop(1),
        delta(2, text="Hi"),
        delta(2, text=" there"),
        stop(2),
        {
            "contentBlockStart": {
                "contentBlockIndex": 3,
                "start": {"toolUse": {"toolUseId": "t1", "name": "get_weather"}},
            }
        },
        delta(3, toolUse={"input": '{"a"'}),
        stop(3),
        {
            "messageStop": {
                "stopReason": "tool_use",
                "additionalModelResponseFields": {"stop_sequence": None},
            }
        },
        {"metadata": {}},
    ]

    data = b"".join(stream.event(event) for event in given)
    start, ping, *blocks, last, end = events(
        data + stream.end(answer(usage=USAGE, stop_reason="tool_use"), RECEIPT)
    )
    assert start["message"]["content"] == []
    assert ping == {"type": "ping"}
    assert [
        (block["type"], block["index"], block.get("content_block") or block.get("delta"))
        for block in blocks
    ] == [
        ("content_block_start", 0, {"type": "thinking", "thinking": "", "signature": ""}),
        ("content_block_delta", 0, {"type": "thinking_delta", "thinking": "Hm"}),
        ("content_block_delta", 0, {"type": "signature_delta", "signature": "s"}),
        ("content_block_stop", 0, None),
        ("content_block_start", 1, {"type": "redacted_thinking", "data": PIXEL}),
        ("content_block_stop", 1, None),
        ("content_block_start", 2, {"type": "text", "text": ""}),
        ("content_block_delta", 2, {"type": "text_delta", "text": "Hi"}),
        ("content_block_delta", 2, {"type": "text_delta", "text": " there"}),
        ("content_block_stop", 2, None),
        (
            "content_block_start",
            3,
            {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}},
        ),
        ("content_block_delta", 3, {"type": "input_json_delta", "partial_json": '{"a"'}),
        ("content_block_stop", 3, None),
    ]
    assert last == {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": usage_counts(USAGE),
    }
    assert end == {"type": "message_stop", "tollgate": RECEIPT}


def test_a_failure_after_the_first_byte_is_an_event() -> None:
    stream = ChatStream(parsed(), CALL_ID)

    (told,) = events(stream.error(StreamBrokenError("broke"), CALL_ID))
    assert (told["type"], told["error"]["type"]) == ("error", "api_error")
    assert (told["error"]["message"], told["request_id"]) == ("broke", CALL_ID)


def test_blocks_are_counted_as_the_client_sees_them() -> None:
    stream = ChatStream(parsed(), CALL_ID)
    given: list[dict[str, Any]] = [
        # An image has no form here, and the text after it is the first block.
        {"contentBlockStart": {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}},
        stop(0),
        delta(1, text="Hi"),
        stop(1),
    ]

    sent = events(b"".join(stream.event(event) for event in given))
    assert [(event["type"], event["index"]) for event in sent] == [
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
    ]
