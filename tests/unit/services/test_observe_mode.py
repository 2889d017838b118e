"""`budget.mode = "observe"`: nothing is refused, and the row says what would have been."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.ledger import FakeAccounts
from tests.fakes.world import app, tenant
from tests.unit.services.test_calls import World
from tollgate.domain.errors import TollgateError
from tollgate.domain.tenants import Budget, BusinessUnit, Limits, Tenant
from tollgate.services.queued_calls import decode_call, encode_call

if TYPE_CHECKING:
    from tollgate.services.calls import AdmittedCall

OBSERVED = Budget(is_observed=True)


class Observing(World):
    """A gateway whose tenant is watched."""

    def __init__(self, **policy: Any) -> None:
        super().__init__(tenant(**{"budget": OBSERVED, **policy}))

    def would_refuse(self, **changes: Any) -> str | None:
        return self.admit(**changes).tags.get("would_refuse")


def price() -> int:
    """What one call holds."""
    return World().admit().hold.usd


def test_what_fits_has_no_tag() -> None:
    world = Observing(budget=Budget(month=2 * price(), is_observed=True))

    assert [world.would_refuse() for _ in range(3)] == [None, None, "tenant.month_usd"]


def test_what_would_be_refused_is_held_spent_and_told_in_its_row() -> None:
    world = Observing(budget=Budget(day=1, is_observed=True))
    admitted = world.admit()
    account = world.accounts.get("tenant#acme")
    assert account is not None
    assert account.held == admitted.hold.usd

    answer = world.calls.run(admitted)

    account = world.accounts.get("tenant#acme")
    assert account is not None
    assert account.month_spent == account.month_committed == answer.cost.total
    assert world.row.tags == {"owner": "search", "env": "t", "would_refuse": "tenant.day_usd"}
    # The answer tells its caller nothing of it.
    assert not admitted.lease.over_budget
    assert admitted.lowered_max_tokens is None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(requests_per_minute=1), "tenant.requests_per_minute"),
        (Limits(requests_per_day=1), "tenant.requests_per_day"),
        (Limits(tokens_per_minute=1), "tenant.tokens_per_minute"),
        (Limits(concurrent_requests=1), "tenant.concurrent_requests"),
    ],
)
def test_limits_refuse_nothing_either(limits: Limits, expected: str) -> None:
    world = Observing(limits=limits)
    world.admit()

    assert world.would_refuse() == expected


def test_a_watched_tenants_apps_and_models_are_watched_too() -> None:
    small = Budget(month=1)
    of_app = Observing(apps={"web": app(budget=small)})
    of_model = Observing(model_limits={"amazon.*": Limits(tokens_per_minute=1)})

    assert of_app.would_refuse() == "app.month_usd"
    assert of_model.would_refuse() == "model.tokens_per_minute"


def test_an_app_can_be_watched_alone() -> None:
    watched = app(budget=Budget(month=1, is_observed=True))
    world = World(tenant(apps={"web": watched}, limits=Limits(requests_per_day=1)))

    assert world.admit().tags["would_refuse"] == "app.month_usd"
    with pytest.raises(TollgateError, match="the tenant's limit of 1 requests per day"):
        world.admit()


@pytest.mark.parametrize("is_observed", [True, False])
def test_a_business_unit_refuses_unless_it_is_watched_itself(is_observed: bool) -> None:
    world = Observing(business_unit="retail", budget=Budget(month=1, is_observed=True))
    budget = Budget(month=1, is_observed=is_observed)
    world.tenants.units["retail"] = BusinessUnit("retail", "Retail", "Jo", budget)

    if is_observed:
        # What refuses first is told.
        assert world.would_refuse() == "tenant.month_usd"
        return
    with pytest.raises(TollgateError, match="the business unit's budget"):
        world.admit()
    account = world.accounts.get("tenant#acme")
    assert account is not None
    assert (account.month_committed, account.day_requests) == (0, 0)


def test_a_business_unit_can_be_watched_alone() -> None:
    world = World(tenant(business_unit="retail", limits=Limits(requests_per_day=1)))
    watched = Budget(day=1, is_observed=True)
    world.tenants.units["retail"] = BusinessUnit("retail", "Retail", "Jo", watched)

    assert world.admit().tags["would_refuse"] == "business_unit.day_usd"
    with pytest.raises(TollgateError, match="the tenant's limit"):
        world.admit()


def test_a_watched_call_is_not_shortened() -> None:
    watched = Budget(month=price() - 1, is_observed=True)
    world = Observing(clamp_max_tokens=True, budget=watched)

    admitted = world.admit()

    assert admitted.lowered_max_tokens is None
    assert admitted.tags["would_refuse"] == "tenant.month_usd"


def test_shards_are_used_up_before_a_call_is_told() -> None:
    budget = Budget(month=4 * price(), is_observed=True)
    world = Observing(budget=budget, shards=2)

    told = [world.would_refuse() for _ in range(6)]

    assert told == [None] * 4 + ["tenant.month_usd"] * 2
    accounts = [a for a in world.accounts.scan() if not a.frozen]
    assert sum(account.held for account in accounts) == 6 * price()


def test_a_job_keeps_what_was_told_at_its_admission() -> None:
    admitted: AdmittedCall = Observing(budget=Budget(day=1, is_observed=True)).admit(streamed=True)

    decoded = decode_call(encode_call(admitted))

    assert decoded == admitted
    assert decoded.lease.would_refuse == decoded.tags["would_refuse"] == "tenant.day_usd"


def verdict(world: World, max_tokens: int) -> str | None:
    """What refuses a call, or would."""
    try:
        return world.admit(max_tokens=max_tokens).tags.get("would_refuse")
    except TollgateError as error:
        return f"{error.details['scope']}.{error.details['limit_name']}"


def beside(world: World, policy: Tenant) -> World:
    """Another gateway over a copy of the accounts, with another policy."""
    accounts = FakeAccounts()
    for account in world.accounts.scan():
        accounts.place(account)
    return World(policy, accounts=accounts)


CENTS = 10**8
budgets = st.builds(
    Budget,
    month=st.none() | st.integers(0, 40).map(lambda n: n * CENTS),
    day=st.none() | st.integers(0, 30).map(lambda n: n * CENTS),
)
limits = st.builds(
    Limits,
    requests_per_day=st.none() | st.integers(1, 6),
    tokens_per_minute=st.none() | st.integers(1, 900),
    concurrent_requests=st.none() | st.integers(1, 5),
)


@settings(max_examples=40, deadline=None)
@given(
    asked=st.lists(st.integers(1, 100), min_size=1, max_size=6),
    budget=budgets,
    limit=limits,
    of_app=budgets,
)
def test_the_tag_names_just_what_a_hard_budget_refuses_in_that_moment(
    asked: list[int], budget: Budget, limit: Limits, of_app: Budget
) -> None:
    hard = tenant(budget=budget, limits=limit, apps={"web": app(budget=of_app)})
    watched = replace(hard, budget=replace(budget, is_observed=True))
    world = World(watched)
    for max_tokens in asked:
        expected = verdict(beside(world, hard), max_tokens)

        assert verdict(world, max_tokens) == expected
    account = world.accounts.get("tenant#acme")
    assert account is not None
    assert account.day_requests == len(account.holds) == len(asked)
