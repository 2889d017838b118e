"""Poison at every place at once, on the whole stack: its neighbours are booked and reported."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local.lambda_runtime import FunctionError
from scripts.local.provision import PREFIX
from scripts.local.stack import LocalStack
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.ids import new_request_id, usage_key
from tollgate.domain.ledger import Hold, Scope, Windows, new_account
from tollgate.domain.tenants import Budget, Limits
from tollgate_aggregate.files import hour_key, quarantine_key, request_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.stack

MODEL = "amazon.nova-lite-v1:0"
HELD = 7_000_000
# What is wrong with a row; the first two could be made by a caller before.
ROWS: dict[str, dict[str, Any]] = {
    "an id of 220,000 characters": {"requested_model": {"S": "m" * 220_000}},
    "a cost beyond 64 bits": {"total_cost": {"N": str(10**30)}},
    "another version": {"schema_version": {"N": "9"}},
    "a time that is none": {"settled_at": {"S": "never"}},
    "a map that is none": {"tags": {"S": "x"}},
}


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack() as running:
        yield running


def post(stack: LocalStack, query: str, **headers: str) -> Any:  # noqa: ANN401 - JSON
    key = stack.keys["customer1/websearch/primary"]
    answer = requests.post(
        f"{stack.url}/invoke_model?{query}",
        json={"inputs": "hello", "parameters": {"maxTokens": 20}},
        headers={"x-api-key": key, "team_id": "customer1", **headers},
        timeout=PATIENCE_SECONDS,
    )
    assert answer.status_code == requests.codes.ok, answer.text
    return answer.json()[0]


def spoil_rows(stack: LocalStack) -> list[str]:
    """Rows of this hour that nobody can read; returns their ids."""
    database, table = stack.client("dynamodb"), f"{PREFIX}-usage"
    items = [item for item in database.scan(TableName=table)["Items"] if "request_id" in item]
    ids = []
    for changes in ROWS.values():
        ids.append(new_request_id(datetime.now(UTC)))
        pk, sk = usage_key(ids[-1])
        row = {**items[0], **changes, "request_id": {"S": sk}, "pk": {"S": pk}, "sk": {"S": sk}}
        database.put_item(TableName=table, Item=row)
    return ids


def spoil_accounts(stack: LocalStack) -> tuple[str, str]:
    """An account that is none, and one with two expired holds; returns the good and the odd one."""
    database, table = stack.client("dynamodb"), f"{PREFIX}-accounts"
    now = datetime.now(UTC)
    windows, scope = Windows.at(now), Scope("tenant#neighbour", Budget(), Limits())
    accounts = DynamoAccounts(database, table)
    accounts.create(new_account(scope.account_id, windows))
    ids = new_request_id(now), new_request_id(now)
    for request_id in ids:
        hold = Hold(request_id, HELD, 9, 1, MODEL, "a", "a/k", "legacy.chat", streamed=False)
        accounts.admit(scope, hold, windows)
    key = {"account_id": {"S": scope.account_id}}
    item = copy.deepcopy(database.get_item(TableName=table, Key=key)["Item"])
    del item["holds"]["M"][ids[1]]["M"]["u"]
    database.put_item(TableName=table, Item=item)
    database.put_item(TableName=table, Item={"account_id": {"S": "tenant#broken"}})
    database.put_item(TableName=table, Item={"account_id": {"S": "?"}, "holds": {"N": "7"}})
    return ids


def spoil_queue(stack: LocalStack) -> None:
    queues = stack.client("sqs")
    for body in ("no JSON", "[]", '{"tenant_id": 7}'):
        queues.send_message(
            QueueUrl=stack.deployment.environment["JOBS_QUEUE_URL"],
            MessageBody=body,
            MessageGroupId="odd",
        )


def test_poison_at_every_place_harms_no_neighbour(stack: LocalStack) -> None:
    post(stack, f"model_id={MODEL}")
    odd_rows = spoil_rows(stack)
    good, odd = spoil_accounts(stack)
    spoil_queue(stack)

    job = post(stack, f"model_id={MODEL}", streaming="true")["request_id"]
    until(lambda: "generated_text" in post(stack, f"requestId={job}"), "the end of the job")
    with pytest.raises(FunctionError, match="IncompleteError.*'orphaned': 1.*'failed': 3"):
        stack.sweep()

    usage = DynamoUsage(stack.client("dynamodb"), f"{PREFIX}-usage")
    booked = usage.get(good)
    assert booked is not None
    assert (booked.status, booked.total_cost) == ("orphaned", HELD)
    assert usage.get(odd) is None
    report = stack.aggregate()
    assert (report["failed"], report["quarantined"]) == ([], len(odd_rows))
    lake, bucket = stack.client("s3"), stack.deployment.environment["LAKE_BUCKET"]
    hours = [datetime.fromtimestamp(int(i.replace("-", "")[:12], 16) / 1000, UTC) for i in odd_rows]
    for hour, row_id in zip(hours, odd_rows, strict=True):
        lake.head_object(Bucket=bucket, Key=quarantine_key(hour, row_id))
    found = set[str]()
    for hour in {hour.replace(minute=0, second=0, microsecond=0) for hour in hours}:
        file = lake.get_object(Bucket=bucket, Key=hour_key(hour))["Body"].read()
        found |= request_ids(file)
    assert {good, job} <= found
    assert not found & set(odd_rows)
