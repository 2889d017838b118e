"""boto3 reads the same from the gateway as from the model service itself, event by event.

Each call is made twice: straight to the Bedrock stub, and through the gateway. Whatever boto3
parses must be equal, but for times and the gateway's own words in refusals.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from scripts.local.ministack import REGION
from scripts.local.stack import LocalStack
from tests.integration.local.clients import (
    CLAUDE,
    COHERE_EMBED,
    NOVA,
    TITAN_EMBED,
    bedrock_client,
    picture,
    write_environment,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    Pair = tuple[BedrockRuntimeClient, BedrockRuntimeClient]

pytestmark = pytest.mark.stack

TOOL = {
    "name": "get_weather",
    "description": "Weather of a city",
    "inputSchema": {
        "json": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "bytes": {"type": "integer"}},
            "required": ["city", "bytes"],
        }
    },
}
NOW = {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}
TOOLS = {"tools": [{"toolSpec": TOOL}, {"toolSpec": NOW}]}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
IMAGE = {"image": {"format": "png", "source": {"bytes": picture()}}}
PDF = {"document": {"format": "pdf", "name": "report 1", "source": {"bytes": b"%PDF-1.7 " * 9}}}
POINT = {"cachePoint": {"type": "default", "ttl": "1h"}}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": b} if isinstance(b, str) else b for b in blocks]}


def chat(*blocks: Any, model: str = NOVA, **fields: Any) -> dict[str, Any]:
    given = {"modelId": model, "messages": [user(*blocks)], **fields}
    # The gateway always names a maximum; the stub's answers end well before it.
    inference = {"maxTokens": 2000, **fields.get("inferenceConfig", {})}
    return {**given, "inferenceConfig": inference}


CHATS: Mapping[str, dict[str, Any]] = {
    "text": chat("Hello"),
    "unicode": chat("Größe, 日本語, 🙂"),
    "claude": chat("Hello", model=CLAUDE),
    "arn": chat("Hello", model=f"arn:aws:bedrock:{REGION}::foundation-model/{NOVA}"),
    "settings": chat("Hello", inferenceConfig={"temperature": 0.1, "topP": 0.5}),
    "system": chat("Hello", system=[{"text": "Be brief."}]),
    "stop_sequence": chat("Hello", inferenceConfig={"stopSequences": ["."]}),
    "told_stop_sequence": chat(
        "Hello",
        model=CLAUDE,
        inferenceConfig={"stopSequences": ["."]},
        additionalModelResponseFieldPaths=["/stop_sequence"],
    ),
    "max_tokens": chat("Hello [stub:tokens=90]", inferenceConfig={"maxTokens": 20}),
    "tool": chat("Where? [stub:tool=get_weather]", toolConfig=TOOLS),
    "tools": chat("Where? [stub:tool=get_weather,now]", toolConfig=TOOLS),
    "any_tool": chat("Where?", toolConfig={**TOOLS, "toolChoice": {"any": {}}}),
    "named_tool": chat("Where?", toolConfig={**TOOLS, "toolChoice": {"tool": {"name": "now"}}}),
    "tool_result": {
        "modelId": NOVA,
        "inferenceConfig": {"maxTokens": 2000},
        "toolConfig": TOOLS,
        "messages": [
            user("Where?"),
            {
                "role": "assistant",
                "content": [
                    {"toolUse": {"toolUseId": "t1", "name": "now", "input": {"bytes": "x!"}}}
                ],
            },
            user(
                {
                    "toolResult": {
                        "toolUseId": "t1",
                        "content": [{"json": {"bytes": "x!"}}, {"text": "noon"}],
                        "status": "success",
                    }
                }
            ),
        ],
    },
    "image": chat("See", IMAGE),
    "documents": chat(
        "Read", PDF, {"document": {**PDF["document"], "name": "report 2", "format": "txt"}}
    ),
    "cache": chat(
        "Why? [stub:cache_read=4] [stub:cache_write_1h=3] [stub:cache_write_5m=2]",
        model=CLAUDE,
        system=[{"text": "Rules. " * 20}, POINT],
    ),
    "thoughts": chat("Why? [stub:think=9]"),
    "signed_thoughts": chat(
        "Why?",
        model=CLAUDE,
        additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": 1024}},
    ),
    "hidden_thoughts": chat("Why? [stub:redacted]", model=CLAUDE),
    "thoughts_of_before": {
        "modelId": CLAUDE,
        "inferenceConfig": {"maxTokens": 2000},
        "messages": [
            user("Why?"),
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
                    {"reasoningContent": {"redactedContent": b"\x00\xff"}},
                    {"text": "So."},
                ],
            },
            user("And then?"),
        ],
    },
    "schema": chat(
        "Where?",
        outputConfig={
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"name": "trip", "schema": json.dumps(SCHEMA)}},
            }
        },
    ),
    "tier": chat("Hello", model="amazon.nova-pro-v1:0", serviceTier={"type": "flex"}),
    "marked": chat("Hello", requestMetadata={"bytes": "not base64"}),
}

_MESSAGES = [{"role": "user", "content": "Hello"}]
_PROMPT = {"prompt": "Hello"}
# One model of every family of native bodies.
NATIVE: Mapping[str, tuple[str, dict[str, Any]]] = {
    "jamba": ("ai21.jamba-1-5-mini-v1:0", {"messages": _MESSAGES, "max_tokens": 99}),
    "jurassic": ("ai21.j2-mid-v1", {**_PROMPT, "maxTokens": 99}),
    "nova": (
        NOVA,
        {
            "schemaVersion": "messages-v1",
            "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
            "inferenceConfig": {"maxTokens": 99},
        },
    ),
    "titan": (
        "amazon.titan-text-express-v1",
        {"inputText": "Hello", "textGenerationConfig": {"maxTokenCount": 99}},
    ),
    "claude": (
        CLAUDE,
        {"anthropic_version": "bedrock-2023-05-31", "messages": _MESSAGES, "max_tokens": 99},
    ),
    "claude_completion": (
        "anthropic.claude-v2:1",
        {"prompt": "\n\nHuman: Hello\n\nAssistant:", "max_tokens_to_sample": 99},
    ),
    "command": ("cohere.command-text-v14", {**_PROMPT, "max_tokens": 99}),
    "deepseek": ("deepseek.v3-v1:0", {"messages": _MESSAGES, "max_tokens": 99}),
    "deepseek_prompt": ("us.deepseek.r1-v1:0", {**_PROMPT, "max_tokens": 99}),
    "gemma": ("google.gemma-3-4b-it", {"messages": _MESSAGES, "max_tokens": 99}),
    "llama": ("meta.llama3-8b-instruct-v1:0", {**_PROMPT, "max_gen_len": 99}),
    "mistral": ("mistral.mistral-7b-instruct-v0:2", {**_PROMPT, "max_tokens": 99}),
    "mistral_chat": (
        "mistral.mistral-large-3-675b-instruct",
        {"messages": _MESSAGES, "max_tokens": 99},
    ),
    "gpt": ("openai.gpt-oss-20b-1:0", {"messages": _MESSAGES, "max_completion_tokens": 99}),
    "qwen": ("qwen.qwen3-32b-v1:0", {"messages": _MESSAGES, "max_tokens": 99}),
    "titan_embedding": (TITAN_EMBED, {"inputText": "Hello", "dimensions": 256}),
    "cohere_embedding": (COHERE_EMBED, {"texts": ["a", "b"], "input_type": "search_query"}),
    "image": (
        "amazon.nova-canvas-v1:0",
        {
            "taskType": "TEXT_IMAGE",
            "textToImageParams": {"text": "A boat"},
            "imageGenerationConfig": {"numberOfImages": 1, "quality": "premium"},
        },
    ),
}
_NOT_STREAMED = ("jurassic", "titan_embedding", "cohere_embedding", "image")

ERRORS = (
    "AccessDeniedException",
    "InternalServerException",
    "ModelErrorException",
    "ModelNotReadyException",
    "ModelTimeoutException",
    "ResourceNotFoundException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "ValidationException",
)
STREAM_ERRORS = (
    "InternalServerException",
    "ModelStreamErrorException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "ValidationException",
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    environment = write_environment(tmp_path_factory.mktemp("environment"))
    with LocalStack(environment, delta_seconds=0.0, tls=True) as running:
        yield running


@pytest.fixture(scope="module")
def clients(stack: LocalStack) -> Pair:
    """One client straight to the stub, one through the gateway."""
    direct: BedrockRuntimeClient = boto3.client(
        "bedrock-runtime",
        endpoint_url=stack.stub.url,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return direct, bedrock_client(stack)


def without_times(value: Any) -> Any:
    """What an answer says, without how long it took and the ids of the two requests."""
    times = ("ResponseMetadata", "latencyMs", "invocationLatency", "firstByteLatency")
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in times}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value


def outcome(call: Callable[[], Any]) -> Any:
    """What a call answers, or how it fails: the SDK's class, the code, the status."""
    try:
        return without_times(call())
    except ClientError as error:
        metadata = error.response.get("ResponseMetadata", {})
        code = error.response["Error"]["Code"]
        return type(error).__name__, code, metadata.get("HTTPStatusCode")


def streamed(events: Any) -> list[Any]:
    """All events of a stream, and how it fails where it does."""
    seen: list[Any] = []
    try:
        for event in events:
            seen.append(without_times(event))
    except EventStreamError as error:
        seen.append(error.response["Error"]["Code"])
    return seen


def native_document(answer: Mapping[str, Any]) -> Any:
    kept = ("x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count")
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return [
        without_times(json.loads(answer["body"].read())),
        {name: value for name, value in answer.items() if name not in ("body", "ResponseMetadata")},
        {name: headers.get(name) for name in kept},
    ]


def native_chunks(answer: Mapping[str, Any]) -> Any:
    """The chunks as the SDK yields them, and what the provider's JSON in them says."""
    events = list(answer["body"])
    told = {name: answer[name] for name in answer.keys() - {"body", "ResponseMetadata"}}
    return [told, [[*event] for event in events]] + [
        without_times(json.loads(event["chunk"]["bytes"])) for event in events
    ]


def sent(name: str) -> dict[str, Any]:
    """A chat as the gateway sends it: marked ones begin with a text of their tenant's own."""
    if name != "cache":
        return CHATS[name]
    return {**CHATS[name], "system": [{"text": "[0123456789abcdef]"}, *CHATS[name]["system"]]}


@pytest.mark.parametrize("name", CHATS)
def test_converse(clients: Pair, name: str) -> None:
    given = (sent(name), CHATS[name])
    direct, through = (
        outcome(lambda c=client, g=chat: c.converse(**g))
        for client, chat in zip(clients, given, strict=True)
    )

    assert through == direct
    assert direct["output"]


@pytest.mark.parametrize("name", CHATS)
def test_converse_stream(clients: Pair, name: str) -> None:
    given = (sent(name), CHATS[name])
    direct, through = (
        streamed(client.converse_stream(**chat)["stream"])
        for client, chat in zip(clients, given, strict=True)
    )

    assert through == direct
    assert "metadata" in direct[-1]


@pytest.mark.parametrize("name", NATIVE)
def test_invoke_model(clients: Pair, name: str) -> None:
    model, body = NATIVE[name]
    direct, through = (
        native_document(client.invoke_model(modelId=model, body=json.dumps(body)))
        for client in clients
    )

    assert through == direct


@pytest.mark.parametrize("name", [name for name in NATIVE if name not in _NOT_STREAMED])
def test_invoke_model_with_response_stream(clients: Pair, name: str) -> None:
    model, body = NATIVE[name]
    direct, through = (
        native_chunks(
            client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))
        )
        for client in clients
    )

    assert through == direct
    assert len(direct) > 3


@pytest.mark.parametrize("name", ["text", "system", "tool", "unicode", "tool_result"])
def test_count_tokens_of_a_chat(clients: Pair, name: str) -> None:
    given = CHATS[name]
    converse: Any = {
        key: given[key] for key in ("messages", "system", "toolConfig") if key in given
    }
    direct, through = counted(clients, {"converse": converse})

    assert through == direct
    assert direct["inputTokens"] > 0


def test_count_tokens_of_a_native_body(clients: Pair) -> None:
    _, body = NATIVE["claude"]
    direct, through = counted(clients, {"invokeModel": {"body": json.dumps(body).encode()}})

    assert through == direct
    assert direct["inputTokens"] > 0


def counted(clients: Pair, given: Any) -> list[dict[str, Any]]:
    """What each of a pair says; it is the gateway that finds the model behind a profile."""
    ids = (CLAUDE.removeprefix("us."), CLAUDE)
    return [
        outcome(lambda c=client, m=model: c.count_tokens(modelId=m, input=given))
        for client, model in zip(clients, ids, strict=True)
    ]
