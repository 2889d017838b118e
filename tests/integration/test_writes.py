"""What one request writes: three single writes on the common path, whatever is limited."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
import requests
from botocore.client import BaseClient

from scripts.bench import ledger as bench
from scripts.bench.ledger import Bench, capacity_of
from scripts.local.provision import Emulator
from scripts.local.stack import LocalStack
from tests.fakes.world import NOW
from tests.waiting import PATIENCE_SECONDS, until, until_job_ends
from tollgate.adapters import tables
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.ids import new_request_id
from tollgate.domain.ledger import Hold, Scope
from tollgate.domain.tenants import Budget, Limits
from tollgate.services.ledger import Ledger, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts.local.ministack import MiniStack

pytestmark = pytest.mark.stack

MOST_WRITES = 3
READS = {"GetItem", "BatchGetItem", "Query", "Scan"}


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack() as running:
        yield running


def calls_of(stack: LocalStack, tenant: str, app: str) -> Counter[str]:
    """DynamoDB calls of a buffered request after the first, which creates what there is not."""

    def call() -> None:
        answer = requests.post(
            f"{stack.url}/invoke_model?model_id=amazon.nova-lite-v1:0",
            json={"inputs": "hello", "parameters": {"maxTokens": 20}},
            headers={"x-api-key": stack.keys[f"{tenant}/{app}/primary"], "team_id": tenant},
            timeout=PATIENCE_SECONDS,
        )
        assert answer.status_code == requests.codes.ok, answer.text

    call()
    return writes_of(call)


def test_a_buffered_call_takes_three_writes(stack: LocalStack) -> None:
    made = calls_of(stack, "customer1", "websearch")

    assert {name: count for name, count in made.items() if name not in READS} == {
        "UpdateItem": 2,
        "PutItem": 1,
    }
    # The authorizer's key; the policy is cached.
    assert sum(made[name] for name in READS) == 1


def test_polls_write_seldom_and_a_wait_writes_twice(stack: LocalStack) -> None:
    """What a client that reads a job as it grows adds to the writes of the job itself."""
    polls = 100
    name = "customer1/websearch/primary"
    with stack.stub.gate("polled") as gate:
        started = requests.post(
            f"{stack.url}/invoke_model?model_id=amazon.nova-lite-v1:0",
            json={"inputs": "[stub:gate=polled]", "parameters": {"maxTokens": 20}},
            headers={"x-api-key": stack.keys[name], "team_id": "customer1", "streaming": "true"},
            timeout=PATIENCE_SECONDS,
        ).json()
        until(lambda: gate.waiting == 1, "the call of the model")

        def poll(wait: int) -> requests.Response:
            return requests.get(
                f"{stack.url}/v1/jobs/{started[0]['request_id']}?wait={wait}",
                headers={"Authorization": f"Bearer {stack.keys[name]}"},
                timeout=PATIENCE_SECONDS,
            )

        poll(1)  # the tenant's first wait creates the item of them all
        at_once = writes_of(lambda: [poll(0) for _ in range(polls)])
        waiting = writes_of(lambda: poll(1))
        assert poll(0).json()["status"] == "running"
    # Its own writes must not be counted among those of the next test.
    until_job_ends(lambda: poll(1))

    # Blocks of 1, 2, 4, ... polls; one more series where a minute began meanwhile.
    assert at_once["UpdateItem"] <= 2 * (polls.bit_length() + polls // 60)
    assert waiting["UpdateItem"] <= 3
    assert at_once.keys() | waiting.keys() <= {"UpdateItem", *READS}


def writes_of(work: Callable[[], object]) -> Counter[str]:
    """DynamoDB calls while something is done."""
    made: Counter[str] = Counter()
    make_call = BaseClient._make_api_call  # noqa: SLF001 - where every SDK call passes

    def count(client: BaseClient, operation: str, parameters: Mapping[str, Any]) -> Any:
        if client.meta.service_model.service_name == "dynamodb":
            made[operation] += 1
        return make_call(client, operation, parameters)

    with patch.object(BaseClient, "_make_api_call", count):
        work()
    return made


def test_an_app_with_limits_of_its_own_takes_two_more(stack: LocalStack) -> None:
    made = calls_of(stack, "customer2", "codingbot")

    assert (made["UpdateItem"], made["PutItem"], made["TransactWriteItems"]) == (4, 1, 0)


@pytest.mark.parametrize("shards", [1, 8])
def test_shards_take_no_more_writes(ministack: MiniStack, shards: int) -> None:
    place = Bench(Emulator(ministack.endpoint_url))
    gateway = place.gateway(shards)
    for _ in range(60):  # every shard has its account
        gateway.request()

    taken = capacity_of(place, lambda: gateway, held=3)

    assert taken.writes == MOST_WRITES
    assert taken.calls == {"UpdateItem": 2, "PutItem": 1}


def test_a_refusal_takes_one_write_for_each_hold_that_it_gives_back(
    aws_client: Callable[[str], Any], make_table: Callable[[tables.TableSpec], str]
) -> None:
    client = aws_client("dynamodb")
    accounts = DynamoAccounts(client, make_table(tables.ACCOUNTS))
    ledger = Ledger(accounts, DynamoUsage(client, make_table(tables.USAGE)))
    scopes = [
        Scope("app#acme/web", Budget(), Limits(requests_per_day=20)),
        Scope("tenant#acme", Budget(), Limits(requests_per_minute=1)),
    ]

    def admit() -> None:
        hold = Hold(new_request_id(NOW), 1, 1, 0, "m.x", "web", "web/k", "d", streamed=False)
        ledger.admit(hold, scopes, NOW)

    admit()
    made: list[str] = []
    client.meta.events.register("before-call.dynamodb", lambda model, **_: made.append(model.name))
    with pytest.raises(RefusedError):
        admit()

    # The app's hold, the tenant's refusal, the app's withdrawal.
    assert made == ["UpdateItem"] * 3


@pytest.mark.slow
def test_the_bench_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--quick"]) == 0

    printed = capsys.readouterr().out
    assert "Machine: " in printed
    assert "one conditional write, shards 32" in printed
    assert "| oracle |" in printed
