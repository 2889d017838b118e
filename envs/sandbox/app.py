"""Compose a stack that is thrown away, with tenants made up by the number.

    make sandbox ARGS="--name load --tenants 200"                      a gateway of its own
    make sandbox ARGS="--name load --tenants 50 --onto tollgate-dev"   tenants of one that is there

Writes the stack as Terraform's JSON to build/sandbox/stacks/sandbox-<name>. Everything in it comes
from the modules that the real environments use; this program owns no resource, so it can be
deleted with its folder and nothing else changes.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

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

from scripts.bench import generated_tenants  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ARTIFACTS = ROOT / "dist"
# Not in build/, which `make clean` removes: without its state a stack could not be destroyed.
STATES = ROOT / "envs" / "sandbox"
OUTPUT = ROOT / "build" / "sandbox"
ENVIRONMENT = "sandbox"
NAME = re.compile(r"[a-z]([a-z0-9-]{0,22}[a-z0-9])?")
PARENT = re.compile(r"[a-z][a-z0-9-]{1,30}[a-z0-9]")
REQUESTS_PER_SECOND = 250
_TENANTS_FOLDER = "tenants"
_KMS_DELETION_WINDOW_DAYS = 7

Tiers = dict[str, dict[str, dict[str, str | int]]]


@dataclass(frozen=True, slots=True)
class Throttle:
    """Requests per second that an API lets through, over all tenants, and at once."""

    rate_limit: int
    burst_limit: int


@dataclass(frozen=True, slots=True)
class Api:
    """The variable `api` of a gateway."""

    throttle: Throttle


@dataclass(frozen=True, slots=True)
class UsagePlans:
    """The variable `usage_plans` of a gateway: AWS allows too few for one per tenant."""

    per: str = "tier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The variables of terraform/ that a sandbox sets; the names are Terraform's."""

    SOURCE: ClassVar[Path] = ROOT / "terraform"
    OUTPUTS: ClassVar[tuple[str, ...]] = ("api_url", "key_parameter_names", "table_names")

    prefix: str
    region: str
    artifact_dir: str
    tenants_dir: str
    tiers: Tiers
    api: Api
    usage_plans: UsagePlans = UsagePlans()
    environment: str = ENVIRONMENT
    # So few that it reserves none of those that others in the account run on.
    account_concurrency: int = 100
    # Nothing is kept: a sandbox must go without a trace.
    deletion_protection: bool = False
    force_destroy: bool = True
    kms_deletion_window_days: int = _KMS_DELETION_WINDOW_DAYS
    log_retention_days: int = 7
    payload_retention_days: int = 1
    point_in_time_recovery: bool = False


@dataclass(frozen=True, slots=True)
class Parent:
    """The variable `parent` of a stack with tenants only."""

    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsOnly:
    """The variables of terraform/tenants_only that a sandbox sets."""

    SOURCE: ClassVar[Path] = ROOT / "terraform" / "tenants_only"
    OUTPUTS: ClassVar[tuple[str, ...]] = ("key_parameter_names",)

    parent: Parent
    region: str
    tenants_dir: str
    tiers: Tiers
    environment: str = ENVIRONMENT
    kms_deletion_window_days: int = _KMS_DELETION_WINDOW_DAYS


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What is asked for.

    Raises ValueError when the name or a number is out of its range.
    """

    name: str
    region: str
    tenants: int
    onto: str | None = None
    requests_per_second: int | None = None

    def __post_init__(self) -> None:
        """Refuse what Terraform or AWS would refuse later, or in a way that is hard to read."""
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"name: got {self.name!r}; allowed: 1 to 24 of a-z, 0-9 and inner hyphens, a "
                "letter first"
            )
        if self.onto is not None and not PARENT.fullmatch(self.onto):
            raise ValueError(f"onto: got {self.onto!r}; allowed: the prefix of a gateway")
        if self.requests_per_second is None:
            return
        if self.onto is not None:
            raise ValueError(
                f"requests per second: got {self.requests_per_second} with --onto; allowed: "
                "nothing, because the gateway that is there has its own throttle"
            )
        if self.requests_per_second < 1:
            raise ValueError(
                f"requests per second: got {self.requests_per_second}; allowed: 1 or more"
            )

    @property
    def prefix(self) -> str:
        """Name of the stack and prefix of a gateway's names; no environment's starts like this."""
        return f"sandbox-{self.name}"

    def module(self, folder: Path) -> Gateway | TenantsOnly:
        """The one module of the stack, for Terraform to run in ``folder``."""
        tiers = _plain(generated_tenants.TIERS)
        if self.onto is not None:
            tenants_dir = os.path.relpath(folder / _TENANTS_FOLDER, TenantsOnly.SOURCE)
            return TenantsOnly(
                parent=Parent(self.onto), region=self.region, tenants_dir=tenants_dir, tiers=tiers
            )
        rate = self.requests_per_second or REQUESTS_PER_SECOND
        return Gateway(
            prefix=self.prefix,
            region=self.region,
            artifact_dir=os.path.relpath(ARTIFACTS, folder),
            tenants_dir=_TENANTS_FOLDER,
            tiers=tiers,
            api=Api(Throttle(rate_limit=rate, burst_limit=2 * rate)),
        )


def _plain(tiers: Mapping[str, Mapping[str, Mapping[str, str | int]]]) -> Tiers:
    return {
        name: {section: dict(values) for section, values in tier.items()}
        for name, tier in tiers.items()
    }


class SandboxStack(TerraformStack):
    """One module of Terraform's, its state in a file, and the outputs that a load test needs."""

    def __init__(self, app: App, sandbox: Sandbox, folder: Path) -> None:
        """Add the stack to ``app``, to be run in ``folder``."""
        super().__init__(app, sandbox.prefix)
        state = STATES / f"{sandbox.prefix}.tfstate"
        LocalBackend(self, path=os.path.relpath(state, folder))
        composed = sandbox.module(folder)
        module = TerraformHclModule(
            self,
            "gateway" if isinstance(composed, Gateway) else "tenants",
            source=os.path.relpath(composed.SOURCE, folder),
            # A copy of the folder alone would not find the modules beside it.
            skip_asset_creation_from_local_modules=True,
            variables=asdict(composed),
        )
        for name in composed.OUTPUTS:
            TerraformOutput(self, name, value=module.get(name))


def synthesise(sandbox: Sandbox, output: Path) -> Path:
    """Write the stack and its tenant files; returns the folder that Terraform runs in.

    Raises ValueError when there is no such number of tenants.
    """
    folder = output / "stacks" / sandbox.prefix
    generated_tenants.write(folder / _TENANTS_FOLDER, sandbox.name, sandbox.tenants)
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
    parser.add_argument("--name", required=True, help="names the stack and its tenants")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--tenants", type=int, default=3)
    parser.add_argument("--onto", metavar="PREFIX", help="a gateway that is there, in the region")
    parser.add_argument(
        "--requests-per-second",
        type=int,
        help=f"throttle of a gateway of its own; default: {REQUESTS_PER_SECOND}",
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: build/sandbox")
    options = parser.parse_args(arguments)
    try:
        sandbox = Sandbox(
            name=options.name,
            region=options.region,
            tenants=options.tenants,
            onto=options.onto,
            requests_per_second=options.requests_per_second,
        )
        folder = synthesise(sandbox, options.output.resolve())
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{sandbox.prefix}: {sandbox.tenants} tenants in {folder}")
    for command in ("init", "apply", "destroy"):
        print(f"  .venv/bin/python -m scripts.deploy.terraform {os.path.relpath(folder)} {command}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
