"""The year that never was: what it holds, and that it is the same each time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from scripts.bench.year import MODELS, UNPRICED_MODEL, Year, main, year_book
from scripts.prices.reprice import CORRECTION, CORRECTS
from tollgate.domain.models import resolve_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def year() -> Year:
    return Year(2025, tenants=6, calls=6, months=3)


def test_the_same_arguments_make_the_same_rows(year: Year) -> None:
    again = Year(2025, tenants=6, calls=6, months=3)
    assert again.arrivals("2025-02") == year.arrivals("2025-02")


def test_another_seed_makes_other_rows(year: Year) -> None:
    other = Year(2025, tenants=6, calls=6, months=3, seed=2)
    assert other.arrivals("2025-01") != year.arrivals("2025-01")


def test_some_rows_come_after_their_month(year: Year) -> None:
    late = [row for row in year.arrivals("2025-02") if row.started_at.month == 1]
    assert {row.operation for row in late} == {"converse", CORRECTION}


def test_what_had_no_price_is_priced_in_the_month_after(year: Year) -> None:
    unpriced = {row.request_id for row in year.arrivals("2025-01") if not row.priced}
    corrected = {row.tags.get(CORRECTS) for row in year.arrivals("2025-02")}
    assert unpriced
    assert unpriced <= corrected


def test_a_refund_leaves_nothing_of_its_call(year: Year) -> None:
    rows = [row for month in year.months for row in year.arrivals(month)]
    by_id = {row.request_id: row for row in rows}
    refunds = [
        row for row in rows if row.operation == CORRECTION and row.model_id != UNPRICED_MODEL
    ]
    assert refunds
    for refund in refunds:
        assert refund.total_cost == -by_id[refund.tags[CORRECTS]].total_cost


def test_a_price_falls_on_the_first_of_july() -> None:
    book = year_book(2025)
    ref = resolve_model(MODELS[0], {})

    def price(month: int, day: int) -> int:
        rates = book.rates(ref, region="us-east-1", at=datetime(2025, month, day, tzinfo=UTC))
        assert rates is not None
        assert rates.input is not None
        return rates.input

    assert price(7, 1) * 100 == price(6, 30) * 80


def test_the_folder_has_every_row_once(tmp_path: Path) -> None:
    out = tmp_path / "lake"
    assert main(["--out", str(out), "--tenants", "3", "--calls", "2", "--months", "2"]) == 0
    year = Year(2025, tenants=3, calls=2, months=2)
    rows = [row for month in year.months for row in year.arrivals(month)]
    found = duckdb.sql(
        f"SELECT request_id, total_cost FROM '{out}/usage/*/*/*.parquet'"  # noqa: S608 - of ours
    ).fetchall()
    assert sorted(found) == sorted((row.request_id, row.total_cost) for row in rows)
    assert len(list((out / "tenants").iterdir())) == 3


def test_a_folder_with_files_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("x")
    assert main(["--out", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err
