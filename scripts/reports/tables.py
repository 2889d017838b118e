"""The lake's tables: where their files lie and which columns they have.

Names and types are those of the Glue tables in `modules/analytics`; a contract test compares the
two. A column that older files lack is null there, in Athena as in DuckDB.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions" / "shared"), str(ROOT / "functions" / "aggregate")]

from scripts.focus.columns import FOCUS_COLUMNS  # noqa: E402
from scripts.prices.lake_table import COLUMNS as PRICE_COLUMNS  # noqa: E402
from tollgate.domain.usage import GLUE_COLUMNS  # noqa: E402
from tollgate_aggregate.files import DAILY_COLUMNS  # noqa: E402

Columns = tuple[tuple[str, str], ...]

_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
_DECIMAL = re.compile(r"decimal\(\d+,\d+\)")
_OF = re.compile(r"(map|array)<(.+)>")
_DAY: Columns = (("dt", "date"),)


@dataclass(frozen=True, slots=True)
class Table:
    """Files below the lake (a glob), their form, and their columns by name and Glue type.

    `partitions` are columns whose values are in the files' paths (`dt=2026-11-30`). `folder` is
    where in the lake they lie; for files that come from another bucket, readers may name another.
    `may_lack` files: then it is a table without rows.
    """

    files: str
    form: Literal["parquet", "json"]
    columns: Columns
    partitions: Columns = ()
    folder: str = "."
    may_lack: bool = False


TENANT_COLUMNS: Columns = (
    *(
        (name, "string")
        for name in (
            *("tenant_id", "name", "kind", "cost_center", "business_unit", "tier", "status"),
            *("isolation", "account_id", "markup", "subscription_usd"),
            *("month_usd", "day_usd", "budget_mode", "sla_availability"),
        )
    ),
    ("sla_latency_p95_ms", "bigint"),
    ("sla_first_token_p95_ms", "bigint"),
    *((name, "array<string>") for name in ("compliance", "models", "deny_models", "keys")),
    *((name, "map<string,string>") for name in ("key_expires", "key_status", "tags")),
)
BUSINESS_UNIT_COLUMNS: Columns = tuple(
    (name, "string") for name in ("id", "name", "owner", "month_usd", "day_usd", "budget_mode")
)

# What aggregate notes about each account of the ledger when it runs; amounts are picodollars.
BUDGET_COLUMNS: Columns = tuple(
    (name, "string")
    for name in (
        *("account_id", "kind", "scope", "month", "month_spent", "month_held"),
        *("day", "day_spent", "day_held"),
    )
)

_BILL_COLUMNS = ROOT / "modules" / "bill_export" / "columns.json"
BILL_COLUMNS: Columns = tuple(
    (column["name"], column["type"]) for column in json.loads(_BILL_COLUMNS.read_text("utf-8"))
)

# The lines of closed months, each once; what `scripts.statements` writes.
STATEMENT_COLUMNS: Columns = (
    *((name, "string") for name in ("statement", "kind", "period", "tenant_id", "cost_center")),
    *((name, "string") for name in ("business_unit", "description", "account", "app_id")),
    ("model_id", "string"),
    *((name, "bigint") for name in ("ledger_rows", "calls", "input_tokens", "output_tokens")),
    ("cost", "decimal(38,12)"),
    ("charge", "decimal(38,12)"),
    ("currency", "string"),
    ("net", "decimal(38,2)"),
)

TABLES = {
    "bill": Table(
        files="data/BILLING_PERIOD=*/*.parquet",
        form="parquet",
        columns=BILL_COLUMNS,
        partitions=(("billing_period", "string"),),
        folder="bill",
    ),
    "usage": Table(
        files="usage/dt=*/hour=*/*.parquet",
        form="parquet",
        columns=tuple(GLUE_COLUMNS),
        partitions=(*_DAY, ("hour", "int")),
    ),
    "daily": Table(
        files="daily/dt=*/*.parquet",
        form="parquet",
        columns=tuple(DAILY_COLUMNS),
        partitions=_DAY,
    ),
    "statements": Table(
        files="lines/month=*/*.parquet",
        form="parquet",
        columns=STATEMENT_COLUMNS,
        partitions=(("month", "string"),),
        folder="statements",
    ),
    "focus": Table(
        files="focus/billing_period=*/**/*.parquet",
        form="parquet",
        # Athena knows names in lower case only.
        columns=tuple((name.lower(), kind) for name, kind in FOCUS_COLUMNS),
        partitions=(("billing_period", "string"),),
    ),
    "budgets": Table(
        files="budgets/accounts.json", form="json", columns=BUDGET_COLUMNS, may_lack=True
    ),
    "tenants": Table(files="tenants/*.json", form="json", columns=TENANT_COLUMNS),
    "prices": Table(files="prices/*.json", form="json", columns=PRICE_COLUMNS),
    "business_units": Table(
        files="business_units/*.json", form="json", columns=BUSINESS_UNIT_COLUMNS, may_lack=True
    ),
}


def duckdb_type(glue_type: str) -> str:
    """DuckDB's name of a Glue type. Raises ValueError for one that no table has yet."""
    if glue_type in _TYPES:
        return _TYPES[glue_type]
    if _DECIMAL.fullmatch(glue_type):
        return glue_type.upper()
    found = _OF.fullmatch(glue_type)
    if found is None:
        raise ValueError(f"{glue_type} is no type of a table here")
    if found[1] == "array":
        return f"{duckdb_type(found[2])}[]"
    key, _, value = found[2].partition(",")
    return f"MAP({duckdb_type(key)}, {duckdb_type(value)})"
