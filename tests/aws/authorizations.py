"""What AWS asks IAM before it makes a call: which actions, on what, and what conditions may see.

One call can take several: a model behind a profile is asked for in every region that the profile
routes to, and what lies under a KMS key is opened in the caller's name.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.local.ministack import ACCOUNT_ID, REGION
from scripts.local.provision import PREFIX
from scripts.local.stubs.bedrock.catalogue import GEO_REGIONS
from tollgate.adapters import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.aws.recorder import Call

# The partition key of a query, which stands first in ours.
_PARTITION = re.compile(r"(\w+) = (:\w+)")
# A row of usage has an attribute of the name that is the key of an account.
_HASH_KEYS = sorted({spec.hash_key for spec in tables.TABLES}, key="account_id".__eq__)

# Operations of Bedrock Runtime whose actions have other names.
MODEL_ACTIONS: Mapping[str, str] = {
    "Converse": "bedrock:InvokeModel",
    "ConverseStream": "bedrock:InvokeModelWithResponseStream",
    "CountTokens": "bedrock:CountTokens",
    "InvokeModel": "bedrock:InvokeModel",
    "InvokeModelWithResponseStream": "bedrock:InvokeModelWithResponseStream",
}

UNIT_KEY_ALIAS = f"alias/{PREFIX}"
UNIT_KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/00000000-0000-4000-8000-000000000000"
"""The deployment's key in terraform/tests/roles, which stands for the emulator's own."""


@dataclass(frozen=True)
class Asked:
    """One authorization: the action, the ARN that it is for, and what conditions see of it."""

    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class World:
    """What AWS knows of its resources beside a call: aliases of keys, tags of profiles."""

    aliases_of_key: Mapping[str, list[str]]
    tags_of_profile: Mapping[str, Mapping[str, str]]
    model_of_arn: Mapping[str, str]
    # Filled by the calls themselves: under which key and context an object was stored.
    _keys_of_object: dict[tuple[str, str], Asked | None] = field(default_factory=dict)

    def asked(self, call: Call) -> list[Asked]:
        """The authorizations of a call; KeyError for an operation that is not known here."""
        return list(_ASKED[f"{call.service}:{call.operation}"](self, call))

    def key(self, arn: str | None, **context: str) -> Asked:
        """The decryption under a key, the deployment's for None, in an encryption context."""
        keys = {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
        aliases = [UNIT_KEY_ALIAS] if arn is None else self.aliases_of_key[arn]
        if aliases == [UNIT_KEY_ALIAS]:
            arn = UNIT_KEY_ARN
        return Asked("kms:Decrypt", str(arn), {"kms:ResourceAliases": aliases, **keys})

    def under_key(self, service: str, *actions: str, key: Asked | None = None) -> Iterator[Asked]:
        """What a service asks KMS in the caller's name."""
        used = key or self.key(None)
        via = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
        for action in actions:
            yield Asked(f"kms:{action}", used.resource, {**used.context, **via})


def arn(service: str, resource: str, *, region: str = REGION, account: str = ACCOUNT_ID) -> str:
    """An ARN of the partition that the tests are about."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"


# --- DynamoDB, S3, SQS, STS, KMS ------------------------------------------------------------------


def _items(world: World, call: Call) -> Iterator[Asked]:
    given = call.parameters
    for table, keys in _leading_keys(given).items():
        context = {"dynamodb:LeadingKeys": keys} if keys else {}
        action = f"dynamodb:{call.operation}"
        yield Asked(action, arn("dynamodb", f"table/{table}"), context)
    yield from world.under_key("dynamodb", "Decrypt")


def _leading_keys(given: Mapping[str, Any]) -> dict[str, list[str]]:
    """The partition keys of a request by table; none for one that names none."""
    if "RequestItems" in given:
        return {
            table: sorted({_hash(key) for key in _keys_in(items)})
            for table, items in given["RequestItems"].items()
        }
    key = given.get("Key") or given.get("Item")
    partition = _PARTITION.match(given.get("KeyConditionExpression", ""))
    if partition is not None:
        key = {partition[1]: given["ExpressionAttributeValues"][partition[2]]}
    return {given["TableName"]: [] if key is None else [_hash(key)]}


def _keys_in(items: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(items, dict):
        yield from items["Keys"]
        return
    for item in items:
        yield item.get("DeleteRequest", {}).get("Key") or item["PutRequest"]["Item"]


def _hash(key: Mapping[str, Any]) -> str:
    return str(next(key[name]["S"] for name in _HASH_KEYS if name in key))


def _object(world: World, call: Call) -> Iterator[Asked]:
    given = call.parameters
    place = (given["Bucket"], given["Key"])
    yield Asked(f"s3:{call.operation}", f"arn:aws:s3:::{'/'.join(place)}")
    if call.operation == "PutObject":
        key = None
        if "SSEKMSKeyId" in given:
            context = json.loads(base64.b64decode(given["SSEKMSEncryptionContext"]))
            key = world.key(given["SSEKMSKeyId"], **context)
        world._keys_of_object[place] = key  # noqa: SLF001 - its own part
        yield from world.under_key("s3", "GenerateDataKey", key=key)
    elif call.operation == "GetObject":
        key = world._keys_of_object.get(place)  # noqa: SLF001
        yield from world.under_key("s3", "Decrypt", key=key)


def _listing(_world: World, call: Call) -> Iterator[Asked]:
    bucket, prefix = call.parameters["Bucket"], call.parameters.get("Prefix", "")
    yield Asked("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": prefix})


def _message(world: World, call: Call) -> Iterator[Asked]:
    queue = call.parameters["QueueUrl"].rpartition("/")[2]
    yield Asked(f"sqs:{call.operation}", arn("sqs", queue))
    if call.operation == "SendMessage":
        yield from world.under_key("sqs", "GenerateDataKey", "Decrypt")


def _role(_world: World, call: Call) -> Iterator[Asked]:
    given = call.parameters
    tags = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in given["Tags"]}
    context = {**tags, "aws:TagKeys": [tag["Key"] for tag in given["Tags"]]}
    external = {"sts:ExternalId": given["ExternalId"]} if "ExternalId" in given else {}
    yield Asked("sts:AssumeRole", given["RoleArn"], {**context, **external})
    # A request to tag is one of its own, without an external id.
    yield Asked("sts:TagSession", given["RoleArn"], context)


def _key(world: World, call: Call) -> Iterator[Asked]:
    given = call.parameters
    key = world.key(given["KeyId"], **given["EncryptionContext"])
    yield Asked(f"kms:{call.operation}", key.resource, key.context)


# --- Models ---------------------------------------------------------------------------------------


def _account(call: Call) -> str:
    return ACCOUNT_ID if call.session is None else call.session.role_arn.split(":")[4]


def _model(action: str) -> Callable[[World, Call], Iterator[Asked]]:
    def asked(world: World, call: Call) -> Iterator[Asked]:
        for resource, context in _model_resources(world, call.parameters["modelId"], call):
            yield Asked(action, resource, context)
        yield from _guardrail(call)

    return asked


def _model_resources(
    world: World, model_id: str, call: Call
) -> Iterator[tuple[str, dict[str, str]]]:
    model_id = by_id(model_id)
    if model_id.startswith("arn:"):
        tags = world.tags_of_profile.get(model_id)
        named = {f"aws:ResourceTag/{key}": value for key, value in (tags or {}).items()}
        yield model_id, named
        if tags is None:
            return
        yield from _routed(world.model_of_arn[model_id], {"bedrock:InferenceProfileArn": model_id})
        return
    area = model_id.partition(".")[0]
    if area not in {*GEO_REGIONS, "global"}:
        yield from _routed(model_id, {})
        return
    profile = arn("bedrock", f"inference-profile/{model_id}", account=_account(call))
    yield profile, {}
    yield from _routed(model_id, {"bedrock:InferenceProfileArn": profile})


def by_id(model_id: str) -> str:
    """The id of a foundation model or a system's profile that is named by its ARN."""
    return re.sub(r"^arn:[^/]*:(foundation-model|inference-profile)/", "", model_id)


def _routed(model_id: str, context: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """A model in each region that a profile or a plain id leads to."""
    area, _, base = model_id.partition(".")
    regions = GEO_REGIONS.get(area, (REGION,))
    if area == "global":
        # The first is the one that is called, the last stands for all commercial regions.
        regions = (REGION, "")
    elif area not in GEO_REGIONS:
        base = model_id
    for region in regions:
        yield arn("bedrock", f"foundation-model/{base}", region=region, account=""), context


def _guardrail(call: Call) -> Iterator[Asked]:
    given = {**call.parameters, **call.parameters.get("guardrailConfig", {})}
    if "guardrailIdentifier" not in given:
        return
    account = _account(call)
    named = given["guardrailIdentifier"]
    if not named.startswith("arn:"):
        named = arn("bedrock", f"guardrail/{named}", account=account)
    yield Asked("bedrock:ApplyGuardrail", named)
    # A guardrail with cross-region inference is applied in any region of its profile.
    for region in GEO_REGIONS["us"]:
        profile = "guardrail-profile/us.guardrail.v1:0"
        where = arn("bedrock", profile, region=region, account=account)
        yield Asked("bedrock:ApplyGuardrail", where)


def _endpoint(_world: World, call: Call) -> Iterator[Asked]:
    given, action = call.parameters, f"sagemaker:{call.operation}"
    # SageMaker writes names in small letters in its ARNs.
    yield Asked(action, arn("sagemaker", f"endpoint/{given['EndpointName'].lower()}"))
    component = given.get("InferenceComponentName")
    if component is not None:
        yield Asked(action, arn("sagemaker", f"inference-component/{component.lower()}"))


def _listed(_world: World, call: Call) -> Iterator[Asked]:
    yield Asked(f"bedrock:{call.operation}", "*")


_ASKED: Mapping[str, Callable[[World, Call], Iterator[Asked]]] = {
    **{f"bedrock-runtime:{name}": _model(action) for name, action in MODEL_ACTIONS.items()},
    "bedrock:ListFoundationModels": _listed,
    "bedrock:ListInferenceProfiles": _listed,
    "dynamodb:BatchGetItem": _items,
    "dynamodb:BatchWriteItem": _items,
    "dynamodb:DeleteItem": _items,
    "dynamodb:GetItem": _items,
    "dynamodb:PutItem": _items,
    "dynamodb:Query": _items,
    "dynamodb:Scan": _items,
    "dynamodb:UpdateItem": _items,
    "kms:Decrypt": _key,
    "kms:Encrypt": _key,
    "s3:DeleteObject": _object,
    "s3:GetObject": _object,
    "s3:ListObjectsV2": _listing,
    "s3:PutObject": _object,
    "sagemaker-runtime:InvokeEndpoint": _endpoint,
    "sagemaker-runtime:InvokeEndpointWithResponseStream": _endpoint,
    "sqs:ChangeMessageVisibility": _message,
    "sqs:SendMessage": _message,
    "sts:AssumeRole": _role,
}
