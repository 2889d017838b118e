"""An export that is missing, late or not as it was agreed is refused, loudly and by name."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from scripts.reconcile import export
from scripts.reports import periods
from scripts.reports.engines import EngineError
from scripts.reports.periods import Period
from scripts.reports.tables import BILL_COLUMNS, duckdb_type
from tests.fakes import bills
from tests.unit.scripts.reconcile import ledgers
from tests.unit.scripts.reconcile.ledgers import FIRST, PERIOD, call

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
ROWS = [call("amazon.nova-lite-v1:0", NOON)]
LINES = bills.lines_of(ROWS)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ledgers.lake(tmp_path_factory.mktemp("ledger"), ROWS)


def test_the_fake_writes_the_columns_that_the_export_has() -> None:
    wanted = {name: duckdb_type(kind) for name, kind in BILL_COLUMNS}
    assert wanted == bills.SCHEMA


def test_a_folder_without_files(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is no folder with bill: it has no data/BILLING_PERIOD="):
        ledgers.compared(lake, tmp_path)


def test_a_month_without_lines(lake: Path, tmp_path: Path) -> None:
    october = [bills.Line(date(2026, 10, 5), bills.HOME, "x", LINES[0].amount, LINES[0].cost)]
    bills.write(october, tmp_path)
    message = "the export is missing: there is no line of billing period 2026-11"
    with pytest.raises(export.ExportError, match=message):
        ledgers.compared(lake, tmp_path)


def test_days_that_should_be_there(lake: Path, tmp_path: Path) -> None:
    bills.write([*LINES, *bills.other_usage(FIRST, 2)], tmp_path)
    on_time = datetime(2026, 11, 7, 23, 59, tzinfo=UTC)
    # The period's last day ended at midnight before November 5.
    ledgers.compared(lake, tmp_path, on_time)
    message = "the export is late: its newest day is 2026-11-03, and 2026-11-04 was over 72 hours"
    with pytest.raises(export.ExportError, match=message):
        ledgers.compared(lake, tmp_path, on_time + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 11, 5, 23, 59, tzinfo=UTC), None),
        (datetime(2026, 11, 6, 0, 0, tzinfo=UTC), date(2026, 11, 2)),
        (datetime(2026, 11, 8, 0, 0, tzinfo=UTC), date(2026, 11, 4)),
        (datetime(2027, 11, 8, 0, 0, tzinfo=UTC), date(2026, 11, 4)),
    ],
)
def test_a_day_is_due_72_hours_after_its_end(now: datetime, due: date | None) -> None:
    assert export.newest_due(PERIOD, now) == due


def test_what_is_charged_later_is_in_the_next_billing_period() -> None:
    period = Period(date(2026, 11, 20), date(2026, 12, 3))
    assert export.billing_periods(period) == ["2026-11", "2026-12"]
    assert export.last_billing_period(period) == "2027-01"
    assert export.last_billing_period(periods.month("2026-11")) == "2026-12"


@pytest.mark.parametrize("column", ["line_item_iam_principal", "tags", "line_item_unblended_cost"])
def test_a_column_that_is_gone(column: str, tmp_path: Path) -> None:
    bills.write(LINES, tmp_path, without=column)
    with pytest.raises(
        export.ExportError, match=f"the export has changed: it has no column {column}"
    ):
        export.check_files(tmp_path, PERIOD)


def test_times_may_have_a_zone(lake: Path, tmp_path: Path) -> None:
    lines = [*LINES, *bills.other_usage(FIRST, 3)]
    bills.write(lines, tmp_path, line_item_usage_start_date="TIMESTAMP WITH TIME ZONE")
    export.check_files(tmp_path, PERIOD)
    assert ledgers.compared(lake, tmp_path).differences == ()


def test_a_column_of_another_type(tmp_path: Path) -> None:
    bills.write(LINES, tmp_path, line_item_unblended_cost="VARCHAR")
    message = re.escape("line_item_unblended_cost is VARCHAR; it has to be double")
    with pytest.raises(export.ExportError, match=message):
        export.check_files(tmp_path, PERIOD)


def test_other_months_and_more_columns_do_not_matter(tmp_path: Path) -> None:
    bills.write([*LINES], tmp_path, line_item_usage_end_date="TIMESTAMP_NS")
    october = bills.Line(date(2026, 10, 5), bills.HOME, "x", LINES[0].amount, LINES[0].cost)
    bills.write([october], tmp_path, without="tags")
    export.check_files(tmp_path, PERIOD)


@pytest.mark.parametrize("column", ["pricing_unit", "line_item_usage_account_id"])
def test_a_column_without_any_value_is_one_that_is_gone(
    column: str, lake: Path, tmp_path: Path
) -> None:
    # So Athena shows it: by name, null in every line.
    bills.write([*LINES, *bills.other_usage(FIRST, 3)], tmp_path, without=column)
    with pytest.raises(export.ExportError, match=f"the export has changed: {column} has no value"):
        ledgers.compared(lake, tmp_path)


def test_another_currency(lake: Path, tmp_path: Path) -> None:
    foreign = [replace(line, currency="EUR") for line in LINES]
    bills.write([*foreign, *bills.other_usage(FIRST, 3)], tmp_path)
    with pytest.raises(export.ExportError, match="2 lines of billing period 2026-11 are not in"):
        ledgers.compared(lake, tmp_path)
