"""A ledger of some days, exactly priced, with what AWS bills for it; and both compared."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scripts.bench import year
from scripts.reconcile.reconciliation import reconcile
from scripts.reports.engines import DuckDbEngine
from scripts.reports.periods import Period
from tests.fakes import bills
from tests.fakes.usage_rows import usage_row
from tollgate.domain.ids import new_request_id
from tollgate.domain.models import resolve_model
from tollgate.domain.prices import load_default

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal
    from pathlib import Path

    from scripts.reconcile.reconciliation import Reconciliation
    from tests.fakes.bills import Line
    from tollgate.domain.usage import UsageRow

FIRST = date(2026, 11, 2)
DAYS = 3
PERIOD = Period(FIRST, FIRST + timedelta(days=DAYS))
LONG_AFTER = datetime(2026, 11, 20, 9, tzinfo=UTC)
BOOK = load_default()
PROFILE = f"arn:aws:bedrock:us-east-1:{bills.HOME}:application-inference-profile/abc123"
CALLED = (
    "amazon.nova-lite-v1:0",
    "us.amazon.nova-pro-v1:0",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "global.anthropic.claude-sonnet-4-6",
)
TENANTS = ("acme", "globex", "hooli")


def charges(row: UsageRow) -> list[tuple[str, int, int]]:
    """What each kind of a row's tokens costs at the book's prices, in picodollars."""
    ref = resolve_model(row.requested_model)
    rates = BOOK.rates(ref, region=row.region, at=row.started_at, tier=row.service_tier)
    assert rates is not None, row.requested_model
    counts = {
        "input": row.input_tokens,
        "output": row.output_tokens,
        "cache_read": row.cache_read_tokens,
        "cache_write_5m": row.cache_write_5m_tokens,
        "cache_write_1h": row.cache_write_1h_tokens,
    }
    prices = rates.for_input(sum(counts.values()) - row.output_tokens)
    return [(kind, count, count * (getattr(prices, kind) or 0)) for kind, count in counts.items()]


def priced(row: UsageRow) -> UsageRow:
    """The row at the book's prices."""
    ref = resolve_model(row.requested_model)
    given, output, *caches = (cost for _, _, cost in charges(row))
    return replace(
        row,
        model_id=ref.model_id,
        routing=ref.routing,
        input_cost=given,
        output_cost=output,
        cache_cost=sum(caches),
        total_cost=given + output + sum(caches),
        price_version=BOOK.version,
    )


def call(model: str, started_at: datetime, **changes: Any) -> UsageRow:
    """A call of a model as it was booked, in the gateway's account."""
    return priced(
        usage_row(
            **{
                "request_id": new_request_id(started_at),
                "started_at": started_at,
                "requested_model": model,
                "account_id": bills.HOME,
                **changes,
            }
        )
    )


def ledger(seed: int = 1, calls: int = 2) -> list[UsageRow]:
    """Calls of every tenant and model on each day; at noon, so that none is billed a day later."""
    rng = random.Random(seed)  # noqa: S311 - usage, not secrets
    rows = []
    for n in range(DAYS):
        for tenant in TENANTS:
            for model in CALLED:
                for _ in range(calls):
                    at = datetime.combine(FIRST + timedelta(days=n), datetime.min.time(), UTC)
                    rows.append(
                        call(
                            model,
                            at + timedelta(hours=12, minutes=rng.randrange(50)),
                            tenant_id=tenant,
                            input_tokens=rng.randrange(1_000, 90_000),
                            output_tokens=rng.randrange(100, 9_000),
                            cache_read_tokens=rng.choice((0, rng.randrange(1, 50_000))),
                        )
                    )
    return rows


def lake(folder: Path, rows: Iterable[UsageRow], part: int = 0) -> Path:
    """Write rows as a folder of the lake; more of them as another part."""
    folder.mkdir(exist_ok=True)
    year.write(rows, folder, part)
    return folder


def bill(folder: Path, lines: Iterable[Line]) -> Path:
    """Write the export of an account that has these lines and, each day, others."""
    bills.write([*lines, *bills.other_usage(FIRST, DAYS)], folder)
    return folder


def compared(lake: Path, bill: Path, now: datetime = LONG_AFTER, **options: Any) -> Reconciliation:
    """Reconcile the two folders."""
    with DuckDbEngine(lake, {"bill": bill}) as engine:
        return reconcile(engine, PERIOD, BOOK, now, **options)


def picodollars(amount: Decimal) -> int:
    """US dollars with at most twelve decimals."""
    return int(amount * 10**12)
