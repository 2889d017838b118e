"""What DynamoDB would refuse of a tier's load: nothing, with the shards that the tier has.

Calls arrive and end on a clock of ours, in front of a meter that refuses beyond what DynamoDB
writes for one item in a second, so that no verdict depends on how fast this machine is.
"""

from __future__ import annotations

import heapq
import json
import random
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from scripts.bench.dynamodb_meter import ITEM_WRITE_UNITS_PER_SECOND
from scripts.tenants import files
from scripts.tenants.policies import merged_policy
from scripts.tenants.rules import REPOSITORY
from tests.aws.throttling import THROTTLED, Throttle
from tests.fakes.jobs import FakePayloads, FakeQueue
from tests.fakes.ledger import FakeTenants
from tests.fakes.stored import make_table
from tests.fakes.world import NOVA_LITE, FakeRuntime, caller
from tollgate.adapters import aws, tables
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.jobs import DynamoJobs, DynamoJobTexts
from tollgate.adapters.kms import KmsTexts
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.errors import UnavailableError
from tollgate.domain.prices import load_default
from tollgate.domain.tenants import Tenant, parse_tenant
from tollgate.services.admission import Admission
from tollgate.services.calls import AdmittedCall, Calls
from tollgate.services.jobs import SUBMIT_LEASE_SECONDS, JobRunner, JobSubmitter
from tollgate.services.ledger import Ledger
from tollgate.services.policy import Policies
from tollgate.services.shapes import ChatCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.local.ministack import MiniStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("dynamodb-load")]

# What the tier is for; its limits are above it.
A_SECOND = 50
# As long as lets most of the tier's calls at once be taken.
CALL_SECONDS = (2.5, 4.5)
CALL = ChatCall(
    model=NOVA_LITE,
    body={"messages": [{"role": "user", "content": [{"text": "hello"}]}]},
    max_tokens=40,
    dialect="openai.chat",
)


def enterprise(**changes: Any) -> Tenant:
    """A tenant of the example tier, its own numbers left out."""
    tier = files.load_settings(REPOSITORY / "envs" / "prod").tiers["enterprise"]
    content = {
        "name": "Acme",
        "kind": "customer",
        "cost_center": "CC-1",
        "tier": "enterprise",
        "models": ["*"],
        "apps": {"web": {"keys": {"primary": {}}}},
        **changes,
    }
    return parse_tenant(json.dumps(merged_policy("acme", content, tier)))


class Gateway:
    """Admission and settlement on tables of its own, behind the meter."""

    def __init__(self, database: Any, throttle: Throttle, *policies: Tenant) -> None:
        self.throttle = throttle
        self.database = database
        self.accounts_table = make_table(database, tables.ACCOUNTS)
        self.usage_table = make_table(database, tables.USAGE)
        self.accounts = DynamoAccounts(database, self.accounts_table)
        ledger = Ledger(self.accounts, DynamoUsage(database, self.usage_table))
        shared: dict[str, Any] = {
            "ledger": ledger,
            "prices": load_default(),
            "region": "us-east-1",
            "clock": throttle.clock,
        }
        self.policies = Policies(FakeTenants(*policies), throttle.clock)
        self.admission = Admission(policies=self.policies, **shared)
        self.calls = Calls(runtime=FakeRuntime(), account_id="123456789012", **shared)  # type: ignore[arg-type]

    def rows(self) -> int:
        """How many calls were booked."""
        return sum(
            page["Count"]
            for page in self.database.get_paginator("scan").paginate(
                TableName=self.usage_table, Select="COUNT"
            )
        )


@pytest.fixture
def throttle() -> Throttle:
    return Throttle()


@pytest.fixture
def database(
    ministack: MiniStack, throttle: Throttle, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The product's own client, so that its tries are those that are deployed."""
    for name, value in ministack.aws_environment.items():
        monkeypatch.setenv(name, value)
    with throttle.in_front():
        yield aws.dynamodb()


@dataclass
class Report:
    """What became of a load."""

    settled: int = 0
    unavailable: int = 0
    most_at_once: int = 0
    refused: list[Exception] = field(default_factory=list)


def load(gateway: Gateway, seconds: int, seed: int = 7) -> Report:
    """So many calls a second arrive, each at a time of its own, and end some seconds later."""
    # The same load in every run, not a secret.
    chance = random.Random(seed)  # noqa: S311
    number, report = count(), Report()
    began = gateway.throttle.now
    # When, a number that tells two of a moment apart, and the call that ends, None for an arrival.
    events: list[tuple[float, int, AdmittedCall | None]] = [
        (second + chance.random(), next(number), None)
        for second in range(seconds)
        for _ in range(A_SECOND)
    ]
    heapq.heapify(events)
    running = 0
    while events:
        moment, _, ending = heapq.heappop(events)
        behind = moment - (gateway.throttle.now - began).total_seconds()
        gateway.throttle.pause(max(behind, 0.0))
        if ending is not None:
            gateway.calls.run(ending)
            running -= 1
            report.settled += 1
            continue
        try:
            admitted = gateway.admission.admit(caller(), CALL, streamed=False)
        except UnavailableError:
            report.unavailable += 1
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            report.refused.append(error)
        else:
            running += 1
            report.most_at_once = max(report.most_at_once, running)
            heapq.heappush(events, (moment + chance.uniform(*CALL_SECONDS), next(number), admitted))
    return report


def check(gateway: Gateway, report: Report, calls: int) -> None:
    throttle = gateway.throttle
    print(
        f"{calls} calls, {report.most_at_once} at once: at most {throttle.peak} units a second for "
        f"a key, {sum(throttle.refusals.values())} writes refused"
    )
    assert (report.settled, report.unavailable, report.refused) == (calls, 0, [])
    assert throttle.refusals == {}
    assert throttle.peak <= ITEM_WRITE_UNITS_PER_SECOND
    check_books(gateway, calls)


def check_books(gateway: Gateway, calls: int) -> None:
    """All that was admitted is booked, and nothing is held."""
    accounts = list(gateway.accounts.scan())
    assert gateway.rows() == calls
    assert not any(account.holds for account in accounts)
    spent = sum(account.month_spent - account.month_carried for account in accounts)
    committed = sum(account.month_committed - account.month_carried for account in accounts)
    assert spent == committed > 0


def test_the_meter_refuses_beyond_what_dynamodb_writes(database: Any, throttle: Throttle) -> None:
    table = make_table(database, tables.ACCOUNTS)
    large = {"account_id": {"S": "a"}, "x": {"S": "x" * 99 * 1024}}
    for _ in range(10):
        database.put_item(TableName=table, Item=large)
    assert throttle.peak == ITEM_WRITE_UNITS_PER_SECOND
    # The SDK pauses, and what it then sends is of another second.
    with patch.object(throttle, "pause", lambda _: Throttle.pause(throttle, 1)):
        database.put_item(TableName=table, Item=large)
    assert sum(throttle.refusals.values()) == 1

    for _ in range(9):
        database.put_item(TableName=table, Item=large)
    with patch.object(throttle, "pause"), pytest.raises(ClientError, match=THROTTLED):
        database.put_item(TableName=table, Item=large)
    assert throttle.peak == ITEM_WRITE_UNITS_PER_SECOND
    # Another key has units of its own.
    database.put_item(TableName=table, Item={"account_id": {"S": "b"}})


def test_seconds_of_the_example_tiers_rate_are_served(database: Any, throttle: Throttle) -> None:
    gateway = Gateway(database, throttle, enterprise())

    check(gateway, load(gateway, seconds=2), 2 * A_SECOND)


@pytest.mark.soak
def test_a_minute_of_the_example_tiers_rate_is_served(database: Any, throttle: Throttle) -> None:
    gateway = Gateway(database, throttle, enterprise())

    report = load(gateway, seconds=60)

    check(gateway, report, 60 * A_SECOND)
    assert report.most_at_once > 150


@pytest.mark.soak
def test_from_one_account_it_could_not_be_and_no_money_is_lost(
    database: Any, throttle: Throttle
) -> None:
    gateway = Gateway(database, throttle, replace(enterprise(), shards=1))

    report = load(gateway, seconds=6)

    assert throttle.refusals
    assert report.refused == []
    # What DynamoDB refuses at an admission holds nothing; at a settlement, the hold stays.
    accounts = list(gateway.accounts.scan())
    held = sum(len(account.holds) for account in accounts)
    assert report.settled == gateway.rows() == 6 * A_SECOND - report.unavailable
    assert sum(account.day_requests for account in accounts) == report.settled
    assert sum(account.month_committed - account.month_spent for account in accounts) == sum(
        hold.usd for account in accounts for hold in account.holds.values()
    )
    print(f"{report.unavailable} of {6 * A_SECOND} calls were 503, {held} were left to the sweep")


@pytest.mark.soak
def test_the_queued_jobs_of_a_thousand_tenants_are_run(database: Any, throttle: Throttle) -> None:
    names = [f"tenant-{number:04d}" for number in range(1_000)]
    gateway = Gateway(database, throttle, *(replace(enterprise(), tenant_id=n) for n in names))
    streams = make_table(database, tables.STREAMS)
    jobs, payloads, queue = DynamoJobs(lambda _: database, streams), FakePayloads(), FakeQueue()
    submitter = JobSubmitter(gateway.calls, jobs, payloads, queue)
    runner = JobRunner(
        calls=gateway.calls,
        jobs=jobs,
        texts=DynamoJobTexts(lambda _: database, streams, KmsTexts(no_key)),
        payloads=payloads,
        policies=gateway.policies,
        clock=throttle.clock,
        sleep=throttle.pause,
    )
    for name in names:
        admitted = gateway.admission.admit(
            caller(name), CALL, lease_seconds=SUBMIT_LEASE_SECONDS, streamed=True
        )
        submitter.submit(admitted)
    for tenant_id, job_id in queue.sent:
        runner.run(tenant_id, job_id)

    ended = [jobs.get(*sent) for sent in queue.sent]
    assert {job.status for job in ended if job is not None} == {"succeeded"}
    assert len(ended) == len(names)
    assert throttle.refusals == {}
    check_books(gateway, len(names))
    print(f"{len(names)} jobs in a second of ours: at most {throttle.peak} units for a key")


def no_key(_: str) -> Any:
    raise AssertionError("these tenants have no keys of their own")
