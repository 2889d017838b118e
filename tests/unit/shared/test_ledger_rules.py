"""Account rules: windows, roll-over and refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.fakes.world import NOW, app, tenant
from tollgate.domain.ledger import (
    Account,
    Hold,
    Scope,
    Windows,
    account_tenant,
    new_account,
    refusal,
    remaining_usd,
    roll_over,
    scopes_of,
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


def test_an_app_without_limits_has_no_account_of_its_own() -> None:
    plain = tenant()
    limited = tenant(apps={"web": app(budget=Budget(month=5))})

    assert [s.account_id for s in scopes_of(plain, plain.apps["web"])] == ["tenant#acme"]
    assert [s.account_id for s in scopes_of(limited, limited.apps["web"])] == [
        "app#acme/web",
        "tenant#acme",
    ]
    assert account_tenant("app#acme/web") == account_tenant("tenant#acme") == "acme"


def test_remaining_is_the_tightest_budget() -> None:
    standing = account(month_committed=40, day_committed=30)

    assert remaining_usd(standing, Budget(month=100, day=50)) == 20
    assert remaining_usd(standing, Budget(month=45, day=50)) == 5
    assert remaining_usd(standing, Budget()) is None
