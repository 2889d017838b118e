"""Requests of no route: what they are told, in whose words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.local.lambda_runtime import LambdaContext
from tollgate.entry.routes import ROUTES, is_parameter
from tollgate_models.handler import lambda_handler
from tollgate_models.unrouted import refusal_of

CONTEXT = LambdaContext("models", 30)
SECRET = "k" * 40
ANTHROPIC = {"anthropic-version": "2023-06-01"}
AWS = {"amz-sdk-request": "attempt=1"}
OPENAI = {"x-stainless-lang": "python"}

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

# Method, path, the nearest route, and what is said of the slip.
SLIPS = [
    ("POST", "/chat/completions", "POST /v1/chat/completions", ": /v1 is missing"),
    ("POST", "/v1/v1/chat/completions", "POST /v1/chat/completions", ": /v1 stands twice"),
    ("POST", "/v1/v1/messages", "POST /v1/messages", ": /v1 stands twice"),
    ("GET", "/models/amazon.nova-lite-v1:0", "GET /v1/models/{model}", ": /v1 is missing"),
    ("GET", "/jobs/1", "GET /v1/jobs/{id}", ": /v1 is missing"),
    ("POST", "/v1/chat/completion", "POST /v1/chat/completions", ""),
    ("POST", "/V1/Messages", "POST /v1/messages", ""),
    ("POST", "/v1/completions", "POST /v1/chat/completions", ""),
    ("POST", "/openai/v1/chat/completions", "POST /v1/chat/completions", ""),
    ("POST", "/openai/deployments/gpt/chat/completions", "POST /v1/chat/completions", ""),
    ("GET", "/v1/model", "GET /v1/models", ""),
    ("GET", "//v1//models", "GET /v1/models", ""),
    ("POST", "/invoke-model", "POST /invoke_model", ""),
    ("POST", "/model/m/convers", "POST /model/{modelId}/converse", ""),
    ("POST", "/v1/model/m/converse-stream", "POST /model/{modelId}/converse-stream", ""),
    (
        "POST",
        "/model/arn:aws:bedrock:us-east-1::x/y/converse",
        "POST /model/{modelId}/converse",
        ": a slash within {modelId} is written %2F",
    ),
    ("POST", "/model//converse", "POST /model/{modelId}/converse", ": {modelId} is empty"),
    ("POST", "/model/converse", "POST /model/{modelId}/converse", ": {modelId} is empty"),
    ("GET", "/v1/models/a/b", "GET /v1/models/{model}", ": a slash within {model} is written %2F"),
]


@pytest.mark.parametrize(("method", "path", "nearest", "slip"), SLIPS)
def test_the_nearest_route_is_named(method: str, path: str, nearest: str, slip: str) -> None:
    _, refusal = refusal_of(method, path, {})

    assert (refusal.http_status, refusal.code) == (404, "unknown_route")
    assert refusal.details == {"nearest": nearest}
    assert refusal.message == (
        f"there is no such route; the nearest, after the gateway's base URL, is {nearest}{slip}"
    )


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_route_is_found_without_its_beginning_and_with_it_twice(route: Any) -> None:
    filled = ["x" if is_parameter(word) else word for word in route.segments]
    wrong = [[filled[0], *filled], ["prod", *filled]]
    if len(filled) > 1 and not is_parameter(route.segments[1]):
        wrong.append(filled[1:])
    for segments in wrong:
        api, refusal = refusal_of(route.method, "/" + "/".join(segments), {})
        assert refusal.details == {"nearest": str(route)}, segments
        assert api == route.api


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_another_method_is_told_those_of_the_path(route: Any) -> None:
    path = route.path.replace("{", "").replace("}", "")
    methods = [each.method for each in ROUTES if each.path == route.path]
    for method in set(METHODS) - set(methods):
        for asked in (path, f"{path}/"):
            api, refusal = refusal_of(method, asked, ANTHROPIC)
            assert (refusal.http_status, refusal.code) == (405, "method_not_allowed")
            assert refusal.details == {"allowed_methods": methods}
            assert refusal.message == f"{route.path} takes {' or '.join(methods)}, not {method}"
            # The path is known, and its API with it.
            assert api == route.api


@pytest.mark.parametrize(
    ("path", "headers", "api"),
    [
        ("/health", {}, "Tollgate"),
        ("/", {}, "Tollgate"),
        ("/", ANTHROPIC, "Anthropic"),
        ("/v1/files", {}, "OpenAI"),
        ("/responses", OPENAI, "OpenAI"),
        ("/v1/files", ANTHROPIC, "Anthropic"),
        ("/inference-profiles", AWS, "Bedrock"),
        ("/model/m", {}, "Bedrock"),
        ("/guardrail/g/version/1/apply", AWS, "Bedrock"),
    ],
)
def test_what_is_near_to_nothing_is_told_the_routes_of_its_api(
    path: str, headers: dict[str, str], api: str
) -> None:
    taken_for, refusal = refusal_of("GET", path, headers)

    assert taken_for == api
    assert refusal.http_status == 404
    _, _, listed = refusal.message.partition("there are ")
    own = [str(route) for route in ROUTES if api in {route.api, "Tollgate"}]
    assert listed == ", ".join(own)


def test_the_headers_of_an_sdk_say_more_than_the_nearest_route() -> None:
    assert refusal_of("GET", "/models", ANTHROPIC)[0] == "Anthropic"
    assert refusal_of("GET", "/models", {})[0] == "OpenAI"


def test_nothing_of_a_path_is_repeated_however_long_it_is() -> None:
    paths = (f"/v1/{SECRET}", f"/{SECRET}/v1/models/{SECRET}/x", "/models" * 4000, "/" + "m" * 8000)
    for path in paths:
        assert SECRET not in json.dumps(refusal_of("GET", path, {})[1].details)
        assert SECRET not in refusal_of("GET", path, {})[1].message


WORDS = st.sampled_from(sorted({word for route in ROUTES for word in route.segments}))


@given(
    method=st.sampled_from(METHODS),
    parts=st.lists(st.one_of(WORDS, st.text(max_size=80)), max_size=12),
    headers=st.sampled_from([{}, ANTHROPIC, AWS, OPENAI]),
)
def test_every_path_has_an_answer(method: str, parts: list[str], headers: dict[str, str]) -> None:
    api, refusal = refusal_of(method, "/" + "/".join(parts), headers)

    assert api in {route.api for route in ROUTES}
    if refusal.http_status == 405:
        assert method not in refusal.details["allowed_methods"]
    else:
        assert refusal.details.get("nearest", str(ROUTES[0])) in {str(route) for route in ROUTES}


def event(method: str, path: str, **headers: str) -> dict[str, Any]:
    caller = {"tenant_id": "acme", "app_id": "web", "key_id": "web/primary", "tier": "pro"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "requestContext": {"requestId": "gw-1", "authorizer": caller},
    }


# In the words of each API: where its message stands, and what its clients tell errors by.
FORMS = [
    ("/usage", {}, lambda body: body["message"], "unknown_route"),
    ("/models", {}, lambda body: body["error"]["message"], "not_found_error"),
    ("/messages", {}, lambda body: body["error"]["message"], "not_found_error"),
    ("/v2/model/m/invoke", {}, lambda body: body["message"], "ResourceNotFoundException"),
]


@pytest.mark.parametrize(("path", "headers", "message", "kind"), FORMS)
def test_a_refusal_is_in_the_words_of_its_api(
    path: str, headers: dict[str, str], message: Any, kind: str
) -> None:
    response = lambda_handler(event("GET", path, **headers), CONTEXT)

    body = json.loads(response["body"])
    assert response["statusCode"] == 404
    assert response["headers"]["x-tenant-id"] == "acme"
    assert response["headers"]["x-request-id"] == "gw-1"
    assert message(body).startswith("there is no such route; the nearest")
    spoken = body.get("error", body)
    assert kind in {spoken.get("type"), spoken.get("code"), body.get("__type")}


def test_the_methods_of_a_path_stand_in_a_header() -> None:
    response = lambda_handler(event("PUT", "/v1/chat/completions"), CONTEXT)

    assert (response["statusCode"], response["headers"]["Allow"]) == (405, "POST")
    assert json.loads(response["body"])["error"]["code"] == "method_not_allowed"


def test_bedrocks_clients_have_a_name_for_a_wrong_method() -> None:
    response = lambda_handler(event("GET", "/model/m/invoke"), CONTEXT)

    assert response["headers"]["x-amzn-errortype"] == "UnknownOperationException"
    assert response["headers"]["Allow"] == "POST"
