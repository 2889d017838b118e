"""The whole stack applies, stays as it is, and holds what Python says that it holds."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from scripts import tenants
from tests.stack.moto import ENVIRONMENT, UNAVAILABLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack.moto import Stack

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.skipif(UNAVAILABLE is not None, reason=str(UNAVAILABLE)),
    # One apply for all of them, so one worker.
    pytest.mark.xdist_group("moto-stack"),
]


@pytest.fixture(scope="session")
def declared(stack: Stack) -> dict[str, tenants.Tenant]:
    """The environment's tenants as Python reads them."""
    return tenants.load_environment(stack.folder / "envs" / ENVIRONMENT)


@pytest.fixture(scope="session")
def key_values(stack: Stack, declared: dict[str, tenants.Tenant]) -> dict[str, dict[str, str]]:
    """By tenant and key: the value that API Gateway made, read where its owner reads it."""
    names = stack.outputs()["key_parameter_names"]
    ssm = stack.client("ssm")
    return {
        tenant_id: {
            key_id: ssm.get_parameter(Name=names[tenant_id][key_id], WithDecryption=True)[
                "Parameter"
            ]["Value"]
            for key_id in tenant.keys
        }
        for tenant_id, tenant in declared.items()
    }


def _items(stack: Stack) -> dict[str, Any]:
    table = stack.outputs()["table_names"]["tenants"]
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    return {item["pk"]["S"]: item for page in pages for item in page["Items"]}


def test_a_second_plan_is_empty(stack: Stack) -> None:
    result = stack.planned("plan", "-detailed-exitcode")

    assert result.returncode == 0, result.stdout + result.stderr


def test_terraform_writes_the_items_that_python_builds(
    stack: Stack,
    declared: dict[str, tenants.Tenant],
    key_values: dict[str, dict[str, str]],
) -> None:
    expected = [
        item
        for tenant_id, tenant in declared.items()
        for item in tenants.tenant_items(
            tenant,
            {
                key_id: hashlib.sha256(value.encode()).hexdigest()
                for key_id, value in key_values[tenant_id].items()
            },
            tenants.Computed(),
        )
    ]

    assert len(expected) > len(declared) > 0
    assert _items(stack) == {item["pk"]["S"]: item for item in expected}


def test_keys_are_api_gateways_own_and_in_their_tenants_plan(
    stack: Stack, key_values: dict[str, dict[str, str]]
) -> None:
    gateway = stack.client("apigateway")
    plan_ids = {plan["name"]: plan["id"] for plan in gateway.get_usage_plans()["items"]}
    prefix = stack.outputs()["table_names"]["tenants"].removesuffix("-tenants")

    for tenant_id, values in key_values.items():
        keys = gateway.get_usage_plan_keys(usagePlanId=plan_ids[f"{prefix}-{tenant_id}"])["items"]
        made = {gateway.get_api_key(apiKey=key["id"], includeValue=True)["value"] for key in keys}
        assert made == set(values.values())


def test_no_key_is_readable_in_the_tenants_table(
    stack: Stack, key_values: dict[str, dict[str, str]]
) -> None:
    text = str(_items(stack))

    assert not [
        key_id for keys in key_values.values() for key_id, value in keys.items() if value in text
    ]


def test_a_new_tenant_file_touches_only_that_tenant(stack: Stack) -> None:
    folder: Path = stack.folder / "envs" / ENVIRONMENT / "tenants"
    new = folder / "initech.tfvars"
    shutil.copyfile(folder / "acme.tfvars", new)
    try:
        result = stack.planned("plan", "-detailed-exitcode")
    finally:
        new.unlink()

    assert result.returncode == 2, result.stderr
    touched = {
        line.split()[1] for line in result.stdout.splitlines() if line.startswith("  # module.")
    }
    assert touched
    assert all(address.startswith('module.tenant["initech"].') for address in touched), touched
    assert "0 to change, 0 to destroy" in result.stdout
