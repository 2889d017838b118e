"""What API Gateway's import of an OpenAPI document refuses, and what it leaves out with a warning.

The rules are those of the developer guide: *important notes for REST APIs*, *quotas for configuring
and running a REST API*, and the reference of each `x-amazon-apigateway-` extension. They hold for
documents of OpenAPI 3 with Lambda proxy integrations; anything else is refused as unknown.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import botocore.session

if TYPE_CHECKING:
    from collections.abc import Iterator

_BYTES = 6 * 1024 * 1024
_RESOURCES = 300
_AUTHORIZERS = 10
_BUFFERED_MS = 29_000
_STREAM_MS = 900_000
_TTL_SECONDS = 3600
POLICY_CHARACTERS = 8192

_SEGMENT = re.compile(r"[A-Za-z0-9._,:-]+|\{[A-Za-z0-9._-]+\+?\}")
_OPERATION_ID = re.compile(r"[A-Za-z0-9]+")
_MODEL = re.compile(r"[A-Za-z0-9]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_URI = (
    r"arn:aws[a-z-]*:apigateway:[a-z0-9-]+:lambda:path/{version}/functions/"
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{{12}}:function:[A-Za-z0-9_:-]+/{end}"
)
_URIS = {
    "BUFFERED": re.compile(_URI.format(version="2015-03-31", end="invocations")),
    "STREAM": re.compile(_URI.format(version="2021-11-15", end="response-streaming-invocations")),
}
_IDENTITY_SOURCE = re.compile(
    r"(method\.request\.(header|querystring)\.[^\s,]+|context\.[A-Za-z.]+|stageVariables\.\w+)"
)
_RESPONSE_PARAMETER = re.compile(r"gatewayresponse\.(header|path|querystring)\.[^\s]+")
_RESPONSE_VALUE = re.compile(r"'[^']*'|(context|stageVariables|method\.request)\.[\w.-]+")
_METHODS = {"delete", "get", "head", "options", "patch", "post", "put"}
_ANY_METHOD = "x-amazon-apigateway-any-method"
_TOP_KEYS = {
    "openapi",
    "info",
    "servers",
    "paths",
    "components",
    "tags",
    "x-amazon-apigateway-api-key-source",
    "x-amazon-apigateway-binary-media-types",
    "x-amazon-apigateway-gateway-responses",
    "x-amazon-apigateway-minimum-compression-size",
    "x-amazon-apigateway-policy",
    "x-amazon-apigateway-request-validators",
}
_OPERATION_KEYS = {
    "description",
    "operationId",
    "parameters",
    "responses",
    "security",
    "summary",
    "tags",
    "x-amazon-apigateway-integration",
    "x-amazon-apigateway-request-validator",
}
_INTEGRATION_KEYS = {
    "httpMethod",
    "passthroughBehavior",
    "responseTransferMode",
    "responses",
    "timeoutInMillis",
    "type",
    "uri",
}
_ENDPOINT_KEYS = {"disableExecuteApiEndpoint", "vpcEndpointIds"}
# Known to OpenAPI and not to API Gateway, which drops them with a warning or without.
_DROPPED = {
    "anyOf",
    "deprecated",
    "discriminator",
    "example",
    "examples",
    "exclusiveMinimum",
    "nullable",
    "oneOf",
    "readOnly",
    "xml",
}
# Of an input parameter, others are ignored.
_PARAMETER_KEYS = {"description", "in", "name", "required", "schema"}


def errors(document: Any) -> list[str]:
    """Why the document would not be imported at all; each with its place."""
    size = len(json.dumps(document).encode())
    if size > _BYTES:
        return [f"document: {size} bytes; allowed: {_BYTES}"]
    return [
        *_top_level(document),
        *_paths(document),
        *_operations(document),
        *_security_schemes(document),
        *_gateway_responses(document),
        *_policy(document),
    ]


def warnings(document: Any) -> list[str]:
    """What the import would leave out; each with its place."""
    return [*_dropped_keywords(document, ""), *_ignored_parts(document)]


def _unknown(place: str, found: Any, allowed: set[str]) -> Iterator[str]:
    yield from (f"{place}: unknown key {key}" for key in sorted(set(found) - allowed))


def _each_operation(document: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Place, path and operation of each method."""
    for path, methods in document.get("paths", {}).items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", path, operation


def _top_level(document: Any) -> Iterator[str]:
    yield from _unknown("document", document, _TOP_KEYS)
    if not re.fullmatch(r"3\.0\.\d", str(document.get("openapi"))):
        yield f"openapi: {document.get('openapi')}; allowed: 3.0.x"
    if not document.get("info", {}).get("title"):
        yield "info.title: missing; it is the API's name"
    if document.get("x-amazon-apigateway-api-key-source", "HEADER") not in ("HEADER", "AUTHORIZER"):
        yield "x-amazon-apigateway-api-key-source: allowed: HEADER, AUTHORIZER"
    for server in document.get("servers", []):
        endpoint = server.get("x-amazon-apigateway-endpoint-configuration", {})
        yield from _unknown(
            "servers", server, {"url", "x-amazon-apigateway-endpoint-configuration"}
        )
        yield from _unknown("servers: endpoint configuration", endpoint, _ENDPOINT_KEYS)
    for name in document.get("components", {}).get("schemas", {}):
        if not _MODEL.fullmatch(name):
            yield f"components.schemas.{name}: a model's name has letters and digits only"


def _paths(document: Any) -> Iterator[str]:
    resources = {"/"}
    variables: dict[str, str] = {}
    for path in document.get("paths", {}):
        if not path.startswith("/"):
            yield f"{path}: a path begins with /"
        parent = ""
        segments = path.split("/")[1:] if path != "/" else []
        for number, segment in enumerate(segments, start=1):
            if not _SEGMENT.fullmatch(segment):
                yield f"{path}: segment {segment!r}; allowed: letters, digits, ._-,: or a {{name}}"
            if segment.endswith("+}") and number < len(segments):
                yield f"{path}: {segment} stands before other segments"
            if segment.startswith("{") and variables.setdefault(parent, segment) != segment:
                yield f"{path}: {segment} beside its sibling {variables[parent]}"
            parent = f"{parent}/{segment}"
            resources.add(parent)
        for method in set(document["paths"][path]) - _METHODS - {_ANY_METHOD}:
            yield f"{path}: unknown method {method}"
    if len(resources) > _RESOURCES:
        yield f"paths: {len(resources)} resources; allowed: {_RESOURCES}"


def _operations(document: Any) -> Iterator[str]:
    seen = set()
    for place, path, operation in _each_operation(document):
        yield from _unknown(place, operation, _OPERATION_KEYS)
        operation_id = operation.get("operationId")
        if operation_id is not None:
            if not _OPERATION_ID.fullmatch(operation_id):
                yield f"{place}: operationId {operation_id!r}; allowed: letters and digits"
            if operation_id in seen:
                yield f"{place}: operationId {operation_id} comes twice"
            seen.add(operation_id)
        yield from _parameters(place, path, operation)
        yield from _integration(place, operation)
        yield from _security(document, place, operation)
        validator = operation.get("x-amazon-apigateway-request-validator")
        if validator not in {None, *document.get("x-amazon-apigateway-request-validators", {})}:
            yield f"{place}: there is no request validator {validator}"
        for status, response in operation.get("responses", {}).items():
            if not re.fullmatch(r"[1-5]\d\d|default", status):
                yield f"{place}: response {status}; allowed: a status or default"
            if "$ref" in response:
                yield f"{place}: response {status} is a reference"


def _parameters(place: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        name = parameter["name"]
        if parameter["in"] not in ("header", "path", "query"):
            yield f"{place}: parameter {name} in {parameter['in']}; allowed: header, path, query"
        if parameter["in"] == "header" and not _TOKEN.fullmatch(name):
            yield f"{place}: parameter {name} is no header's name"
        if "type" not in parameter.get("schema", {}):
            yield f"{place}: parameter {name} has no type"
    given = [(p["in"], p["name"]) for p in parameters]
    if len(set(given)) < len(given):
        yield f"{place}: a parameter comes twice"
    named = {name for kind, name in given if kind == "path"}
    in_path = {name.rstrip("+") for name in re.findall(r"\{([^}]+)\}", path)}
    if named != in_path:
        yield f"{place}: path parameters {sorted(named)}; the path has {sorted(in_path)}"


def _integration(place: str, operation: dict[str, Any]) -> Iterator[str]:
    integration = operation.get("x-amazon-apigateway-integration")
    if integration is None:
        yield f"{place}: no integration"
        return
    yield from _unknown(f"{place}: integration", integration, _INTEGRATION_KEYS)
    mode = integration.get("responseTransferMode", "BUFFERED")
    if mode not in _URIS:
        yield f"{place}: responseTransferMode {mode}; allowed: {', '.join(_URIS)}"
        return
    if (integration.get("type"), integration.get("httpMethod")) != ("aws_proxy", "POST"):
        yield f"{place}: a Lambda function is called as aws_proxy by POST"
    if not _URIS[mode].fullmatch(integration.get("uri", "")):
        yield f"{place}: uri {integration.get('uri')} is none of a function, {mode}"
    most = _STREAM_MS if mode == "STREAM" else _BUFFERED_MS
    if not 50 <= integration.get("timeoutInMillis", most) <= most:  # noqa: PLR2004 - the least
        yield f"{place}: timeoutInMillis {integration['timeoutInMillis']}; allowed: 50 to {most}"
    if integration.get("passthroughBehavior", "never") not in (
        "when_no_match",
        "when_no_templates",
        "never",
    ):
        yield f"{place}: passthroughBehavior {integration['passthroughBehavior']}"


def _security(document: Any, place: str, operation: dict[str, Any]) -> Iterator[str]:
    schemes = document.get("components", {}).get("securitySchemes", {})
    names = [name for requirement in operation.get("security", []) for name in requirement]
    yield from (f"{place}: no security scheme {name}" for name in names if name not in schemes)
    custom = [name for name in names if "x-amazon-apigateway-authorizer" in schemes.get(name, {})]
    if len(custom) > 1:
        yield f"{place}: authorizers {', '.join(custom)}; allowed: one"


def _security_schemes(document: Any) -> Iterator[str]:
    schemes = document.get("components", {}).get("securitySchemes", {})
    custom = 0
    for name, scheme in schemes.items():
        place = f"securitySchemes.{name}"
        if (scheme.get("type"), scheme.get("in")) != ("apiKey", "header"):
            yield f"{place}: allowed: type apiKey in header"
        authorizer = scheme.get("x-amazon-apigateway-authorizer")
        if authorizer is None:
            if scheme.get("name") != "x-api-key":
                yield f"{place}: name {scheme.get('name')}; the key of a usage plan is x-api-key"
            continue
        custom += 1
        yield from _authorizer(place, scheme, authorizer)
    if custom > _AUTHORIZERS:
        yield f"securitySchemes: {custom} authorizers; allowed: {_AUTHORIZERS}"


def _authorizer(place: str, scheme: Any, authorizer: Any) -> Iterator[str]:
    if (scheme.get("x-amazon-apigateway-authtype"), scheme.get("name")) != ("custom", "Unused"):
        yield f"{place}: a request authorizer has the authtype custom and the name Unused"
    if authorizer.get("type") != "request":
        yield f"{place}: type {authorizer.get('type')}; allowed: request"
    if not _URIS["BUFFERED"].fullmatch(authorizer.get("authorizerUri", "")):
        yield f"{place}: authorizerUri {authorizer.get('authorizerUri')} is none of a function"
    seconds = authorizer.get("authorizerResultTtlInSeconds", 300)
    if not 0 <= seconds <= _TTL_SECONDS:
        yield f"{place}: authorizerResultTtlInSeconds {seconds}; allowed: 0 to {_TTL_SECONDS}"
    source = authorizer.get("identitySource")
    if seconds and not source:
        yield f"{place}: verdicts are cached by an identitySource, and there is none"
    for part in (source or "").split(",") if source else ():
        if not _IDENTITY_SOURCE.fullmatch(part.strip()):
            yield f"{place}: identitySource {part}"


def _gateway_responses(document: Any) -> Iterator[str]:
    model = botocore.session.get_session().get_service_model("apigateway")
    kinds = model.shape_for("GatewayResponseType").enum
    for kind, response in document.get("x-amazon-apigateway-gateway-responses", {}).items():
        place = f"gateway-responses.{kind}"
        if kind not in kinds:
            yield f"{place}: no type of a gateway response"
        if not re.fullmatch(r"[1-5]\d\d", str(response.get("statusCode", "200"))):
            yield f"{place}: statusCode {response['statusCode']}"
        for name, value in response.get("responseParameters", {}).items():
            if not _RESPONSE_PARAMETER.fullmatch(name) or not _RESPONSE_VALUE.fullmatch(value):
                yield f"{place}: parameter {name} = {value}"


def _policy(document: Any) -> Iterator[str]:
    policy = document.get("x-amazon-apigateway-policy")
    length = len(json.dumps(policy, separators=(",", ":")))
    if length > POLICY_CHARACTERS:
        yield f"policy: {length} characters; allowed: {POLICY_CHARACTERS}"
    for statement in (policy or {}).get("Statement", []):
        if statement.get("Action") != "execute-api:Invoke" or "Principal" not in statement:
            yield f"policy: {statement.get('Sid')} has another action, or no principal"


def _dropped_keywords(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _dropped_keywords(item, f"{place}[{number}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            inner = f"{place}.{key}" if place else key
            if key in _DROPPED:
                yield f"{inner}: not supported"
            elif key == "$ref" and not str(item).startswith("#/"):
                yield f"{inner}: a reference to another file"
            else:
                yield from _dropped_keywords(item, inner)


def _ignored_parts(document: Any) -> Iterator[str]:
    if "tags" in document:
        yield "tags: tags of the API are given by themselves"
    for place, _, operation in _each_operation(document):
        for parameter in operation.get("parameters", []):
            ignored = set(parameter) - _PARAMETER_KEYS | set(parameter.get("schema", {})) - {"type"}
            if ignored:
                names = ", ".join(sorted(ignored))
                yield f"{place}: parameter {parameter['name']}: {names} ignored"
        for status, response in operation.get("responses", {}).items():
            for key in sorted(set(response) - {"description"}):
                yield f"{place}: response {status}: {key} of a proxy's response"
