"""The Glue table, the usage row and the chargeback query name the same columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from tests.contract import hcl
from tollgate.domain.usage import GLUE_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
ANALYTICS = ROOT / "modules" / "analytics"


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


def test_the_chargeback_query_uses_columns_of_the_table_only() -> None:
    query = sqlglot.parse_one(
        (ANALYTICS / "queries" / "chargeback.sql").read_text("utf-8"), read="athena"
    )
    used = {column.name for column in query.find_all(exp.Column)}
    outputs = {alias.alias for alias in query.find_all(exp.Alias)}
    assert used <= {name for name, _ in GLUE_COLUMNS} | {"dt", "hour"} | outputs
    assert {table.name for table in query.find_all(exp.Table)} == {usage_table()["name"]}
