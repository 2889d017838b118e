"""Run every named query over a month of synthetic usage: seconds, and bytes that it reads.

    python -m scripts.bench.queries                 # 100 million rows; takes 10 GB of disk
    python -m scripts.bench.queries --quick         # a million
    python -m scripts.bench.queries --lake lake     # keeps the rows, or takes the last time's

DuckDB makes the rows itself, an hour at a time, in the lake's layout, for 50 tenants with 5 apps
each. They are no ledger: costs follow from tokens at made-up prices. The bytes are those of the
columns that a query touches, which is what Athena bills at $5 a terabyte. A query over a table that
is not made here is left out, and named.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb

from scripts.prices import lake_table
from scripts.reports import periods, queries
from scripts.reports.engines import DuckDbEngine
from scripts.reports.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.reports.queries import Query

MONTH = periods.month("2026-11")
ROWS, QUICK_ROWS = 100_000_000, 1_000_000
TENANTS = 50
MADE = frozenset({"usage", "tenants", "budgets", "business_units", "prices"})
_LEAST_ROWS = 20_000
_USD_PER_TERABYTE = 5
_IO = Path("/proc/self/io")

# n numbers the rows of an hour; h is a number without a pattern.
_ROWS = """
WITH numbered AS (
    SELECT n, (hash(n, $2::TIMESTAMP) >> 1)::BIGINT AS h FROM range($1) AS numbers(n)
),
drawn AS (
    SELECT
        *,
        $2::TIMESTAMP + to_milliseconds(n * 3600000 // $1) AS started_at,
        h % {tenants} AS t,
        100 + h % 4000 AS tokens_in,
        20 + (h // 4000) % 800 AS tokens_out,
        h % 3 = 0 AS cached
    FROM numbered
)
SELECT
    1::INTEGER AS schema_version,
    lower(to_hex(epoch_ms(started_at))) || '-7' || lower(to_hex(h)) AS request_id,
    'tenant-' || lpad(t::VARCHAR, 3, '0') AS tenant_id,
    'app-' || (h // 7 % 5)::VARCHAR AS app_id,
    'app-' || (h // 7 % 5)::VARCHAR || '/' || ['primary', 'second'][1 + h // 11 % 2] AS key_id,
    'CC-' || (1000 + t % 7)::VARCHAR AS cost_center,
    ['basic', 'pro', 'enterprise'][1 + t % 3] AS tier,
    ['us-east-1', 'eu-west-1'][1 + t % 2] AS region,
    'openai.chat' AS dialect,
    'converse' AS operation,
    ['amazon.nova-lite-v1:0', 'amazon.nova-pro-v1:0'][1 + h // 13 % 2] AS requested_model,
    requested_model AS model_id,
    'in_region' AS routing,
    NULL::VARCHAR AS inference_profile_arn,
    'default' AS service_tier,
    h // 17 % 2 = 0 AS streamed,
    CASE WHEN h % 97 = 0 THEN 'error' WHEN h % 9973 = 0 THEN 'orphaned' ELSE 'ok' END AS status,
    CASE WHEN h % 97 = 0 THEN 502 ELSE 200 END::INTEGER AS http_status,
    CASE WHEN h % 97 = 0 THEN 'upstream_failed' END AS error_code,
    CASE WHEN h % 97 <> 0 THEN 'end_turn' END AS stop_reason,
    started_at,
    started_at + to_milliseconds(200 + h // 19 % 3000) AS settled_at,
    200 + (h // 19 % 3000)::BIGINT AS latency_ms,
    CASE WHEN streamed THEN 100 + (h // 23 % 900)::BIGINT END AS first_token_ms,
    tokens_in::BIGINT AS input_tokens,
    tokens_out::BIGINT AS output_tokens,
    CASE WHEN cached THEN tokens_in * 3 ELSE 0 END::BIGINT AS cache_read_tokens,
    CASE WHEN h % 30 = 0 THEN tokens_in ELSE 0 END::BIGINT AS cache_write_5m_tokens,
    0::BIGINT AS cache_write_1h_tokens,
    0::BIGINT AS images,
    CASE WHEN h % 9973 = 0 THEN 'hold' ELSE 'provider' END AS usage_source,
    h % 19997 <> 0 AS priced,
    '2026-11-01' AS price_version,
    (tokens_in * 60000)::BIGINT AS input_cost,
    (tokens_out * 240000)::BIGINT AS output_cost,
    (cache_read_tokens * 15000 + cache_write_5m_tokens * 75000)::BIGINT AS cache_cost,
    0::BIGINT AS other_cost,
    input_cost + output_cost + cache_cost AS total_cost,
    total_cost * 2 AS held,
    map {{'team': 'team-' || (t % 9)::VARCHAR}} AS tags,
    'unit-' || (t % 8)::VARCHAR AS business_unit,
    '111122223333' AS account_id,
    CASE WHEN h % 2 = 0 THEN 'user-' || (h // 29 % 500)::VARCHAR END AS end_user
FROM drawn
ORDER BY request_id
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one query took; bytes are None where the system does not count them."""

    query: str
    rows: int
    seconds: float
    bytes_read: int | None


def make(lake: Path, rows: int) -> None:
    """Write a month of rows and its tenants and business units; nothing where it is all there."""
    done = lake / "made.json"
    if done.is_file() and json.loads(done.read_text("utf-8")) == rows:
        return
    first = datetime.combine(MONTH.start, datetime.min.time(), UTC)
    all_hours = [first + timedelta(hours=n) for n in range(len(MONTH.days()) * 24)]
    # Files of few rows would measure how files are opened.
    step = max(1, len(all_hours) * _LEAST_ROWS // rows)
    hours = all_hours[::step]
    query = _ROWS.format(tenants=TENANTS)
    with duckdb.connect(":memory:") as db:
        for n, hour in enumerate(hours):
            count = rows // len(hours) + (n < rows % len(hours))
            folder = lake / "usage" / f"dt={hour:%Y-%m-%d}" / f"hour={hour:%H}"
            folder.mkdir(parents=True, exist_ok=True)
            made = db.sql(query, params=[count, hour.replace(tzinfo=None)])
            made.write_parquet(str(folder / "part-00.parquet"), compression="zstd")
    for kind, facts in (("tenants", _tenants()), ("business_units", _units())):
        (lake / kind).mkdir(exist_ok=True)
        lines = "".join(json.dumps(fact) + "\n" for fact in facts)
        (lake / kind / "all.json").write_text(lines, "utf-8")
    (lake / "prices").mkdir(exist_ok=True)
    (lake / "prices" / "book.json").write_bytes(lake_table.OUT.read_bytes())
    done.write_text(json.dumps(rows), "utf-8")


def measure(lake: Path, query: Query) -> Measured:
    """Run a query with its defaults, on a connection of its own."""
    sql = query.fill(MONTH, today=MONTH.end)
    with DuckDbEngine(lake) as engine:
        before, began = _read_bytes(), time.perf_counter()
        rows = len(engine.run(sql).rows)
        seconds, after = time.perf_counter() - began, _read_bytes()
    used = None if before is None or after is None else after - before
    return Measured(query.name, rows, seconds, used)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(argv)
    rows = options.rows or (QUICK_ROWS if options.quick else ROWS)
    found = queries.load().values()
    with TemporaryDirectory(prefix="tollgate-queries-") as scratch:
        lake = options.lake or Path(scratch)
        lake.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        make(lake, rows)
        size = sum(path.stat().st_size for path in lake.rglob("*.parquet"))
        took = time.perf_counter() - began
        print(f"{rows:,} rows of usage, {size / 1e9:.2f} GB, made in {took:.0f} s")
        print(f"{'query':20} {'rows':>7} {'seconds':>8} {'MB read':>9} {'at $5/TB':>9}")
        for query in found:
            missing = query.tables() - MADE
            if missing:
                print(f"{query.name:20} left out: needs {', '.join(sorted(missing))}")
            else:
                print("".join(_line(measure(lake, query))), flush=True)
    return 0


def _line(measured: Measured) -> Iterator[str]:
    yield f"{measured.query:20} {measured.rows:7} {measured.seconds:8.2f}"
    if measured.bytes_read is not None:
        dollars = measured.bytes_read / 1e12 * _USD_PER_TERABYTE
        yield f" {measured.bytes_read / 1e6:9.1f} {dollars:9.5f}"


def _read_bytes() -> int | None:
    """What this process has read so far, from files or from their copies in memory."""
    if not _IO.is_file():
        return None
    counts = dict(line.split(": ") for line in _IO.read_text("utf-8").splitlines())
    return int(counts["rchar"])


def _tenants() -> Iterator[dict[str, object]]:
    for n in range(TENANTS):
        facts: dict[str, object] = dict.fromkeys(name for name, _ in TABLES["tenants"].columns)
        facts |= {
            "tenant_id": f"tenant-{n:03d}",
            "name": f"Tenant {n}",
            "kind": "team",
            "cost_center": f"CC-{1000 + n % 7}",
            "business_unit": f"unit-{n % 8}",
            "tier": ("basic", "pro", "enterprise")[n % 3],
            "markup": "1.20",
            "month_usd": "5000",
            "budget_mode": "hard",
            "tags": {},
        }
        yield {name: facts[name] for name, _ in TABLES["tenants"].columns}


def _units() -> Iterator[dict[str, str]]:
    for n in range(8):
        yield {"id": f"unit-{n}", "owner": f"owner-{n}@example.com", "month_usd": "40000"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.queries",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a million rows")
    parser.add_argument("--rows", type=int, help="another number of rows")
    parser.add_argument("--lake", type=Path, help="folder to keep the rows in, for another time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
