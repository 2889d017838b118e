"""The Glue table, the usage row and the reports' queries name the same columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from scripts.reports.report import REPORTS
from tests.contract import hcl
from tollgate.domain.usage import GLUE_COLUMNS
from tollgate_aggregate.files import DAILY_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
ANALYTICS = ROOT / "modules" / "analytics"
QUERIES = sorted(path.stem for path in (ANALYTICS / "queries").iterdir())


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


@pytest.mark.parametrize("name", QUERIES)
def test_queries_use_columns_of_the_tables_only(name: str) -> None:
    text = (ANALYTICS / "queries" / f"{name}.sql").read_text("utf-8")
    query = sqlglot.parse_one(text, read="athena")
    tables = {table.name for table in query.find_all(exp.Table)}
    columns = {name for name, _ in GLUE_COLUMNS} | {"dt", "hour"}
    if "tenants" in tables:
        columns |= {
            column["name"] for column in hcl.locals_of("modules/analytics")["tenant_columns"]
        }
    used = {column.name for column in query.find_all(exp.Column)}
    outputs = {alias.alias for alias in query.find_all(exp.Alias)}
    assert used <= columns | outputs
    assert {usage_table()["name"]} <= tables <= {usage_table()["name"], "tenants"}


def test_every_query_is_one_of_athenas_and_a_report_here() -> None:
    named = [
        (name, body["name"])
        for resource in hcl.load("modules/analytics")["resource"]
        for name, body in resource.get("aws_athena_named_query", {}).items()
    ]
    assert sorted(named) == [(name, name) for name in QUERIES]
    assert sorted(REPORTS) == [name.replace("_", "-") for name in QUERIES]
