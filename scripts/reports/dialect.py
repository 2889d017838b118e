"""What a query may say, so that Athena and DuckDB take the same text to mean the same.

Both read most of SQL alike: integers are added and compared, nulls come last whichever way is
sorted, decimals are rounded half away from zero, and one that has more than 38 digits is an error.
What they mean differently is refused here; tests/unit/scripts/reports/test_dialect.py runs what
is left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from scripts.reports.tables import TABLES, duckdb_type

if TYPE_CHECKING:
    from collections.abc import Iterator

# Functions that both have (or engines.MACROS gives to DuckDB), with what has to be heeded.
FUNCTIONS = {
    "abs": "",
    "array_agg": "with ORDER BY, or the order is anybody's",
    "array_join": "null for no array",
    "avg": "of doubles: of decimals Athena gives a decimal",
    "cast": "to the types of TYPES",
    "ceil": "",
    "coalesce": "",
    "count": "",
    "count_if": "",
    "date_diff": "'day' between dates: of larger units Athena counts those that are over",
    "date_trunc": "",
    "day_of_week": "1 is Monday",
    "dense_rank": "",
    "element_at": "of maps; null for a key that is not there",
    "first_value": "",
    "floor": "",
    "greatest": "of values that are never null: Athena gives null, DuckDB leaves it out",
    "if": "",
    "json_format": "of a map of texts that is cast to json",
    "lag": "",
    "lead": "",
    "least": "as greatest",
    "length": "",
    "ln": "",
    "lower": "",
    "map": "of two arrays",
    "max": "",
    "max_by": "where no two are largest",
    "min": "",
    "min_by": "where no two are smallest",
    "nullif": "",
    "rank": "",
    "regr_slope": "",
    "replace": "",
    "round": "of decimals",
    "row_number": "",
    "split_part": "",
    "sqrt": "",
    "starts_with": "",
    "strpos": "",
    "substr": "from 1 on",
    "sum": "of costs as decimals: 64 bits may not hold them",
    "trim": "",
    "unnest": "of arrays, in CROSS JOIN: what has none is left out",
    "upper": "",
}
TYPES = frozenset(
    {"bigint", "date", "decimal", "double", "integer", "json", "timestamp", "varchar"}
)

# Of SQL's own words, those that a bracket may follow.
_WORDS = frozenset(
    ("all", "and", "any", "as", "between", "by", "cube", "else", "exists", "filter", "from")
    + ("having", "in", "interval", "is", "not", "on", "or", "over", "rollup", "select", "sets")
    + ("then", "union", "using", "values", "when", "where", "with", "join")
)
_CALL = re.compile(r"\b([a-z_][a-z0-9_]*)\s*\(")
_INEXACT = frozenset({exp.DType.DOUBLE, exp.DType.FLOAT})
_COMMENT = re.compile(r"--[^\n]*")
_CAST_TO = re.compile(r"\bas\s+([a-z]+)(?:\s*\(\d+(?:,\s*\d+)?\))?\s*\)")
_NAMED = re.compile(r"\bas\s+([a-z_][a-z0-9_]*)\s*\([a-z_, ]+\)")
_OWN = re.compile(r"\b([a-z_][a-z0-9_]*)(?:\s*\([a-z_, ]*\))?\s+as\s*\(")
_STRING = re.compile(r"'(?:[^']|'')*'")
_COST = re.compile(r"(^|_)(cost|held|spent)$")
# Their value depends on when, or on whom.
_MOMENTS = re.compile(r"\b(current_(date|time|timestamp|user)|localtime(stamp)?)\b")


def faults(sql: str) -> list[str]:
    """What in a filled query is not alike in both engines, or no query; empty for a good one."""
    try:
        trees = sqlglot.parse(sql, read="trino", error_level=ErrorLevel.RAISE)
        [tree] = trees
        if not isinstance(tree, exp.Query):
            return ["it is no query"]
        schema: dict[str, object] = {
            name: {
                column: duckdb_type(kind) for column, kind in (*table.columns, *table.partitions)
            }
            for name, table in TABLES.items()
        }
        typed = annotate_types(
            qualify(tree.copy(), schema=schema, dialect="trino"), schema=schema, dialect="trino"
        )
    except (sqlglot.errors.SqlglotError, ValueError) as error:
        return [str(error).splitlines()[0]]
    return [*_words(sql), *_divisions(typed), *_sums(typed), *_others(typed)]


def _words(sql: str) -> Iterator[str]:
    text = _STRING.sub("''", _COMMENT.sub("", sql)).lower()
    known = {*FUNCTIONS, *TYPES, *_WORDS, *_OWN.findall(text), *_NAMED.findall(text)}
    for name in sorted(set(_CALL.findall(text)) - known):
        yield f"{name}() is not known to be alike"
    for name in sorted(set(_CAST_TO.findall(text)) - TYPES):
        yield f"the type {name} is not known to be alike"
    if moment := _MOMENTS.search(text):
        yield f"{moment[0]} is another one for each engine: use ${{today}}"


def _divisions(typed: exp.Query) -> Iterator[str]:
    for division in typed.find_all(exp.Div):
        shown = division.sql("trino")
        if not {_kind(division.left), _kind(division.right)} & _INEXACT:
            yield f"{shown} is rounded as the engine likes: cast to double"
        if not isinstance(division.right, exp.Nullif | exp.Literal):
            yield f"{shown} may be by 0: use nullif"


def _sums(typed: exp.Query) -> Iterator[str]:
    for total in typed.find_all(exp.Sum):
        of_costs = any(_COST.search(column.name) for column in total.find_all(exp.Column))
        if of_costs and _kind(total.this) not in {exp.DType.DECIMAL, *_INEXACT}:
            yield f"{total.sql('trino')} may not fit 64 bits: cast to decimal(26, 0)"


def _others(typed: exp.Query) -> Iterator[str]:
    if not typed.args.get("order"):
        yield "its rows have no order"
    for function in typed.find_all(exp.DateDiff):
        unit = function.args.get("unit")
        if unit is None or unit.name.lower() != "day":
            yield "date_diff() is alike for days only"
    for cast in typed.find_all(exp.Cast):
        if cast.to.this in exp.DataType.TEXT_TYPES and _kind(cast.this) in _INEXACT:
            yield f"{cast.sql('trino')}: a double as text is not alike"


def _kind(node: exp.Expr) -> object:
    return None if node.type is None else node.type.this
