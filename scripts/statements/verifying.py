"""Derive a statement again from the lake's rows, and name every row that stands in its way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from scripts.reports import periods
from scripts.reports.engines import DuckDbEngine
from scripts.reports.tables import TABLES
from scripts.statements import history, statements
from scripts.statements.closing import day_sums, usage_sums
from scripts.statements.inputs import some
from scripts.statements.ledger import Digests, open_ledger
from scripts.statements.lines import lines
from scripts.statements.publication import key_of
from scripts.statements.record import RecordError
from scripts.statements.statements import SCOPES
from scripts.statements.storage import batches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from duckdb import DuckDBPyRelation

    from scripts.reports.tables import Table
    from scripts.statements.ledger import Difference, Ledger
    from scripts.statements.record import DaySum, Record, UsageSum
    from scripts.statements.statements import Statement
    from scripts.statements.storage import LakeFiles, Store

_SHAPE = 3


class VerifyError(Exception):
    """There is no such statement; the message says what was given and what is allowed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Rows behind a statement that the lake has not, or has beyond what is stated of its month.

    `others` are sentences about figures and files that do not follow from rows.
    """

    statement: Statement
    rows: Sequence[Difference]
    others: Sequence[str]

    @property
    def holds(self) -> bool:
        """Whether the statement follows from the lake's rows, and none has come since."""
        return not self.rows and not self.others


class _StatedEngine(DuckDbEngine):
    """DuckDB over a lake of which only those rows are usage that files of row digests name."""

    def __init__(self, lake: Path, stated: Sequence[Path]) -> None:
        super().__init__(lake)
        self._stated = [str(path) for path in stated]

    def _parquet(self, table: Table, files: list[str]) -> DuckDBPyRelation:
        rows = super()._parquet(table, files)
        if table is not TABLES["usage"]:
            return rows
        named = self._db.read_parquet(self._stated).set_alias("named")
        same = " AND ".join(f"rows.{name} = named.{name}" for name in ("request_id", "dt", "hour"))
        return rows.set_alias("rows").join(named, same, how="semi")


@dataclass(frozen=True, slots=True)
class Verifier:
    """Reads a lake and a store of statements, and writes nothing."""

    lake: LakeFiles
    store: Store

    def verify(self, name: str) -> Verdict:
        """Hold a statement ("2026-10/tenant/acme") against the lake.

        Raises VerifyError for an unknown one, RecordError for a record or file of row digests that
        is gone or was changed, and LedgerError for a lake that cannot be read.
        """
        record, statement = self._find(name)
        with TemporaryDirectory(prefix="tollgate-verify-") as folder:
            check = _Check(self.lake, self.store, record, statement, Path(folder))
            rows = check.rows()
            # Sums cannot follow from rows that are not there.
            others = [] if rows else check.sums()
        for form, data in (
            ("json", statements.to_json(statement)),
            ("csv", statements.to_csv([statement])),
        ):
            stored = self.store.get(key_of(name, form))
            if stored != data:
                what = "is not there" if stored is None else "does not follow from the record"
                others.append(f"{key_of(name, form)} {what}")
        return Verdict(statement, rows, others)

    def _find(self, name: str) -> tuple[Record, Statement]:
        parts = name.split("/")
        if len(parts) != _SHAPE or parts[1] not in SCOPES:
            raise VerifyError(
                f"STATEMENT: given {name[:80]!r}; allowed: <month>/<scope>/<id>, with a scope of "
                f"{', '.join(SCOPES)}, such as 2026-10/tenant/acme"
            )
        record = history.require(self.store, parts[0])
        made = {found.name: found for found in statements.make(record, lines(record))}
        if name not in made:
            there = [found for found in made if found.startswith(f"{parts[0]}/{parts[1]}/")]
            raise VerifyError(f"STATEMENT: given {name[:80]!r}; allowed: {some(there)}")
        return record, made[name]


class _Check:
    """One statement, held against the rows of its month and the late ones of months before."""

    def __init__(
        self, lake: LakeFiles, store: Store, record: Record, statement: Statement, scratch: Path
    ) -> None:
        self._lake = lake
        self._record = record
        self._statement = statement
        self._cells = {found.cell for found in statement.digests}
        records = [history.require(store, month) for month in history.months(store)]
        own = {file.key: file for file in record.row_files}
        later = [file for file in history.row_files(records, record.month) if file.key not in own]
        self._own = history.fetch_rows(store, own.values(), scratch)
        self._later = history.fetch_rows(store, later, scratch)

    def rows(self) -> list[Difference]:
        """The rows that differ, the statement's own first; then digests follow from the lake."""
        found: list[Difference] = []
        digests = Digests()
        units = {of: facts.business_unit for of, facts in self._record.tenants.items()}
        with open_ledger(units) as ledger:
            for month in sorted({*(entry.period for entry in self._record.late), self._month}):
                for days in self._batches(ledger, month):
                    with self._lake.folder(days) as folder:
                        ledger.read(folder, days, whole=False)
                    if month == self._month:
                        ledger.state([*self._own, *self._later])
                        found += _of_kind(ledger.compare(days, self._only), "added")
                        ledger.state(self._own)
                    found += _of_kind(ledger.compare(days, self._only), "missing", "changed")
                    ledger.keep_stated()
                    digests.add(ledger.cells())
        found.sort(key=lambda difference: difference.kind == "added")
        derived = [cell for cell in digests.cells() if cell.cell in self._cells]
        if not found and derived != list(self._statement.digests):
            raise RecordError(
                f"{self._statement.name}: the digest of its rows in the lake is not the record's"
            )
        return found

    def sums(self) -> list[str]:
        """What lines and days of the record do not follow from its rows, as sentences."""
        period = periods.month(self._month)
        days = sorted(self._lake.days(period.start, period.end))
        with (
            self._lake.folder(days) as folder,
            _StatedEngine(folder, self._own) as engine,
        ):
            usage = usage_sums(engine, period, self._record.tenants)
            by_day = day_sums(engine, period, self._record.tenants)
        return [
            f"{what} of {self._statement.name} do not follow from its rows"
            for what, derived, stated in (
                ("usage lines", usage, self._record.usage),
                ("days", by_day, self._record.days),
            )
            if self._in(derived) != self._in(stated)
        ]

    @property
    def _month(self) -> str:
        return self._record.month

    def _in(self, sums: Sequence[UsageSum] | Sequence[DaySum]) -> list[UsageSum | DaySum]:
        return [entry for entry in sums if entry.cell in self._cells]

    def _batches(self, ledger: Ledger, month: str) -> list[list[date]]:
        """Days of a month to look at: of the statement's month all, of others those it names."""
        period = periods.month(month)
        ledger.state(self._own)
        stated = dict.fromkeys(ledger.stated_days(period), 0)
        there = self._lake.days(period.start, period.end)
        if month != self._month:
            there = {day: size for day, size in there.items() if day in stated}
        return batches({**stated, **there})

    @property
    def _only(self) -> tuple[str, str]:
        """The column of rows that says whose they are, and whose the statement is."""
        scope = self._statement.scope
        return "tenant_id" if scope == "tenant" else scope, self._statement.id


def _of_kind(found: Sequence[Difference], *kinds: str) -> list[Difference]:
    return [difference for difference in found if difference.kind in kinds]
