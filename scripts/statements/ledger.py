"""Ledger rows by their digests: what statements say of them, and what the lake has.

A row's digest is the SHA-256 of its canonical text: for each column that has a value, in the order
of the usage row, a line `name=value`. Texts have their length in characters and a colon before
them, a moment is microseconds since 1970, tags are in order of their names:

    schema_version=1
    request_id=36:0199f0c2-6c5f-7d35-8d0a-6f1f6e5f0a11
    …
    tags=4:team6:search

A column that a later release adds is null in older rows and changes no digest.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from scripts.reports.tables import TABLES, duckdb_type
from scripts.statements.record import UNASSIGNED, Cell, CellDigest
from tollgate.domain.money import format_usd
from tollgate.domain.usage import GLUE_COLUMNS, SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from scripts.reports.periods import Period

ROW_COLUMNS: tuple[tuple[str, str], ...] = (
    ("dt", "date"),
    ("hour", "int"),
    *((name, "string") for name in ("request_id", "tenant_id", "cost_center", "business_unit")),
    ("cost", "bigint"),
    ("digest", "string"),
)

_TEXTS = {
    "int": "CAST({0} AS VARCHAR)",
    "bigint": "CAST({0} AS VARCHAR)",
    "boolean": "CAST({0} AS VARCHAR)",
    "string": "length({0}) || ':' || {0}",
    "timestamp": "CAST(epoch_us({0}) AS VARCHAR)",
    "map<string,string>": (
        "array_to_string(list_transform(list_sort(map_entries({0})), "
        "lambda e: length(e.key) || ':' || e.key || length(e.value) || ':' || e.value), '')"
    ),
}
_NAMES = ", ".join(name for name, _ in ROW_COLUMNS)
# A row's digest holds its tenant and cost centre; its business unit can be its tenant's of the day.
_SAME = "dt, hour, request_id, tenant_id, cost_center, cost, digest"
_CELLS = """
SELECT
    tenant_id, cost_center, business_unit, dt, hour, count(*), CAST(sum(cost) AS HUGEINT),
    sha256(string_agg(request_id || ' ' || digest, chr(10) ORDER BY request_id, digest))
FROM {}
GROUP BY ALL
ORDER BY dt, hour, tenant_id, cost_center, business_unit
"""
_ODD = """
CREATE OR REPLACE TEMP TABLE {name} AS
WITH odd AS (
    SELECT {same} FROM {there} WHERE dt IN ({days})
    EXCEPT ALL SELECT {same} FROM {other} WHERE dt IN ({days})
), units AS (
    SELECT request_id, digest, any_value(business_unit) AS business_unit
    FROM {there} WHERE dt IN ({days}) GROUP BY request_id, digest
)
SELECT {names} FROM odd JOIN units USING (request_id, digest)
"""
_MOST_TOLD = 1000

HourOfCell = tuple[Cell, "date", int, int, int, str]


class LedgerError(Exception):
    """The lake is not what a statement can be made of; the message names the hour or row."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A ledger row as statements know it: its hour, cell, cost in picodollars, and digest."""

    day: date
    hour: int
    request_id: str
    cell: Cell
    cost: int
    digest: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that the lake does not have as it was stated, or has beyond what was stated.

    `row` is as it was stated; one that was added is as it lies in the lake.
    """

    kind: Literal["missing", "changed", "added"]
    row: LedgerRow

    def __str__(self) -> str:
        """The row by its request, tenant and hour."""
        hour = f"{self.row.day.isoformat()}T{self.row.hour:02d}"
        return f"{self.kind}: {self.row.request_id} of {self.row.cell.tenant_id} in {hour}"


class Digests:
    """Digests of cells: over those of their hours, each of which is over its rows'."""

    def __init__(self) -> None:
        self._found: dict[Cell, tuple[int, int, Any]] = {}

    def add(self, hours: Iterable[HourOfCell]) -> None:
        """Add hours of cells, in order: cell, day, hour, rows, cost and digest."""
        for cell, day, hour, rows, cost, digest in hours:
            standing_rows, standing_cost, hashed = self._found.get(cell, (0, 0, hashlib.sha256()))
            hashed.update(f"{day.isoformat()} {hour:02d} {rows} {cost} {digest}\n".encode())
            self._found[cell] = standing_rows + rows, standing_cost + cost, hashed

    def cells(self) -> list[CellDigest]:
        """All cells in order."""
        return [
            CellDigest(cell, rows, cost, hashed.hexdigest())
            for cell, (rows, cost, hashed) in sorted(
                self._found.items(), key=lambda found: found[0]
            )
        ]


@contextmanager
def open_ledger(units: Mapping[str, str]) -> Iterator[Ledger]:
    """A ledger in bounded memory; `units` are tenants' business units, for rows that name none."""
    with TemporaryDirectory(prefix="tollgate-ledger-") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": f"{folder}/spill",
            "memory_limit": "1GB",
            # So that the same rows make the same file.
            "threads": 1,
        }
        with duckdb.connect(":memory:", config=config) as db:
            yield Ledger(db, Path(folder), units)


class Ledger:
    """Days of a lake's folder as the table `rows`, and files of row digests as `stated`."""

    def __init__(self, db: DuckDBPyConnection, scratch: Path, units: Mapping[str, str]) -> None:
        self._db = db
        self._scratch = scratch
        types = ", ".join(f"{name} {duckdb_type(kind)}" for name, kind in ROW_COLUMNS)
        for table in ("rows", "late", "stated_none"):
            db.execute(f"CREATE TEMP TABLE {table} ({types})")
        db.execute("CREATE TEMP TABLE units (tenant_id VARCHAR, business_unit VARCHAR)")
        if units:
            db.executemany(
                "INSERT INTO units VALUES (?, ?)", [list(pair) for pair in units.items()]
            )
        self.state(())

    def read(self, folder: Path, days: Sequence[date], *, whole: bool = True) -> None:
        """Take the rows of some days of the lake as `rows`.

        Raises LedgerError, naming the hour, for what a later release wrote, and where it has to be
        `whole` for a hole: an hour whose rows are not there though reports tell of them.
        """
        self._db.execute("DELETE FROM rows")
        files = sorted(
            str(path)
            for day in days
            for path in folder.glob(f"usage/dt={day.isoformat()}/hour=*/*.parquet")
        )
        if files:
            self._take(files, days)
        if whole:
            self._check_whole(folder, days)

    def _take(self, files: list[str], days: Sequence[date]) -> None:
        read = self._db.read_parquet(files, union_by_name=True, hive_partitioning=True)
        known = {name for name, _ in (*TABLES["usage"].columns, *TABLES["usage"].partitions)}
        if unknown := sorted(set(read.columns) - known):
            raise LedgerError(
                f"usage of {min(days)} to {max(days)} has the column {unknown[0]!r}, which this "
                "release does not know: use the release that wrote it"
            )
        read.create_view("read", replace=True)
        self._check_schema()
        self._db.execute(f"INSERT INTO rows {_select(set(read.columns))}")

    def cells(self, table: Literal["rows", "late"] = "rows") -> list[HourOfCell]:
        """What `Digests.add` takes of the rows of a table."""
        found = self._db.execute(_CELLS.format(table)).fetchall()
        return [(Cell(*row[:3]), *row[3:]) for row in found]

    def file(self, table: Literal["rows", "late"] = "rows") -> tuple[bytes, int]:
        """The Parquet file of a table's rows, and how many; the same rows make the same bytes."""
        path = self._scratch / "rows.parquet"
        written = self._db.execute(
            f"COPY (SELECT {_NAMES} FROM {table} ORDER BY dt, hour, request_id, digest) "  # noqa: S608
            f"TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
        ).fetchall()
        return path.read_bytes(), int(written[0][0])

    def state(self, files: Sequence[Path]) -> None:
        """Take files of row digests as what statements say: `stated`."""
        names = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
        source = f"read_parquet([{names}])" if files else "stated_none"
        self._db.execute(f"CREATE OR REPLACE TEMP VIEW stated AS SELECT * FROM {source}")  # noqa: S608

    def stated_days(self, period: Period) -> list[date]:
        """The days of a period that `stated` has rows of."""
        found = self._db.execute(
            "SELECT DISTINCT dt FROM stated WHERE dt >= ? AND dt < ? ORDER BY dt",
            [period.start, period.end],
        ).fetchall()
        return [day for (day,) in found]

    def compare(
        self, days: Sequence[date], only: tuple[str, str] | None = None
    ) -> list[Difference]:
        """How `rows`, of some days, differ from what is `stated` of them; a thousand of a kind.

        `only` is a column and its value, such as a tenant: the rows to tell of. All that are
        missing or changed come before any that was added.
        """
        for name, there, other in (("extra", "rows", "stated"), ("lacking", "stated", "rows")):
            self._db.execute(
                _ODD.format(
                    name=name,
                    there=there,
                    other=other,
                    same=_SAME,
                    names=_NAMES,
                    days=", ".join(f"DATE '{day.isoformat()}'" for day in days),
                )
            )
        lacking = self._told("lacking", "TRUE", only)
        found = self._told("extra", "request_id NOT IN (SELECT request_id FROM lacking)", only)
        again = self._told("lacking", "request_id IN (SELECT request_id FROM extra)", only)
        changed = {row.request_id for row in again}
        return [
            *(Difference("changed" if r.request_id in changed else "missing", r) for r in lacking),
            *(Difference("added", row) for row in found),
        ]

    def keep_stated(self) -> None:
        """Keep of `rows` what is `stated`, each row once for each time."""
        self._db.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE kept AS
            WITH known AS (SELECT {_SAME} FROM rows INTERSECT ALL SELECT {_SAME} FROM stated),
            units AS (
                SELECT request_id, digest, any_value(business_unit) AS business_unit
                FROM stated GROUP BY request_id, digest
            )
            SELECT {_NAMES} FROM known JOIN units USING (request_id, digest)
            """  # noqa: S608 - names of columns
        )
        self._db.execute("DELETE FROM rows")
        self._db.execute("INSERT INTO rows SELECT * FROM kept")

    def add_late(self) -> None:
        """Add the rows that the last comparison found beyond what is stated to `late`."""
        self._db.execute("INSERT INTO late SELECT * FROM extra")

    def late(self) -> list[tuple[Cell, str, int, int]]:
        """What `late` adds up to: cell, month, rows and cost."""
        found = self._db.execute(
            """
            SELECT
                tenant_id, cost_center, business_unit, strftime(dt, '%Y-%m') AS month,
                count(*), CAST(sum(cost) AS HUGEINT)
            FROM late GROUP BY ALL ORDER BY month, tenant_id, cost_center, business_unit
            """
        ).fetchall()
        return [(Cell(*row[:3]), *row[3:]) for row in found]

    def _told(self, table: str, condition: str, only: tuple[str, str] | None) -> list[LedgerRow]:
        column, value = only or ("''", "")
        found = self._db.execute(
            f"SELECT {_NAMES} FROM {table} WHERE {condition} AND {column} = ? "  # noqa: S608 - ours
            f"ORDER BY dt, hour, request_id, digest LIMIT {_MOST_TOLD}",
            [value],
        ).fetchall()
        return [
            LedgerRow(day, hour, request_id, Cell(*cell), cost, digest)
            for day, hour, request_id, *cell, cost, digest in found
        ]

    def _check_whole(self, folder: Path, days: Sequence[date]) -> None:
        """Hold rows against what was worked out of them: facts of hours, summaries of days."""
        for name, place in (("hourly", "hour=*/*"), ("daily", "*")):
            files = [
                str(f) for day in days for f in folder.glob(f"{name}/dt={day}/{place}.parquet")
            ]
            if not files:
                continue
            told = self._db.read_parquet(sorted(files), union_by_name=True, hive_partitioning=True)
            told.create_view("told", replace=True)
            of_told, of_rows = (
                ("CAST(dt AS DATE), CAST(hour AS INTEGER)", "dt, hour")
                if name == "hourly"
                else ("CAST(dt AS DATE)", "dt")
            )
            hole = self._db.execute(
                f"""
                WITH told AS (
                    SELECT ({of_told}) AS moment, sum(total_cost) AS cost
                    FROM told GROUP BY moment
                ), found AS (
                    SELECT ({of_rows}) AS moment, sum(cost) AS cost FROM rows GROUP BY moment
                )
                SELECT moment, told.cost, found.cost
                FROM told LEFT JOIN found USING (moment)
                WHERE told.cost IS DISTINCT FROM found.cost AND NOT (
                    found.cost IS NULL AND told.cost = 0
                )
                ORDER BY moment LIMIT 1
                """  # noqa: S608 - names of columns
            ).fetchone()
            if hole is not None:
                raise LedgerError(_hole(*hole))

    def _check_schema(self) -> None:
        found = self._db.execute(
            "SELECT CAST(dt AS DATE) AS day, CAST(hour AS INTEGER) AS began, max(schema_version) "
            "FROM read WHERE schema_version > ? GROUP BY day, began ORDER BY day, began",
            [SCHEMA_VERSION],
        ).fetchall()
        if found:
            day, hour, version = found[0]
            raise LedgerError(
                f"usage of {day}T{hour:02d} has schema_version {version}, allowed: up to "
                f"{SCHEMA_VERSION}; use the release that wrote it"
            )


def _hole(at: date | tuple[date, int], told: Any, found: Any) -> str:  # noqa: ANN401 - sums
    when = at.isoformat() if isinstance(at, date) else f"{at[0].isoformat()}T{at[1]:02d}"
    has = "no rows" if found is None else f"rows of {format_usd(int(found))} USD"
    return (
        f"the lake has a hole: its reports tell {format_usd(int(told))} USD of {when}, and it has "
        f"{has} of it; copy the lake again, or aggregate that day again"
    )


def _select(there: set[str]) -> str:
    lines = ",\n".join(
        f"'{name}=' || {_TEXTS[kind].format(f'read.{name}')}"
        for name, kind in GLUE_COLUMNS
        if name in there
    )
    unit = "nullif(read.business_unit, ''), " if "business_unit" in there else ""
    return f"""
    SELECT
        CAST(dt AS DATE), CAST(hour AS INTEGER), request_id, read.tenant_id, cost_center,
        coalesce({unit}units.business_unit, '{UNASSIGNED}'),
        total_cost,
        sha256(concat_ws(chr(10), {lines}))
    FROM read LEFT JOIN units ON units.tenant_id = read.tenant_id
    """  # noqa: S608 - names of columns
