"""What admitting and settling a request costs: processor, DynamoDB calls, write units, throughput.

    make bench                     some minutes
    make bench ARGS=--quick        some seconds; only to see that it works

The real admission and settlement run, with a model that answers at once. "in memory" puts fakes in
the place of the tables, which leaves our own processor time; "DynamoDB" is the real adapters on
MiniStack, whose own work is another process's. It runs on this machine too, is far slower than the
service and knows no limits, so that requests per second here only compare; what AWS allows is
worked out from its published limit for one item. "two transactions" is the plain alternative.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import platform
import statistics
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "functions" / "shared") not in sys.path:
    sys.path.insert(0, str(ROOT / "functions" / "shared"))

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (  # noqa: E402
    AmazonCloudWatchEMFProvider,
)

from scripts.bench import starvation  # noqa: E402
from scripts.bench.dynamodb_meter import (  # noqa: E402
    ITEM_WRITE_UNITS_PER_SECOND,
    TRANSACTION_FACTOR,
    WRITE_UNIT_BYTES,
    Meter,
)
from scripts.bench.logs import errors_only  # noqa: E402
from scripts.bench.transactions import Tables, TransactionLedger  # noqa: E402
from scripts.local.ministack import MiniStack  # noqa: E402
from scripts.local.provision import Emulator  # noqa: E402
from tests.fakes.ledger import FakeAccounts, FakeTenants, FakeUsage  # noqa: E402
from tests.fakes.world import NOVA_LITE, FakeRuntime, caller, tenant  # noqa: E402
from tollgate.adapters import tables  # noqa: E402
from tollgate.adapters.accounts import DynamoAccounts  # noqa: E402
from tollgate.adapters.usage import DynamoUsage  # noqa: E402
from tollgate.domain.ids import new_request_id  # noqa: E402
from tollgate.domain.ledger import Hold, Scope, Windows, tenant_account_id  # noqa: E402
from tollgate.domain.money import PICO_PER_USD  # noqa: E402
from tollgate.domain.prices import load_default  # noqa: E402
from tollgate.domain.tenants import Budget, Limits, Tenant  # noqa: E402
from tollgate.entry.clock import utc_now  # noqa: E402
from tollgate.services.admission import Admission  # noqa: E402
from tollgate.services.calls import Calls  # noqa: E402
from tollgate.services.ledger import Ledger  # noqa: E402
from tollgate.services.metering import Attribution, Outcome, usage_row  # noqa: E402
from tollgate.services.policy import Policies  # noqa: E402
from tollgate.services.shapes import ChatCall  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from tollgate.ports import Accounts, Usage

ONE_WRITE = "one conditional write"
TWO_TRANSACTIONS = "two transactions"
REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
SHARDS = (1, 8, 32)
TRANSACTION_SECONDS = 0.01
"""A usual latency of a transaction on AWS."""
OPEN_HOLDS = (0, 10, 50, 200)
CALL_SECONDS = (0.5, 2.0, 10.0)
WRITE_UNIT_USD_PER_MILLION = 0.625  # on demand, us-east-1

# Everything is limited, so that every check takes part, and nothing is ever refused.
PLENTY = 10**9
BUDGET = Budget(month=10**6 * PICO_PER_USD, day=10**6 * PICO_PER_USD)
LIMITS = Limits(PLENTY, PLENTY, 10**12, PLENTY)
CALL = ChatCall(
    model=NOVA_LITE,
    body={"messages": [{"role": "user", "content": [{"text": "What does a bushel weigh? " * 40}]}]},
    max_tokens=1000,
    dialect="legacy.chat",
)


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    runs: int
    requests_in_memory: int
    requests: int
    seconds: float
    threads: int
    open_holds: tuple[int, ...] = OPEN_HOLDS
    sessions: int = 24
    turns: int = 60


FULL = Effort(runs=7, requests_in_memory=500, requests=150, seconds=4.0, threads=16)
QUICK = Effort(
    runs=1,
    requests_in_memory=20,
    requests=3,
    seconds=0.1,
    threads=2,
    open_holds=(0, 10),
    sessions=2,
    turns=10,
)


class Gateway:
    """Admission and settlement of one tenant over some accounts and usage."""

    def __init__(self, accounts: Accounts, usage: Usage, policy: Tenant) -> None:
        ledger = Ledger(accounts, usage)
        prices = load_default()
        self.admission = Admission(
            policies=Policies(FakeTenants(policy), utc_now),
            ledger=ledger,
            prices=prices,
            region=REGION,
            clock=utc_now,
        )
        self.calls = Calls(
            ledger=ledger,
            runtime=FakeRuntime(),
            prices=prices,
            region=REGION,
            account_id=ACCOUNT_ID,
            clock=utc_now,
        )

    def admit(self) -> Any:  # noqa: ANN401 - an AdmittedCall
        """A call that is admitted and not settled."""
        return self.admission.admit(caller(), CALL, streamed=False)

    def request(self) -> None:
        """One whole request."""
        self.calls.run(self.admit())


class Transactions:
    """The same request on the plain alternative; its policy and prices are left out."""

    def __init__(self, client: DynamoDBClient, names: Tables) -> None:
        self._ledger = TransactionLedger(client, names)
        self._scope = Scope("tenant#acme", BUDGET, replace(LIMITS, concurrent_requests=None))
        self._ledger.create(self._scope.account_id, Windows.at(utc_now()))
        who = caller()
        self._hold = Hold(
            "", PICO_PER_USD, 2000, 0, CALL.model, who.app_id, who.key_id, CALL.dialect, False
        )
        self._attribution = Attribution(
            who.tenant_id, who.tier, "CC-1", {}, REGION, ACCOUNT_ID, "v"
        )

    def admit(self) -> tuple[Hold, datetime]:
        """A hold that is placed and not settled."""
        now = utc_now()
        expires_at = int(now.timestamp()) + 300
        hold = replace(self._hold, request_id=new_request_id(now), expires_at=expires_at)
        self._ledger.admit(self._scope, hold, Windows.at(now))
        return hold, now

    def request(self) -> None:
        """One whole request."""
        hold, now = self.admit()
        row = usage_row(hold, self._attribution, Outcome(status="ok", http_status=200), now)
        self._ledger.settle(self._scope, hold, row)


class Bench:
    """Gateways on fresh tables of one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self.client: DynamoDBClient = emulator.client("dynamodb")

    def gateway(self, shards: int = 1) -> Gateway:
        """The real ledger, on tables of its own."""
        accounts, usage = self._table(tables.ACCOUNTS), self._table(tables.USAGE)
        policy = tenant(budget=BUDGET, limits=LIMITS, shards=shards)
        return Gateway(
            DynamoAccounts(self.client, accounts), DynamoUsage(self.client, usage), policy
        )

    def transactions(self) -> Transactions:
        """The plain alternative, on tables of its own."""
        names = Tables(self._table(tables.ACCOUNTS), self._table(tables.USAGE))
        return Transactions(self.client, names)

    def _table(self, spec: tables.TableSpec) -> str:
        name = f"{spec.name}-{uuid4().hex[:8]}"
        keys = [(spec.hash_key, "HASH"), (spec.range_key, "RANGE")]
        present = [(attribute, kind) for attribute, kind in keys if attribute is not None]
        self.client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": attribute, "AttributeType": "S"} for attribute, _ in present
            ],
            KeySchema=[
                {"AttributeName": attribute, "KeyType": kind}  # type: ignore[typeddict-item]
                for attribute, kind in present
            ],
        )
        return name


# --- Measuring --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Time:
    """Medians for one request, in milliseconds."""

    processor: float
    wall: float


def time_of(request: Callable[[], object], requests: int, runs: int) -> Time:
    """Time requests one after the other; the first is not counted."""
    request()
    processor, wall = [], []
    for _ in range(runs):
        started = time.thread_time(), time.perf_counter()
        for _ in range(requests):
            request()
        processor.append((time.thread_time() - started[0]) / requests * 1000)
        wall.append((time.perf_counter() - started[1]) / requests * 1000)
    return Time(statistics.median(processor), statistics.median(wall))


@dataclass(frozen=True)
class Capacity:
    """What one request takes of DynamoDB; `account_bytes` is the size of the account's item."""

    calls: dict[str, int]
    writes: int
    write_units: float
    account_bytes: int


def capacity_of(bench: Bench, make: Callable[[], Gateway | Transactions], held: int) -> Capacity:
    """What the last of some requests takes while `held` others run."""
    meter = Meter()
    meter.watch(bench.client)
    design = make()
    for _ in range(held):
        design.admit()
    design.request()
    meter.reset()
    design.request()
    meter.stop(bench.client)
    return Capacity(
        dict(meter.calls), meter.writes, meter.write_units, meter.size_of(tenant_account_id("acme"))
    )


def cheaper_up_to(empty: int, each: float) -> int:
    """The most calls running on an account with which one-write requests take fewer units."""
    row_units = 1
    plain_units = TRANSACTION_FACTOR * 6
    account_units = (plain_units - 1 - row_units) // 2
    return int((account_units * WRITE_UNIT_BYTES - empty) // each)


def aws_limit(account_bytes: Callable[[float], float], shards: int, seconds: float) -> float:
    """Requests a second that an account's items take on AWS, with calls of so many seconds.

    A request writes one item twice. `account_bytes` is an item's size with so many calls running.
    """
    rate = 0.0
    while True:
        faster = rate + 0.5
        units = math.ceil(account_bytes(faster * seconds) / WRITE_UNIT_BYTES)
        if 2 * faster * max(units, 1) > ITEM_WRITE_UNITS_PER_SECOND:
            return rate * shards
        rate = faster


@dataclass(frozen=True)
class Throughput:
    """Requests of many threads at once."""

    per_second: float
    median_ms: float
    slow_ms: float
    failed: int


def throughput_of(request: Callable[[], object], effort: Effort) -> Throughput:
    """Run requests in threads for a while."""
    request()
    latencies: list[float] = []
    failures: list[Exception] = []
    start = threading.Barrier(effort.threads + 1)
    ends = time.perf_counter() + effort.seconds

    def work() -> None:
        start.wait()
        while time.perf_counter() < ends:
            began = time.perf_counter()
            try:
                request()
            except Exception as error:  # noqa: BLE001 - counted, whatever it is
                failures.append(error)
            else:
                latencies.append(time.perf_counter() - began)

    workers = [threading.Thread(target=work) for _ in range(effort.threads)]
    for worker in workers:
        worker.start()
    began = time.perf_counter()
    start.wait()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    ordered = sorted(latencies) or [0.0]
    return Throughput(
        per_second=len(latencies) / took,
        median_ms=ordered[len(ordered) // 2] * 1000,
        slow_ms=ordered[int(len(ordered) * 0.95)] * 1000,
        failed=len(failures),
    )


# --- Report -----------------------------------------------------------------------------------


def machine() -> str:
    """The machine in one line, and how busy it is."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}, load {load}"


def report(bench: Bench, effort: Effort) -> Iterator[str]:
    """The report's lines, as they become known."""
    policy = tenant(budget=BUDGET, limits=LIMITS)
    designs: dict[str, Callable[[], Gateway | Transactions]] = {
        ONE_WRITE: bench.gateway,
        TWO_TRANSACTIONS: bench.transactions,
    }
    yield f"Machine: {machine()}"
    yield ""
    yield f"Time of one request (admit and settle), medians of {effort.runs} runs, one at a time:"
    yield ""
    yield f"{'':<34}{'CPU ms':>9}{'wall ms':>9}"
    in_memory = Gateway(FakeAccounts(), FakeUsage(), policy)
    yield _time("in memory", time_of(in_memory.request, effort.requests_in_memory, effort.runs))
    for name, make in designs.items():
        measured = time_of(make().request, effort.requests, effort.runs)
        yield _time(f"DynamoDB, {name}", measured)
    yield ""
    yield "DynamoDB for one request, and list price of a million, by calls running at once:"
    yield ""
    yield f"{'':<26}{'running':>8}{'writes':>8}{'units':>7}{'$ / 1M':>9}  calls"
    sizes: dict[int, int] = {}
    for name, make in designs.items():
        for held in effort.open_holds:
            taken = capacity_of(bench, make, held)
            if name == ONE_WRITE:
                sizes[held] = taken.account_bytes
            yield _capacity(name, held, taken)
    empty, most = sizes[0], max(sizes)
    each = (sizes[most] - empty) / most
    yield ""
    yield (
        f"An account is {empty} bytes and {each:.0f} more for each running call: up to "
        f"{cheaper_up_to(empty, each)} calls running on it take fewer units than two transactions."
    )
    yield ""
    yield "Requests per second on AWS, from 1000 write units a second for one item:"
    yield ""
    yield f"{'calls of':<34}" + "".join(f"{seconds:>8g} s" for seconds in CALL_SECONDS)
    for shards in SHARDS:
        limits = [
            aws_limit(lambda running: empty + each * running, shards, seconds)
            for seconds in CALL_SECONDS
        ]
        yield f"{ONE_WRITE + f', shards {shards}':<34}" + "".join(f"{n:>10.0f}" for n in limits)
    # The counters stay small and change twice, for two units each time. But a transaction fails
    # where another one on the same item is under way, so they come one after the other.
    plain = {
        "no conflicts": ITEM_WRITE_UNITS_PER_SECOND / 2 / TRANSACTION_FACTOR,
        "one by one": 1 / (2 * TRANSACTION_SECONDS),
    }
    for how, limit in plain.items():
        name = f"{TWO_TRANSACTIONS}, {how}"
        yield f"{name:<34}" + f"{limit:>10.0f}" * len(CALL_SECONDS)
    yield ""
    yield f"Requests per second here, {effort.threads} threads for {effort.seconds:g} s:"
    yield ""
    yield f"{'':<34}{'req / s':>9}{'p50 ms':>9}{'p95 ms':>9}{'failed':>8}"
    for shards in SHARDS:
        design = bench.gateway(shards)
        yield _throughput(f"{ONE_WRITE}, shards {shards}", design.request, effort)
    yield _throughput(TWO_TRANSACTIONS, bench.transactions().request, effort)
    yield ""
    yield "Coding agents: calls that a budget admits, by the way their worst case is held:"
    yield ""
    turns = starvation.trace(7, effort.sessions, effort.turns, 30)
    yield starvation.table(turns, [5 * PICO_PER_USD, 20 * PICO_PER_USD])


def _time(name: str, measured: Time) -> str:
    return f"{name:<34}{measured.processor:>9.2f}{measured.wall:>9.2f}"


def _capacity(name: str, held: int, taken: Capacity) -> str:
    calls = ", ".join(f"{count} {operation}" for operation, count in sorted(taken.calls.items()))
    price = taken.write_units * WRITE_UNIT_USD_PER_MILLION
    return f"{name:<26}{held:>8}{taken.writes:>8}{taken.write_units:>7g}{price:>9.3f}  {calls}"


def _throughput(name: str, request: Callable[[], None], effort: Effort) -> str:
    measured = throughput_of(request, effort)
    return (
        f"{name:<34}{measured.per_second:>9.0f}{measured.median_ms:>9.1f}{measured.slow_ms:>9.1f}"
        f"{measured.failed:>8}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.ledger",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="measure hardly anything")
    effort = QUICK if parser.parse_args(arguments).quick else FULL
    # Metrics collect in one place for the whole process, which the threads share.
    nothing: dict[str, Any] = dict.fromkeys(("add_metric", "flush_metrics"), _ignore)
    with (
        errors_only(),
        patch.multiple(AmazonCloudWatchEMFProvider, **nothing),
        MiniStack() as emulator,
    ):
        for line in report(Bench(Emulator(emulator.endpoint_url)), effort):
            print(line, flush=True)
    return 0


def _ignore(*_: object, **__: object) -> None:
    """Do nothing."""


if __name__ == "__main__":
    raise SystemExit(main())
