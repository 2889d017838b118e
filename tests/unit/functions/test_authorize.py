"""The request authorizer."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.ledger import FakeTenants
from tests.fakes.world import FakeClock
from tollgate.domain.tenants import KeyRecord
from tollgate.entry.routes import key_headers
from tollgate.observability import logger
from tollgate_authorize import handler
from tollgate_authorize.advice import advice
from tollgate_authorize.service import AuthorizeService, allow, credential, deny
from tollgate_authorize.user_agent import user_agent

KEY = "k" * 40
RECORD = KeyRecord("acme", "web", "web/primary", "pro", "active", None)
CONTEXT: Any = SimpleNamespace(
    function_name="authorize",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:authorize",
    aws_request_id="r-1",
)
ARN = "arn:aws:execute-api:us-east-1:123456789012:abc123/v1/POST/invoke_model"


def service(record: KeyRecord = RECORD) -> AuthorizeService:
    keys = {hashlib.sha256(KEY.encode()).hexdigest(): record}
    return AuthorizeService(FakeTenants(keys=keys), FakeClock())


@pytest.mark.parametrize(
    ("headers", "route"),
    [
        ({"x-api-key": KEY}, "/invoke_model"),
        ({"X-Api-Key": KEY}, "/invoke"),
        ({"X-Api-Key": KEY, "Authorization": "Basic b"}, "/list_foundation_models"),
        ({"Authorization": f"Bearer {KEY}"}, "/v1/usage"),
        ({"authorization": f"bearer {KEY}", "x-api-key": "b"}, "/v1/jobs/{id}"),
        ({"x-api-key": KEY}, "/v1/messages"),
        ({"Authorization": f"Bearer {KEY}"}, "/v1/messages/count_tokens"),
    ],
)
def test_a_known_key_is_let_in_from_its_routes_header(headers: dict[str, str], route: str) -> None:
    assert service().authorize(headers, route) == (KEY, RECORD)


@pytest.mark.parametrize(
    ("headers", "route"),
    [
        ({"x-api-key": KEY}, "/v1/usage"),
        ({"x-api-key": KEY, "Authorization": "Bearer b"}, "/v1/usage"),
        ({"x-api-key": KEY, "Authorization": "Basic b"}, "/model/{modelId}/converse"),
        ({"Authorization": f"Bearer {KEY}"}, "/invoke_model"),
        ({"x-api-key": "b", "Authorization": f"Bearer {KEY}"}, "/invoke_model"),
    ],
)
def test_a_key_in_another_header_is_not_let_in(headers: dict[str, str], route: str) -> None:
    assert service().authorize(headers, route) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": "short"},
        {"x-api-key": "z" * 40},
        {"x-api-key": "k" * 5000},
        {"x-api-key": "é" * 40},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
    ],
)
def test_anything_else_is_not(headers: dict[str, str]) -> None:
    assert service().authorize(headers, "/v1/messages") is None


def test_suspended_and_expired_keys_are_not_let_in() -> None:
    suspended = KeyRecord("acme", "web", "web/primary", "pro", "suspended", None)
    expired = KeyRecord("acme", "web", "web/primary", "pro", "active", date(2026, 11, 21))

    assert service(suspended).authorize({"x-api-key": KEY}, "/invoke") is None
    assert service(expired).authorize({"x-api-key": KEY}, "/invoke") is None


def test_x_api_key_goes_before_a_bearer_token() -> None:
    both = {"x-api-key": "a", "Authorization": "Bearer b"}
    assert credential(both, "/v1/messages") == "a"


def test_an_allow_covers_the_stage_and_carries_the_tenant() -> None:
    policy = allow(ARN, KEY, RECORD)

    (statement,) = policy["policyDocument"]["Statement"]
    assert statement == {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": "arn:aws:execute-api:us-east-1:123456789012:abc123/v1/*",
    }
    assert policy["context"] == {
        "tenant_id": "acme",
        "app_id": "web",
        "key_id": "web/primary",
        "tier": "pro",
    }
    assert policy["usageIdentifierKey"] == KEY


def test_a_deny_names_nobody() -> None:
    policy = deny(ARN, "Try another.")

    assert policy["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert policy["principalId"] == "unknown"
    assert policy["context"] == {"advice": "Try another."}
    assert "usageIdentifierKey" not in policy


BEARER_ROUTE, KEY_ROUTE, EITHER_ROUTE = "/v1/usage", "/invoke_model", "/v1/messages"
AS_BEARER = "This route takes its key as Authorization: Bearer <key>."
AS_KEY = "This route takes its key as x-api-key: <key>."
AS_EITHER = "This route takes its key as x-api-key: <key> or Authorization: Bearer <key>."
ADVICE = [
    (BEARER_ROUTE, {"Authorization": KEY}, {}, "Authorization has no Bearer before the key."),
    (BEARER_ROUTE, {"authorization": f"Basic {KEY}"}, {}, "Authorization has no Bearer before"),
    (BEARER_ROUTE, {"Authorization": "Bearer "}, {}, "Authorization has no key after Bearer."),
    (BEARER_ROUTE, {"Authorization": f"Bearer Bearer {KEY}"}, {}, "has Bearer twice."),
    (
        "/model/{modelId}/converse",
        {"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20261130/us-east-1/bedrock"},
        {},
        "AWS_BEARER_TOKEN_BEDROCK",
    ),
    (BEARER_ROUTE, {"Authorization": f"Bearer {KEY}"}, {}, "The key in Authorization is not valid"),
    (KEY_ROUTE, {"x-api-key": f"Bearer {KEY}"}, {}, "x-api-key takes the key alone"),
    (KEY_ROUTE, {"X-Api-Key": " "}, {}, "x-api-key is blank."),
    (KEY_ROUTE, {"x-api-key": KEY}, {}, "The key in x-api-key is not valid, or no longer."),
    (EITHER_ROUTE, {"api-key": KEY}, {}, "A key in api-key is not read."),
    (EITHER_ROUTE, {"X-Goog-Api-Key": KEY}, {}, "A key in x-goog-api-key is not read."),
    (EITHER_ROUTE, {}, {"key": KEY}, "A key in the query, as key, is not read"),
    (EITHER_ROUTE, {}, {"api_key": KEY}, "A key in the query, as api_key, is not read"),
    (EITHER_ROUTE, {"cookie": "a=b"}, {"beta": "true"}, "There is no key."),
    (
        EITHER_ROUTE,
        {"x-api-key": KEY, "Authorization": f"Bearer {KEY[::-1]}x"},
        {},
        "x-api-key is read where it is there, and Authorization is not.",
    ),
    ("/{proxy+}", {"x-api-key": KEY}, {}, "The key in x-api-key is not valid, or no longer."),
    ("/", {"api-key": KEY}, {}, "A key in api-key is not read."),
]


@pytest.mark.parametrize(("resource", "headers", "query", "finding"), ADVICE)
def test_advice_says_what_is_wrong_and_which_header_it_is(
    resource: str, headers: dict[str, str], query: dict[str, str], finding: str
) -> None:
    said = advice(headers, query, resource)

    assert finding in said
    takes = {BEARER_ROUTE: AS_BEARER, KEY_ROUTE: AS_KEY, "/model/{modelId}/converse": AS_BEARER}
    assert said.endswith(f" {takes.get(resource, AS_EITHER)}")
    # It stands in JSON as it is, and repeats nothing of what was sent.
    assert json.loads(f'"{said}"') == said
    assert KEY not in said


@pytest.mark.parametrize("resource", [BEARER_ROUTE, KEY_ROUTE, EITHER_ROUTE, "/{proxy+}"])
def test_advice_is_the_same_for_every_key_that_is_not_let_in(resource: str) -> None:
    def said(key: str) -> str:
        headers = {key_headers(resource)[0]: key}
        if resource == BEARER_ROUTE:
            headers = {"Authorization": f"Bearer {key}"}
        return advice(headers, {}, resource)

    assert len({said(key) for key in (KEY, "z" * 40, "short", "\u00e9" * 40)}) == 1


@pytest.mark.parametrize("resource", [BEARER_ROUTE, KEY_ROUTE])
def test_advice_that_is_remembered_by_a_header_rests_on_that_header_alone(resource: str) -> None:
    name = key_headers(resource)[0]
    value = f"Bearer {KEY}"
    others = {"x-api-key": KEY, "Authorization": KEY, "api-key": KEY}

    assert advice({**others, name: value}, {"key": KEY}, resource) == advice(
        {name: value}, {}, resource
    )


@pytest.mark.parametrize(
    ("sent", "logged"),
    [
        ("Anthropic/Python 0.40.0", "Anthropic/Python 0.40.0"),
        ('"},{"tenant_id": "other', '"},{"tenant_id": "other'),
        (f"curl/8.5 {KEY}", "curl/8.5 ***"),
        (f"{KEY[:20]}-b", "***-b"),
        (f"{KEY[:19]}-b", f"{KEY[:19]}-b"),
        ("a b" * 100, ("a b" * 100)[:256]),
        ("", ""),
    ],
)
def test_a_user_agent_is_logged_short_and_without_a_key(sent: str, logged: str) -> None:
    assert user_agent({"User-Agent": sent}) == logged
    assert user_agent({"user-agent": sent}) == logged


def test_a_caller_may_send_no_user_agent() -> None:
    assert user_agent({"x-api-key": KEY}) is None


@pytest.mark.parametrize("key", [KEY, "another"])
def test_a_verdict_is_logged_as_json_with_the_user_agent(
    key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    agent = 'curl/8.5 "quoted" \\ and\nbroken'
    monkeypatch.setattr(handler, "build_service", service)
    event = {
        "methodArn": ARN,
        "resource": "/invoke_model",
        "headers": {"x-api-key": key, "User-Agent": agent},
    }

    handler.lambda_handler(event, CONTEXT)

    (record,) = caplog.records
    line = logger.registered_formatter.format(record)
    assert json.loads(line)["user_agent"] == agent
    assert "\n" not in line
    assert key not in line
