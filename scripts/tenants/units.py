"""Environments that share a unit: a gateway's own, and those that only add tenants to it.

Their tenants lie in one table and one tree of SSM parameters, so an id is one tenant's among all of
them. Terraform plans one environment at a time and cannot see it; DynamoDB refuses it in the middle
of an apply.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scripts.tenants.files import (
    ENVIRONMENT_FILE,
    SUFFIX,
    TenantFilesError,
    environments,
    load_settings,
)
from scripts.tenants.rules import SCHEMA, message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.tenants.files import Settings, Tenant


def settings_in_unit(folder: Path) -> Settings:
    """An environment's settings, with the endpoints of the gateway where that is another's.

    Raises TenantFilesError.
    """
    settings = load_settings(folder)
    if not settings.is_guest:
        return settings
    hosts = [other for _, other in _unit(folder, settings) if not other.is_guest]
    return replace(settings, endpoints=hosts[0].endpoints) if hosts else settings


def ids_beside(folder: Path) -> dict[str, str]:
    """The ids of tenants that other environments of the unit have: environment by tenant id.

    Empty where the environment's own file breaks a rule, and so does not say its unit.
    """
    return {id_: other.name for other, _ in _beside(folder)[1] for id_ in _ids(other)}


def unit_errors(folder: Path, tenants: Mapping[str, Tenant]) -> Iterator[str]:
    """Check that no file of an environment has another tenant's id, or names it as a team.

    Nor may it have a business unit of another environment, whose budget it would change.

    `tenants` are those of the environment by id, none of files that break a rule.
    """
    beside = ids_beside(folder)
    for tenant_id in _ids(folder):
        if tenant_id in beside:
            allowed = f"an id that no environment of the same unit has; {beside[tenant_id]} has it"
            yield message(f"{tenant_id}{SUFFIX}", "file name", tenant_id, allowed)
    yield from _business_unit_errors(folder)
    for tenant_id, tenant in tenants.items():
        for index, team in enumerate(tenant.policy["teams"]):
            if team in beside:
                allowed = SCHEMA["relations"]["team_not_tenant"]
                yield message(f"{tenant_id}{SUFFIX}", f"teams[{index}]", team, allowed)


def _business_unit_errors(folder: Path) -> Iterator[str]:
    own, beside = _beside(folder)
    for other, settings in beside:
        for unit_id in sorted(own.keys() & settings.business_units.keys()):
            allowed = f"an id that no environment of the same unit has; {other.name} has it"
            yield message(ENVIRONMENT_FILE, f"business_units.{unit_id} (name)", unit_id, allowed)


def _beside(folder: Path) -> tuple[Mapping[str, Any], Sequence[tuple[Path, Settings]]]:
    """The environment's business units, and the other environments of its unit.

    Without either where the environment's own file breaks a rule.
    """
    try:
        settings = load_settings(folder)
    except TenantFilesError:
        return {}, ()
    return settings.business_units, tuple(_unit(folder, settings))


def _ids(folder: Path) -> list[str]:
    return sorted(
        path.name.removesuffix(SUFFIX) for path in (folder / "tenants").glob(f"*{SUFFIX}")
    )


def _unit(folder: Path, settings: Settings) -> Iterator[tuple[Path, Settings]]:
    """The other environments of the unit; one whose own file breaks a rule tells so itself."""
    for other in environments(folder.parent):
        if other == folder:
            continue
        try:
            found = load_settings(other)
        except TenantFilesError:
            continue
        # Equal prefixes alone may be units of different accounts.
        if (
            (settings.is_guest or found.is_guest)
            and settings.prefix is not None
            and (settings.prefix, settings.region) == (found.prefix, found.region)
        ):
            yield other, found
