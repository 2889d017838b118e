"""The two readers of tenant files, Terraform's and Python's, give the same answers."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts.deploy import terraform
from scripts.tenants import files as tenants
from scripts.tenants.rules import SCHEMA
from tests.unit.scripts.tenants.tenant_cases import (
    ENVIRONMENT_FIXTURES,
    LOADED_MESSAGES,
    LOADED_TIERS,
    PREFIX,
    REFUSED,
    TENANT_FIXTURES,
    TIERS,
    UNORDERED_TIERS,
    UNREADABLE,
    VALID,
    WARNED_FIXTURES,
    Fixture,
    text,
)

if TYPE_CHECKING:
    from pathlib import Path

UNAVAILABLE = terraform.unavailable()
pytestmark = pytest.mark.skipif(UNAVAILABLE is not None, reason=str(UNAVAILABLE))

_MODULE = terraform.REPOSITORY / "modules" / "tenant_files"
_ROOT = """
variable "tiers" {{ type = any }}
variable "prefix" {{ type = string }}
variable "business_units" {{
  type    = any
  default = {{}}
}}

module "tenant_files" {{
  source    = {source}
  directory = "${{path.root}}/tenants"
  prefix    = var.prefix
  tiers     = var.tiers

  business_units = var.business_units
}}

output "business_units" {{
  value = {{ for id, unit in module.tenant_files.business_units_by_id : id => jsonencode(unit) }}
}}

output "documents" {{
  value = {{
    for id, tenant in module.tenant_files.tenants_by_id : id => jsonencode(tenant.policy)
  }}
}}

output "keys" {{
  value = {{ for id, tenant in module.tenant_files.tenants_by_id : id => tenant.keys }}
}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root module around modules/tenant_files, with an empty folder of tenants."""
    (tmp_path / "main.tf").write_text(_ROOT.format(source=json.dumps(str(_MODULE))))
    (tmp_path / "terraform.tfvars.json").write_text(json.dumps({"prefix": PREFIX, "tiers": TIERS}))
    (tmp_path / "tenants").mkdir()
    terraform.run(tmp_path, "init", "-no-color", capture=True)
    return tmp_path


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / "tenants" / f"{name}.tfvars").write_text(content, encoding="utf-8")
    return root / "tenants"


def _refusals(root: Path) -> list[str]:
    result = terraform.run(root, "plan", "-no-color", capture=True, check=False)
    assert result.returncode == 1, result.stdout
    return re.findall(r"^  (\S+\.tfvars: .*)$", result.stderr, re.MULTILINE)


def test_both_refuse_the_same_files_in_the_same_words(root: Path) -> None:
    cases = [case for case in REFUSED if case.terraform_too]
    folder = _write(root, {case.case: case.content for case in cases})

    with pytest.raises(tenants.TenantFilesError) as raised:
        tenants.load(folder, TIERS, PREFIX)

    assert _refusals(root) == list(raised.value.errors)
    assert len(raised.value.errors) == sum(len(case.messages) for case in cases)


def test_both_refuse_another_tenants_id_among_teams(root: Path) -> None:
    folder = _write(root, {"mine": text(teams='["search", "theirs"]'), "theirs": text()})

    with pytest.raises(tenants.TenantFilesError) as raised:
        tenants.load(folder, TIERS, PREFIX)

    assert [error.split(": given")[0] for error in raised.value.errors] == ["mine.tfvars: teams[1]"]
    assert _refusals(root) == list(raised.value.errors)


def test_both_know_the_business_units_of_an_environment(root: Path) -> None:
    units = {
        "retail": {"name": "Retail", "owner": "Jo", "budget": {"month_usd": "900"}, "shards": 4},
        "web": {"name": "Web", "owner": "Al <al@example.com>"},
    }
    settings = {"prefix": PREFIX, "tiers": TIERS, "business_units": units}
    (root / "terraform.tfvars.json").write_text(json.dumps(settings))
    folder = _write(root, {"mine": text(business_unit='"retail"')})
    (root / "env.tfvars").write_text(
        "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()),
        encoding="utf-8",
    )
    terraform.run(root, "apply", "-no-color", "-auto-approve", capture=True)
    outputs = json.loads(terraform.run(root, "output", "-json", capture=True).stdout)

    (tenant,) = tenants.load(folder, TIERS, PREFIX, units).values()

    assert outputs["documents"]["value"] == {"mine": tenants.policy_document(tenant.policy)}
    assert outputs["business_units"]["value"] == {
        unit_id: tenants.policy_document(unit)
        for unit_id, unit in tenants.load_business_units(root).items()
    }

    wrong = {"retail": {**units["retail"], "budget": {"month_usd": "9", "day_usd": "10"}}}
    (root / "terraform.tfvars.json").write_text(json.dumps({**settings, "business_units": wrong}))
    _write(root, {"theirs": text(business_unit='"web"')})
    with pytest.raises(tenants.TenantFilesError) as raised:
        tenants.load(folder, TIERS, PREFIX, wrong)

    assert len(raised.value.errors) == 2
    assert _refusals(root) == list(raised.value.errors)


def test_both_refuse_tiers_whose_numbers_contradict_each_other(root: Path) -> None:
    (root / "terraform.tfvars.json").write_text(
        json.dumps({"prefix": PREFIX, "tiers": UNORDERED_TIERS})
    )

    with pytest.raises(tenants.TenantFilesError) as raised:
        tenants.load(root / "tenants", UNORDERED_TIERS, PREFIX)

    assert len(raised.value.errors) == len(SCHEMA["orders"])
    assert _refusals(root) == list(raised.value.errors)


def test_both_refuse_tiers_whose_accounts_dynamodb_cannot_write(root: Path) -> None:
    (root / "terraform.tfvars.json").write_text(
        json.dumps({"prefix": PREFIX, "tiers": LOADED_TIERS})
    )

    with pytest.raises(tenants.TenantFilesError) as raised:
        tenants.load(root / "tenants", LOADED_TIERS, PREFIX)

    assert list(raised.value.errors) == LOADED_MESSAGES
    assert _refusals(root) == LOADED_MESSAGES


def test_both_refuse_the_file_that_breaks_a_rule_in_the_same_words(root: Path) -> None:
    for fixture in TENANT_FIXTURES:
        shutil.copy(fixture.path, root / "tenants")

    assert _refusals(root) == sorted(
        f"{fixture.path.name}: {message}"
        for fixture in TENANT_FIXTURES
        for message in fixture.messages
    )


def test_what_only_looks_like_a_mistake_is_planned(root: Path) -> None:
    for fixture in WARNED_FIXTURES:
        shutil.copy(fixture.path, root / "tenants")

    result = terraform.run(root, "plan", "-no-color", capture=True, check=False)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("fixture", ENVIRONMENT_FIXTURES, ids=lambda fixture: fixture.rule)
def test_both_refuse_the_environment_that_breaks_a_rule(fixture: Fixture, root: Path) -> None:
    (root / "terraform.tfvars.json").unlink()
    shutil.copy(fixture.path, root / "terraform.tfvars")

    result = terraform.run(root, "plan", "-no-color", capture=True, check=False)

    assert result.returncode == 1, result.stdout
    # Terraform wraps what a variable's own validation says.
    said = " ".join(result.stderr.split())
    assert [message for message in fixture.messages if message in said] == list(fixture.messages)


def test_both_refuse_what_is_not_a_variable_file(root: Path) -> None:
    _write(root, {name: content for name, (content, _) in UNREADABLE.items()})

    assert [message.split(": given")[0] for message in _refusals(root)] == [
        f"{name}.tfvars: file" for name in sorted(UNREADABLE)
    ]


def test_both_make_the_same_documents_and_keys(root: Path) -> None:
    folder = _write(root, VALID)
    terraform.run(root, "apply", "-no-color", "-auto-approve", capture=True)
    outputs = json.loads(terraform.run(root, "output", "-json", capture=True).stdout)

    expected = tenants.load(folder, TIERS, PREFIX)

    assert outputs["documents"]["value"] == {
        tenant_id: tenants.policy_document(tenant.policy) for tenant_id, tenant in expected.items()
    }
    assert outputs["keys"]["value"] == {
        tenant_id: {
            key_id: {
                "app_id": key.app_id,
                "key_name": key.key_name,
                "status": key.status,
                "expires": key.expires,
            }
            for key_id, key in tenant.keys.items()
        }
        for tenant_id, tenant in expected.items()
    }


def test_an_empty_folder_means_no_tenants(root: Path) -> None:
    (root / "tenants").rmdir()

    terraform.run(root, "apply", "-no-color", "-auto-approve", capture=True)

    outputs = json.loads(terraform.run(root, "output", "-json", capture=True).stdout)
    assert outputs["documents"]["value"] == {}
