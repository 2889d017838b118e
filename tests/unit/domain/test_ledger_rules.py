"""Account rules: windows, roll-over and refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.fakes.world import NOW, app, tenant
from tollgate.domain.ledger import (
    Account,
    Hold,
    Layout,
    Refusal,
    Scope,
    Windows,
    account_tenant,
    exceeds,
    held_by_tenants,
    is_due,
    is_tenant_account,
    layout_of,
    new_account,
    next_layout,
    original_layout,
    refusal,
    refusal_of_all,
    remaining_usd,
    roll_over,
    scopes_of,
    shard_account,
    shard_order,
    shard_scope,
)
from tollgate.domain.tenants import Budget, Limits

WINDOWS = Windows.at(NOW)


def hold(usd: int = 100, tokens: int = 10, request_id: str = "r1") -> Hold:
    return Hold(request_id, usd, tokens, 0, "m.x", "web", "web/k", "d", streamed=False)


def account(**changes: object) -> Account:
    return replace(new_account("tenant#acme", WINDOWS), **changes)  # type: ignore[arg-type]


def test_windows_are_utc() -> None:
    tokyo = datetime(2026, 12, 1, 8, 5, tzinfo=timezone(timedelta(hours=9)))

    assert Windows.at(tokyo) == Windows("2026-11", "2026-11-30", "2026-11-30T23:05")


def test_an_account_and_a_hold_tell_the_windows_that_they_count_in() -> None:
    assert Windows.of(account()) == WINDOWS
    assert replace(hold(), minute=WINDOWS.minute).day == WINDOWS.day
    assert hold().day == ""


def test_an_account_in_current_windows_stays_as_it_is() -> None:
    standing = account(month_committed=7)

    assert roll_over(standing, WINDOWS) is standing


def test_a_slow_clock_never_rolls_back() -> None:
    standing = account(day_requests=5)

    assert roll_over(standing, Windows.at(NOW - timedelta(days=40))) is standing


def test_a_new_minute_clears_rates_only() -> None:
    standing = account(
        month_committed=9, day_requests=5, minute_requests=5, minute_tokens=50, rev=3
    )

    rolled = roll_over(standing, Windows.at(NOW + timedelta(minutes=1)))

    assert (rolled.minute_requests, rolled.minute_tokens) == (0, 0)
    assert (rolled.month_committed, rolled.day_requests, rolled.rev) == (9, 5, 4)


def test_a_new_day_carries_open_holds() -> None:
    standing = account(
        holds={"a": hold(30), "b": hold(12)},
        month_committed=142,
        month_spent=100,
        day_committed=62,
        day_spent=20,
        day_requests=9,
    )

    rolled = roll_over(standing, Windows.at(NOW + timedelta(days=1)))

    assert (rolled.day_committed, rolled.day_spent, rolled.day_requests) == (42, 0, 0)
    assert (rolled.month_committed, rolled.month_spent) == (142, 100)


def test_a_new_month_carries_open_holds() -> None:
    standing = account(holds={"a": hold(30)}, month_committed=130, month_spent=100)

    rolled = roll_over(standing, Windows.at(datetime(2027, 1, 1, tzinfo=UTC)))

    assert (rolled.month, rolled.month_committed, rolled.month_spent) == ("2027-01", 30, 0)
    assert rolled.day_committed == 30


def scope(budget: Budget | None = None, **limits: int) -> Scope:
    return Scope("tenant#acme", budget or Budget(), Limits(**limits))


def test_no_limits_refuse_nothing() -> None:
    assert refusal(account(month_committed=10**18), scope(), hold(10**15)) is None


@pytest.mark.parametrize(
    ("standing", "limits", "name", "resets_at"),
    [
        (account(month_committed=901), scope(Budget(month=1000)), "month_usd", "2026-12-01T00:00"),
        (account(day_committed=901), scope(Budget(day=1000)), "day_usd", "2026-11-23T00:00"),
        (
            account(day_requests=10),
            scope(requests_per_day=10),
            "requests_per_day",
            "2026-11-23T00:00",
        ),
        (
            account(minute_requests=10),
            scope(requests_per_minute=10),
            "requests_per_minute",
            "2026-11-22T10:31",
        ),
        (
            account(minute_tokens=91),
            scope(tokens_per_minute=100),
            "tokens_per_minute",
            "2026-11-22T10:31",
        ),
    ],
)
def test_each_limit_refuses_with_its_name_and_reset(
    standing: Account, limits: Scope, name: str, resets_at: str
) -> None:
    refused = refusal(standing, limits, hold())

    assert refused is not None
    assert refused.limit_name == name
    assert refused.resets_at == datetime.fromisoformat(resets_at).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("standing", "limits"),
    [
        (account(month_committed=900), scope(Budget(month=1000))),
        (account(day_committed=900), scope(Budget(day=1000))),
        (account(day_requests=9), scope(requests_per_day=10)),
        (account(minute_requests=9), scope(requests_per_minute=10)),
        (account(minute_tokens=90), scope(tokens_per_minute=100)),
        (account(holds={"a": hold()}), scope(concurrent_requests=2)),
    ],
)
def test_exactly_reaching_a_limit_is_allowed(standing: Account, limits: Scope) -> None:
    assert refusal(standing, limits, hold()) is None


def test_concurrency_counts_open_holds_and_has_no_reset() -> None:
    standing = account(holds={"a": hold(), "b": hold()})

    refused = refusal(standing, scope(concurrent_requests=2), hold(request_id="c"))

    assert refused is not None
    assert (refused.limit_name, refused.used, refused.resets_at) == ("concurrent_requests", 2, None)


def test_a_money_refusal_tells_spent_from_held() -> None:
    standing = account(month_committed=950, month_spent=900, holds={"a": hold(50)})

    refused = refusal(standing, scope(Budget(month=1000)), hold(51))

    assert refused is not None
    assert (refused.used, refused.held, refused.asked, refused.room) == (950, 50, 51, 50)
    assert refused.is_budget


@pytest.mark.parametrize(("asked", "is_held"), [(51, True), (100, True), (101, False)])
def test_running_calls_alone_refuse_what_fits_once_they_have_settled(
    asked: int, *, is_held: bool
) -> None:
    standing = account(month_committed=950, month_spent=900, holds={"a": hold(50)})

    refused = refusal(standing, scope(Budget(month=1000)), hold(asked))

    assert refused is not None
    assert refused.is_held is is_held


def test_what_is_spent_is_told_before_what_is_held() -> None:
    standing = account(
        month_committed=950, day_committed=990, minute_requests=2, holds={"a": hold(50)}
    )
    money = Budget(month=1000, day=1000)

    spent = refusal(standing, scope(money), hold(60))
    rate = refusal(standing, scope(Budget(month=1000), requests_per_minute=2), hold(60))

    assert spent is not None
    assert (spent.limit_name, spent.is_held) == ("month_usd", True)
    assert rate is not None
    assert (rate.limit_name, rate.is_held) == ("requests_per_minute", False)
    day = refusal(replace(standing, day_committed=1000), scope(money), hold(60))
    assert day is not None
    assert (day.limit_name, day.is_held) == ("day_usd", False)


def test_an_app_without_limits_has_no_account_of_its_own() -> None:
    plain = tenant()
    limited = tenant(apps={"web": app(budget=Budget(month=5))})

    assert [s.account_id for s in scopes_of(plain, plain.apps["web"])] == ["tenant#acme"]
    assert [s.account_id for s in scopes_of(limited, limited.apps["web"])] == [
        "app#acme/web",
        "tenant#acme",
    ]
    assert account_tenant("app#acme/web") == account_tenant("tenant#acme") == "acme"


def test_a_tenants_scope_knows_its_shards_and_the_age_of_its_policy() -> None:
    spread = tenant(shards=8, read_at=77, budget=Budget(day=5), apps={"web": app()})

    (found,) = scopes_of(spread, spread.apps["web"])

    assert found == Scope("tenant#acme", Budget(day=5), Limits(), shards=8, policy_at=77)


def test_accounts_are_told_apart_by_their_ids() -> None:
    assert account_tenant("tenant#acme#3.5") == "acme"
    assert is_tenant_account("tenant#acme")
    assert is_tenant_account("tenant#acme#3.5")
    assert not is_tenant_account("app#acme/web")


def test_what_tenants_hold_is_found_in_every_layout() -> None:
    accounts = [
        account(account_id="tenant#acme", holds={"a": hold()}),
        account(account_id="tenant#acme#2.1", holds={"b": hold(), "c": hold()}),
        account(account_id="app#acme/web", holds={"d": hold()}),
    ]

    assert held_by_tenants(accounts) == {"a", "b", "c"}


def test_a_new_window_forgets_what_was_carried_into_the_last_one() -> None:
    standing = account(
        month_committed=9, month_spent=9, month_carried=9, day_spent=4, day_carried=4
    )

    day = roll_over(standing, Windows.at(NOW + timedelta(days=1)))
    month = roll_over(standing, Windows.at(NOW + timedelta(days=20)))

    assert (day.month_carried, day.day_carried) == (9, 0)
    assert (month.month_carried, month.day_carried) == (0, 0)


# --- Soft budgets -------------------------------------------------------------------------------


def test_a_soft_budget_refuses_nothing_but_its_limits_do() -> None:
    soft = Budget(month=10, day=10, is_hard=False)
    standing = account(month_committed=500, day_committed=500, day_requests=3)

    assert refusal(standing, scope(soft), hold()) is None
    refused = refusal(standing, scope(soft, requests_per_day=3), hold())
    assert refused is not None
    assert (refused.limit_name, refused.limit, refused.used, refused.asked) == (
        "requests_per_day",
        3,
        3,
        1,
    )


@pytest.mark.parametrize(
    ("budget", "more", "exceeded"),
    [
        (Budget(), 10**18, False),
        (Budget(month=30), 0, False),
        (Budget(month=30), 1, True),
        (Budget(month=29), 0, True),
        (Budget(day=12), 0, False),
        (Budget(day=12), 1, True),
        (Budget(month=100, day=11), 0, True),
        (Budget(month=29, day=100), 0, True),
    ],
)
def test_a_budget_is_exceeded_by_what_all_accounts_commit(
    budget: Budget, more: int, *, exceeded: bool
) -> None:
    accounts = [
        account(month_committed=10, day_committed=5),
        account(month_committed=20, day_committed=7),
    ]

    assert exceeds(accounts, budget, more) is exceeded


# --- Shards -------------------------------------------------------------------------------------

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


def shard_scopes(scope: Scope, layout: Layout) -> list[Scope]:
    return [shard_scope(scope, layout, index) for index in range(layout.shards)]


def test_a_tenant_starts_with_one_account() -> None:
    first = layout_of(account())

    assert first == original_layout("tenant#acme")
    assert (first.generation, first.shards, first.at) == (0, 1, -1)
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

    made = next_layout(LAYOUT, replace(WIDE, shards=5), frozen, WINDOWS)

    assert (made.generation, made.shards, made.at, made.budget) == (3, 5, 60, WIDE.budget)
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


def test_no_room_is_never_less_than_none() -> None:
    standing = account(month_committed=1100)

    refused = refusal(standing, scope(Budget(month=1000)), hold(1))

    assert refused is not None
    assert (refused.room, replace(refused, roomiest=-3).room) == (0, 0)


def test_remaining_is_the_tightest_budget() -> None:
    standing = account(month_committed=40, day_committed=30)

    assert remaining_usd(standing, Budget(month=100, day=50)) == 20
    assert remaining_usd(standing, Budget(month=45, day=50)) == 5
    assert remaining_usd(standing, Budget()) is None
