"""A REST API of API Gateway: what an import, a patch and a deployment make of it.

What is known of AWS is in the API reference, the developer guide and the provider's own tests:

- PutRestApi in the mode `overwrite` takes every property of the API from the document and removes
  those that the document does not name, its resource policy and VPC endpoints too;
- an abbreviated resource of a policy, `execute-api:/*`, is stored as the whole ARN;
- GetRestApi returns the policy as the inside of a JSON string, with every slash escaped;
- a private API without a policy cannot be deployed, and calls see the policy that was deployed;
- only PRIVATE has VPC endpoints, and PRIVATE is always dual stack.

What is not known is refused.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.aws.api_import import POLICY_CHARACTERS, errors, warnings

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
CREATED = 1_700_000_000
IP_ADDRESS_TYPES = {"PRIVATE": "dualstack", "REGIONAL": "ipv4"}


class Refused(Exception):
    """What AWS answers with an error; `kind` is the name of its exception."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def bad_request(message: str) -> Refused:
    """The error for what AWS does not take."""
    return Refused(400, "BadRequestException", message)


def not_found(message: str) -> Refused:
    """The error for what is not there."""
    return Refused(404, "NotFoundException", message)


@dataclass
class RestApi:
    """A REST API; `policy` is its document, `body` what was imported last."""

    id: str
    name: str
    endpoint_type: str
    tags: dict[str, str]
    ip_address_type: str
    description: str | None = None
    api_key_source: str = "HEADER"
    binary_media_types: list[str] = field(default_factory=list)
    disable_execute_api_endpoint: bool = False
    minimum_compression_size: int | None = None
    policy: Any = None
    vpc_endpoint_ids: list[str] = field(default_factory=list)
    body: Any = None
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)

    def set_policy(self, document: Any) -> None:
        """Store a policy; raises Refused where AWS would not take it."""
        stored = None if document is None else self.stored_policy(document)
        length = len(json.dumps(stored, separators=(",", ":")))
        if length > POLICY_CHARACTERS:
            raise bad_request(f"Policy of {length} characters exceeds {POLICY_CHARACTERS}")
        self.policy = stored

    def stored_policy(self, document: Any) -> Any:
        """A policy as it is stored: abbreviated resources are completed."""
        own = f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{self.id}/"
        return json.loads(json.dumps(document).replace('"execute-api:/', f'"{own}'))

    def import_document(self, document: Any, *, fail_on_warnings: bool) -> None:
        """PutRestApi in the mode `overwrite`; nothing changes where it is refused."""
        found = errors(document)
        if found:
            raise bad_request("Errors found during import: " + "; ".join(found))
        found = warnings(document)
        if found and fail_on_warnings:
            raise bad_request("Warnings found during import: " + "; ".join(found))
        endpoint: dict[str, Any] = {}
        for server in document.get("servers", []):
            endpoint.update(server.get("x-amazon-apigateway-endpoint-configuration", {}))
        changed = copy.copy(self)
        changed.body = document
        changed.name = document["info"]["title"]
        changed.description = document["info"].get("description")
        changed.api_key_source = document.get("x-amazon-apigateway-api-key-source", "HEADER")
        changed.binary_media_types = document.get("x-amazon-apigateway-binary-media-types", [])
        changed.minimum_compression_size = document.get(
            "x-amazon-apigateway-minimum-compression-size"
        )
        changed.disable_execute_api_endpoint = endpoint.get("disableExecuteApiEndpoint", False)
        changed.vpc_endpoint_ids = endpoint.get("vpcEndpointIds", [])
        changed.set_policy(document.get("x-amazon-apigateway-policy"))
        changed.validate()
        self.__dict__.update(changed.__dict__)

    def patch(self, operations: list[dict[str, Any]]) -> None:
        """UpdateRestApi: all of the operations or none."""
        changed = copy.deepcopy(self)
        for operation in operations:
            _PATCHES[_patched_property(operation["path"])](changed, operation)
        changed.validate()
        self.__dict__.update(changed.__dict__)

    def validate(self) -> None:
        """Raises Refused for a combination that AWS does not take."""
        if self.vpc_endpoint_ids and self.endpoint_type != "PRIVATE":
            raise bad_request("VPCEndpoints can only be specified with PRIVATE apis")
        if self.endpoint_type == "PRIVATE" and self.ip_address_type != "dualstack":
            raise bad_request("Private APIs support only dualstack")

    def validate_deployment(self) -> None:
        """Raises Refused where the API cannot be deployed as it is."""
        if self.endpoint_type == "PRIVATE" and self.policy is None:
            raise bad_request("Private REST API doesn't have a resource policy attached to it")
        if self.body is None:
            raise bad_request("The REST API doesn't contain any methods")

    def view(self) -> dict[str, Any]:
        """As GetRestApi shows it."""
        policy = self.policy and json.dumps(self.policy, separators=(",", ":"))
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "createdDate": CREATED,
            "apiKeySource": self.api_key_source,
            "binaryMediaTypes": self.binary_media_types or None,
            "disableExecuteApiEndpoint": self.disable_execute_api_endpoint,
            "minimumCompressionSize": self.minimum_compression_size,
            "endpointConfiguration": {
                "types": [self.endpoint_type],
                "ipAddressType": self.ip_address_type,
                **({"vpcEndpointIds": self.vpc_endpoint_ids} if self.vpc_endpoint_ids else {}),
            },
            "policy": policy and json.dumps(policy)[1:-1].replace("/", "\\/"),
            "rootResourceId": "root",
            "tags": self.tags,
        }


def _patched_property(path: str) -> str:
    name = path.removeprefix("/")
    if name.startswith("binaryMediaTypes/"):
        return "binaryMediaTypes"
    if name not in _PATCHES:
        raise bad_request(f"Invalid patch path {path!r}")
    return name


def _patch_endpoint_type(api: RestApi, operation: dict[str, Any]) -> None:
    api.endpoint_type = operation["value"]
    if operation["value"] == "PRIVATE":
        api.ip_address_type = "dualstack"
    else:
        api.vpc_endpoint_ids = []


def _patch_vpc_endpoints(api: RestApi, operation: dict[str, Any]) -> None:
    value = operation["value"]
    if operation["op"] == "remove":
        if value in api.vpc_endpoint_ids:
            api.vpc_endpoint_ids.remove(value)
    elif value not in api.vpc_endpoint_ids:
        api.vpc_endpoint_ids.append(value)


def _patch_binary_media_types(api: RestApi, operation: dict[str, Any]) -> None:
    name = operation["path"].rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    if operation["op"] == "remove":
        api.binary_media_types.remove(name)
    else:
        api.binary_media_types.append(name)


def _patch_compression(api: RestApi, operation: dict[str, Any]) -> None:
    value = operation.get("value")
    api.minimum_compression_size = None if value is None else int(value)


def _patch_flag(api: RestApi, operation: dict[str, Any]) -> None:
    api.disable_execute_api_endpoint = operation["value"] == "true"


def _patch_policy(api: RestApi, operation: dict[str, Any]) -> None:
    api.set_policy(json.loads(operation["value"]) if operation.get("value") else None)


def _replaces(name: str) -> Callable[[RestApi, dict[str, Any]], None]:
    return lambda api, operation: setattr(api, name, operation["value"])


_PATCHES: dict[str, Callable[[RestApi, dict[str, Any]], None]] = {
    "apiKeySource": _replaces("api_key_source"),
    "binaryMediaTypes": _patch_binary_media_types,
    "description": _replaces("description"),
    "disableExecuteApiEndpoint": _patch_flag,
    "endpointConfiguration/ipAddressType": _replaces("ip_address_type"),
    "endpointConfiguration/types/0": _patch_endpoint_type,
    "endpointConfiguration/vpcEndpointIds": _patch_vpc_endpoints,
    "minimumCompressionSize": _patch_compression,
    "name": _replaces("name"),
    "policy": _patch_policy,
}
