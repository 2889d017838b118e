"""Kill the gateway at every await point and compare its ledger with what the provider billed.

`python -m tests.kill_matrix` prints what became of every kill point (`--all` for the longer list).

The deployed handlers run against the emulator and the Bedrock stub in processes of their own
(`kill_runner`), each of which dies by SIGKILL at one point: before a call of the AWS SDK, once its
request is out, after its answer, and at each event of a model's stream. Then time passes and the
sweep runs: killed itself at several points, twice at once, and once more. After that the stub's own
log is the truth. For every request the row has its tokens and their price to the picodollar, no
request has a row too many or too few, and every account has spent what its rows say, holds nothing
and counts as many requests as have rows, so that what was refused has used up none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.local.ministack import ACCOUNT_ID, CLOCK_VARIABLES, REGION, ROOT, MiniStack
from scripts.local.provision import INVOCATION_LOGS_BUCKET, Emulator, provision
from scripts.local.stubs.bedrock.invocation_logs import InvocationLogs
from scripts.local.stubs.bedrock.server import BedrockStub
from tests.fakes.free_work import FakeFreeCounters
from tests.fakes.stored import items
from tests.kill_runner import DIALECTS
from tests.waiting import PATIENCE_SECONDS
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.jobs import DynamoJobs, DynamoJobTexts
from tollgate.adapters.kms import KmsTexts
from tollgate.domain.free_work import FreeLimits
from tollgate.domain.ids import request_time
from tollgate.domain.ledger import (
    Windows,
    account_owner,
    is_business_unit_account,
    is_tenant_account,
)
from tollgate.domain.tenants import Caller
from tollgate.domain.usage import UsageRow, from_item
from tollgate.entry.clock import utc_now
from tollgate.services.free_work import FreeWork
from tollgate.services.jobs import JobReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

MODEL = "amazon.nova-lite-v1:0"
# After every lease, 31 minutes of a queued job, and the 65 in which a log may come after it; before
# results of jobs expire.
SECONDS_AHEAD = 6_000
WORKERS = 2
_READS = (
    "GetItem",
    "BatchGetItem",
    "Query",
    "Scan",
    "GetObject",
    "ListObjectsV2",
    "ReceiveMessage",
)
_TENANT = "acme"
# Beside months and days, the sum of all.
_EVER = ""
_REFUSING = "initech"
# Its business unit has a budget, so that its calls hold and settle on an account more.
_MEMBER = "globex"
_SETTINGS = """
prefix = "tollgate-local"
tiers  = { pro = { budget = {}, limits = {}, max_tokens = {} } }

business_units = { retail = { name = "Retail", owner = "Jo", budget = { month_usd = "100" } } }
"""
# `limited` has an account of its own, so that its calls hold and settle on two.
_TENANT_FILE = """
name        = "Acme"
kind        = "team"
cost_center = "CC-1"
tier        = "pro"
models      = ["*"]
budget      = { month_usd = "100" }
limits      = { tokens_per_minute = 100000000 }
apps        = {
  web     = { keys = { primary = {} } }
  limited = { keys = { primary = {} }, budget = { month_usd = "50" } }
}
"""


# What its app has room for is refused by the tenant: an input of one word has more tokens.
_REFUSING_FILE = """
name        = "Initech"
kind        = "team"
cost_center = "CC-2"
tier        = "pro"
models      = ["*"]
limits      = { tokens_per_minute = 1 }
apps        = { limited = { keys = { primary = {} }, limits = { requests_per_day = 100000 } } }
"""


_MEMBER_FILE = """
name          = "Globex"
kind          = "team"
cost_center   = "CC-3"
tier          = "pro"
models        = ["*"]
business_unit = "retail"
apps          = { web = { keys = { primary = {} } } }
"""


@dataclass(frozen=True)
class Scenario:
    """A request that is killed at each of its points.

    `does` is what `kill_runner` performs. A `fresh` one gets a tenant of its own each time, whose
    accounts do not exist yet. A `delivered` one is a queued job whose producer is killed; the queue
    then delivers its message again.
    """

    name: str
    does: str
    prompt: str = "hello"
    app: str = "web"
    tenant: str = _TENANT
    fresh: bool = False
    idempotent: bool = False


USUAL = (
    Scenario("chat", "chat"),
    Scenario("first chat of a tenant", "chat", app="limited", fresh=True),
    Scenario("chat that the tenant refuses", "chat", app="limited", tenant=_REFUSING),
    Scenario("job", "job", "[stub:tokens=60] tell me", app="limited"),
    Scenario("producer", "deliver", "[stub:tokens=60] tell me"),
    Scenario("openai stream", "openai stream", "[stub:tokens=20] hello", app="limited"),
    Scenario("anthropic of a business unit", "anthropic", tenant=_MEMBER),
    Scenario("models and usage", "look"),
)
_STREAMED = tuple(f"{dialect} stream" for dialect in DIALECTS)
MORE = (
    Scenario("anthropic", "anthropic"),
    Scenario("job of a business unit", "job", "[stub:tokens=60] tell me", tenant=_MEMBER),
    Scenario("producer of a business unit", "deliver", "[stub:tokens=60] hi", tenant=_MEMBER),
    Scenario("chat under an idempotency key", "chat", idempotent=True),
    Scenario("chat that is throttled", "chat", "[stub:error=ThrottlingException] hello"),
    Scenario("chat whose answer is lost", "chat", "[stub:cut=mid-stream] hello"),
    Scenario("chat from the cache", "chat", "[stub:cache_read=3] [stub:cache_write_5m=2] hello"),
    Scenario("first job of a tenant", "job", "[stub:tokens=60] go on", app="limited", fresh=True),
    Scenario("job whose stream breaks", "job", "[stub:tokens=60] [stub:cut=mid-stream] hello"),
    Scenario("job without usage", "job", "[stub:tokens=60] [stub:cut=before-metadata] hello"),
    Scenario(
        "job that fails half way",
        "deliver",
        "[stub:tokens=60] [stub:error=ModelStreamErrorException@mid-stream] hello",
        app="limited",
    ),
    *(Scenario(does, does, app="limited") for does in DIALECTS),
    *(Scenario(does, does, "[stub:tokens=20] hello") for does in _STREAMED),
    *(
        Scenario(f"{does} under an idempotency key", does, idempotent=True)
        for does in ("openai", "anthropic stream")
    ),
    *(
        Scenario(f"{does} that breaks", does, "[stub:tokens=60] [stub:cut=mid-stream] hello")
        for does in (*DIALECTS, *_STREAMED)
    ),
    *(
        Scenario(f"{does} without usage", does, "[stub:cut=before-metadata] hello")
        for does in _STREAMED
    ),
    *(
        Scenario(f"{does} that is throttled", does, "[stub:error=ThrottlingException] hello")
        for does in ("bedrock", *_STREAMED)
    ),
)


@dataclass(frozen=True)
class Point:
    """Where a run is killed: the number and name of the await point, and the phase of it."""

    scenario: Scenario
    index: int
    name: str
    phase: str

    @property
    def label(self) -> str:
        """The key id that the run calls with: rows carry it."""
        return f"{self.scenario.name}/{self.index}/{self.phase}"


@dataclass
class Outcome:
    """What became of one kill point."""

    point: Point
    killed: bool
    rows: list[UsageRow] = field(default_factory=list)


@dataclass
class Audit:
    """The ledger beside the provider's log."""

    outcomes: list[Outcome]
    sweeps: list[Mapping[str, int]]
    differences: list[str]
    billed_calls: int
    billed_pico: int
    booked_calls: int
    booked_pico: int

    def lines(self) -> Iterator[str]:
        """A line for each kill point, then the sums."""
        for outcome in self.outcomes:
            point = outcome.point
            end = "killed" if outcome.killed else "ended before"
            rows = "; ".join(
                f"{row.status} ({row.error_code or 'no error'}), {row.usage_source}, "
                f"{row.total_cost} pico"
                for row in outcome.rows
            )
            place = f"{point.index:3d} {point.phase:<6} {point.name:<48}"
            yield f"{point.scenario.name:<30} {place} {end}: {rows or 'no row'}"
        yield ""
        killed = sum(outcome.killed for outcome in self.outcomes)
        yield f"kill points: {len(self.outcomes)}, of which {killed} were reached"
        yield from (f"sweep: {dict(sweep)}" for sweep in self.sweeps)
        yield f"provider: {self.billed_calls} calls billed, {self.billed_pico} picodollars"
        yield f"ledger:   {self.booked_calls} calls booked, {self.booked_pico} picodollars"
        rows, pico = self.booked_calls - self.billed_calls, self.booked_pico - self.billed_pico
        yield f"difference: {rows} rows, {pico} picodollars; {len(self.differences)} findings"
        yield from self.differences


class World:
    """One emulator, one stub and one warm process; use it as a context manager.

    `logged` turns Bedrock's invocation logs on.
    """

    def __init__(self, *, logged: bool) -> None:
        self._logged = logged
        self._cleanup = ExitStack()
        self._runner: subprocess.Popen[str]
        self._emulator: Emulator
        self._environment: Mapping[str, str]
        self._turn = threading.Lock()
        self._tenants = 0
        self.stub: BedrockStub

    def __enter__(self) -> Self:
        with ExitStack() as cleanup:
            self._start(cleanup)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    def _start(self, cleanup: ExitStack) -> None:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="tollgate-kills-")))
        (folder / "tenants").mkdir()
        (folder / "env.tfvars").write_text(_SETTINGS)
        (folder / "tenants" / f"{_TENANT}.tfvars").write_text(_TENANT_FILE)
        (folder / "tenants" / f"{_REFUSING}.tfvars").write_text(_REFUSING_FILE)
        (folder / "tenants" / f"{_MEMBER}.tfvars").write_text(_MEMBER_FILE)
        ministack = cleanup.enter_context(MiniStack())
        self._emulator = Emulator(ministack.endpoint_url)
        deployment = provision(self._emulator, folder, invocation_logs=self._logged)
        self._environment = deployment.environment
        logs = InvocationLogs(self.client("s3"), INVOCATION_LOGS_BUCKET, ACCOUNT_ID, REGION)
        self.stub = cleanup.enter_context(
            BedrockStub(delta_seconds=0.002, publish=logs.write if self._logged else None)
        )
        folders = [str(ROOT), *map(str, sorted((ROOT / "functions").iterdir()))]
        inherited = {
            name: os.environ[name]
            for name in ("PATH", "HOME", *CLOCK_VARIABLES)
            if name in os.environ
        }
        # The clock that a test may be given comes in a module there.
        folders += [inherited["PYTHONPATH"]] if "PYTHONPATH" in inherited else []
        self._runner = subprocess.Popen(
            [sys.executable, "-m", "tests.kill_runner"],
            cwd=ROOT,
            env={
                **inherited,
                **ministack.aws_environment,
                **self._environment,
                "AWS_ENDPOINT_URL_BEDROCK": self.stub.url,
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.stub.url,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": str(folder / "none"),
                "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
                "NO_PROXY": "127.0.0.1",
                "POWERTOOLS_SERVICE_NAME": "tollgate",
                "POWERTOOLS_METRICS_NAMESPACE": "Tollgate",
                "POWERTOOLS_LOG_LEVEL": "CRITICAL",
                "PYTHONPATH": os.pathsep.join(folders),
                "PYTHONWARNINGS": "ignore",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        cleanup.callback(self._stop_runner)
        if self._read() != "ready\n":
            raise RuntimeError("the warm process did not start")
        # Of a tenant of its own: what the process remembers of it must not shorten later runs.
        warm = self.request(Scenario("warm-up", "job", fresh=True), "warm-up")
        sweep = {"does": "sweep", "label": "sweep", "seconds_ahead": 0}
        others = ["chat", *DIALECTS, *(f"{dialect} stream" for dialect in DIALECTS)]
        self._write([warm, *({**warm, "does": does} for does in others), sweep])

    def _stop_runner(self) -> None:
        assert self._runner.stdin is not None
        self._runner.stdin.close()
        self._runner.wait(PATIENCE_SECONDS)

    def client(self, service: str) -> Any:
        """A client of the emulator."""
        return self._emulator.client(service)

    def run(self, *runs: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Have these runs done at the same time, each in a child of the warm process."""
        self._write(runs)
        outcomes: list[dict[str, Any]] = json.loads(self._read())
        for run, outcome in zip(runs, outcomes, strict=True):
            if "error" in outcome:
                raise RuntimeError(f"{run}: {outcome['error']}")
        return outcomes

    def _write(self, runs: Sequence[Mapping[str, Any]]) -> None:
        assert self._runner.stdin is not None
        print(json.dumps(runs), file=self._runner.stdin, flush=True)

    def _read(self) -> str:
        assert self._runner.stdout is not None
        return self._runner.stdout.readline()

    def request(self, scenario: Scenario, label: str) -> dict[str, Any]:
        """A run of the scenario; a queued job is submitted for it first."""
        run: dict[str, Any] = {
            "does": scenario.does,
            "label": label,
            "tenant": self._fresh_tenant() if scenario.fresh else scenario.tenant,
            "app": scenario.app,
            "model": MODEL,
            "prompt": scenario.prompt,
        }
        if scenario.idempotent:
            run["idempotency_key"] = label
        if scenario.does == "deliver":
            (submitted,) = self.run({**run, "does": "submit"})
            run["job"] = submitted["result"]["job"]
        return run

    def _fresh_tenant(self) -> str:
        self._tenants += 1
        tenant_id = f"fresh-{self._tenants}"
        client, table = self.client("dynamodb"), self._environment["TENANTS_TABLE"]
        item = client.get_item(TableName=table, Key={"pk": {"S": f"TENANT#{_TENANT}"}})["Item"]
        document = {**json.loads(item["document"]["S"]), "tenant_id": tenant_id}
        client.put_item(
            TableName=table,
            Item={
                **item,
                "pk": {"S": f"TENANT#{tenant_id}"},
                "document": {"S": json.dumps(document)},
            },
        )
        return tenant_id

    def points(self, scenario: Scenario, *, thorough: bool) -> list[Point]:
        """The scenario's kill points, from a run that nobody kills.

        Between one call's answer and the next call nothing happens outside the process, and a
        read that was not answered is a read that was not made: only the thorough list has both.
        """
        # The first run of a minute also turns the accounts' windows over; this one does not.
        self.run(self.request(scenario, f"{scenario.name}/warm-up"))
        (outcome,) = self.run(self.request(scenario, f"{scenario.name}/dry run"))
        found = []
        for index, name in enumerate(outcome["trace"]):
            is_call = ":" in name
            phases = ["before", "sent", "after"] if is_call else ["before"]
            if not thorough and is_call:
                is_read = name.partition(":")[2].partition(" ")[0] in _READS
                phases = [
                    *(["before"] if index == 0 else []),
                    *([] if is_read else ["sent"]),
                    "after",
                ]
            found += [Point(scenario, index, name, phase) for phase in phases]
        return found

    def kill(self, points: Sequence[Point]) -> list[Outcome]:
        """Run into each point, a few at a time."""
        outcomes = []
        for start in range(0, len(points), WORKERS):
            batch = points[start : start + WORKERS]
            runs = [self.request(point.scenario, point.label) for point in batch]
            killing = [
                {**run, "kill": [point.index, point.phase]}
                for run, point in zip(runs, batch, strict=True)
            ]
            ended = self.run(*killing)
            outcomes += [
                Outcome(point, end["killed"]) for point, end in zip(batch, ended, strict=True)
            ]
            again = [run for run in runs if run["does"] == "deliver"]
            if again:
                self.run(*again)
        return outcomes

    def sweep(self, *kills: int, at_once: int = 1) -> list[Mapping[str, int]]:
        """Sweep long after: killed after each of these numbers of calls, or to the end."""
        if not self.stub.under_way.wait_for_none(20):
            raise RuntimeError("the stub still answers a call whose caller is dead")
        run = {"does": "sweep", "label": "sweep", "seconds_ahead": SECONDS_AHEAD}
        for index in kills:
            self.run({**run, "kill": [index, "after"]})
        return [outcome["result"] for outcome in self.run(*[run] * at_once)]

    def audit(self, outcomes: list[Outcome], sweeps: list[Mapping[str, int]]) -> Audit:
        """Compare everything that stands with the stub's log."""
        rows = self._rows()
        by_label: dict[str, list[UsageRow]] = {}
        for row in rows.values():
            by_label.setdefault(row.key_id, []).append(row)
        for outcome in outcomes:
            outcome.rows = by_label.get(outcome.point.label, [])
        billed = dict(billed_usage(self.stub.calls()))
        booked = {rid: row for rid, row in rows.items() if row.total_cost}
        differences = [
            *(mismatches(billed, rows) if self._logged else _shortfalls(billed, rows)),
            *self._account_differences(rows.values()),
            *self._unfinished_jobs(),
        ]
        return Audit(
            outcomes,
            sweeps,
            differences,
            billed_calls=len(billed),
            billed_pico=sum(map(price, billed.values())),
            booked_calls=len(booked),
            booked_pico=sum(row.total_cost for row in rows.values()),
        )

    def _scan(self, table: str) -> list[dict[str, Any]]:
        return items(self.client("dynamodb"), self._environment[table])

    def _rows(self) -> dict[str, UsageRow]:
        items = [item for item in self._scan("USAGE_TABLE") if item["pk"].startswith("USAGE#")]
        return {item["request_id"]: from_item(item) for item in items}

    def _account_differences(self, rows: Iterable[UsageRow]) -> Iterator[str]:
        spent, made = _sums(rows)
        accounts = DynamoAccounts(self.client("dynamodb"), self._environment["ACCOUNTS_TABLE"])
        for account in accounts.scan():
            account_id = account.account_id
            owner = account_id.partition("#")[2]
            if is_tenant_account(account_id):
                owner = account_owner(account_id)
            if is_business_unit_account(account_id):
                owner = account_id
            for held in account.holds:
                yield f"{account_id} still holds {held}"
            if account.month_committed != account.month_spent:
                yield f"{account_id} committed {account.month_committed} of {account.month_spent}"
            # What began before a month or a day ended may count in the next: the account's first
            # write in it takes over what is held then. Where none ends meanwhile both are the same.
            least, most = spent[owner, account.month], spent[owner, _EVER]
            if not least <= account.month_spent <= most:
                yield f"{account_id} spent {account.month_spent}, its rows say {least} to {most}"
            least, most = made[owner, account.day], made[owner, _EVER]
            if not least <= account.day_requests <= most:
                counted = account.day_requests
                yield f"{account_id} counted {counted} requests, {least} to {most} have rows"

    def _unfinished_jobs(self) -> Iterator[str]:
        database = self.client("dynamodb")
        table = self._environment["STREAMS_TABLE"]
        jobs = DynamoJobs(lambda _: database, table)
        kms = self.client("kms")
        texts = DynamoJobTexts(lambda _: database, table, KmsTexts(lambda _: kms))
        # Who looks at every job is no tenant, and polls as often as it takes.
        free_work = FreeWork(FakeFreeCounters(), FreeLimits(polls_per_minute=10**9), utc_now)
        reader = JobReader(
            jobs, texts, free_work, lambda: utc_now() + timedelta(seconds=SECONDS_AHEAD)
        )
        for item in self._scan("STREAMS_TABLE"):
            if item["sk"] == "JOB":
                _, tenant_id, job_id = item["pk"].split("#")
                caller = Caller(tenant_id, item["app_id"], "-", "pro")
                status = reader.read(caller, job_id, cursor=0, wait=0).job.status
                if status not in ("succeeded", "failed"):
                    yield f"job {job_id} is {status}"


def _sums(rows: Iterable[UsageRow]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """What the rows of each tenant, app and business unit cost by month; how many by day."""
    spent: Counter[tuple[str, str]] = Counter()
    made: Counter[tuple[str, str]] = Counter()
    for row in rows:
        windows = Windows.at(request_time(row.request_id))
        unit = f"business_unit#{row.business_unit}"
        for owner in (row.tenant_id, f"{row.tenant_id}/{row.app_id}", unit):
            for month in (windows.month, _EVER):
                spent[owner, month] += row.total_cost
            for day in (windows.day, _EVER):
                made[owner, day] += 1
    return spent, made


Usage = tuple[int, int, int, int]
_NOTHING = (0, 0, 0, 0)


def billed_usage(calls: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Usage]]:
    """What the provider bills, by request: input, output, cache reads and cache writes."""
    for call in calls:
        if call["operation"] == "count-tokens" or call["status"] == "error":
            continue
        usage = call["usage"]
        yield (
            call["requestMetadata"]["request_id"],
            (
                usage["inputTokens"],
                usage["outputTokens"],
                usage.get("cacheReadInputTokens", 0),
                usage.get("cacheWriteInputTokens", 0),
            ),
        )


def _tokens(row: UsageRow) -> Usage:
    written = row.cache_write_5m_tokens + row.cache_write_1h_tokens
    return row.input_tokens, row.output_tokens, row.cache_read_tokens, written


def price(usage: Usage) -> int:
    """Picodollars by the published prices, without the code that is under test."""
    path = ROOT / "functions/shared/tollgate/prices/bedrock.json"
    (period,) = json.loads(path.read_text())["models"][MODEL]["effective"]
    rates = period["rates"]["in_region"]["default"]
    names = ("input", "output", "cache_read", "cache_write_5m")
    per_token = [Decimal(rates.get(name, "0")) * 10**6 for name in names]
    return int(sum(price * tokens for price, tokens in zip(per_token, usage, strict=True)))


def mismatches(billed: Mapping[str, Usage], rows: Mapping[str, UsageRow]) -> Iterator[str]:
    for request_id, usage in billed.items():
        row = rows.get(request_id)
        if row is None:
            yield f"{request_id} was billed {usage} and has no row"
        elif _tokens(row) != usage or row.total_cost != price(usage):
            booked = f"{_tokens(row)} at {row.total_cost}"
            yield f"{row.key_id}: billed {usage} at {price(usage)}, booked {booked}"
    for request_id, row in rows.items():
        if request_id not in billed and (row.total_cost or any(_tokens(row))):
            yield f"{row.key_id}: booked {row.total_cost} for a call that was never billed"


def _shortfalls(billed: Mapping[str, Usage], rows: Mapping[str, UsageRow]) -> Iterator[str]:
    """Without logs what nobody saw is booked at its bound: never below what was billed."""
    seen = {rid: usage for rid, usage in billed.items() if rid not in rows or _is_exact(rows[rid])}
    yield from mismatches(seen, {rid: row for rid, row in rows.items() if _is_exact(row)})
    for request_id, row in rows.items():
        if not _is_exact(row) and not price(billed.get(request_id, _NOTHING)) <= row.total_cost:
            yield f"{row.key_id}: billed {billed[request_id]}, booked {row.total_cost} as a bound"
        if row.total_cost > row.held:
            yield f"{row.key_id}: booked {row.total_cost}, held {row.held}"


def _is_exact(row: UsageRow) -> bool:
    return row.usage_source == "provider"


def run(scenarios: Sequence[Scenario], *, thorough: bool = False, logged: bool = True) -> Audit:
    """The matrix of these scenarios."""
    with World(logged=logged) as world:
        points = [point for each in scenarios for point in world.points(each, thorough=thorough)]
        # One half is for sweeps that die themselves, the other for two sweeps at once.
        outcomes = world.kill(points[::2])
        sweeps = world.sweep(*KILLED_SWEEPS)
        outcomes += world.kill(points[1::2])
        sweeps += world.sweep(at_once=2)
        sweeps += world.sweep()
        outcomes.sort(key=lambda outcome: points.index(outcome.point))
        return world.audit(outcomes, sweeps)


# A sweep is killed after so many of its calls; the next one goes on from there.
KILLED_SWEEPS = (0, 1, 2, 3, 4, 5, 8, 13, 21, 34, 55, 89)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the matrix; the exit status tells of differences."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill_matrix")
    parser.add_argument("--all", action="store_true", help="every scenario, point and phase")
    parser.add_argument("--logs-off", action="store_true", help="without invocation logs")
    options = parser.parse_args(arguments)
    scenarios = (*USUAL, *MORE) if options.all else USUAL
    audit = run(scenarios, thorough=options.all, logged=not options.logs_off)
    print("\n".join(audit.lines()))
    return 1 if audit.differences else 0


if __name__ == "__main__":
    sys.exit(main())
