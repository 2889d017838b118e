"""The roles and policies that Terraform makes of an environment, without any account.

`terraform test` applies the root with a mock of the provider and shows the state that comes out,
policies rendered in full. See terraform/tests/roles.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.build.environments import ROOT
from scripts.deploy import terraform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.aws.simulator import Document

UNAVAILABLE = terraform.unavailable()
_ROOT_MODULE = ROOT / "terraform"
_CASES = "tests/roles"
# Working data of its own for each worker, as in tests/contract/test_terraform_static.py.
_ENVIRONMENT = f"roles-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
_POLICY = re.compile(r"\baws_iam_role_policy\b")


@dataclass
class Roles:
    """What one run made: policies by address; whom roles trust and what they have by name."""

    policies: dict[str, Document] = field(default_factory=dict)
    trusts: dict[str, Document] = field(default_factory=dict)
    policies_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keys: dict[str, Document] = field(default_factory=dict)
    """Policies of KMS keys by address."""


def planned(environment: Path) -> dict[str, Roles]:
    """The roles by run of terraform/tests/roles, for a folder like those of envs/.

    The folder's tenants are the deployment's.
    """
    arguments = (
        f"-test-directory={_CASES}",
        f"-var-file={environment / 'env.tfvars'}",
        f"-var=tenants_dir={os.path.relpath(environment / 'tenants', _ROOT_MODULE)}",
    )

    def run(*command: str) -> list[str]:
        result = terraform.run(
            _ROOT_MODULE, *command, environment_name=_ENVIRONMENT, capture=True, check=False
        )
        lines = result.stdout.splitlines()
        wrong = [line for line in lines if '"type":"diagnostic"' in line] or [result.stderr]
        assert result.returncode == 0, "\n".join(wrong)
        return lines

    run("init", "-backend=false", "-no-color", arguments[0])
    told = map(json.loads, run("test", "-json", "-verbose", *arguments))
    return {
        message["@testrun"]: _roles(message["test_state"]["root_module"])
        for message in told
        if message["type"] == "test_state"
    }


def _roles(module: Mapping[str, Any]) -> Roles:
    found = Roles()
    resources = list(_resources(module))
    made = {
        resource["address"]: resource["values"]
        for resource in resources
        if resource["type"] == "aws_iam_role"
    }
    for resource in resources:
        address, values = resource["address"], resource["values"]
        if resource["type"] == "aws_iam_role":
            found.trusts[values["name"]] = json.loads(values["assume_role_policy"])
        elif resource["type"] == "aws_kms_key":
            found.keys[address] = json.loads(values["policy"])
        elif resource["type"] == "aws_iam_role_policy":
            found.policies[address] = json.loads(values["policy"])
            # A mock's role has an id that is not its name; a policy of its own stands beside it.
            beside = made.get(_POLICY.sub("aws_iam_role", address), {})
            role = beside["name"] if values["role"] == beside.get("id") else values["role"]
            found.policies_of[role] = (*found.policies_of.get(role, ()), address)
    return found


def _resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)
