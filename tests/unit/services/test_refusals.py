"""What a refusal leaves behind: nothing, in whichever scope, shard and window it was taken."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.ledger import FakeAccounts, FakeUsage
from tests.fakes.usage_rows import usage_row
from tests.fakes.world import NOW
from tollgate.domain.errors import UnavailableError
from tollgate.domain.ids import new_request_id
from tollgate.domain.ledger import Account, Hold, Scope, Windows
from tollgate.domain.tenants import Budget, Limits
from tollgate.ports import Admitted, Rejected
from tollgate.services.ledger import Lease, Ledger, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

APP = Scope(
    "app#acme/web",
    Budget(month=10_000, day=5_000),
    Limits(
        requests_per_minute=50,
        requests_per_day=500,
        tokens_per_minute=5_000,
        concurrent_requests=50,
    ),
)
# Each admits four calls of 100 picodollars and 10 tokens, also over four shards.
TENANTS = {
    "month_usd": (Budget(month=400), Limits()),
    "day_usd": (Budget(day=400), Limits()),
    "requests_per_day": (Budget(), Limits(requests_per_day=4)),
    "requests_per_minute": (Budget(), Limits(requests_per_minute=4)),
    "tokens_per_minute": (Budget(), Limits(tokens_per_minute=40)),
    "concurrent_requests": (Budget(), Limits(concurrent_requests=4)),
    "requests_per_day beside a soft budget": (
        Budget(month=150, is_hard=False),
        Limits(requests_per_day=4),
    ),
}
OPEN = Scope("tenant#acme", Budget(), Limits())
CLOSED = Scope("tenant#acme", Budget(month=0), Limits())


def hold(now: datetime = NOW, tokens: int = 10) -> Hold:
    return Hold(new_request_id(now), 100, tokens, 0, "m.x", "web", "web/k", "d", streamed=False)


def app_account(accounts: FakeAccounts) -> Account:
    account = accounts.get("app#acme/web")
    assert account is not None
    return account


class Slow(FakeAccounts):
    """Something happens between the app's write of one call and the tenant's."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None

    def admit(self, scope: Scope, held: Hold, windows: Windows) -> Admitted | Rejected:
        meanwhile = self.meanwhile
        if scope.account_id.startswith("tenant#") and meanwhile is not None:
            self.meanwhile = None
            meanwhile()
        return super().admit(scope, held, windows)


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("case", TENANTS)
def test_what_the_tenant_refuses_counts_nowhere(case: str, shards: int) -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    budget, limits = TENANTS[case]
    closing = Scope("tenant#acme", budget, limits, shards, policy_at=1)
    for _ in range(4):
        ledger.admit(hold(), [APP, closing], NOW)
    before = {account.account_id: replace(account, rev=0) for account in accounts.scan()}

    for _ in range(3):
        with pytest.raises(RefusedError) as refused:
            ledger.admit(hold(), [APP, closing], NOW)
        assert refused.value.refusal.limit_name == case.split(maxsplit=1)[0]

    after = {account.account_id: replace(account, rev=0) for account in accounts.scan()}
    assert after == before
    app = app_account(accounts)
    assert (app.day_requests, app.minute_requests, app.minute_tokens) == (4, 4, 40)


def test_what_one_shard_refuses_and_another_takes_counts_once() -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    spread = Scope("tenant#acme", Budget(), Limits(requests_per_minute=8), 8, policy_at=1)

    for _ in range(8):
        ledger.admit(hold(), [APP, spread], NOW)

    shards = [a for a in accounts.scan() if a.account_id.startswith("tenant#acme#")]
    assert [shard.minute_requests for shard in shards] == [1] * 8
    assert app_account(accounts).minute_requests == 8


def test_a_refusal_after_a_change_of_layout_counts_nowhere() -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    ledger.admit(hold(), [APP, OPEN], NOW)
    closing = Scope("tenant#acme", Budget(month=150), Limits(), 2, policy_at=1)

    with pytest.raises(RefusedError):
        ledger.admit(hold(), [APP, closing], NOW)

    app = app_account(accounts)
    assert (app.day_requests, app.minute_requests, app.minute_tokens) == (1, 1, 10)


# What the app then counts of its day and minute: the other call's, and nothing of the refused one.
@pytest.mark.parametrize("span", [timedelta(minutes=1), timedelta(days=1), timedelta(days=31)])
def test_a_window_that_ends_before_the_refusal_owes_it_nothing(span: timedelta) -> None:
    accounts = Slow()
    ledger = Ledger(accounts, FakeUsage())
    accounts.meanwhile = lambda: ledger.admit(hold(NOW + span, 7), [APP], NOW + span)

    with pytest.raises(RefusedError):
        ledger.admit(hold(), [APP, CLOSED], NOW)

    app = app_account(accounts)
    assert app.day == Windows.at(NOW + span).day
    assert (app.day_requests, app.minute_requests, app.minute_tokens) == (1, 1, 7)
    assert app.month_committed == app.day_committed == 100


@pytest.mark.parametrize("span", [timedelta(minutes=1), timedelta(days=1)])
def test_a_clock_that_is_behind_counts_where_the_account_is(span: timedelta) -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    ledger.admit(hold(NOW + span), [APP, OPEN], NOW + span)

    lease = ledger.admit(hold(), [APP, OPEN], NOW)
    with pytest.raises(RefusedError):
        ledger.admit(hold(), [APP, CLOSED], NOW)

    app = app_account(accounts)
    assert lease.minutes == (Windows.at(NOW + span).minute,) * 2
    assert (app.day_requests, app.minute_requests, app.minute_tokens) == (2, 2, 20)


def test_a_lost_answer_counts_nowhere() -> None:
    class Lossy(FakeAccounts):
        def admit(self, scope: Scope, held: Hold, windows: Windows) -> Admitted | Rejected:
            outcome = super().admit(scope, held, windows)
            if isinstance(outcome, Admitted) and scope.account_id == "tenant#acme":
                raise UnavailableError("lost")
            return outcome

    accounts = Lossy()
    with pytest.raises(UnavailableError):
        Ledger(accounts, FakeUsage()).admit(hold(), [APP, OPEN], NOW)

    for account in accounts.scan():
        assert account.holds == {}
        assert (account.day_requests, account.minute_requests, account.minute_tokens) == (0, 0, 0)


def test_unused_tokens_go_back_to_the_minute_that_each_account_counted_them_in() -> None:
    accounts, usage = Slow(), FakeUsage()
    ledger = Ledger(accounts, usage)
    limited = replace(OPEN, limits=Limits(tokens_per_minute=1000))
    later = NOW + timedelta(minutes=1)
    held = hold(tokens=900)
    # Another call turns the tenant's minute over, and only then this one's hold comes to it.
    accounts.meanwhile = lambda: ledger.admit(hold(later, 10), [limited], later)
    lease = ledger.admit(held, [APP, limited], NOW)
    ledger.admit(hold(later, 50), [APP], later)

    ledger.settle(lease, usage_row(request_id=held.request_id, input_tokens=60, output_tokens=40))

    tenant = accounts.get("tenant#acme")
    assert tenant is not None
    assert lease.minutes == (Windows.at(NOW).minute, Windows.at(later).minute)
    assert (app_account(accounts).minute_tokens, tenant.minute_tokens) == (50, 10 + 100)


def test_a_write_that_the_sdk_repeats_after_the_minute_counts_in_its_first() -> None:
    class Echo(FakeAccounts):
        """The answer is lost, the minute ends, and the repeat finds the hold there."""

        def admit(self, scope: Scope, held: Hold, windows: Windows) -> Admitted | Rejected:
            outcome = super().admit(scope, held, windows)
            if not isinstance(outcome, Admitted) or held.request_id != first.request_id:
                return outcome
            Ledger(self, FakeUsage()).admit(hold(later, 7), [scope], later)
            return super().admit(scope, held, windows)

    first, later = hold(), NOW + timedelta(minutes=1)
    accounts = Echo()
    ledger = Ledger(accounts, FakeUsage())

    lease = ledger.admit(first, [APP], NOW)
    ledger.settle(lease, usage_row(request_id=first.request_id, input_tokens=1, output_tokens=1))

    assert lease.minutes == (Windows.at(NOW).minute,)
    assert app_account(accounts).minute_tokens == 7


def settled_at_nothing(ledger: Ledger, leases: list[Lease]) -> None:
    """Settle calls at no cost, each with all the tokens that it was counted with."""
    for lease in leases:
        row = usage_row(
            request_id=lease.hold.request_id,
            input_tokens=lease.hold.tokens,
            output_tokens=0,
            total_cost=0,
        )
        ledger.settle(lease, row)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=6),
    st.integers(1, 120),
    st.tuples(*[st.none() | st.integers(0, 200)] * 2),
    st.none() | st.integers(0, 8),
    st.integers(1, 4),
)
def test_a_refusal_is_one_of_holds_where_the_same_call_fits_once_they_have_settled(
    calls: list[tuple[int, bool]],
    asked: int,
    money: tuple[int | None, int | None],
    rate: int | None,
    shards: int,
) -> None:
    """Calls of some size run or have been paid in full; then one is asked for that is refused."""
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    limits = Limits(requests_per_minute=rate, concurrent_requests=5)
    scope = Scope("tenant#acme", Budget(*money), limits, shards, policy_at=1)
    running: list[Lease] = []
    for usd, is_paid in calls:
        with suppress(RefusedError):
            lease = ledger.admit(replace(hold(), usd=usd), [scope], NOW)
            if is_paid:
                row = usage_row(request_id=lease.hold.request_id, total_cost=usd)
                ledger.settle(lease, row)
            else:
                running.append(lease)
    wanted = replace(hold(), usd=asked)
    try:
        ledger.admit(wanted, [scope], NOW)
    except RefusedError as error:
        refused = error.refusal
    else:
        return

    settled_at_nothing(ledger, running)

    if refused.is_held:
        ledger.admit(wanted, [scope], NOW)
    else:
        with pytest.raises(RefusedError):
            ledger.admit(wanted, [scope], NOW)
