"""Tenant policies and key records."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from tests.fakes.world import NOW
from tollgate.domain.money import usd
from tollgate.domain.tenants import (
    App,
    Budget,
    BusinessUnit,
    Guardrail,
    InferenceProfile,
    KeyRecord,
    Limits,
    Silo,
    overridden,
    overridden_unit,
    parse_business_unit,
    parse_tenant,
)

NO_LIMITS = {
    "requests_per_minute": None,
    "requests_per_day": None,
    "tokens_per_minute": None,
    "concurrent_requests": None,
}
DOCUMENT: dict[str, Any] = {
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
    "max_tokens": {"default": 1024, "maximum": None, "clamp": False, "count": "auto"},
    "shards": 1,
    "model_arns": {},
    "prices": {},
    "unpriced": None,
    "isolation": "pool",
    "silo": None,
    "deny_models": [],
    "markup": "1",
    "guardrail": None,
    "system_preamble": None,
    "teams": [],
    "allow_fields": [],
    "model_limits": {},
    "alert_thresholds": [50, 80, 100],
    "retention_minutes": 1440,
    "own_kms_key": False,
    "kms_key_arn": None,
    "tags": {"owner": "search"},
    "apps": {
        "web": {
            "status": "active",
            "tags": {},
            "budget": {"month_usd": None, "day_usd": "0.5", "mode": "hard"},
            "limits": NO_LIMITS,
            "inference_profiles": {},
        },
        "batch": {
            "status": "suspended",
            "tags": {},
            "budget": {"month_usd": None, "day_usd": None, "mode": "hard"},
            "limits": NO_LIMITS,
            "inference_profiles": {},
        },
    },
}
# What documents from before these fields existed do not have.
LATER_FIELDS = (
    *("shards", "model_arns", "prices", "unpriced"),
    *("isolation", "silo", "deny_models", "markup", "guardrail", "alert_thresholds"),
    *("retention_minutes", "own_kms_key", "kms_key_arn", "system_preamble", "teams"),
    *("allow_fields", "model_limits"),
)


def test_a_document_becomes_a_tenant_with_exact_money() -> None:
    tenant = parse_tenant(json.dumps(DOCUMENT))

    assert tenant.budget == Budget(month=usd("500"), day=None)
    assert tenant.limits == Limits(requests_per_day=10000)
    assert tenant.default_max_tokens == 1024
    assert tenant.apps["web"].budget.day == usd("0.5")
    assert tenant.apps["web"].is_limited
    assert not tenant.apps["batch"].is_limited


def test_contract_terms_are_read() -> None:
    tenant = parse_tenant(
        json.dumps(
            {
                **DOCUMENT,
                "budget": {"month_usd": "5", "day_usd": "1", "mode": "soft"},
                "max_tokens": {"default": 1, "maximum": 2, "clamp": True, "count": "exact"},
                "shards": 8,
                "model_arns": {"arn:x": "m.y"},
                "prices": {"m.y": {"global": {"default": {"input": "1"}}}},
                "unpriced": {"input": "10", "output": "20"},
                "model_limits": {"m.*": {**NO_LIMITS, "tokens_per_minute": 9}},
                "allow_fields": ["seed", "anthropic_beta:x-2026-01-01", "tools:x_20260101"],
                "system_preamble": "The company's rules.",
                "teams": ["search", "ads"],
            }
        )
    )

    assert tenant.budget == Budget(month=usd("5"), day=usd("1"), is_hard=False)
    assert (tenant.default_max_tokens, tenant.maximum_max_tokens) == (1, 2)
    assert (tenant.clamp_max_tokens, tenant.count_tokens, tenant.shards) == (True, "exact", 8)
    assert tenant.model_arns == {"arn:x": "m.y"}
    assert tenant.prices == {"m.y": {"global": {"default": {"input": "1"}}}}
    assert tenant.unpriced == {"input": "10", "output": "20"}
    assert tenant.model_limits == {"m.*": Limits(tokens_per_minute=9)}
    assert tenant.allow_fields == ("seed", "anthropic_beta:x-2026-01-01", "tools:x_20260101")
    assert (tenant.system_preamble, tenant.teams) == ("The company's rules.", ("search", "ads"))
    assert tenant.apps["web"].budget.is_hard


def test_where_a_tenant_lives_and_what_protects_it_is_read() -> None:
    profile = {
        "model": "us.amazon.nova-lite-v1:0",
        "description": "Search",
        "tags": {"ApplicationID": "web"},
        "arn": "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1",
    }
    document = {
        **DOCUMENT,
        "isolation": "silo",
        "silo": {"role_arn": "arn:aws:iam::111122223333:role/x", "external_id": "ext-1"},
        "deny_models": ["amazon.nova-premier-*"],
        "guardrail": {"id": "gr1", "version": "DRAFT"},
        "retention_minutes": 5,
        "kms_key_arn": "arn:aws:kms:us-east-1:111122223333:key/k1",
        "apps": {"web": {**DOCUMENT["apps"]["web"], "inference_profiles": {"search": profile}}},
    }

    tenant = parse_tenant(json.dumps(document))

    assert tenant.isolation == "silo"
    assert tenant.silo == Silo("arn:aws:iam::111122223333:role/x", "ext-1")
    assert tenant.denied_models == ("amazon.nova-premier-*",)
    assert tenant.guardrail == Guardrail("gr1", "DRAFT")
    assert tenant.retention_minutes == 5
    assert tenant.kms_key_arn == "arn:aws:kms:us-east-1:111122223333:key/k1"
    assert tenant.apps["web"].inference_profiles == {
        "search": InferenceProfile(
            name="search", model=profile["model"], arn=profile["arn"], tags=profile["tags"]
        )
    }


def test_a_document_from_before_later_fields_reads_as_their_defaults() -> None:
    older = {**DOCUMENT, "max_tokens": {"default": 1024, "maximum": None}}
    for name in LATER_FIELDS:
        del older[name]
    older["apps"] = {
        app_id: {name: app[name] for name in app if name != "inference_profiles"}
        for app_id, app in DOCUMENT["apps"].items()
    }

    assert parse_tenant(json.dumps(older)) == parse_tenant(json.dumps(DOCUMENT))


@pytest.mark.parametrize(
    ("changes", "limited"),
    [
        ({"budget": Budget(is_hard=False)}, False),
        ({"budget": Budget(month=0)}, True),
        ({"budget": Budget(day=0, is_hard=False)}, True),
        ({"limits": Limits(concurrent_requests=1)}, True),
    ],
)
def test_an_app_with_any_limit_is_limited(changes: dict[str, Any], *, limited: bool) -> None:
    plain = App("web", "active", Budget(), Limits(), {})

    assert replace(plain, **changes).is_limited is limited


@pytest.mark.parametrize(
    ("mode", "budget"),
    [
        ("hard", Budget(month=1)),
        ("soft", Budget(month=1, is_hard=False)),
        ("observe", Budget(month=1, is_observed=True)),
    ],
)
def test_a_budget_has_the_mode_that_the_policy_says(mode: str, budget: Budget) -> None:
    written = {"month_usd": "0.000000000001", "day_usd": None, "mode": mode}

    tenant = parse_tenant(json.dumps({**DOCUMENT, "budget": written}))

    assert tenant.budget == budget
    assert tenant.budget.mode == mode
    kept = overridden(tenant, json.dumps({"expires": NOW.timestamp() + 1, "budget": {}}), NOW)
    assert kept.budget == budget
    changed = {"expires": NOW.timestamp() + 1, "budget": {"mode": "observe"}}
    assert overridden(tenant, json.dumps(changed), NOW).budget.mode == "observe"


# --- Business units -----------------------------------------------------------------------------

UNIT = {
    "schema_version": 1,
    "id": "retail",
    "name": "Retail",
    "owner": "Jo Miller",
    "budget": {"month_usd": "500", "day_usd": "20.5", "mode": "hard"},
    "shards": 4,
}


def test_a_business_unit_is_read() -> None:
    assert parse_business_unit(json.dumps(UNIT)) == BusinessUnit(
        "retail", "Retail", "Jo Miller", Budget(usd("500"), usd("20.5")), shards=4
    )


def test_a_business_unit_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="policy schema version 2 is not supported"):
        parse_business_unit(json.dumps({**UNIT, "schema_version": 2}))


@pytest.mark.parametrize(
    ("budget", "limited"),
    [
        (Budget(), False),
        (Budget(is_hard=False), False),
        (Budget(month=0), True),
        (Budget(day=0, is_hard=False), True),
    ],
)
def test_a_business_unit_with_a_budget_is_limited(budget: Budget, *, limited: bool) -> None:
    assert BusinessUnit("retail", "Retail", "Jo", budget).is_limited is limited


def test_an_override_replaces_what_it_has_of_a_units_budget() -> None:
    unit = parse_business_unit(json.dumps(UNIT))
    document = {"expires": NOW.timestamp() + 1, "budget": {"day_usd": None, "mode": "soft"}}

    changed = overridden_unit(unit, json.dumps(document), NOW)

    assert changed == replace(unit, budget=Budget(month=usd("500"), is_hard=False))
    assert overridden_unit(unit, json.dumps({"expires": document["expires"]}), NOW) == unit
    for seconds in (0, -1):
        expired = {**document, "expires": NOW.timestamp() + seconds}
        assert overridden_unit(unit, json.dumps(expired), NOW) is unit


def test_a_tenant_names_its_business_unit() -> None:
    assert parse_tenant(json.dumps(DOCUMENT)).business_unit is None
    named = parse_tenant(json.dumps({**DOCUMENT, "business_unit": "retail"}))
    assert named.business_unit == "retail"


# --- Overrides ----------------------------------------------------------------------------------

OVERRIDE = {
    "expires": NOW.timestamp() + 1,
    "status": "suspended",
    "budget": {"month_usd": "800.5"},
    "limits": {"requests_per_day": None, "tokens_per_minute": 5},
    "apps": {"web": {"budget": {"mode": "soft"}}, "batch": {"status": "active"}, "gone": {}},
}


def test_an_override_replaces_the_fields_that_it_has() -> None:
    tenant = parse_tenant(json.dumps(DOCUMENT))

    changed = overridden(tenant, json.dumps(OVERRIDE), NOW)

    assert changed == replace(
        tenant,
        status="suspended",
        budget=Budget(month=usd("800.5")),
        limits=Limits(tokens_per_minute=5),
        apps={
            "web": replace(tenant.apps["web"], budget=Budget(day=usd("0.5"), is_hard=False)),
            "batch": replace(tenant.apps["batch"], status="active"),
        },
    )


def test_an_override_leaves_what_it_does_not_name() -> None:
    document = {
        **DOCUMENT,
        "budget": {"month_usd": "0.000000000001", "day_usd": "7", "mode": "soft"},
    }
    tenant = parse_tenant(json.dumps(document))

    assert overridden(tenant, json.dumps({"expires": NOW.timestamp() + 1}), NOW) == tenant
    lifted = overridden(
        tenant, json.dumps({**OVERRIDE, "budget": {"day_usd": None, "mode": "hard"}}), NOW
    )
    assert lifted.budget == Budget(month=1)


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_expired_override_changes_nothing(seconds: int) -> None:
    tenant = parse_tenant(json.dumps(DOCUMENT))

    document = json.dumps({**OVERRIDE, "expires": NOW.timestamp() + seconds})
    assert overridden(tenant, document, NOW) is tenant


@pytest.mark.parametrize(
    "document",
    [
        "{}",
        '{"expires": 9e9, "limits": {"requests": 5}}',
        '{"expires": 9e9, "budget": {"month_usd": "much"}}',
    ],
)
def test_a_document_that_is_no_override_is_refused(document: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        overridden(parse_tenant(json.dumps(DOCUMENT)), document, NOW)


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
