"""What API Gateway does with every request: the events it sends, and what it makes of the answers.

The policy that an authorizer returns is decided here, and a proxy response checked; `rest_api` has
what an API's definition says. No I/O.
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

from scripts.local.ministack import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.local.rest_api import Operation

API_ID = "local"
STAGE = "v1"
MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_HEADER_BYTES = 10_240

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
