"""A deployment as the local stack runs it, read from what Terraform says that it made.

`read` takes the resources of a state or of a plan, as `terraform show -json` and `terraform test`
print them. `described` is the deployment that `terraform/` would make of envs/local in an AWS
account of its own, less its tenants: `python -m scripts.local.describe` writes it to
deployment.json, so that no Terraform is needed to run the gateway here.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.local.usage_plans import UsagePlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DESCRIPTION = Path(__file__).with_name("deployment.json")

_NOT_OURS = ("AWS_", "POWERTOOLS_")
_FUNCTION = re.compile(r'module\.function\["([^"]+)"\]')
_TENANT = re.compile(r'module\.tenant\["([^"]+)"\]')
# SQS's names of what a queue is told, by Terraform's, and what holds where it is not told.
_QUEUE_ATTRIBUTES = {
    "delay_seconds": ("DelaySeconds", 0),
    "kms_data_key_reuse_period_seconds": ("KmsDataKeyReusePeriodSeconds", 300),
    "kms_master_key_id": ("KmsMasterKeyId", ""),
    "max_message_size": ("MaximumMessageSize", 262_144),
    "message_retention_seconds": ("MessageRetentionPeriod", 345_600),
    "receive_wait_time_seconds": ("ReceiveMessageWaitTimeSeconds", 0),
    "visibility_timeout_seconds": ("VisibilityTimeout", 30),
}


@dataclass(frozen=True)
class Function:
    """A Lambda function: the zip with its code, and what Lambda is told of it."""

    arn: str
    role_arn: str
    package: str
    handler: str
    memory_mb: int
    timeout_seconds: int
    environment: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its name in AWS."""
        return self.arn.rpartition(":")[2]

    @property
    def settings(self) -> dict[str, str]:
        """Its variables, less those that Lambda and Powertools read."""
        return {k: v for k, v in self.environment.items() if not k.startswith(_NOT_OURS)}


@dataclass(frozen=True)
class Table:
    """A DynamoDB table: types of its key attributes, its keys, and what DynamoDB does by itself.

    `indexes` has the keys and the projection of each index by name, `stream` what its stream shows.
    """

    attributes: Mapping[str, str]
    hash_key: str
    range_key: str | None = None
    ttl: str | None = None
    stream: str | None = None
    indexes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kms_key_arn: str | None = None


@dataclass(frozen=True)
class Queue:
    """An SQS queue: where it is, and the attributes that are not as SQS has them by itself."""

    url: str
    arn: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Trigger:
    """A queue that a function is fed from; `concurrency` is the most invocations at once."""

    queue_arn: str
    function: str
    batch_size: int
    reports_failures: bool
    concurrency: int | None = None


@dataclass(frozen=True)
class Deployment:
    """What there is to run, by short names: `invoke` is the function `<prefix>-invoke`.

    `schedules` says when EventBridge Scheduler invokes a function, in its own words
    (`rate(1 minute)`). `api` is the REST API's definition, OpenAPI with API Gateway's extensions.
    `ceiling` is the most that one key may take of the stage's throttle. `keys` has the API keys by
    `<tenant>/<app>/<key name>`, `usage_plans` the fence of each key that is active, and
    `models_by_profile_arn` what is behind the ARNs that tenants may name.
    """

    prefix: str
    functions: Mapping[str, Function]
    tables: Mapping[str, Table]
    queues: Mapping[str, Queue]
    buckets: Sequence[str]
    triggers: Sequence[Trigger]
    schedules: Mapping[str, str]
    api: Mapping[str, Any]
    ceiling: UsagePlan
    kms_key_arn: str
    keys: Mapping[str, str] = field(default_factory=dict)
    usage_plans: Mapping[str, UsagePlan] = field(default_factory=dict)
    models_by_profile_arn: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The settings of all functions, which agree where several have the same."""
        return {
            name: value
            for function in self.functions.values()
            for name, value in function.settings.items()
        }


def read(values: Mapping[str, Any]) -> Deployment:
    """Return the deployment that the resources make.

    Args:
        values: the `values` of a state or the `planned_values` of a plan.

    Raises:
        ValueError: something that every deployment has is not among them.
    """
    resources = _Resources(values["root_module"])
    api = resources.one("aws_api_gateway_rest_api")
    prefix = api["name"]

    def short(name: str) -> str:
        return name.removeprefix(f"{prefix}-")

    ceiling = resources.one("aws_ssm_parameter", index="usage_plan_ceiling")
    functions = dict(_functions(resources))
    names = {function.arn: name for name, function in functions.items()}
    plans = dict(_usage_plans(resources))
    return Deployment(
        prefix=prefix,
        functions=functions,
        tables={short(t["name"]): _table(t) for t in resources.of("aws_dynamodb_table")},
        queues={short(q["name"]): _queue(q) for q in resources.of("aws_sqs_queue")},
        buckets=sorted(bucket["bucket"] for bucket in resources.of("aws_s3_bucket")),
        triggers=[_trigger(t, names) for t in resources.of("aws_lambda_event_source_mapping")],
        schedules={
            names[schedule["target"][0]["arn"]]: schedule["schedule_expression"]
            for schedule in resources.of("aws_scheduler_schedule")
        },
        api=json.loads(api["body"]),
        ceiling=UsagePlan.of(json.loads(ceiling["value"])),
        kms_key_arn=resources.one("aws_kms_key", address="aws_kms_key.this")["arn"],
        keys=dict(_keys(resources)),
        usage_plans=plans,
        models_by_profile_arn=dict(_models(resources)),
    )


def described() -> Deployment:
    """Return the deployment that terraform/ makes of envs/local, less its tenants."""
    document = json.loads(DESCRIPTION.read_text("utf-8"))
    return Deployment(
        **{
            **document,
            "functions": {name: Function(**f) for name, f in document["functions"].items()},
            "tables": {name: Table(**table) for name, table in document["tables"].items()},
            "queues": {name: Queue(**queue) for name, queue in document["queues"].items()},
            "triggers": [Trigger(**trigger) for trigger in document["triggers"]],
            "ceiling": UsagePlan(**document["ceiling"]),
        }
    )


def text(deployment: Deployment) -> str:
    """Return a deployment without tenants as `described` reads it."""
    document = asdict(deployment)
    for of_tenants in ("keys", "usage_plans", "models_by_profile_arn"):
        del document[of_tenants]
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


class _Resources:
    """The managed resources of a module and of those that it calls."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        self._all = [found for found in self._walk(module) if found["mode"] == "managed"]

    @classmethod
    def _walk(cls, module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        yield from module.get("resources", ())
        for child in module.get("child_modules", ()):
            yield from cls._walk(child)

    def found(self, kind: str) -> list[Mapping[str, Any]]:
        """The resources of a type, in the order of their addresses."""
        return [resource for resource in self._all if resource["type"] == kind]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """Their values."""
        return [resource["values"] for resource in self.found(kind)]

    def one(self, kind: str, **facts: str) -> Mapping[str, Any]:
        """The values of the only resource of a type with some facts, such as its `index`."""
        chosen = [r for r in self.found(kind) if all(r.get(k) == v for k, v in facts.items())]
        if len(chosen) != 1:
            said = " ".join([kind, *facts.values()])
            raise ValueError(f"{said}: got {len(chosen)} in the state; allowed: 1")
        values: Mapping[str, Any] = chosen[0]["values"]
        return values


def _functions(resources: _Resources) -> Iterator[tuple[str, Function]]:
    for resource in resources.found("aws_lambda_function"):
        values, [name] = resource["values"], _FUNCTION.findall(resource["address"])
        yield (
            name,
            Function(
                arn=values["arn"],
                role_arn=values["role"],
                package=Path(values["filename"]).name,
                handler=values["handler"],
                memory_mb=values["memory_size"],
                timeout_seconds=values["timeout"],
                environment=values["environment"][0]["variables"],
            ),
        )


def _table(values: Mapping[str, Any]) -> Table:
    ttls = [ttl["attribute_name"] for ttl in values["ttl"] or () if ttl["enabled"]]
    encryption = [sse["kms_key_arn"] for sse in values["server_side_encryption"] or ()]
    indexes = [
        *(values["global_secondary_index"] or ()),
        *(values["local_secondary_index"] or ()),
    ]
    return Table(
        attributes={a["name"]: a["type"] for a in values["attribute"]},
        hash_key=values["hash_key"],
        range_key=values["range_key"] or None,
        ttl=ttls[0] if ttls else None,
        stream=values["stream_view_type"] if values["stream_enabled"] else None,
        indexes={index["name"]: index for index in indexes},
        kms_key_arn=encryption[0] if encryption else None,
    )


def _queue(values: Mapping[str, Any]) -> Queue:
    attributes = {
        name: str(values[key])
        for key, (name, default) in _QUEUE_ATTRIBUTES.items()
        if values[key] is not None and values[key] != default
    }
    if values["redrive_policy"]:
        attributes["RedrivePolicy"] = json.dumps(json.loads(values["redrive_policy"]))
    return Queue(url=values["url"], arn=values["arn"], attributes=attributes)


def _trigger(values: Mapping[str, Any], names: Mapping[str, str]) -> Trigger:
    scaling = values["scaling_config"] or [{"maximum_concurrency": None}]
    return Trigger(
        queue_arn=values["event_source_arn"],
        # The argument takes a name or an ARN; ours is an ARN.
        function=names[values["function_name"]],
        batch_size=values["batch_size"],
        reports_failures="ReportBatchItemFailures" in (values["function_response_types"] or ()),
        concurrency=scaling[0]["maximum_concurrency"],
    )


def _keys(resources: _Resources) -> Iterator[tuple[str, str]]:
    for resource in resources.found("aws_api_gateway_api_key"):
        [tenant_id] = _TENANT.findall(resource["address"])
        yield f"{tenant_id}/{resource['index']}", resource["values"]["value"]


def _usage_plans(resources: _Resources) -> Iterator[tuple[str, UsagePlan]]:
    """The plans by the values of the keys that are enabled, as API Gateway looks them up."""
    plans = {plan["id"]: plan for plan in resources.of("aws_api_gateway_usage_plan")}
    keys = {key["id"]: key for key in resources.of("aws_api_gateway_api_key")}
    for member in resources.of("aws_api_gateway_usage_plan_key"):
        key, plan = keys[member["key_id"]], plans[member["usage_plan_id"]]
        if key["enabled"]:
            [throttle] = plan["throttle_settings"] or [{}]
            [quota] = plan["quota_settings"] or [{}]
            yield key["value"], UsagePlan.of(throttle, quota.get("limit"))


def _models(resources: _Resources) -> Iterator[tuple[str, str]]:
    for profile in resources.of("aws_bedrock_inference_profile"):
        yield profile["arn"], profile["model_source"][0]["copy_from"].rpartition("/")[2]
    for item in resources.of("aws_dynamodb_table_item"):
        attributes = json.loads(item["item"])
        if "document" in attributes:
            # A business unit has a document, too, and no models.
            yield from json.loads(attributes["document"]["S"]).get("model_arns", {}).items()
