"""Two engines for one SQL text: Athena in AWS, and DuckDB over a copy of the lake.

    with DuckDbEngine(Path(".local/lake")) as engine:
        result = engine.run("SELECT count(*) AS calls FROM usage")

The text is Athena's dialect. DuckDB runs it unchanged; `MACROS` are the functions that it lacks.
What both know and mean alike is listed, and held, in tests/unit/scripts/reports/test_dialect.py.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, reduce
from typing import TYPE_CHECKING, Any, Protocol, Self

import duckdb
import sqlglot
from botocore.exceptions import BotoCoreError, ClientError
from sqlglot import exp

from scripts.reports.tables import TABLES, duckdb_type
from tollgate.domain.money import usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from scripts.reports.tables import Table

# Athena's functions that DuckDB lacks or means otherwise.
MACROS = {
    "array_join": "CREATE MACRO array_join(a, s) AS array_to_string(a, s)",
    # DuckDB's own gives a list.
    "element_at": "CREATE MACRO element_at(m, k) AS map_extract_value(m, k)",
    # DuckDB's JSON is text.
    "json_format": "CREATE MACRO json_format(j) AS CAST(j AS VARCHAR)",
    # Monday is 1.
    "day_of_week": "CREATE MACRO day_of_week(d) AS isodow(d)",
}

_USD_SCALE = 12
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_SHOWN_NAMES = 5
_HOUR = re.compile(r"/dt=(\d{4}-\d{2}-\d{2})/hour=(\d{2})/[^/]+$")
_IN_PATHS = re.compile(r"(\w+)=\*")
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
# DuckDB's names of types, where they are not Athena's.
_ATHENA_NAMES = {"hugeint": "decimal(38,0)", "timestamp with time zone": "timestamp"}


class EngineError(Exception):
    """A query cannot be answered; the message says which table or limit is in its way."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result: its name and Athena's name of its type, as in `decimal(38,12)`."""

    name: str
    type: str

    @property
    def is_usd(self) -> bool:
        """Whether it holds exact US dollars: decimals with twelve places."""
        return self._scale() == _USD_SCALE

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers, which are int in rows."""
        return self.type in ("tinyint", "smallint", "integer", "bigint") or self._scale() == 0

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.is_whole or self.type.startswith(("decimal", "double", "real"))

    def _scale(self) -> int | None:
        found = _DECIMAL.fullmatch(self.type)
        return None if found is None else int(found[2])


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gave: whole numbers as int, US dollars as Decimal, days and times as such.

    `bytes_scanned` is what Athena bills; DuckDB does not tell.
    """

    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]]
    bytes_scanned: int | None = None

    def records(self) -> list[dict[str, Any]]:
        """The rows as mappings of column to value; US dollars as picodollars."""
        return [
            {
                column.name: picodollars(value) if column.is_usd and value is not None else value
                for column, value in zip(self.columns, row, strict=True)
            }
            for row in self.rows
        ]


class Engine(Protocol):
    """Runs one SELECT in Athena's dialect; raises EngineError."""

    def run(self, sql: str) -> Result:
        """Return all of its rows."""
        ...

    def has(self, folder: str) -> bool:
        """Whether the lake has files in a folder, which is called as its table."""
        ...

    def hours(self, folder: str, first: date, last: date) -> list[datetime]:
        """The hours (UTC) of those days, both included, that a folder has files of, in order.

        An hour's file may be without a row, so no query tells this.
        """
        ...


def picodollars(amount: Decimal) -> int:
    """An exact amount of US dollars as whole picodollars."""
    return usd(f"{amount:f}")


@cache
def tables_of(sql: str) -> frozenset[str]:
    """The tables that a query reads. Raises EngineError for text that is not one query."""
    try:
        tree = sqlglot.parse_one(sql, read="athena")
    except sqlglot.errors.ParseError as error:
        raise EngineError(f"not a query: {str(error).splitlines()[0]}") from error
    own = {common.alias for common in tree.find_all(exp.CTE)}
    return frozenset(table.name for table in tree.find_all(exp.Table)) - own


class DuckDbEngine:
    """DuckDB over a folder that has the lake's layout; a table is what files of it are there."""

    def __init__(self, lake: Path, folders: Mapping[str, Path] | None = None) -> None:
        """Open nothing yet. `folders` are those of tables whose files do not lie in the lake.

        Raises EngineError when one of them is no folder.
        """
        self._folders = dict(folders or {})
        for folder in (lake, *self._folders.values()):
            if not folder.is_dir():
                raise EngineError(f"{folder} is not a folder")
        self.lake = lake
        self._db = duckdb.connect(":memory:")
        # Times of AWS's exports may have a zone; their days are UTC wherever they are read.
        self._db.execute("SET TimeZone = 'UTC'")
        for macro in MACROS.values():
            self._db.execute(macro)
        self._views: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def has(self, folder: str) -> bool:
        """See Engine."""
        return any(path.is_file() for path in (self.lake / folder).rglob("*"))

    def hours(self, folder: str, first: date, last: date) -> list[datetime]:
        """See Engine."""
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        files = (path for day in days for path in (self.lake / folder / f"dt={day}").glob("*/*"))
        return _hours(path.as_posix() for path in files)

    def run(self, sql: str) -> Result:
        """Return a query's rows; its tables are opened when they are first asked for."""
        self._open_all(sql)
        try:
            found = self._db.sql(sql)
            columns = tuple(
                Column(name, _athena_type(str(kind)))
                for name, kind in zip(found.columns, found.types, strict=True)
            )
            rows = found.fetchall()
        except duckdb.Error as error:
            raise EngineError(f"DuckDB: {error}") from error
        return Result(columns, [_plain(columns, row) for row in rows])

    def save(self, sql: str, path: Path) -> None:
        """Write a query's rows to a Parquet file, which is whole or as it was."""
        self._open_all(sql)
        unfinished = path.with_name(f".{path.name}")
        try:
            self._db.sql(sql).write_parquet(str(unfinished), compression="zstd")
            unfinished.replace(path)
        except duckdb.Error as error:
            raise EngineError(f"DuckDB: {error}") from error
        finally:
            unfinished.unlink(missing_ok=True)

    def _open_all(self, sql: str) -> None:
        for name in sorted(tables_of(sql) - self._views):
            self._open(name)
            self._views.add(name)

    def _open(self, name: str) -> None:
        table = TABLES.get(name)
        if table is None:
            raise EngineError(f"no table {name!r}; there are {', '.join(sorted(TABLES))}")
        folder = self._folder(name)
        files = sorted(map(str, folder.glob(table.files)))
        if not files and table.may_lack:
            self._empty(table).create_view(name)
            return
        if not files:
            kind = "lake" if folder == self.lake else "folder"
            raise EngineError(
                f"{folder} is no {kind} with {name}: it has no {table.files}; "
                f"it holds {_held(folder)}"
            )
        read = self._parquet if table.form == "parquet" else self._json
        read(table, files).create_view(name)

    def _empty(self, table: Table) -> duckdb.DuckDBPyRelation:
        columns = (*table.columns, *table.partitions)
        nulls = (f"CAST(NULL AS {duckdb_type(kind)}) AS {name}" for name, kind in columns)
        return self._db.sql(f"SELECT {', '.join(nulls)} WHERE false")

    def _folder(self, name: str) -> Path:
        return self._folders.get(name) or self.lake / TABLES[name].folder

    def _parquet(self, table: Table, files: list[str]) -> duckdb.DuckDBPyRelation:
        same, *others = [self._alike(table, *alike) for alike in self._by_columns(files)]
        return reduce(duckdb.DuckDBPyRelation.union, others, same)

    def _by_columns(self, files: list[str]) -> list[tuple[set[str], list[str]]]:
        """Group files by the columns that they have, with their types.

        DuckDB can join files by name itself, but then it opens each of them for every query, also
        those of days that the query leaves out.
        """
        found = self._db.sql(
            f"""
            SELECT names, list(file_name ORDER BY file_name) FROM (
                SELECT file_name, list(name) AS names, list(concat_ws(' ', name, type)) AS columns
                FROM parquet_schema([{_literals(files)}])
                GROUP BY file_name
            ) GROUP BY names, columns ORDER BY names, columns
            """  # noqa: S608 - paths below the lake, quoted
        ).fetchall()
        # Athena knows names in lower case, whatever a file calls its columns.
        return [({name.lower() for name in names}, alike) for names, alike in found]

    def _alike(self, table: Table, names: set[str], files: list[str]) -> duckdb.DuckDBPyRelation:
        # As the paths spell them: AWS's own exports shout.
        spelled = {name.lower(): name for name in _IN_PATHS.findall(table.files)}
        types = ", ".join(
            f"'{spelled[name]}': {duckdb_type(kind)}" for name, kind in table.partitions
        )
        hive = f", hive_partitioning = true, hive_types = {{{types}}}" if types else ""
        selected = ", ".join(
            [
                name if name in names else f"CAST(NULL AS {duckdb_type(kind)}) AS {name}"
                for name, kind in table.columns
            ]
            + [f"{spelled[name]} AS {name}" for name, _ in table.partitions]
        )
        return self._db.sql(
            f"SELECT {selected} FROM read_parquet([{_literals(files)}]{hive})"  # noqa: S608 - as above
        )

    def _json(self, table: Table, files: list[str]) -> duckdb.DuckDBPyRelation:
        return self._db.read_json(
            files,  # type: ignore[arg-type]  # it takes several as well
            format="newline_delimited",
            columns={name: duckdb_type(kind) for name, kind in table.columns},
        )


class AthenaEngine:
    """Athena, in a workgroup that limits what a query may scan and says where results go."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3's Athena client, which has no types here
        workgroup: str,
        database: str,
        keys: Callable[[str], Iterable[str]],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`keys` lists the lake's keys with a prefix, in order; `pause` waits for seconds."""
        self._client = client
        self._workgroup = workgroup
        self._database = database
        self._keys = keys
        self._pause = pause

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Athena keeps nothing open."""

    def has(self, folder: str) -> bool:
        """See Engine."""
        return next(iter(self._keys(f"{folder}/")), None) is not None

    def hours(self, folder: str, first: date, last: date) -> list[datetime]:
        """See Engine."""
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return _hours(key for day in days for key in self._keys(f"{folder}/dt={day}/"))

    def run(self, sql: str) -> Result:
        """Start the query, wait for its end and read all pages; an interrupt cancels it."""
        try:
            started = self._client.start_query_execution(
                QueryString=sql,
                QueryExecutionContext={"Database": self._database},
                WorkGroup=self._workgroup,
            )
            return self._finish(started["QueryExecutionId"])
        except (BotoCoreError, ClientError) as error:
            raise EngineError(f"Athena, workgroup {self._workgroup}: {error}") from error

    def _finish(self, query_id: str) -> Result:
        try:
            scanned = self._wait(query_id)
        except EngineError:
            raise
        except BaseException:
            self._client.stop_query_execution(QueryExecutionId=query_id)
            raise
        columns, rows = self._read(query_id)
        return Result(columns, rows, scanned)

    def _wait(self, query_id: str) -> int:
        pause = _FIRST_PAUSE
        while True:
            found = self._client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            state = found["Status"]["State"]
            scanned = int(found.get("Statistics", {}).get("DataScannedInBytes", 0))
            if state == "SUCCEEDED":
                return scanned
            if state in ("FAILED", "CANCELLED"):
                raise EngineError(self._why(query_id, state, found["Status"], scanned))
            self._pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _why(self, query_id: str, state: str, status: Mapping[str, Any], scanned: int) -> str:
        reason = status.get("StateChangeReason", "no reason given")
        told = f"Athena query {query_id} in workgroup {self._workgroup}: {state}: {reason}"
        if "scanned limit" not in reason.lower():
            return told
        return (
            f"{told}; it had scanned {scanned} bytes. Ask for a shorter period, or raise "
            "bytes_scanned_cutoff of modules/analytics"
        )

    def _read(self, query_id: str) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
        pages = self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)
        columns: tuple[Column, ...] = ()
        rows: list[tuple[Any, ...]] = []
        for page in pages:
            found = page["ResultSet"]
            lines = found["Rows"]
            if not columns:
                columns = tuple(map(_athena_column, found["ResultSetMetadata"]["ColumnInfo"]))
                lines = lines[1:]  # the first line of the first page is the header
            rows += [_read_line(columns, line["Data"]) for line in lines]
        return columns, rows


def _hours(paths: Iterable[str]) -> list[datetime]:
    found = {(match[1], match[2]) for match in map(_HOUR.search, paths) if match}
    return [
        datetime.fromisoformat(day).replace(hour=int(hour), tzinfo=UTC)
        for day, hour in sorted(found)
    ]


def _athena_column(info: Mapping[str, Any]) -> Column:
    kind = info["Type"]
    return Column(
        info["Name"],
        f"decimal({info['Precision']},{info['Scale']})" if kind == "decimal" else kind,
    )


def _read_line(columns: Sequence[Column], cells: Sequence[Mapping[str, str]]) -> tuple[Any, ...]:
    return tuple(
        _read_cell(column, cell.get("VarCharValue"))
        for column, cell in zip(columns, cells, strict=True)
    )


def _read_cell(column: Column, text: str | None) -> Any:  # noqa: ANN401 - of the column's type
    if text is None:
        return None
    if column.is_whole:
        return int(text)
    if column.type.startswith("decimal"):
        return Decimal(text)
    return _CELLS.get(column.type, str)(text)


_CELLS: dict[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "true",
    "date": date.fromisoformat,
    "double": float,
    "real": float,
    "timestamp": datetime.fromisoformat,
}


def _plain(columns: Sequence[Column], row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(
        int(value) if column.is_whole and value is not None else value
        for column, value in zip(columns, row, strict=True)
    )


def _athena_type(name: str) -> str:
    lowered = name.lower().replace(", ", ",")
    return _ATHENA_NAMES.get(lowered, lowered)


def _literals(texts: list[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


def _held(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    more = ", …" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more if names else "nothing"
