"""The request authorizer."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest

from tests.fakes.ledger import FakeTenants
from tests.fakes.world import FakeClock
from tollgate.domain.tenants import KeyRecord
from tollgate_authorize.service import AuthorizeService, allow, credential, deny

KEY = "k" * 40
RECORD = KeyRecord("acme", "web", "web/primary", "pro", "active", None)
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
    policy = deny(ARN)

    assert policy["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert "context" not in policy
