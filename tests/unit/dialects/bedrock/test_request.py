"""What boto3's own serializer makes of its caller's parameters, read by the dialect."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.fakes.bedrock_sdk import MESSAGES, sent
from tests.fakes.exchanges import request
from tollgate.dialects.bedrock.request import parse_chat, parse_count, parse_native
from tollgate.domain.errors import InvalidRequestError

ARN = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123"
HERE = {"modelId": "m"}


def test_a_request_is_what_its_caller_gave_to_boto3() -> None:
    asked = sent(
        "converse",
        modelId=ARN,
        messages=MESSAGES,
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 50, "temperature": 0.5},
        additionalModelRequestFields={"bytes": "stays"},
    )

    path = asked.url.partition("/model/")[2].removesuffix("/converse")
    call = parse_chat(request(asked.body, path={"modelId": path})).call
    assert call.model == ARN
    assert call.max_tokens == 50
    assert call.body == {
        "messages": MESSAGES,
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"temperature": 0.5},
        "additionalModelRequestFields": {"bytes": "stays"},
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"converse": {"messages": MESSAGES}}, ({"messages": MESSAGES}, "bedrock.chat")),
        ({"invokeModel": {"body": b'{"a": 1}'}}, ({"a": 1}, "bedrock.native")),
    ],
)
def test_a_count_is_what_its_caller_gave_to_boto3(given: Any, expected: Any) -> None:
    asked = sent("count_tokens", modelId="m", input=given)

    call = parse_count(request(asked.body, path=HERE))
    assert (call.model, call.body, call.dialect) == ("m", *expected)


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
        parse_chat(request(body, path=HERE))
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
        parse_count(request({"input": given}, path=HERE))
    assert message in refused.value.message


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', rb'{"a": "\ud83d"}']
)
def test_a_native_body_must_be_an_object(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse_native(request(body, path=HERE))


def test_a_native_body_is_read_as_it_is() -> None:
    data = base64.b64encode(b"x").decode()

    assert parse_native(request({"bytes": data}, path=HERE)).call.body == {"bytes": data}
