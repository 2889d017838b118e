"""What a second apply makes of the REST API, with the real provider against a stand-in of AWS.

Terraform runs the steps of a test in one process, each of them an apply and then a plan, which
reads everything from AWS again and is to find nothing to do.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from scripts.deploy import terraform
from tests import provider
from tests.aws import api_gateway
from tests.aws.api_gateway import ACCOUNT_ID, REGION, ApiGateway
from tests.aws.gateway_body import GATEWAY, arguments, functions
from tests.stack import moto

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = "second-apply"
# Services whose resources belong to the module too.
OTHER_SERVICES = ("iam", "lambda", "logs", "sts", "wafv2")
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}


BASE = arguments(endpoint={"allowed_cidrs": ["192.0.2.0/24"]})
PRIVATE = {"type": "PRIVATE", "allowed_cidrs": ["10.1.0.0/16"], "vpc_endpoint_ids": ["vpce-1"]}


@dataclass(frozen=True)
class Step:
    """What AWS has after an apply, and the addresses that the plan after it would change.

    `resources` are the attributes by address, as the provider read them; `deployed` is the API that
    the stage serves.
    """

    resources: dict[str, dict[str, Any]]
    deployed: api_gateway.RestApi
    left: list[str]

    @property
    def rendered(self) -> Any:
        """The body as the module rendered it."""
        return json.loads(self.resources["aws_api_gateway_rest_api.this"]["body"])


def apply_in_turn(folder: Path, steps: dict[str, dict[str, Any]]) -> dict[str, Step]:
    """Apply the module with the base's arguments, changed as each step says; the steps by name."""
    service = ApiGateway()
    with moto.serve(folder / "moto.log") as others, api_gateway.serve(service) as own:
        _make_functions(others)
        root = folder / "root"
        root.mkdir()
        _write(root, {"apigateway": own, **dict.fromkeys(OTHER_SERVICES, others)}, steps)
        said = _run(root, folder / "provider.log")
    return {name: _step(service, said, name) for name in steps}


def _make_functions(endpoint: str) -> None:
    client = boto3.client("iam", endpoint_url=endpoint, **KEYS)
    role = client.create_role(RoleName="function", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client = boto3.client("lambda", endpoint_url=endpoint, **KEYS)
    for deployment in ("one", "two"):
        for function in functions(deployment).values():
            client.create_function(
                FunctionName=function["name"],
                Role=role,
                Runtime="python3.13",
                Handler="handler.handle",
                Code={"ZipFile": b""},
            )


def _write(root: Path, endpoints: dict[str, str], steps: dict[str, dict[str, Any]]) -> None:
    aws = {
        "region": REGION,
        "access_key": "test",
        "secret_key": "test",
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "endpoints": [endpoints],
    }
    # Relative, because Terraform would copy a module that it finds by an absolute path.
    source = os.path.relpath(GATEWAY, root)
    runs = []
    for name, changed in steps.items():
        run = {"module": {"source": source}, "variables": {**BASE, **changed}}
        runs += [{name: run}, {_again(name): {**run, "command": "plan"}}]
    tests = {"provider": {"aws": aws}, "run": runs}
    (root / "main.tftest.json").write_text(json.dumps(tests), "utf-8")
    required = {"required_providers": {"aws": {"source": "hashicorp/aws"}}}
    (root / "main.tf.json").write_text(json.dumps({"terraform": required}), "utf-8")


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
    faults = [line["diagnostic"] for line in lines if line["@level"] == "error"]
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
    assert api.policy == body["x-amazon-apigateway-policy"]
    assert api.description == body["info"]["description"]
    assert api.name == body["info"]["title"] == given["prefix"]
    assert api.api_key_source == body["x-amazon-apigateway-api-key-source"]
    assert api.endpoint_type == endpoint["type"]
    assert sorted(api.vpc_endpoint_ids) == sorted(endpoint["vpc_endpoint_ids"])
    assert step.left == []


def check_all(folder: Path, steps: dict[str, dict[str, Any]]) -> None:
    for name, step in apply_in_turn(folder, steps).items():
        try:
            check(step, {**BASE, **steps[name]})
        except AssertionError as error:
            error.add_note(f"at the step {name}")
            raise


@pytest.fixture(scope="module", autouse=True)
def _terraform_runs_here() -> None:
    if moto.UNAVAILABLE:
        pytest.skip(f"NOT CHECKED: {moto.UNAVAILABLE}")


@pytest.mark.slow
@pytest.mark.stack
def test_a_second_apply_leaves_what_was_rendered(tmp_path: Path) -> None:
    check_all(
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
def test_each_variable_in_turn_leaves_what_was_rendered(tmp_path: Path) -> None:
    address = {"allowed_cidrs": ["198.51.100.0/24"]}
    changed: dict[str, dict[str, Any]] = {
        "authorizer_cache_seconds": {"authorizer_cache_seconds": 0},
        "functions": {"functions": functions("two")},
        "kms_key_arn": {"kms_key_arn": BASE["kms_key_arn"][:-1] + "2"},
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
        "endpoint": {"endpoint": address},
        "endpoint-none": {"endpoint": {}},
        "endpoint-private": {"endpoint": PRIVATE},
        "endpoint-others": {"endpoint": {**PRIVATE, "vpc_endpoint_ids": ["vpce-2", "vpce-3"]}},
        "endpoint-and-body": {"endpoint": PRIVATE, "authorizer_cache_seconds": 5},
        "endpoint-regional": {"endpoint": address},
    }
    check_all(tmp_path, {"base": {}, **changed})
