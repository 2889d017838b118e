"""Write the file of a new tenant: every option with its default, and what to fill in.

``python -m scripts.tenants.new --env dev --tenant acme`` writes ``envs/dev/tenants/acme.tfvars``
from ``scripts/tenants/template.tfvars``. It never changes a file that exists.
"""

from __future__ import annotations

import argparse
import secrets
import string
import sys
from typing import TYPE_CHECKING

from scripts.tenants import files as tenants
from scripts.tenants.rules import REPOSITORY, value_errors
from scripts.tenants.units import ids_beside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TEMPLATE = REPOSITORY / "scripts" / "tenants" / "template.tfvars"
_EXTERNAL_ID_BYTES = 16


class NewTenantError(Exception):
    """The file cannot be written; the message says why and what is allowed."""


def render(tenant_id: str, environment: str, settings: tenants.Settings) -> str:
    """The text of the file."""
    return string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        tenant_id=tenant_id,
        environment=environment,
        tiers=", ".join(f'"{name}"' for name in sorted(settings.tiers)),
        prefix=settings.prefix or "<prefix of the unit>",
        # Nobody else may use it, so that no other party's role can be assumed by mistake.
        external_id=secrets.token_hex(_EXTERNAL_ID_BYTES),
    )


def write(root: Path, environment: str, tenant_id: str) -> Path:
    """Write the file and return its path.

    Raises NewTenantError for an unknown environment, a bad id, or one that a file of the unit has
    already, and TenantFilesError when the environment's own file breaks a rule.
    """
    folder = root / environment
    if not (folder / tenants.ENVIRONMENT_FILE).is_file():
        known = ", ".join(path.name for path in tenants.environments(root))
        raise NewTenantError(f'ENV: given "{environment}"; allowed: one of {known}')
    for error in value_errors("TENANT", "id", tenant_id, "tenant_id"):
        raise NewTenantError(error)
    text = render(tenant_id, environment, tenants.load_settings(folder))
    name = f"{tenant_id}{tenants.SUFFIX}"
    path = folder / "tenants" / name
    other = ids_beside(folder).get(tenant_id)
    if other is not None:
        raise _taken(tenant_id, root / other / "tenants" / name)
    path.parent.mkdir(exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _taken(tenant_id, path) from error
    return path


def _taken(tenant_id: str, path: Path) -> NewTenantError:
    there = path.relative_to(path.parents[3])
    return NewTenantError(
        f'TENANT: given "{tenant_id}"; allowed: an id without a file; {there} is there'
    )


def main(arguments: Sequence[str] | None = None, root: Path = REPOSITORY / "envs") -> int:
    """Write one file; 0 when it is written, else 1."""
    parser = argparse.ArgumentParser(prog="python -m scripts.tenants.new", description=__doc__)
    parser.add_argument("--env", required=True, help="the environment, a folder of envs/")
    parser.add_argument("--tenant", required=True, help="the tenant's id")
    options = parser.parse_args(arguments)
    try:
        path = write(root, options.env, options.tenant)
    except (NewTenantError, tenants.TenantFilesError) as error:
        print(error, file=sys.stderr)
        return 1
    shown = path.relative_to(root.parent)
    print(f"{shown}: fill in what is marked FILL IN, then run make validate-tenants")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
