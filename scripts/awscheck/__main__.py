"""Try a deployed gateway with small calls, and write down what was expected and seen.

``python -m scripts.awscheck --env dev``

Costs a few cents and takes a quarter of an hour, ten minutes of which it waits (`--idle-minutes 0`
leaves that out). Calls are made with the key of an app, one policy is overridden for a minute, one
object that a probe itself made is deleted; nothing else is changed. Ends with 1 where something is
not as expected. The report has no keys, texts or account ids.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.awscheck import account, calls, report
from scripts.awscheck.gateway import Gateway
from scripts.awscheck.probes import WRONG, Probe, run_all
from scripts.deploy import environments, outputs, preflight, terraform
from scripts.local.usage_plans import UsagePlan, usage_plan
from scripts.tenants import desk, files, handover

# Only now: scripts.tenants has made the functions' package known.
from tollgate.domain.models import denies, matches

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from scripts.deploy.environments import Environment

PROBES: tuple[Probe, ...] = (*calls.PROBES, *account.PROBES, *calls.LAST)
MODELS = ("amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0")
_FOLDER = terraform.REPOSITORY / "build"


class CheckError(Exception):
    """The check cannot begin; the message names what was given and what is allowed."""


def gateway_of(
    environment: Environment, clients: Callable[[str], Any], options: argparse.Namespace
) -> Gateway:
    """The deployment as the probes see it.

    Raises CheckError, HandoverError, KeysError, OutputsError and TenantFilesError for what is
    missing.
    """
    declared = files.load_environment(environment.folder)
    handed = handover.Handover(clients, environment, declared, datetime.now(UTC).date())
    tenant_id, app_id, key = _caller(handed, declared, options.tenant, options.app)
    tenant = declared[tenant_id]
    found = outputs.read(clients("ssm"), environment, ["api_url", "rest_api_id"])
    app = tenant.policy["apps"][app_id]
    ceiling = UsagePlan.of(json.loads(found.values.get("usage_plan_ceiling", "{}")))
    api = environment.variables.get("api") or {}
    return Gateway(
        url=found.values["api_url"],
        key=handed.value(key),
        tenant_id=tenant_id,
        prefix=found.prefix,
        region=environment.region,
        rest_api_id=found.values["rest_api_id"],
        model=options.model or _model(tenant),
        clients=clients,
        partition=boto3.session.Session().get_partition_for_region(environment.region),
        burst=usage_plan(tenant.policy["limits"], ceiling).burst,
        guardrail=tenant.policy["guardrail"] is not None,
        profile=next(iter(sorted(app["inference_profiles"])), None),
        allowed_cidrs=tuple(api.get("allowed_cidrs") or ()),
        idle_seconds=60 * options.idle_minutes,
    )


def _caller(
    handed: handover.Handover, declared: Mapping[str, files.Tenant], tenant_id: str, app_id: str
) -> tuple[str, str, handover.Key]:
    """Whose calls they are, and the key: the first that lets its caller in, of those named."""
    for tenant in declared.values():
        if tenant.policy["status"] != "active" or tenant_id not in ("", tenant.tenant_id):
            continue
        for app in sorted(
            {key.app_id for key in tenant.keys.values() if app_id in ("", key.app_id)}
        ):
            usable = [key for key in handed.keys(tenant.tenant_id, app) if key.is_usable]
            if usable:
                return tenant.tenant_id, app, usable[0]
    raise CheckError(
        f'TENANT, APP: given "{tenant_id}" and "{app_id}"; allowed: an active tenant and an app of '
        "it with a key that was applied and can be used, or neither"
    )


def _model(tenant: files.Tenant) -> str:
    policy = tenant.policy
    for model in MODELS:
        if matches(policy["models"], model) and not denies(policy["deny_models"], model):
            return model
    raise CheckError(
        f"--model: given nothing, and {tenant.tenant_id} may call neither {' nor '.join(MODELS)}; "
        "allowed: a foundation model that the tenant may call, a cheap one"
    )


def chosen(only: Sequence[str], skip: Sequence[str]) -> list[Probe]:
    """The probes that were asked for; raises CheckError for a name that none has."""
    names = {one.name for one in PROBES}
    if unknown := sorted({*only, *skip} - names):
        raise CheckError(f"--only, --skip: given {unknown}; allowed: {', '.join(sorted(names))}")
    return [one for one in PROBES if (not only or one.name in only) and one.name not in skip]


def _parser() -> argparse.ArgumentParser:
    parser = environments.parser("scripts.awscheck", __doc__)
    parser.add_argument("--tenant", default="", help="whose calls they are; default: the first")
    parser.add_argument("--app", default="", help="the tenant's app; default: the first")
    parser.add_argument("--model", help=f"default: {MODELS[0]}, or {MODELS[1]}")
    parser.add_argument("--idle-minutes", type=float, default=10, help="default: 10; 0: none")
    parser.add_argument("--only", action="append", default=[], help="a probe; may be repeated")
    parser.add_argument("--skip", action="append", default=[], help="a probe; may be repeated")
    parser.add_argument("--out", type=Path, help="default: build/aws-check-<env>.md")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 where something is not as expected or it cannot begin."""
    options = _parser().parse_args(arguments)
    out = options.out or _FOLDER / f"aws-check-{options.env}.md"
    try:
        probes = chosen(options.only, options.skip)
        environment = environments.load(options.env)
        preflight.check(environment, state=False)

        def clients(service: str) -> Any:  # noqa: ANN401 - the type depends on the service
            return boto3.client(service, region_name=environment.region)  # type: ignore[call-overload]

        gateway = gateway_of(environment, clients, options)
    except (
        CheckError,
        desk.KeysError,
        environments.SettingsError,
        files.TenantFilesError,
        handover.HandoverError,
        outputs.OutputsError,
        preflight.PreflightError,
        BotoCoreError,
        ClientError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    outcomes = []
    for outcome in run_all(probes, gateway):
        print(report.line(outcome), flush=True)
        outcomes.append(outcome)
    out.parent.mkdir(parents=True, exist_ok=True)
    text = report.markdown(
        outcomes,
        region=environment.region,
        model=gateway.model,
        at=datetime.now(UTC),
        cost=gateway.cost,
    )
    out.write_text(text, encoding="utf-8")
    print(f"{options.env}: {report.counted(outcomes)}; written to {out}")
    return 1 if any(outcome.verdict in WRONG for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
