"""boto3, unmodified, pointed at the gateway with AWS_BEARER_TOKEN_BEDROCK; books must balance.

What its answers look like is compared with the model service's own in `test_wire_goldens`.
"""

from __future__ import annotations

import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError, EventStreamError

from scripts.local.stack import LocalStack
from tests.integration.local.clients import (
    CLAUDE,
    NOVA,
    TITAN_EMBED,
    Books,
    bedrock_client,
    key_of,
    picture,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

pytestmark = pytest.mark.stack

TOOLS: Any = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "inputSchema": {
                    "json": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                    }
                },
            }
        }
    ]
}


@pytest.fixture(scope="module")
def stack(environment: Path) -> Iterator[LocalStack]:
    with LocalStack(environment, delta_seconds=0.002, tls=True) as running:
        yield running


@pytest.fixture(scope="module")
def shared(stack: LocalStack) -> BedrockRuntimeClient:
    """A client makes its own TLS context, which takes longer than a call."""
    return bedrock_client(stack)


@pytest.fixture
def client(shared: BedrockRuntimeClient, books: Books) -> BedrockRuntimeClient:
    return shared


def user(*blocks: Any) -> list[Any]:
    return [{"role": "user", "content": [{"text": b} if isinstance(b, str) else b for b in blocks]}]


def events_of(response: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [next(iter(event.items())) for event in response["stream"]]


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
def test_a_chat(client: BedrockRuntimeClient, books: Books, model: str) -> None:
    answer = client.converse(
        modelId=model,
        messages=user("Hello [stub:tokens=12]"),
        system=[{"text": "Be brief."}],
        inferenceConfig={"maxTokens": 50, "temperature": 0.2},
        requestMetadata={"ticket": "T-1"},
    )

    (call,) = books.billed
    assert answer["output"]["message"]["content"][0]["text"]
    assert answer["usage"] == call["usage"]
    assert answer["usage"]["outputTokens"] == 12
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert float(headers["x-tollgate-cost-usd"]) == books.cost_usd
    assert headers["x-request-id"] == call["requestMetadata"]["request_id"]
    assert call["requestMetadata"]["ticket"] == "T-1"


def test_what_the_gateway_tells_of_a_call_stays_its_own(
    client: BedrockRuntimeClient, books: Books
) -> None:
    client.converse(
        modelId=NOVA, messages=user("Hi"), requestMetadata={"tenant": "poor", "request_id": "1"}
    )

    assert books.billed[0]["requestMetadata"]["tenant"] == "acme"
    assert len(books.rows) == 1


def test_a_stream_comes_bit_by_bit(
    stack: LocalStack, client: BedrockRuntimeClient, books: Books
) -> None:
    with stack.stub.gate("middle") as gate:
        stream = iter(
            client.converse_stream(
                modelId=CLAUDE,
                messages=user("Go on [stub:tokens=40] [stub:gate=middle@mid-stream]"),
            )["stream"]
        )
        answer = [next(stream), next(stream)]
        until(lambda: gate.waiting == 1, "the model half way, and no further")
    events = [next(iter(event.items())) for event in chain(answer, stream)]

    assert [kind for kind, _ in events].count("contentBlockDelta") == 10
    assert events[-1][1]["usage"]["outputTokens"] == 40


def test_a_round_of_tools(client: BedrockRuntimeClient, books: Books) -> None:
    messages = user("Where? [stub:tool=get_weather]")
    first = client.converse(modelId=NOVA, messages=messages, toolConfig=TOOLS)
    assert first["stopReason"] == "tool_use"

    said = first["output"]["message"]
    messages += [
        said,
        *user(
            *(
                {
                    "toolResult": {
                        "toolUseId": block["toolUse"]["toolUseId"],
                        "content": [{"json": {"bytes": "no blob"}}],
                    }
                }
                for block in said["content"]
                if "toolUse" in block
            )
        ),
    ]
    second = client.converse(modelId=NOVA, messages=messages, toolConfig=TOOLS)
    assert second["stopReason"] == "end_turn"
    assert len(books.billed) == 2


def test_images_and_documents(client: BedrockRuntimeClient, books: Books) -> None:
    image = {"image": {"format": "png", "source": {"bytes": picture()}}}
    document = {
        "document": {"format": "pdf", "name": "report", "source": {"bytes": b"%PDF-1.7 " * 50}}
    }

    client.converse(modelId=NOVA, messages=user("Compare", image, document))
    assert books.billed[0]["usage"]["inputTokens"] > 600


def test_structured_output(client: BedrockRuntimeClient) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    structure: Any = {"jsonSchema": {"name": "trip", "schema": json.dumps(schema)}}

    answer = client.converse(
        modelId=CLAUDE,
        messages=user("Where to?"),
        outputConfig={"textFormat": {"type": "json_schema", "structure": structure}},
    )
    assert json.loads(answer["output"]["message"]["content"][0]["text"]) == {"city": "example"}


def test_native_calls(client: BedrockRuntimeClient, books: Books) -> None:
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    answer = client.invoke_model(modelId=CLAUDE, body=json.dumps(body))
    said = json.loads(answer["body"].read())
    streamed = client.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(body))
    chunks = [json.loads(event["chunk"]["bytes"]) for event in streamed["body"]]

    assert (answer["contentType"], streamed["contentType"]) == ("application/json",) * 2
    text = "".join(chunk["delta"].get("text", "") for chunk in chunks if "delta" in chunk)
    assert said["content"][0]["text"] == text
    assert [call["operation"] for call in books.billed] == [
        "invoke",
        "invoke-with-response-stream",
    ]


def test_embeddings(client: BedrockRuntimeClient) -> None:
    answer = client.invoke_model(modelId=TITAN_EMBED, body=json.dumps({"inputText": "One"}))

    assert len(json.loads(answer["body"].read())["embedding"]) == 1024
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert int(headers["x-amzn-bedrock-input-token-count"]) == 1


def test_counting_is_free(client: BedrockRuntimeClient, books: Books) -> None:
    given: Any = {"messages": user("How many?"), "system": [{"text": "Count."}]}

    counted = client.count_tokens(modelId=CLAUDE, input={"converse": given})
    assert books.calls == []
    answer = client.converse(modelId=CLAUDE, **given)
    assert answer["usage"]["inputTokens"] == counted["inputTokens"]


def test_a_model_that_cannot_count(client: BedrockRuntimeClient, books: Books) -> None:
    with pytest.raises(ClientError, match="doesn't support counting tokens") as refused:
        client.count_tokens(modelId=NOVA, input={"converse": {"messages": user("How many?")}})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert books.calls == []


def test_a_wrong_key(stack: LocalStack, books: Books) -> None:
    with pytest.raises(ClientError) as refused:
        bedrock_client(stack, key="k" * 40).converse(modelId=NOVA, messages=user("Hi"))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert books.calls == []


def test_no_money_left(stack: LocalStack, books: Books) -> None:
    with pytest.raises(ClientError) as refused:
        bedrock_client(stack, "poor", attempts=3).converse(modelId=CLAUDE, messages=user("Hi"))
    answer = refused.value.response
    assert answer["Error"]["Code"] == "ServiceQuotaExceededException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 402
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0
    assert books.calls == []


def test_the_nearest_models_are_named(client: BedrockRuntimeClient, books: Books) -> None:
    with pytest.raises(client.exceptions.AccessDeniedException, match=f"did you mean {NOVA}"):
        client.converse(modelId="amazon.nova-lite", messages=user("Hi"))
    assert books.calls == []


def test_too_many_requests(stack: LocalStack, books: Books) -> None:
    slow = bedrock_client(stack, "slow")
    served = 0
    with pytest.raises(slow.exceptions.ThrottlingException) as refused:
        for served in count():  # noqa: B007 - a minute may end between two calls
            slow.converse(modelId=NOVA, messages=user("Hi"))
    headers = refused.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert 0 < int(headers["retry-after"]) <= 60
    assert len(books.calls) == served >= 1


def test_every_sdk_sends_a_call_again_that_running_calls_alone_refused(
    stack: LocalStack, books: Books
) -> None:
    refused: set[str] = set()

    def watch(name: str, status: int) -> None:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            refused.add(name)

    def web(sdk: Any) -> Any:  # noqa: ANN401 - each SDK has a web client of its own
        hook = [lambda response: watch(sdk.__name__, response.status_code)]
        verify = ssl.create_default_context(cafile=stack.ca_file)
        return sdk.DefaultHttpxClient(verify=verify, event_hooks={"response": hook})

    shared: Any = {"api_key": key_of(stack, "tight"), "max_retries": 9}
    of_openai = openai.OpenAI(base_url=f"{stack.url}/v1", http_client=web(openai), **shared)
    of_anthropic = anthropic.Anthropic(base_url=stack.url, http_client=web(anthropic), **shared)
    of_bedrock = bedrock_client(stack, "tight", attempts=10)
    of_bedrock.meta.events.register(
        "response-received.bedrock-runtime.Converse",
        lambda response_dict, **_: watch("boto3", response_dict["status_code"]),
    )
    chat: Any = {
        "model": CLAUDE,
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    most = {"maxTokens": 500}
    calls: list[Callable[[], Any]] = [
        lambda: of_openai.chat.completions.create(**chat),
        lambda: of_anthropic.messages.create(**chat),
        lambda: of_bedrock.converse(
            modelId=CLAUDE,
            messages=user("Hi"),
            inferenceConfig=most,  # type: ignore[typeddict-item]
        ),
    ]

    with stack.stub.gate("held") as gate, ThreadPoolExecutor(4) as pool:
        running = pool.submit(
            bedrock_client(stack, "tight").converse,
            modelId=CLAUDE,
            messages=user("[stub:gate=held]"),
            inferenceConfig={"maxTokens": 3500},
        )
        until(lambda: gate.waiting == 1, "the call that holds most of the budget")
        waiting = [pool.submit(call) for call in calls]
        until(lambda: len(refused) == len(calls), "a refusal of each client's first try")
        gate.open()
        for call in [running, *waiting]:
            call.result()

    assert refused == {"openai", "anthropic", "boto3"}
    assert len(books.calls) == 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inferenceConfig": {"maxTokens": 10**6}}, "allowed is at most"),
        (
            {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}},
            "guardrails are set by the tenant's policy",
        ),
        (
            {
                "messages": user(
                    "See",
                    {
                        "image": {
                            "format": "png",
                            "source": {"s3Location": {"uri": "s3://bucket/key"}},
                        }
                    },
                )
            },
            "with its own rights; send the bytes",
        ),
        ({"inferenceConfig": {"temperature": 0.1}, "messages": user(" ")}, "is blank"),
    ],
)
def test_what_cannot_be_done(
    client: BedrockRuntimeClient, fields: dict[str, Any], message: str
) -> None:
    given: Any = {"messages": user("Hi"), **fields}
    with pytest.raises(client.exceptions.ValidationException, match=message):
        client.converse(modelId=NOVA, **given)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_throttled_call_is_retried_and_charged_once(
    stack: LocalStack, books: Books, streamed: bool
) -> None:
    stack.stub.fault(times=1, error="ThrottlingException")
    patient = bedrock_client(stack, attempts=3)

    if streamed:
        assert events_of(patient.converse_stream(modelId=NOVA, messages=user("Again")))
    else:
        answer = patient.converse(modelId=NOVA, messages=user("Again"))
        assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert [call["http_status"] for call in books.calls] == [429, 200]
    assert len(books.billed) == 1


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_lost_answer_is_not_asked_for_twice(stack: LocalStack, books: Books, mode: str) -> None:
    stack.stub.fault(times=1, cut="mid-stream")
    patient = bedrock_client(stack, attempts=4, mode=mode)

    with pytest.raises(patient.exceptions.ModelErrorException):
        patient.converse(modelId=NOVA, messages=user("Once"))
    assert len(books.calls) == 1
    (row,) = books.rows.values()
    assert (row.status, row.total_cost) == ("orphaned", row.held)


def test_a_stream_that_breaks_is_an_error_in_the_stream(
    stack: LocalStack, client: BedrockRuntimeClient, books: Books
) -> None:
    stack.stub.fault(times=1, cut="mid-stream")
    stream = client.converse_stream(modelId=NOVA, messages=user("Go on [stub:tokens=40]"))
    seen = []

    with pytest.raises(EventStreamError, match="broke") as failed:
        seen.extend(iter(stream["stream"]))
    assert failed.value.response["Error"]["Code"] == "modelStreamErrorException"
    assert seen
    assert len(books.calls) == 1


def test_a_client_that_goes_away_pays_once_for_what_was_made(
    client: BedrockRuntimeClient, books: Books
) -> None:
    stream = client.converse_stream(
        modelId=NOVA, messages=user("Go on [stub:tokens=80] [stub:delta_ms=30]")
    )["stream"]
    next(iter(stream))
    stream.close()

    until(lambda: len(books.billed) == 1, "the bill of the call")
    (call,) = books.billed
    assert (call["status"], call["usage"]["outputTokens"]) == ("ok", 80)
