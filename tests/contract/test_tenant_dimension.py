"""What Terraform writes about tenants, the Glue table over it and the query that joins it agree."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from scripts.local.ministack import ACCOUNT_ID
from scripts.local.provision import business_unit_facts, dimension
from scripts.local.stack import ENVIRONMENTS
from scripts.reports import periods, queries
from scripts.reports.engines import DuckDbEngine
from scripts.reports.tables import TENANT_COLUMNS
from scripts.tenants.files import Tenant, load_business_units, load_environment
from tests.contract import hcl
from tollgate.domain.usage import GLUE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
QUERY = queries.load()["usage_by_kind"].fill(periods.month("2026-11"))
PICO = 10**12
# tenant, day, status, operation, tokens in and out, picodollars
USAGE = (
    ("acme", "2026-11-01", "ok", "Converse", 10, 5, 2 * PICO + 1),
    ("acme", "2026-11-30", "ok", "Converse", 1, 1, PICO),
    ("acme", "2026-11-30", "ok", "reprice", 0, 0, 3),
    ("acme", "2026-12-01", "ok", "Converse", 900, 900, 900 * PICO),
    ("globex", "2026-11-15", "error", "Converse", 0, 0, 0),
    ("globex", "2026-11-15", "ok", "Converse", 100, 50, 5 * PICO),
    ("hooli", "2026-11-15", "ok", "Converse", 7, 7, PICO // 2),
    ("initech", "2026-11-15", "aborted", "Converse", 3, 0, PICO // 4),
)
TENANTS = {
    "acme": {"kind": "team", "tags": {"Division": "retail"}},
    "globex": {"kind": "customer", "tags": {}},
    "hooli": {"kind": "team", "tags": {"Division": "web", "division": "other"}},
    "umbrella": {"kind": "user", "tags": {}},
}


def tenant_columns() -> list[str]:
    columns = hcl.locals_of("modules/analytics")["tenant_columns"]
    return [column["name"] for column in columns]


def written(module: str, file: str) -> list[str]:
    """The members of the line that a module writes into the lake."""
    source = (ROOT / "modules" / module / file).read_text("utf-8")
    [body] = re.findall(r'content = "\$\{jsonencode\(\{\n(.*?)\n\s*\}\)\}\\n"', source, re.DOTALL)
    return re.findall(r"^\s+(\w+)\s+=", body, re.MULTILINE)


def test_the_table_has_what_terraform_writes() -> None:
    assert written("tenant", "items.tf") == tenant_columns()


def test_business_units_have_a_table_of_what_terraform_writes() -> None:
    columns = hcl.locals_of("modules/analytics")["business_unit_columns"]
    assert written("business_unit", "business_unit.tf") == [column["name"] for column in columns]
    units = load_business_units(ENVIRONMENTS / "local")
    assert units
    for unit in units.values():
        assert list(business_unit_facts(unit)) == [column["name"] for column in columns]


def test_reports_and_the_local_stack_have_the_same_columns() -> None:
    assert [name for name, _ in TENANT_COLUMNS] == tenant_columns()
    for tenant in load_environment(ENVIRONMENTS / "local").values():
        facts = dimension(tenant)
        assert set(facts) == set(tenant_columns())
        assert facts["account_id"] == ACCOUNT_ID


def test_a_silo_tenant_counts_for_its_own_account() -> None:
    tenant = load_environment(ENVIRONMENTS / "local")["customer1"]
    silo = {"role_arn": "arn:aws:iam::123456789012:role/tollgate"}
    moved = Tenant({**tenant.policy, "isolation": "silo", "silo": silo}, tenant.keys)
    assert dimension(moved)["account_id"] == "123456789012"


def test_the_query_uses_columns_of_the_two_tables_only() -> None:
    query = sqlglot.parse_one(QUERY, read="athena")
    columns = list(query.find_all(exp.Column))
    outputs = {alias.alias for alias in query.find_all(exp.Alias)}
    usage = {name for name, _ in GLUE_COLUMNS} | {"dt", "hour"}

    assert {c.name for c in columns if c.table == "tenants"} <= set(tenant_columns())
    assert {c.name for c in columns if c.table == "usage"} <= usage
    # A bare name must be in one table only, or Athena refuses the query.
    bare = {c.name for c in columns if not c.table} - outputs
    assert bare <= usage - set(tenant_columns())


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[DuckDbEngine]:
    """Both tables: usage as files of days, tenants as the files that Terraform writes."""
    folder = tmp_path / "tenants"
    folder.mkdir()
    for tenant_id, facts in TENANTS.items():
        line = json.dumps({**dict.fromkeys(tenant_columns(), "-"), **facts, "tenant_id": tenant_id})
        (folder / f"{tenant_id}.json").write_text(line + "\n")
    with duckdb.connect(":memory:") as database:
        database.execute(
            "CREATE TABLE usage (tenant_id VARCHAR, dt DATE, status VARCHAR, operation VARCHAR, "
            "input_tokens BIGINT, output_tokens BIGINT, total_cost BIGINT, hour INTEGER DEFAULT 0, "
            "settled_at TIMESTAMP DEFAULT TIMESTAMP '2026-11-30 12:00:00', "
            "cache_read_tokens BIGINT DEFAULT 0, cache_write_5m_tokens BIGINT DEFAULT 0, "
            "cache_write_1h_tokens BIGINT DEFAULT 0, priced BOOLEAN DEFAULT true)"
        )
        database.executemany(
            "INSERT INTO usage (tenant_id, dt, status, operation, input_tokens, output_tokens, "
            "total_cost) VALUES (?, ?, ?, ?, ?, ?, ?)",
            USAGE,
        )
        files = str(tmp_path / "usage")
        database.execute("COPY usage TO $1 (FORMAT parquet, PARTITION_BY (dt, hour))", [files])
    with DuckDbEngine(tmp_path) as engine:
        yield engine


def test_usage_is_told_by_kind(lake: DuckDbEngine) -> None:
    rows = lake.run(QUERY).rows

    assert [row[:5] for row in rows] == [
        ("customer", 1, 100, 50, 1),
        ("team", 2, 18, 13, 3),
        ("unknown", 1, 3, 0, 1),
    ]
    assert [row[5] for row in rows] == [
        Decimal(5),
        Decimal("3.500000000004"),
        Decimal("0.25"),
    ]


def test_usage_is_told_by_any_other_fact_that_the_query_names(lake: DuckDbEngine) -> None:
    by_tag = QUERY.replace("tenants.kind", "element_at(tenants.tags, 'Division')")

    rows = lake.run(by_tag).rows

    assert [row[:2] for row in rows] == [("retail", 1), ("unknown", 2), ("web", 1)]
