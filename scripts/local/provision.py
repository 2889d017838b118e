"""Make in the emulator what Terraform makes in AWS: tables, buckets, the queue, the key, tenants.

Names follow the deployment's prefix as in AWS. Table keys come from the adapters' own constants,
tenants from the files of an environment; only the API keys are new on every start.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.loaders import create_loader

from scripts.local.ministack import ACCOUNT_ID, REGION
from scripts.local.usage_plans import UsagePlan
from scripts.tenants import files as tenant_files
from tollgate.adapters import tables
from tollgate.domain.free_work import FreeLimits
from tollgate.domain.invocation_logs import log_root
from tollgate.domain.jobs import MAX_RECEIVES, VISIBILITY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef
    from mypy_boto3_sqs import SQSClient

PREFIX = "tollgate-local"
BUCKETS = ("payloads", "lake", "athena")
# Facts of a tenant that are in its policy as reports want them.
_DIMENSION = (
    "tenant_id",
    "name",
    "kind",
    "cost_center",
    "tier",
    "status",
    "isolation",
    "markup",
    "tags",
)
INVOCATION_LOGS_BUCKET = f"{PREFIX}-invocation-logs-{ACCOUNT_ID}"

# As in modules/usage_plan: the plan is a fence wider than the limits that the ledger keeps.
HTTP_REQUESTS_PER_MODEL_CALL = 10
MAX_BURST = 5_000
_KEY_BYTES = 20


@dataclass(frozen=True)
class Deployment:
    """What was made.

    `environment` has the variables of all functions, `keys` the API keys by
    `<tenant>/<app>/<key name>`, `usage_plans` the tenants' fences by API key,
    `models_by_profile_arn` what is behind the apps' inference profiles.
    """

    environment: Mapping[str, str]
    keys: Mapping[str, str]
    usage_plans: Mapping[str, UsagePlan]
    models_by_profile_arn: Mapping[str, str]
    queue_url: str
    queue_arn: str
    dead_queue_url: str


# Descriptions of the services, read once: sessions of their own would each read them again.
_LOADER = create_loader()


@dataclass(frozen=True)
class Emulator:
    """Where to make it: the emulator's URL and credentials."""

    endpoint_url: str
    access_key_id: str = "test"
    secret_access_key: str = "test"  # noqa: S105 - the emulator takes any

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return a boto3 client of a session of its own, untouched by the process environment."""
        session = botocore.session.Session()
        session.register_component("data_loader", _LOADER)
        return boto3.session.Session(botocore_session=session).client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )


def provision(
    emulator: Emulator,
    environment_folder: Path,
    *,
    invocation_logs: bool = False,
) -> Deployment:
    """Make everything in an empty emulator.

    Args:
        emulator: where.
        environment_folder: `envs/<env>`, whose tenants are loaded.
        invocation_logs: whether there is a bucket for Bedrock's invocation logs.

    Raises:
        scripts.tenants.files.TenantFilesError: a tenant file breaks a rule.
    """
    tenants = tenant_files.load_environment(environment_folder)
    key_id = _make_key(emulator)
    database: DynamoDBClient = emulator.client("dynamodb")
    for spec in tables.TABLES:
        _make_table(database, spec, key_id)
    buckets = {name: f"{PREFIX}-{name}-{ACCOUNT_ID}" for name in BUCKETS}
    storage = emulator.client("s3")
    for bucket in buckets.values():
        storage.create_bucket(Bucket=bucket)
    logs: dict[str, str] = {}
    if invocation_logs:
        storage.create_bucket(Bucket=INVOCATION_LOGS_BUCKET)
        logs = {
            "INVOCATION_LOGS_BUCKET": INVOCATION_LOGS_BUCKET,
            "INVOCATION_LOGS_ROOT": log_root("", ACCOUNT_ID),
        }
    queues: SQSClient = emulator.client("sqs")
    dead_url, dead_arn = _make_queue(queues, "jobs-dead", {"KmsMasterKeyId": key_id})
    redrive = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": MAX_RECEIVES}
    queue_url, queue_arn = _make_queue(
        queues,
        "jobs",
        {
            "KmsMasterKeyId": key_id,
            "VisibilityTimeout": str(VISIBILITY_SECONDS),
            "RedrivePolicy": json.dumps(redrive),
        },
    )
    keys: dict[str, str] = {}
    plans: dict[str, UsagePlan] = {}
    profiles: dict[str, str] = {}
    for tenant in tenants.values():
        made = {name: secrets.token_hex(_KEY_BYTES) for name in tenant.keys}
        computed = _made_for(emulator, tenant)
        _load_tenant(database, tenant, made, computed)
        storage.put_object(
            Bucket=buckets["lake"],
            Key=f"tenants/{tenant.tenant_id}.json",
            Body=json.dumps(dimension(tenant)).encode() + b"\n",
        )
        profiles |= _models(tenant, computed.profile_arns)
        keys |= {f"{tenant.tenant_id}/{name}": key for name, key in made.items()}
        plan = usage_plan(tenant.policy["limits"])
        plans |= dict.fromkeys(made.values(), plan)
    return Deployment(
        environment={
            **{f"{spec.name.upper()}_TABLE": _name(spec.name) for spec in tables.TABLES},
            **{f"{name.upper()}_BUCKET": bucket for name, bucket in buckets.items()},
            "JOBS_QUEUE_URL": queue_url,
            **{name.upper(): str(limit) for name, limit in asdict(FreeLimits()).items()},
            **logs,
        },
        keys=keys,
        usage_plans=plans,
        models_by_profile_arn=profiles,
        queue_url=queue_url,
        queue_arn=queue_arn,
        dead_queue_url=dead_url,
    )


def dimension(tenant: tenant_files.Tenant) -> dict[str, Any]:
    """Return what modules/tenant tells reports about a tenant, by the table's columns."""
    policy = tenant.policy
    silo_role = (policy.get("silo") or {}).get("role_arn")
    return {
        **{name: policy[name] for name in _DIMENSION},
        "account_id": silo_role.split(":")[4] if silo_role else ACCOUNT_ID,
    }


def usage_plan(limits: Mapping[str, int | None]) -> UsagePlan:
    """Return the fence that modules/tenant makes of a tenant's limits."""
    per_minute = limits["requests_per_minute"]
    per_day = limits["requests_per_day"]
    allowed = None if per_minute is None else per_minute * HTTP_REQUESTS_PER_MODEL_CALL
    return UsagePlan(
        rate_per_second=None if allowed is None else math.ceil(allowed / 60),
        burst=None if allowed is None else min(allowed, MAX_BURST),
        requests_per_day=None if per_day is None else per_day * HTTP_REQUESTS_PER_MODEL_CALL,
    )


def _name(short: str) -> str:
    return f"{PREFIX}-{short}"


def _make_key(emulator: Emulator) -> str:
    keys = emulator.client("kms")
    key_id: str = keys.create_key(Description=PREFIX)["KeyMetadata"]["KeyId"]
    keys.create_alias(AliasName=f"alias/{PREFIX}", TargetKeyId=key_id)
    return key_id


def _make_table(database: DynamoDBClient, spec: tables.TableSpec, kms_key_id: str) -> None:
    schema: list[KeySchemaElementTypeDef] = [{"AttributeName": spec.hash_key, "KeyType": "HASH"}]
    if spec.range_key is not None:
        schema.append({"AttributeName": spec.range_key, "KeyType": "RANGE"})
    database.create_table(
        TableName=_name(spec.name),
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": element["AttributeName"], "AttributeType": "S"} for element in schema
        ],
        KeySchema=schema,
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": kms_key_id},
    )
    if spec.ttl is not None:
        database.update_time_to_live(
            TableName=_name(spec.name),
            TimeToLiveSpecification={"Enabled": True, "AttributeName": spec.ttl},
        )


def _make_queue(queues: SQSClient, short: str, attributes: Mapping[str, str]) -> tuple[str, str]:
    url = queues.create_queue(QueueName=_name(short), Attributes=dict(attributes))["QueueUrl"]  # type: ignore[arg-type]
    answer = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, answer["Attributes"]["QueueArn"]


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


def _load_tenant(
    database: DynamoDBClient,
    tenant: tenant_files.Tenant,
    keys: Mapping[str, str],
    computed: tenant_files.Computed,
) -> None:
    hashes = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in keys.items()}
    for item in tenant_files.tenant_items(tenant, hashes, computed):
        database.put_item(TableName=_name(tables.TENANTS.name), Item=item)
