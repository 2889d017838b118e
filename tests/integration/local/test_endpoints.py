"""SageMaker endpoints through the gateway: every mode, and what is booked by the stub's log."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local.stack import LocalStack
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.domain.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.stack

BY_TOKEN, BY_REQUEST, BY_HOUR = "mistral-7b-instruct", "bge-large", "Llama 70B"
INPUT_RATE, OUTPUT_RATE = usd("0.0000004"), usd("0.0000008")
REQUEST_RATE = usd("0.00002")
# Two machines at 7.09 USD an hour, by the millisecond, rounded up to a whole picodollar.
MACHINE_RATE = -(-2 * usd("7.09") // 3_600_000)


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(delta_seconds=0) as running:
        yield running


class Customer:
    """An app that calls endpoints in the way of the first seed system."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        key = stack.keys["customer1/websearch/primary"]
        self._headers = {"x-api-key": key, "team_id": "customer1"}

    def call(self, name: str, body: object, **headers: str) -> requests.Response:
        return requests.post(
            f"{self._stack.url}/invoke_model",
            params={"model_id": name},
            json=body,
            headers={**self._headers, **headers},
            timeout=PATIENCE_SECONDS,
        )

    def stream(self, name: str, body: object, **headers: str) -> requests.Response:
        """The last poll of a streamed call."""
        started = self.call(name, body, streaming="true", **headers)
        job = started.json()[0]["request_id"]

        def ended() -> list[requests.Response]:
            answer = requests.post(
                f"{self._stack.url}/invoke_model?requestId={job}",
                headers=self._headers,
                timeout=PATIENCE_SECONDS,
            )
            whole = answer.status_code != 200 or "generated_text" in answer.json()[0]
            # In a list, because an answer of an error counts as false.
            return [answer] if whole else []

        return until(ended, "the end of the job")[0]

    def row(self) -> dict[str, Any]:
        """The newest usage row."""
        items = self._stack.client("dynamodb").scan(TableName="tollgate-local-usage")["Items"]
        newest = max(items, key=lambda item: item["request_id"]["S"])
        return {name: next(iter(value.values())) for name, value in newest.items()}

    def holds(self) -> int:
        items = self._stack.client("dynamodb").scan(TableName="tollgate-local-accounts")["Items"]
        return sum(len(item["holds"]["M"]) for item in items)

    def calls(self) -> list[dict[str, Any]]:
        """The endpoint stub's log."""
        return list(self._stack.sagemaker.calls())

    @property
    def billed(self) -> dict[str, Any]:
        """The newest call in the endpoint stub's log."""
        return self._stack.sagemaker.calls()[-1]


@pytest.fixture
def customer(stack: LocalStack) -> Customer:
    return Customer(stack)


def token_cost(billed: dict[str, Any]) -> int:
    usage = billed["usage"]
    return usage["inputTokens"] * INPUT_RATE + usage["outputTokens"] * OUTPUT_RATE


TEXT = {"inputs": "Say it. [stub:tokens=12]", "parameters": {"max_new_tokens": 40, "details": True}}
MESSAGES = {
    "inputs": [{"role": "user", "content": "Say it. [stub:tokens=9]"}],
    "parameters": {"model": "placeholder", "max_tokens": 40},
}


def check_by_token(customer: Customer, operation: str) -> None:
    row, billed = customer.row(), customer.billed
    assert (row["operation"], row["model_id"]) == (operation, BY_TOKEN)
    assert (row["status"], row["usage_source"], row["priced"]) == ("ok", "provider", True)
    assert int(row["input_tokens"]) == billed["usage"]["inputTokens"]
    assert int(row["output_tokens"]) == billed["usage"]["outputTokens"]
    assert int(row["total_cost"]) == token_cost(billed) <= int(row["held"])
    assert billed["requestMetadata"]["request_id"] == row["request_id"]


def test_text(customer: Customer) -> None:
    answer = customer.call(BY_TOKEN, TEXT)

    assert answer.status_code == 200, answer.text
    assert len(answer.json()[0]["generated_text"]) > 20
    check_by_token(customer, "invoke_endpoint")


def test_messages(customer: Customer) -> None:
    answer = customer.call(BY_TOKEN, MESSAGES, messages_api="true")

    assert answer.status_code == 200, answer.text
    assert answer.json()[0]["generated_text"]
    check_by_token(customer, "invoke_endpoint")


@pytest.mark.parametrize("lines", ["", "[stub:lines]"], ids=["events", "lines"])
def test_streamed_text(customer: Customer, lines: str) -> None:
    body = {**TEXT, "inputs": TEXT["inputs"] + lines}
    whole = customer.call(BY_TOKEN, body).json()[0]["generated_text"]

    answer = customer.stream(BY_TOKEN, body)

    assert answer.json()[0]["generated_text"] == whole
    check_by_token(customer, "invoke_endpoint_with_response_stream")


def test_streamed_messages(customer: Customer) -> None:
    whole = customer.call(BY_TOKEN, MESSAGES, messages_api="true").json()[0]["generated_text"]

    answer = customer.stream(BY_TOKEN, MESSAGES, messages_api="true")

    assert answer.json()[0]["generated_text"].strip() == whole
    check_by_token(customer, "invoke_endpoint_with_response_stream")


def test_embeddings_by_the_request(customer: Customer) -> None:
    body = {"inputs": {"text_inputs": "a text"}, "parameters": {"mode": "embedding"}}

    answer = customer.call(BY_REQUEST, body, type="embeddings")

    assert answer.status_code == 200, answer.text
    assert len(answer.json()[0]["embedding"]) == 16
    row = customer.row()
    assert int(row["total_cost"]) == int(row["held"]) == REQUEST_RATE
    assert customer.billed["units"]["request"] == 1


def test_the_share_of_an_hour(customer: Customer) -> None:
    began = time.monotonic()
    answer = customer.call(BY_HOUR, {"inputs": "Say it. [stub:delay_ms=300]"})
    most = (time.monotonic() - began) * 1000

    assert answer.status_code == 200, answer.text
    row = customer.row()
    milliseconds, rest = divmod(int(row["total_cost"]), MACHINE_RATE)
    assert rest == 0
    assert customer.billed["units"]["machine_ms"] <= milliseconds <= most
    assert int(row["total_cost"]) < int(row["held"])


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_component_is_named_and_does_not_leak(customer: Customer, *, is_streamed: bool) -> None:
    parameters = {"max_new_tokens": 5, "InferenceComponentName": "adapter-1"}
    call = customer.stream if is_streamed else customer.call

    answer = call(BY_TOKEN, {"inputs": "Say it.", "parameters": parameters})

    assert answer.status_code == 200, answer.text
    assert customer.billed["requestMetadata"]["component"] == "adapter-1"


def test_a_component_that_the_endpoint_does_not_list_is_not_called(customer: Customer) -> None:
    before = len(customer.calls())
    parameters = {"max_new_tokens": 5, "InferenceComponentName": "adapter-9"}

    answer = customer.call(BY_TOKEN, {"inputs": "Say it.", "parameters": parameters})

    assert (answer.status_code, answer.json()["code"]) == (403, "model_not_allowed")
    assert len(customer.calls()) == before


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_new_tokens": 5, "best_of": 3},
        {"max_tokens": 5, "n": 4},
        {"max_completion_tokens": 5, "num_return_sequences": 2},
    ],
)
@pytest.mark.parametrize("mode", ["text", "messages"])
def test_every_answer_is_held(customer: Customer, parameters: dict[str, int], mode: str) -> None:
    chat = mode == "messages"
    inputs = [{"role": "user", "content": "Say it."}] if chat else "Say it."
    parameters = parameters if chat else {**parameters, "details": True}

    answer = customer.call(
        BY_TOKEN, {"inputs": inputs, "parameters": parameters}, messages_api=str(chat).lower()
    )

    assert answer.status_code == 200, answer.text
    row = customer.row()
    assert int(row["total_cost"]) == token_cost(customer.billed) <= int(row["held"])


@pytest.mark.parametrize(
    ("inputs", "parameters", "message"),
    [
        ("Say it.", {"max_new_tokens": 5, "max_tokens": 500}, "a second time; send one of them"),
        ("Say it.", {"max_new_tokens": 5, "num_beams": 9}, "unknown key 'num_beams'"),
        ("![a](https://example.com/a.png)", {"max_new_tokens": 5}, "by URL; allowed is data:"),
        ("![a](data:image/png;base64,AAAA)", {"max_new_tokens": 5}, "cannot be bounded in cost"),
    ],
)
def test_what_would_cost_more_than_is_held_is_refused(
    customer: Customer, inputs: str, parameters: dict[str, int], message: str
) -> None:
    before = len(customer.calls())

    answer = customer.call(BY_TOKEN, {"inputs": inputs, "parameters": parameters})

    assert answer.status_code == 400
    assert message in answer.json()["message"]
    assert len(customer.calls()) == before


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ("ThrottlingException", 429, "upstream_throttled"),
        ("ModelNotReadyException", 429, "upstream_throttled"),
        ("ServiceUnavailable", 503, "upstream_unavailable"),
        ("InternalFailure", 502, "upstream_failed"),
        ("ModelError", 502, "upstream_failed"),
        ("AccessDeniedException", 403, "upstream_denied"),
        ("ValidationError", 400, "upstream_validation"),
    ],
)
def test_what_the_service_says_failed_costs_nothing(
    customer: Customer, error: str, status: int, code: str
) -> None:
    answer = customer.call(BY_TOKEN, {"inputs": f"[stub:error={error}]"})

    assert answer.status_code == status
    assert answer.json()["code"] == code
    row = customer.row()
    assert (row["status"], row["error_code"], int(row["total_cost"])) == ("error", code, 0)
    assert customer.holds() == 0


def test_what_the_container_refuses_costs_nothing(customer: Customer) -> None:
    answer = customer.call(BY_REQUEST, {"inputs": {"no": "inputs"}})

    assert (answer.status_code, answer.json()["code"]) == (400, "upstream_validation")
    assert "missing field `inputs`" in answer.json()["message"]
    assert int(customer.row()["total_cost"]) == 0


@pytest.mark.parametrize("direction", ["cut=mid-stream", "error=ContainerTimeout"])
def test_a_call_that_nobody_knows_the_end_of_is_booked_at_its_hold(
    customer: Customer, direction: str
) -> None:
    answer = customer.call(BY_REQUEST, {"inputs": f"[stub:{direction}]"})

    assert answer.status_code in (502, 504)
    row = customer.row()
    assert (row["status"], int(row["total_cost"])) == ("orphaned", int(row["held"]))
    assert customer.holds() == 0


@pytest.mark.parametrize(
    "direction",
    [
        "cut=mid-stream",
        "error=ContainerError@mid-stream",
        "error=ModelStreamError@mid-stream",
    ],
)
def test_a_stream_that_breaks_is_estimated(customer: Customer, direction: str) -> None:
    answer = customer.stream(BY_TOKEN, {"inputs": f"Say it. [stub:tokens=40] [stub:{direction}]"})

    assert answer.status_code == 502, answer.text
    row = customer.row()
    assert (row["status"], row["usage_source"]) == ("aborted", "estimated")
    assert token_cost(customer.billed) <= int(row["total_cost"]) <= int(row["held"])
    assert customer.holds() == 0


def test_endpoints_are_listed_for_those_who_may_call_them(stack: LocalStack) -> None:
    def listed(tenant: str) -> set[str]:
        key = stack.keys[f"{tenant}/websearch/primary"]
        answer = requests.get(
            f"{stack.url}/list_foundation_models",
            headers={"x-api-key": key},
            timeout=PATIENCE_SECONDS,
        )
        return {summary["modelId"] for summary in answer.json()[0]["modelSummaries"]}

    endpoints = {BY_TOKEN, BY_REQUEST, BY_HOUR}
    assert listed("customer1") >= endpoints
    assert listed("customer2") & endpoints == {BY_REQUEST}
    assert "llama-70b" not in json.dumps(sorted(listed("customer1")))


def test_another_tenants_endpoints_are_refused(stack: LocalStack) -> None:
    key = stack.keys["customer2/websearch/primary"]
    answer = requests.post(
        f"{stack.url}/invoke_model",
        params={"model_id": BY_TOKEN},
        json=TEXT,
        headers={"x-api-key": key, "team_id": "customer2"},
        timeout=PATIENCE_SECONDS,
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "model_not_allowed")
