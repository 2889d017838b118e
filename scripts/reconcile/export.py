"""Whether the export of AWS's bill can be compared at all: there, as it was agreed, and in time."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from scripts.reconcile.classify import WATERMARK
from scripts.reports import periods
from scripts.reports.tables import TABLES, duckdb_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime
    from pathlib import Path

    from scripts.reports.periods import Period

_HOURS = int(WATERMARK.total_seconds() // 3600)
# Those of the query's columns that are counts of values, after its own four.
_FACTS = ("billing_period", "lines", "newest_day", "not_usd")


class ExportError(Exception):
    """The export is missing, late or has changed; the message says which and what to do."""


def billing_periods(period: Period) -> list[str]:
    """The billing periods that a period's days are in, as YYYY-MM."""
    return sorted({f"{day:%Y-%m}" for day in period.days()})


def last_billing_period(period: Period) -> str:
    """The last one that can have lines of a period's days: what is charged later is in the next."""
    return f"{periods.month_after(period.days()[-1]):%Y-%m}"


def newest_due(period: Period, now: datetime) -> date | None:
    """The newest day of a period that the bill has to be complete for; None when none is yet."""
    closed = (now.astimezone(UTC) - WATERMARK).date() - timedelta(days=1)
    newest = min(closed, period.days()[-1])
    return newest if newest >= period.start else None


def check_files(folder: Path, period: Period) -> None:
    """Refuse a folder whose files of a period lack columns or have them in other types.

    Raises ExportError.
    """
    table = TABLES["bill"]
    wanted = set(billing_periods(period))
    for path in sorted(folder.glob(table.files)):
        if path.parent.name.partition("=")[2] not in wanted:
            continue
        with duckdb.connect(":memory:") as db:
            found = db.read_parquet(str(path), hive_partitioning=False)
            there = dict(zip(found.columns, map(str, found.types), strict=True))
        for name, glue_type in table.columns:
            if name not in there:
                raise ExportError(
                    f"{path}: the export has changed: it has no column {name}. "
                    "Its columns are those of modules/bill_export/columns.json"
                )
            if not _is(there[name], duckdb_type(glue_type)):
                raise ExportError(
                    f"{path}: the export has changed: {name} is {there[name]}; "
                    f"it has to be {glue_type}, as in modules/bill_export/columns.json"
                )


def check_state(found: Iterable[Mapping[str, Any]], period: Period, now: datetime) -> None:
    """Refuse an export that `bill_state` shows to be missing, changed or late.

    Raises ExportError.
    """
    by_period = {record["billing_period"]: record for record in found}
    due = newest_due(period, now)
    for name in billing_periods(period):
        record = by_period.get(name)
        if record is None:
            if due is None or name > f"{due:%Y-%m}":
                continue
            raise ExportError(
                f"the export is missing: there is no line of billing period {name}. Data Exports "
                "delivers within a day of bill_export's making, and no month from before it"
            )
        _check_columns(record)
    if due is None:
        return
    days = [record["newest_day"] for record in by_period.values() if record["newest_day"]]
    newest = max(days, default=None)
    if newest is None or newest < due:
        raise ExportError(
            f"the export is late: its newest day is {newest or 'none'}, and {due} was over "
            f"{_HOURS} hours ago. Look at the export's last delivery (Data Exports in the billing "
            "console, us-east-1) and copy or query it again"
        )


def _check_columns(record: Mapping[str, Any]) -> None:
    name = record["billing_period"]
    for column, values in record.items():
        if column not in _FACTS and not values:
            raise ExportError(
                f"the export has changed: {column} has no value in billing period {name}. Its "
                "columns are those of modules/bill_export/columns.json"
            )
    if record["not_usd"]:
        raise ExportError(
            f"{record['not_usd']} lines of billing period {name} are not in USD, which is what the "
            "ledger is in"
        )


def _is(found: str, wanted: str) -> bool:
    # Data Exports writes times with more or fewer digits, with or without a zone.
    return found.startswith(wanted) if wanted == "TIMESTAMP" else found == wanted
