"""A year is closed month by month; each statement follows from the lake, and a forgery is found."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from scripts.bench.year import UNITS, Year, write, write_facts
from scripts.reports import periods
from scripts.reports.engines import DuckDbEngine
from scripts.statements.closing import Closer
from scripts.statements.inputs import Finance
from scripts.statements.statements import SCOPES
from scripts.statements.storage import FolderLake, FolderStore
from scripts.statements.verifying import Verifier
from tests.fakes.statement_lake import plain_pages
from tollgate.domain.money import format_usd, usd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.statements.closing import Closed

FINANCE = Finance(
    {
        "currency": "EUR",
        "rates": {"2024-01": "0.92", "2025-05": "0.9137"},
        "shared_costs": [
            {"name": "API Gateway, Lambda, KMS", "month_usd": "431.17", "by": "calls"},
            {"name": "Support plan", "month_usd": "100", "by": "cost"},
        ],
        "discounts": [{"name": "Volume", "percent": "7.5", "business_units": [UNITS[0]]}],
    }
)


def close(lake: Path, month: str) -> Closed:
    with DuckDbEngine(lake) as engine:
        return Closer(
            lake=FolderLake(lake),
            engine=engine,
            store=FolderStore(lake / "statements"),
            finance=FINANCE,
            clock=lambda: (
                datetime.combine(periods.month(month).end, datetime.min.time(), UTC)
                + timedelta(hours=3)
            ),
        ).close(month)


def issued(lake: Path, month: str, scope: str) -> list[dict[str, Any]]:
    files = (lake / "statements" / "issued" / month / scope).glob("*.json")
    return [json.loads(file.read_bytes()) for file in files]


def check_sums(lake: Path, year: Year, month: str) -> None:
    """Σ lines = Σ statements = Σ rows that arrived, whichever way they are grouped."""
    arrived = sum(row.total_cost for row in year.arrivals(month))
    totals = set()
    for scope in SCOPES:
        statements = issued(lake, month, scope)
        assert sum(usd(one["ledger"]["cost_usd"]) for one in statements) == arrived
        for one in statements:
            assert sum(Decimal(line["net"]) for line in one["lines"]) == Decimal(
                one["totals"]["net"]
            )
        totals.add(sum(Decimal(one["totals"]["net"]) for one in statements))
    assert len(totals) == 1


def forge(lake: Path, month: str, seed: int) -> tuple[str, str]:
    """Make one call of a month a picodollar cheaper; returns its tenant and request."""
    files = sorted((lake / "usage").glob(f"dt={month}-*/hour=*/*.parquet"))
    file = random.Random(seed).choice(files)  # noqa: S311 - any of them
    with duckdb.connect(":memory:") as db:
        db.execute("CREATE TABLE rows AS SELECT * FROM read_parquet(?)", [str(file)])
        found = db.execute("SELECT tenant_id, request_id FROM rows ORDER BY request_id").fetchone()
        assert found is not None
        db.execute(
            "UPDATE rows SET total_cost = total_cost - 1, input_cost = input_cost - 1 "
            "WHERE request_id = ?",
            [found[1]],
        )
        db.execute(f"COPY rows TO '{file}' (FORMAT parquet)")
    return str(found[0]), str(found[1])


@pytest.fixture(autouse=True)
def _without_charts() -> Iterator[None]:
    with plain_pages():
        yield


@pytest.mark.parametrize(
    ("tenants", "calls", "months", "seed"),
    [
        # With late rows and a correction, which few of so small years have.
        pytest.param(2, 2, 2, 20, id="small"),
        pytest.param(50, 4, 12, 1, id="year", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_a_year_of_statements(
    tmp_path: Path, tenants: int, calls: int, months: int, seed: int
) -> None:
    year = Year(tenants=tenants, calls=calls, months=months, seed=seed)
    write_facts(year, tmp_path)
    notes = 0
    for part, month in enumerate(year.months):
        write(year.arrivals(month), tmp_path, part)
        closed = close(tmp_path, month)
        notes += len(closed.record.late)
        check_sums(tmp_path, year, month)
    assert notes > 0

    # Statements of units have all rows between them; of the others, which share theirs, a few.
    verifier = Verifier(FolderLake(tmp_path), FolderStore(tmp_path / "statements"))
    everything = 0
    for month in year.months:
        for scope, most in (("business_unit", None), ("tenant", 2), ("cost_center", 1)):
            for one in issued(tmp_path, month, scope)[:most]:
                verdict = verifier.verify(one["statement"])
                assert verdict.holds, (one["statement"], verdict.rows[:3], verdict.others)
                everything += usd(one["ledger"]["cost_usd"]) if most is None else 0
    rows = [row for month in year.months for row in year.arrivals(month)]
    assert format_usd(everything) == format_usd(sum(row.total_cost for row in rows))

    month = year.months[-2]
    tenant, request_id = forge(tmp_path, month, seed)
    verdict = verifier.verify(f"{month}/tenant/{tenant}")
    assert len(verdict.rows) == 1
    assert str(verdict.rows[0]).startswith(f"changed: {request_id} of {tenant} in {month}-")
    # It is on no other's statement.
    others = [one["statement"] for one in issued(tmp_path, month, "tenant") if one["id"] != tenant]
    assert verifier.verify(others[0]).holds
