"""The plans that Terraform saves, and Terraform itself as an environment's commands call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts.deploy import terraform
from scripts.deploy.redaction import redact

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from scripts.deploy.environments import Environment

PLAN_FILE = "saved.tfplan"


class DeployError(Exception):
    """The request cannot be carried out; the message says what to do."""


def saved_path(environment: Environment) -> Path:
    """Where the saved plan of an environment lies; beside its backend data, out of git."""
    return terraform.data_directory(environment.root_module, environment.name) / PLAN_FILE


def saved(environment: Environment) -> dict[str, Any]:
    """The saved plan as Terraform's JSON; raises DeployError when there is none."""
    path = saved_path(environment)
    if not path.is_file():
        name = environment.name
        raise DeployError(f"{name}: there is no saved plan; run `make plan ENV={name}`")
    return read(environment, path)


def read(environment: Environment, plan: Path) -> dict[str, Any]:
    """A plan's file as Terraform's JSON; it holds what the state holds."""
    shown = run(environment, "show", "-json", str(plan), capture=True)
    document: dict[str, Any] = json.loads(shown.stdout)
    return document


def run(
    environment: Environment, *arguments: str, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run Terraform in an environment's root module; what it prints shows no value of a key."""
    return terraform.run(
        environment.root_module,
        *arguments,
        environment_name=environment.name,
        capture=capture,
        shown=None if capture else redact,
    )
