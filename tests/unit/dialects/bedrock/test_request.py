"""boto3's own serializer and parser on one side, the dialect on the other."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from tollgate.dialects.bedrock import eventstream
from tollgate.dialects.bedrock import request as bedrock
from tollgate.domain.errors import InvalidRequestError, StreamBrokenError, UpstreamFailedError

ARN = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123"
MESSAGES = [
    {
        "role": "user",
        "content": [
            {"text": "Look."},
            {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
            {"document": {"format": "pdf", "name": "d", "source": {"bytes": b"%PDF"}}},
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"reasoningContent": {"redactedContent": b"\x00\x01"}},
            # Names that mean bytes elsewhere mean nothing inside a document of the caller's own.
            {"toolUse": {"toolUseId": "t", "name": "n", "input": {"bytes": "not base64!"}}},
        ],
    },
    {
        "role": "user",
        "content": [{"toolResult": {"toolUseId": "t", "content": [{"json": {"bytes": "no!"}}]}}],
    },
]


class Sent(Exception):
    """What boto3 was about to send."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


def client() -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def sent(operation: str, **parameters: Any) -> Any:
    runtime = client()

    def stop(request: Any, **_: Any) -> None:
        raise Sent(request)

    runtime.meta.events.register("before-send.bedrock-runtime", stop)
    with pytest.raises(Sent) as caught:
        getattr(runtime, operation)(**parameters)
    return caught.value.request


def answered(operation: str, *, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    runtime = client()

    def answer(**_: Any) -> AWSResponse:
        return AWSResponse("http://127.0.0.1:9", 200, headers, _Raw(body))

    runtime.meta.events.register("before-send.bedrock-runtime", answer)
    parameters: dict[str, Any] = {"modelId": "m"}
    if operation.startswith("converse"):
        parameters["messages"] = MESSAGES[:1]
    response: dict[str, Any] = getattr(runtime, operation)(**parameters)
    return response


class _Raw(io.BytesIO):
    """The part of urllib3's response that botocore reads."""

    def stream(self, size: int = 1024, decode_content: bool = True) -> Any:  # noqa: FBT001, FBT002, ARG002
        while chunk := self.read(size):
            yield chunk


def test_a_request_is_what_its_caller_gave_to_boto3() -> None:
    request = sent(
        "converse",
        modelId=ARN,
        messages=MESSAGES,
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 50, "temperature": 0.5},
        additionalModelRequestFields={"bytes": "stays"},
    )

    path = request.url.partition("/model/")[2].removesuffix("/converse")
    call = bedrock.parse_converse(bedrock.model_of({"modelId": path}), json.loads(request.body))
    assert call.model == ARN
    assert call.max_tokens == 50
    assert call.body == {
        "messages": MESSAGES,
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"temperature": 0.5},
        "additionalModelRequestFields": {"bytes": "stays"},
    }


def test_an_answer_is_what_boto3_parses() -> None:
    document = {
        "output": {"message": {"role": "assistant", "content": MESSAGES[1]["content"]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 4},
        "additionalModelResponseFields": {"bytes": "stays"},
        "serviceTier": {"type": "default"},
    }
    body = json.dumps(bedrock.converse_body(document)).encode()

    parsed = answered("converse", headers={"Content-Type": "application/json"}, body=body)
    del parsed["ResponseMetadata"]
    assert parsed == document


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
    body = b"".join(bedrock.stream_event(event) for event in events)
    body += bedrock.last_event({"metadata": metadata}, {"cost_usd": "0.1"})

    parsed = answered(
        "converse_stream", headers={"Content-Type": eventstream.CONTENT_TYPE}, body=body
    )
    assert list(parsed["stream"]) == [*events, {"metadata": metadata}]


def test_a_native_stream_is_what_boto3_parses() -> None:
    body = bedrock.stream_event({"chunk": {"bytes": b'{"outputText": "Hi"}'}})

    parsed = answered(
        "invoke_model_with_response_stream",
        headers={"Content-Type": eventstream.CONTENT_TYPE},
        body=body,
    )
    assert list(parsed["body"]) == [{"chunk": {"bytes": b'{"outputText": "Hi"}'}}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"converse": {"messages": MESSAGES}}, {"converse": {"messages": MESSAGES}}),
        ({"invokeModel": {"body": b'{"a": 1}'}}, {"invokeModel": {"body": b'{"a": 1}'}}),
    ],
)
def test_a_count_is_what_its_caller_gave_to_boto3(given: Any, expected: Any) -> None:
    request = sent("count_tokens", modelId="m", input=given)

    assert bedrock.parse_count(json.loads(request.body)) == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "messages is null; allowed is an array with entries"),
        ({"messages": [], "model": "m"}, "the body has the unknown key 'model'; allowed are"),
        ({"messages": [{}], "inferenceConfig": []}, "inferenceConfig is an array"),
        (
            {"messages": [{}], "additionalModelRequestFields": 5},
            "additionalModelRequestFields is a number; allowed is an object",
        ),
        ({"messages": [{}], "performanceConfig": "fast"}, "performanceConfig is a string"),
        ({"messages": [{}], "system": {"text": "a"}}, "system is an object; allowed is an array"),
        ({"messages": [{}], "inferenceConfig": {"maxTokens": "9"}}, "inferenceConfig.maxTokens is"),
        (
            {"messages": [{"content": [{"image": {"source": {"bytes": "*"}}}]}]},
            "messages[0].content[0].image.source.bytes is not base64",
        ),
        (
            {"messages": [{"content": [{"image": {"source": {"s3Location": {"uri": "s3://x"}}}}]}]},
            "s3Location is not allowed: the gateway would read it with its own rights",
        ),
    ],
)
def test_what_bedrock_would_not_read_is_refused(body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        bedrock.parse_converse("m", body)
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "input is null; allowed is an object"),
        ({}, "input allows exactly one of"),
        ({"converse": {}, "invokeModel": {}}, "input allows exactly one of"),
        ({"converse": {"messages": 0}}, "input.converse.messages is a number; allowed is an array"),
    ],
)
def test_a_count_of_nothing_is_refused(given: object, message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        bedrock.parse_count({"input": given})
    assert message in refused.value.message


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', rb'{"a": "\ud83d"}']
)
def test_a_native_body_must_be_an_object(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        bedrock.parse_native(body)


def test_a_native_body_is_read_as_it_is() -> None:
    data = base64.b64encode(b"x").decode()

    assert bedrock.parse_native(json.dumps({"bytes": data}).encode()) == {"bytes": data}


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        ("ModelErrorException", (424, "ModelErrorException")),
        ("ModelNotReadyException", (429, "ModelNotReadyException")),
        ("ServiceQuotaExceededException", (400, "ServiceQuotaExceededException")),
        ("InternalServerException", (500, "InternalServerException")),
        (None, (500, "InternalServerException")),
    ],
)
def test_failures_of_the_service_keep_its_names(
    upstream: str | None, expected: tuple[int, str]
) -> None:
    error = UpstreamFailedError("the model failed")
    error.upstream_code = upstream

    assert (bedrock.status_of(error), bedrock.exception_of(error)) == expected


def test_failures_in_a_stream_keep_their_names() -> None:
    error = StreamBrokenError("the stream broke", may_be_billed=True)
    assert b"modelStreamErrorException" in bedrock.stream_error(error)

    error.upstream_code = "throttlingException"
    assert b"throttlingException" in bedrock.stream_error(error)
