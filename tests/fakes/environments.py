"""The local environment with a tenant in an account of its own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from scripts.local.stack import ENVIRONMENTS

if TYPE_CHECKING:
    from pathlib import Path

SILO_ACCOUNT_ID = "222233334444"
SILO_ROLE_ARN = f"arn:aws:iam::{SILO_ACCOUNT_ID}:role/tollgate/tollgate-local/silo"
SILO_EXTERNAL_ID = "x-1"
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
