"""API Gateway's own API as far as Terraform uses it, over HTTP; never kinder than AWS.

What becomes of a REST API is in `rest_api`. What the service does not know here it refuses.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.aws.rest_api import (
    CREATED,
    IP_ADDRESS_TYPES,
    Refused,
    RestApi,
    bad_request,
    not_found,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.aws.service import Request

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

    def answer(self, request: Request) -> tuple[int, dict[str, Any] | None]:
        """Status and document; raises Refused."""
        url = urllib.parse.urlsplit(request.target)
        # A parameter that comes several times, as tagKeys does, is joined by commas.
        query = {
            name: ",".join(values) for name, values in urllib.parse.parse_qs(url.query).items()
        }
        for expression, operation in _ROUTES:
            found = expression.fullmatch(f"{request.method} {url.path}")
            if found:
                given = json.loads(request.body) if request.body else {}
                return operation(self, query, given, *map(urllib.parse.unquote, found.groups()))
        raise bad_request(f"the stand-in does not know {request.method} {url.path}")

    def _api(self, api_id: str) -> RestApi:
        if api_id not in self.apis:
            raise not_found("Invalid API identifier specified")
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
        if kind not in IP_ADDRESS_TYPES:
            raise bad_request(f"the stand-in makes no API of type {kind}")
        api = RestApi(
            id=f"api{next(self._ids):07d}",
            name=given["name"],
            endpoint_type=kind,
            tags=given.get("tags", {}),
            ip_address_type=endpoint.get("ipAddressType", IP_ADDRESS_TYPES[kind]),
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
            raise bad_request(f"the stand-in knows no mode {query.get('mode')}")
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
            raise bad_request("the stand-in makes stages by themselves only")
        deployment = {
            "id": f"dep{next(self._ids):03d}",
            "description": given.get("description"),
            "createdDate": CREATED,
        }
        api = self._api(api_id)
        api.validate_deployment()
        api.deployments[deployment["id"]] = deployment
        self.deployed[deployment["id"]] = copy.deepcopy(api)
        return 201, deployment

    def _get_deployment(self, _query: Any, _given: Any, api_id: str, name: str) -> tuple[int, Any]:
        deployments = self._api(api_id).deployments
        if name not in deployments:
            raise not_found("Invalid Deployment identifier specified")
        return 200, deployments[name]

    def _delete_deployment(
        self, _query: Any, _given: Any, api_id: str, name: str
    ) -> tuple[int, Any]:
        api = self._api(api_id)
        if any(stage["deploymentId"] == name for stage in api.stages.values()):
            raise bad_request("Active stages pointing to this deployment must be moved or deleted")
        del api.deployments[name]
        return 202, None

    def _create_stage(self, _query: Any, given: dict[str, Any], api_id: str) -> tuple[int, Any]:
        api = self._api(api_id)
        if given["deploymentId"] not in api.deployments:
            raise not_found("Invalid Deployment identifier specified")
        if given["stageName"] in api.stages:
            raise Refused(409, "ConflictException", "Stage already exists")
        stage = {
            "stageName": given["stageName"],
            "deploymentId": given["deploymentId"],
            "description": given.get("description"),
            "tags": given.get("tags", {}),
            "methodSettings": {},
            "createdDate": CREATED,
        }
        api.stages[given["stageName"]] = stage
        return 201, stage

    def _stage(self, api_id: str, name: str) -> dict[str, Any]:
        stages = self._api(api_id).stages
        if name not in stages:
            raise not_found("Invalid stage identifier specified")
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
            if path not in stage["methodSettings"]:
                # The provider takes this one for done.
                reason = "because there is no method setting for this method"
                raise bad_request(f"Cannot remove method setting {path} {reason}")
            del stage["methodSettings"][path]
        elif path.startswith("accessLogSettings/"):
            stage.setdefault("accessLogSettings", {})[path.partition("/")[2]] = value
        elif path.startswith("*/*/"):
            name, read = _METHOD_SETTINGS[path.removeprefix("*/*/")]
            stage["methodSettings"].setdefault("*/*", {})[name] = read(value)
        elif path == "deploymentId" and value not in deployments:
            raise not_found("Invalid Deployment identifier specified")
        elif path in ("deploymentId", "description"):
            stage[path] = value
        else:
            raise bad_request(f"Invalid patch path {operation['path']!r}")

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
