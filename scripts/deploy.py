"""Plan and apply one environment: ``python -m scripts.deploy plan|apply --env dev``.

``plan`` saves what it shows; ``apply`` applies that saved plan and nothing else, once. Production
asks for ``CONFIRM=prod`` on top. The functions' zips must exist (``make package``).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import terraform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT_MODULE = terraform.REPOSITORY / "terraform"
ENVIRONMENTS = terraform.REPOSITORY / "envs"
BACKEND_FILE = "backend.s3.tfbackend"
VARIABLES_FILE = "env.tfvars"
PLAN_FILE = "saved.tfplan"
# Environments where a slip costs the most; applying one takes CONFIRM=<its name>.
CONFIRMED_ENVIRONMENTS = frozenset({"prod"})
_LOCK_TIMEOUT = "-lock-timeout=5m"
_PRIVATE_UMASK = 0o077


class DeployError(Exception):
    """The request cannot be carried out; the message says what to do."""


def deployable() -> list[str]:
    """Names of the environments that have both a backend and variables."""
    return sorted(
        folder.name
        for folder in ENVIRONMENTS.iterdir()
        if (folder / BACKEND_FILE).is_file() and (folder / VARIABLES_FILE).is_file()
    )


def plan_path(environment: str) -> Path:
    """Where the saved plan of an environment lies; beside its backend data, out of git."""
    return terraform.data_directory(ROOT_MODULE, environment) / PLAN_FILE


def plan(environment: str) -> None:
    """Initialise the backend of ``environment``, then show and save what would change."""
    saved = plan_path(environment)
    # A plan that fails must not leave an older one to be applied in its place.
    saved.unlink(missing_ok=True)
    folder = Path("..") / ENVIRONMENTS.name / environment
    terraform.run(
        ROOT_MODULE,
        "init",
        "-input=false",
        "-reconfigure",
        f"-backend-config={folder / BACKEND_FILE}",
        environment_name=environment,
    )
    # The plan holds what the state holds, the tenants' keys included.
    previous_umask = os.umask(_PRIVATE_UMASK)
    try:
        terraform.run(
            ROOT_MODULE,
            "plan",
            "-input=false",
            _LOCK_TIMEOUT,
            f"-var-file={folder / VARIABLES_FILE}",
            f"-var=environment={environment}",
            f"-out={saved}",
            environment_name=environment,
        )
    finally:
        os.umask(previous_umask)


def apply(environment: str) -> None:
    """Apply the saved plan of ``environment`` and forget it.

    Raises DeployError without a saved plan, or without the confirmation that production takes.
    """
    saved = plan_path(environment)
    if not saved.is_file():
        raise DeployError(
            f"{environment}: there is no saved plan; run `make plan ENV={environment}` and read it"
        )
    if environment in CONFIRMED_ENVIRONMENTS and os.environ.get("CONFIRM") != environment:
        raise DeployError(
            f"{environment}: set CONFIRM={environment} to apply the saved plan to {environment}"
        )
    try:
        terraform.run(
            ROOT_MODULE,
            "apply",
            "-input=false",
            _LOCK_TIMEOUT,
            str(saved),
            environment_name=environment,
        )
    finally:
        # Even a failed apply has changed the state, so the plan no longer says what would happen.
        saved.unlink(missing_ok=True)


ACTIONS: dict[str, Callable[[str], None]] = {"plan": plan, "apply": apply}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    parser = argparse.ArgumentParser(prog="python -m scripts.deploy", description=__doc__)
    parser.add_argument("action", choices=sorted(ACTIONS))
    parser.add_argument("--env", required=True, choices=deployable(), help="folder in envs/")
    options = parser.parse_args(arguments)
    try:
        ACTIONS[options.action](options.env)
    except (DeployError, terraform.TerraformError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
