"""Make in the emulator what Terraform makes in AWS: tables, buckets, queues, the key, tenants.

What there is comes from the deployment that Terraform describes (`deployment`), tenants from the
files of an environment; only the API keys are new on every start.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.loaders import create_loader

from scripts import tfvars
from scripts.local import deployment
from scripts.local.deployment import Deployment, Queue, Table
from scripts.local.ministack import ACCOUNT_ID, REGION, aws_environment
from scripts.local.usage_plans import UsagePlan, usage_plan
from scripts.prices import lake_table
from scripts.tenants import files as tenant_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

PREFIX = "tollgate-local"
# Facts of a tenant that are in its policy as reports want them.
_DIMENSION = (
    "tenant_id",
    "name",
    "kind",
    "cost_center",
    "business_unit",
    "tier",
    "status",
    "isolation",
    "markup",
    "subscription_usd",
    "compliance",
    "models",
    "deny_models",
    "tags",
)
INVOCATION_LOGS_BUCKET = f"{PREFIX}-invocation-logs-{ACCOUNT_ID}"

# Variables that functions have where the deployment has what they are about.
OF_INVOCATION_LOGS = ("INVOCATION_LOGS_BUCKET", "INVOCATION_LOGS_ROOT", "LOG_GRACE_MINUTES")
OF_POOL_SESSIONS = ("POOL_SESSION_ROLE_ARN",)
OF_ENDPOINTS = ("SAGEMAKER_ENDPOINTS",)

_KEY_BYTES = 20
_REDRIVE = "RedrivePolicy"


# Descriptions of the services, read once: sessions of their own would each read them again.
_LOADER = create_loader()


@dataclass(frozen=True)
class Emulator:
    """Where to make it: an emulator's URL."""

    endpoint_url: str

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point boto3 at it."""
        return aws_environment(self.endpoint_url)

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return a boto3 client of a session of its own, untouched by the process environment."""
        session = botocore.session.Session()
        session.register_component("data_loader", _LOADER)
        return boto3.session.Session(botocore_session=session).client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )


def provision(
    emulator: Emulator,
    environment_folder: Path,
    *,
    invocation_logs: bool = False,
    pool_sessions: bool = False,
) -> Deployment:
    """Make everything in an empty emulator.

    Args:
        emulator: where.
        environment_folder: `envs/<env>`, whose tenants are loaded.
        invocation_logs: whether there is a bucket for Bedrock's invocation logs.
        pool_sessions: whether functions act for tenants in sessions of a role.

    Raises:
        scripts.tenants.files.TenantFilesError: a tenant file breaks a rule.
    """
    tenants = tenant_files.load_environment(environment_folder)
    described = deployment.described()
    key_arn = _make_key(emulator)
    database: DynamoDBClient = emulator.client("dynamodb")
    for name, table in described.tables.items():
        _make_table(database, f"{described.prefix}-{name}", table, key_arn)
    storage = emulator.client("s3")
    for bucket in [*described.buckets, *([INVOCATION_LOGS_BUCKET] if invocation_logs else [])]:
        storage.create_bucket(Bucket=bucket)
    queues = _make_queues(emulator, described, key_arn)
    urls = {described.queues[name].url: queue.url for name, queue in queues.items()}
    endpoints = sagemaker_endpoints(environment_folder)
    off = {
        *(() if invocation_logs else OF_INVOCATION_LOGS),
        *(() if pool_sessions else OF_POOL_SESSIONS),
        *(() if endpoints else OF_ENDPOINTS),
    }
    # What differs from one emulator or environment to the next.
    own = {**urls, **{described.environment[name]: endpoints for name in OF_ENDPOINTS}}
    functions = {
        name: replace(
            function,
            environment={
                variable: own.get(value, value)
                for variable, value in function.environment.items()
                if variable not in off
            },
        )
        for name, function in described.functions.items()
    }
    made = replace(
        described,
        functions=functions,
        tables={
            name: replace(table, kms_key_arn=key_arn) for name, table in described.tables.items()
        },
        queues=queues,
        kms_key_arn=key_arn,
    )
    _load_business_units(emulator, made, tenant_files.load_business_units(environment_folder))
    return _with_tenants(emulator, made, tenants.values())


def sagemaker_endpoints(environment_folder: Path) -> str:
    """Return the endpoints of an environment as functions read them; empty where it has none."""
    settings = tfvars.loads((environment_folder / tenant_files.ENVIRONMENT_FILE).read_text("utf-8"))
    given = settings.get("sagemaker_endpoints") or ""
    return given if isinstance(given, str) else json.dumps(given)


def _load_business_units(
    emulator: Emulator, made: Deployment, units: Mapping[str, Mapping[str, Any]]
) -> None:
    for unit_id, unit in units.items():
        emulator.client("dynamodb").put_item(
            TableName=made.environment["TENANTS_TABLE"], Item=tenant_files.business_unit_item(unit)
        )
        emulator.client("s3").put_object(
            Bucket=made.environment["LAKE_BUCKET"],
            Key=f"business_units/{unit_id}.json",
            Body=json.dumps(business_unit_facts(unit)).encode() + b"\n",
        )


def _with_tenants(
    emulator: Emulator, made: Deployment, tenants: Iterable[tenant_files.Tenant]
) -> Deployment:
    """Load prices and tenants; returns the deployment with their keys, plans and models."""
    database, storage = emulator.client("dynamodb"), emulator.client("s3")
    storage.put_object(
        Bucket=made.environment["LAKE_BUCKET"],
        Key="prices/book.json",
        Body=lake_table.OUT.read_bytes(),
    )
    keys: dict[str, str] = {}
    plans: dict[str, UsagePlan] = {}
    profiles: dict[str, str] = {}
    for tenant in tenants:
        new = {name: secrets.token_hex(_KEY_BYTES) for name in tenant.keys}
        computed = _made_for(emulator, tenant)
        hashes = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in new.items()}
        for item in tenant_files.tenant_items(tenant, hashes, computed):
            database.put_item(TableName=made.environment["TENANTS_TABLE"], Item=item)
        storage.put_object(
            Bucket=made.environment["LAKE_BUCKET"],
            Key=f"tenants/{tenant.tenant_id}.json",
            Body=json.dumps(dimension(tenant)).encode() + b"\n",
        )
        profiles |= _models(tenant, computed.profile_arns)
        keys |= {f"{tenant.tenant_id}/{name}": key for name, key in new.items()}
        plans |= dict.fromkeys(new.values(), usage_plan(tenant.policy["limits"], made.ceiling))
    return replace(made, keys=keys, usage_plans=plans, models_by_profile_arn=profiles)


def dimension(tenant: tenant_files.Tenant) -> dict[str, Any]:
    """Return what modules/tenant tells reports about a tenant, by the table's columns."""
    policy = tenant.policy
    silo_role = (policy.get("silo") or {}).get("role_arn")
    keys = tenant.keys
    return {
        **{name: policy[name] for name in _DIMENSION},
        "month_usd": policy["budget"]["month_usd"],
        "day_usd": policy["budget"]["day_usd"],
        "budget_mode": policy["budget"]["mode"],
        **{f"sla_{name}": target for name, target in policy["sla"].items()},
        "keys": list(keys),
        "key_expires": {key_id: key.expires for key_id, key in keys.items()},
        "key_status": {key_id: key.status for key_id, key in keys.items()},
        "account_id": silo_role.split(":")[4] if silo_role else ACCOUNT_ID,
    }


def business_unit_facts(unit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what modules/business_unit tells reports about a business unit."""
    return {
        **{name: unit[name] for name in ("id", "name", "owner")},
        "month_usd": unit["budget"]["month_usd"],
        "day_usd": unit["budget"]["day_usd"],
        "budget_mode": unit["budget"]["mode"],
    }


def _make_key(emulator: Emulator) -> str:
    keys = emulator.client("kms")
    key_arn: str = keys.create_key(Description=PREFIX)["KeyMetadata"]["Arn"]
    keys.create_alias(AliasName=f"alias/{PREFIX}", TargetKeyId=key_arn)
    return key_arn


def _make_table(database: DynamoDBClient, name: str, table: Table, key_arn: str) -> None:
    if table.indexes or table.stream:
        raise ValueError(f"{name}: got indexes or a stream; allowed: keys and a TTL, made here")
    keys = {"HASH": table.hash_key, "RANGE": table.range_key}
    database.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind}  # type: ignore[typeddict-item]
            for attribute, kind in table.attributes.items()
        ],
        KeySchema=[
            {"AttributeName": attribute, "KeyType": kind}  # type: ignore[typeddict-item]
            for kind, attribute in keys.items()
            if attribute is not None
        ],
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key_arn},
    )
    if table.ttl is not None:
        database.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl},
        )


def _make_queues(emulator: Emulator, described: Deployment, key_arn: str) -> dict[str, Queue]:
    queues: SQSClient = emulator.client("sqs")
    # Those that others send their dead letters to come first.
    ordered = sorted(
        described.queues, key=lambda name: _REDRIVE in described.queues[name].attributes
    )
    made = {}
    for name in ordered:
        attributes = {**described.queues[name].attributes, "KmsMasterKeyId": key_arn}
        url = queues.create_queue(
            QueueName=f"{described.prefix}-{name}",
            Attributes=attributes,  # type: ignore[arg-type]
        )["QueueUrl"]
        answer = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        made[name] = Queue(url, answer["Attributes"]["QueueArn"], attributes)
    return made


def _made_for(emulator: Emulator, tenant: tenant_files.Tenant) -> tenant_files.Computed:
    """Make the tenant's own KMS key; the emulator has no inference profiles, but ARNs need none."""
    key_arn: str | None = None
    if tenant.policy["own_kms_key"]:
        keys = emulator.client("kms")
        key_arn = keys.create_key(Description=tenant.tenant_id)["KeyMetadata"]["Arn"]
        alias = f"alias/{PREFIX}/tenants/{tenant.tenant_id}"
        keys.create_alias(AliasName=alias, TargetKeyId=key_arn)
    return tenant_files.Computed(
        kms_key_arn=key_arn,
        profile_arns={
            f"{app_id}/{name}": _profile_arn(tenant.tenant_id, app_id, name)
            for app_id, app in tenant.policy["apps"].items()
            for name in app["inference_profiles"]
        },
    )


def _models(tenant: tenant_files.Tenant, arns: Mapping[str, str]) -> dict[str, str]:
    """What is behind the ARNs that a tenant may name: its own models, and its apps' profiles."""
    profiles = {
        arns[f"{app_id}/{name}"]: profile["model"]
        for app_id, app in tenant.policy["apps"].items()
        for name, profile in app["inference_profiles"].items()
    }
    return {**tenant.policy["model_arns"], **profiles}


def _profile_arn(*names: str) -> str:
    # Twelve characters that say nothing, as AWS gives them, but the same ones on every start.
    profile_id = hashlib.sha256("/".join(names).encode()).hexdigest()[:12]
    return f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:application-inference-profile/{profile_id}"
