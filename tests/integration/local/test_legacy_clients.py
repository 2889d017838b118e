"""Clients of both seed systems against the running gateway, request for request.

The requests are those of the seeds' notebooks: plain `requests` calls with the poll loop, the
LangChain content handler, and the profile sample. After each, what the provider logged is what the
usage rows say, at the published prices.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local.stack import LocalStack
from tests.fakes.stored import items
from tests.integration.local.clients import picture
from tests.waiting import PATIENCE_SECONDS, until, until_job_ends
from tollgate.domain.endpoints import parse_endpoints
from tollgate.domain.money import format_usd
from tollgate.domain.tenants import parse_tenant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tollgate.domain.tenants import Tenant

pytestmark = pytest.mark.stack

NOVA = "amazon.nova-lite-v1:0"
CLAUDE = "us.anthropic.claude-sonnet-4-6"
TITAN_EMBED = "amazon.titan-embed-text-v2:0"
COHERE_EMBED = "cohere.embed-english-v3"
COHERE_V4 = "cohere.embed-v4:0"
CANVAS = "amazon.nova-canvas-v1:0"
STABILITY = "stability.sd3-5-large-v1:0"
PROVISIONED = "arn:aws:bedrock:us-east-1:000000000000:provisioned-model/a1b2c3d4e5f6"
PNG = base64.b64encode(picture()).decode()
# As the first seed system's configuration has them: a Python literal in a string.
ENDPOINTS = str(
    {
        "flan by token": {
            "endpoint": "flan-t5",
            "price": {"per_1m_input": "1", "per_1m_output": "2"},
        },
        "embedder": {"endpoint": "gpt-j-6b", "price": {"per_request": "0.001"}},
        "llama by hour": {
            "endpoint": "llama",
            "price": {"instance_hour_usd": "3.6", "instances": 2},
            "components": ["part-1"],
        },
    }
)
SETTINGS = f"""
prefix              = "tollgate-local"
tiers               = {{ pro = {{ limits = {{}} }} }}
sagemaker_endpoints = "{ENDPOINTS}"
"""
TENANT = """
name        = "{tenant}"
kind        = "team"
cost_center = "CC-1"
tier        = "pro"
models      = ["*"]
teams       = ["search"]
model_arns  = {{ "{arn}" = "amazon.nova-pro-v1:0" }}
prices      = {{
  "cohere.embed-v4:0" = {{ in_region = {{ default = {{ units = {{ image = "0.0001" }} }} }} }}
}}
apps = {{
  web = {{
    keys = {{ primary = {{}} }}
    inference_profiles = {{
      lite = {{
        model = "amazon.nova-lite-v1:0"
        tags  = {{ TenantID = "{tenant}", Stage = "live" }}
      }}
      micro = {{
        model = "amazon.nova-micro-v1:0"
        tags  = {{ TenantID = "{tenant}", Stage = "trial" }}
      }}
    }}
  }}
}}
"""


class Gateway:
    """The running gateway and what its clients do."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.sagemaker = stack.sagemaker
        self.seen: set[str] = set()

    def headers(self, tenant: str = "acme", **more: str) -> dict[str, str]:
        key = self.stack.keys[f"{tenant}/web/primary"]
        return {"x-api-key": key, "team_id": tenant, **more}

    def invoke(
        self,
        model_id: str,
        body: Mapping[str, Any],
        *,
        query: str = "",
        **headers: str,
    ) -> requests.Response:
        """The request of the first seed's notebooks."""
        return requests.post(
            f"{self.stack.url}/invoke_model?model_id={model_id}{query}",
            json=body,
            headers=self.headers(**headers),
            timeout=PATIENCE_SECONDS,
        )

    def answer(self, model_id: str, body: Mapping[str, Any], **more: str) -> Any:  # noqa: ANN401
        response = self.invoke(model_id, body, **more)
        assert response.status_code == 200, response.text
        (only,) = response.json()
        return only

    def poll(self, model_id: str, request_id: str, **headers: str) -> Any:  # noqa: ANN401
        """The poll loop of the notebooks: until the answer has its text."""

        def whole() -> Any:  # noqa: ANN401
            query = f"&requestId={request_id}"
            answer = self.answer(model_id, {}, query=query, **headers)
            if "generated_text" in answer:
                return answer
            assert answer["request_id"] == request_id
            return None

        return until(whole, "the job's text")

    def rows(self) -> dict[str, dict[str, Any]]:
        stored = items(self.stack.client("dynamodb"), "tollgate-local-usage")
        return {item["request_id"]: item for item in stored if "total_cost" in item}

    def tenant(self, tenant_id: str) -> Tenant:
        item = self.stack.client("dynamodb").get_item(
            TableName="tollgate-local-tenants", Key={"pk": {"S": f"TENANT#{tenant_id}"}}
        )["Item"]
        return parse_tenant(item["document"]["S"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    environment = tmp_path_factory.mktemp("environment")
    _write(environment)
    with LocalStack(environment, delta_seconds=0.001) as stack:
        yield Gateway(stack)


def _write(environment: Path) -> None:
    (environment / "tenants").mkdir()
    (environment / "env.tfvars").write_text(SETTINGS)
    for tenant in ("acme", "globex"):
        text = TENANT.format(tenant=tenant, arn=PROVISIONED)
        (environment / "tenants" / f"{tenant}.tfvars").write_text(text)


@pytest.fixture
def gateway(running: Gateway) -> Iterator[Gateway]:
    """Around every test: what was logged is what was booked, at the published prices."""
    running.stack.stub.log.clear()
    running.sagemaker.log.clear()
    yield running
    rows = {key: row for key, row in running.rows().items() if key not in running.seen}
    running.seen |= rows.keys()
    calls = [call for call in running.stack.calls() if call["status"] == "ok"]
    assert Counter(call["requestMetadata"]["request_id"] for call in calls) == Counter(
        key for key, row in rows.items() if not row["operation"].startswith("invoke_endpoint")
    )
    for call in calls:
        _compare(running, call, rows[call["requestMetadata"]["request_id"]])
    _compare_endpoints(running, [row for row in rows.values() if "endpoint" in row["operation"]])
    assert not any(row["total_cost"] > row["held"] for row in rows.values())


def _compare(running: Gateway, call: dict[str, Any], row: dict[str, Any]) -> None:
    """One line of Bedrock's log and its row."""
    usage = call["usage"]
    assert (row["input_tokens"], row["output_tokens"]) == (
        usage["inputTokens"],
        usage["outputTokens"],
    )
    images = sum(count for unit, count in call["units"].items() if unit.startswith("image"))
    assert row["images"] == images
    assert row["usage_source"] == "provider"
    assert row["total_cost"] == _price(running, row["requested_model"], row["tenant_id"], call)


# Published prices in picodollars: a token in, a token out.
PRICES = {
    NOVA: (60_000, 240_000),
    "amazon.nova-micro-v1:0": (35_000, 140_000),
    "amazon.nova-pro-v1:0": (800_000, 3_200_000),
    CLAUDE: (3_300_000, 16_500_000),
    "amazon.titan-text-express-v1": (200_000, 600_000),
    "anthropic.claude-v2:1": (8_000_000, 24_000_000),
    "mistral.mistral-7b-instruct-v0:2": (150_000, 200_000),
    "us.meta.llama3-3-70b-instruct-v1:0": (720_000, 720_000),
    "cohere.command-text-v14": (1_000_000, 2_000_000),
    "ai21.j2-mid-v1": (12_500_000, 12_500_000),
    "ai21.jamba-1-5-mini-v1:0": (200_000, 400_000),
    "us.deepseek.r1-v1:0": (1_350_000, 5_400_000),
    TITAN_EMBED: (20_000, 0),
    COHERE_EMBED: (100_000, 0),
    COHERE_V4: (120_000, 0),
    f"us.{COHERE_V4}": (120_000, 0),
}
IMAGE_PRICES = {CANVAS: 60_000_000_000, STABILITY: 80_000_000_000, COHERE_V4: 100_000_000}


def _price(running: Gateway, requested: str, tenant_id: str, call: dict[str, Any]) -> int:
    policy = running.tenant(tenant_id)
    own = {each.arn: each.model for each in policy.apps["web"].inference_profiles.values()}
    model = {**policy.model_arns, **own}.get(requested, requested)
    given, made = PRICES.get(model, (0, 0))
    images = sum(call["units"].values())
    usage = call["usage"]
    return (
        usage["inputTokens"] * given
        + usage["outputTokens"] * made
        + images * IMAGE_PRICES.get(model, 0)
    )


def _compare_endpoints(running: Gateway, rows: list[dict[str, Any]]) -> None:
    """SageMaker's log says what ran and for how long, and the rows what that costs."""
    calls = {call["requestMetadata"]["request_id"]: call for call in running.sagemaker.calls()}
    assert calls.keys() == {row["request_id"] for row in rows}
    names = {each.name: each.endpoint_name for each in parse_endpoints(ENDPOINTS).values()}
    for row in rows:
        call = calls[row["request_id"]]
        assert call["modelId"] == names[row["model_id"]]
        assert row["priced"]
        if row["model_id"] == "flan by token":
            usage = call["usage"]
            expected = usage["inputTokens"] * 1_000_000 + usage["outputTokens"] * 2_000_000
            # A container that does not count is booked at what its answer's bytes bound.
            is_counted = row["usage_source"] == "provider"
            assert row["total_cost"] == expected if is_counted else row["total_cost"] >= expected
        elif row["model_id"] == "embedder":
            assert row["total_cost"] == 1_000_000_000
        else:
            # Two machines at 3.6 USD an hour; the gateway's clock has the way there and back too.
            assert call["units"]["machine_ms"] * 2_000_000 <= row["total_cost"]


# --- First seed: notebook of raw requests -----------------------------------------------------


def test_the_models_are_listed(gateway: Gateway) -> None:
    response = requests.get(
        f"{gateway.stack.url}/list_foundation_models",
        headers=gateway.headers(),
        timeout=PATIENCE_SECONDS,
    )

    models = {model["modelId"] for model in response.json()[0]["modelSummaries"]}
    assert {NOVA, TITAN_EMBED, CANVAS, PROVISIONED} <= models


PROMPTS: dict[str, dict[str, Any]] = {
    "amazon.titan-text-express-v1": {"maxTokenCount": 30, "temperature": 0, "topP": 1},
    "anthropic.claude-v2:1": {"max_tokens_to_sample": 30, "temperature": 0.1},
    "mistral.mistral-7b-instruct-v0:2": {"max_tokens": 30, "top_k": 50},
    "us.meta.llama3-3-70b-instruct-v1:0": {"max_gen_len": 30, "top_p": 0.9},
    "cohere.command-text-v14": {"max_tokens": 30, "p": 0.75},
    "ai21.j2-mid-v1": {"maxTokens": 30},
    "ai21.jamba-1-5-mini-v1:0": {"max_tokens": 30},
    "us.deepseek.r1-v1:0": {"max_tokens": 30},
    CLAUDE: {"max_tokens": 30},
    NOVA: {"max_tokens": 30},
}


@pytest.mark.parametrize("model_id", PROMPTS)
def test_a_plain_prompt_is_continued(gateway: Gateway, model_id: str) -> None:
    body = {"inputs": "What is Amazon Bedrock?", "parameters": PROMPTS[model_id]}

    answer = gateway.answer(model_id, body)

    assert isinstance(answer["generated_text"], str)
    assert answer["generated_text"]
    (call,) = gateway.stack.calls()
    assert call["operation"] == "invoke"


def test_a_chat_with_a_system_prompt(gateway: Gateway) -> None:
    body = {
        "inputs": [{"role": "user", "content": [{"text": "What is Amazon Bedrock?"}]}],
        "parameters": {"maxTokens": 40, "temperature": 0.1, "system": "You are a poet."},
    }

    answer = gateway.answer(CLAUDE, body, messages_api="true")

    assert answer["generated_text"]
    assert answer["usage"]["outputTokens"] <= 40


def test_a_chat_about_an_image_and_a_document(gateway: Gateway) -> None:
    image = {"image": {"format": "png", "source": {"bytes": PNG}}}
    text = base64.b64encode(b"Revenue was 5.").decode()
    document = {"document": {"format": "txt", "name": "report", "source": {"bytes": text}}}
    content = [image, document, {"text": "Describe both."}]
    body = {"inputs": [{"role": "user", "content": content}], "parameters": {"maxTokens": 30}}

    assert gateway.answer(NOVA, body, messages_api="true")["generated_text"]


TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "top_song",
                "description": "The most popular song of a radio station.",
                "inputSchema": {
                    "json": {
                        "type": "object",
                        "properties": {"sign": {"type": "string"}},
                        "required": ["sign"],
                    }
                },
            }
        }
    ]
}


@pytest.mark.parametrize("streaming", ["false", "true"])
def test_a_tool_round_trip(gateway: Gateway, streaming: str) -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"text": "What is on WZPZ? [stub:tool=top_song]"}]}
    ]
    send = {"messages_api": "true", "streaming": streaming}

    def ask() -> Any:  # noqa: ANN401
        body = {
            "inputs": messages,
            "parameters": {"maxTokens": 100},
            "tool_config": TOOLS,
            "additional_model_fields": {"top_k": 10},
        }
        answer = gateway.answer(CLAUDE, body, **send)
        if streaming == "true":
            return gateway.poll(CLAUDE, answer["request_id"])["generated_text"]
        return answer["generated_text"]

    wanted = ask()
    assert isinstance(wanted, list)
    (use,) = [block["toolUse"] for block in wanted if "toolUse" in block]
    assert use["name"] == "top_song"
    result = {"toolUseId": use["toolUseId"], "content": [{"json": {"song": "Elemental Hotel"}}]}
    messages += [
        {"role": "assistant", "content": wanted},
        {"role": "user", "content": [{"toolResult": result}]},
    ]
    assert isinstance(ask(), str)


@pytest.mark.parametrize(
    ("model_id", "headers", "body"),
    [
        (NOVA, {}, {"inputs": "Count to ten.", "parameters": {"max_tokens": 40}}),
        (
            CLAUDE,
            {"messages_api": "true"},
            {
                "inputs": [{"role": "user", "content": [{"text": "Count to ten."}]}],
                "parameters": {"maxTokens": 40},
            },
        ),
        (
            "amazon.titan-text-express-v1",
            {},
            {"inputs": "Count to ten.", "parameters": {"maxTokenCount": 40}},
        ),
        (
            "flan by token",
            {},
            {"inputs": "Count to ten.", "parameters": {"max_new_tokens": 40}},
        ),
        (
            "llama by hour",
            {},
            {
                "inputs": "Count to ten.",
                "parameters": {"max_new_tokens": 40, "InferenceComponentName": "part-1"},
            },
        ),
    ],
)
def test_a_streamed_answer_is_polled_for(
    gateway: Gateway, model_id: str, headers: dict[str, str], body: dict[str, Any]
) -> None:
    started = gateway.answer(model_id, body, streaming="true", **headers)

    # The notebook polls with the key and the team alone; LangChain's subclass sends all again.
    answer = gateway.poll(model_id, started["request_id"])
    again = gateway.poll(model_id, started["request_id"], streaming="true", **headers)

    assert answer == again
    assert answer["generated_text"]


def test_texts_are_embedded(gateway: Gateway) -> None:
    titan = gateway.answer(
        TITAN_EMBED,
        {"inputs": "some text", "parameters": {"dimensions": 256, "normalize": True}},
        type="embeddings",
    )
    cohere = gateway.answer(COHERE_EMBED, {"inputs": "some text"}, type="embeddings")
    query = {"inputs": ["one", "two"], "parameters": {"input_type": "search_query"}}
    batch = gateway.answer(COHERE_EMBED, query, type="embeddings")
    routed = gateway.answer(f"us.{COHERE_V4}", {"inputs": "some text"}, type="embeddings")
    many = gateway.answer(TITAN_EMBED, {"inputs": ["one", "two", "three"]}, type="embeddings")

    assert len(titan["embedding"]) == 256
    assert isinstance(cohere["embedding"][0], float)
    assert "embeddings" not in cohere
    assert len(batch["embeddings"]) == 2
    assert len(many["embeddings"]) == 3
    assert isinstance(routed["embedding"][0], float)
    assert len(gateway.stack.calls()) == 7


def test_an_image_is_embedded(gateway: Gateway) -> None:
    answer = gateway.answer(COHERE_V4, {"inputs": PNG}, type="embeddings-image")

    assert isinstance(answer["embedding"][0], float)
    (call,) = gateway.stack.calls()
    assert call["units"] == {"image": 1}


def test_images_are_generated(gateway: Gateway) -> None:
    amazon = gateway.answer(
        CANVAS,
        {
            "textToImageParams": {"text": "A cat on a sofa"},
            "parameters": {
                "taskType": "TEXT_IMAGE",
                "imageGenerationConfig": {
                    "numberOfImages": 3,
                    "quality": "premium",
                    "height": 1024,
                    "width": 1024,
                },
            },
        },
        type="image",
    )
    stability = gateway.answer(
        STABILITY, {"text_prompts": [{"text": "A cat on a sofa", "weight": 1}]}, type="image"
    )

    assert len(amazon["images"]) == 3
    assert base64.b64decode(stability["artifacts"][0]["base64"]).startswith(b"\x89PNG")


@pytest.mark.parametrize("named", ["amazon.nova-pro-v1:0", ""])
@pytest.mark.parametrize("streaming", ["false", "true"])
def test_a_model_of_the_tenants_own_is_called_by_its_arn(
    gateway: Gateway, named: str, streaming: str
) -> None:
    body = {"inputs": "Hello", "parameters": {"max_tokens": 20}}

    answer = gateway.answer(named, body, query=f"&model_arn={PROVISIONED}", streaming=streaming)

    if streaming == "true":
        answer = gateway.poll(named, answer["request_id"])
    assert answer["generated_text"]
    (call,) = gateway.stack.calls()
    assert call["modelId"] == PROVISIONED


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("&model_arn=arn:aws:bedrock:us-east-1:000000000000:provisioned-model/f6e5d4c3b2a1", 403),
        (f"&model_arn={PROVISIONED}", 400),
    ],
)
def test_another_arn_or_another_models_is_refused(
    gateway: Gateway, query: str, status: int
) -> None:
    assert gateway.invoke(NOVA, {"inputs": "Hello"}, query=query).status_code == status
    assert gateway.stack.calls() == []


# --- First seed: SageMaker --------------------------------------------------------------------


@pytest.mark.parametrize("details", [True, False])
def test_an_endpoint_continues_a_prompt(gateway: Gateway, details: bool) -> None:  # noqa: FBT001
    parameters = {"max_new_tokens": 20, "temperature": 0.1, "details": details}

    answer = gateway.answer("flan by token", {"inputs": "Hello", "parameters": parameters})

    assert answer["generated_text"]


def test_an_endpoint_chats(gateway: Gateway) -> None:
    body = {
        "inputs": [{"role": "user", "content": "Hello"}],
        "parameters": {"model": "tgi", "max_tokens": 20},
    }

    answer = gateway.answer("flan by token", body, messages_api="true")

    assert answer["generated_text"]
    assert answer["usage"]["outputTokens"] <= 20


def test_an_endpoint_embeds(gateway: Gateway) -> None:
    body = {"inputs": {"text_inputs": "some text"}, "parameters": {"mode": "embedding"}}

    assert isinstance(gateway.answer("embedder", body, type="embeddings")["embedding"][0], float)


def test_an_inference_component_answers(gateway: Gateway) -> None:
    parameters = {"max_new_tokens": 20, "InferenceComponentName": "part-1"}

    answer = gateway.answer("llama by hour", {"inputs": "Hello", "parameters": parameters})

    assert answer["generated_text"]
    (call,) = gateway.sagemaker.calls()
    assert call["requestMetadata"]["component"] == "part-1"


# --- First seed: LangChain's content handler --------------------------------------------------


class ContentHandler:
    """How LangChain's model for an Amazon API Gateway writes requests and reads answers."""

    @staticmethod
    def transform_input(prompt: str, model_kwargs: dict[str, Any]) -> dict[str, Any]:
        return {"inputs": prompt, "parameters": model_kwargs}

    @staticmethod
    def transform_output(response: requests.Response) -> str:
        text: str = response.json()[0]["generated_text"]
        return text


def test_the_content_handler_of_langchain(gateway: Gateway) -> None:
    handler = ContentHandler()

    response = requests.post(
        f"{gateway.stack.url}/invoke_model?model_id={NOVA}",
        headers=gateway.headers(),
        json=handler.transform_input("Say foo:", {"maxTokens": 20, "temperature": 0.5}),
        timeout=PATIENCE_SECONDS,
    )

    assert handler.transform_output(response)


# --- Headers and teams ------------------------------------------------------------------------


def test_names_of_headers_are_read_in_any_case(gateway: Gateway) -> None:
    key = gateway.headers()["x-api-key"]
    names = {"X-Api-Key": key, "Team_Id": "acme", "Messages_API": "True", "STREAMING": "False"}
    body = {"inputs": [{"role": "user", "content": [{"text": "Hello"}]}]}

    response = requests.post(
        f"{gateway.stack.url}/invoke_model?model_id={NOVA}",
        json=body,
        headers=names,
        timeout=PATIENCE_SECONDS,
    )

    assert response.json()[0]["generated_text"]


def test_a_team_is_written_into_the_row(gateway: Gateway) -> None:
    headers = {**gateway.headers(), "team_id": "search"}

    response = requests.post(
        f"{gateway.stack.url}/invoke_model?model_id={NOVA}",
        json={"inputs": "Hello"},
        headers=headers,
        timeout=PATIENCE_SECONDS,
    )

    assert gateway.rows()[response.headers["x-request-id"]]["tags"]["team"] == "search"


# --- Second seed ------------------------------------------------------------------------------

MESSAGES = [{"role": "user", "content": [{"text": "What is Amazon Bedrock?"}]}]


def profile_arn(gateway: Gateway, tenant: str, name: str) -> str:
    return gateway.tenant(tenant).apps["web"].inference_profiles[name].arn


def through_profile(gateway: Gateway, **headers: str) -> requests.Response:
    """The sample's request; it also says where its configuration lies, which nobody reads."""
    sent = {"region": "us-east-1", "s3_bucket_name": "config", "Content-Type": "application/json"}
    return requests.post(
        f"{gateway.stack.url}/invoke",
        data=json.dumps(MESSAGES),
        headers={"x-api-key": gateway.headers()["x-api-key"], **sent, **headers},
        timeout=PATIENCE_SECONDS,
    )


@pytest.mark.parametrize("by", ["arn", "id", "name", "tags"])
def test_a_call_through_an_inference_profile(gateway: Gateway, by: str) -> None:
    arn = profile_arn(gateway, "acme", "lite")
    tags = [{"key": "TenantID", "value": "acme"}, {"key": "Stage", "value": "live"}]
    chosen = {
        "arn": {"inference-profile-id": arn},
        "id": {"inference-profile-id": arn.rpartition("/")[2]},
        "name": {"inference-profile-id": "lite"},
        "tags": {"tags": json.dumps(tags)},
    }

    response = through_profile(gateway, **chosen[by])

    assert response.status_code == 200, response.text
    message = response.json()["message"]
    assert message["role"] == "assistant"
    assert message["content"][0]["text"]
    (call,) = gateway.stack.calls()
    assert call["modelId"] == arn
    row = gateway.rows()[response.headers["x-request-id"]]
    assert (row["inference_profile_arn"], row["tags"]["Stage"]) == (arn, "live")
    assert response.headers["x-tollgate-cost-usd"] == format_usd(row["total_cost"])


def test_foreign_and_ambiguous_profiles_call_nothing(gateway: Gateway) -> None:
    foreign = profile_arn(gateway, "globex", "lite")
    tags = json.dumps([{"key": "TenantID", "value": "globex"}])

    for headers in ({"inference-profile-id": foreign}, {"tags": tags}):
        response = through_profile(gateway, **headers)
        assert response.status_code == 403
        assert response.json()["code"] == "profile_not_allowed"
    both = through_profile(gateway, tags='[{"key": "TenantID", "value": "acme"}]')
    assert (both.status_code, both.json()["code"]) == (409, "profile_ambiguous")
    assert gateway.stack.calls() == []


# --- Jobs -------------------------------------------------------------------------------------


def test_a_job_of_a_converse_request(gateway: Gateway) -> None:
    bearer = {"Authorization": f"Bearer {gateway.headers()['x-api-key']}"}
    messages = [{"role": "user", "content": [{"text": "What is on? [stub:tool=top_song]"}]}]
    started = requests.post(
        f"{gateway.stack.url}/v1/jobs",
        json={
            "model": CLAUDE,
            "messages": messages,
            "system": [{"text": "Be brief."}],
            "inferenceConfig": {"maxTokens": 100},
            "toolConfig": TOOLS,
        },
        headers=bearer,
        timeout=PATIENCE_SECONDS,
    )

    assert started.status_code == 202, started.text
    url = f"{gateway.stack.url}/v1/jobs/{started.json()['id']}?wait=5"
    poll = partial(requests.get, url, headers=bearer, timeout=PATIENCE_SECONDS)
    job = until_job_ends(poll)
    assert job["status"] == "succeeded"
    assert any("toolUse" in block for block in job["content"])
