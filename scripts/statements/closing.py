"""Close a month: make its record from the lake, once, and publish the statements that follow.

The record is the close. It is written in one piece and only if there is none, so of two people who
close at once one does and the other finds it; all else is made from it and can be made again, so a
close that was interrupted is finished by the next. Nothing is written before all has been checked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from scripts.reports import checks, periods, queries
from scripts.statements import history
from scripts.statements.inputs import some
from scripts.statements.ledger import Digests, LedgerError, open_ledger
from scripts.statements.lines import lines, percent_of
from scripts.statements.publication import publish
from scripts.statements.record import (
    UNASSIGNED,
    Cell,
    CellDigest,
    DaySum,
    LateSum,
    Record,
    RowFile,
    TenantFacts,
    UsageSum,
    to_bytes,
)
from scripts.statements.storage import batches
from tollgate.domain.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scripts.reports.engines import Engine
    from scripts.reports.periods import Period
    from scripts.statements.inputs import Finance
    from scripts.statements.ledger import Ledger
    from scripts.statements.publication import Published
    from scripts.statements.storage import LakeFiles, Store

_UNKNOWN = "unknown"


class CloseError(Exception):
    """The month cannot be closed; the message says what is in the way. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed month; `already` if it had been closed before, and what was published now."""

    record: Record
    already: bool
    published: Published


@dataclass(frozen=True, slots=True)
class Closer:
    """What a close reads and writes.

    `engine` answers the named queries over the same lake. `closed_through` is the moment up to
    which the lake's hours are closed, None where nobody knows.
    """

    lake: LakeFiles
    engine: Engine
    store: Store
    finance: Finance
    clock: Callable[[], datetime]
    closed_through: datetime | None = None

    def close(self, month: str) -> Closed:
        """Close a month ("YYYY-MM", UTC), or finish publishing one that is closed.

        Raises CloseError, and LedgerError or InputsError for what the lake or the inputs have.
        """
        period = self._period(month)
        standing = history.read(self.store, month)
        if standing is not None:
            return Closed(standing, already=True, published=publish(standing, self.store))
        closed = history.months(self.store)
        self._check_order(month, period, closed)
        with TemporaryDirectory(prefix="tollgate-close-") as scratch:
            record, files = self._make(period, month, closed, Path(scratch))
            # What cannot be allocated is told before anything is written.
            lines(record)
            for key, path in files.items():
                self.store.put(key, path.read_bytes())
        mine = self.store.put(history.key(month), to_bytes(record))
        if not mine:
            record = history.require(self.store, month)
        return Closed(record, already=not mine, published=publish(record, self.store))

    def _period(self, month: str) -> Period:
        try:
            period = periods.month(month)
        except ValueError as error:
            raise CloseError(f"MONTH: given {error}") from None
        end = datetime.combine(period.end, time(), UTC)
        if self.clock() < end:
            raise CloseError(f"{month} is not over: it ends with the day before {period.end} (UTC)")
        if self.closed_through is not None and self.closed_through < end:
            raise CloseError(
                f"hours of {month} are open yet: they are closed up to "
                f"{self.closed_through:%Y-%m-%dT%H:%M}Z; allowed: once all before {period.end} are"
            )
        return period

    def _check_order(self, month: str, period: Period, closed: Sequence[str]) -> None:
        if closed and closed[-1] > month:
            raise CloseError(
                f"{month} was not closed, and {closed[-1]} is: statements are made in order; "
                f"allowed: months after {closed[-1]}"
            )
        if closed:
            skipped = self.lake.days(periods.month(closed[-1]).end, period.start)
            if skipped:
                raise CloseError(
                    f"{min(skipped):%Y-%m} has usage and is not closed: close it first"
                )
        if not self.lake.days(period.start, period.end):
            raise CloseError(f"the lake has no usage in {month}: there is nothing to close")

    def _make(
        self, period: Period, month: str, closed: Sequence[str], scratch: Path
    ) -> tuple[Record, dict[str, Path]]:
        try:
            checks.holes(self.engine, period, self.clock().date())
        except checks.RefusedError as error:
            raise CloseError(str(error)) from None
        tenants = tenant_facts(self.lake.lists("tenants"), self.finance.markups)
        listed = self.lake.lists("business_units")
        names = {str(unit["id"]): str(unit.get("name") or unit["id"]) for unit in listed}
        units = frozenset(names) | {facts.business_unit for facts in tenants.values()}
        inputs = self.finance.month(month, frozenset(tenants), units)
        usage = usage_sums(self.engine, period, tenants)
        days = day_sums(self.engine, period, tenants)
        _check_known(usage, tenants, month)
        with open_ledger({of: facts.business_unit for of, facts in tenants.items()}) as ledger:
            digests = Digests()
            late, stated = self._late(closed, tenants, ledger, scratch)
            digests.add(ledger.cells("late"))
            files = []
            if late:
                files.append(_row_file(scratch, month, "late", *ledger.file("late")))
            for days_read in batches(self.lake.days(period.start, period.end)):
                with self.lake.folder(days_read) as folder:
                    ledger.read(folder, days_read)
                digests.add(ledger.cells())
                name = f"usage-{days_read[0]}"
                files.append(_row_file(scratch, month, name, *ledger.file()))
        cells = digests.cells()
        _check_sums(usage, late, cells)
        record = Record(
            month=month,
            closed_at=f"{self.clock():%Y-%m-%dT%H:%M:%SZ}",
            inputs=inputs,
            tenants={**stated, **tenants},
            business_units=names,
            usage=usage,
            days=days,
            late=late,
            cells=cells,
            row_files=[file for file, _ in files],
        )
        return record, {file.key: path for file, path in files}

    def _late(
        self,
        closed: Sequence[str],
        tenants: Mapping[str, TenantFacts],
        ledger: Ledger,
        scratch: Path,
    ) -> tuple[list[LateSum], dict[str, TenantFacts]]:
        """Collect what came of closed months since, in `late`, on the terms of their statements.

        Also returns what those statements knew of its tenants, who may be gone.
        """
        records = [history.require(self.store, month) for month in closed]
        for month in history.changed(records, self.engine):
            files = history.row_files(records, month)
            ledger.state(history.fetch_rows(self.store, files, scratch))
            period = periods.month(month)
            stated_days = dict.fromkeys(ledger.stated_days(period), 0)
            for days in batches({**stated_days, **self.lake.days(period.start, period.end)}):
                with self.lake.folder(days) as folder:
                    ledger.read(folder, days)
                for found in ledger.compare(days):
                    if found.kind != "added":
                        raise LedgerError(
                            f"{month} is closed, and the lake has not what it had then: {found}; "
                            "make verify tells all that differs"
                        )
                ledger.add_late()
        by_month = {record.month: record for record in records}
        late, stated = [], {}
        for cell, month, rows, cost in ledger.late():
            of_then = by_month[month].tenants.get(cell.tenant_id)
            facts = of_then or tenants.get(cell.tenant_id)
            if facts is None:
                raise _unknown([cell.tenant_id], month)
            # Who is gone pays for nothing but its calls.
            stated[cell.tenant_id] = replace(facts, subscription_usd="0")
            late.append(_late_sum(by_month[month], facts, cell, rows, cost))
        return late, stated


def tenant_facts(
    listed: Iterable[Mapping[str, Any]], markups: Mapping[str, str]
) -> dict[str, TenantFacts]:
    """The lake's list of tenants; those that are gone have the markups of the inputs alone."""
    found = {
        str(entry["tenant_id"]): TenantFacts(
            name=entry["name"],
            kind=entry["kind"],
            tier=entry["tier"],
            markup=entry["markup"],
            cost_center=entry["cost_center"],
            business_unit=entry.get("business_unit") or UNASSIGNED,
            subscription_usd=_fee(entry),
        )
        for entry in listed
    }
    gone = {
        tenant_id: TenantFacts(
            tenant_id, _UNKNOWN, _UNKNOWN, markup, cost_center=UNASSIGNED, business_unit=UNASSIGNED
        )
        for tenant_id, markup in markups.items()
        if tenant_id not in found
    }
    return dict(sorted({**found, **gone}.items()))


def _fee(entry: Mapping[str, Any]) -> str:
    """What a tenant pays a month beside its usage; one that was offboarded pays no more."""
    return "0" if entry.get("status") == "offboarded" else entry.get("subscription_usd") or "0"


def usage_sums(
    engine: Engine, period: Period, tenants: Mapping[str, TenantFacts]
) -> list[UsageSum]:
    """What each app used of each model in a period, by cell, as the named query says."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    measures = ("ledger_rows", "calls", "input_tokens", "output_tokens", "cost")
    for row in engine.run(_query("statement_usage", period)).records():
        key = _cell(row, tenants), row["app_id"], row["model_id"]
        standing = sums.setdefault(key, [0] * len(measures))
        # A tenant's rows that name its business unit and those that name none are of one cell.
        sums[key] = [a + row[name] for a, name in zip(standing, measures, strict=True)]
    return [UsageSum(*key, *found) for key, found in sorted(sums.items())]


def day_sums(engine: Engine, period: Period, tenants: Mapping[str, TenantFacts]) -> list[DaySum]:
    """What each day of a period cost, by cell, as the named query says."""
    sums: dict[tuple[Cell, str], int] = {}
    for row in engine.run(_query("statement_days", period)).records():
        key = _cell(row, tenants), row["dt"].isoformat()
        sums[key] = sums.get(key, 0) + row["cost"]
    return [DaySum(*key, cost) for key, cost in sorted(sums.items())]


def _query(name: str, period: Period) -> str:
    return queries.load()[name].fill(period)


def _cell(row: Mapping[str, Any], tenants: Mapping[str, TenantFacts]) -> Cell:
    facts = tenants.get(row["tenant_id"])
    unit = row["business_unit"] or (facts.business_unit if facts else UNASSIGNED)
    return Cell(row["tenant_id"], row["cost_center"], unit)


def _check_known(usage: Sequence[UsageSum], tenants: Mapping[str, TenantFacts], month: str) -> None:
    unknown = sorted({entry.cell.tenant_id for entry in usage} - tenants.keys())
    if unknown:
        raise _unknown(unknown, month)


def _unknown(tenants: Sequence[str], month: str) -> CloseError:
    return CloseError(
        f"{month} has usage of {some(tenants)}, unknown to the lake's list of tenants; allowed: "
        f'tenants/{tenants[0]}.json, or in the inputs: [tenants.{tenants[0]}] markup = "1.20"'
    )


def _check_sums(
    usage: Sequence[UsageSum], late: Sequence[LateSum], cells: Sequence[CellDigest]
) -> None:
    """Refuse when queries and files, which are read one after the other, tell different sums."""
    told: dict[Cell, tuple[int, int]] = {}
    entries: tuple[UsageSum | LateSum, ...] = (*usage, *late)
    for entry in entries:
        rows, cost = told.get(entry.cell, (0, 0))
        told[entry.cell] = rows + entry.rows, cost + entry.cost
    found = {cell.cell: (cell.rows, cell.cost) for cell in cells}
    for cell in sorted(told.keys() | found.keys()):
        queried, read = told.get(cell, (0, 0)), found.get(cell, (0, 0))
        if queried != read:
            raise LedgerError(
                f"{cell.tenant_id} in {cell.cost_center}: the query tells {queried[0]} rows of "
                f"{format_usd(queried[1])} USD, the files {read[0]} of {format_usd(read[1])}; the "
                "lake was written meanwhile: close again"
            )


def _row_file(scratch: Path, month: str, name: str, data: bytes, rows: int) -> tuple[RowFile, Path]:
    digest = hashlib.sha256(data).hexdigest()
    path = scratch / f"{name}.parquet"
    path.write_bytes(data)
    return RowFile(f"rows/month={month}/{name}-{digest[:16]}.parquet", rows, digest), path


def _late_sum(record: Record, facts: TenantFacts, cell: Cell, rows: int, cost: int) -> LateSum:
    """Late rows on the terms on which their month was stated."""
    return LateSum(
        cell=cell,
        period=record.month,
        rows=rows,
        cost=cost,
        markup=record.inputs.markups.get(cell.tenant_id) or facts.markup,
        percent=percent_of(record, cell),
        rate=record.inputs.rate,
    )
