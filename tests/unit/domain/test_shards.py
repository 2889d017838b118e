"""Shards: layouts, shares and the refusal of all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.accounts import WINDOWS, account, hold, scope
from tests.fakes.world import NOW
from tollgate.domain.ledger import (
    Account,
    Layout,
    Refusal,
    Scope,
    Windows,
    new_account,
    refusal_of_all,
)
from tollgate.domain.shards import (
    is_due,
    layout_of,
    next_layout,
    original_layout,
    shard_account,
    shard_order,
    shard_scope,
    together,
)
from tollgate.domain.tenants import Budget, Limits

OPENING = account(
    month_committed=11,
    month_spent=11,
    month_carried=11,
    day_committed=7,
    day_spent=7,
    day_carried=7,
    day_requests=5,
    minute_requests=4,
    minute_tokens=10,
)
LAYOUT = Layout(2, shards=3, at=50, budget=Budget(month=100, day=31), opening=OPENING)
WIDE = Scope("tenant#acme", Budget(month=100, day=31), Limits(4, 5, 6, 7), shards=3, policy_at=60)


def test_shards_of_an_observed_scope_are_observed() -> None:
    budget = Budget(month=10, is_observed=True)
    watched = replace(WIDE, budget=budget, is_observed=True)

    for shard in shard_scopes(watched, replace(LAYOUT, budget=budget)):
        assert shard.is_observed
        assert shard.budget.mode == "observe"
    assert not shard_scopes(WIDE, LAYOUT)[0].is_observed


def shard_scopes(scope: Scope, layout: Layout) -> list[Scope]:
    return [shard_scope(scope, layout, index) for index in range(layout.shards)]


def test_a_tenant_starts_with_one_account() -> None:
    first = layout_of(account())

    nothing = Account("tenant#acme", "", "", "")
    assert first == original_layout("tenant#acme") == Layout(0, 1, -1, Budget(), nothing)
    assert shard_scopes(WIDE, first) == [replace(WIDE, shards=1)]
    assert shard_account(WIDE, first, 0, WINDOWS) == account()


def test_the_first_account_tells_of_the_layout_after_it() -> None:
    assert layout_of(account(layout=LAYOUT)) is LAYOUT


def test_shares_sum_up_to_the_limits_exactly() -> None:
    assert shard_scopes(WIDE, LAYOUT) == [
        Scope("tenant#acme#2.0", Budget(month=34, day=11), Limits(2, 2, 2, 3)),
        Scope("tenant#acme#2.1", Budget(month=33, day=10), Limits(1, 2, 2, 2)),
        Scope("tenant#acme#2.2", Budget(month=33, day=10), Limits(1, 1, 2, 2)),
    ]


def test_no_limit_has_no_shares() -> None:
    plain = replace(LAYOUT, budget=Budget(is_hard=False))

    for shard in shard_scopes(replace(WIDE, limits=Limits()), plain):
        assert shard.budget == Budget(is_hard=False)
        assert shard.limits == Limits()


def test_shares_are_of_the_budget_that_the_layout_was_made_for() -> None:
    other = replace(WIDE, budget=Budget(month=5))

    assert shard_scopes(other, LAYOUT)[0].budget == Budget(month=34, day=11)
    assert shard_scopes(other, replace(LAYOUT, shards=2))[0].budget == Budget(month=50, day=16)
    (single,) = shard_scopes(other, replace(LAYOUT, shards=1))
    assert single == Scope("tenant#acme#2.0", Budget(month=5), WIDE.limits)


def test_shards_start_from_what_was_committed_before_them() -> None:
    first, second, third = (shard_account(WIDE, LAYOUT, index, WINDOWS) for index in range(3))

    assert first == replace(
        OPENING,
        account_id="tenant#acme#2.0",
        month_committed=4,
        month_spent=4,
        month_carried=4,
        day_committed=3,
        day_spent=3,
        day_carried=3,
        day_requests=2,
        minute_requests=2,
        minute_tokens=4,
    )
    assert (second.month_committed, second.day_committed, second.day_requests) == (4, 2, 2)
    assert (third.month_committed, third.day_committed, third.day_requests) == (3, 2, 1)
    assert (second.minute_requests, third.minute_requests) == (1, 1)
    assert (second.minute_tokens, third.minute_tokens) == (3, 3)


def test_a_request_tries_every_shard_once_from_one_of_its_own() -> None:
    orders = [shard_order(f"request-{number}", 8) for number in range(200)]

    assert all(sorted(order) == list(range(8)) for order in orders)
    assert {order[0] for order in orders} == set(range(8))
    assert shard_order("request-1", 8) == orders[1]
    assert all(order[1] == (order[0] + 1) % 8 for order in orders)
    assert shard_order("any", 1) == [0]


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, False),
        ({"shards": 4}, True),
        ({"shards": 1}, True),
        ({"budget": Budget(month=99, day=31)}, True),
        ({"budget": Budget(month=100, day=31, is_hard=False)}, True),
        ({"limits": Limits()}, False),
        ({"shards": 4, "policy_at": 51}, True),
        ({"shards": 4, "policy_at": 50}, False),
        ({"budget": Budget(), "policy_at": 50}, False),
    ],
)
def test_a_layout_is_due_when_a_newer_policy_asks_for_another_one(
    changes: dict[str, Any], *, due: bool
) -> None:
    assert is_due(LAYOUT, replace(WIDE, **changes)) is due


def test_a_single_account_serves_every_budget() -> None:
    first = original_layout("tenant#acme")

    assert not is_due(first, scope(Budget(month=5)))
    assert is_due(first, replace(scope(), shards=2))


def test_two_accounts_serve_the_budget_that_they_were_made_for() -> None:
    two, wide = replace(LAYOUT, shards=2), replace(WIDE, shards=2)

    assert not is_due(two, wide)
    assert is_due(two, replace(wide, budget=Budget(month=99)))


def test_the_next_layout_carries_what_the_frozen_accounts_committed() -> None:
    later = Windows.at(NOW + timedelta(days=1))
    frozen = [
        account(
            month_committed=30,
            month_spent=20,
            day_committed=25,
            day_spent=15,
            holds={"a": hold(10)},
            day_requests=9,
            minute_requests=3,
            minute_tokens=90,
        ),
        replace(
            new_account("tenant#acme#2.1", later),
            month_committed=7,
            month_spent=7,
            day_committed=4,
            day_spent=4,
            day_requests=2,
            minute_requests=1,
            minute_tokens=8,
        ),
    ]

    budget = Budget(month=99, is_hard=False)
    made = next_layout(LAYOUT, replace(WIDE, shards=5, budget=budget), frozen, WINDOWS)

    assert (made.generation, made.shards, made.at, made.budget) == (3, 5, 60, budget)
    assert made.opening == replace(
        new_account("tenant#acme", later),
        month_committed=37,
        month_spent=37,
        month_carried=37,
        day_committed=14,
        day_spent=14,
        day_carried=14,
        day_requests=2,
        minute_requests=1,
        minute_tokens=8,
    )


def test_the_next_layout_is_not_behind_the_clock() -> None:
    later = Windows.at(NOW + timedelta(days=20))
    standing = account(month_committed=30, month_spent=20, holds={"a": hold(10)}, day_requests=9)

    opening = next_layout(LAYOUT, WIDE, [standing], later).opening

    assert (opening.month, opening.day, opening.minute) == (later.month, later.day, later.minute)
    assert (opening.month_committed, opening.day_committed, opening.day_requests) == (10, 10, 0)


@pytest.mark.parametrize("policy_at", [49, 50])
def test_an_older_policy_repeats_the_layout_that_stands(policy_at: int) -> None:
    older = Scope("tenant#acme", Budget(month=1), Limits(), shards=9, policy_at=policy_at)

    made = next_layout(LAYOUT, older, [account()], WINDOWS)

    assert made == replace(LAYOUT, generation=3, opening=account())


def test_accounts_are_shown_as_one_in_the_latest_of_their_windows() -> None:
    minute_ago = Windows.at(NOW - timedelta(minutes=1))
    accounts = [
        replace(
            new_account("tenant#acme#2.0", minute_ago),
            month_committed=30,
            month_spent=20,
            day_committed=25,
            day_spent=15,
            day_requests=9,
            minute_requests=3,
            minute_tokens=90,
            holds={"a": hold(10)},
        ),
        account(
            month_committed=7,
            month_spent=2,
            day_committed=6,
            day_spent=1,
            day_requests=2,
            minute_requests=1,
            minute_tokens=8,
            holds={"b": hold(5)},
        ),
    ]

    for windows in (WINDOWS, minute_ago):
        assert together("tenant#acme", accounts, windows) == account(
            month_committed=37,
            month_spent=22,
            day_committed=31,
            day_spent=16,
            day_requests=11,
            # Those of the minute before are over.
            minute_requests=1,
            minute_tokens=8,
            holds={"a": hold(10), "b": hold(5)},
        )


def shards_with(*counters: dict[str, Any], **limits: int) -> list[tuple[Scope, Account]]:
    wide = Scope("tenant#acme", LAYOUT.budget, Limits(**limits))
    return [
        (share, account(account_id=share.account_id, **changes))
        for share, changes in zip(shard_scopes(wide, LAYOUT), counters, strict=True)
    ]


def test_the_refusal_of_all_shards_sums_their_figures() -> None:
    shards = shards_with(
        {"month_committed": 30, "holds": {"a": hold(10)}},
        {"month_committed": 33},
        {"month_committed": 32, "holds": {"b": hold(5)}},
    )

    refused = refusal_of_all(WIDE, shards, hold(6))

    assert refused == Refusal(
        "tenant#acme",
        "month_usd",
        limit=100,
        used=95,
        held=15,
        asked=6,
        resets_at=datetime(2026, 12, 1, tzinfo=UTC),
        roomiest=4,
        is_held=True,
    )
    assert refused.room == 4


def test_what_lies_in_pieces_is_refused_by_the_first_shards_limit() -> None:
    shards = shards_with(
        {"month_committed": 10, "day_committed": 9},
        {"month_committed": 31, "day_committed": 1},
        {"month_committed": 31, "day_committed": 1},
    )

    refused = refusal_of_all(WIDE, shards, hold(5))

    assert (refused.limit_name, refused.limit, refused.used) == ("day_usd", 31, 11)
    assert (refused.asked, refused.roomiest, refused.room) == (5, 9, 9)


def test_a_limit_that_all_shards_exceed_is_told_before_one_of_a_single_shard() -> None:
    shards = shards_with(
        {"month_committed": 34, "minute_requests": 1},
        {"month_committed": 0, "minute_requests": 1},
        {"month_committed": 0, "minute_requests": 1},
        requests_per_minute=3,
    )

    refused = refusal_of_all(WIDE, shards, hold(1))

    assert (refused.limit_name, refused.limit, refused.used) == ("requests_per_minute", 3, 3)


def test_so_is_one_that_running_calls_alone_exceed() -> None:
    shards = shards_with(
        {"month_committed": 34, "holds": {"a": hold(5)}},
        {"month_committed": 0, "holds": {"b": hold(0)}},
        {"month_committed": 0, "holds": {"c": hold(0)}},
        concurrent_requests=3,
    )

    refused = refusal_of_all(WIDE, shards, hold(1))

    assert (refused.limit_name, refused.limit, refused.used) == ("concurrent_requests", 3, 3)
    assert refused.is_held


def test_a_shard_that_only_waits_makes_the_refusal_one_of_holds() -> None:
    """The first shard's month is spent, the second's day; the third waits for a running call."""
    shards = shards_with(
        {"month_committed": 34},
        {"day_committed": 10},
        {"month_committed": 20, "day_committed": 9, "holds": {"a": hold(5)}},
    )

    refused = refusal_of_all(WIDE, shards, hold(5))

    assert (refused.limit_name, refused.limit, refused.is_held) == ("day_usd", 31, True)
    without = [*shards[:2], (shards[2][0], replace(shards[2][1], holds={}))]
    assert not refusal_of_all(WIDE, without, hold(5)).is_held
