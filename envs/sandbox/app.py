"""Compose a stack that is thrown away: the whole gateway, with tenants made up by the number.

    make sandbox ARGS="--name load --tenants 200"

Writes the stack as Terraform's JSON to build/sandbox/stacks/sandbox-load. Everything in it comes
from the modules that the real environments use; this program owns no resource, so it can be
deleted with its folder and nothing else changes.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from cdktf import (  # noqa: E402
    App,
    LocalBackend,
    TerraformHclModule,
    TerraformOutput,
    TerraformStack,
)

from scripts import generated_tenants  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNIT = ROOT / "terraform"
ARTIFACTS = ROOT / "dist"
# Not in build/, which `make clean` removes: without its state a stack could not be destroyed.
STATES = ROOT / "envs" / "sandbox"
OUTPUT = ROOT / "build" / "sandbox"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?")
_TENANTS_FOLDER = "tenants"
_OUTPUTS = ("api_url", "key_parameter_names", "table_names")


@dataclass(frozen=True, slots=True)
class Throttle:
    """Requests per second that the API lets through, over all tenants, and at once."""

    rate_limit: int
    burst_limit: int


@dataclass(frozen=True, slots=True)
class Api:
    """The variable `api` of a unit."""

    throttle: Throttle


@dataclass(frozen=True, slots=True)
class UsagePlans:
    """The variable `usage_plans` of a unit: AWS allows too few for one per tenant."""

    per: str = "tier"


@dataclass(frozen=True, slots=True)
class Unit:
    """The variables of terraform/ that a sandbox sets; the names are Terraform's."""

    prefix: str
    region: str
    artifact_dir: str
    api: Api
    environment: str = "sandbox"
    tenants_dir: str = _TENANTS_FOLDER
    tiers: Mapping[str, Mapping[str, Mapping[str, str | int]]] = field(
        default_factory=lambda: generated_tenants.TIERS
    )
    usage_plans: UsagePlans = UsagePlans()
    # Nothing is kept: a sandbox must go without a trace.
    deletion_protection: bool = False
    force_destroy: bool = True
    kms_deletion_window_days: int = 7
    log_retention_days: int = 7
    payload_retention_days: int = 1
    point_in_time_recovery: bool = False


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What is asked for.

    Raises ValueError when the name or a number is out of its range.
    """

    name: str
    region: str
    tenants: int
    requests_per_second: int

    def __post_init__(self) -> None:
        """Refuse what Terraform or AWS would refuse later, or in a way that is hard to read."""
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"name: got {self.name!r}; allowed: 1 to 24 of a-z, 0-9 and inner hyphens"
            )
        if self.requests_per_second < 1:
            raise ValueError(
                f"requests per second: got {self.requests_per_second}; allowed: 1 or more"
            )

    @property
    def prefix(self) -> str:
        """Prefix of every name; no environment's prefix starts like this."""
        return f"sandbox-{self.name}"

    def unit(self, folder: Path) -> Unit:
        """The unit's variables for a stack that Terraform runs in ``folder``."""
        rate = self.requests_per_second
        return Unit(
            prefix=self.prefix,
            region=self.region,
            artifact_dir=os.path.relpath(ARTIFACTS, folder),
            api=Api(Throttle(rate_limit=rate, burst_limit=2 * rate)),
        )


class SandboxStack(TerraformStack):
    """One unit with its state in a file, and the outputs that a load test needs."""

    def __init__(self, app: App, sandbox: Sandbox, folder: Path) -> None:
        """Add the stack to ``app``, to be run in ``folder``."""
        super().__init__(app, sandbox.prefix)
        state = STATES / f"{sandbox.prefix}.tfstate"
        LocalBackend(self, path=os.path.relpath(state, folder))
        unit = TerraformHclModule(
            self,
            "unit",
            source=os.path.relpath(UNIT, folder),
            # A copy of terraform/ alone would not find the modules beside it.
            skip_asset_creation_from_local_modules=True,
            variables=asdict(sandbox.unit(folder)),
        )
        for name in _OUTPUTS:
            TerraformOutput(self, name, value=unit.get(name))


def synthesise(sandbox: Sandbox, output: Path) -> Path:
    """Write the stack and its tenant files; returns the folder that Terraform runs in.

    Raises ValueError when there is no such number of tenants.
    """
    folder = output / "stacks" / sandbox.prefix
    generated_tenants.write(folder / _TENANTS_FOLDER, sandbox.tenants)
    app = App(outdir=str(output))
    SandboxStack(app, sandbox, folder)
    app.synth()
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="make sandbox",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", required=True, help="the prefix of all names is sandbox-<name>")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--tenants", type=int, default=3)
    parser.add_argument("--requests-per-second", type=int, default=250)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: build/sandbox")
    options = parser.parse_args(arguments)
    try:
        sandbox = Sandbox(
            name=options.name,
            region=options.region,
            tenants=options.tenants,
            requests_per_second=options.requests_per_second,
        )
        folder = synthesise(sandbox, options.output.resolve())
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{sandbox.prefix}: {sandbox.tenants} tenants in {folder}")
    for command in ("init", "apply", "destroy"):
        print(f"  .venv/bin/python -m scripts.terraform {os.path.relpath(folder)} {command}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
