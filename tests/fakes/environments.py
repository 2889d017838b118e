"""The local environment with tenants that have what its own have not."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from scripts.local.stack import ENVIRONMENTS

if TYPE_CHECKING:
    from pathlib import Path

SILO_ACCOUNT_ID = "222233334444"
SILO_ROLE_ARN = f"arn:aws:iam::{SILO_ACCOUNT_ID}:role/tollgate/tollgate-local/silo"
SILO_EXTERNAL_ID = "x-1"
_GUARDRAIL = 'guardrail = { id = "gr1234567890", version = "1" }\n'
_SILO_TENANT = f"""
name        = "Silo"
kind        = "customer"
cost_center = "CC-1"
tier        = "pro"
models      = ["amazon.nova-*"]
isolation   = "silo"
silo        = {{ role_arn = "{SILO_ROLE_ARN}", external_id = "{SILO_EXTERNAL_ID}" }}
apps        = {{ websearch = {{ keys = {{ primary = {{}} }} }} }}
"""


def with_silo(folder: Path) -> Path:
    """A copy of envs/local in `folder` that also has the tenant `silo` with the app `websearch`."""
    environment = folder / "local"
    shutil.copytree(ENVIRONMENTS / "local", environment)
    (environment / "tenants" / "silo.tfvars").write_text(_SILO_TENANT)
    return environment


def with_guardrail(folder: Path, tenant_id: str) -> Path:
    """A copy of envs/local in `folder` where calls of a tenant pass a guardrail."""
    environment = folder / "local"
    shutil.copytree(ENVIRONMENTS / "local", environment)
    file = environment / "tenants" / f"{tenant_id}.tfvars"
    file.write_text(file.read_text("utf-8") + _GUARDRAIL, encoding="utf-8")
    return environment


def with_silo_and_guardrails(folder: Path) -> Path:
    """As `with_silo`, the silo with a guardrail, and a tenant `guarded` without an account."""
    environment = with_silo(folder)
    tenants = environment / "tenants"
    (tenants / "silo.tfvars").write_text(_SILO_TENANT + _GUARDRAIL)
    pooled = _SILO_TENANT.replace('"silo"', '"pool"').replace('"Silo"', '"Guarded"')
    (tenants / "guarded.tfvars").write_text(pooled + _GUARDRAIL)
    return environment


def allow_models(tenant_file: Path, *models: str) -> None:
    """Put models before those that a tenant's file allows."""
    text = tenant_file.read_text("utf-8")
    more = "".join(f'"{model}", ' for model in models)
    text, found = re.subn(r"^(models +)= \[", rf"\1= [{more}", text, flags=re.MULTILINE)
    assert found == 1, f"{tenant_file.name} has {found} lists of models"
    tenant_file.write_text(text, "utf-8")
