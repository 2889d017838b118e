"""The named queries in both dialects: what they may say, and that DuckDB means what Athena does."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from scripts.reports import periods, queries
from scripts.reports.dialect import FUNCTIONS, faults
from scripts.reports.engines import MACROS, DuckDbEngine, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOVEMBER = periods.month("2026-11")
COST = "SELECT CAST(sum(total_cost) AS decimal(26, 0)) AS cost FROM usage ORDER BY cost"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbEngine]:
    """DuckDB over a lake without files, for queries that need none."""
    with DuckDbEngine(tmp_path_factory.mktemp("empty")) as made:
        yield made


@pytest.mark.parametrize("query", queries.load().values(), ids=lambda query: query.name)
def test_every_query_is_alike_in_both_engines(query: queries.Query) -> None:
    assert faults(query.fill(NOVEMBER)) == []


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("SELECT FROM WHERE", "Expected"),
        ("SELECT 1 AS n ORDER BY n; SELECT 2 AS n ORDER BY n", "too many values"),
        ("DROP TABLE usage", "no query"),
        ("SELECT nothing FROM usage ORDER BY 1", "nothing"),
        ("SELECT dt FROM usage", "no order"),
        ("SELECT tenant_id, current_date AS d FROM usage ORDER BY d", "current_date"),
        ("SELECT strftime(dt, '%Y') AS y FROM usage ORDER BY y", r"strftime\(\) is not known"),
        ("SELECT CAST(hour AS hugeint) AS h FROM usage ORDER BY h", "hugeint"),
        ("SELECT input_tokens / 2 AS half FROM usage ORDER BY half", "cast to double"),
        ("SELECT 1e0 / hour AS share FROM usage ORDER BY share", "use nullif"),
        ("SELECT date_diff('week', dt, dt) AS w FROM usage ORDER BY w", "days only"),
        ("SELECT CAST(1e0 AS varchar) AS t FROM usage ORDER BY t", "as text"),
        (COST, "may not fit 64 bits"),
    ],
)
def test_what_engines_mean_differently_is_refused(sql: str, fault: str) -> None:
    found = faults(sql)
    assert len(found) == 1
    assert re.search(fault, found[0]), found


# What Trino's manual says that these are.
PROBES: list[tuple[str, Any]] = [
    ("CAST(CAST('2.5' AS decimal(2, 1)) AS decimal(2, 0))", Decimal(3)),
    ("CAST(CAST('-2.5' AS decimal(2, 1)) AS decimal(2, 0))", Decimal(-3)),
    ("round(CAST('1.005' AS decimal(4, 3)), 2)", Decimal("1.01")),
    ("CAST('3' AS decimal(26, 0)) * CAST('0.000000000001' AS decimal(12, 12))", Decimal("3E-12")),
    ("coalesce(CAST(NULL AS varchar), 'x')", "x"),
    ("nullif(1, 1)", None),
    ("greatest(2, 3)", 3),
    ("least(DATE '2026-11-01', DATE '2026-10-31')", date(2026, 10, 31)),
    ("date_diff('day', DATE '2026-02-28', DATE '2026-03-01')", 1),
    ("CAST(date_trunc('week', DATE '2026-11-29') AS date)", date(2026, 11, 23)),
    ("CAST(date_trunc('month', DATE '2026-11-29') AS date)", date(2026, 11, 1)),
    ("CAST(DATE '2026-01-31' + INTERVAL '1' MONTH AS date)", date(2026, 2, 28)),
    ("CAST(DATE '2026-11-01' - INTERVAL '90' DAY AS date)", date(2026, 8, 3)),
    ("day_of_week(DATE '2026-11-29')", 7),
    ("element_at(map(ARRAY['a'], ARRAY['b']), 'a')", "b"),
    ("element_at(map(ARRAY['a'], ARRAY['b']), 'c')", None),
    ("json_format(CAST(map(ARRAY['a'], ARRAY['b']) AS json))", '{"a":"b"}'),
    ("7 % 3", 1),
    ("-7 % 3", -1),
    ("CAST(DATE '2026-11-01' AS varchar)", "2026-11-01"),
    ("TIMESTAMP '2026-11-30 23:59:59' < DATE '2026-12-01'", True),
    ("CAST('2026-11-30 12:00:00' AS timestamp)", datetime(2026, 11, 30, 12)),
    ("CASE WHEN NULL THEN 1 ELSE 2 END", 2),
    ("NULL IS NULL OR NULL = 1", True),
    ("'a' || 'b'", "ab"),
    ("split_part('websearch/primary', '/', 1)", "websearch"),
    ("substr('abc', 1, 2)", "ab"),
    ("strpos('abc', 'd')", 0),
    ("split_part('us.amazon.nova-lite', '.', 1)", "us"),
    ("array_join(ARRAY['a', 'b'], ', ')", "a, b"),
    ("array_join(NULL, ', ')", None),
    ("'a_b' LIKE 'a!_%' ESCAPE '!'", True),
    ("'axb' LIKE 'a!_%' ESCAPE '!'", False),
    ("if(1 = 1, 2, 3)", 2),
    ("floor(CAST(-1.5 AS double))", -2.0),
]


@pytest.mark.parametrize(("text", "answer"), PROBES, ids=str)
def test_duckdb_means_what_athena_means(engine: DuckDbEngine, text: str, answer: object) -> None:
    assert engine.run(f"SELECT {text} AS answer").rows == [(answer,)]


# Of the values of (VALUES …) AS t(x): nulls come last, and aggregates leave them out.
AGGREGATES: list[tuple[str, str, list[Any]]] = [
    ("x", "(3), (NULL), (1) ORDER BY x", [1, 3, None]),
    ("x", "(3), (NULL), (1) ORDER BY x DESC", [3, 1, None]),
    ("sum(x)", "(3), (NULL), (1)", [4]),
    ("count(x)", "(3), (NULL), (1)", [2]),
    ("count_if(x > 1)", "(3), (NULL), (1)", [1]),
    ("regr_slope(x, x)", "(3e0), (1e0)", [1.0]),
    ("lag(x) OVER (ORDER BY x)", "(3), (1) ORDER BY x", [None, 1]),
    ("row_number() OVER (ORDER BY x DESC)", "(3), (1) ORDER BY x", [2, 1]),
    ("max_by(x, -x)", "(3), (1)", [1]),
]


@pytest.mark.parametrize(("what", "values", "answers"), AGGREGATES)
def test_duckdb_sorts_and_sums_as_athena_does(
    engine: DuckDbEngine, what: str, values: str, answers: list[object]
) -> None:
    values, order, by = values.partition(" ORDER BY ")
    rows = engine.run(
        " ".join(["SELECT", what, "FROM (VALUES", values, ") AS t(x)", order, by])
    ).rows
    assert rows == [(answer,) for answer in answers]


def test_what_has_no_array_is_not_unnested(engine: DuckDbEngine) -> None:
    rows = engine.run(
        "SELECT n, name FROM (VALUES (1, ARRAY['b', 'a']), (2, ARRAY[]), (3, NULL)) AS t(n, names) "
        "CROSS JOIN UNNEST(names) AS named(name) ORDER BY n, name"
    ).rows
    assert rows == [(1, "a"), (1, "b")]


def test_more_digits_than_a_decimal_has_are_an_error(engine: DuckDbEngine) -> None:
    most = "CAST('99999999999999999999999999999999999999' AS decimal(38, 0))"
    with pytest.raises(EngineError, match=r"[Oo]verflow|out of range"):
        engine.run(f"SELECT {most} + {most} AS n")
    with pytest.raises(EngineError, match=r"[Oo]verflow|out of range"):
        engine.run(f"VALUES ({most} * 10)")


def test_macros_are_of_functions_that_queries_may_use() -> None:
    assert set(MACROS) <= set(FUNCTIONS)


def test_queries_are_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "calls.sql").write_text("-- How many calls.\nSELECT 1 AS n ORDER BY n\n", "utf-8")
    assert list(queries.load(tmp_path)) == ["calls"]
