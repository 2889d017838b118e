"""A year of usage that never was: tenants in business units, month after month, exactly priced.

    python -m scripts.bench.year --out .local/year --year 2025 --tenants 50 --calls 12

It has what real years have: growth and quiet weekends, days of ten times the traffic, a price that
falls on the first of July, contract prices, rows that come after their month, calls that fail or
that nobody settled, models without a price that are priced later, and refunds. The same arguments
always make the same rows.

A month is had as it arrived (`Year.arrivals`): what the lake holds when that month is closed, with
the late rows and corrections of months before. `write` puts rows into a folder of the lake's
layout.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions" / "shared"), str(ROOT / "functions" / "aggregate")]

from scripts.prices.reprice import correction  # noqa: E402
from scripts.reports.tables import duckdb_type  # noqa: E402
from tollgate.domain.models import resolve_model  # noqa: E402
from tollgate.domain.money import format_usd  # noqa: E402
from tollgate.domain.prices import PriceBook, TokenUsage, cost  # noqa: E402
from tollgate.domain.usage import GLUE_COLUMNS, UsageRow, to_json_row  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tollgate.domain.usage import Status

UNITS = ("claims", "commerce", "finance", "logistics", "marketing", "people", "research", "support")
KINDS = ("team", "department", "project", "customer", "user")
TIERS = ("standard", "pro", "enterprise")
# Of each tenant's own choice; the first two fall in price on the first of July.
MODELS = (
    "amazon.nova-lite-v1:0",
    "amazon.nova-pro-v1:0",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "amazon.titan-embed-text-v2:0",
)
CHEAPER_FROM_JULY = MODELS[:2]
UNPRICED_MODEL = "amazon.nova-premier-v1:0"
ACCOUNT_ID = "111122223333"
SILO_ACCOUNT_ID = "444455556666"
REGIONS = ("us-east-1", "eu-west-1")

_COLUMNS = {name: duckdb_type(glue_type) for name, glue_type in GLUE_COLUMNS}

# How often what happens to a call happens.
_LATE = 0.002
_REFUNDED = 0.001
_UNPRICED = 0.005
_CACHED = 0.4
_STREAMED = 0.5
_NAMES_USER = 0.5
_SPIKED_MONTHS = 0.3
_SILO_EVERY = 10
_CONTRACT_EVERY = 5
_DISCOUNT_PERCENT = 20
_SATURDAY = 5
_SPIKE = 10
_WEEKEND = 0.3
# Traffic of a month over that of the month before.
_GROWTH = 1.08
# Picodollars per token of a model without a price, until it is priced.
_CEILING = 5_000_000


def year_book(year: int) -> PriceBook:
    """The book that ships, in force since the year before, with the fall of July's prices."""
    return PriceBook(year_book_document(year))


def year_book_document(year: int) -> dict[str, Any]:
    """The document of `year_book`."""
    document: dict[str, Any] = json.loads(
        (ROOT / "functions/shared/tollgate/prices/bedrock.json").read_text()
    )
    start, middle = f"{year - 1}-01-01", f"{year}-07-01"
    for model_id, model in document["models"].items():
        (listed,) = model["effective"]
        periods = [{**listed, "from": start}]
        if model_id in CHEAPER_FROM_JULY:
            periods[0]["to"] = middle
            periods.append({"from": middle, "to": None, "rates": _cheaper(listed["rates"])})
        model["effective"] = periods
    document["version"] = f"{year}-07-01"
    return document


def _cheaper(rates: Any) -> Any:  # noqa: ANN401 - the book's nesting
    if isinstance(rates, dict):
        return {name: _cheaper(value) for name, value in rates.items()}
    if isinstance(rates, str) and rates.replace(".", "", 1).isdigit():
        return _decimal(rates)
    return rates


def _decimal(price: str) -> str:
    whole, _, places = price.partition(".")
    units = int(whole + places.ljust(6, "0")) * (100 - _DISCOUNT_PERCENT) // 100
    return f"{units // 10**6}.{units % 10**6:06d}"


@dataclass(frozen=True, slots=True)
class YearTenant:
    """A tenant of the year: its facts and how it calls."""

    number: int
    tenant_id: str
    business_unit: str
    tier: str
    account_id: str
    region: str
    models: tuple[str, ...]
    apps: tuple[str, ...]
    contract: Mapping[str, Any]

    @property
    def cost_center(self) -> str:
        """Two tenants of a unit share one."""
        return f"CC-{1000 + self.number // 2}"

    def facts(self) -> dict[str, Any]:
        """Its line in the lake's list of tenants, as `modules/tenant` writes it."""
        keys = [f"{app}/{name}" for app in self.apps for name in ("primary", "second", "unused")]
        return {
            "tenant_id": self.tenant_id,
            "name": f"Tenant {self.number}",
            "kind": KINDS[self.number % len(KINDS)],
            "cost_center": self.cost_center,
            "business_unit": self.business_unit,
            "tier": self.tier,
            "status": "active",
            "isolation": "silo" if self.account_id == SILO_ACCOUNT_ID else "pool",
            "account_id": self.account_id,
            "markup": ("1.00", "1.20", "4.00")[self.number % 3],
            "subscription_usd": (None, "99", "499")[self.number % 3],
            "month_usd": ("50", "150", None)[self.number % 3],
            "day_usd": None,
            "budget_mode": ("hard", "soft")[self.number % 2],
            "sla_availability": ("99", "99.9", None)[self.number % 3],
            "sla_latency_p95_ms": (None, 5000, 3000)[self.number % 3],
            "sla_first_token_p95_ms": None,
            "compliance": ["HIPAA"] if self.number % _SILO_EVERY == 1 else [],
            "models": [*self.models, UNPRICED_MODEL],
            "deny_models": [],
            "keys": keys,
            "key_expires": dict.fromkeys(keys, ""),
            "key_status": dict.fromkeys(keys, "active"),
            "tags": {"Division": ("north", "south")[self.number % 2]},
        }


class Year:
    """The rows of a year.

    Args:
        year: the calendar year (UTC).
        tenants: how many, 1 to 999.
        calls: calls of a tenant on an ordinary day in January; the traffic of tenants differs.
        months: only the first so many months.
        seed: makes it another year.
    """

    def __init__(
        self,
        year: int = 2025,
        *,
        tenants: int = 50,
        calls: int = 12,
        months: int = 12,
        seed: int = 1,
    ) -> None:
        self.year = year
        self.months = tuple(f"{year}-{month:02d}" for month in range(1, months + 1))
        self.book = year_book(year)
        self._calls = calls
        self._seed = seed
        self.tenants = [_tenant(number, seed) for number in range(tenants)]

    @cached_property
    def _by_arrival(self) -> dict[str, list[UsageRow]]:
        arriving: dict[str, list[UsageRow]] = {month: [] for month in self.months}
        for index, month in enumerate(self.months):
            following = self.months[min(index + 1, len(self.months) - 1)]
            for tenant in self.tenants:
                for row in self._month(tenant, month, index):
                    rng = _random(row.request_id)
                    arriving[following if rng.random() < _LATE else month].append(row)
                    arriving[following] += self._corrections(tenant, row, rng)
        return arriving

    def arrivals(self, month: str) -> list[UsageRow]:
        """What comes to the lake from the close before until the close of `month` ("YYYY-MM").

        Rows of months before are late ones and corrections.
        """
        return sorted(self._by_arrival[month], key=lambda row: row.request_id)

    def units(self) -> list[dict[str, Any]]:
        """The lake's list of business units, as `modules/business_unit` writes it."""
        return [
            {
                "id": name,
                "name": name.title(),
                "owner": f"{name}@example.com",
                "month_usd": "600",
                "day_usd": None,
                "budget_mode": "soft",
            }
            for name in sorted({tenant.business_unit for tenant in self.tenants})
        ]

    def accounts(self, month: str) -> list[dict[str, str]]:
        """What `aggregate` notes of the tenants' and units' accounts at a month's end."""
        spent: Counter[tuple[str, str]] = Counter()
        for row in self.arrivals(month):
            if f"{row.started_at:%Y-%m}" == month:
                spent["tenant", row.tenant_id] += row.total_cost
                spent["business_unit", str(row.business_unit)] += row.total_cost
        last = (date.fromisoformat(f"{month}-28") + timedelta(days=4)).replace(day=1)
        return [
            {
                "account_id": f"{kind}#{scope}",
                "kind": kind,
                "scope": scope,
                "month": month,
                "month_spent": str(amount),
                "month_held": "0",
                "day": f"{last - timedelta(days=1)}",
                "day_spent": "0",
                "day_held": "0",
            }
            for (kind, scope), amount in sorted(spent.items())
        ]

    def _month(self, tenant: YearTenant, month: str, index: int) -> Iterator[UsageRow]:
        rng = _random(f"{self._seed}/{tenant.tenant_id}/{month}")
        spike = rng.randint(1, 28) if rng.random() < _SPIKED_MONTHS else None
        day = date.fromisoformat(f"{month}-01")
        own = self._calls * (0.2 + 1.6 * (tenant.number % 7) / 6) * _GROWTH**index
        while f"{day:%Y-%m}" == month:
            many = own * (_SPIKE if day.day == spike else 1)
            many *= _WEEKEND if day.weekday() >= _SATURDAY else 1
            for _ in range(int(many) + (rng.random() < many % 1)):
                yield self._call(tenant, day, rng)
            day += timedelta(days=1)

    def _call(self, tenant: YearTenant, day: date, rng: random.Random) -> UsageRow:
        # Office hours: half as many files, and a night without usage is part of a real year.
        started = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
            milliseconds=rng.randrange(8 * 3_600_000, 18 * 3_600_000)
        )
        app = rng.choice(tenant.apps)
        model = rng.choice(tenant.models) if rng.random() >= _UNPRICED else UNPRICED_MODEL
        latency = int(rng.lognormvariate(7, 0.6))
        status: Status = rng.choices(("ok", "error", "aborted", "orphaned"), (96, 3, 0.7, 0.3))[0]
        row = UsageRow(
            request_id=_request_id(started, rng),
            tenant_id=tenant.tenant_id,
            app_id=app,
            key_id=f"{app}/{rng.choice(('primary', 'second'))}",
            cost_center=tenant.cost_center,
            tier=tenant.tier,
            region=tenant.region,
            dialect="openai.chat",
            operation="converse",
            requested_model=model,
            model_id=self.book.base_id(model.removeprefix("us.")),
            routing="geo" if model.startswith("us.") else "in_region",
            service_tier="default",
            streamed=rng.random() < _STREAMED,
            status=status,
            http_status={"ok": 200, "aborted": 499}.get(status, 503),
            error_code={"error": "upstream_throttled", "orphaned": "caller_lost"}.get(status),
            started_at=started,
            settled_at=started + timedelta(milliseconds=latency),
            latency_ms=latency,
            first_token_ms=latency // 5 if status == "ok" else None,
            input_tokens=0,
            output_tokens=0,
            cache_read_tokens=0,
            cache_write_5m_tokens=0,
            cache_write_1h_tokens=0,
            images=0,
            usage_source="hold" if status == "orphaned" else "provider",
            priced=True,
            price_version=self.book.version,
            input_cost=0,
            output_cost=0,
            cache_cost=0,
            other_cost=0,
            total_cost=0,
            held=0,
            tags={"project": f"p{rng.randint(1, 4)}"},
            business_unit=tenant.business_unit,
            account_id=tenant.account_id,
            end_user=f"user-{rng.randint(1, 20)}" if rng.random() < _NAMES_USER else None,
        )
        return row if status == "error" else self._metered(tenant, row, rng)

    def _metered(self, tenant: YearTenant, row: UsageRow, rng: random.Random) -> UsageRow:
        usage = TokenUsage(
            input=int(rng.lognormvariate(11, 1)), output=int(rng.lognormvariate(8, 0.8))
        )
        if "claude" in row.model_id and rng.random() < _CACHED:
            cached = int(rng.lognormvariate(11, 0.5))
            usage = replace(usage, **{rng.choice(("cache_read", "cache_write_5m")): cached})
        if "embed" in row.model_id:
            usage = TokenUsage(input=usage.input)
        row = replace(
            row,
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cache_read,
            cache_write_5m_tokens=usage.cache_write_5m,
        )
        if row.model_id == UNPRICED_MODEL:
            amounts = (usage.input * _CEILING, usage.output * _CEILING, 0, 0)
        else:
            amounts = self._charge(tenant, row, usage)
        row = _with_costs(row, amounts)
        return replace(row, priced=row.model_id != UNPRICED_MODEL, held=row.total_cost * 2)

    def _charge(
        self, tenant: YearTenant, row: UsageRow, usage: TokenUsage
    ) -> tuple[int, int, int, int]:
        rates = self.book.with_overrides(tenant.contract).rates(
            resolve_model(row.requested_model, {}), region=row.region, at=row.started_at
        )
        if rates is None:
            raise ValueError(f"{row.requested_model} has no price in {row.region}")
        charged = cost(rates, usage)
        return charged.input, charged.output, charged.cache, charged.other

    def _corrections(
        self, tenant: YearTenant, row: UsageRow, rng: random.Random
    ) -> Iterator[UsageRow]:
        """What is booked for a call in the month after: its price, or a refund."""
        if row.status == "error":
            return
        usage = TokenUsage(row.input_tokens, row.output_tokens)
        if not row.priced:
            due = self._charge(tenant, row, usage)
            yield _correction(row, (due[0] - row.input_cost, due[1] - row.output_cost, 0, 0), rng)
        elif rng.random() < _REFUNDED:
            yield _correction(
                row, (-row.input_cost, -row.output_cost, -row.cache_cost, -row.other_cost), rng
            )


def write(rows: Iterable[UsageRow], folder: Path, part: int) -> None:
    """Write rows into a folder of the lake's layout, a file an hour.

    What comes later to the same hours is another part; DuckDB adds a 0 to its number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, duckdb.connect(":memory:") as db:
        lines = Path(scratch) / "rows.json"
        with lines.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(to_json_row(row)) + "\n" for row in rows)
        db.execute("SET threads = 1")
        db.read_json(str(lines), columns=_COLUMNS, format="newline_delimited").create_view("fresh")
        db.execute(
            f"""
            COPY (
                SELECT *, strftime(started_at, '%Y-%m-%d') AS dt, strftime(started_at, '%H') AS hour
                FROM fresh ORDER BY request_id
            )
            TO '{folder / "usage"}' (
                FORMAT parquet, PARTITION_BY (dt, hour), FILENAME_PATTERN 'part-{part}',
                OVERWRITE_OR_IGNORE
            )
            """  # noqa: S608 - a folder and a number of ours
        )


def write_facts(year: Year, folder: Path) -> None:
    """Write tenants, business units and the accounts of the last month beside the usage."""
    for kind, facts in (
        ("tenants", [(tenant.tenant_id, tenant.facts()) for tenant in year.tenants]),
        ("business_units", [(unit["id"], unit) for unit in year.units()]),
    ):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, fact in facts:
            (folder / kind / f"{name}.json").write_text(json.dumps(fact) + "\n", "utf-8")
    (folder / "budgets").mkdir(exist_ok=True)
    lines = [json.dumps(account) + "\n" for account in year.accounts(year.months[-1])]
    (folder / "budgets" / "accounts.json").write_text("".join(lines), "utf-8")


def _tenant(number: int, seed: int) -> YearTenant:
    rng = _random(f"{seed}/tenant/{number}")
    contract = {"amazon.nova-lite-v1:0": {"in_region": {"default": {"input": "0.05"}}}}
    region = REGIONS[number % len(REGIONS)]
    models = [model for model in MODELS if region == REGIONS[0] or not model.startswith("us.")]
    return YearTenant(
        number=number,
        tenant_id=f"tenant-{number:03d}",
        business_unit=UNITS[number % len(UNITS)],
        tier=TIERS[number % len(TIERS)],
        account_id=SILO_ACCOUNT_ID if number % _SILO_EVERY == 0 else ACCOUNT_ID,
        region=region,
        models=tuple(rng.sample(models, 2)),
        apps=("chat", "search")[: 1 + number % 2],
        contract=contract if number % _CONTRACT_EVERY == 0 else {},
    )


def _random(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same year each time, and no secret


def _request_id(moment: datetime, rng: random.Random) -> str:
    value = int(moment.timestamp() * 1000) << 80 | 7 << 76 | 0b10 << 62
    return str(uuid.UUID(int=value | rng.getrandbits(12) << 64 | rng.getrandbits(62)))


def _with_costs(row: UsageRow, amounts: tuple[int, int, int, int]) -> UsageRow:
    input_cost, output_cost, cache_cost, other_cost = amounts
    return replace(
        row,
        input_cost=input_cost,
        output_cost=output_cost,
        cache_cost=cache_cost,
        other_cost=other_cost,
        total_cost=sum(amounts),
    )


def _correction(row: UsageRow, amounts: tuple[int, int, int, int], rng: random.Random) -> UsageRow:
    """A row that adds a difference to what is booked for a call, settled in the month after."""
    version = f"{row.price_version}+{rng.getrandbits(32):08x}"
    settled_at = (row.started_at.replace(day=1) + timedelta(days=32)).replace(day=2)
    return correction(row, amounts, version, settled_at)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.year", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write, new or empty")
    parser.add_argument("--year", type=int, default=2025)
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--calls", type=int, default=12, help="of a tenant on a day in January")
    parser.add_argument("--months", type=int, default=12)
    options = parser.parse_args(argv)
    if options.out.exists() and any(options.out.iterdir()):
        print(f"year: {options.out} is not empty", file=sys.stderr)
        return 1
    year = Year(options.year, tenants=options.tenants, calls=options.calls, months=options.months)
    write_facts(year, options.out)
    for part, month in enumerate(year.months):
        rows = year.arrivals(month)
        write(rows, options.out, part)
        total = format_usd(sum(row.total_cost for row in rows))
        print(f"{month}  {len(rows):>8} rows  {total:>24} USD")
    return 0


if __name__ == "__main__":
    sys.exit(main())
