"""`GET /v1/usage`: the live figures of a caller's own scopes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.ledger import FakeAccounts, FakeTenants, FakeUsage
from tests.fakes.usage_rows import usage_row
from tests.fakes.world import FakeClock, app, caller, tenant
from tollgate.domain.errors import ForbiddenError
from tollgate.domain.ledger import Hold, scopes_of
from tollgate.domain.money import usd
from tollgate.domain.tenants import Budget, Limits, Tenant
from tollgate.entry.http import Request
from tollgate.services.ledger import Ledger
from tollgate.services.policy import Policies
from tollgate_models.usage import UsageService

REQUEST = Request("gw-1", caller(), {}, {}, {}, b"")
LIMITED = tenant(
    budget=Budget(month=usd("100"), day=usd("10")),
    limits=Limits(
        requests_per_minute=60,
        requests_per_day=1000,
        tokens_per_minute=5000,
        concurrent_requests=5,
    ),
    apps={"web": app(budget=Budget(month=usd("1"), is_hard=False))},
)


class World:
    """A ledger with one tenant, and the service that reads it."""

    def __init__(self, policy: Tenant) -> None:
        self.policy = policy
        self.clock = FakeClock()
        self.accounts = FakeAccounts()
        self.ledger = Ledger(self.accounts, FakeUsage())
        self.service = UsageService(
            policies=Policies(FakeTenants(policy), self.clock),
            accounts=self.accounts,
            clock=self.clock,
        )

    def hold(self, request_id: str, amount: str, tokens: int = 100) -> None:
        self.lease = self.ledger.admit(
            Hold(request_id, usd(amount), tokens, 0, "m.x", "web", "web/k", "d", streamed=False),
            scopes_of(self.policy, self.policy.apps["web"]),
            self.clock.now,
        )

    def settle(self, request_id: str, amount: str) -> None:
        self.ledger.settle(self.lease, usage_row(request_id=request_id, total_cost=usd(amount)))

    def shown(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.service.show(REQUEST)["body"])
        return body

    def scope(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = {scope["scope"]: scope for scope in self.shown()["scopes"]}
        return dict(found[name])


def test_before_the_first_call_everything_is_left() -> None:
    shown = World(LIMITED).shown()

    assert (shown["tenant_id"], shown["app_id"]) == ("acme", "web")
    of_app, of_tenant = shown["scopes"]
    assert of_tenant == {
        "scope": "tenant",
        "budget": {
            "mode": "hard",
            "month": {
                "limit_usd": "100",
                "spent_usd": "0",
                "held_usd": "0",
                "remaining_usd": "100",
                "resets_at": "2026-12-01T00:00:00+00:00",
            },
            "day": {
                "limit_usd": "10",
                "spent_usd": "0",
                "held_usd": "0",
                "remaining_usd": "10",
                "resets_at": "2026-11-23T00:00:00+00:00",
            },
        },
        "requests_per_day": {
            "limit": 1000,
            "used": 0,
            "remaining": 1000,
            "resets_at": "2026-11-23T00:00:00+00:00",
        },
        "requests_per_minute": {
            "limit": 60,
            "used": 0,
            "remaining": 60,
            "resets_at": "2026-11-22T10:31:00+00:00",
        },
        "tokens_per_minute": {
            "limit": 5000,
            "used": 0,
            "remaining": 5000,
            "resets_at": "2026-11-22T10:31:00+00:00",
        },
        "concurrent_requests": {"limit": 5, "used": 0, "remaining": 5},
    }
    assert of_app["scope"] == "app"
    assert of_app["budget"]["mode"] == "soft"
    assert of_app["requests_per_day"]["limit"] is None
    assert of_app["requests_per_day"]["remaining"] is None


def test_an_app_without_limits_has_no_scope() -> None:
    world = World(tenant())
    world.hold("r1", "1")

    [scope] = world.shown()["scopes"]
    assert scope["scope"] == "tenant"
    assert scope["budget"]["month"]["limit_usd"] is None
    assert scope["budget"]["month"]["held_usd"] == "1"
    assert scope["budget"]["month"]["remaining_usd"] is None


def test_a_running_call_is_held_and_an_ended_one_spent() -> None:
    world = World(LIMITED)
    world.hold("r1", "2.5")
    world.settle("r1", "1.25")
    world.hold("r2", "0.5", tokens=30)

    month = world.scope("tenant")["budget"]["month"]
    assert (month["spent_usd"], month["held_usd"]) == ("1.25", "0.5")
    assert month["remaining_usd"] == "98.25"
    assert world.scope("tenant")["concurrent_requests"] == {"limit": 5, "used": 1, "remaining": 4}
    assert world.scope("tenant")["requests_per_day"]["used"] == 2
    # The app's budget is soft and exceeded.
    assert world.scope("app")["budget"]["month"]["remaining_usd"] == "-0.75"


def test_windows_that_ended_since_the_last_call_are_empty() -> None:
    world = World(LIMITED)
    world.hold("r1", "2")
    world.settle("r1", "2")
    world.hold("r2", "3")

    world.clock.advance(minutes=1)
    assert world.scope("tenant")["requests_per_minute"]["used"] == 0
    assert world.scope("tenant")["requests_per_day"]["used"] == 2
    world.clock.advance(days=10)
    budget = world.scope("tenant")["budget"]
    # What runs is still held: it will be spent in the new month.
    assert (budget["month"]["spent_usd"], budget["month"]["held_usd"]) == ("0", "3")
    assert (budget["day"]["spent_usd"], budget["day"]["held_usd"]) == ("0", "3")
    assert budget["month"]["resets_at"] == "2027-01-01T00:00:00+00:00"


def test_shards_are_shown_as_one() -> None:
    world = World(tenant(budget=Budget(month=usd("100")), shards=4))
    world.hold("r0", "1")
    world.settle("r0", "0.5")
    for number in range(1, 9):
        world.hold(f"r{number}", "2")
    assert len([account for account in world.accounts.scan() if not account.frozen]) > 1

    scope = world.scope("tenant")
    assert scope["budget"]["month"]["spent_usd"] == "0.5"
    assert scope["budget"]["month"]["held_usd"] == "16"
    assert scope["concurrent_requests"]["used"] == 8
    assert scope["requests_per_day"]["used"] == 9


def test_models_with_limits_of_their_own_have_figures_of_their_own() -> None:
    policy = tenant(model_limits={"anthropic.*": Limits(tokens_per_minute=50), "*": Limits()})

    shown = World(policy).shown()["scopes"]

    assert [(scope["scope"], scope.get("models")) for scope in shown] == [
        ("model", "*"),
        ("model", "anthropic.*"),
        ("tenant", None),
    ]
    assert shown[1]["tokens_per_minute"] == {
        "limit": 50,
        "used": 0,
        "remaining": 50,
        "resets_at": "2026-11-22T10:31:00+00:00",
    }


def test_a_suspended_tenant_is_told_nothing() -> None:
    with pytest.raises(ForbiddenError):
        World(tenant(status="suspended")).shown()
