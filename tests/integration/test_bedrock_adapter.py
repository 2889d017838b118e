"""The Bedrock adapter through real boto3 against the stub's wire format."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from scripts.local.stubs.bedrock.server import BedrockStub
from tollgate.adapters.bedrock import BedrockCatalogue, BedrockRuntime
from tollgate.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    TollgateError,
    UnavailableError,
    UpstreamFailedError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from tollgate.domain.native import text_of
from tollgate.ports import ModelReply, ModelRequest, StreamPiece

if TYPE_CHECKING:
    from collections.abc import Iterator

NOVA = "amazon.nova-lite-v1:0"


@pytest.fixture(scope="module")
def stub() -> Iterator[BedrockStub]:
    with BedrockStub(delta_seconds=0) as server:
        yield server


def client(service: str, url: str, *, read_timeout: float = 10) -> Any:  # noqa: ANN401
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(read_timeout=read_timeout, retries={"total_max_attempts": 1}),
    )


def runtime_at(url: str, **settings: float) -> BedrockRuntime:
    only = client("bedrock-runtime", url, **settings)
    return BedrockRuntime(lambda _: only)


@pytest.fixture
def runtime(stub: BedrockStub) -> BedrockRuntime:
    return runtime_at(stub.url)


def request(text: str, model: str = NOVA, **body: object) -> ModelRequest:
    message = {"role": "user", "content": [{"text": text}]}
    inference = {"maxTokens": 200}
    metadata = {"tenant": "acme", "app": "web", "request_id": "r-1"}
    content = {"messages": [message], "inferenceConfig": inference, **body}
    return ModelRequest("converse", model, content, metadata, base_model_id=model)


def native(model: str, body: object, **settings: str) -> ModelRequest:
    metadata = {"tenant": "acme", "app": "web", "request_id": "r-1"}
    return ModelRequest("invoke_model", model, body, metadata, settings=settings)


def last_call(stub: BedrockStub) -> dict[str, Any]:
    # The end of a stream is sent before the call is logged.
    assert stub.under_way.wait_for_none(10)
    return stub.calls()[-1]


def test_a_reply_has_the_usage_that_the_provider_logged(
    runtime: BedrockRuntime, stub: BedrockStub
) -> None:
    reply = runtime.call(request("hello there"))

    logged = last_call(stub)
    assert reply.document["output"]["message"]["content"][0]["text"]
    assert reply.stop_reason == logged["stop_reason"] == "end_turn"
    assert reply.usage is not None
    assert reply.usage.input == logged["usage"]["inputTokens"]
    assert reply.usage.output == logged["usage"]["outputTokens"]
    assert reply.service_tier == "default"
    assert logged["requestMetadata"] == {"tenant": "acme", "app": "web", "request_id": "r-1"}


def test_cache_tokens_are_told_apart_by_their_lifetime(runtime: BedrockRuntime) -> None:
    text = "[stub:cache_read=3] [stub:cache_write_5m=4] [stub:cache_write_1h=5] " + "word " * 50

    usage = runtime.call(request(text)).usage

    assert usage is not None
    assert (usage.cache_read, usage.cache_write_5m, usage.cache_write_1h) == (3, 4, 5)


def test_the_served_tier_is_read_from_the_answer(runtime: BedrockRuntime) -> None:
    assert runtime.call(request("[stub:tier=priority] hi")).service_tier == "priority"


def test_a_stream_is_its_text_and_its_end(runtime: BedrockRuntime, stub: BedrockStub) -> None:
    *pieces, end = runtime.stream(request("[stub:tokens=40] hi"))

    assert len(pieces) > 3
    assert isinstance(end, ModelReply)
    text = "".join(piece.text for piece in pieces if isinstance(piece, StreamPiece))
    assert end.document["output"]["message"]["content"] == [{"text": text}]
    assert end.document["stopReason"] == "end_turn"
    assert end.usage is not None
    assert end.usage.output == last_call(stub)["usage"]["outputTokens"] == 40
    assert end.stop_reason == "end_turn"


@pytest.mark.parametrize("model", ["openai.gpt-oss-20b-1:0", NOVA])
@pytest.mark.parametrize("streamed", [False, True])
def test_what_came_from_the_cache_is_counted_once_on_every_path(
    runtime: BedrockRuntime, stub: BedrockStub, model: str, *, streamed: bool
) -> None:
    # ConverseStream counts what came from the cache of OpenAI's models as input as well.
    asked = request("[stub:tokens=2] [stub:cache_read=40] " + "word " * 80, model)

    end = list(runtime.stream(asked))[-1] if streamed else runtime.call(asked)

    logged = last_call(stub)["usage"]
    assert isinstance(end, ModelReply)
    assert end.usage is not None
    assert (end.usage.input, end.usage.cache_read) == (logged["inputTokens"], 40)
    assert end.document["usage"]["totalTokens"] == end.usage.total_input + 2


PROMPT = "[stub:tokens=12][stub:cache_read=2] Tell me something about tokens and their price."
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("amazon.titan-text-express-v1", {"inputText": PROMPT}),
    (NOVA, {"messages": [{"role": "user", "content": [{"text": PROMPT}]}]}),
    ("mistral.mistral-7b-instruct-v0:2", {"prompt": PROMPT}),
    ("meta.llama3-8b-instruct-v1:0", {"prompt": PROMPT}),
    ("cohere.command-text-v14", {"prompt": PROMPT}),
    ("openai.gpt-oss-20b-1:0", {"messages": [{"role": "user", "content": PROMPT}]}),
]


@pytest.mark.parametrize(("model", "body"), BODIES, ids=[model for model, _ in BODIES])
def test_a_native_reply_has_the_usage_that_the_provider_logged(
    runtime: BedrockRuntime, stub: BedrockStub, model: str, body: dict[str, Any]
) -> None:
    reply = runtime.call(native(model, body))

    logged = last_call(stub)
    assert reply.usage is not None
    assert (reply.usage.input, reply.usage.output) == (logged["usage"]["inputTokens"], 12)
    assert reply.usage.cache_read == logged["usage"]["cacheReadInputTokens"] == 2
    assert text_of(reply.document)
    assert reply.headers["x-amzn-bedrock-output-token-count"] == "12"
    assert logged["requestMetadata"]["request_id"] == "r-1"


@pytest.mark.parametrize(("model", "body"), BODIES, ids=[model for model, _ in BODIES])
def test_a_native_stream_is_its_text_and_its_end(
    runtime: BedrockRuntime, stub: BedrockStub, model: str, body: dict[str, Any]
) -> None:
    *pieces, end = runtime.stream(native(model, body))

    logged = last_call(stub)
    assert isinstance(end, ModelReply)
    assert end.usage is not None
    assert (end.usage.input, end.usage.output) == (logged["usage"]["inputTokens"], 12)
    text = "".join(piece.text for piece in pieces if isinstance(piece, StreamPiece))
    assert text_of(end.document) == text != ""
    assert end.stop_reason


def test_counts_that_no_header_has_come_from_the_body(
    runtime: BedrockRuntime, stub: BedrockStub
) -> None:
    body = {"messages": [{"role": "user", "content": "[stub:tokens=7] hi"}]}

    reply = runtime.call(native("ai21.jamba-1-5-mini-v1:0", body))

    assert reply.usage is not None
    assert reply.usage.input == last_call(stub)["usage"]["inputTokens"]
    assert reply.usage.output == 7


def test_the_tier_of_a_native_call_travels_both_ways(runtime: BedrockRuntime) -> None:
    body = {"inputText": "hi"}

    reply = runtime.call(native("amazon.titan-text-express-v1", body, serviceTier="flex"))

    assert reply.service_tier == "flex"


def test_the_tier_of_a_native_stream_is_the_one_that_serves_it(runtime: BedrockRuntime) -> None:
    body = {"inputText": "[stub:tier=default] hi"}
    model = "amazon.titan-text-express-v1"

    *_, served = runtime.stream(native(model, {"inputText": "hi"}, serviceTier="flex"))
    *_, usual = runtime.stream(native(model, body, serviceTier="flex"))

    assert isinstance(served, ModelReply)
    assert isinstance(usual, ModelReply)
    assert (served.service_tier, usual.service_tier) == ("flex", "default")


def test_a_native_stream_that_breaks_may_be_billed(runtime: BedrockRuntime) -> None:
    body = {"inputText": "[stub:tokens=60][stub:cut=mid-stream] hi"}

    with pytest.raises(UpstreamFailedError) as raised:
        list(runtime.stream(native("amazon.titan-text-express-v1", body)))

    assert raised.value.may_be_billed


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ValidationException", InvalidRequestError),
        ("ThrottlingException", UpstreamThrottledError),
        ("ModelNotReadyException", UpstreamThrottledError),
        ("ServiceQuotaExceededException", UpstreamThrottledError),
        ("AccessDeniedException", ForbiddenError),
        ("ResourceNotFoundException", NotFoundError),
        ("ModelTimeoutException", UpstreamTimeoutError),
        ("ServiceUnavailableException", UnavailableError),
        ("InternalServerException", UpstreamFailedError),
        ("ModelErrorException", UpstreamFailedError),
    ],
)
def test_each_refusal_has_its_error_and_costs_nothing(
    runtime: BedrockRuntime, code: str, error: type[TollgateError]
) -> None:
    for call in (runtime.call, lambda request: list(runtime.stream(request))):
        with pytest.raises(TollgateError) as raised:
            call(request(f"[stub:error={code}] hi"))

        assert type(raised.value) is error
        assert not raised.value.may_be_billed


def test_a_model_that_nobody_knows_is_a_bad_request(runtime: BedrockRuntime) -> None:
    with pytest.raises(InvalidRequestError, match="model identifier is invalid"):
        runtime.call(request("hi", model="amazon.nova-imaginary-v1:0"))


def test_parameters_that_boto3_refuses_are_a_bad_request(runtime: BedrockRuntime) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        runtime.call(request("hi", toolConfig={"tools": "a\nsecret", "toolChoice": 1}))

    assert "does not fit the model API" in refused.value.message
    # Where and what kind, never the value, which may be a prompt.
    for place in ("toolConfig.tools is of type str; allowed are", "toolConfig.toolChoice is of"):
        assert place in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    "directive", ["[stub:cut=mid-stream]", "[stub:cut=before-metadata]"], ids=["mid", "metadata"]
)
def test_a_stream_that_breaks_may_be_billed(runtime: BedrockRuntime, directive: str) -> None:
    pieces: list[StreamPiece | ModelReply] = []

    with pytest.raises(UpstreamFailedError) as raised:
        pieces.extend(runtime.stream(request(f"[stub:tokens=60] {directive} hi")))

    assert raised.value.may_be_billed


def test_an_exception_inside_a_stream_may_be_billed(runtime: BedrockRuntime) -> None:
    text = "[stub:tokens=60] [stub:error=ModelStreamErrorException@mid-stream] hi"

    with pytest.raises(UpstreamFailedError) as raised:
        list(runtime.stream(request(text)))

    assert raised.value.may_be_billed


def test_a_connection_that_drops_may_be_billed(runtime: BedrockRuntime) -> None:
    with pytest.raises(UpstreamFailedError) as raised:
        runtime.call(request("[stub:cut=mid-stream] hi"))

    assert raised.value.may_be_billed


def test_an_answer_that_does_not_come_may_be_billed(stub: BedrockStub) -> None:
    impatient = runtime_at(stub.url, read_timeout=0.3)

    with pytest.raises(UpstreamTimeoutError) as raised:
        impatient.call(request("[stub:delay_ms=1500] hi"))

    assert raised.value.may_be_billed


def test_a_service_that_is_not_there_was_not_called() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    with pytest.raises(UnavailableError) as raised:
        runtime_at(f"http://127.0.0.1:{port}").call(request("hi"))

    assert not raised.value.may_be_billed


def test_the_catalogue_lists_models_and_profiles(stub: BedrockStub) -> None:
    catalogue = BedrockCatalogue(client("bedrock", stub.url))

    models = {summary["modelId"] for summary in catalogue.foundation_models()}
    profiles = {profile["inferenceProfileId"] for profile in catalogue.inference_profiles()}

    assert NOVA in models
    assert f"us.{NOVA}" in profiles
    assert len(profiles) > 20


@pytest.mark.parametrize("operation", ["converse", "invoke_model"])
@pytest.mark.parametrize("streamed", [False, True])
def test_what_cannot_be_written_is_not_sent_and_costs_nothing(
    runtime: BedrockRuntime, stub: BedrockStub, operation: str, *, streamed: bool
) -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    asked = request("hi", additionalModelRequestFields=deep)
    if operation == "invoke_model":
        asked = native(NOVA, {"messages": [], "system": deep})
    # A stream of the test before may still be under way.
    assert stub.under_way.wait_for_none(10)
    before = len(stub.calls())

    with pytest.raises(TollgateError) as failed:
        list(runtime.stream(asked)) if streamed else runtime.call(asked)

    assert (failed.value.code, failed.value.may_be_billed) == ("internal_error", False)
    assert len(stub.calls()) == before
