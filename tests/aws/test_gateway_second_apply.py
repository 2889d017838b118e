"""What a second apply makes of the REST API, with the real provider against a stand-in of AWS.

Terraform runs the steps of a test in one process, each of them an apply and then a plan, which
reads everything from AWS again and is to find nothing to do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from scripts.deploy import terraform
from tests import provider
from tests.aws import gateway_root
from tests.aws.gateway_body import GATEWAY, functions
from tests.aws.gateway_root import BASE, relative
from tests.aws.rest_api import ACCOUNT_ID, REGION
from tests.contract.hcl import load
from tests.stack import moto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.aws.api_gateway import ApiGateway
    from tests.aws.gateway_root import Aws
    from tests.aws.rest_api import RestApi

ENVIRONMENT = "second-apply"
PRIVATE = {"type": "PRIVATE", "allowed_cidrs": ["10.1.0.0/16"], "vpc_endpoint_ids": ["vpce-1"]}


@dataclass(frozen=True)
class Step:
    """What AWS has after an apply, and the addresses that the plan after it would change.

    `resources` are the attributes by address, as the provider read them; `deployed` is the API that
    the stage serves.
    """

    resources: dict[str, dict[str, Any]]
    deployed: RestApi
    left: list[str]

    @property
    def rendered(self) -> Any:
        """The body as the module rendered it."""
        return json.loads(self.resources["aws_api_gateway_rest_api.this"]["body"])


def apply_in_turn(aws: Aws, folder: Path, steps: dict[str, dict[str, Any]]) -> dict[str, Step]:
    """Apply the module with the base's arguments, changed as each step says; the steps by name."""
    root = folder / "root"
    root.mkdir()
    runs = []
    for name, changed in steps.items():
        run = {"module": {"source": relative(GATEWAY, root)}, "variables": {**BASE, **changed}}
        runs += [{name: run}, {_again(name): {**run, "command": "plan"}}]
    tests = {"provider": {"aws": aws.provider}, "run": runs}
    (root / "main.tftest.json").write_text(json.dumps(tests), "utf-8")
    required = {"required_providers": {"aws": {"source": "hashicorp/aws"}}}
    (root / "main.tf.json").write_text(json.dumps({"terraform": required}), "utf-8")
    said = _run(root, folder / "provider.log")
    return {name: _step(aws.api_gateway, said, name) for name in steps}


def _again(name: str) -> str:
    return f"{name}-again"


def _run(root: Path, log: Path) -> dict[str, dict[str, Any]]:
    """The states and plans that Terraform prints, by the names of the runs."""
    terraform.run(root, "init", environment_name=ENVIRONMENT, capture=True)
    with provider.serve(root, ENVIRONMENT, log) as variables:
        printed = terraform.run(
            root,
            *("test", "-json", "-verbose"),
            environment_name=ENVIRONMENT,
            variables=variables,
            capture=True,
            check=False,
        ).stdout
    lines = [json.loads(line) for line in printed.splitlines()]
    faults = [line for line in lines if line["@level"] == "error"]
    assert not faults, json.dumps(faults, indent=2)
    return {
        line["@testrun"]: line[line["type"]]
        for line in lines
        if line["type"] in ("test_state", "test_plan")
    }


def _step(service: ApiGateway, said: dict[str, dict[str, Any]], name: str) -> Step:
    resources = {
        resource["address"]: resource["values"]
        for resource in said[name]["root_module"]["resources"]
    }
    return Step(
        resources=resources,
        deployed=service.deployed[resources["aws_api_gateway_stage.this"]["deployment_id"]],
        left=[
            change["address"]
            for change in said[_again(name)]["resource_changes"]
            if change["change"]["actions"] != ["no-op"]
        ],
    )


def check(step: Step, given: dict[str, Any]) -> None:
    """What is served is what was rendered, the API's own properties too, and nothing is left."""
    body, api = step.rendered, step.deployed
    endpoint = {"type": "REGIONAL", "vpc_endpoint_ids": [], **given["endpoint"]}
    assert api.body == body
    assert api.policy == api.stored_policy(body["x-amazon-apigateway-policy"])
    assert api.description == body["info"]["description"]
    assert api.name == body["info"]["title"] == given["prefix"]
    assert api.api_key_source == body["x-amazon-apigateway-api-key-source"]
    assert api.endpoint_type == endpoint["type"]
    assert sorted(api.vpc_endpoint_ids) == sorted(endpoint["vpc_endpoint_ids"])
    assert step.left == []


def check_all(aws: Aws, folder: Path, steps: dict[str, dict[str, Any]]) -> None:
    for name, step in apply_in_turn(aws, folder, steps).items():
        try:
            check(step, {**BASE, **steps[name]})
        except AssertionError as error:
            error.add_note(f"at the step {name}")
            raise


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    if moto.UNAVAILABLE:
        pytest.skip(f"NOT CHECKED: {moto.UNAVAILABLE}")
    with gateway_root.serve(tmp_path) as served:
        yield served


@pytest.mark.slow
@pytest.mark.stack
def test_a_second_apply_leaves_what_was_rendered(aws: Aws, tmp_path: Path) -> None:
    check_all(
        aws,
        tmp_path,
        {
            "first": {},
            "second": {
                "endpoint": {"allowed_cidrs": ["198.51.100.0/24", "203.0.113.0/24"]},
                "authorizer_cache_seconds": 0,
                "throttle": {"rate_limit": 10, "burst_limit": 20},
            },
        },
    )


@pytest.mark.soak
@pytest.mark.stack
def test_each_variable_in_turn_leaves_what_was_rendered(aws: Aws, tmp_path: Path) -> None:
    address = {"allowed_cidrs": ["198.51.100.0/24"]}
    changed: dict[str, dict[str, Any]] = {
        "authorizer_cache_seconds": {"authorizer_cache_seconds": 0},
        "functions": {"functions": functions("two")},
        "kms_key_arn": {"kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/key-2"},
        "log_retention_days": {"log_retention_days": 30},
        "manage_account_logging_role": {"manage_account_logging_role": True},
        "permissions_boundary_arn": {
            "manage_account_logging_role": True,
            "permissions_boundary_arn": f"arn:aws:iam::{ACCOUNT_ID}:policy/boundary",
        },
        "prefix": {"prefix": "tollgate-two"},
        "stage_name": {"stage_name": "v2"},
        "tags": {"tags": {"team": "platform"}},
        "throttle": {"throttle": {"rate_limit": 10, "burst_limit": 20}},
        "web_acl": {"web_acl": {"arn": aws.web_acl_arn}},
        "endpoint": {"endpoint": address},
        "endpoint-none": {"endpoint": {}},
        "endpoint-private": {"endpoint": PRIVATE},
        "endpoint-others": {"endpoint": {**PRIVATE, "vpc_endpoint_ids": ["vpce-2", "vpce-3"]}},
        "endpoint-and-body": {"endpoint": PRIVATE, "authorizer_cache_seconds": 5},
        "endpoint-regional": {"endpoint": address},
    }
    variables = {name for block in load("modules/gateway")["variable"] for name in block}
    assert {name for arguments in changed.values() for name in arguments} == variables
    check_all(aws, tmp_path, {"base": {}, **changed})
