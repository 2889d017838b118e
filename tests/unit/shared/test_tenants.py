"""Tenant policies and key records."""

from __future__ import annotations

import json
from datetime import date, datetime

import pytest

from tollgate.domain.money import usd
from tollgate.domain.tenants import Budget, KeyRecord, Limits, parse_tenant

NO_LIMITS = {
    "requests_per_minute": None,
    "requests_per_day": None,
    "tokens_per_minute": None,
    "concurrent_requests": None,
}
DOCUMENT = {
    "schema_version": 1,
    "tenant_id": "acme",
    "name": "Acme Search",
    "kind": "team",
    "cost_center": "CC-1001",
    "tier": "pro",
    "status": "active",
    "models": ["amazon.nova-*"],
    "budget": {"month_usd": "500", "day_usd": None, "mode": "hard"},
    "limits": {**NO_LIMITS, "requests_per_day": 10000},
    "max_tokens": {"default": 1024, "maximum": None, "clamp": False, "count": "bytes"},
    "shards": 1,
    "model_arns": {},
    "prices": {},
    "unpriced": None,
    "tags": {"owner": "search"},
    "apps": {
        "web": {
            "status": "active",
            "tags": {},
            "budget": {"month_usd": None, "day_usd": "0.5", "mode": "hard"},
            "limits": NO_LIMITS,
        },
        "batch": {
            "status": "suspended",
            "tags": {},
            "budget": {"month_usd": None, "day_usd": None, "mode": "hard"},
            "limits": NO_LIMITS,
        },
    },
}


def test_a_document_becomes_a_tenant_with_exact_money() -> None:
    tenant = parse_tenant(json.dumps(DOCUMENT))

    assert tenant.budget == Budget(month=usd("500"), day=None)
    assert tenant.limits == Limits(requests_per_day=10000)
    assert tenant.default_max_tokens == 1024
    assert tenant.apps["web"].budget.day == usd("0.5")
    assert tenant.apps["web"].is_limited
    assert not tenant.apps["batch"].is_limited


def test_a_document_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 2"):
        parse_tenant(json.dumps({**DOCUMENT, "schema_version": 2}))


@pytest.mark.parametrize(
    ("status", "expires", "usable"),
    [
        ("active", None, True),
        ("suspended", None, False),
        ("active", date(2026, 11, 22), True),
        ("active", date(2026, 11, 21), False),
    ],
)
def test_a_key_is_usable_while_active_and_through_its_last_day(
    status: str, expires: date | None, *, usable: bool
) -> None:
    record = KeyRecord("acme", "web", "web/primary", "pro", status, expires)

    now = datetime.fromisoformat("2026-11-22T23:59:59+00:00")
    assert record.is_usable(now) is usable
