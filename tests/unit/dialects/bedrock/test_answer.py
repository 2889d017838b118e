"""What boto3's own parser makes of answers."""

from __future__ import annotations

import json

from tests.fakes.bedrock_sdk import MESSAGES, answered
from tests.fakes.exchanges import answer, parsed
from tollgate.dialects.bedrock.answer import chat_body


def test_an_answer_is_what_boto3_parses() -> None:
    document = {
        "output": {"message": {"role": "assistant", "content": MESSAGES[1]["content"]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 4},
        "additionalModelResponseFields": {"bytes": "stays"},
        "serviceTier": {"type": "default"},
    }
    body = json.dumps(chat_body(parsed(), answer(document))).encode()

    read = answered("converse", headers={"Content-Type": "application/json"}, body=body)
    del read["ResponseMetadata"]
    assert read == document
