from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import duckdb

from tests.fakes.usage_rows import STARTED, usage_row
from tollgate.domain.usage import GLUE_COLUMNS, MAX_TEXT, UsageRow, to_json_row
from tollgate_aggregate.files import DAILY_COLUMNS, day_files, hour_file, hour_key

if TYPE_CHECKING:
    from pathlib import Path

    from tollgate_aggregate.files import HourFile

DAY = date(2026, 11, 15)
NEWEST = ("business_unit", "account_id", "end_user")
DUCKDB_NAMES = {
    "int": "INTEGER",
    "bigint": "BIGINT",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "map<string,string>": "MAP(VARCHAR, VARCHAR)",
}


def read(data: bytes, folder: Path) -> list[dict[str, Any]]:
    path = folder / "read.parquet"
    path.write_bytes(data)
    with duckdb.connect(":memory:") as db:
        cursor = db.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def written(*args: Any) -> HourFile:  # noqa: ANN401 - passes through
    file = hour_file(*args)
    assert file is not None
    return file


def test_every_column_is_there_in_order_and_typed(tmp_path: Path) -> None:
    path = tmp_path / "hour.parquet"
    path.write_bytes(written([usage_row()], None).data)
    with duckdb.connect(":memory:") as db:
        schema = db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        physical = dict(
            db.execute("SELECT name, type FROM parquet_schema(?)", [str(path)]).fetchall()
        )
    assert [(name, kind) for name, kind, *_ in schema] == [
        (name, DUCKDB_NAMES[glue_type]) for name, glue_type in GLUE_COLUMNS
    ]
    assert physical["total_cost"] == "INT64"
    assert physical["schema_version"] == "INT32"


def test_values_come_back_as_they_were(tmp_path: Path) -> None:
    row = usage_row(
        total_cost=2**63 - 1,
        tags={"project": "search", "": 'quote " and \n line'},
        requested_model="ümlaut.🦆",
        first_token_ms=None,
        streamed=True,
    )
    (found,) = read(written([row], None).data, tmp_path)
    expected = to_json_row(row)
    for name in ("started_at", "settled_at"):
        expected[name] = datetime.fromisoformat(expected[name]).replace(tzinfo=None)
    assert found == expected


def test_an_hour_without_rows_is_no_file() -> None:
    standing = written([usage_row()], None).data
    assert hour_file([], None) is None
    assert hour_file([], standing) is None


def test_the_same_rows_make_the_same_bytes_in_any_order() -> None:
    rows = [usage_row() for _ in range(5)]
    first = written(rows, None)
    assert written(reversed(rows), None) == first
    assert written(rows, first.data) == first


def test_rows_that_are_in_the_lake_already_stay() -> None:
    expired, kept, late = usage_row(), usage_row(priced=False), usage_row()
    standing = written([expired, kept], None)
    merged = written([kept, late], standing.data)
    assert (merged.rows, merged.unpriced) == (3, 1)
    assert merged == written([expired, kept, late], None)


def test_the_key_follows_from_the_hour() -> None:
    hour = datetime(2026, 11, 5, 3, tzinfo=UTC)
    assert hour_key(hour) == "usage/dt=2026-11-05/hour=03/part-00.parquet"


def test_a_day_without_hours_has_no_reports() -> None:
    assert day_files(DAY, []) == {}


def test_the_summary_adds_up_by_tenant_app_and_model(tmp_path: Path) -> None:
    hours = [
        written([usage_row(), usage_row(app_id="batch")], None).data,
        written(
            [
                usage_row(cache_read_tokens=7, cache_cost=9, images=1),
                usage_row(status="error", total_cost=0, input_cost=0, output_cost=0),
                usage_row(priced=False),
            ],
            None,
        ).data,
    ]
    summary = read(day_files(DAY, hours)["daily/dt=2026-11-15/summary.parquet"], tmp_path)
    assert [row["app_id"] for row in summary] == ["batch", "websearch"]
    assert summary[1] == {
        "tenant_id": "acme",
        "app_id": "websearch",
        "model_id": "amazon.nova-lite-v1:0",
        "invocations": 3,
        "errors": 1,
        "unpriced": 1,
        "input_tokens": 400,
        "output_tokens": 80,
        "cache_read_tokens": 7,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "images": 1,
        "input_cost": 18_000_000,
        "output_cost": 14_400_000,
        "cache_cost": 9,
        "other_cost": 0,
        "total_cost": 32_400_000,
    }


def test_the_old_report_has_its_columns_and_exact_costs() -> None:
    rows = [
        usage_row(cache_read_tokens=5, cache_cost=1, other_cost=2),
        usage_row(started_at=STARTED),
        usage_row(key_id="websearch/second"),
    ]
    text = day_files(DAY, [written(rows, None).data])["succeed/2026-11-15.csv"].decode()
    header = text.splitlines()[0]
    assert header == (
        "api_key,team_id,model_id,input_tokens,output_tokens,input_cost,output_cost,"
        "invocations,date"
    )
    first, second = csv.DictReader(io.StringIO(text))
    assert first == {
        "api_key": "websearch/primary",
        "team_id": "acme",
        "model_id": "amazon.nova-lite-v1:0",
        "input_tokens": "205",
        "output_tokens": "40",
        "input_cost": "0.000012000001",
        "output_cost": "0.000009600002",
        "invocations": "2",
        "date": "2026-11-15",
    }
    assert second["api_key"] == "websearch/second"


def test_what_needs_a_look_is_listed_and_still_counted() -> None:
    nothing = {"input_tokens": 0, "output_tokens": 0, "input_cost": 0, "output_cost": 0}
    rows = [
        usage_row(),
        usage_row(priced=False, error_code=None),
        usage_row(status="orphaned", usage_source="hold"),
        usage_row(
            status="error", error_code="upstream_failed", http_status=502, total_cost=0, **nothing
        ),
    ]
    files = day_files(DAY, [written(rows, None).data])
    listed = [json.loads(line) for line in files["errors/2026-11-15.txt"].decode().splitlines()]
    assert sorted(entry["request_id"] for entry in listed) == sorted(
        row.request_id for row in rows[1:]
    )
    assert {entry["status"]: entry["total_cost"] for entry in listed} == {
        "ok": "0.0000108",
        "orphaned": "0.0000108",
        "error": "0",
    }
    (counted,) = csv.DictReader(io.StringIO(files["succeed/2026-11-15.csv"].decode()))
    assert (counted["invocations"], counted["input_tokens"]) == ("3", "300")


def test_a_day_without_problems_has_no_error_list() -> None:
    files = day_files(DAY, [written([usage_row()], None).data])
    assert sorted(files) == ["daily/dt=2026-11-15/summary.parquet", "succeed/2026-11-15.csv"]


def test_a_day_takes_hours_from_before_the_newest_columns(tmp_path: Path) -> None:
    data = written([usage_row()], None).data
    older, newer = tmp_path / "older.parquet", written([usage_row()], None).data
    (tmp_path / "hour.parquet").write_bytes(data)
    with duckdb.connect(":memory:") as db:
        hour = db.read_parquet(str(tmp_path / "hour.parquet"))
        kept = [name for name in hour.columns if name not in NEWEST]
        hour.select(*kept).write_parquet(str(older))

    for hours in ([older.read_bytes(), newer], [newer, older.read_bytes()]):
        files = day_files(DAY, hours)
        (total,) = read(files["daily/dt=2026-11-15/summary.parquet"], tmp_path)
        assert total["invocations"] == 2
    # And such an hour still takes rows.
    merged = read(written([usage_row()], older.read_bytes()).data, tmp_path)
    assert [row["end_user"] for row in merged] == [None, None]
    assert list(merged[0]) == [name for name, _ in GLUE_COLUMNS]


def test_sums_beyond_64_bits_are_exact(tmp_path: Path) -> None:
    """A thousand dear rows overflow the lake's own integers; one day's failure was everybody's."""
    most = 2**63 - 1
    columns = [name for name, kind in DAILY_COLUMNS if kind == "decimal(38,0)"]
    rows = [usage_row(**dict.fromkeys(columns, most)) for _ in range(3)]

    files = day_files(DAY, [written(rows, None).data])

    (total,) = read(files["daily/dt=2026-11-15/summary.parquet"], tmp_path)
    assert {name: total[name] for name in columns} == dict.fromkeys(columns, 3 * most)
    (line,) = csv.DictReader(io.StringIO(files["succeed/2026-11-15.csv"].decode()))
    assert line["input_tokens"] == str(12 * most)


def test_days_are_typed_as_their_table(tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"
    data = day_files(DAY, [written([usage_row()], None).data])
    path.write_bytes(data["daily/dt=2026-11-15/summary.parquet"])
    with duckdb.connect(":memory:") as db:
        schema = db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        physical = dict(
            db.execute("SELECT name, type FROM parquet_schema(?)", [str(path)]).fetchall()
        )
    names = {**DUCKDB_NAMES, "decimal(38,0)": "DECIMAL(38,0)"}
    assert [(name, kind) for name, kind, *_ in schema] == [
        (name, names[glue_type]) for name, glue_type in DAILY_COLUMNS
    ]
    assert physical["invocations"] == "INT64"
    assert physical["total_cost"] == "FIXED_LEN_BYTE_ARRAY"


TEXTS = ["", "\x00", "\x00nul", "\u2028", "\ufeff", "'\"\\\n\t", "{}", "[", "null", "\U0010ffff"]


def test_every_row_that_can_be_made_can_be_written(tmp_path: Path) -> None:
    """A row whose hour could not be written would keep all others out of it."""
    now = usage_row()
    ends = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    rows = [
        usage_row(stop_reason=text, error_code=text, tags={text: text, "b": text}) for text in TEXTS
    ]
    rows += [usage_row(requested_model="\N{DUCK}" * MAX_TEXT)]
    rows += [usage_row(settled_at=moment) for moment in ends]
    for extreme in (-(2**63), 2**63 - 1, 10**40):
        rows.append(
            UsageRow.fitted(
                **{
                    name: extreme if kind in ("int", "bigint") else getattr(now, name)
                    for name, kind in GLUE_COLUMNS
                    if name not in ("schema_version", "request_id")
                },
                request_id=usage_row().request_id,
            )
        )

    found = {row["request_id"]: row for row in read(written(rows, None).data, tmp_path)}

    assert len(found) == len(rows)
    for row in rows:
        assert found[row.request_id]["stop_reason"] == row.stop_reason
        assert found[row.request_id]["tags"] == row.tags
        assert found[row.request_id]["total_cost"] == row.total_cost
