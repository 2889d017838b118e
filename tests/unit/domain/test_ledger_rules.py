"""Account rules: windows, roll-over and refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.fakes.accounts import WINDOWS, account, hold, scope
from tests.fakes.world import NOW, app, tenant
from tollgate.domain.ledger import (
    Account,
    Scope,
    Windows,
    account_owner,
    exceeds,
    hold_tenant,
    is_business_unit_account,
    is_last_account,
    is_tenant_account,
    placed_on,
    refusal,
    remaining_usd,
    roll_over,
    scopes_of,
)
from tollgate.domain.tenants import Budget, BusinessUnit, Limits


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

    tomorrow = Windows.at(NOW + timedelta(days=1))
    rolled = roll_over(standing, tomorrow)

    assert Windows.of(rolled) == tomorrow
    assert (rolled.day_committed, rolled.day_spent, rolled.day_requests) == (42, 0, 0)
    assert (rolled.month_committed, rolled.month_spent) == (142, 100)


def test_a_new_month_carries_open_holds() -> None:
    standing = account(holds={"a": hold(30)}, month_committed=130, month_spent=100)

    january = Windows.at(datetime(2027, 1, 1, tzinfo=UTC))
    rolled = roll_over(standing, january)

    assert Windows.of(rolled) == january
    assert (rolled.month, rolled.month_committed, rolled.month_spent) == ("2027-01", 30, 0)
    assert rolled.day_committed == 30


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
    assert (refused.account_id, refused.limit_name) == (limits.account_id, name)
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
    assert account_owner("app#acme/web") == account_owner("tenant#acme") == "acme"


MODEL_LIMITS = {
    "us.amazon.*": Limits(tokens_per_minute=7),
    "amazon.nova-*": Limits(tokens_per_minute=5, requests_per_day=6),
    "anthropic.*": Limits(tokens_per_minute=9),
}


@pytest.mark.parametrize(
    ("model_ids", "patterns"),
    [
        (("amazon.nova-lite", "amazon.nova-lite"), ["amazon.nova-*"]),
        # Under either of its names, and each pattern has an account of its own.
        (("amazon.nova-lite", "us.amazon.nova-lite"), ["amazon.nova-*", "us.amazon.*"]),
        (("cohere.command", "us.cohere.command"), []),
        ((), []),
        (None, ["amazon.nova-*", "anthropic.*", "us.amazon.*"]),
    ],
)
def test_limits_of_models_stand_between_the_apps_and_the_tenants(
    model_ids: tuple[str, ...] | None, patterns: list[str]
) -> None:
    limited = app(budget=Budget(month=5))
    whole = tenant(model_limits=MODEL_LIMITS, budget=Budget(day=9), apps={"web": limited})

    first, *of_models, last = scopes_of(whole, limited, model_ids)

    assert first == Scope("app#acme/web", Budget(month=5), Limits())
    assert of_models == [
        Scope(f"model#acme/{pattern}", Budget(), MODEL_LIMITS[pattern]) for pattern in patterns
    ]
    assert last == Scope("tenant#acme", Budget(day=9), Limits())


def test_a_tenants_scope_knows_its_shards_and_the_age_of_its_policy() -> None:
    spread = tenant(shards=8, read_at=77, budget=Budget(day=5), apps={"web": app()})

    (found,) = scopes_of(spread, spread.apps["web"])

    assert found == Scope("tenant#acme", Budget(day=5), Limits(), shards=8, policy_at=77)


def test_accounts_are_told_apart_by_their_ids() -> None:
    assert account_owner("tenant#acme#3.5") == "acme"
    assert is_tenant_account("tenant#acme")
    assert is_tenant_account("tenant#acme#3.5")
    assert not is_tenant_account("app#acme/web")


@pytest.mark.parametrize(
    ("of_tenant", "of_app", "of_unit", "expected"),
    [
        (False, False, False, [False, False, False, False]),
        (False, True, False, [True, False, False, False]),
        (False, False, True, [False, False, False, True]),
        (True, False, False, [True, True, True, False]),
    ],
)
def test_what_is_observed_is_so_with_all_that_is_below_it(
    of_tenant: bool, of_app: bool, of_unit: bool, expected: list[bool]
) -> None:
    limited = app(budget=Budget(month=5, is_observed=of_app))
    whole = tenant(model_limits=MODEL_LIMITS, budget=Budget(is_observed=of_tenant))
    unit = replace(UNIT, budget=Budget(month=9, is_observed=of_unit))

    scopes = scopes_of(whole, limited, ("anthropic.a",), unit)

    assert [scope.is_observed for scope in scopes] == expected
    assert [scope.lifted().is_lifted for scope in scopes] == expected
    assert not any(scope.is_lifted for scope in scopes)


def test_a_refusal_is_named_by_scope_and_limit_and_knows_whether_it_is_observed() -> None:
    for is_observed in (True, False):
        refused = refusal(
            account(), replace(scope(Budget(day=5)), is_observed=is_observed), hold(60)
        )
        assert refused is not None
        assert (refused.name, refused.is_observed) == ("tenant.day_usd", is_observed)


UNIT = BusinessUnit("retail", "Retail", "Jo", Budget(month=9), shards=3, read_at=55)


def test_a_business_units_budget_is_the_last_scope() -> None:
    limited = app(budget=Budget(month=5))
    whole = tenant(model_limits=MODEL_LIMITS, apps={"web": limited})

    scopes = scopes_of(whole, limited, ("anthropic.a",), UNIT)

    assert [scope.account_id for scope in scopes] == [
        *("app#acme/web", "model#acme/anthropic.*", "tenant#acme", "business_unit#retail")
    ]
    assert scopes[-1] == Scope(
        "business_unit#retail", Budget(month=9), Limits(), shards=3, policy_at=55
    )
    assert scopes_of(whole, limited, (), replace(UNIT, budget=Budget(day=1)))[-1].budget.day == 1
    for without in (None, replace(UNIT, budget=Budget())):
        assert scopes_of(whole, limited, ("anthropic.a",), without) == scopes[:-1]


@pytest.mark.parametrize(
    ("account_id", "is_last", "is_last_below_unit"),
    [
        ("app#acme/web", False, False),
        ("model#acme/*", False, False),
        ("tenant#acme", True, False),
        ("tenant#acme#2.1", True, False),
        ("business_unit#retail", False, True),
        ("business_unit#retail#2.1", False, True),
    ],
)
def test_a_call_is_made_after_the_hold_of_the_outermost_account(
    account_id: str, is_last: bool, is_last_below_unit: bool
) -> None:
    below = replace(hold(), business_unit="retail", tenant_id="acme")

    assert is_last_account(account_id, hold()) is is_last
    assert is_last_account(account_id, below) is is_last_below_unit
    assert hold_tenant(account_id, below) == "acme"


def test_a_hold_tells_what_the_name_of_a_units_account_does_not() -> None:
    whole = tenant()
    of_tenant = scopes_of(whole, whole.apps["web"])
    of_unit = scopes_of(whole, whole.apps["web"], (), UNIT)

    assert placed_on(hold(), of_tenant) == hold()
    placed = placed_on(hold(), of_unit)
    assert placed == replace(hold(), business_unit="retail", tenant_id="acme")
    assert hold_tenant("tenant#globex", hold()) == "globex"
    assert account_owner("business_unit#retail#4.2") == "retail"
    assert is_business_unit_account("business_unit#retail#4.2")
    assert not is_business_unit_account("tenant#business_unit")


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
