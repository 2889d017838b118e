"""Reading policies: the cache, the override in force, and when they were read."""

from __future__ import annotations

import json

import pytest

from tests.fakes.ledger import FakeTenants
from tests.fakes.world import NOW, FakeClock, caller, tenant
from tollgate.domain.errors import ForbiddenError
from tollgate.domain.tenants import Budget
from tollgate.policy import CACHE_SECONDS, Policies


def test_a_policy_knows_when_this_process_read_it() -> None:
    clock = FakeClock()
    policies = Policies(FakeTenants(tenant()), clock)

    first = policies.party(caller()).tenant
    clock.advance(seconds=CACHE_SECONDS - 0.001)
    cached = policies.party(caller()).tenant
    clock.advance(seconds=0.001)
    again = policies.party(caller()).tenant

    assert first.read_at == cached.read_at == int(NOW.timestamp() * 1000)
    assert again.read_at == first.read_at + CACHE_SECONDS * 1000


def test_an_override_is_in_force_until_it_expires() -> None:
    clock = FakeClock()
    tenants = FakeTenants(tenant(budget=Budget(month=5)))
    document = {"expires": NOW.timestamp() + 20, "budget": {"month_usd": "0.000000000009"}}
    tenants.overrides["acme"] = json.dumps(document)
    policies = Policies(tenants, clock)

    during = policies.party(caller()).tenant.budget
    clock.advance(seconds=20)
    after = policies.party(caller()).tenant.budget

    assert (during, after) == (Budget(month=9), Budget(month=5))


def test_an_override_can_suspend() -> None:
    tenants = FakeTenants(tenant())
    document = {"expires": NOW.timestamp() + 20, "apps": {"web": {"status": "suspended"}}}
    tenants.overrides["acme"] = json.dumps(document)

    with pytest.raises(ForbiddenError) as refused:
        Policies(tenants, FakeClock()).party(caller())

    assert refused.value.code == "app_suspended"
