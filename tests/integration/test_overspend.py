"""64 threads in four processes call `converse` on one budget: nothing is spent above it.

The ledger is compared with the model service's own log, to the picodollar.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.ministack import ACCOUNT_ID, REGION, MiniStack
from scripts.local.provision import INVOCATION_LOGS_BUCKET, Emulator, provision
from scripts.local.stubs.bedrock.invocation_logs import InvocationLogs
from scripts.local.stubs.bedrock.server import BedrockStub
from tests.fakes.stored import items
from tests.integration.chat_spender import (
    Spree,
    become_a_function,
    certain_requests,
    spend,
    sweep_until_nothing_is_held,
)
from tests.kill_matrix import billed_usage, mismatches, price
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.domain.ledger import Account, account_owner, is_tenant_account
from tollgate.domain.money import usd
from tollgate.domain.usage import UsageRow, from_item
from tollgate.entry.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.stack]

PROCESSES = 4
THREADS = 16
# About a third of what the requests of a tenant would cost.
BUDGETS = {"few": "0.0008", "many": "0.008"}
REQUESTS = {"few": 24, "many": 800}
SHARDS = 4
_SETTINGS = """
prefix = "tollgate-local"
tiers  = { pro = { budget = {}, limits = {}, max_tokens = {} } }
"""
_TENANT = """
name        = "T"
kind        = "team"
cost_center = "CC-1"
tier        = "pro"
models      = ["*"]
budget      = {{ {window}_usd = "{budget}" }}
shards      = {shards}
apps        = {{ web = {{ keys = {{ primary = {{}} }}, {app} }} }}
"""


def tenants(size: str) -> dict[str, str]:
    """By name: one account; an app with the tighter budget; shards."""
    budget = BUDGETS[size]
    limited = f'budget = {{ day_usd = "{budget}" }}'
    return {
        "one": _TENANT.format(window="month", budget=budget, shards=1, app=""),
        "app": _TENANT.format(window="month", budget="1", shards=1, app=limited),
        "shards": _TENANT.format(window="day", budget=budget, shards=SHARDS, app=""),
    }


class Town:
    """An emulator, a model service that keeps a log, and four processes of the function."""

    def __init__(
        self, emulator: Emulator, environment: Mapping[str, str], stub: BedrockStub
    ) -> None:
        self._emulator = emulator
        self._environment = environment
        self.stub = stub
        self.pool: ProcessPoolExecutor

    @contextmanager
    def processes(self, aws: Mapping[str, str]) -> Iterator[Town]:
        context = multiprocessing.get_context("spawn")
        environment = {
            **aws,
            **self._environment,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.stub.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
            "POWERTOOLS_METRICS_NAMESPACE": "Tollgate",
        }
        with ProcessPoolExecutor(
            PROCESSES,
            mp_context=context,
            initializer=become_a_function,
            initargs=(context.Barrier(PROCESSES), environment),
        ) as self.pool:
            yield self

    def spend(self, tenant: str, requests: int, seed: int) -> Counter[str]:
        """Have all processes spend, and all holds ended; returns how the requests ended."""
        sprees = [
            Spree(process, tenant, "web", requests, THREADS, seed) for process in range(PROCESSES)
        ]
        outcomes = sum(self.pool.map(spend, sprees), Counter[str]())
        self.pool.submit(sweep_until_nothing_is_held, None).result()
        return outcomes

    def accounts(self, tenant: str) -> list[Account]:
        table = self._environment["ACCOUNTS_TABLE"]
        accounts = DynamoAccounts(self._emulator.client("dynamodb"), table).scan()
        return [each for each in accounts if account_owner(each.account_id) == tenant]

    def rows(self, tenant: str) -> dict[str, UsageRow]:
        stored = items(self._emulator.client("dynamodb"), self._environment["USAGE_TABLE"])
        rows = [from_item(item) for item in stored if item["pk"].startswith("USAGE#")]
        return {row.request_id: row for row in rows if row.tenant_id == tenant}

    def calls(self, tenant: str) -> list[dict[str, Any]]:
        """The model service's own log."""
        return [
            call for call in self.stub.calls() if call["requestMetadata"].get("tenant") == tenant
        ]


@contextmanager
def a_town(folder: Path, size: str) -> Iterator[Town]:
    (folder / "env.tfvars").write_text(_SETTINGS)
    (folder / "tenants").mkdir()
    for name, text in tenants(size).items():
        (folder / "tenants" / f"{name}.tfvars").write_text(text)
    with MiniStack() as ministack:
        emulator = Emulator(ministack.endpoint_url)
        deployment = provision(emulator, folder, invocation_logs=True)
        logs = InvocationLogs(emulator.client("s3"), INVOCATION_LOGS_BUCKET, ACCOUNT_ID, REGION)
        with BedrockStub(delta_seconds=0.0005, publish=logs.write) as stub:
            town = Town(emulator, deployment.environment, stub)
            with town.processes(ministack.aws_environment):
                yield town


@pytest.fixture(scope="module")
def small_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with a_town(tmp_path_factory.mktemp("town"), "few") as town:
        yield town


@pytest.fixture(scope="module")
def large_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with a_town(tmp_path_factory.mktemp("town"), "many") as town:
        yield town


def check(town: Town, tenant: str, size: str, seed: int) -> None:
    first_day = utc_now().date()

    outcomes = town.spend(tenant, REQUESTS[size], seed)

    days = (utc_now().date() - first_day).days + 1
    print(f"seed {seed}: {dict(sorted(outcomes.items()))}")
    assert sum(outcomes.values()) == PROCESSES * REQUESTS[size] + certain_requests(PROCESSES)
    assert min(outcomes[how] for how in ("200", "200 streamed", "aborted", "replayed")) > 0
    assert outcomes["402 budget_exceeded"] + outcomes["429 budget_held"] > 0
    assert outcomes["500 internal_error"] == 0
    rows = town.rows(tenant)
    billed = dict(billed_usage(town.calls(tenant)))
    assert list(mismatches(billed, rows)) == []
    spent = sum(row.total_cost for row in rows.values())
    assert spent == sum(map(price, billed.values())) <= days * usd(BUDGETS[size])
    accounts = town.accounts(tenant)
    for account in accounts:
        assert account.holds == {}
        assert account.month_committed == account.month_spent
        assert account.day_committed == account.day_spent
    if days == 1:
        check_accounts(accounts, spent, len(rows))


def check_accounts(accounts: list[Account], spent: int, requests: int) -> None:
    """What the tenant's accounts counted together, and the app's by itself."""
    of_tenant = [each for each in accounts if is_tenant_account(each.account_id)]
    of_app = [each for each in accounts if not is_tenant_account(each.account_id)]
    for counting in filter(None, (of_tenant, of_app)):
        assert sum(each.month_spent - each.month_carried for each in counting) == spent
        assert sum(each.day_spent - each.day_carried for each in counting) == spent
        assert sum(each.day_requests for each in counting) == requests


@pytest.mark.parametrize("tenant", ["one", "app", "shards"])
def test_nothing_is_spent_above_a_budget(small_town: Town, tenant: str) -> None:
    check(small_town, tenant, "few", seed=int.from_bytes(os.urandom(4)))


@pytest.mark.soak
@pytest.mark.parametrize("tenant", ["one", "app", "shards"])
def test_nothing_is_spent_above_a_budget_for_long(large_town: Town, tenant: str) -> None:
    check(large_town, tenant, "many", seed=int.from_bytes(os.urandom(4)))
