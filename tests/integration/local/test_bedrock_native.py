"""boto3 reads what the Bedrock stub answers to native bodies, and the log says what is billed."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from scripts.local.stubs.bedrock.server import BedrockStub

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

METADATA = json.dumps({"tenant": "acme"})
PROMPT = "Say something. [stub:tokens=10]"
CHAT = {"messages": [{"role": "user", "content": PROMPT}]}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "amazon.titan-text-express-v1": {"inputText": PROMPT},
    "amazon.nova-lite-v1:0": {"messages": [{"role": "user", "content": [{"text": PROMPT}]}]},
    "anthropic.claude-3-5-sonnet-20240620-v1:0": {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 50,
        **CHAT,
    },
    "anthropic.claude-v2:1": {
        "prompt": f"\n\nHuman: {PROMPT}\n\nAssistant:",
        "max_tokens_to_sample": 50,
    },
    "mistral.mistral-7b-instruct-v0:2": {"prompt": PROMPT},
    "mistral.mistral-large-2407-v1:0": CHAT,
    "meta.llama3-8b-instruct-v1:0": {"prompt": PROMPT},
    "cohere.command-text-v14": {"prompt": PROMPT},
    "ai21.jamba-1-5-large-v1:0": CHAT,
    "deepseek.v3.2": CHAT,
    "openai.gpt-oss-20b-1:0": CHAT,
}


@pytest.fixture(scope="module")
def stub() -> Iterator[BedrockStub]:
    with BedrockStub(delta_seconds=0) as server:
        yield server


@pytest.fixture(scope="module")
def client(stub: BedrockStub) -> BedrockRuntimeClient:
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=stub.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def last(stub: BedrockStub) -> dict[str, Any]:
    return stub.calls()[-1]


def callable_id(stub: BedrockStub, model: str) -> str:
    """The model's id, or that of a profile where only profiles can call it."""
    ids = (model, f"us.{model}", f"global.{model}")
    return next(model_id for model_id in ids if stub.catalogue.find(model_id))


@pytest.mark.parametrize("model", BODIES)
def test_an_answer_has_its_counts_in_the_headers(
    stub: BedrockStub, client: BedrockRuntimeClient, model: str
) -> None:
    answer = client.invoke_model(
        modelId=callable_id(stub, model), body=json.dumps(BODIES[model]), requestMetadata=METADATA
    )

    document = json.loads(answer["body"].read())
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    billed = last(stub)
    assert document
    assert billed["usage"]["outputTokens"] == 10
    assert billed["requestMetadata"] == {"tenant": "acme"}
    if not model.startswith("ai21."):
        assert headers["x-amzn-bedrock-output-token-count"] == "10"
        assert headers["x-amzn-bedrock-input-token-count"] == str(billed["usage"]["inputTokens"])


@pytest.mark.parametrize("model", BODIES)
def test_a_stream_ends_with_its_counts(
    stub: BedrockStub, client: BedrockRuntimeClient, model: str
) -> None:
    answer = client.invoke_model_with_response_stream(
        modelId=callable_id(stub, model), body=json.dumps(BODIES[model])
    )

    chunks = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
    billed = last(stub)["usage"]
    assert len(chunks) > 2
    assert billed["outputTokens"] == 10
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (billed["inputTokens"], 10)


def test_a_stream_that_breaks_bills_what_was_said(
    stub: BedrockStub, client: BedrockRuntimeClient
) -> None:
    body = {"inputText": "Say. [stub:tokens=40][stub:cut=mid-stream]"}
    answer = client.invoke_model_with_response_stream(
        modelId="amazon.titan-text-express-v1", body=json.dumps(body)
    )

    with pytest.raises(Exception, match="."):
        list(answer["body"])
    assert 0 < last(stub)["usage"]["outputTokens"] < 40
    assert last(stub)["status"] == "cut"


@pytest.mark.parametrize(
    ("model", "body", "count"),
    [
        ("amazon.titan-embed-text-v2:0", {"inputText": "three short words", "dimensions": 256}, 1),
        ("cohere.embed-english-v3", {"texts": ["a", "b c"], "input_type": "search_query"}, 2),
    ],
)
def test_embeddings(
    stub: BedrockStub,
    client: BedrockRuntimeClient,
    model: str,
    body: dict[str, Any],
    count: int,
) -> None:
    answer = client.invoke_model(modelId=model, body=json.dumps(body))

    document = json.loads(answer["body"].read())
    vectors = document.get("embeddings") or [document["embedding"]]
    assert len(vectors) == count
    assert {len(vector) for vector in vectors} == {256 if "dimensions" in body else 1024}
    assert last(stub)["usage"] == {"inputTokens": 3, "outputTokens": 0, "totalTokens": 3}


@pytest.mark.parametrize(
    ("model", "body", "units"),
    [
        (
            "amazon.nova-canvas-v1:0",
            {
                "taskType": "TEXT_IMAGE",
                "textToImageParams": {"text": "a harbour"},
                "imageGenerationConfig": {"numberOfImages": 2, "quality": "premium"},
            },
            {"image/1024x1024/premium": 2},
        ),
        (
            "stability.sd3-5-large-v1:0",
            {"prompt": "a harbour"},
            {"image/1024x1024/standard": 1},
        ),
    ],
)
def test_images(
    stub: BedrockStub,
    client: BedrockRuntimeClient,
    model: str,
    body: dict[str, Any],
    units: dict[str, int],
) -> None:
    answer = client.invoke_model(modelId=model, body=json.dumps(body))

    images = json.loads(answer["body"].read())["images"]
    assert len(images) == sum(units.values())
    assert all(base64.b64decode(image).startswith(b"\x89PNG") for image in images)
    assert last(stub)["units"] == units


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        ("amazon.titan-text-express-v1", {"prompt": "Hi"}, r"extraneous key \[prompt\]"),
        ("amazon.titan-text-express-v1", {}, r"required key \[inputText\] not found"),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", CHAT, "anthropic_version: Field required"),
        ("cohere.embed-english-v3", {"texts": ["a"]}, "input_type is required"),
        ("amazon.nova-canvas-v1:0", {}, "textToImageParams.text is required"),
    ],
)
def test_a_body_that_the_model_does_not_read_is_refused(
    stub: BedrockStub,
    client: BedrockRuntimeClient,
    model: str,
    body: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        client.invoke_model(modelId=callable_id(stub, model), body=json.dumps(body))
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert last(stub)["usage"]["totalTokens"] == 0


def test_faults_reach_native_calls(stub: BedrockStub, client: BedrockRuntimeClient) -> None:
    stub.fault(match={"tenant": "acme"}, error="ThrottlingException")

    with pytest.raises(ClientError, match="ThrottlingException"):
        client.invoke_model(
            modelId="amazon.titan-text-express-v1",
            body=json.dumps({"inputText": "Hi"}),
            requestMetadata=METADATA,
        )
