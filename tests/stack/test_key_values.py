"""What Terraform prints and publishes never has an API key's value."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from scripts.deploy import terraform
from tests.fakes import inference_profiles
from tests.stack.moto import ACCOUNT_ID, REGION, REPOSITORY, UNAVAILABLE, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.skipif(UNAVAILABLE is not None, reason=str(UNAVAILABLE)),
]

# Laid over the module's own example: what that takes for granted, and what differs in a test.
_OVERRIDE = """
module "tenant" {
  source             = "../modules/tenant"
  key_store          = var.key_store
  tags               = var.tags
  lake_bucket_name   = aws_s3_bucket.lake.bucket
  tenants_table_name = aws_dynamodb_table.tenants.name
}
"""
_AROUND = """
provider "aws" {
  s3_use_path_style = true
}

variable "key_store" {
  type = string
}

variable "tags" {
  type    = map(string)
  default = {}
}

resource "aws_dynamodb_table" "tenants" {
  name         = "tollgate-dev-tenants"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"

  attribute {
    name = "pk"
    type = "S"
  }
}

resource "aws_s3_bucket" "lake" {
  bucket = "tollgate-dev-lake-111122223333"
}

output "tenant" {
  value = module.tenant
}
"""
# What has the value of a key: the attribute, and whether the provider calls it sensitive.
_HOLDERS = {
    "aws_api_gateway_api_key": ("value", True),
    # It does not, so a plan that deletes a key would show it: scripts.deploy.redaction hides it.
    "aws_api_gateway_usage_plan_key": ("value", False),
    "aws_secretsmanager_secret_version": ("secret_string", True),
}


@dataclass(frozen=True)
class Root:
    """A root module with one tenant, and the servers that it is applied to."""

    folder: Path
    endpoints: Mapping[str, str]

    def terraform(self, *arguments: str) -> str:
        """Run Terraform; returns what it printed."""
        variables = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            **self.endpoints,
        }
        result = terraform.run(self.folder, *arguments, variables=variables, capture=True)
        return result.stdout

    def values(self) -> set[str]:
        """The keys' values, as the state has them."""
        state = json.loads(self.terraform("state", "pull"))
        return {
            instance["attributes"]["value"]
            for resource in state["resources"]
            if resource["type"] == "aws_api_gateway_api_key"
            for instance in resource["instances"]
        }


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with (
        serve(tmp_path_factory.mktemp("moto-keys") / "moto.log") as moto,
        inference_profiles.serve(ACCOUNT_ID, REGION) as bedrock,
    ):
        yield {"AWS_ENDPOINT_URL": moto, "AWS_ENDPOINT_URL_BEDROCK": bedrock}


@pytest.fixture
def root(tmp_path: Path, endpoints: dict[str, str]) -> Root:
    shutil.copytree(
        REPOSITORY / "modules", tmp_path / "modules", ignore=shutil.ignore_patterns(".terraform")
    )
    folder = tmp_path / "root"
    folder.mkdir()
    example = tmp_path / "modules" / "tenant" / "examples" / "basic" / "main.tf"
    shutil.copyfile(example, folder / "main.tf")
    (folder / "main_override.tf").write_text(_OVERRIDE)
    (folder / "around.tf").write_text(_AROUND)
    made = Root(folder, endpoints)
    made.terraform("init", "-no-color")
    return made


def _holders(node: Any, values: set[str], path: str = "") -> set[str]:
    """Paths in a JSON document at which one of the values is."""
    if isinstance(node, dict):
        found = [_holders(child, values, f"{path}.{name}") for name, child in node.items()]
        return set().union(*found)
    if isinstance(node, list):
        return set().union(*(_holders(child, values, path) for child in node))
    return {path} if isinstance(node, str) and any(value in node for value in values) else set()


def test_values_are_where_they_must_be_and_nowhere_else(root: Root) -> None:
    option = "-var=key_store=secrets_manager"
    printed = root.terraform("apply", "-no-color", "-auto-approve", option)
    values = root.values()
    assert len(values) == 2

    changed = '-var=tags={"Changed"="yes"}'
    printed += root.terraform("plan", "-no-color", option, changed, "-out=saved.tfplan")
    printed += root.terraform("output", "-json")
    assert "will be updated in-place" in printed
    assert not [value for value in values if value in printed]

    document = json.loads(root.terraform("show", "-json", "saved.tfplan"))
    assert _holders(document["planned_values"]["outputs"], values) == set()
    found = {
        (change["type"], path, bool(change["change"][f"{side}_sensitive"].get(path[1:])))
        for change in document["resource_changes"]
        for side in ("before", "after")
        for path in _holders(change["change"][side], values)
    }
    assert found == {(kind, f".{name}", hidden) for kind, (name, hidden) in _HOLDERS.items()}

    # Left for the store outside Terraform, the keys are gone from the state and none come.
    root.terraform("apply", "-no-color", "-auto-approve", "-var=key_store=external")
    text = root.terraform("state", "pull")
    resources = {(resource["type"], resource["name"]) for resource in json.loads(text)["resources"]}
    types = {kind for kind, _ in resources}
    assert "aws_api_gateway_usage_plan" in types
    assert not types & {*_HOLDERS}
    # What the tenant is told of its API is there; no parameter of a key is.
    assert {name for kind, name in resources if kind == "aws_ssm_parameter"} == {"published"}
    assert not [value for value in values if value in text]
    assert "KEY#" not in text
