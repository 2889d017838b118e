"""What boto3's own serializer makes of its caller's parameters, read by the dialect."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.fakes.bedrock_sdk import MESSAGES, sent
from tests.fakes.exchanges import request
from tollgate.dialects.bedrock.request import (
    MOST_METADATA,
    parse_chat,
    parse_count,
    parse_native,
)
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


def test_metadata_of_a_request_is_what_bedrock_takes_beside_ours() -> None:
    pairs = {f"key {n}": "" for n in range(MOST_METADATA - 1)} | {"a:_@$#=/+,.-": "z" * 256}
    body = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "requestMetadata": pairs}

    assert parse_chat(request(body, path=HERE)).call.body["requestMetadata"] == pairs


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({f"k{n}": "v" for n in range(14)}, "requestMetadata has 14 pairs; allowed are 13"),
        ({"a": "1", "": "v"}, "requestMetadata: pair 2 has a key of 0 characters; allowed are 1"),
        ({"k" * 257: "v"}, "requestMetadata: pair 1 has a key of 257 characters; allowed are 1 to"),
        ({"k!": "v"}, "requestMetadata: pair 1 has a key of 2 characters; allowed are 1 to 256"),
        ({"k": "v" * 257}, "requestMetadata: pair 1 has a value of 257 characters; allowed are up"),
        ({"k": "caf\u00e9"}, "requestMetadata: pair 1 has a value of 4 characters; allowed are up"),
        ({"k": 7}, "requestMetadata: pair 1's value is a number; allowed is a string"),
    ],
)
def test_metadata_that_bedrock_would_refuse_is_named(pairs: dict[str, Any], message: str) -> None:
    body = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "requestMetadata": pairs}

    with pytest.raises(InvalidRequestError) as refused:
        parse_chat(request(body, path=HERE))
    assert refused.value.message.startswith(message)
    assert "caf" not in refused.value.message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b'{"n": 1e400}', "input.invokeModel.body has a number beyond 64 bits"),
        (b'{"n": NaN}', "input.invokeModel.body is not valid JSON"),
        (b"[" * 70 + b"]" * 70, "input.invokeModel.body is nested more than 64 levels deep"),
        (b"[]", "input.invokeModel.body is an array; allowed is an object"),
    ],
)
def test_a_native_body_inside_a_count_is_held_to_the_same(document: bytes, message: str) -> None:
    body = {"input": {"invokeModel": {"body": base64.b64encode(document).decode()}}}

    with pytest.raises(InvalidRequestError) as refused:
        parse_count(request(body, path=HERE))
    assert refused.value.message == message
