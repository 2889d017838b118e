"""What a tenant's guardrail charges is in the ledger as it is in the stub's log, however called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local.stack import LocalStack
from tests.fakes.environments import with_guardrail
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.domain.money import usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.stack

NOVA = "amazon.nova-lite-v1:0"
# More than one unit of what goes in.
PROMPT = "Tell me about gateways. [stub:tokens=20] " + "word " * 400
PRICES = {
    "contentPolicyUnits": usd("0.00015"),
    "topicPolicyUnits": usd("0.00015"),
    "sensitiveInformationPolicyUnits": usd("0.0001"),
    "sensitiveInformationPolicyFreeUnits": 0,
    "wordPolicyUnits": 0,
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    environment = with_guardrail(tmp_path_factory.mktemp("environments"), "customer1")
    with LocalStack(environment, delta_seconds=0) as running:
        yield running


class Customer:
    """An app of the guarded tenant."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self._key = stack.keys["customer1/websearch/primary"]

    def post(self, path: str, body: object, **headers: str) -> requests.Response:
        credentials = {
            "x-api-key": self._key,
            "Authorization": f"Bearer {self._key}",
            "team_id": "customer1",
        }
        url = f"{self.stack.url}{path}"
        return requests.post(
            url, json=body, headers={**credentials, **headers}, timeout=PATIENCE_SECONDS
        )


def chat(customer: Customer) -> None:
    answer = customer.post(
        f"/model/{NOVA}/converse", {"messages": [{"role": "user", "content": [{"text": PROMPT}]}]}
    )
    assert answer.status_code == 200, answer.text


def streamed_chat(customer: Customer) -> None:
    answer = customer.post(
        "/v1/chat/completions",
        {"model": NOVA, "messages": [{"role": "user", "content": PROMPT}], "stream": True},
    )
    assert answer.text.rstrip().endswith("[DONE]"), answer.text


def job(customer: Customer) -> None:
    started = customer.post(
        f"/invoke_model?model_id={NOVA}",
        {"inputs": [{"role": "user", "content": [{"text": PROMPT}]}]},
        messages_api="true",
        streaming="true",
    )
    poll = f"/invoke_model?requestId={started.json()[0]['request_id']}"
    until(lambda: "generated_text" in customer.post(poll, {}).json()[0], "the job's answer")


NATIVE = {
    "messages": [{"role": "user", "content": [{"text": PROMPT}]}],
    "inferenceConfig": {"maxTokens": 60},
}


def native(customer: Customer) -> None:
    answer = customer.post(f"/model/{NOVA}/invoke", NATIVE)
    assert answer.status_code == 200, answer.text


def streamed_native(customer: Customer) -> None:
    answer = customer.post(f"/model/{NOVA}/invoke-with-response-stream", NATIVE)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("call", [chat, streamed_chat, job, native, streamed_native])
def test_the_ledger_has_what_the_guardrail_charged(
    stack: LocalStack, call: Callable[[Customer], None]
) -> None:
    call(Customer(stack))

    billed = stack.calls()[-1]
    row = newest_row(stack)
    assert billed["requestMetadata"]["request_id"] == row["request_id"]
    # Three policies that cost, of more than two units: the prompt's and the answer's.
    assert billed["units"]["contentPolicyUnits"] >= 3
    charged = sum(PRICES[policy] * units for policy, units in billed["units"].items())
    assert int(row["other_cost"]) == charged > 0
    assert (row["status"], row["priced"], row["usage_source"]) == ("ok", True, "provider")
    assert int(row["output_tokens"]) == billed["usage"]["outputTokens"]
    assert int(row["total_cost"]) <= int(row["held"])


def newest_row(stack: LocalStack) -> dict[str, Any]:
    items = stack.client("dynamodb").scan(TableName="tollgate-local-usage")["Items"]
    newest = max(items, key=lambda item: item["request_id"]["S"])
    return {name: next(iter(value.values())) for name, value in newest.items()}


def test_a_tenant_without_a_guardrail_pays_for_none(stack: LocalStack) -> None:
    key = stack.keys["customer2/websearch/primary"]
    answer = requests.post(
        f"{stack.url}/model/{NOVA}/converse",
        json={"messages": [{"role": "user", "content": [{"text": PROMPT}]}]},
        headers={"Authorization": f"Bearer {key}"},
        timeout=PATIENCE_SECONDS,
    )

    assert answer.status_code == 200
    assert stack.calls()[-1]["units"] == {}
    assert int(newest_row(stack)["other_cost"]) == 0


def test_endpoints_are_refused_where_there_is_a_guardrail(stack: LocalStack) -> None:
    answer = Customer(stack).post("/invoke_model?model_id=mistral-7b-instruct", {"inputs": "hi"})

    assert (answer.status_code, answer.json()["code"]) == (403, "guardrail_required")
