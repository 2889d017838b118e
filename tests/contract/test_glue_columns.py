"""The Glue table, the usage row and the reports' queries name the same columns."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import sqlglot
from sqlglot.optimizer.qualify import qualify

from scripts.reports import periods, queries
from scripts.reports.tables import ROOT, TABLES, duckdb_type
from tests.contract import hcl
from tollgate.domain.usage import GLUE_COLUMNS
from tollgate_aggregate.files import DAILY_COLUMNS

if TYPE_CHECKING:
    from scripts.reports.queries import Query

# The list of columns of a table that is not called after it.
COLUMNS_OF = {
    "budgets": "budget",
    "business_units": "business_unit",
    "statements": "statement",
    "tenants": "tenant",
}


def usage_table() -> dict[str, Any]:
    (table,) = [
        body["aws_glue_catalog_table"]["usage"]
        for body in hcl.load("modules/analytics")["resource"]
        if "usage" in body.get("aws_glue_catalog_table", {})
    ]
    return dict(table)


def test_glue_columns_are_the_usage_row() -> None:
    columns = hcl.locals_of("modules/analytics")["usage_columns"]
    assert [(column["name"], column["type"]) for column in columns] == GLUE_COLUMNS


def test_the_days_table_has_the_columns_of_the_days_files() -> None:
    columns = hcl.locals_of("modules/analytics")["daily_columns"]
    assert [(column["name"], column["type"]) for column in columns] == DAILY_COLUMNS


def test_partitions_are_the_day_and_hour_of_the_file_names() -> None:
    table = usage_table()
    assert [(key["name"], key["type"]) for key in table["partition_keys"]] == [
        ("dt", "date"),
        ("hour", "int"),
    ]
    parameters = table["parameters"]
    assert parameters["projection.dt.format"] == "yyyy-MM-dd"
    assert parameters["projection.hour.range"] == "0,23"
    assert parameters["projection.hour.digits"] in ("2", 2)
    assert parameters["storage.location.template"].endswith("/dt=$${dt}/hour=$${hour}")


def glue_tables() -> dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]]:
    """Each Glue table's columns and partition keys, by name and type."""
    bill = json.loads((ROOT / "modules" / "bill_export" / "columns.json").read_text("utf-8"))
    columns = {
        name.removesuffix("_columns"): [(column["name"], column["type"]) for column in found]
        for name, found in hcl.locals_of("modules/analytics").items()
        if name.endswith("_columns")
    }
    columns["bill"] = [(column["name"], column["type"]) for column in bill]
    resources = [
        *hcl.load("modules/analytics")["resource"],
        *hcl.load("modules/bill_export")["resource"],
    ]
    found = {}
    for body in resources:
        for name, table in body.get("aws_glue_catalog_table", {}).items():
            keys = [(key["name"], key["type"]) for key in table.get("partition_keys", [])]
            found[table["name"]] = (columns[COLUMNS_OF.get(name, name)], keys)
    return found


def test_reports_read_the_tables_that_glue_has() -> None:
    ours = {name: (list(table.columns), list(table.partitions)) for name, table in TABLES.items()}
    assert ours == glue_tables()


@pytest.mark.parametrize("query", queries.load().values(), ids=lambda query: query.name)
def test_queries_read_tables_and_columns_that_there_are(query: Query) -> None:
    text = query.fill(periods.month("2026-11"))
    tables = query.tables()
    assert tables <= set(TABLES)
    schema = {
        name: {column: duckdb_type(kind) for column, kind in (*table.columns, *table.partitions)}
        for name, table in TABLES.items()
    }
    # It fails for a column that no table has, and for a bare one that two have.
    qualify(sqlglot.parse_one(text, read="athena"), schema=schema, dialect="athena")


def test_terraform_reads_the_parameters_that_python_reads() -> None:
    source = (hcl.ROOT / "modules" / "analytics" / "athena.tf").read_text("utf-8")
    [pattern] = re.findall(r'regexall\("(.*)", text\)', source)
    for query in queries.load().values():
        found = re.findall(pattern.replace(r"\n", "\n"), query.text)
        assert found == [(each.name, each.default) for each in query.parameters], query.name
        assert query.over == ("\n-- period: over\n" in query.text), query.name
