"""The ledger service over in-memory tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.ledger import FakeAccounts, FakeUsage
from tests.fakes.usage_rows import usage_row
from tests.fakes.world import NOW
from tollgate.domain.errors import BudgetExceededError, RateExceededError, UnavailableError
from tollgate.domain.ids import new_request_id
from tollgate.domain.ledger import Account, Hold, Refusal, Scope, Windows
from tollgate.domain.money import usd
from tollgate.domain.tenants import Budget, Limits
from tollgate.ledger import Ledger, RefusedError, refusal_error
from tollgate.ports import Admitted, Rejected

TENANT = Scope("tenant#acme", Budget(month=1000), Limits())
APP = Scope("app#acme/web", Budget(day=500), Limits())


def hold(usd_amount: int = 100, tokens: int = 10) -> Hold:
    request_id = new_request_id(NOW)
    return Hold(request_id, usd_amount, tokens, 0, "m.x", "web", "web/k", "d", streamed=False)


def row_of(held: Hold, cost: int = 40, **changes: object) -> object:
    return usage_row(request_id=held.request_id, total_cost=cost, **changes)


def committed_is_spent_plus_held(account: Account) -> bool:
    return account.month_committed == account.month_spent + account.held


def test_a_first_request_opens_the_account() -> None:
    accounts = FakeAccounts()

    Ledger(accounts, FakeUsage()).admit(hold(), [TENANT], NOW)

    account = accounts.get("tenant#acme")
    assert account is not None
    assert (account.month_committed, account.day_requests) == (100, 1)


def test_settling_books_the_cost_and_ends_the_hold() -> None:
    accounts, usage = FakeAccounts(), FakeUsage()
    ledger = Ledger(accounts, usage)
    held = hold()
    lease = ledger.admit(held, [TENANT], NOW)

    remaining = ledger.settle(lease, row_of(held))  # type: ignore[arg-type]

    account = accounts.get("tenant#acme")
    assert account is not None
    assert (account.month_committed, account.month_spent, account.holds) == (40, 40, {})
    assert remaining == 960
    assert list(usage.rows) == [held.request_id]


def test_settling_twice_books_once() -> None:
    accounts, usage = FakeAccounts(), FakeUsage()
    ledger = Ledger(accounts, usage)
    held = hold()
    lease = ledger.admit(held, [TENANT], NOW)

    ledger.settle(lease, row_of(held))  # type: ignore[arg-type]
    ledger.settle(lease, row_of(held))  # type: ignore[arg-type]

    account = accounts.get("tenant#acme")
    assert account is not None
    assert account.month_spent == 40


def test_the_row_that_stands_decides_the_amount() -> None:
    accounts, usage = FakeAccounts(), FakeUsage()
    ledger = Ledger(accounts, usage)
    held = hold()
    lease = ledger.admit(held, [TENANT], NOW)
    usage.put(row_of(held, cost=100))  # type: ignore[arg-type]

    ledger.settle(lease, row_of(held, cost=40))  # type: ignore[arg-type]

    account = accounts.get("tenant#acme")
    assert account is not None
    assert account.month_spent == 100


def test_scopes_are_taken_leaf_first_and_given_back_on_refusal() -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    ledger.admit(hold(950), [TENANT], NOW)

    with pytest.raises(RefusedError) as refused:
        ledger.admit(hold(100), [APP, TENANT], NOW)

    assert refused.value.refusal.account_id == "tenant#acme"
    app_account = accounts.get("app#acme/web")
    assert app_account is not None
    assert (app_account.day_committed, app_account.holds) == (0, {})


def test_a_refused_leaf_leaves_the_tenant_untouched() -> None:
    accounts = FakeAccounts()

    with pytest.raises(RefusedError) as refused:
        Ledger(accounts, FakeUsage()).admit(hold(501), [APP, TENANT], NOW)

    assert refused.value.refusal.account_id == "app#acme/web"
    assert accounts.get("tenant#acme") is None


def test_a_stale_window_is_rolled_over_and_tried_again() -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    ledger.admit(hold(900), [TENANT], NOW)

    ledger.admit(hold(100), [TENANT], NOW + timedelta(days=1))
    with pytest.raises(RefusedError):
        ledger.admit(hold(1), [TENANT], NOW + timedelta(days=1))
    ledger.admit(hold(0), [TENANT], NOW + timedelta(days=20))

    account = accounts.get("tenant#acme")
    assert account is not None
    assert account.month == "2026-12"
    assert committed_is_spent_plus_held(account)


def test_a_write_that_the_sdk_repeated_counts_as_placed() -> None:
    class Echo(FakeAccounts):
        """Places the hold, but its answer is lost and the repeat finds the hold there."""

        def admit(self, scope: Scope, held: Hold, windows: Windows) -> Admitted | Rejected:
            super().admit(scope, held, windows)
            return super().admit(scope, held, windows)

    accounts = Echo()

    lease = Ledger(accounts, FakeUsage()).admit(hold(), [TENANT], NOW)

    account = accounts.get("tenant#acme")
    assert account is not None
    assert lease.hold.request_id in account.holds
    assert account.month_committed == 100


def test_a_lost_answer_gives_back_what_may_have_been_placed() -> None:
    class Lossy(FakeAccounts):
        def admit(self, scope: Scope, held: Hold, windows: Windows) -> Admitted | Rejected:
            outcome = super().admit(scope, held, windows)
            if isinstance(outcome, Admitted):
                raise UnavailableError("lost")
            return outcome

    accounts = Lossy()

    with pytest.raises(UnavailableError):
        Ledger(accounts, FakeUsage()).admit(hold(), [TENANT], NOW)

    account = accounts.get("tenant#acme")
    assert account is not None
    assert (account.month_committed, account.holds) == (0, {})


def test_an_account_that_never_comes_to_rest_is_unavailable() -> None:
    class Busy(FakeAccounts):
        def replace(self, before: Account, after: Account) -> bool:
            return False

    accounts = Busy()
    ledger = Ledger(accounts, FakeUsage())
    ledger.admit(hold(), [TENANT], NOW)

    with pytest.raises(UnavailableError, match="busy"):
        ledger.admit(hold(), [TENANT], NOW + timedelta(minutes=1))


def test_unused_tokens_go_back_to_the_same_minute() -> None:
    accounts, usage = FakeAccounts(), FakeUsage()
    ledger = Ledger(accounts, usage)
    scope = Scope("tenant#acme", Budget(), Limits(tokens_per_minute=1000))
    first, second = hold(tokens=900), hold(tokens=900)
    lease = ledger.admit(first, [scope], NOW)

    ledger.settle(lease, row_of(first, input_tokens=60, output_tokens=40))  # type: ignore[arg-type]
    ledger.admit(second, [scope], NOW)

    account = accounts.get("tenant#acme")
    assert account is not None
    assert account.minute_tokens == 100 + 900


def test_tokens_of_a_past_minute_are_not_given_to_the_current_one() -> None:
    accounts, usage = FakeAccounts(), FakeUsage()
    ledger = Ledger(accounts, usage)
    scope = Scope("tenant#acme", Budget(), Limits(tokens_per_minute=1000))
    first = hold(tokens=900)
    lease = ledger.admit(first, [scope], NOW)
    ledger.admit(hold(tokens=500), [scope], NOW + timedelta(minutes=1))

    ledger.settle(lease, row_of(first, input_tokens=1, output_tokens=1))  # type: ignore[arg-type]

    account = accounts.get("tenant#acme")
    assert account is not None
    assert (account.minute_tokens, len(account.holds)) == (500, 1)


def test_a_lease_is_extended_only_while_it_stands() -> None:
    accounts, usage = FakeAccounts(), FakeUsage()
    ledger = Ledger(accounts, usage)
    held = hold()
    lease = ledger.admit(held, [APP, TENANT], NOW)

    assert ledger.extend(lease, 999)
    account = accounts.get("app#acme/web")
    assert account is not None
    assert account.holds[held.request_id].expires_at == 999
    ledger.settle(lease, row_of(held))  # type: ignore[arg-type]
    assert not ledger.extend(lease, 1999)


BUDGET_REFUSAL = Refusal(
    "tenant#acme",
    "month_usd",
    limit=usd("500"),
    used=usd("499.5"),
    held=usd("0.25"),
    asked=usd("0.75"),
    resets_at=NOW.replace(month=12, day=1),
)


def test_a_budget_refusal_shows_its_figures_and_what_would_fit() -> None:
    error = refusal_error(BUDGET_REFUSAL, 120, NOW)

    assert isinstance(error, BudgetExceededError)
    assert error.details == {
        "scope": "tenant",
        "limit_name": "month_usd",
        "limit_usd": "500",
        "spent_usd": "499.25",
        "held_usd": "0.25",
        "needed_usd": "0.75",
        "affordable_max_tokens": 120,
        "resets_at": "2026-12-01T10:30:15.123000+00:00",
    }
    assert "maxTokens of 120 or less would fit" in error.message


def test_a_budget_refusal_without_room_advises_to_ask() -> None:
    assert "ask the platform team" in refusal_error(BUDGET_REFUSAL, 0, NOW).message


def test_a_rate_refusal_says_when_to_come_back() -> None:
    minute = replace(
        BUDGET_REFUSAL,
        limit_name="requests_per_minute",
        limit=600,
        used=600,
        held=0,
        asked=1,
        resets_at=NOW + timedelta(seconds=44.5),
    )

    error = refusal_error(minute, None, NOW)

    assert isinstance(error, RateExceededError)
    assert (error.code, error.retry_after) == ("requests_per_minute_exceeded", 45)
    concurrent = replace(minute, limit_name="concurrent_requests", resets_at=None)
    assert refusal_error(concurrent, None, NOW).retry_after == 1
