"""boto3 reads every response of the Bedrock stub, and the stub's log says what was billed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3.exceptions
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EventStreamError,
    HTTPClientError,
    ResponseStreamingError,
)

from scripts.local.ministack import REGION, ROOT
from scripts.local.stubs import language
from scripts.local.stubs.bedrock.catalogue import Catalogue, Model
from scripts.local.stubs.bedrock.server import BedrockStub
from tests.waiting import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

NOVA = "amazon.nova-lite-v1:0"
CLAUDE = "anthropic.claude-haiku-4-5"
PROFILE = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/a1b2c3"
CHAT = frozenset({"default", "flex"})
MODELS = {
    model.model_id: model
    for model in (
        Model(NOVA, "chat", 2_000, 500, None, {"in_region": CHAT, "geo/us": CHAT, "global": CHAT}),
        Model(CLAUDE, "chat", None, None, "2027-01-31", {"geo/us": CHAT}),
        Model("amazon.embed", "embedding", 100, None, None, {"in_region": CHAT}),
    )
}


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[BedrockStub]:
    with BedrockStub(
        log=tmp_path / "calls.jsonl",
        catalogue=Catalogue(MODELS, application_profiles={PROFILE: f"us.{NOVA}"}),
        delta_seconds=0.0,
    ) as server:
        yield server


def client(stub: BedrockStub, **config: float) -> BedrockRuntimeClient:
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=stub.url,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=64, **config),
    )


@pytest.fixture
def runtime(stub: BedrockStub) -> BedrockRuntimeClient:
    return client(stub)


@pytest.fixture
def control(stub: BedrockStub) -> BedrockClient:
    return boto3.client(
        "bedrock",
        endpoint_url=stub.url,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": [{"text": text}]}]


def read_stream(response: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [next(iter(event.items())) for event in response["stream"]]


def text_of(events: list[tuple[str, Any]]) -> str:
    return "".join(
        body["delta"].get("text", "") for kind, body in events if kind == "contentBlockDelta"
    )


def test_converse(stub: BedrockStub, runtime: BedrockRuntimeClient) -> None:
    answer = runtime.converse(
        modelId=NOVA,
        messages=user("What is 2+2?"),
        system=[{"text": "Be short."}],
        inferenceConfig={"maxTokens": 200, "temperature": 0.5},
        requestMetadata={"tenant": "acme", "app": "websearch", "request_id": "r-1"},
    )
    text = answer["output"]["message"]["content"][0]["text"]
    usage = answer["usage"]
    assert answer["stopReason"] == "end_turn"
    # what is 2 + 2 ? (6), Be short . (3), and 3 for the message
    assert usage["inputTokens"] == 12
    assert usage["outputTokens"] == language.count_tokens(text)
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert answer["metrics"]["latencyMs"] >= 0
    assert "serviceTier" not in answer
    [call] = stub.calls()
    assert call["sequence"] == 1
    assert call["operation"] == "converse"
    assert call["modelId"] == NOVA
    assert call["requestMetadata"] == {"tenant": "acme", "app": "websearch", "request_id": "r-1"}
    assert (call["status"], call["http_status"], call["error"]) == ("ok", 200, None)
    assert call["usage"] == usage
    assert (call["service_tier"], call["stop_reason"]) == ("default", "end_turn")


def test_the_same_question_has_the_same_answer(runtime: BedrockRuntimeClient) -> None:
    one, two, other = (
        runtime.converse(modelId=NOVA, messages=user(question))
        for question in ("Why?", "Why?", "Why not?")
    )
    assert one["output"] == two["output"]
    assert one["output"] != other["output"]


def test_stream_event_by_event(stub: BedrockStub, runtime: BedrockRuntimeClient) -> None:
    events = read_stream(
        runtime.converse_stream(modelId=f"us.{NOVA}", messages=user("Hello [stub:tokens=10]"))
    )
    kinds = [kind for kind, _ in events]
    assert kinds == [
        "messageStart",
        *["contentBlockDelta"] * 3,
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    bodies = dict(events)
    assert bodies["messageStart"]["role"] == "assistant"
    assert bodies["contentBlockStop"]["contentBlockIndex"] == 0
    assert bodies["messageStop"]["stopReason"] == "end_turn"
    assert bodies["metadata"]["usage"]["outputTokens"] == 10
    assert bodies["metadata"]["metrics"]["latencyMs"] >= 0
    assert language.count_tokens(text_of(events)) == 10
    [call] = stub.calls()
    assert call["operation"] == "converse-stream"
    assert call["usage"] == bodies["metadata"]["usage"]


def test_stream_and_buffered_say_the_same(runtime: BedrockRuntimeClient) -> None:
    buffered = runtime.converse(modelId=NOVA, messages=user("Tell me"))
    streamed = read_stream(runtime.converse_stream(modelId=NOVA, messages=user("Tell me")))
    assert text_of(streamed) == buffered["output"]["message"]["content"][0]["text"]


def test_stream_arrives_bit_by_bit(stub: BedrockStub, runtime: BedrockRuntimeClient) -> None:
    with stub.gate("middle") as gate:
        response = runtime.converse_stream(
            modelId=NOVA, messages=user("[stub:tokens=20] [stub:gate=middle@mid-stream]")
        )
        events = iter(response["stream"])
        until(lambda: "contentBlockDelta" in next(events), "a piece while the rest is not made")
        assert gate.waiting == 1
    assert len([event for event in events if "contentBlockDelta" in event]) == 4


def test_a_gate_holds_calls_until_it_is_opened(
    stub: BedrockStub, runtime: BedrockRuntimeClient
) -> None:
    with stub.gate("door") as gate, ThreadPoolExecutor(2) as pool:
        answers = [
            pool.submit(runtime.converse, modelId=NOVA, messages=user("[stub:gate=door]"))
            for _ in range(2)
        ]
        until(lambda: gate.waiting == 2, "both calls at the gate")
        assert not any(answer.done() for answer in answers)
        gate.open()
        assert [answer.result()["stopReason"] for answer in answers] == ["end_turn"] * 2


def test_a_gate_that_nobody_made_is_refused(runtime: BedrockRuntimeClient) -> None:
    with pytest.raises(runtime.exceptions.ValidationException, match="gate=nowhere. is no gate"):
        runtime.converse(modelId=NOVA, messages=user("[stub:gate=nowhere]"))


@pytest.mark.parametrize("streamed", [False, True])
def test_max_tokens_is_a_hard_limit(runtime: BedrockRuntimeClient, streamed: bool) -> None:
    request: dict[str, Any] = {
        "modelId": NOVA,
        "messages": user("[stub:tokens=100]"),
        "inferenceConfig": {"maxTokens": 7},
    }
    if streamed:
        events = dict(read_stream(runtime.converse_stream(**request)))
        reason, usage = events["messageStop"]["stopReason"], events["metadata"]["usage"]
    else:
        answer = runtime.converse(**request)
        reason, usage = answer["stopReason"], dict(answer["usage"])
    assert (reason, usage["outputTokens"]) == ("max_tokens", 7)


def test_the_models_own_limit_holds_without_max_tokens(runtime: BedrockRuntimeClient) -> None:
    answer = runtime.converse(modelId=NOVA, messages=user("[stub:tokens=900]"))
    assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("max_tokens", 500)


def test_stop_sequence(runtime: BedrockRuntimeClient) -> None:
    answer = runtime.converse(
        modelId=NOVA, messages=user("Go on"), inferenceConfig={"stopSequences": [","]}
    )
    assert answer["stopReason"] == "stop_sequence"
    assert answer["output"]["message"]["content"][0]["text"].endswith(",")


def test_cache_and_tier(stub: BedrockStub, runtime: BedrockRuntimeClient) -> None:
    text = "one two three four five six seven eight nine ten " * 2
    directed = (
        "[stub:cache_read=5] [stub:cache_write_5m=2] [stub:cache_write_1h=1] [stub:tier=flex]"
    )
    plain = runtime.converse(modelId=NOVA, messages=user(text + directed.replace("stub", "note")))
    answer = runtime.converse(modelId=NOVA, messages=user(text + directed))
    usage = answer["usage"]
    assert usage["inputTokens"] == plain["usage"]["inputTokens"] - 8
    assert (usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]) == (5, 3)
    assert usage["cacheDetails"] == [
        {"ttl": "5m", "inputTokens": 2},
        {"ttl": "1h", "inputTokens": 1},
    ]
    assert usage["totalTokens"] == usage["inputTokens"] + 8 + usage["outputTokens"]
    assert answer["serviceTier"] == {"type": "flex"}
    assert stub.calls()[1]["service_tier"] == "flex"
    asked = runtime.converse(modelId=NOVA, messages=user("Hi"), serviceTier={"type": "flex"})
    assert asked["serviceTier"] == {"type": "flex"}


TOOLS: Any = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "inputSchema": {
                    "json": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                        "required": ["city", "days"],
                    }
                },
            }
        }
    ]
}


def test_tool_use(runtime: BedrockRuntimeClient) -> None:
    question = user("Weather? [stub:tool=get_weather]")
    answer = runtime.converse(modelId=NOVA, messages=question, toolConfig=TOOLS)
    assert answer["stopReason"] == "tool_use"
    said, called = answer["output"]["message"]["content"]
    assert said["text"]
    assert called["toolUse"]["input"] == {"city": "example", "days": 1}
    events = read_stream(runtime.converse_stream(modelId=NOVA, messages=question, toolConfig=TOOLS))
    [start] = [body for kind, body in events if kind == "contentBlockStart"]
    assert start["start"]["toolUse"]["name"] == "get_weather"
    arguments = "".join(
        body["delta"]["toolUse"]["input"]
        for kind, body in events
        if kind == "contentBlockDelta" and "toolUse" in body["delta"]
    )
    assert json.loads(arguments) == called["toolUse"]["input"]
    assert dict(events)["metadata"]["usage"]["outputTokens"] == answer["usage"]["outputTokens"]
    result: Any = [
        *question,
        {"role": "assistant", "content": answer["output"]["message"]["content"]},
        {
            "role": "user",
            "content": [
                {
                    "toolResult": {
                        "toolUseId": called["toolUse"]["toolUseId"],
                        "content": [{"text": "Rain"}],
                    }
                }
            ],
        },
    ]
    after = runtime.converse(modelId=NOVA, messages=result, toolConfig=TOOLS)
    assert after["stopReason"] == "end_turn"


def test_input_tokens_never_exceed_bytes(runtime: BedrockRuntimeClient) -> None:
    for text in ("a", "¿Qué?", "日本語", "!?!?!?!?", "x " * 50):
        messages = user(text)
        answer = runtime.converse(modelId=NOVA, messages=messages)
        assert answer["usage"]["inputTokens"] <= len(
            json.dumps(messages, ensure_ascii=False).encode()
        )


def test_count_tokens_matches_the_bill(stub: BedrockStub, runtime: BedrockRuntimeClient) -> None:
    body: Any = {"messages": user("How many?"), "system": [{"text": "Count."}]}
    counted = runtime.count_tokens(modelId=CLAUDE, input={"converse": body})
    answer = runtime.converse(modelId=f"us.{CLAUDE}", **body)
    assert counted["inputTokens"] == answer["usage"]["inputTokens"]
    assert stub.calls()[0]["usage"]["totalTokens"] == 0
    empty: Any = {"converse": {"messages": [{"role": "user", "content": []}]}}
    with pytest.raises(runtime.exceptions.ValidationException, match="messages.0 is empty"):
        runtime.count_tokens(modelId=CLAUDE, input=empty)


@pytest.mark.parametrize("model_id", [NOVA, f"us.{NOVA}", f"us.{CLAUDE}", PROFILE])
def test_other_ids_do_not_count(runtime: BedrockRuntimeClient, model_id: str) -> None:
    with pytest.raises(runtime.exceptions.ValidationException):
        runtime.count_tokens(modelId=model_id, input={"converse": {"messages": user("Hi")}})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "is not JSON"),
        (b"[]", "a JSON object is expected"),
        (b"{}", "Field required"),
        (
            b'{"anthropic_version": "bedrock-2023-05-31", "messages": [7], "max_tokens": 9}',
            "Malformed input request",
        ),
        (b'{"a": ' * 50_000, "nested too deep"),
    ],
)
def test_a_malformed_native_body_is_not_counted(
    runtime: BedrockRuntimeClient, body: bytes, message: str
) -> None:
    with pytest.raises(runtime.exceptions.ValidationException, match=message):
        runtime.count_tokens(modelId=CLAUDE, input={"invokeModel": {"body": body}})


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 429),
        ("ModelNotReadyException", 429),
        ("ServiceUnavailableException", 503),
        ("InternalServerException", 500),
        ("ModelTimeoutException", 408),
        ("ModelErrorException", 424),
        ("ValidationException", 400),
        ("AccessDeniedException", 403),
        ("ResourceNotFoundException", 404),
    ],
)
@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_errors_become_the_clients_exceptions(
    stub: BedrockStub, runtime: BedrockRuntimeClient, code: str, status: int, operation: str
) -> None:
    with pytest.raises(getattr(runtime.exceptions, code)) as raised:
        getattr(runtime, operation)(modelId=NOVA, messages=user(f"[stub:error={code}]"))
    error: ClientError = raised.value
    assert error.response["Error"]["Code"] == code
    assert error.response["Error"]["Message"].startswith(code)
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status
    [call] = stub.calls()
    assert (call["status"], call["http_status"], call["error"]) == ("error", status, code)
    assert call["usage"]["totalTokens"] == 0


@pytest.mark.parametrize(
    "code",
    [
        "InternalServerException",
        "ModelStreamErrorException",
        "ValidationException",
        "ThrottlingException",
        "ServiceUnavailableException",
    ],
)
def test_error_in_the_stream(stub: BedrockStub, runtime: BedrockRuntimeClient, code: str) -> None:
    response = runtime.converse_stream(
        modelId=NOVA, messages=user(f"[stub:error={code}@mid-stream]")
    )
    seen = []
    with pytest.raises(EventStreamError) as raised:
        for event in response["stream"]:
            seen.extend(event)
    assert raised.value.response["Error"]["Code"] == code[0].lower() + code[1:]
    assert "contentBlockDelta" in seen
    assert "metadata" not in seen
    [call] = stub.calls()
    assert (call["status"], call["error"], call["usage"]["totalTokens"]) == ("error", code, 0)


@pytest.mark.parametrize(("place", "share"), [("mid-stream", 0.5), ("before-metadata", 1.0)])
def test_cut_stream_bills_what_was_generated(
    stub: BedrockStub, runtime: BedrockRuntimeClient, place: str, share: float
) -> None:
    response = runtime.converse_stream(
        modelId=NOVA, messages=user(f"[stub:tokens=40] [stub:cut={place}]")
    )
    events: list[tuple[str, Any]] = []
    with pytest.raises((ResponseStreamingError, urllib3.exceptions.ProtocolError)):
        for event in response["stream"]:
            events.append(next(iter(event.items())))
    assert "metadata" not in dict(events)
    [call] = stub.calls()
    assert call["status"] == "cut"
    received = language.count_tokens(text_of(events))
    assert call["usage"]["outputTokens"] == received
    assert abs(received - 40 * share) <= 4
    assert call["usage"]["inputTokens"] > 0


def test_cut_answer_is_billed(stub: BedrockStub, runtime: BedrockRuntimeClient) -> None:
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        runtime.converse(modelId=NOVA, messages=user("[stub:cut=mid-stream] [stub:tokens=9]"))
    [call] = stub.calls()
    assert (call["status"], call["usage"]["outputTokens"]) == ("cut", 9)


def test_client_that_goes_away_is_billed_for_what_was_generated(
    stub: BedrockStub, runtime: BedrockRuntimeClient
) -> None:
    response = runtime.converse_stream(
        modelId=NOVA, messages=user("[stub:tokens=200] [stub:delta_ms=20]")
    )
    for event in response["stream"]:
        if "contentBlockDelta" in event:
            break
    response["stream"].close()
    [call] = until(stub.calls, "the call in the log")
    assert call["status"] == "cut"
    assert 4 <= call["usage"]["outputTokens"] < 200


def test_delay_lets_a_client_time_out(stub: BedrockStub) -> None:
    impatient = client(stub, read_timeout=0.3)
    with pytest.raises(HTTPClientError):
        impatient.converse(modelId=NOVA, messages=user("[stub:delay_ms=5000]"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": [{"text": "Hi"}]}]}, "start with a user"),
        ({"messages": user("a") + user("b")}, "alternate"),
        ({"messages": [{"role": "user", "content": []}]}, "messages.0 is empty"),
        ({"messages": user(" ")}, "is blank"),
        ({"inferenceConfig": {"maxTokens": 501}}, "exceeds the model limit of 500"),
        (
            {"inferenceConfig": {"temperature": 1.5}},
            "temperature' failed to satisfy constraint: .* less than or equal to 1",
        ),
        ({"modelId": "amazon.unknown"}, "model identifier is invalid"),
        ({"modelId": CLAUDE}, "on-demand throughput isn't supported"),
        ({"modelId": "amazon.embed"}, "does not support this operation"),
        ({"messages": user("word " * 2_001)}, "too long"),
        ({"requestMetadata": {"tenant": "a*b"}}, "regular expression pattern"),
        ({"serviceTier": {"type": "priority"}}, "does not offer the service tier priority"),
    ],
)
def test_bad_requests_are_refused(
    stub: BedrockStub, changed: dict[str, object], message: str
) -> None:
    lenient = client(stub, parameter_validation=False)
    request = {"modelId": NOVA, "messages": user("Hi"), **changed}
    for operation in (lenient.converse, lenient.converse_stream):
        with pytest.raises(lenient.exceptions.ValidationException, match=message):
            operation(**request)
    assert [call["status"] for call in stub.calls()] == ["error", "error"]


def test_too_much_metadata(stub: BedrockStub) -> None:
    lenient = client(stub, parameter_validation=False)
    pairs = {f"key{number}": "x" for number in range(17)}
    in_header = json.dumps(pairs)
    for call in (
        lambda: lenient.converse(modelId=NOVA, messages=user("Hi"), requestMetadata=pairs),
        lambda: lenient.invoke_model(modelId=NOVA, body=b"{}", requestMetadata=in_header),
    ):
        with pytest.raises(lenient.exceptions.ValidationException, match="or equal to 16"):
            call()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"serviceTier": "fast"}, "enum value set"),
        ({"trace": "yes"}, "enum value set"),
        ({"guardrailIdentifier": "G 1", "guardrailVersion": "1"}, "regular expression"),
        ({"guardrailIdentifier": "g1", "guardrailVersion": "one"}, "regular expression"),
        ({"performanceConfigLatency": "none"}, "enum value set"),
        ({"modelId": "no model"}, "regular expression"),
        ({"modelId": "m" * 2049}, "length less than or equal to 2048"),
    ],
)
def test_headers_and_paths_are_checked(
    stub: BedrockStub, settings: dict[str, Any], message: str
) -> None:
    lenient = client(stub, parameter_validation=False)
    for operation in (lenient.invoke_model, lenient.invoke_model_with_response_stream):
        with pytest.raises(lenient.exceptions.ValidationException, match=message):
            operation(**{"modelId": NOVA, "body": b"{}", **settings})


def test_arns(stub: BedrockStub, runtime: BedrockRuntimeClient) -> None:
    for arn in (
        f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}",
        f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.{NOVA}",
        PROFILE,
    ):
        assert runtime.converse(modelId=arn, messages=user("Hi"))["stopReason"] == "end_turn"
        assert stub.calls()[-1]["modelId"] == arn
    for arn in (
        "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.nothing",
        f"{PROFILE}d4",
    ):
        with pytest.raises(runtime.exceptions.ResourceNotFoundException):
            runtime.converse(modelId=arn, messages=user("Hi"))


def post(stub: BedrockStub, path: str, document: object, method: str = "POST") -> object:
    request = urllib.request.Request(  # noqa: S310
        stub.url + path, data=json.dumps(document).encode(), method=method
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:  # noqa: S310
        return json.load(response)


def test_faults_by_the_control_endpoint(stub: BedrockStub, runtime: BedrockRuntimeClient) -> None:
    fault = {"match": {"tenant": "acme"}, "times": 2, "error": "ThrottlingException"}
    post(stub, "/_stub/faults", fault)
    hello: Any = {"modelId": NOVA, "messages": user("Hi")}
    acme: Any = {**hello, "requestMetadata": {"tenant": "acme"}}
    runtime.converse(**hello)
    for _ in range(2):
        with pytest.raises(runtime.exceptions.ThrottlingException):
            runtime.converse(**acme)
    runtime.converse(**acme)
    post(stub, "/_stub/faults", fault)
    post(stub, "/_stub/faults", {}, "DELETE")
    runtime.converse(**acme)
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(stub, "/_stub/faults", {"colour": "red"})
    assert "unknown direction 'colour'" in refused.value.read().decode()


def test_log_file_and_list(
    stub: BedrockStub, runtime: BedrockRuntimeClient, tmp_path: Path
) -> None:
    runtime.converse(modelId=NOVA, messages=user("Hi"))
    with urllib.request.urlopen(f"{stub.url}/_stub/calls", timeout=PATIENCE_SECONDS) as response:  # noqa: S310
        listed = json.load(response)["calls"]
    post(stub, "/_stub/calls", {}, "DELETE")
    runtime.converse(modelId=NOVA, messages=user("Hi"))
    assert [call["sequence"] for call in stub.calls()] == [2]
    lines = (tmp_path / "calls.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2]
    assert json.loads(lines[0]) == listed[0]


def test_control_plane(control: BedrockClient) -> None:
    models = {m["modelId"]: m for m in control.list_foundation_models()["modelSummaries"]}
    assert set(models) == set(MODELS)
    nova = models[NOVA]
    assert nova["modelArn"] == f"arn:aws:bedrock:{REGION}::foundation-model/{NOVA}"
    assert (nova["modelName"], nova["providerName"]) == ("Nova Lite V1", "Amazon")
    assert nova["inferenceTypesSupported"] == ["INFERENCE_PROFILE", "ON_DEMAND"]
    assert models[CLAUDE]["modelLifecycle"]["endOfLifeTime"].year == 2027
    embedding = control.list_foundation_models(byOutputModality="EMBEDDING")["modelSummaries"]
    assert [model["modelId"] for model in embedding] == ["amazon.embed"]
    pages = list(
        control.get_paginator("list_inference_profiles").paginate(
            typeEquals="SYSTEM_DEFINED", PaginationConfig={"PageSize": 2}
        )
    )
    profiles = [profile for page in pages for profile in page["inferenceProfileSummaries"]]
    assert [profile["inferenceProfileId"] for profile in profiles] == [
        f"global.{NOVA}",
        "us.amazon.nova-lite-v1:0",
        f"us.{CLAUDE}",
    ]
    assert len(pages) == 2
    assert profiles[1]["status"] == "ACTIVE"
    assert profiles[1]["models"][0]["modelArn"].endswith(NOVA)
    assert not control.list_inference_profiles(typeEquals="APPLICATION")[
        "inferenceProfileSummaries"
    ]


def test_listings_check_what_they_are_asked(control: BedrockClient) -> None:
    with pytest.raises(control.exceptions.ValidationException, match="enum value set"):
        control.list_foundation_models(byOutputModality="SMELL")
    with pytest.raises(control.exceptions.ValidationException, match="less than or equal to 1000"):
        control.list_inference_profiles(maxResults=1001)
    with pytest.raises(control.exceptions.ValidationException, match="nextToken is invalid"):
        control.list_inference_profiles(nextToken="elsewhere")


def test_catalogue_of_the_price_book() -> None:
    catalogue = Catalogue.from_price_book()
    assert catalogue.find("amazon.nova-lite-v1:0")
    assert catalogue.find("us.amazon.nova-lite-v1:0")
    assert len(catalogue.foundation_models({})) > 100


def test_fifty_at_once(stub: BedrockStub, runtime: BedrockRuntimeClient) -> None:
    def ask(number: int) -> int:
        response = runtime.converse_stream(
            modelId=NOVA,
            messages=user(f"Question {number} [stub:tokens=40] [stub:gate=all]"),
            requestMetadata={"request_id": str(number)},
        )
        return dict(read_stream(response))["metadata"]["usage"]["outputTokens"]

    with stub.gate("all") as gate, ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(ask, number) for number in range(50)]
        until(lambda: gate.waiting == 50, "fifty calls under way")
        gate.open()
        assert [answer.result() for answer in answers] == [40] * 50
    assert {call["requestMetadata"]["request_id"] for call in stub.calls()} == {
        str(number) for number in range(50)
    }


def test_as_a_program(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    program = subprocess.Popen(
        [sys.executable, "-m", "scripts.local.stubs.bedrock", "--port", "0", "--log", str(log)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    with program.stdout as output:
        url = output.readline().strip()
        models = f"{url}/foundation-models"
        with urllib.request.urlopen(models, timeout=PATIENCE_SECONDS) as response:  # noqa: S310
            assert json.load(response)["modelSummaries"]
    os.kill(program.pid, signal.SIGTERM)
    assert program.wait(PATIENCE_SECONDS) == 0
    assert log.exists()
