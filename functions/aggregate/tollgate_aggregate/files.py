"""The files of the lake: where they are and what is in them.

DuckDB writes and reads the Parquet. The same rows always make the same bytes, so a run that finds
nothing new leaves every object as it is.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

from tollgate.domain.ids import is_request_id
from tollgate.domain.money import format_usd
from tollgate.domain.usage import GLUE_COLUMNS, to_json_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from duckdb import DuckDBPyConnection

    from tollgate.domain.usage import UsageRow

_DUCKDB_TYPES = {
    "int": "INTEGER",
    "bigint": "BIGINT",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "map<string,string>": "MAP(VARCHAR, VARCHAR)",
}
_COLUMNS = {name: _DUCKDB_TYPES[glue_type] for name, glue_type in GLUE_COLUMNS}

# A row never changes once written, so whatever is in the lake already stays, also when the table
# has let go of it since.
_MERGE = """
SELECT * FROM fresh
UNION ALL BY NAME
SELECT * FROM standing WHERE request_id NOT IN (SELECT request_id FROM fresh)
ORDER BY request_id
"""
_FRESH = "SELECT * FROM fresh ORDER BY request_id"

# Re-priced usage: the correction is a row with the operation "reprice" and the id of the row that
# it corrects, in the same hour. It counts no invocation, and that row needs no look any more.
_USAGE = """
SELECT *, request_id IN (SELECT tags['corrects'] FROM rows WHERE operation = 'reprice') AS corrected
FROM rows
"""

_SUMS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "images",
    "input_cost",
    "output_cost",
    "cache_cost",
    "other_cost",
    "total_cost",
)
# 64 bits may not hold sums of 64-bit integers. The Glue table of the days has the same types.
DAILY_COLUMNS: list[tuple[str, str]] = [
    *((name, "string") for name in ("tenant_id", "app_id", "model_id")),
    *((name, "bigint") for name in ("invocations", "errors", "unpriced")),
    *((name, "decimal(38,0)") for name in _SUMS),
]
_SUMMARY = f"""
SELECT
    tenant_id,
    app_id,
    model_id,
    count_if(status <> 'error' AND operation <> 'reprice')::BIGINT AS invocations,
    count_if(status = 'error')::BIGINT AS errors,
    count_if(NOT priced AND NOT corrected)::BIGINT AS unpriced,
    {", ".join(f"sum({name})::DECIMAL(38, 0) AS {name}" for name in _SUMS)}
FROM usage
GROUP BY tenant_id, app_id, model_id
ORDER BY tenant_id, app_id, model_id
"""  # noqa: S608 - names of columns

# The old report has two cost columns. Cache tokens are input and the rest is output, so that the
# two still add up to what the day cost. Failed calls that cost nothing were never in it.
_SUCCEED = """
SELECT
    key_id,
    tenant_id,
    model_id,
    sum(
        input_tokens::HUGEINT + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens
    ),
    sum(output_tokens),
    sum(input_cost::HUGEINT + cache_cost),
    sum(output_cost::HUGEINT + other_cost),
    count_if(status <> 'error' AND operation <> 'reprice')
FROM usage
WHERE status <> 'error' OR total_cost <> 0 OR NOT priced
GROUP BY key_id, tenant_id, model_id
ORDER BY key_id, tenant_id, model_id
"""
_SUCCEED_HEADER = (
    "api_key",
    "team_id",
    "model_id",
    "input_tokens",
    "output_tokens",
    "input_cost",
    "output_cost",
    "invocations",
    "date",
)

_ERRORS_COLUMNS = (
    "request_id",
    "tenant_id",
    "app_id",
    "key_id",
    "model_id",
    "status",
    "error_code",
    "usage_source",
    "priced",
    "input_tokens",
    "output_tokens",
    "total_cost",
)
_ERRORS = """
SELECT
    request_id, tenant_id, app_id, key_id, model_id, status, error_code, usage_source, priced,
    input_tokens, output_tokens, total_cost
FROM usage
WHERE status IN ('error', 'orphaned') OR usage_source = 'bound' OR (NOT priced AND NOT corrected)
ORDER BY request_id
"""


@dataclass(frozen=True, slots=True)
class HourFile:
    """One hour's Parquet file and how many rows, and unpriced rows, are in it."""

    data: bytes
    rows: int
    unpriced: int


def hour_key(hour: datetime) -> str:
    """Key of the usage file of a UTC hour."""
    return f"{day_prefix(hour.date())}hour={hour:%H}/part-00.parquet"


def quarantine_key(hour: datetime, row_id: str) -> str:
    """Key of a row of a UTC hour that nobody can read. Not every id is fit for a key."""
    name = row_id if is_request_id(row_id) else hashlib.sha256(row_id.encode()).hexdigest()
    return f"quarantine/dt={hour:%Y-%m-%d}/hour={hour:%H}/{name}.json"


def request_ids(data: bytes) -> set[str]:
    """The requests that an hour's file has rows of."""
    with _workspace() as (db, folder):
        (folder / "hour.parquet").write_bytes(data)
        rows = db.read_parquet(str(folder / "hour.parquet")).select("request_id").fetchall()
        return {request_id for (request_id,) in rows}


def day_prefix(day: date) -> str:
    """Start of the keys of all usage files of a day."""
    return f"usage/dt={day.isoformat()}/"


def report_keys(day: date) -> tuple[str, str, str]:
    """Keys of a day's summary, old report and list of errors."""
    text = day.isoformat()
    return f"daily/dt={text}/summary.parquet", f"succeed/{text}.csv", f"errors/{text}.txt"


def hour_file(rows: Iterable[UsageRow], standing: bytes | None) -> HourFile | None:
    """Write an hour's rows, together with those of the file that stands; None without rows."""
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return None
    with _workspace() as (db, folder):
        lines = folder / "rows.json"
        _write_lines(lines, chain([first], remaining))
        db.read_json(str(lines), columns=_COLUMNS, format="newline_delimited").create_view("fresh")
        if standing is not None:
            (folder / "standing.parquet").write_bytes(standing)
            db.read_parquet(str(folder / "standing.parquet")).create_view("standing")
        merged = db.sql(_FRESH if standing is None else _MERGE)
        data = _parquet(merged, folder / "hour.parquet")
        ((rows_written, unpriced),) = merged.aggregate("count(*), count_if(NOT priced)").fetchall()
        return HourFile(data, int(rows_written), int(unpriced))


def day_files(day: date, hours: Sequence[bytes]) -> dict[str, bytes]:
    """Write a day's reports from its hour files: key to content. Without hours there are none."""
    if not hours:
        return {}
    summary_key, succeed_key, errors_key = report_keys(day)
    with _workspace() as (db, folder):
        paths = [folder / f"{n:02d}.parquet" for n in range(len(hours))]
        for path, data in zip(paths, hours, strict=True):
            path.write_bytes(data)
        # Hours from before the newest columns have none of them.
        db.read_parquet([str(path) for path in paths], union_by_name=True).create_view("rows")
        db.sql(_USAGE).create_view("usage")
        files = {
            summary_key: _parquet(db.sql(_SUMMARY), folder / "summary.parquet"),
            succeed_key: _succeed(day, db.sql(_SUCCEED).fetchall()),
        }
        errors = db.sql(_ERRORS).fetchall()
    if errors:
        files[errors_key] = _errors(errors)
    return files


@contextmanager
def _workspace() -> Iterator[tuple[DuckDBPyConnection, Path]]:
    with TemporaryDirectory(prefix="tollgate-aggregate-") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            # The code folder of a function is read-only, and nothing may be fetched at run time.
            "temp_directory": f"{folder}/spill",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # Of the 1024 MB the function has; Python and the files need the rest.
            "memory_limit": "512MB",
            "threads": 1,
        }
        with duckdb.connect(":memory:", config=config) as db:
            yield db, Path(folder)


def _write_lines(path: Path, rows: Iterable[UsageRow]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(to_json_row(row), ensure_ascii=False) + "\n")


def _parquet(relation: duckdb.DuckDBPyRelation, path: Path) -> bytes:
    relation.write_parquet(str(path), compression="zstd")
    return path.read_bytes()


def _succeed(day: date, rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_SUCCEED_HEADER)
    for *ids, tokens_in, tokens_out, cost_in, cost_out, invocations in rows:
        costs = format_usd(int(cost_in)), format_usd(int(cost_out))
        writer.writerow([*ids, tokens_in, tokens_out, *costs, invocations, day.isoformat()])
    return text.getvalue().encode()


def _errors(rows: list[tuple[Any, ...]]) -> bytes:
    lines = []
    for row in rows:
        fields = dict(zip(_ERRORS_COLUMNS, row, strict=True))
        fields["total_cost"] = format_usd(fields["total_cost"])
        lines.append(json.dumps(fields, ensure_ascii=False) + "\n")
    return "".join(lines).encode()
