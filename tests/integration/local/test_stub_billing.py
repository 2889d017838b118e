"""The stubs bill what a body asks for, however it is spelled; at worst the most that it allows."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import date
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from scripts.bench.oracle.bill import PriceList, endpoint_charged
from scripts.local.stubs.bedrock.families.pictures import picture
from scripts.local.stubs.bedrock.server import BedrockStub
from scripts.local.stubs.sagemaker.containers import DEFAULT_MAX_TOKENS, IMAGE_TOKENS
from scripts.local.stubs.sagemaker.server import SageMakerStub

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLAUDE = "us.anthropic.claude-sonnet-4-6"
CLAUDE_45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_45_CONTEXT = 200_000
GPT = "openai.gpt-oss-20b-1:0"
NOVA = "amazon.nova-lite-v1:0"
SAID = "Say something. [stub:tokens=10]"
CHAT = [{"role": "user", "content": SAID}]
TURNS: list[Any] = [{"role": "user", "content": [{"text": SAID}]}]
MESSAGES = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 2000, "messages": CHAT}
COMPACT = {"context_management": {"edits": [{"type": "compact_20260112"}]}}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
PNG = b64decode(picture("billing"))
GUARDRAIL = {"guardrailIdentifier": "gr1234567890", "guardrailVersion": "1"}
PRICES = PriceList("us-east-1", date(2026, 11, 22))


@pytest.fixture(scope="module", params=[False, True], ids=["as said", "at worst"])
def any_stub(request: pytest.FixtureRequest) -> Iterator[BedrockStub]:
    with BedrockStub(delta_seconds=0, worst_case=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def worst() -> Iterator[BedrockStub]:
    with BedrockStub(delta_seconds=0, worst_case=True) as server:
        yield server


def client(stub: BedrockStub | SageMakerStub, service: str) -> Any:  # noqa: ANN401
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name="us-east-1",
        endpoint_url=stub.url,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(retries={"total_max_attempts": 1}),
    )


def invoke(
    stub: BedrockStub, model: str, body: Mapping[str, Any], **settings: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer to a native body, and what the log says of it."""
    answer = client(stub, "bedrock-runtime").invoke_model(
        modelId=model, body=json.dumps(body), **settings
    )
    return json.loads(answer["body"].read()), stub.calls()[-1]


def converse(
    stub: BedrockStub, model: str, **request: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    answer = client(stub, "bedrock-runtime").converse(
        modelId=model, **{"messages": TURNS, **request}
    )
    return answer, stub.calls()[-1]


@pytest.mark.parametrize(
    ("model", "body", "answers"),
    [
        (GPT, {"messages": CHAT, "n": 3}, 3),
        (GPT, {"messages": CHAT, "n": 2, "best_of": 3}, 6),
        ("ai21.j2-mid-v1", {"prompt": SAID, "numResults": 2}, 2),
        ("cohere.command-text-v14", {"prompt": SAID, "num_generations": 4}, 4),
    ],
)
def test_every_answer_is_billed(
    any_stub: BedrockStub, model: str, body: dict[str, Any], answers: int
) -> None:
    _, entry = invoke(
        any_stub, model, {**body, "max_tokens" if "2-mid" not in model else "maxTokens": 20}
    )

    each = 20 if any_stub.worst_case else 10
    assert entry["usage"]["outputTokens"] == answers * each


def test_a_field_of_the_providers_own_asks_for_answers_as_well(worst: BedrockStub) -> None:
    _, entry = converse(
        worst, GPT, inferenceConfig={"maxTokens": 7}, additionalModelRequestFields={"n": 4}
    )

    assert entry["usage"]["outputTokens"] == 28


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (GPT, {"max_completion_tokens": 900}),
        (GPT, {"max_tokens": 900, "max_completion_tokens": 5}),
        (NOVA, {"inferenceConfig": {"maxTokens": 900}}),
        (NOVA, {"inferenceConfig": {"max_new_tokens": 900}}),
        ("amazon.titan-text-express-v1", {"textGenerationConfig": {"maxTokenCount": 900}}),
    ],
)
def test_the_largest_maximum_counts_wherever_it_stands(
    worst: BedrockStub, model: str, fields: dict[str, Any]
) -> None:
    _, entry = converse(
        worst, model, inferenceConfig={"maxTokens": 7}, additionalModelRequestFields=fields
    )

    assert entry["usage"]["outputTokens"] == 900


def test_a_compaction_pass_is_billed_beside_the_counts_of_the_answer(worst: BedrockStub) -> None:
    document, entry = invoke(worst, CLAUDE, {**MESSAGES, **COMPACT})

    usage = document["usage"]
    compacted, answered = usage["iterations"]
    assert (compacted["type"], answered["type"]) == ("compaction", "message")
    assert answered["output_tokens"] == usage["output_tokens"] == 2000
    passed, told = entry["usage"]["iterations"]
    assert passed["outputTokens"] == compacted["output_tokens"] == 64_000
    # $3.3 and $16.5 a million for both rounds.
    given = passed["inputTokens"] + told["inputTokens"]
    assert PRICES.charged(entry) == given * 3_300_000 + 66_000 * 16_500_000


def test_a_conversation_is_compacted_where_it_is_long() -> None:
    edit = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}
    body = {**MESSAGES, "context_management": {"edits": [edit]}}
    longer = [{"role": "user", "content": "word " * 50_000}]
    with BedrockStub(delta_seconds=0) as stub:
        _, short = invoke(stub, CLAUDE, body)
        _, long = invoke(stub, CLAUDE, {**body, "messages": longer})

    assert "iterations" not in short["usage"]
    assert len(long["usage"]["iterations"]) == 2


def test_thoughts_between_tools_are_bounded_by_the_context_alone(worst: BedrockStub) -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 30_000}}
    beta = {"anthropic_beta": ["interleaved-thinking-2025-05-14"]}
    _, without = invoke(worst, CLAUDE_45, MESSAGES)
    _, entry = invoke(worst, CLAUDE_45, {**MESSAGES, **thinking, **beta})

    assert without["usage"]["outputTokens"] == 2000
    assert entry["usage"]["outputTokens"] == CLAUDE_45_CONTEXT


def test_tools_of_the_providers_own_are_billed_by_use(worst: BedrockStub) -> None:
    _, native = invoke(worst, CLAUDE_45, {**MESSAGES, "tools": [SEARCH]})
    _, chat = converse(worst, CLAUDE_45, additionalModelRequestFields={"tools": [SEARCH]})
    _, own = converse(
        worst,
        "us.amazon.nova-2-lite-v1:0",
        toolConfig={"tools": [{"systemTool": {"name": "nova_grounding"}}]},
    )

    assert native["units"] == chat["units"] == {"web_search": 3}
    assert own["units"] == {"nova_grounding": 10}
    # What they find is read.
    assert native["usage"]["inputTokens"] == CLAUDE_45_CONTEXT
    tokens = PRICES.charged({**native, "units": {}})
    assert PRICES.charged(native) - tokens == 3 * 10_000_000_000


def test_media_may_fill_the_context(worst: BedrockStub) -> None:
    image = {"image": {"format": "png", "source": {"bytes": PNG}}}
    turns = [{"role": "user", "content": [{"text": SAID}, image]}]
    beta = {"anthropic_beta": ["context-1m-2025-08-07"]}

    _, entry = converse(worst, CLAUDE_45, messages=turns)
    _, longer = converse(worst, CLAUDE_45, messages=turns, additionalModelRequestFields=beta)

    assert entry["usage"]["inputTokens"] == CLAUDE_45_CONTEXT
    assert longer["usage"]["inputTokens"] == 1_000_000


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_what_is_marked_is_written_to_the_cache(worst: BedrockStub, ttl: str) -> None:
    point = {"cachePoint": {"type": "default", "ttl": ttl}}
    turns = [{"role": "user", "content": [{"text": SAID}, point]}]
    answer, entry = converse(worst, CLAUDE_45, messages=turns, inferenceConfig={"maxTokens": 1})

    (written,) = entry["usage"]["cacheDetails"]
    assert written == {"ttl": ttl, "inputTokens": len(SAID)}
    assert answer["usage"] == entry["usage"]
    rate = {"5m": 4_125_000, "1h": 6_600_000}[ttl]
    assert PRICES.charged(entry) == written["inputTokens"] * rate + 16_500_000


def test_a_tier_and_a_speed_of_the_bodys_own_are_billed(any_stub: BedrockStub) -> None:
    body = {"messages": CHAT, "service_tier": "priority", "max_tokens": 9}
    _, priority = invoke(any_stub, GPT, body)
    _, plain = invoke(any_stub, CLAUDE, MESSAGES)
    _, fast = invoke(any_stub, CLAUDE, {**MESSAGES, "speed": "fast"})

    assert priority["service_tier"] == "priority"
    assert PRICES.charged(fast) == 6 * PRICES.charged(plain)


def test_rejected_predictions_and_speech_are_billed(worst: BedrockStub) -> None:
    prediction = {"type": "content", "content": "abcd"}
    body = {"messages": CHAT, "max_tokens": 10}
    _, predicted = invoke(worst, GPT, {**body, "prediction": prediction})
    _, spoken = invoke(worst, GPT, {**body, "modalities": ["text", "audio"]})

    assert predicted["usage"]["outputTokens"] == 14
    assert spoken["units"] == {"audio_token": 10}


def test_a_guardrail_is_billed_for_the_longest_answer(worst: BedrockStub) -> None:
    answer, entry = converse(
        worst,
        NOVA,
        inferenceConfig={"maxTokens": 1000},
        guardrailConfig={**GUARDRAIL, "trace": "enabled"},
    )

    assert entry["units"]["contentPolicyUnits"] == 1 + 128
    trace = answer["trace"]["guardrail"]["outputAssessments"][GUARDRAIL["guardrailIdentifier"]]
    assert trace[0]["invocationMetrics"]["usage"]["topicPolicyUnits"] == 128
    assert not entry["is_narrowed"]


@pytest.mark.parametrize("config", [{"tagSuffix": "x1"}, {"streamProcessingMode": "ASYNCHRONOUS"}])
def test_the_log_says_where_a_body_narrows_its_guardrail(
    worst: BedrockStub, config: dict[str, str]
) -> None:
    body = {"messages": CHAT, "amazon-bedrock-guardrailConfig": config}
    _, entry = invoke(worst, GPT, body, **GUARDRAIL)

    assert entry["is_narrowed"]


def test_a_part_to_guard_narrows_the_guardrail(worst: BedrockStub) -> None:
    block = {"guardContent": {"text": {"text": "only this"}}}
    turns = [{"role": "user", "content": [{"text": SAID}, block]}]
    _, entry = converse(worst, NOVA, messages=turns, guardrailConfig=GUARDRAIL)

    assert entry["is_narrowed"]


def test_streams_of_openai_models_tell_what_was_cached_as_input_too() -> None:
    turns = [{"role": "user", "content": [{"text": "word " * 50 + "[stub:cache_read=20]"}]}]
    with BedrockStub(delta_seconds=0) as stub:
        runtime = client(stub, "bedrock-runtime")
        answer = runtime.converse_stream(modelId=GPT, messages=turns)
        told = [event["metadata"]["usage"] for event in answer["stream"] if "metadata" in event]
        billed = stub.calls()[-1]["usage"]

    assert told[0]["cacheReadInputTokens"] == billed["cacheReadInputTokens"] == 20
    assert told[0]["inputTokens"] == billed["inputTokens"] + 20


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (CLAUDE, {**MESSAGES, "max_completion_tokens": 10}),
        (NOVA, {"messages": [{"role": "user", "content": [{"text": SAID}]}], "numberOfImages": 2}),
        ("amazon.titan-embed-text-v2:0", {"inputText": "a", "images": ["AA=="]}),
        ("cohere.embed-english-v3", {"texts": ["a"], "input_type": "clustering", "n": 3}),
    ],
)
def test_a_member_that_a_model_does_not_know_is_refused_and_logged(
    worst: BedrockStub, model: str, body: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="extraneous key"):
        invoke(worst, model, body)

    entry = worst.calls()[-1]
    assert entry["unknown_member"] in body
    assert entry["usage"]["outputTokens"] == 0


def test_a_field_that_a_model_does_not_know_is_refused_and_logged(worst: BedrockStub) -> None:
    with pytest.raises(ClientError, match="extraneous key"):
        converse(worst, CLAUDE, additionalModelRequestFields={"maxTokenCount": 5})

    assert worst.calls()[-1]["unknown_member"] == "maxTokenCount"


@pytest.mark.parametrize(
    "body",
    [
        {"inputText": ["a"], "embeddingConfig": 3},
        {"inputText": "a", "dimensions": "x"},
        {"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": "x"}},
    ],
)
def test_a_body_of_another_form_is_refused(worst: BedrockStub, body: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        invoke(worst, "amazon.titan-embed-text-v2:0", body)

    assert caught.value.response["Error"]["Code"] == "ValidationException"


# --- Endpoints --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoints() -> Iterator[SageMakerStub]:
    with SageMakerStub({"own": None}, delta_seconds=0, worst_case=True) as server:
        yield server


@pytest.mark.parametrize(
    ("body", "given", "made"),
    [
        ({"inputs": "abc"}, 3, DEFAULT_MAX_TOKENS),
        ({"inputs": "abc", "parameters": {"max_new_tokens": 9, "max_tokens": 4}}, 3, 9),
        ({"inputs": "abc", "max_completion_tokens": 30, "parameters": {"max_tokens": 4}}, 3, 30),
        ({"messages": [{"role": "user", "content": "abc"}], "max_tokens": 5, "n": 4}, 6, 20),
        ({"inputs": "abc", "parameters": {"max_tokens": 5, "num_return_sequences": 3}}, 3, 15),
        ({"inputs": "abc", "parameters": {"max_tokens": 5, "best_of": 2, "n": 2}}, 3, 20),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}
                ],
                "max_tokens": 5,
            },
            3 + IMAGE_TOKENS,
            5,
        ),
    ],
)
def test_a_container_is_billed_as_it_reads_its_body(
    endpoints: SageMakerStub, body: dict[str, Any], given: int, made: int
) -> None:
    runtime = client(endpoints, "sagemaker-runtime")
    for streamed in (False, True):
        call = {
            "EndpointName": "own",
            "ContentType": "application/json",
            "Body": json.dumps({**body, "stream": streamed}),
        }
        if streamed:
            list(runtime.invoke_endpoint_with_response_stream(**call)["Body"])
        else:
            runtime.invoke_endpoint(**call)["Body"].read()
        entry = endpoints.calls()[-1]
        assert (entry["usage"]["inputTokens"], entry["usage"]["outputTokens"]) == (given, made)
        price = {"per_1m_input": "2", "per_1m_output": "5"}
        assert endpoint_charged(entry, price) == given * 2_000_000 + made * 5_000_000


def test_an_endpoint_may_be_priced_by_request_or_machine() -> None:
    entry = {"usage": {}, "units": {"request": 1, "machine_ms": 1800}}

    assert endpoint_charged(entry, {"per_request": "0.5"}) == 500_000_000_000
    price = {"instance_hour_usd": "2", "instances": 3}
    assert endpoint_charged(entry, price) == 3_000_000_000
