"""Plan, apply, destroy or check one environment.

``python -m scripts.deploy.commands plan --env dev``

``plan`` saves what it shows, sums it up and names the next command; ``apply`` applies that saved
plan and nothing else, once. Production asks for ``CONFIRM=prod`` on top. The functions' zips must
exist (``make package``).

``destroy`` takes everything away except for billing data (the usage and accounts tables, the lake
with what queries it, the key they are encrypted with) and audit logs, which stay in AWS and in the
state, so that the next apply goes on with them. It asks for ``CONFIRM=<environment>``, except for a
sandbox, and shows what would go until it has it. ``FORCE=1`` takes these, too.

``drift`` compares AWS with the state and changes neither; its exit status is 2 when they differ.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scripts.deploy import (
    adopt,
    environments,
    next_steps,
    plans,
    preflight,
    summary,
    terraform,
)
from scripts.deploy.plans import DeployError
from scripts.tenants import validate
from scripts.tenants.mistakes import load_book

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scripts.deploy.environments import Environment

DRIFT_FILE = "drift.tfplan"
# Environments where a slip costs the most; applying one takes CONFIRM=<its name>.
CONFIRMED_ENVIRONMENTS = frozenset({"prod"})
# Billing data: no plan may delete or replace it.
RECORDS = (
    "aws_kms_key.this",
    "module.analytics.aws_s3_bucket.lake",
    "module.analytics.aws_s3_bucket.statements",
    'module.metering.aws_dynamodb_table.this["accounts"]',
    'module.metering.aws_dynamodb_table.this["usage"]',
)
_BUCKET_SETTINGS = (
    "",
    "_lifecycle_configuration",
    "_ownership_controls",
    "_policy",
    "_public_access_block",
    "_server_side_encryption_configuration",
    "_versioning",
)
# What `destroy` keeps: billing data and what it is read with, such as who the tenants were, and
# AWS's own bill; and the buckets of the audit module, which say who destroyed the rest. A module or
# a type is all that is in it, and a name without an index is every instance.
RETAINED = (
    *RECORDS,
    "aws_kms_alias.this",
    "module.analytics",
    *(
        f"module.{module}.aws_s3_bucket{setting}"
        for module in ("audit", "bill_export")
        for setting in _BUCKET_SETTINGS
    ),
    "module.business_unit.aws_s3_object.dimension",
    "module.tenant.aws_s3_object.dimension",
)
_LOCK_TIMEOUT = "-lock-timeout=5m"
_PRIVATE_UMASK = 0o077
_DIFFERS = 2
# Kinds that refuse to be destroyed, as long as the variables of _UNGUARDED do not say otherwise.
_GUARDED_TYPES = (
    "aws_athena_workgroup.",
    "aws_dynamodb_table.",
    "aws_s3_bucket.",
    "aws_s3_bucket_policy.",
)
_UNGUARDED = ("-var=deletion_protection=false", "-var=force_destroy=true")
_INDEX = re.compile(r'\["[^"]*"\]|\[\d+\]')
# Data sources, and what only Terraform knows.
_NOT_IN_AWS = re.compile(r"(^|\.)(data|terraform_data)\.")


def plan(environment: Environment) -> int:
    """Initialise the backend of ``environment``, then show and save what would change.

    Raises DeployError when the plan would lose billing data, and forgets it, unless FORCE=1.
    """
    saved = plans.saved_path(environment)
    # A plan that fails must not leave an older one to be applied in its place.
    saved.unlink(missing_ok=True)
    _initialise(environment)
    with _private_files(), adopt.imports(environment, wanted=_is_set("ADOPT")):
        _planned(environment, "plan", f"-out={saved}")
    planned = plans.saved(environment)
    if not _is_set("FORCE"):
        _refuse_losses(environment, planned, RECORDS)
    print(f"\n{summary.tell(planned, environment.name)}")
    _tell_mistakes(environment)
    if planned.get("applyable", True):
        print(
            next_steps.after_plan(
                environment.name, is_confirmed=environment.name in CONFIRMED_ENVIRONMENTS
            )
        )
    return 0


def _tell_mistakes(environment: Environment) -> None:
    """Say what Terraform lets pass in the tenant files: it has no price book, and no calendar."""
    found = validate.check(environment.folder, load_book(), datetime.now(UTC).date())
    for line in (*found.errors, *found.warnings):
        print(line, file=sys.stderr)


def apply(environment: Environment) -> int:
    """Apply the saved plan of ``environment`` and forget it.

    Raises DeployError without a saved plan, or without the confirmation that production takes.
    """
    name = environment.name
    saved = plans.saved_path(environment)
    if not saved.is_file():
        raise DeployError(f"{name}: there is no saved plan; run `make plan ENV={name}` and read it")
    if name in CONFIRMED_ENVIRONMENTS and not _confirmed(environment):
        raise DeployError(f"{name}: set CONFIRM={name} to apply the saved plan to {name}")
    try:
        plans.run(environment, "apply", "-input=false", _LOCK_TIMEOUT, str(saved))
    finally:
        # Even a failed apply has changed the state, so the plan no longer says what would happen.
        saved.unlink(missing_ok=True)
    # Providers note what they sent, and AWS answers with more: empty lists, settings that another
    # resource made. Read once now, it is not taken for somebody's change by `drift`.
    _planned(environment, "apply", "-refresh-only", "-auto-approve", capture=True)
    print(f"\n{next_steps.after_apply(environment)}")
    return 0


def destroy(environment: Environment) -> int:
    """Take ``environment`` away, except for billing data unless FORCE=1.

    Raises DeployError without the confirmation that every environment but a sandbox takes; what
    would go has been shown then.
    """
    name = environment.name
    saved = plans.saved_path(environment)
    saved.unlink(missing_ok=True)
    _initialise(environment)
    addresses = _addresses(environment)
    forced = _is_set("FORCE")
    going = [name for name in addresses if forced or not is_among(name, RETAINED)]
    if not going:
        print(f"{name}: nothing to destroy; {len(addresses)} resources of billing data are kept")
        return 0
    targets = [] if forced else [f"-target={target}" for target in what_goes(addresses)]
    if not environment.sandbox and not _confirmed(environment):
        _planned(environment, "plan", "-destroy", *targets)
        raise DeployError(f"{name}: set CONFIRM={name} to destroy what the plan above lists")
    guarded = [f"-target={address}" for address in going if _is_guarded(address)]
    if guarded:
        _planned(environment, "apply", "-auto-approve", *_UNGUARDED, *guarded)
    try:
        with _private_files():
            _planned(environment, "plan", "-destroy", *targets, f"-out={saved}")
        if not forced:
            _refuse_losses(environment, plans.saved(environment), RETAINED)
        plans.run(environment, "apply", "-input=false", _LOCK_TIMEOUT, str(saved))
    finally:
        saved.unlink(missing_ok=True)
    for address in sorted(set(addresses) - set(going)):
        print(f"kept: {address}")
    return 0


def drift(environment: Environment) -> int:
    """Show where AWS differs from the state; returns 2 when it does."""
    name = environment.name
    seen = plans.saved_path(environment).with_name(DRIFT_FILE)
    _initialise(environment)
    try:
        with _private_files():
            _planned(environment, "plan", "-refresh-only", f"-out={seen}")
        # Terraform's own exit status is that of a difference even where it finds none.
        changed = [
            change["address"] for change in plans.read(environment, seen).get("resource_drift", [])
        ]
    finally:
        seen.unlink(missing_ok=True)
    if not changed:
        return 0
    print(
        f"{name}: AWS differs from the state: {', '.join(sorted(changed))}. `make plan ENV={name}` "
        "shows how to put it back; a change that shall stay belongs into the code.",
        file=sys.stderr,
    )
    return _DIFFERS


def is_among(address: str, kept: Iterable[str]) -> bool:
    """Whether a resource is one of these, or lies in a module that is."""
    spellings = (address, _INDEX.sub("", address))
    return any(
        spelling == name or spelling.startswith((f"{name}.", f"{name}["))
        for name in kept
        for spelling in spellings
    )


def what_goes(addresses: Iterable[str]) -> list[str]:
    """The fewest addresses that name all that goes and nothing that stays.

    A tenant has ten resources and there may be thousands of tenants, but a command line ends.
    """
    going, staying = [], set[str]()
    for address in addresses:
        if is_among(address, RETAINED):
            staying.update(_names(address))
        else:
            going.append(address)
    return sorted(
        {
            next((name for name in _names(address) if name not in staying), address)
            for address in going
        }
    )


def _names(address: str) -> tuple[str, str]:
    """What an address is part of: a module call or resource of the root; a resource in a module."""
    first, second, *_ = _INDEX.sub("", address).split(".")
    return f"{first}.{second}", re.sub(r"\[[^\]]*\]$", "", address)


def _is_guarded(address: str) -> bool:
    resource = re.sub(r"module\.\w+\.", "", _INDEX.sub("", address))
    return resource.startswith(_GUARDED_TYPES)


def _refuse_losses(environment: Environment, plan: Mapping[str, Any], kept: Iterable[str]) -> None:
    lost = [
        change["address"]
        for change in plan.get("resource_changes", [])
        if "delete" in change["change"]["actions"] and is_among(change["address"], kept)
    ]
    if lost:
        plans.saved_path(environment).unlink()
        raise DeployError(
            f"{environment.name}: the plan would lose billing data: {', '.join(sorted(lost))}; "
            "the plan is forgotten. Set FORCE=1 to lose them."
        )


def _addresses(environment: Environment) -> list[str]:
    """The resources in the state; data sources and what only Terraform knows are not in AWS."""
    listed = plans.run(environment, "state", "list", capture=True).stdout.split("\n")
    return [line for line in listed if line and not _NOT_IN_AWS.search(line)]


def _initialise(environment: Environment) -> None:
    plans.run(
        environment,
        "init",
        "-input=false",
        "-reconfigure",
        f"-backend-config={environment.file(environments.BACKEND_FILE)}",
    )


def _planned(
    environment: Environment, command: str, *arguments: str, capture: bool = False
) -> None:
    plans.run(
        environment,
        command,
        "-input=false",
        _LOCK_TIMEOUT,
        f"-var-file={environment.file(environments.VARIABLES_FILE)}",
        f"-var=environment={environment.name}",
        *arguments,
        capture=capture,
    )


@contextmanager
def _private_files() -> Iterator[None]:
    """A plan holds what the state holds, the tenants' keys included."""
    previous_umask = os.umask(_PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(previous_umask)


def _is_set(name: str) -> bool:
    value = os.environ.get(name, "")
    if value not in ("", "0", "1"):
        raise DeployError(f"{name}: given {value!r}; allowed: 1, 0 or nothing")
    return value == "1"


def _confirmed(environment: Environment) -> bool:
    return os.environ.get("CONFIRM") == environment.name


ACTIONS: dict[str, Callable[[Environment], int]] = {
    "plan": plan,
    "apply": apply,
    "destroy": destroy,
    "drift": drift,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the action's status, or 1 with a message on standard error."""
    parser = environments.parser("scripts.deploy.commands", __doc__)
    parser.add_argument("action", choices=sorted(ACTIONS))
    options = parser.parse_args(arguments)
    try:
        environment = environments.load(options.env)
        preflight.check(environment, state=True)
        return ACTIONS[options.action](environment)
    except (
        DeployError,
        adopt.AdoptError,
        environments.SettingsError,
        preflight.PreflightError,
        terraform.TerraformError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
