"""What the Bedrock stub says beyond plain text, and which conversations it refuses."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from scripts.local.ministack import REGION
from scripts.local.stubs.bedrock.families.pictures import picture
from scripts.local.stubs.bedrock.server import BedrockStub
from tollgate.domain.converse import Assembler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

NOVA = "amazon.nova-lite-v1:0"
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
SCHEMA = {
    "type": "object",
    "$defs": {"Place": {"type": "object", "properties": {"name": {"type": "string"}}}},
    "properties": {
        "place": {"$ref": "#/$defs/Place"},
        "days": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "sky": {"enum": ["grey", "blue"]},
    },
    "required": ["place", "days", "sky"],
}
IMAGE = {"image": {"format": "png", "source": {"bytes": base64.b64decode(picture("grey"))}}}
DOCUMENT = {"document": {"format": "pdf", "name": "document 1", "source": {"bytes": b"pdf"}}}
CALL = {"toolUse": {"toolUseId": "t1", "name": "now", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "t1", "content": [{"text": "noon"}]}}


@pytest.fixture(scope="module")
def stub() -> Iterator[BedrockStub]:
    with BedrockStub(delta_seconds=0.0) as server:
        yield server


@pytest.fixture(scope="module")
def runtime(stub: BedrockStub) -> BedrockRuntimeClient:
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=stub.url,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(retries={"total_max_attempts": 1}),
    )


def request(text: str, model: str = NOVA, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": [{"text": text}]}]
    return {"modelId": model, "messages": messages, **fields}


def tools(*names: str) -> dict[str, Any]:
    schema = {"json": {"type": "object", "properties": {}}}
    return {"tools": [{"toolSpec": {"name": name, "inputSchema": schema}} for name in names]}


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (request("Think. [stub:think=9]"), ["reasoningContent", "text"]),
        (request("Hide it. [stub:redacted]", CLAUDE), ["reasoningContent", "text"]),
        (
            request(
                "Think.",
                CLAUDE,
                additionalModelRequestFields={
                    "thinking": {"type": "enabled", "budget_tokens": 1024}
                },
            ),
            ["reasoningContent", "text"],
        ),
        (
            request("Both. [stub:tool=now,here]", toolConfig=tools("now", "here")),
            ["text", "toolUse", "toolUse"],
        ),
        (request("Only thoughts. [stub:think=9]", inferenceConfig={"maxTokens": 5}), None),
    ],
)
def test_a_stream_says_what_a_buffered_answer_says(
    runtime: BedrockRuntimeClient, given: dict[str, Any], kinds: list[str] | None
) -> None:
    answer = runtime.converse(**given)
    assembler = Assembler()
    for event in runtime.converse_stream(**given)["stream"]:
        assembler.take(event)
    streamed = assembler.document()
    content = answer["output"]["message"]["content"]

    assert streamed["output"]["message"]["content"] == content
    assert (streamed["stopReason"], streamed["usage"]) == (answer["stopReason"], answer["usage"])
    assert [next(iter(block)) for block in content] == (kinds or ["reasoningContent"])


def test_only_claude_signs_its_thoughts(runtime: BedrockRuntimeClient) -> None:
    for model, is_signed in ((CLAUDE, True), (NOVA, False)):
        answer = runtime.converse(**request("Think. [stub:think=9]", model))
        thoughts = answer["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]
        assert ("signature" in thoughts) is is_signed


def test_an_answer_fits_its_schema(runtime: BedrockRuntimeClient) -> None:
    structure: Any = {"jsonSchema": {"name": "trip", "schema": json.dumps(SCHEMA)}}
    config: Any = {"textFormat": {"type": "json_schema", "structure": structure}}

    answer = runtime.converse(**request("Where?", outputConfig=config))
    [block] = answer["output"]["message"]["content"]
    assert json.loads(block["text"]) == {"place": {"name": "example"}, "days": 1, "sky": "grey"}


def test_claude_tells_where_it_stopped(runtime: BedrockRuntimeClient) -> None:
    given = request("Go on.", CLAUDE, additionalModelResponseFieldPaths=["/stop_sequence"])

    assert runtime.converse(**given)["additionalModelResponseFields"] == {"stop_sequence": None}
    given["inferenceConfig"] = {"stopSequences": ["."]}
    stopped = runtime.converse(**given)
    assert stopped["additionalModelResponseFields"] == {"stop_sequence": "."}


def test_native_bodies_are_counted(runtime: BedrockRuntimeClient) -> None:
    body = json.dumps(
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "One two"}],
        }
    )
    given: Any = {"invokeModel": {"body": body.encode()}}
    counted = runtime.count_tokens(modelId=CLAUDE.removeprefix("us."), input=given)

    answer = runtime.invoke_model(modelId=CLAUDE, body=body)
    assert counted["inputTokens"] == json.loads(answer["body"].read())["usage"]["input_tokens"]


def test_a_model_that_only_profiles_call_counts_under_its_own_id(
    runtime: BedrockRuntimeClient,
) -> None:
    given: Any = {"messages": [{"role": "user", "content": [{"text": "How many?"}]}]}

    counted = runtime.count_tokens(modelId=CLAUDE.removeprefix("us."), input={"converse": given})
    assert (
        counted["inputTokens"] == runtime.converse(modelId=CLAUDE, **given)["usage"]["inputTokens"]
    )


def turns(*contents: list[Any]) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": content} for n, content in enumerate(contents)]


ASK = [{"text": "What time is it?"}]


@pytest.mark.parametrize(
    ("messages", "fields", "message"),
    [
        (turns([DOCUMENT]), {}, "a message with a document needs a text block"),
        (turns([*ASK, DOCUMENT, DOCUMENT]), {}, "multiple documents with the same name"),
        (turns(ASK, [IMAGE], ASK), {}, "belong to user messages"),
        (turns([*ASK, *[IMAGE] * 21]), {}, "at most 20 images"),
        (
            turns([*ASK, {"document": {**DOCUMENT["document"], "name": "a_b"}}]),
            {},
            "name of a document is not allowed",
        ),
        (turns(ASK, [CALL], [RESULT]), {}, "The toolConfig field must be defined"),
        (turns(ASK, [CALL], ASK), {"toolConfig": tools("now")}, "for the following Ids: t1"),
    ],
)
def test_conversations_that_bedrock_refuses(
    runtime: BedrockRuntimeClient, messages: Any, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        runtime.converse(modelId=NOVA, messages=messages, **fields)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_media_and_rounds_of_tools_are_taken(runtime: BedrockRuntimeClient) -> None:
    messages: Any = turns([*ASK, IMAGE, DOCUMENT], [CALL], [RESULT])

    answer = runtime.converse(modelId=NOVA, messages=messages, toolConfig=tools("now"))
    assert answer["stopReason"] == "end_turn"
    words = runtime.converse(modelId=NOVA, messages=turns(ASK))["usage"]["inputTokens"]
    assert answer["usage"]["inputTokens"] > words
