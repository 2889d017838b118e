"""Print what tenants are told after an apply: the API and their inference profiles.

``python -m scripts.deploy.profiles --env dev --tenant acme``; without a tenant, of all.

Terraform writes it to SSM, one parameter for each tenant, which holds nothing secret. Callers
choose a profile by its id, in the header `inference-profile-id`.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.deploy import environments, outputs, preflight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.deploy.environments import Environment


def read(ssm: Any, environment: Environment, tenant_id: str | None) -> dict[str, Any]:  # noqa: ANN401
    """What each tenant of the gateway is told, by tenant: of one, or of all.

    Raises OutputsError for a tenant that nothing was published about.
    """
    prefix = outputs.read(ssm, environment, ()).prefix
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/{prefix}/outputs/tenants")
    found = {
        parameter["Name"].rsplit("/", 1)[1]: json.loads(parameter["Value"])
        for page in pages
        for parameter in page["Parameters"]
    }
    if tenant_id is None:
        return found
    if tenant_id not in found:
        names = ", ".join(sorted(found)) or "none; apply the environment first"
        raise outputs.OutputsError(f'TENANT: given "{tenant_id}"; allowed: {names}')
    return {tenant_id: found[tenant_id]}


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """What is printed, a line for each tenant and one for each of its profiles."""
    for tenant_id, tenant in sorted(told.items()):
        yield f"{tenant_id}: {tenant['api_url']} (REST API {tenant['rest_api_id']})"
        profiles = tenant["inference_profiles"]
        for name, profile in sorted(profiles.items()):
            yield f"  {name}: {profile['id']} for {profile['model']}"
        if not profiles:
            yield "  no inference profiles; models are called by their own ids"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    parser = environments.parser("scripts.deploy.profiles", __doc__)
    parser.add_argument("--tenant", default="", help="one tenant's; empty for all")
    options = parser.parse_args(arguments)
    try:
        environment = environments.load(options.env)
        preflight.check(environment, state=False)
        ssm = boto3.client("ssm", region_name=environment.region)
        told = read(ssm, environment, options.tenant or None)
    except (
        outputs.OutputsError,
        environments.SettingsError,
        preflight.PreflightError,
        BotoCoreError,
        ClientError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines(told)) or f"{environment.name}: no tenants")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
