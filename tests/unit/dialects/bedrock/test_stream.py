"""What boto3's own parser makes of frames."""

from __future__ import annotations

from typing import Any

from tests.fakes.bedrock_sdk import answered
from tests.fakes.exchanges import CALL_ID, RECEIPT, answer, parsed
from tollgate.dialects.bedrock.stream import ChatStream, NativeStream
from tollgate.domain.errors import StreamBrokenError


def test_a_stream_is_what_boto3_parses() -> None:
    events: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        {
            "contentBlockDelta": {
                "contentBlockIndex": 0,
                "delta": {"reasoningContent": {"redactedContent": b"\x00\x01"}},
            }
        },
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "Grüße"}}},
        {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a'}}}},
        {"messageStop": {"stopReason": "end_turn"}},
    ]
    metadata = {
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 4},
    }
    stream = ChatStream(parsed(), CALL_ID)
    body = b"".join(stream.event(event) for event in [*events, {"metadata": metadata}])
    body += stream.end(answer(), RECEIPT)

    read = answered("converse_stream", headers=dict(stream.headers), body=body)
    assert list(read["stream"]) == [*events, {"metadata": metadata}]


def test_a_native_stream_is_what_boto3_parses() -> None:
    stream = NativeStream(parsed(), CALL_ID)
    body = stream.event({"chunk": {"bytes": b'{"outputText": "Hi"}'}})

    read = answered("invoke_model_with_response_stream", headers=dict(stream.headers), body=body)
    assert list(read["body"]) == [{"chunk": {"bytes": b'{"outputText": "Hi"}'}}]


def test_failures_in_a_stream_keep_their_names() -> None:
    stream = ChatStream(parsed(), CALL_ID)
    error = StreamBrokenError("the stream broke", may_be_billed=True)
    assert b"modelStreamErrorException" in stream.error(error, CALL_ID)

    error.upstream_code = "throttlingException"
    assert b"throttlingException" in stream.error(error, CALL_ID)
