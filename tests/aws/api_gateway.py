"""API Gateway's own API as far as Terraform uses it, and never kinder than AWS.

What it knows of AWS is in the API reference, the developer guide and the provider's own tests:

- PutRestApi in the mode `overwrite` takes every property of the API from the document and removes
  those that the document does not name, its resource policy and VPC endpoints too;
- an abbreviated resource of a policy, `execute-api:/*`, is stored as the whole ARN;
- GetRestApi returns the policy as the inside of a JSON string, with every slash escaped;
- a private API without a policy cannot be deployed, and calls see the policy that was deployed;
- only PRIVATE has VPC endpoints, and PRIVATE is always dual stack.

What it does not know it refuses.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import threading
import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.aws.api_import import errors, warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
POLICY_CHARACTERS = 8192
_CREATED = 1_700_000_000
_IP_ADDRESS_TYPES = {"PRIVATE": "dualstack", "REGIONAL": "ipv4"}


class Refused(Exception):
    """What AWS answers with an error; `kind` is the name of its exception."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def _bad_request(message: str) -> Refused:
    return Refused(400, "BadRequestException", message)


def _not_found(message: str) -> Refused:
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
            raise _bad_request(f"Policy of {length} characters exceeds {POLICY_CHARACTERS}")
        self.policy = stored

    def stored_policy(self, document: Any) -> Any:
        """A policy as it is stored: abbreviated resources are completed."""
        own = f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{self.id}/"
        return json.loads(json.dumps(document).replace('"execute-api:/', f'"{own}'))

    def import_document(self, document: Any, *, fail_on_warnings: bool) -> None:
        """PutRestApi in the mode `overwrite`; nothing changes where it is refused."""
        found = errors(document)
        if found:
            raise _bad_request("Errors found during import: " + "; ".join(found))
        found = warnings(document)
        if found and fail_on_warnings:
            raise _bad_request("Warnings found during import: " + "; ".join(found))
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
            raise _bad_request("VPCEndpoints can only be specified with PRIVATE apis")
        if self.endpoint_type == "PRIVATE" and self.ip_address_type != "dualstack":
            raise _bad_request("Private APIs support only dualstack")

    def validate_deployment(self) -> None:
        """Raises Refused where the API cannot be deployed as it is."""
        if self.endpoint_type == "PRIVATE" and self.policy is None:
            raise _bad_request("Private REST API doesn't have a resource policy attached to it")
        if self.body is None:
            raise _bad_request("The REST API doesn't contain any methods")

    def view(self) -> dict[str, Any]:
        """As GetRestApi shows it."""
        policy = self.policy and json.dumps(self.policy, separators=(",", ":"))
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "createdDate": _CREATED,
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
        raise _bad_request(f"Invalid patch path {path!r}")
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

# What of a stage's method settings a patch calls how.
_METHOD_SETTINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "caching/dataEncrypted": ("cacheDataEncrypted", lambda value: value == "true"),
    "caching/enabled": ("cachingEnabled", lambda value: value == "true"),
    "caching/requireAuthorizationForCacheControl": (
        "requireAuthorizationForCacheControl",
        lambda value: value == "true",
    ),
    "caching/ttlInSeconds": ("cacheTtlInSeconds", int),
    "caching/unauthorizedCacheControlHeaderStrategy": (
        "unauthorizedCacheControlHeaderStrategy",
        str,
    ),
    "logging/dataTrace": ("dataTraceEnabled", lambda value: value == "true"),
    "logging/loglevel": ("loggingLevel", str),
    "metrics/enabled": ("metricsEnabled", lambda value: value == "true"),
    "throttling/burstLimit": ("throttlingBurstLimit", int),
    "throttling/rateLimit": ("throttlingRateLimit", float),
}


@dataclass
class ApiGateway:
    """The service: its REST APIs by id, and each API as it was deployed by the deployment's id."""

    apis: dict[str, RestApi] = field(default_factory=dict)
    deployed: dict[str, RestApi] = field(default_factory=dict)
    _account: dict[str, Any] = field(
        default_factory=lambda: {"throttleSettings": {"rateLimit": 10000.0, "burstLimit": 5000}}
    )
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(
        self, method: str, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, Any] | None]:
        """Status and document; raises Refused."""
        for expression, operation in _ROUTES:
            found = expression.fullmatch(f"{method} {path}")
            if found:
                given = json.loads(body) if body else {}
                return operation(self, query, given, *map(urllib.parse.unquote, found.groups()))
        raise _bad_request(f"the stand-in does not know {method} {path}")

    def _api(self, api_id: str) -> RestApi:
        if api_id not in self.apis:
            raise _not_found("Invalid API identifier specified")
        return self.apis[api_id]

    def _tagged(self, arn: str) -> dict[str, str]:
        _, _, rest = arn.partition("/restapis/")
        api_id, _, stage = rest.partition("/stages/")
        api = self._api(api_id)
        tags: dict[str, str] = api.stages[stage]["tags"] if stage else api.tags
        return tags

    def _create_rest_api(self, _query: Any, given: dict[str, Any]) -> tuple[int, Any]:
        endpoint = given.get("endpointConfiguration", {})
        (kind,) = endpoint.get("types", ["EDGE"])
        if kind not in _IP_ADDRESS_TYPES:
            raise _bad_request(f"the stand-in makes no API of type {kind}")
        api = RestApi(
            id=f"api{next(self._ids):07d}",
            name=given["name"],
            endpoint_type=kind,
            tags=given.get("tags", {}),
            ip_address_type=endpoint.get("ipAddressType", _IP_ADDRESS_TYPES[kind]),
            description=given.get("description"),
            api_key_source=given.get("apiKeySource", "HEADER"),
            binary_media_types=given.get("binaryMediaTypes", []),
            disable_execute_api_endpoint=given.get("disableExecuteApiEndpoint", False),
            minimum_compression_size=given.get("minimumCompressionSize"),
            vpc_endpoint_ids=endpoint.get("vpcEndpointIds", []),
        )
        api.set_policy(json.loads(given["policy"]) if "policy" in given else None)
        api.validate()
        self.apis[api.id] = api
        return 201, api.view()

    def _get_rest_api(self, _query: Any, _given: Any, api_id: str) -> tuple[int, Any]:
        return 200, self._api(api_id).view()

    def _put_rest_api(
        self, query: dict[str, str], given: dict[str, Any], api_id: str
    ) -> tuple[int, Any]:
        if query.get("mode") != "overwrite":
            raise _bad_request(f"the stand-in knows no mode {query.get('mode')}")
        api = self._api(api_id)
        api.import_document(given, fail_on_warnings=query.get("failonwarnings") == "true")
        return 200, api.view()

    def _update_rest_api(self, _query: Any, given: dict[str, Any], api_id: str) -> tuple[int, Any]:
        api = self._api(api_id)
        api.patch(given["patchOperations"])
        return 200, api.view()

    def _delete_rest_api(self, _query: Any, _given: Any, api_id: str) -> tuple[int, Any]:
        del self.apis[self._api(api_id).id]
        return 202, None

    def _get_resources(self, _query: Any, _given: Any, api_id: str) -> tuple[int, Any]:
        paths = {"/", *(self._api(api_id).body or {"paths": {}})["paths"]}
        return 200, {
            "item": [{"id": "root" if path == "/" else path, "path": path} for path in paths]
        }

    def _create_deployment(
        self, _query: Any, given: dict[str, Any], api_id: str
    ) -> tuple[int, Any]:
        if given.get("stageName"):
            raise _bad_request("the stand-in makes stages by themselves only")
        deployment = {
            "id": f"dep{next(self._ids):03d}",
            "description": given.get("description"),
            "createdDate": _CREATED,
        }
        api = self._api(api_id)
        api.validate_deployment()
        api.deployments[deployment["id"]] = deployment
        self.deployed[deployment["id"]] = copy.deepcopy(api)
        return 201, deployment

    def _get_deployment(self, _query: Any, _given: Any, api_id: str, name: str) -> tuple[int, Any]:
        deployments = self._api(api_id).deployments
        if name not in deployments:
            raise _not_found("Invalid Deployment identifier specified")
        return 200, deployments[name]

    def _delete_deployment(
        self, _query: Any, _given: Any, api_id: str, name: str
    ) -> tuple[int, Any]:
        api = self._api(api_id)
        if any(stage["deploymentId"] == name for stage in api.stages.values()):
            raise _bad_request("Active stages pointing to this deployment must be moved or deleted")
        del api.deployments[name]
        return 202, None

    def _create_stage(self, _query: Any, given: dict[str, Any], api_id: str) -> tuple[int, Any]:
        api = self._api(api_id)
        if given["deploymentId"] not in api.deployments:
            raise _not_found("Invalid Deployment identifier specified")
        if given["stageName"] in api.stages:
            raise Refused(409, "ConflictException", "Stage already exists")
        stage = {
            "stageName": given["stageName"],
            "deploymentId": given["deploymentId"],
            "description": given.get("description"),
            "tags": given.get("tags", {}),
            "methodSettings": {},
            "createdDate": _CREATED,
        }
        api.stages[given["stageName"]] = stage
        return 201, stage

    def _stage(self, api_id: str, name: str) -> dict[str, Any]:
        stages = self._api(api_id).stages
        if name not in stages:
            raise _not_found("Invalid stage identifier specified")
        return stages[name]

    def _get_stage(self, _query: Any, _given: Any, api_id: str, name: str) -> tuple[int, Any]:
        return 200, self._stage(api_id, name)

    def _update_stage(
        self, _query: Any, given: dict[str, Any], api_id: str, name: str
    ) -> tuple[int, Any]:
        stage = self._stage(api_id, name)
        for operation in given["patchOperations"]:
            self._patch_stage(stage, self._api(api_id).deployments, operation)
        return 200, stage

    @staticmethod
    def _patch_stage(
        stage: dict[str, Any], deployments: dict[str, Any], operation: dict[str, Any]
    ) -> None:
        path, value = operation["path"].removeprefix("/"), operation.get("value")
        if operation["op"] == "remove":
            stage["methodSettings"].pop(path)
        elif path.startswith("accessLogSettings/"):
            stage.setdefault("accessLogSettings", {})[path.partition("/")[2]] = value
        elif path.startswith("*/*/"):
            name, read = _METHOD_SETTINGS[path.removeprefix("*/*/")]
            stage["methodSettings"].setdefault("*/*", {})[name] = read(value)
        elif path == "deploymentId" and value not in deployments:
            raise _not_found("Invalid Deployment identifier specified")
        elif path in ("deploymentId", "description"):
            stage[path] = value
        else:
            raise _bad_request(f"Invalid patch path {operation['path']!r}")

    def _delete_stage(self, _query: Any, _given: Any, api_id: str, name: str) -> tuple[int, Any]:
        self._stage(api_id, name)
        del self._api(api_id).stages[name]
        return 202, None

    def _get_account(self, _query: Any, _given: Any) -> tuple[int, Any]:
        return 200, self._account

    def _update_account(self, _query: Any, given: dict[str, Any]) -> tuple[int, Any]:
        for operation in given["patchOperations"]:
            self._account[operation["path"].removeprefix("/")] = operation.get("value")
        return 200, self._account

    def _get_tags(self, _query: Any, _given: Any, arn: str) -> tuple[int, Any]:
        return 200, {"tags": self._tagged(arn)}

    def _tag_resource(self, _query: Any, given: dict[str, Any], arn: str) -> tuple[int, Any]:
        self._tagged(arn).update(given["tags"])
        return 204, None

    def _untag_resource(self, query: dict[str, str], _given: Any, arn: str) -> tuple[int, Any]:
        for key in query["tagKeys"].split(","):
            self._tagged(arn).pop(key, None)
        return 204, None


_ONE = "/restapis/([^/]+)"
_ROUTES = [
    (re.compile(pattern), operation)
    for pattern, operation in (
        ("POST /restapis", ApiGateway._create_rest_api),
        (f"GET {_ONE}", ApiGateway._get_rest_api),
        (f"PUT {_ONE}", ApiGateway._put_rest_api),
        (f"PATCH {_ONE}", ApiGateway._update_rest_api),
        (f"DELETE {_ONE}", ApiGateway._delete_rest_api),
        (f"GET {_ONE}/resources", ApiGateway._get_resources),
        (f"POST {_ONE}/deployments", ApiGateway._create_deployment),
        (f"GET {_ONE}/deployments/([^/]+)", ApiGateway._get_deployment),
        (f"DELETE {_ONE}/deployments/([^/]+)", ApiGateway._delete_deployment),
        (f"POST {_ONE}/stages", ApiGateway._create_stage),
        (f"GET {_ONE}/stages/([^/]+)", ApiGateway._get_stage),
        (f"PATCH {_ONE}/stages/([^/]+)", ApiGateway._update_stage),
        (f"DELETE {_ONE}/stages/([^/]+)", ApiGateway._delete_stage),
        ("GET /account", ApiGateway._get_account),
        ("PATCH /account", ApiGateway._update_account),
        ("GET /tags/(.+)", ApiGateway._get_tags),
        ("PUT /tags/(.+)", ApiGateway._tag_resource),
        ("DELETE /tags/(.+)", ApiGateway._untag_resource),
    )
]


@contextmanager
def serve(service: ApiGateway) -> Iterator[str]:
    """Answer for `service` on loopback; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            # A parameter that comes several times, as tagKeys does, is joined by commas.
            query = {
                name: ",".join(values) for name, values in urllib.parse.parse_qs(url.query).items()
            }
            headers = {"Content-Type": "application/json"}
            try:
                with lock:
                    status, document = service.answer(self.command, url.path, query, body)
            except Refused as refused:
                status, document = refused.status, {"message": str(refused)}
                headers["x-amzn-errortype"] = refused.kind
            except Exception as fault:  # noqa: BLE001 - the provider would ask again for minutes
                status, document = 400, {"message": f"the stand-in failed: {fault!r}"}
            told = {key: value for key, value in (document or {}).items() if value is not None}
            data = b"" if document is None else json.dumps(told).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = _answer

        def log_message(self, *_arguments: Any) -> None:
            pass

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
