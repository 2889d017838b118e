"""Messages as they are answered."""

from __future__ import annotations

import base64

from tests.fakes.exchanges import CALL_ID, answer, parsed
from tollgate.dialects.anthropic.answer import chat_body, stop_reason_of
from tollgate.domain.prices import TokenUsage

PIXEL = base64.b64encode(b"pixel").decode()
USAGE = TokenUsage(input=10, output=5, cache_read=3, cache_write_5m=2, cache_write_1h=1)
COUNTS = {
    "input_tokens": 10,
    "output_tokens": 5,
    "cache_read_input_tokens": 3,
    "cache_creation_input_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 1},
}


def test_an_answer() -> None:
    blocks = [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": b"pixel"}},
        {"text": "It rains."},
        {"citationsContent": {"content": [{"text": "Cited."}], "citations": []}},
        {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "X"}}},
    ]
    document = {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": "stop_sequence",
        "additionalModelResponseFields": {"stop_sequence": "END"},
    }

    assert chat_body(parsed(), answer(document, USAGE)) == {
        "id": f"msg_{CALL_ID}",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "redacted_thinking", "data": PIXEL},
            {"type": "text", "text": "It rains."},
            {"type": "text", "text": "Cited."},
            {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "X"}},
        ],
        "stop_reason": "stop_sequence",
        "stop_sequence": "END",
        "usage": COUNTS,
    }


def test_stop_reasons_are_words_that_anthropic_has() -> None:
    reasons = [stop_reason_of(reason) for reason in ("max_tokens", "malformed_tool_use")]

    assert reasons == ["max_tokens", "end_turn"]
