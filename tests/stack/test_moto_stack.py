"""The whole stack applies, stays as it is, and holds what Python says that it holds.

Tenants come and go without a change to anything that is not theirs; destroying the stack leaves
what bills were made from.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.deploy import commands as deploy
from scripts.deploy import environments, profiles
from scripts.deploy.redaction import redact
from scripts.tenants import files as tenants
from scripts.tenants.files import Computed
from tests.stack.moto import ENVIRONMENT, UNAVAILABLE
from tollgate.domain.jobs import MAX_RECEIVES, VISIBILITY_SECONDS

if TYPE_CHECKING:
    from tests.stack.moto import Stack

NEWCOMER = Path(__file__).parent / "tenants" / "hooli.tfvars"
# A tenant's own module and its two objects in maps of the root.
_OF_A_TENANT = r'(module\.tenant\["{id}"\]\.|[^"]*\["{id}"\]$)'

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.skipif(UNAVAILABLE is not None, reason=str(UNAVAILABLE)),
    # One apply for all of them, so one worker.
    pytest.mark.xdist_group("moto-stack"),
]


def _declared(stack: Stack) -> dict[str, tenants.Tenant]:
    """The environment's tenants as Python reads them."""
    return tenants.load_environment(stack.folder / "envs" / ENVIRONMENT)


def _key_values(stack: Stack) -> dict[str, dict[str, str]]:
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
        for tenant_id, tenant in _declared(stack).items()
    }


def _prefix(stack: Stack) -> str:
    table: str = stack.outputs()["table_names"]["tenants"]
    return table.removesuffix("-tenants")


def _computed(stack: Stack, tenant: tenants.Tenant) -> Computed:
    """What AWS made for a tenant, as AWS tells it."""
    prefix, tenant_id = _prefix(stack), tenant.tenant_id
    kms_key_arn = None
    if tenant.policy["own_kms_key"]:
        alias = f"alias/{prefix}/tenants/{tenant_id}"
        kms_key_arn = stack.client("kms").describe_key(KeyId=alias)["KeyMetadata"]["Arn"]
    profiles = stack.client("bedrock").list_inference_profiles(typeEquals="APPLICATION")
    arns = {
        profile["inferenceProfileName"]: profile["inferenceProfileArn"]
        for profile in profiles["inferenceProfileSummaries"]
    }
    return Computed(
        kms_key_arn=kms_key_arn,
        profile_arns={
            f"{app}/{name}": arns[f"{prefix}-{tenant_id}-{app}-{name}"]
            for app, body in tenant.policy["apps"].items()
            for name in body["inference_profiles"]
        },
    )


def _items(stack: Stack) -> dict[str, Any]:
    table = stack.outputs()["table_names"]["tenants"]
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    return {item["pk"]["S"]: item for page in pages for item in page["Items"]}


def _expected_items(stack: Stack) -> dict[str, Any]:
    values = _key_values(stack)
    return {
        item["pk"]["S"]: item
        for tenant_id, tenant in _declared(stack).items()
        for item in tenants.tenant_items(
            tenant,
            {
                key_id: hashlib.sha256(value.encode()).hexdigest()
                for key_id, value in values[tenant_id].items()
            },
            _computed(stack, tenant),
        )
    }


def _touched(plan: dict[str, Any]) -> dict[str, list[str]]:
    """What a plan would do, by address; outputs and what stays as it is left out."""
    return {
        change["address"]: change["change"]["actions"]
        for change in plan["resource_changes"]
        if change["change"]["actions"] != ["no-op"]
    }


def test_a_jobs_times_are_those_that_the_product_goes_by(stack: Stack) -> None:
    prefix, queues, functions = _prefix(stack), stack.client("sqs"), stack.client("lambda")
    url = queues.get_queue_url(QueueName=f"{prefix}-jobs")["QueueUrl"]
    queue = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    producer = functions.get_function_configuration(FunctionName=f"{prefix}-stream")

    assert int(queue["VisibilityTimeout"]) == VISIBILITY_SECONDS >= producer["Timeout"]
    assert int(json.loads(queue["RedrivePolicy"])["maxReceiveCount"]) == MAX_RECEIVES
    assert "FifoQueue" not in queue


def test_after_an_apply_each_tenant_is_told_its_api_and_its_profiles(stack: Stack) -> None:
    outputs = stack.outputs()
    told = profiles.read(stack.client("ssm"), environments.load(ENVIRONMENT), None)

    assert told == outputs["tenants"]
    assert set(told) == set(_declared(stack))
    for tenant_id, tenant in _declared(stack).items():
        assert told[tenant_id]["api_url"] == outputs["api_url"]
        assert told[tenant_id]["rest_api_id"] == outputs["rest_api_id"]
        arns = _computed(stack, tenant).profile_arns
        assert {
            name: profile["id"] for name, profile in told[tenant_id]["inference_profiles"].items()
        } == {name: arn.rsplit("/", 1)[1] for name, arn in arns.items()}


def test_a_second_plan_is_empty(stack: Stack) -> None:
    result = stack.planned("plan", "-detailed-exitcode")

    assert result.returncode == 0, result.stdout + result.stderr


def test_terraform_writes_the_items_that_python_builds(stack: Stack) -> None:
    expected = _expected_items(stack)

    assert len(expected) > len(_declared(stack)) > 0
    assert _items(stack) == expected


def test_keys_are_api_gateways_own_and_in_their_tenants_plan(stack: Stack) -> None:
    gateway = stack.client("apigateway")
    plan_ids = {plan["name"]: plan["id"] for plan in gateway.get_usage_plans()["items"]}
    prefix = _prefix(stack)

    for tenant_id, values in _key_values(stack).items():
        keys = gateway.get_usage_plan_keys(usagePlanId=plan_ids[f"{prefix}-{tenant_id}"])["items"]
        made = {gateway.get_api_key(apiKey=key["id"], includeValue=True)["value"] for key in keys}
        assert made == set(values.values())


def test_no_key_is_readable_where_it_does_not_belong(stack: Stack) -> None:
    """Neither in the tenants table, nor in an output, nor in what is printed of any plan."""
    plan = stack.planned("plan", "-destroy", "-refresh=false")
    assert plan.returncode == 0, plan.stderr
    printed = "".join(redact(plan.stdout.splitlines(keepends=True)))
    text = str(_items(stack)) + json.dumps(stack.outputs()) + printed

    assert "aws_api_gateway_api_key" in text
    values = [value for keys in _key_values(stack).values() for value in keys.values()]
    assert values
    assert not [value for value in values if value in text]


def test_a_tenant_comes_and_goes_and_nothing_else_changes(stack: Stack) -> None:
    folder = stack.folder / "envs" / ENVIRONMENT / "tenants"
    theirs = re.compile(_OF_A_TENANT.format(id=NEWCOMER.stem))
    before, prefix = _items(stack), _prefix(stack)

    shutil.copyfile(NEWCOMER, folder / NEWCOMER.name)
    coming = _touched(stack.plan(apply=True))
    with_them = _items(stack)

    assert coming
    assert set(map(tuple, coming.values())) == {("create",)}
    assert [address for address in coming if not theirs.match(address)] == []
    assert with_them == _expected_items(stack)
    assert {pk: item for pk, item in with_them.items() if pk in before} == before
    assert len(with_them) == len(before) + 3
    test_a_second_plan_is_empty(stack)

    (folder / NEWCOMER.name).unlink()
    going = _touched(stack.plan(apply=True))

    assert going == {address: ["delete"] for address in coming}
    assert _items(stack) == before
    names = [plan["name"] for plan in stack.client("apigateway").get_usage_plans()["items"]]
    assert f"{prefix}-{NEWCOMER.stem}" not in names
    test_a_second_plan_is_empty(stack)


def test_a_destroy_would_leave_the_billing_data(stack: Stack) -> None:
    listed = stack.terraform("state", "list").stdout.split("\n")
    addresses = [line for line in listed if line and ".data." not in f".{line}"]
    targets = [f"-target={target}" for target in deploy.what_goes(addresses)]

    going = _touched(stack.plan("-destroy", *targets))

    assert set(map(tuple, going.values())) == {("delete",)}
    assert "module.gateway.aws_api_gateway_rest_api.this" in going
    assert set(deploy.RECORDS) <= set(addresses) - set(going)
    assert not [address for address in going if deploy.is_among(address, deploy.RETAINED)]
