"""What changes in AWS when a tenant's file changes: plans of the real provider on an applied state.

Every stage has a tenant of its own, so that one apply and one plan show them all, and that each
file changes its own tenant's resources only. The table of stages in envs/README.md says the same.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from scripts.deploy import terraform
from tests.fakes import inference_profiles
from tests.stack import moto

if TYPE_CHECKING:
    from pathlib import Path

UNAVAILABLE = terraform.unavailable()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(UNAVAILABLE is not None, reason=str(UNAVAILABLE)),
    # One apply for all of them, so one worker.
    pytest.mark.xdist_group("tenant-lifecycle"),
]

ACCOUNT_ID = "123456789012"
_ROOT = """
provider "aws" {
  region            = "us-east-1"
  s3_use_path_style = true
}

module "tenant_files" {
  source    = "./modules/tenant_files"
  directory = "${path.root}/tenants"
  prefix    = "tollgate-dev"
  tiers     = { pro = { limits = { requests_per_minute = 60 } } }
}

module "tenant" {
  source   = "./modules/tenant"
  for_each = module.tenant_files.tenants_by_id

  prefix             = "tollgate-dev"
  account_id         = "123456789012"
  region             = "us-east-1"
  tenant_id          = each.key
  policy             = each.value.policy
  keys               = each.value.keys
  tenants_table_name = aws_dynamodb_table.tenants.name
  lake_bucket_name   = aws_s3_bucket.lake.bucket
  rest_api_id        = aws_api_gateway_rest_api.this.id
  api_url            = aws_api_gateway_stage.this.invoke_url
  stage_name         = aws_api_gateway_stage.this.stage_name
  kms_key_arn        = aws_kms_key.this.arn
}

resource "aws_kms_key" "this" {}

resource "aws_s3_bucket" "lake" {
  bucket = "lake"
}

resource "aws_dynamodb_table" "tenants" {
  name         = "tenants"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"

  attribute {
    name = "pk"
    type = "S"
  }
}

resource "aws_api_gateway_rest_api" "this" {
  name = "gateway"
}

resource "aws_api_gateway_method" "this" {
  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_rest_api.this.root_resource_id
  http_method   = "GET"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  resource_id = aws_api_gateway_rest_api.this.root_resource_id
  http_method = aws_api_gateway_method.this.http_method
  type        = "MOCK"
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  depends_on  = [aws_api_gateway_integration.this]
}

resource "aws_api_gateway_stage" "this" {
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = "v1"
}
"""

_FILE = """
name        = "Acme"
kind        = "team"
cost_center = "CC-1001"
tier        = "pro"
models      = ["amazon.nova-*"]
own_kms_key = true
# more

apps = {
  web = {
    keys = {
      primary = {}
      # more keys
    }
    # profiles
    inference_profiles = { lite = { model = "amazon.nova-lite-v1:0" } }
  }
}
"""
_OLD_KEY = ("# more keys", 'old = { expires = "2027-01-31" }')
_SILO = (
    "# more",
    'silo = { role_arn = "arn:aws:iam::444455556666:role/tollgate/tollgate-dev/a", '
    'external_id = "acme-1" }\n# rest',
)
_NO_PROFILES = (
    'inference_profiles = { lite = { model = "amazon.nova-lite-v1:0" } }',
    "inference_profiles = {}",
)


def _file(*changes: tuple[str, str]) -> str:
    text = _FILE
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    return text


# By tenant: its file before and after; None where there is none.
STAGES: dict[str, tuple[str | None, str | None]] = {
    "bystander": (_file(), _file()),
    "added": (None, _file()),
    "renamed": (_file(), _file(('"Acme"', '"Acme Search and Find"'))),
    "raised": (_file(), _file(("# more", "limits = { requests_per_minute = 600 }"))),
    "suspended": (_file(), _file(("# more", 'status = "suspended"'))),
    "key-suspended": (_file(), _file(("primary = {}", 'primary = { status = "suspended" }'))),
    "rotating": (
        _file(),
        _file(
            ("primary = {}", 'primary = { expires = "2027-01-31" }'), ("# more keys", "next = {}")
        ),
    ),
    "rotated": (_file(_OLD_KEY), _file()),
    "prepared": (_file(), _file(_SILO)),
    "moved": (_file(_SILO), _file(_SILO, ("# rest", 'isolation = "silo"'), _NO_PROFILES)),
    "offboarded": (_file(), _file(("# more", 'status = "offboarded"'))),
    "key-of-its-own": (_file(("own_kms_key = true", "")), _file()),
    "removed": (_file(), None),
}

_POLICY = {"aws_dynamodb_table_item.policy": "update"}
_DIMENSION = {"aws_s3_object.dimension": "update"}
_FACTS = {**_POLICY, **_DIMENSION}


def _key(key_id: str, action: str) -> dict[str, str]:
    """Everything there is of one key."""
    kinds = (
        "aws_api_gateway_api_key.this",
        "aws_api_gateway_usage_plan_key.this",
        "aws_dynamodb_table_item.key",
        "aws_ssm_parameter.key",
    )
    return {f'{kind}["{key_id}"]': action for kind in kinds}


def _everything(action: str) -> dict[str, str]:
    """Everything there is of a tenant."""
    return {
        **_key("web/primary", action),
        'aws_bedrock_inference_profile.this["web/lite"]': action,
        "aws_dynamodb_table_item.policy": action,
        "aws_kms_alias.this[0]": action,
        "aws_kms_key.this[0]": action,
        "aws_s3_object.dimension": action,
        "aws_ssm_parameter.published[0]": action,
        "module.usage_plan[0].aws_api_gateway_usage_plan.this": action,
    }


CHANGES = {
    "added": _everything("create"),
    "renamed": _FACTS,
    "raised": {**_POLICY, "module.usage_plan[0].aws_api_gateway_usage_plan.this": "update"},
    "suspended": _FACTS,
    "key-suspended": {
        'aws_api_gateway_api_key.this["web/primary"]': "update",
        'aws_dynamodb_table_item.key["web/primary"]': "update",
        **_DIMENSION,
    },
    "rotating": {
        # The old key's last day; the policy knows no keys, reports do.
        **_DIMENSION,
        'aws_dynamodb_table_item.key["web/primary"]': "update",
        **_key("web/next", "create"),
    },
    "rotated": {**_DIMENSION, **_key("web/old", "delete")},
    "prepared": _POLICY,
    "moved": {
        **_FACTS,
        'aws_bedrock_inference_profile.this["web/lite"]': "delete",
        "aws_ssm_parameter.published[0]": "update",
    },
    "offboarded": {
        **_FACTS,
        **_key("web/primary", "delete"),
        'aws_bedrock_inference_profile.this["web/lite"]': "delete",
        "aws_ssm_parameter.published[0]": "delete",
        "module.usage_plan[0].aws_api_gateway_usage_plan.this": "delete",
    },
    "key-of-its-own": {
        **_POLICY,
        "aws_kms_alias.this[0]": "create",
        "aws_kms_key.this[0]": "create",
    },
    "removed": _everything("delete"),
}


def _write(folder: Path, index: int) -> None:
    for tenant_id, stages in STAGES.items():
        path, text = folder / f"{tenant_id}.tfvars", stages[index]
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text, encoding="utf-8")


def _is_change(resource: dict[str, Any]) -> bool:
    return resource["change"]["actions"] not in (["no-op"], ["read"])


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Address to action of everything that the files' second stage changes."""
    root = tmp_path_factory.mktemp("lifecycle")
    (root / "main.tf").write_text(_ROOT)
    for module in ("tenant", "tenant_files", "usage_plan"):
        shutil.copytree(
            terraform.REPOSITORY / "modules" / module,
            root / "modules" / module,
            ignore=shutil.ignore_patterns(".terraform*", "examples", "tests"),
        )
    (root / "tenants").mkdir()
    with (
        moto.serve(root / "moto.log") as endpoint,
        inference_profiles.serve(ACCOUNT_ID, moto.REGION) as bedrock,
    ):
        variables = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_BEDROCK": bedrock,
        }

        def run(*arguments: str) -> str:
            return terraform.run(root, *arguments, capture=True, variables=variables).stdout

        run("init", "-no-color")
        _write(root / "tenants", 0)
        run("apply", "-no-color", "-auto-approve", "-parallelism=40")
        _write(root / "tenants", 1)
        run("plan", "-no-color", "-out=plan", "-parallelism=40")
        plan = json.loads(run("show", "-json", "plan"))
    return {
        resource["address"]: "/".join(resource["change"]["actions"])
        for resource in plan["resource_changes"]
        if _is_change(resource)
    }


@pytest.mark.parametrize("tenant_id", STAGES)
def test_a_stage_changes_what_it_says_and_nothing_else(
    tenant_id: str, changes: dict[str, str]
) -> None:
    prefix = f'module.tenant["{tenant_id}"].'

    assert {
        address.removeprefix(prefix): action
        for address, action in changes.items()
        if address.startswith(prefix)
    } == CHANGES.get(tenant_id, {})


def test_files_change_tenants_and_nothing_else(changes: dict[str, str]) -> None:
    assert [address for address in changes if not address.startswith("module.tenant[")] == []
