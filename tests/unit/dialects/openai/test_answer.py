"""Chat completions and embeddings as they are answered."""

from __future__ import annotations

import pytest

from tests.fakes.exchanges import CALL_ID, CREATED, answer, parsed, request
from tollgate.dialects.openai.answer import chat_body, embeddings_body
from tollgate.dialects.openai.request import parse_embeddings
from tollgate.domain.prices import TokenUsage

DOCUMENT = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm."}}},
                {"text": "It "},
                {"text": "rains."},
                {
                    "toolUse": {
                        "toolUseId": "t1",
                        "name": "get_weather",
                        "input": {"city": "Tromsø"},
                    }
                },
            ],
        }
    },
    "stopReason": "tool_use",
    "serviceTier": {"type": "flex"},
}
USAGE = TokenUsage(input=10, output=5, cache_read=3, cache_write_5m=2)
COUNTS = {
    "prompt_tokens": 15,
    "completion_tokens": 5,
    "total_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 3},
}


def test_an_answer() -> None:
    body = chat_body(parsed(), answer(DOCUMENT, USAGE))

    assert body == {
        "id": f"chatcmpl-{CALL_ID}",
        "object": "chat.completion",
        "created": CREATED,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "It rains.",
                    "refusal": None,
                    "reasoning_content": "Hm.",
                    "tool_calls": [
                        {
                            "id": "t1",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city": "Tromsø"}'},
                        }
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": COUNTS,
        "service_tier": "flex",
    }


@pytest.mark.parametrize("embeddings", [[[0.5], [0.25]], {"float": [[0.5], [0.25]]}])
def test_vectors_are_packed_as_openais_client_reads_them(embeddings: object) -> None:
    asked = {"model": "cohere.embed-english-v3", "input": "a", "encoding_format": "base64"}
    body = embeddings_body(
        parse_embeddings(request(asked)),
        [answer({"embeddings": embeddings})],
    )

    assert [item["embedding"] for item in body["data"]] == ["AAAAPw==", "AACAPg=="]
