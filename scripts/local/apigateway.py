"""What an API Gateway REST API decides by itself, from the same files that Terraform renders.

Routing, required parameters, the answers of the gateway, the events it sends, the policy an
authorizer returns, and the check of a proxy response. No I/O but reading those files.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import yaml

from scripts.local.ministack import ACCOUNT_ID, REGION, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CONTRACT = ROOT / "modules" / "gateway" / "openapi.yaml"
RESPONSES = ROOT / "modules" / "gateway" / "gateway_responses.yaml"
API_ID = "local"
STAGE = "v1"
MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_HEADER_BYTES = 10_240

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_PARAMETER = re.compile(r"\{([^}]+)\}")
_AUTHORIZER_PROPERTY = re.compile(r"\$context\.authorizer\.(\w+)")
_RESPONSE_KEYS = frozenset(
    {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
)
_STATUS_CODES = range(100, 600)


class GatewayError(Exception):
    """The gateway answers by itself: one of API Gateway's response types, with its own text."""

    def __init__(
        self,
        response_type: str,
        message: str = "",
        authorizer: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(message or response_type)
        self.response_type = response_type
        self.message = message
        # What the authorizer said, where it was asked.
        self.authorizer = authorizer


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came in; header names are lower-case, the path is still encoded."""

    method: str
    path: str
    query: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    source_ip: str = "127.0.0.1"
    request_id: str = ""

    def header(self, name: str) -> str | None:
        """Return the last value of a header."""
        values = [value for key, value in self.headers if key == name.lower()]
        return values[-1] if values else None

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query parameters, decoded, in order."""
        return parse_qsl(self.query, keep_blank_values=True)


@dataclass(frozen=True)
class HttpResponse:
    """What goes back to the client."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Operation:
    """One method of one resource.

    `identities` holds (security scheme, header) of the places that a key may come in.
    `required` holds (place, name) of the parameters that the gateway itself insists on.
    `is_streamed` says that the function's answer goes to the client while it is made.
    """

    resource: str
    method: str
    function: str
    identities: Sequence[tuple[str, str]]
    required: Sequence[tuple[str, str]]
    pattern: re.Pattern[str]
    is_streamed: bool = False

    def is_missing(self, place: str, name: str, request: HttpRequest) -> bool:
        """Return whether a parameter is absent or blank."""
        if place == "header":
            return not (request.header(name) or "").strip()
        if place == "query":
            return not dict(request.parameters).get(name, "").strip()
        return False


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - YAML
    """Read a file of plain values, ten times as fast as `yaml.safe_load` where libyaml is there."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text("utf-8"), Loader=loader)  # noqa: S506 - both are safe


class Contract:
    """The operations of the OpenAPI document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        schemes = document["components"]["securitySchemes"]
        self._operations = [
            _operation(resource, method, path_item[method], schemes)
            for resource, path_item in document["paths"].items()
            for method in _METHODS
            if method in path_item
        ]
        # API Gateway prefers a literal segment over a parameter.
        self._operations.sort(key=lambda operation: operation.resource.count("{"))
        self._unrouted = document["x-tollgate-unrouted-function"]
        self._identities = [(name, scheme["name"].lower()) for name, scheme in schemes.items()]

    @classmethod
    def load(cls, path: Path = CONTRACT) -> Contract:
        """Read the document."""
        return cls(read_yaml(path))

    @property
    def functions(self) -> set[str]:
        """Names of the functions behind the operations."""
        return {self._unrouted, *(operation.function for operation in self._operations)}

    @property
    def streaming_functions(self) -> set[str]:
        """Names of those whose answers are streamed."""
        return {operation.function for operation in self._operations if operation.is_streamed}

    def route(self, request: HttpRequest) -> tuple[Operation, dict[str, str]]:
        """Return the operation and the path parameters, which stay percent-encoded.

        As on AWS, a path and its method are looked for together, a slash at the end does not
        matter, and what no operation takes is caught by the methods ANY of `/` and `/{proxy+}`.

        Raises:
            GatewayError: MISSING_AUTHENTICATION_TOKEN, API Gateway's way of saying "no route", for
                a method that ANY does not stand for.
        """
        path = f"/{request.path.strip('/')}"
        for operation in self._operations:
            match = operation.pattern.fullmatch(path)
            if match and operation.method == request.method:
                return operation, match.groupdict()
        if request.method.lower() not in _METHODS:
            raise GatewayError("MISSING_AUTHENTICATION_TOKEN")
        return self._catch(path)

    def _catch(self, path: str) -> tuple[Operation, dict[str, str]]:
        resource, parameters = "/", {}
        if path != "/":
            resource, parameters = "/{proxy+}", {"proxy": path.removeprefix("/")}
        caught = Operation(
            resource=resource,
            method="ANY",
            function=self._unrouted,
            identities=self._identities,
            required=(),
            pattern=re.compile(".*"),
        )
        return caught, parameters


class GatewayResponses:
    """The bodies and statuses of the gateway's own answers."""

    def __init__(self, document: Mapping[str, Mapping[str, Any]]) -> None:
        self._document = document

    @classmethod
    def load(cls, path: Path = RESPONSES) -> GatewayResponses:
        """Read them from the file that Terraform renders."""
        return cls(read_yaml(path))

    def render(self, error: GatewayError, request_id: str) -> HttpResponse:
        """Return the response that a client gets for the error."""
        entry = self._document[error.response_type]
        headers = [("content-type", "application/json"), ("x-request-id", request_id)]
        if "retry_after_seconds" in entry:
            headers.append(("retry-after", str(entry["retry_after_seconds"])))
        if entry.get("is_final"):
            headers.append(("x-should-retry", "false"))
        message, code = entry.get("message", error.message), entry["code"]
        body = {
            "message": message,
            "code": code,
            "request_id": request_id,
            "type": "error",
            "error": {"message": message, "type": entry["type"], "code": code},
        }
        if "advice" in entry:
            body["details"] = {"advice": entry["advice"]}
        # API Gateway puts values into its templates as they are, and nothing for what is not there.
        text = _AUTHORIZER_PROPERTY.sub(
            lambda found: str(error.authorizer.get(found[1], "")), json.dumps(body)
        )
        return HttpResponse(entry["status"], headers, text.encode())


def check_parameters(operation: Operation, request: HttpRequest) -> None:
    """Raise GatewayError when a parameter that the operation requires is not there."""
    missing = [
        name for place, name in operation.required if operation.is_missing(place, name, request)
    ]
    if missing:
        raise GatewayError(
            "BAD_REQUEST_PARAMETERS",
            f"Missing required request parameters: [{', '.join(missing)}]",
        )


def method_arn(request: HttpRequest) -> str:
    """Return the ARN that an authorizer's policy is about."""
    api = f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{API_ID}"
    return f"{api}/{STAGE}/{request.method}/{request.path.lstrip('/')}"


def authorizer_event(
    operation: Operation, request: HttpRequest, path_parameters: Mapping[str, str]
) -> dict[str, object]:
    """Return the event of a REQUEST authorizer."""
    event = _common_event(operation, request, path_parameters)
    return {"type": "REQUEST", "methodArn": method_arn(request), **event}


def proxy_event(
    operation: Operation,
    request: HttpRequest,
    path_parameters: Mapping[str, str],
    authorizer: Mapping[str, object],
) -> dict[str, object]:
    """Return the event of a Lambda proxy integration."""
    event = _common_event(operation, request, path_parameters)
    context = event["requestContext"]
    if isinstance(context, dict):
        context["authorizer"] = dict(authorizer)
    body = request.body.decode("utf-8", "replace") if request.body else None
    return {**event, "body": body, "isBase64Encoded": False}


@dataclass(frozen=True)
class Authorization:
    """What an authorizer said: its policy's statements, its context and the usage plan's key."""

    statements: Sequence[Mapping[str, Any]]
    context: Mapping[str, object]
    usage_key: str | None

    @classmethod
    def parse(cls, response: object) -> Authorization:
        """Read an authorizer's response.

        Raises:
            GatewayError: AUTHORIZER_CONFIGURATION_ERROR, it is not what API Gateway takes.
        """
        broken = GatewayError("AUTHORIZER_CONFIGURATION_ERROR")
        if not isinstance(response, dict) or not isinstance(response.get("principalId"), str):
            raise broken
        document = response.get("policyDocument")
        statements = document.get("Statement") if isinstance(document, dict) else None
        context = response.get("context") or {}
        if not isinstance(statements, list) or not isinstance(context, dict):
            raise broken
        if not all(isinstance(value, str | int | float | bool) for value in context.values()):
            raise broken
        # Every value reaches the function as a string.
        texts = {
            name: json.dumps(value) if isinstance(value, bool) else str(value)
            for name, value in context.items()
        }
        return cls(
            statements,
            {**texts, "principalId": response["principalId"], "integrationLatency": 0},
            response.get("usageIdentifierKey"),
        )

    def allows(self, arn: str) -> bool:
        """Return whether the policy allows the call: an Allow and no Deny."""
        effects = {
            statement.get("Effect")
            for statement in self.statements
            if _matches(statement.get("Action"), "execute-api:Invoke")
            and _matches(statement.get("Resource"), arn)
        }
        return "Allow" in effects and "Deny" not in effects


def proxy_response(document: object, request_id: str) -> HttpResponse:
    """Check and convert what a function returned.

    Raises:
        GatewayError: INTEGRATION_FAILURE, it is not a proxy response.
    """
    malformed = GatewayError("INTEGRATION_FAILURE")
    if not isinstance(document, dict) or not set(document) <= _RESPONSE_KEYS:
        raise malformed
    status = _status(document.get("statusCode"))
    body = document.get("body")
    if status is None or not (body is None or isinstance(body, str)):
        raise malformed
    payload = (body or "").encode()
    if document.get("isBase64Encoded"):
        try:
            payload = base64.b64decode(payload, validate=True)
        except binascii.Error as error:
            raise malformed from error
    headers = _response_headers(document)
    names = {name for name, _ in headers}
    if "content-type" not in names:
        headers.append(("content-type", "application/json"))
    return HttpResponse(status, [*headers, ("x-amzn-requestid", request_id)], payload)


def _operation(
    resource: str, method: str, operation: Mapping[str, Any], schemes: Mapping[str, Any]
) -> Operation:
    allowed = [scheme for alternative in operation["security"] for scheme in alternative]
    validated = "x-amazon-apigateway-request-validator" in operation
    required = [
        (parameter["in"], parameter["name"])
        for parameter in operation.get("parameters", ())
        if validated and parameter.get("required")
    ]
    literal = _PARAMETER.split(resource)
    pattern = "".join(
        f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(literal)
    )
    return Operation(
        resource=resource,
        method=method.upper(),
        function=operation["x-tollgate-function"],
        identities=[(scheme, schemes[scheme]["name"].lower()) for scheme in allowed],
        required=required,
        pattern=re.compile(pattern),
        is_streamed=operation.get("x-tollgate-response-transfer-mode") == "STREAM",
    )


def _common_event(
    operation: Operation, request: HttpRequest, path_parameters: Mapping[str, str]
) -> dict[str, object]:
    now = datetime.now(UTC)
    return {
        "resource": operation.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(request.headers),
        "multiValueHeaders": _multi(request.headers),
        "queryStringParameters": dict(request.parameters) or None,
        "multiValueQueryStringParameters": _multi(request.parameters) or None,
        "pathParameters": dict(path_parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": API_ID,
            "domainName": "localhost",
            "extendedRequestId": request.request_id,
            "httpMethod": request.method,
            "identity": {
                "sourceIp": request.source_ip,
                "userAgent": request.header("user-agent"),
            },
            "path": f"/{STAGE}{request.path}",
            "protocol": "HTTP/1.1",
            "requestId": request.request_id,
            "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": round(now.timestamp() * 1000),
            "resourceId": "local",
            "resourcePath": operation.resource,
            "stage": STAGE,
        },
    }


def _multi(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    collected: dict[str, list[str]] = {}
    for name, value in pairs:
        collected.setdefault(name, []).append(value)
    return collected


def _matches(patterns: object, value: str) -> bool:
    """Return whether an IAM pattern, or one of a list, matches (`*` and `?` are wildcards)."""
    for pattern in [patterns] if isinstance(patterns, str) else patterns or ():  # type: ignore[attr-defined]
        expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(expression, value):
            return True
    return False


def _status(value: object) -> int | None:
    """Return a status code given as a number or as digits, None when it is neither."""
    if isinstance(value, bool) or not str(value).isdigit():
        return None
    status = int(str(value))
    return status if status in _STATUS_CODES else None


def _response_headers(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    multi: Mapping[str, Sequence[object]] = document.get("multiValueHeaders") or {}
    single: Mapping[str, object] = document.get("headers") or {}
    headers = [(name.lower(), str(value)) for name, values in multi.items() for value in values]
    repeated = {name for name, _ in headers}
    headers.extend(
        (name.lower(), str(value)) for name, value in single.items() if name.lower() not in repeated
    )
    return headers
