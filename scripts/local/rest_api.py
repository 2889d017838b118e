"""What a REST API's definition says: routes, authorizers, required parameters, its own answers.

The definition is the OpenAPI document with API Gateway's extensions that Terraform renders.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.local.apigateway import GatewayError, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.local.deployment import Deployment

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_ANY = "x-amazon-apigateway-any-method"
_PARAMETER = re.compile(r"\{([^}]+)\}")
_IDENTITY = re.compile(r"method\.request\.header\.([\w-]+)")
# The function in the URI of an integration or authorizer.
_FUNCTION = re.compile(r"/functions/([^/]+)/")
# What templates and headers of the gateway's own answers are made of.
_CONTEXT = re.compile(r"\$context\.(\w+(?:\.\w+)*)")


@dataclass(frozen=True)
class Authorizer:
    """Who decides on a call: a function, and the headers without which it is not asked.

    With no such header it is asked every time; else its answer holds for `cache_seconds`.
    """

    name: str
    function: str
    headers: Sequence[str]
    cache_seconds: float


@dataclass(frozen=True)
class Operation:
    """One method of one resource.

    `required` holds (place, name) of the parameters that the gateway itself insists on.
    `is_counted` says that calls count against the usage plan of the caller's key, `is_streamed`
    that the function's answer goes to the client while it is made.
    """

    resource: str
    method: str
    function: str
    authorizer: Authorizer
    required: Sequence[tuple[str, str]]
    pattern: re.Pattern[str]
    timeout_seconds: float
    is_counted: bool
    is_streamed: bool

    def is_missing(self, place: str, name: str, request: HttpRequest) -> bool:
        """Return whether a parameter is absent or blank."""
        if place == "header":
            return not (request.header(name) or "").strip()
        if place == "query":
            return not dict(request.parameters).get(name, "").strip()
        return False


class Contract:
    """The operations of a REST API.

    Args:
        deployment: its `api` is the definition; integrations name its functions.

    Raises:
        ValueError: an integration or authorizer names a function that is none of the deployment's.
    """

    def __init__(self, deployment: Deployment) -> None:
        names = {function.arn: name for name, function in deployment.functions.items()}
        document = deployment.api
        schemes = document["components"]["securitySchemes"]
        self._authorizers = {
            name: _authorizer(name, scheme["x-amazon-apigateway-authorizer"], names)
            for name, scheme in schemes.items()
            if "x-amazon-apigateway-authorizer" in scheme
        }
        validators = document["x-amazon-apigateway-request-validators"]
        self._validating = {n for n, v in validators.items() if v["validateRequestParameters"]}
        self._operations = [
            self._operation(resource, method, path_item[method], names)
            for resource, path_item in document["paths"].items()
            for method in (*_METHODS, _ANY)
            if method in path_item
        ]
        # API Gateway prefers a literal segment over a parameter, and that over `{proxy+}`.
        self._operations.sort(key=lambda o: ("+}" in o.resource, o.resource.count("{")))

    @property
    def functions(self) -> set[str]:
        """Names of the functions behind the operations, and of those that authorize them."""
        authorizers = {authorizer.function for authorizer in self._authorizers.values()}
        return {*authorizers, *(operation.function for operation in self._operations)}

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
            if match and self._takes(operation, request.method):
                return operation, match.groupdict()
        raise GatewayError("MISSING_AUTHENTICATION_TOKEN")

    @staticmethod
    def _takes(operation: Operation, method: str) -> bool:
        return operation.method in (method, "ANY") and method.lower() in _METHODS

    def _operation(
        self,
        resource: str,
        method: str,
        operation: Mapping[str, Any],
        names: Mapping[str, str],
    ) -> Operation:
        integration = operation["x-amazon-apigateway-integration"]
        schemes = [scheme for alternative in operation["security"] for scheme in alternative]
        [authorizer] = [self._authorizers[name] for name in schemes if name in self._authorizers]
        is_validated = operation.get("x-amazon-apigateway-request-validator") in self._validating
        return Operation(
            resource=resource,
            method="ANY" if method == _ANY else method.upper(),
            function=_function(integration["uri"], names),
            authorizer=authorizer,
            required=[
                (parameter["in"], parameter["name"])
                for parameter in operation["parameters"]
                if is_validated and parameter["required"]
            ],
            pattern=_pattern(resource),
            timeout_seconds=integration["timeoutInMillis"] / 1000,
            is_counted=any(name not in self._authorizers for name in schemes),
            is_streamed=integration["responseTransferMode"] == "STREAM",
        )


class GatewayResponses:
    """The gateway's own answers, as a REST API's definition has them."""

    def __init__(self, api: Mapping[str, Any]) -> None:
        self._document = api["x-amazon-apigateway-gateway-responses"]

    def render(self, error: GatewayError, request_id: str) -> HttpResponse:
        """Return the response that a client gets for the error."""
        answer = self._document[error.response_type]
        context = {
            "requestId": request_id,
            # With its quotes, as API Gateway has it.
            "error.messageString": json.dumps(error.message, ensure_ascii=False),
            **{f"authorizer.{name}": str(value) for name, value in error.authorizer.items()},
        }

        def filled(text: str) -> str:
            # API Gateway puts values in as they are, and nothing for what is not there.
            return _CONTEXT.sub(lambda found: context.get(found[1], ""), text)

        headers = [("content-type", "application/json")]
        for name, value in answer["responseParameters"].items():
            # A text stands in quotes.
            given = value[1:-1] if value.startswith("'") else filled(f"${value}")
            headers.append((name.removeprefix("gatewayresponse.header.").lower(), given))
        body = filled(answer["responseTemplates"]["application/json"])
        return HttpResponse(int(answer["statusCode"]), headers, body.encode())


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


def _function(uri: str, names: Mapping[str, str]) -> str:
    """The short name of the function that a URI of API Gateway's invokes."""
    found = _FUNCTION.search(uri)
    if found is None or found[1] not in names:
        raise ValueError(f"integration: got {uri}; allowed: {', '.join(sorted(names))}")
    return names[found[1]]


def _authorizer(name: str, definition: Mapping[str, Any], names: Mapping[str, str]) -> Authorizer:
    sources = definition.get("identitySource", "")
    return Authorizer(
        name=name,
        function=_function(definition["authorizerUri"], names),
        headers=[name.lower() for name in _IDENTITY.findall(sources)],
        cache_seconds=definition["authorizerResultTtlInSeconds"],
    )


def _pattern(resource: str) -> re.Pattern[str]:
    """What paths a resource takes; the value of `{name+}` may have slashes."""
    parts = []
    for index, part in enumerate(_PARAMETER.split(resource)):
        if index % 2:
            parts.append(f"(?P<{part.rstrip('+')}>{'.+' if part.endswith('+') else '[^/]+'})")
        else:
            parts.append(re.escape(part))
    return re.compile("".join(parts))
