"""The OpenAPI document is complete, and says what the handlers do."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from scripts.build import routes
from scripts.build.tables import operations
from scripts.local import deployment
from scripts.local.apigateway import GatewayError, HttpRequest
from scripts.local.rest_api import Contract, check_parameters
from tests.contract import hcl
from tests.fakes.exchanges import request
from tollgate.dialects.anthropic import errors as anthropic_errors
from tollgate.dialects.anthropic import request as anthropic
from tollgate.dialects.bedrock import errors as bedrock_errors
from tollgate.dialects.bedrock import request as bedrock
from tollgate.dialects.jobs import request as jobs
from tollgate.dialects.legacy import request as legacy
from tollgate.dialects.openai import errors as openai_errors
from tollgate.dialects.openai import request as openai
from tollgate.dialects.profiles import request as profiles
from tollgate.domain import errors
from tollgate.domain.idempotency import is_valid_key
from tollgate.domain.jobs import MAX_CURSOR
from tollgate.domain.tenants import InferenceProfile
from tollgate.entry.routes import UNROUTED, key_headers
from tollgate_authorize.advice import FORMS
from tollgate_stream.service import MAX_WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GATEWAY = hcl.ROOT / "modules" / "gateway"
DOCUMENT = yaml.safe_load((GATEWAY / "openapi.yaml").read_text("utf-8"))
ANSWERS = yaml.safe_load((GATEWAY / "gateway_responses.yaml").read_text("utf-8"))
OPERATIONS = {
    operation["operationId"]: (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
FUNCTIONS = hcl.functions()
every_operation = pytest.mark.parametrize("name", sorted(OPERATIONS))

# What API Gateway can answer on any route: there is always one, and integrations take every type.
NOT_ON_A_ROUTE = {
    "MISSING_AUTHENTICATION_TOKEN",
    "RESOURCE_NOT_FOUND",
    "UNSUPPORTED_MEDIA_TYPE",
}
# Errors that only some operations can raise, beside those that every one can.
BAD_REQUEST = errors.InvalidRequestError.http_status
ANYWHERE = {
    errors.TollgateError,
    errors.InvalidRequestError,
    errors.ForbiddenError,
    errors.PayloadTooLargeError,
    errors.UnavailableError,
}
CALLING = {
    errors.BudgetExceededError,
    errors.BudgetHeldError,
    errors.NotFoundError,
    errors.ConflictError,
    errors.MismatchError,
    errors.RateExceededError,
    errors.UpstreamThrottledError,
    errors.UpstreamFailedError,
    errors.StreamBrokenError,
    errors.UpstreamTimeoutError,
}
# What is answered to a request of no operation.
OFF_EVERY_ROUTE = {errors.UnknownRouteError, errors.MethodNotAllowedError}
ALSO: dict[str, set[type[errors.TollgateError]]] = {
    "invokeModel": {*CALLING, errors.GoneError},
    "getJob": {errors.NotFoundError, errors.GoneError},
    "getModel": {errors.NotFoundError},
    "listModels": set(),
    "listFoundationModels": set(),
    "getUsage": set(),
    "countTokens": {errors.NotFoundError, errors.UpstreamFailedError, errors.UpstreamTimeoutError},
    "countMessageTokens": {
        errors.NotFoundError,
        errors.UpstreamFailedError,
        errors.UpstreamTimeoutError,
    },
}
ERRORS_BY_TAG = {
    "Tollgate": "Error",
    "Seed": "Error",
    "OpenAI": "OpenAIError",
    "Anthropic": "AnthropicError",
    "Bedrock": "BedrockError",
}


def resolved(node: Any) -> Any:  # noqa: ANN401 - any part of the document
    """The node behind a reference of one step."""
    if isinstance(node, dict) and "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found
    return node


def problems(schema: Any, value: object) -> list[str]:  # noqa: ANN401 - a schema
    root = {**schema, "components": DOCUMENT["components"]}
    return [error.message for error in OAS30Validator(root).iter_errors(value)]


def media_types(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Where it is, its name and its object: of the request and of every response."""
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", kind, media
    for status, response in operation["responses"].items():
        for kind, media in resolved(response).get("content", {}).items():
            yield status, kind, media


def examples(node: dict[str, Any]) -> list[object]:
    named = [example["value"] for example in node.get("examples", {}).values()]
    return [*([node["example"]] if "example" in node else ()), *named]


@every_operation
def test_an_operation_is_described_to_its_callers(name: str) -> None:
    path, _, operation = OPERATIONS[name]

    assert operation["summary"]
    (tag,) = operation["tags"]
    assert tag in {known["name"] for known in DOCUMENT["tags"]}
    parameters = operation.get("parameters", [])
    assert all(parameter["description"] for parameter in parameters)
    # Its path parameters are those of its path, each with an example.
    in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
    assert in_path == {part.strip("{}") for part in path.split("/") if part.startswith("{")}
    required = [parameter for parameter in parameters if parameter.get("required")]
    assert all("example" in parameter for parameter in required)


@every_operation
def test_every_body_has_a_schema_and_examples_that_it_takes(name: str) -> None:
    _, method, operation = OPERATIONS[name]

    assert ("requestBody" in operation) == (method == "post")
    found = list(media_types(operation))
    assert {place for place, _, _ in found} >= set(operation["responses"])
    for place, kind, media in found:
        assert "schema" in media, (place, kind)
        given = examples(media)
        assert given, (place, kind)
        for example in given:
            assert problems(media["schema"], example) == [], (place, kind)


@every_operation
def test_the_examples_of_parameters_fit_them(name: str) -> None:
    for parameter in OPERATIONS[name][2].get("parameters", []):
        for example in examples(parameter):
            assert problems(parameter["schema"], example) == [], parameter["name"]


@every_operation
def test_every_status_that_can_be_answered_is_documented(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    own = {answer["status"] for kind, answer in ANSWERS.items() if kind not in NOT_ON_A_ROUTE}
    raised: set[type[errors.TollgateError]] = {*ANYWHERE, *ALSO.get(name, CALLING)}
    statuses = own | {error.http_status for error in raised}
    if operation["tags"] == ["Bedrock"]:
        # As Bedrock has them: SDKs would repeat a call that answers 5xx.
        statuses |= {408, 424}

    documented = {int(status) for status in operation["responses"]}
    assert {status for status in documented if status >= BAD_REQUEST} == statuses


def test_every_error_is_among_those_that_operations_raise() -> None:
    # The second is an UpstreamFailedError in words of its own.
    raised = {*ANYWHERE, *CALLING, *OFF_EVERY_ROUTE, errors.GoneError, errors.UnreadableError}
    known = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.TollgateError)
    }

    assert raised == known


@every_operation
def test_errors_are_in_the_dialect_of_their_operation(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    wanted = f"#/components/schemas/{ERRORS_BY_TAG[operation['tags'][0]]}"
    for status, response in operation["responses"].items():
        if int(status) >= BAD_REQUEST:
            content = resolved(response)["content"]
            assert content["application/json"]["schema"]["$ref"] == wanted, status


@pytest.mark.parametrize(
    ("dialect", "module"),
    [
        ("openai", openai_errors),
        ("anthropic", anthropic_errors),
        ("bedrock", bedrock_errors),
    ],
)
def test_errors_of_a_dialect_fit_its_schema(dialect: str, module: Any) -> None:
    schema = next(
        DOCUMENT["components"]["schemas"][schema]
        for tag, schema in ERRORS_BY_TAG.items()
        if tag.lower() == dialect
    )
    for kind in {*ANYWHERE, *CALLING, *OFF_EVERY_ROUTE}:
        for error in (kind("why"), kind("why", details={"limit": 1}, may_be_billed=True)):
            assert problems(schema, module.error_body(error, "call-1")) == []


@pytest.mark.parametrize("schema", sorted(set(ERRORS_BY_TAG.values())))
def test_what_api_gateway_answers_is_an_error_of_every_dialect(schema: str) -> None:
    body = {
        "message": "Forbidden",
        "code": "invalid_api_key",
        "request_id": "gw-1",
        "type": "error",
        "error": {"message": "Forbidden", "type": "permission_error", "code": "invalid_api_key"},
    }

    assert problems(DOCUMENT["components"]["schemas"]["GatewayError"], body) == []
    assert problems(DOCUMENT["components"]["schemas"][schema], body) == []


@every_operation
def test_the_gateways_validator_is_there_where_parameters_are_required(name: str) -> None:
    """API Gateway checks presence only, and only of what its method request names."""
    _, _, operation = OPERATIONS[name]
    required = {
        parameter["name"]
        for parameter in operation.get("parameters", [])
        if parameter.get("required") and parameter["in"] != "path"
    }
    if required:
        assert operation["x-amazon-apigateway-request-validator"] == "parameters"


# The handlers' own checks of what the document requires.
OWN_CHECKS: dict[tuple[str, str], Callable[[], object]] = {
    ("invokeModel", "team_id"): lambda: legacy.team_of(request())
}


def test_handlers_check_what_the_gateway_checks_in_its_words() -> None:
    required = {
        (name, parameter["name"])
        for name, (_, _, operation) in OPERATIONS.items()
        for parameter in operation.get("parameters", [])
        if parameter.get("required") and parameter["in"] != "path"
    }
    assert required == set(OWN_CHECKS)
    gateway = Contract(deployment.described())
    for (name, _), check in OWN_CHECKS.items():
        path, method, _ = OPERATIONS[name]
        given = HttpRequest(method.upper(), path)
        with pytest.raises(GatewayError) as refused:
            check_parameters(gateway.route(given)[0], given)
        with pytest.raises(errors.InvalidRequestError) as refused_too:
            check()
        assert refused_too.value.message == refused.value.message


def chat(**more: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": [{"text": "hi"}]}], **more}


PROFILE = InferenceProfile("own", "amazon.nova-lite-v1:0", "arn:own", {})
MODEL = {"modelId": "m"}
TARGET = legacy.Target("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0")
# Handlers that refuse a key of the body which they do not know, by the schema of that body.
PARSERS: dict[str, list[Callable[[], object]]] = {
    "ChatCompletionRequest": [lambda: openai.parse_chat(request(chat(unknown=1)))],
    "EmbeddingsRequest": [lambda: openai.parse_embeddings(request({"unknown": 1}))],
    "MessageRequest": [lambda: anthropic.parse_chat(request(chat(max_tokens=1, unknown=1)))],
    "CountMessageRequest": [lambda: anthropic.parse_count(request(chat(unknown=1)))],
    "ConverseRequest": [lambda: bedrock.parse_chat(request({"unknown": 1}, path=MODEL))],
    "CountTokensRequest": [lambda: bedrock.parse_count(request({"unknown": 1}, path=MODEL))],
    "JobRequest": [lambda: jobs.parse_chat(request(chat(unknown=1)))],
    "InvokeProfileRequest": [lambda: profiles.parse_chat(request({"unknown": 1}), PROFILE)],
    "InvokeModelRequest": [
        partial(legacy.parse, request({"unknown": 1}, headers={"type": kind}), TARGET, {})
        for kind in ("text", "embeddings", "image")
    ],
}


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_a_bodys_properties_are_those_that_its_handler_reads(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    schema = schema.get("oneOf", [schema])[-1]
    allowed = set()
    for parse in PARSERS[name]:
        with pytest.raises(errors.InvalidRequestError, match="unknown key 'unknown'") as refused:
            parse()
        allowed |= set(refused.value.message.partition("allowed are ")[2].split(", "))

    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == allowed


def test_bounds_of_parameters_are_the_handlers() -> None:
    found = {
        parameter["name"]: parameter["schema"]
        for _, _, operation in OPERATIONS.values()
        for parameter in operation.get("parameters", [])
    }

    assert found["cursor"]["maximum"] == MAX_CURSOR
    assert found["wait"]["maximum"] == MAX_WAIT_SECONDS
    key = found["Idempotency-Key"]
    assert re.fullmatch(key["pattern"], "~" * key["maxLength"])
    assert is_valid_key("~" * key["maxLength"])
    for refused in ("~" * (key["maxLength"] + 1), "\u00e9", "a\nb", ""):
        is_short = len(refused) <= key["maxLength"]
        assert not (is_short and re.fullmatch(key["pattern"], refused))
        assert not is_valid_key(refused)


@every_operation
def test_a_function_is_given_to_every_operation(name: str) -> None:
    _, _, operation = OPERATIONS[name]

    assert operation["x-tollgate-function"] in FUNCTIONS
    if operation.get("x-tollgate-response-transfer-mode") == "STREAM":
        # API Gateway waits as long as the function may take.
        assert FUNCTIONS[operation["x-tollgate-function"]]["timeout_seconds"] == 900


def test_the_functions_know_the_routes_of_the_contract() -> None:
    assert routes.TABLE.read_text("utf-8") == routes.render(DOCUMENT), (
        "stale; run `python -m scripts.build.routes`"
    )


def test_the_authorizer_reads_the_headers_that_a_route_has_its_key_in() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    for path, _, operation in OPERATIONS.values():
        named = [schemes[scheme]["name"] for place in operation["security"] for scheme in place]
        assert list(key_headers(path)) == named
        assert set(named) <= set(FORMS)
    # Where there is no route, a key may come as on any.
    assert {key_headers(resource) for resource in UNROUTED} == {tuple(FORMS)}


def test_who_sends_no_key_is_told_which_header_each_route_takes() -> None:
    """API Gateway answers it without asking `authorize`, in one text for all routes with one."""
    said = ANSWERS["UNAUTHORIZED"]["message"]
    listed, _, others = said.partition(f"as {FORMS['x-api-key']} on ")[2].partition(", as ")

    assert re.findall(r"/\w+", listed) == [
        path for path, _, _ in OPERATIONS.values() if key_headers(path) == ("x-api-key",)
    ]
    assert others.startswith(f"{FORMS['Authorization']} on all others.")


def test_nothing_in_the_components_is_unused() -> None:
    text = json.dumps(DOCUMENT)
    unused = [
        f"{kind}/{name}"
        for kind, entries in DOCUMENT["components"].items()
        if kind != "securitySchemes"
        for name in entries
        if f'"#/components/{kind}/{name}"' not in text
    ]

    # What API Gateway answers by itself stands behind every error.
    assert unused == ["schemas/GatewayError"]


def test_schemas_are_schemas() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        OAS30Validator.check_schema(schema)
        assert schema.get("type") or schema.get("oneOf"), name


def test_the_callers_guide_lists_every_operation() -> None:
    guide = (GATEWAY / "CALLING.md").read_text("utf-8")

    table = operations.render(GATEWAY / "openapi.yaml")
    assert table in guide
    for path, method, _ in OPERATIONS.values():
        assert f"`{method.upper()} {path}`" in table
