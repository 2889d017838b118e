"""The command that a person types next, complete, so that it runs as it is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.tenants import files as tenants

if TYPE_CHECKING:
    from scripts.deploy.environments import Environment


def after_bootstrap(environment: str) -> str:
    """There is a bucket for the state, and nothing in it."""
    return f"next: make plan ENV={environment}"


def after_plan(environment: str, *, is_confirmed: bool) -> str:
    """There is a saved plan; ``is_confirmed`` where applying it takes the environment's name."""
    confirmation = f" CONFIRM={environment}" if is_confirmed else ""
    return f"next: make apply ENV={environment}{confirmation}"


def after_apply(environment: Environment) -> str:
    """There is a gateway, and with tenants in the environment a key to hand over."""
    url = f"next: make url ENV={environment.name}"
    try:
        declared = tenants.load_environment(environment.folder)
    except tenants.TenantFilesError:
        # Terraform took them, so there is a gateway; `make validate-tenants` says what is wrong.
        return url
    keys = (
        (tenant_id, key)
        for tenant_id, tenant in declared.items()
        for key in tenant.keys.values()
        if tenant.policy["status"] == key.status == "active"
    )
    tenant_id, key = next(keys, (None, None))
    if tenant_id is None or key is None:
        return url
    issue = f"issue --tenant {tenant_id} --app {key.app_id} --key {key.key_name}"
    if environment.variables.get("key_store") == "external":
        url += f'\n      make keys ENV={environment.name} ARGS="{issue}"'
    return f"{url}\n      make key ENV={environment.name} TENANT={tenant_id} APP={key.app_id}"
