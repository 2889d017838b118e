"""Generated tenants are valid and always the same; what the bench works out of a plan is right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from scripts.bench import generated_tenants
from scripts.bench import tenants as bench_tenants
from scripts.bench.tenants import Measured, Plan, Quota, Table
from scripts.deploy import terraform
from scripts.tenants import files as tenants

if TYPE_CHECKING:
    from pathlib import Path

KEYS = Quota("API keys", "aws_api_gateway_api_key", 10000, can_be_raised=False)


def measured(count: int, **resources: int) -> Measured:
    plan = Plan(1.0, 1.0, 2048, resources, nodes=1, edges=1)
    return Measured(count, check_seconds=0.1, table=Table(1, 1, 1), plan=plan)


@pytest.fixture
def loaded(tmp_path: Path) -> dict[str, tenants.Tenant]:
    """Forty generated tenants, as the tenant files' rules read them."""
    generated_tenants.write(tmp_path, "load", 40)
    return tenants.load(tmp_path, generated_tenants.TIERS, "sandbox-test")


def test_generated_tenants_are_valid_and_differ(loaded: dict[str, tenants.Tenant]) -> None:
    assert list(loaded)[0] == "load-0001"
    assert len(loaded) == 40
    assert {tenant.policy["tier"] for tenant in loaded.values()} == set(generated_tenants.TIERS)
    assert len({tenant.policy["kind"] for tenant in loaded.values()}) == 5
    assert sum(len(tenant.keys) for tenant in loaded.values()) == 84
    profiled = [
        tenant.tenant_id
        for tenant in loaded.values()
        if tenant.policy["apps"]["chat"]["inference_profiles"]
    ]
    assert len(profiled) == 10


def test_a_number_always_gives_the_same_tenant() -> None:
    first, second = (list(generated_tenants.generate("load", 20)) for _ in range(2))
    assert [tenant.text() for tenant in first] == [tenant.text() for tenant in second]
    assert len({tenant.text() for tenant in first}) == 20


@pytest.mark.parametrize("count", [0, -1, 10000])
def test_a_number_without_tenants_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(ValueError, match=f"tenants: got {count}; allowed: 1 to 9999"):
        generated_tenants.write(tmp_path / "none", "load", count)
    assert not (tmp_path / "none").exists()


def test_the_table_is_counted_as_dynamodb_does(loaded: dict[str, tenants.Tenant]) -> None:
    # Attribute names count too, and a character takes what UTF-8 needs for it.
    assert bench_tenants.item_bytes({"pk": {"S": "KEY#1"}, "name": {"S": "é"}}) == 2 + 5 + 4 + 2

    table = bench_tenants.table_of(loaded)

    assert table.items == 40 + 84
    assert 1000 < table.largest_bytes < 4000
    assert table.largest_bytes < table.total_bytes < table.items * table.largest_bytes


def test_a_graph_is_counted_by_its_nodes_and_edges() -> None:
    dot = (
        'digraph {\n\tcompound = "true"\n\tsubgraph "root" {\n'
        '\t\t"[root] a.b[\\"c\\"]" [label = "a.b", shape = "box"]\n'
        '\t\t"[root] root" [label = "root"]\n'
        '\t\t"[root] a.b[\\"c\\"]" -> "[root] root"\n'
        '\t\t"[root] a.b[\\"d\\"]" -> "[root] root"\n\t}\n}\n'
    )
    assert bench_tenants.graph_of(dot) == (2, 2)


def test_a_plan_is_counted_by_what_it_makes() -> None:
    def change(kind: str, *actions: str, mode: str = "managed") -> dict[str, Any]:
        return {"type": kind, "mode": mode, "change": {"actions": list(actions)}}

    plan = {
        "resource_changes": [
            change("aws_a", "create"),
            change("aws_a", "create"),
            change("aws_b", "no-op"),
            change("aws_c", "read", mode="data"),
        ]
    }
    assert bench_tenants.resources_of(plan) == {"aws_a": 2}


def test_what_does_not_grow_takes_its_share_of_a_quota() -> None:
    ten, hundred = (
        measured(10, aws_api_gateway_api_key=25),
        measured(100, aws_api_gateway_api_key=205),
    )
    # Two keys for each tenant and five of the deployment's own.
    assert bench_tenants.tenants_until(KEYS, ten, hundred) == (10000 - 5) // 2
    assert bench_tenants.tenants_until(KEYS, measured(10), measured(100)) is None


def test_the_report_names_every_limit() -> None:
    small = measured(10, aws_api_gateway_api_key=20)
    large = measured(100, aws_api_gateway_api_key=200, aws_api_gateway_usage_plan_key=400)
    lines = list(bench_tenants.limits(small, large))

    assert any(re.fullmatch(r"API keys +10000 fixed +5000 tenants", line) for line in lines)
    assert any(re.search(r"one per tenant +300 can be raised +300 tenants", line) for line in lines)
    assert any(
        re.search(r"inference profiles +1000 can be raised +no limit", line) for line in lines
    )
    assert "100 tenants take 600, which is 1.0 minutes" in lines[-1]


def test_the_quotas_are_those_that_the_plan_checks() -> None:
    code = (terraform.REPOSITORY / "terraform" / "tenants.tf").read_text("utf-8")
    numbers = {name: int(value) for name, value in re.findall(r"(_\w+) += (\d+)\n", code)}
    (keys,) = [quota for quota in bench_tenants.QUOTAS if quota.name == "API keys"]

    assert (
        numbers["_role_policies_capacity"] - numbers["_own_role_policy_reserve"]
        == bench_tenants.ROLE_POLICY_CHARACTERS
    )
    variables = (terraform.REPOSITORY / "terraform" / "variables.tf").read_text("utf-8")
    for variable, allowed in {
        "api_key_quota": keys.allowed,
        "usage_plan_quota": bench_tenants.USAGE_PLAN_QUOTA,
        "inference_profile_quota": bench_tenants.QUOTAS[0].allowed,
    }.items():
        block = variables.partition(f'variable "{variable}"')[2].partition("\n}")[0]
        assert re.search(rf"default += {allowed}\n", block), variable
