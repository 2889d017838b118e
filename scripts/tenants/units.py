"""Environments that share a unit: a gateway's own, and those that only add tenants to it.

Their tenants lie in one table and one tree of SSM parameters, so an id is one tenant's among all of
them. Terraform plans one environment at a time and cannot see it; DynamoDB refuses it in the middle
of an apply.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.tenants.files import SUFFIX, TenantFilesError, environments, load_settings
from scripts.tenants.rules import SCHEMA, message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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

    Raises TenantFilesError when the environment's own file breaks a rule.
    """
    return {
        path.name.removesuffix(SUFFIX): other.name
        for other, _ in _unit(folder, load_settings(folder))
        for path in (other / "tenants").glob(f"*{SUFFIX}")
    }


def unit_errors(tenants: Mapping[str, Tenant], beside: Mapping[str, str]) -> Iterator[str]:
    """Check that no tenant has another one's id, or names it as a team. `beside` is by id."""
    for tenant_id, tenant in tenants.items():
        file = f"{tenant_id}{SUFFIX}"
        if tenant_id in beside:
            allowed = f"an id that no environment of the same unit has; {beside[tenant_id]} has it"
            yield message(file, "file name", tenant_id, allowed)
        for index, team in enumerate(tenant.policy["teams"]):
            if team in beside:
                allowed = SCHEMA["relations"]["team_not_tenant"]
                yield message(file, f"teams[{index}]", team, allowed)


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
