"""What a deployment published about itself in SSM, under ``/<prefix>/outputs/``.

``python -m scripts.deploy.outputs --env dev api_url`` prints one of it, such as the API's URL.

``terraform/published.tf`` writes it. To read it takes no state and no Terraform, and none of it is
secret.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.deploy import environments, preflight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts.deploy.environments import Environment


class OutputsError(Exception):
    """There is no such deployment; the message names what was given and what is allowed."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The prefix of a deployment's names, and what it published by name."""

    prefix: str
    values: Mapping[str, str]


def read(ssm: Any, environment: Environment, names: Iterable[str]) -> Outputs:  # noqa: ANN401
    """What the deployment that serves ``environment`` published, ``names`` at least.

    Raises OutputsError when it has not been applied, or was by a release without one of these.
    """
    prefix = _prefix(ssm, environment)
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/{prefix}/outputs")
    values = {p["Name"].rsplit("/", 1)[1]: p["Value"] for page in pages for p in page["Parameters"]}
    missing = [name for name in names if name not in values]
    if missing:
        raise OutputsError(
            f"{prefix}: given a deployment without /{prefix}/outputs/{missing[0]} in "
            f"{environment.region}; allowed: one that was applied (make plan, make apply)"
        )
    return Outputs(prefix, values)


def _prefix(ssm: Any, environment: Environment) -> str:  # noqa: ANN401
    if not environment.tenants_only:
        return environment.prefix
    parent = environment.variables["parent"]
    if parent.get("unit"):
        return str(parent["unit"])
    name = f"/tollgate/rest-apis/{parent.get('rest_api_id')}/prefix"
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        raise OutputsError(
            f"parent.rest_api_id: given {parent.get('rest_api_id')!r}, which no deployment "
            "published; allowed: the id of an applied deployment's REST API"
        ) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 with a message on standard error."""
    parser = environments.parser("scripts.deploy.outputs", __doc__)
    parser.add_argument("name", help="such as api_url, key_store or rest_api_id")
    options = parser.parse_args(arguments)
    try:
        environment = environments.load(options.env)
        preflight.check(environment, state=False)
        ssm = boto3.client("ssm", region_name=environment.region)
        found = read(ssm, environment, [options.name])
    except (
        OutputsError,
        environments.SettingsError,
        preflight.PreflightError,
        BotoCoreError,
        ClientError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(found.values[options.name])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
