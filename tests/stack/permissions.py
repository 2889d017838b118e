"""What the roles of an applied stack may do, found by asking the evaluator about every case."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.policy.evaluator import Request, allows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.policy.evaluator import Document, Value

# Beside the actions that policies name: what would do the most harm if a policy let it through.
HARMFUL = (
    "apigateway:PATCH",
    "bedrock-mantle:CreateInference",
    "bedrock:CreateInferenceProfile",
    "bedrock:DeleteInferenceProfile",
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:DeleteTable",
    "dynamodb:Scan",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "kms:Decrypt",
    "kms:ScheduleKeyDeletion",
    "lambda:UpdateFunctionCode",
    "s3:DeleteBucket",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutBucketPolicy",
    "sqs:PurgeQueue",
    "ssm:GetParameter",
    "sts:AssumeRole",
)
# The services whose ARNs name another service than the actions on them.
_SERVICES = {"bedrock-mantle": "bedrock", "sts": "iam"}


@dataclass(frozen=True)
class Resource:
    """Something in AWS: its ARN, and what conditions see when it is asked for."""

    arn: str
    context: Mapping[str, Value] = field(default_factory=dict)


@dataclass
class Roles:
    """The roles of a plan: what they may do, and who may take them."""

    policies: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    trusts: dict[str, Document] = field(default_factory=dict)
    attached: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def actions(self) -> set[str]:
        """Every action that some policy names in full."""
        return {
            action
            for documents in self.policies.values()
            for document in documents
            for statement in document["Statement"]
            for action in _as_list(statement["Action"])
            if "*" not in action
        }


def roles_of(plan: Mapping[str, Any]) -> Roles:
    """The roles that there are when a plan has been applied.

    Raises ValueError when a policy is not known yet, because then nothing can be said about it.
    """
    roles = Roles()
    for resource in _resources(plan["planned_values"]["root_module"]):
        values = resource["values"]
        if resource["type"] == "aws_iam_role":
            roles.trusts[values["name"]] = json.loads(values["assume_role_policy"])
        elif resource["type"] == "aws_iam_role_policy_attachment":
            roles.attached[values["role"]].append(values["policy_arn"])
        elif resource["type"] == "aws_iam_role_policy":
            if "policy" not in values:
                raise ValueError(f"{resource['address']}: its policy is known after apply")
            roles.policies[values["role"]].append(json.loads(values["policy"]))
    return roles


def _resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def request(action: str, resource: Resource, context: Mapping[str, Value] | None = None) -> Request:
    """A call on a resource by a principal with this context, such as its tags."""
    return Request(action, resource.arn, {**resource.context, **(context or {})})


def matrix(
    documents: Iterable[Document],
    actions: Iterable[str],
    resources: Mapping[str, Resource],
    context: Mapping[str, Value],
) -> dict[str, list[str]]:
    """By resource: the actions that the policies let through, of those that fit the resource."""
    policies, asked = list(documents), sorted(set(actions), key=str.lower)
    found = {
        label: [
            action
            for action in asked
            if _fits(action, resource) and allows(policies, request(action, resource, context))
        ]
        for label, resource in sorted(resources.items())
    }
    return {label: allowed for label, allowed in found.items() if allowed}


def _fits(action: str, resource: Resource) -> bool:
    service = action.partition(":")[0]
    return resource.arn == "*" or resource.arn.split(":")[2] == _SERVICES.get(service, service)


@dataclass(frozen=True)
class Unit:
    """The ARNs of one deployment, as its names make them."""

    prefix: str
    account_id: str
    region: str

    def table(self, name: str, *keys: str) -> Resource:
        """A table, or some of its items by their partition keys."""
        arn = f"arn:aws:dynamodb:{self.region}:{self.account_id}:table/{self.prefix}-{name}"
        return Resource(arn, {"dynamodb:LeadingKeys": keys} if keys else {})

    def bucket(self, name: str) -> Resource:
        """A bucket."""
        return Resource(f"arn:aws:s3:::{self.prefix}-{name}-{self.account_id}")

    def object(self, bucket: str, key: str) -> Resource:
        """An object."""
        return Resource(f"{self.bucket(bucket).arn}/{key}")

    def queue(self, name: str) -> Resource:
        """A queue."""
        return Resource(f"arn:aws:sqs:{self.region}:{self.account_id}:{self.prefix}-{name}")

    def key(self, *aliases: str, **encryption_context: str) -> Resource:
        """Some key with these aliases, asked for with this encryption context."""
        return Resource(
            f"arn:aws:kms:{self.region}:{self.account_id}:key/00000000-0000-4000-8000-00000000000f",
            {
                **({"kms:ResourceAliases": aliases} if aliases else {}),
                **{f"kms:EncryptionContext:{k}": v for k, v in encryption_context.items()},
                **self._through("s3"),
            },
        )

    def _through(self, service: str) -> dict[str, Value]:
        return {"kms:ViaService": f"{service}.{self.region}.amazonaws.com"}

    def tenant_key(self, tenant_id: str, **encryption_context: str) -> Resource:
        """A tenant's own key."""
        return self.key(f"alias/{self.prefix}/tenants/{tenant_id}", **encryption_context)

    def application_profile(self, **tags: str) -> Resource:
        """An application inference profile with these tags; `_` stands for `-`."""
        return Resource(
            f"arn:aws:bedrock:{self.region}:{self.account_id}:application-inference-profile/abc",
            {f"aws:ResourceTag/{name.replace('_', '-')}": value for name, value in tags.items()},
        )

    def role(self, name: str, account_id: str | None = None) -> Resource:
        """A role; its name may have a path before it."""
        return Resource(f"arn:aws:iam::{account_id or self.account_id}:role/{name}")

    def function(self, name: str) -> Resource:
        """A function."""
        arn = f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.prefix}-{name}"
        return Resource(arn)

    def everything(self, unit_key_arn: str, tenant_id: str, other_id: str) -> dict[str, Resource]:
        """One of each kind of thing, ours and others', by a name for readers."""
        unit = replace(self, prefix="another-unit")
        found = {
            "any resource": Resource("*"),
            "foundation model": Resource(
                "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"
            ),
            "system inference profile": Resource(
                f"arn:aws:bedrock:{self.region}:{self.account_id}:inference-profile/us.amazon.nova"
            ),
            "application profile of another unit": self.application_profile(
                tollgate_unit=unit.prefix, tenant=tenant_id
            ),
            "bucket lake": self.bucket("lake"),
            "bucket payloads": self.bucket("payloads"),
            "function invoke": self.function("invoke"),
            "key of the unit": Resource(unit_key_arn, self._through("s3")),
            "key of somebody else": self.key("alias/somebody-else"),
            "key of a tenant of another unit": unit.tenant_key(tenant_id, tenant=tenant_id),
            "object in another unit's lake": unit.object("lake", "usage/x"),
            "object lake usage/": self.object("lake", "usage/x.jsonl.gz"),
            "object lake tenants/": self.object("lake", f"tenants/{tenant_id}.json"),
            "object payloads elsewhere": self.object("payloads", "x"),
            "queue jobs": self.queue("jobs"),
            "role of an administrator": self.role("administrator"),
            "role of the pool's sessions": self.role(
                f"tollgate/{self.prefix}/{self.prefix}-pool-session"
            ),
            "role of a silo": self.role(f"tollgate/{self.prefix}/acme", "999999999999"),
            "role of another unit's silo": self.role(
                f"tollgate/{unit.prefix}/acme", "999999999999"
            ),
            "table of another unit": unit.table("usage", "x"),
            **{
                f"table {name}": self.table(name)
                for name in ("accounts", "streams", "tenants", "usage")
            },
        }
        for label, owner in (("the tenant", tenant_id), ("another tenant", other_id)):
            found |= self._of_tenant(label, owner)
        return found

    def _of_tenant(self, label: str, owner: str) -> dict[str, Resource]:
        mine = {"aws:ResourceTag/Tenant": owner, "aws:ResourceTag/tollgate-unit": self.prefix}
        parameters = f"arn:aws:ssm:{self.region}:{self.account_id}:parameter/{self.prefix}/tenants"
        return {
            f"API key of {label}": Resource(f"arn:aws:apigateway:{self.region}::/apikeys/x", mine),
            f"account of {label}": self.table("accounts", f"tenant#{owner}"),
            f"answer of {label}": self.object("payloads", f"idempotency/{owner}/x"),
            f"items of {label}": self.table("streams", f"JOB#{owner}#x", f"IDEMPOTENCY#{owner}#x"),
            f"key of {label}": self.tenant_key(owner, tenant=owner),
            f"parameter with a key of {label}": Resource(f"{parameters}/{owner}/web/primary"),
            f"payload of {label}": self.object("payloads", f"jobs/{owner}/x"),
            f"policy of {label}": self.table("tenants", f"TENANT#{owner}"),
            f"profile of {label}": self.application_profile(
                tollgate_unit=self.prefix, tenant=owner, app="web"
            ),
        }
