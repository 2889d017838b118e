"""The ledger service over in-memory tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from tests.fakes.ledger import FakeAccounts, FakeUsage
from tests.fakes.usage_rows import usage_row
from tests.fakes.world import NOW
from tollgate.domain.errors import BudgetExceededError, RateExceededError, UnavailableError
from tollgate.domain.ids import new_request_id
from tollgate.domain.ledger import Account, Hold, Layout, Refusal, Scope, Windows
from tollgate.domain.money import usd
from tollgate.domain.shards import shard_order
from tollgate.domain.tenants import Budget, Limits
from tollgate.ports import Admitted, Rejected
from tollgate.services.ledger import Ledger, RefusedError, refusal_error

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


# --- Soft budgets -------------------------------------------------------------------------------


def test_a_soft_budget_admits_and_tells() -> None:
    ledger = Ledger(FakeAccounts(), FakeUsage())
    soft = Scope("tenant#acme", Budget(month=150, is_hard=False), Limits())

    leases = [ledger.admit(hold(50), [soft], NOW) for _ in range(4)]

    assert [lease.over_budget for lease in leases] == [False, False, False, True]


def test_a_soft_app_tells_while_its_tenant_stays_hard() -> None:
    ledger = Ledger(FakeAccounts(), FakeUsage())
    soft = Scope("app#acme/web", Budget(day=40, is_hard=False), Limits())

    lease = ledger.admit(hold(50), [soft, TENANT], NOW)

    assert lease.over_budget
    assert lease.scopes == (soft, TENANT)
    with pytest.raises(RefusedError):
        ledger.admit(hold(951), [soft, TENANT], NOW)


def test_a_hard_budget_is_never_told_as_exceeded() -> None:
    ledger = Ledger(FakeAccounts(), FakeUsage())

    assert not ledger.admit(hold(1000), [TENANT], NOW).over_budget


# --- Shards -------------------------------------------------------------------------------------


def wide(shards: int, month: int, policy_at: int = 1, *, is_hard: bool = True) -> Scope:
    budget = Budget(month=month, is_hard=is_hard)
    return Scope("tenant#acme", budget, Limits(), shards, policy_at)


class Counting(FakeAccounts):
    """Counts the calls that write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def admit(self, scope: Scope, held: Hold, windows: Windows) -> Admitted | Rejected:
        self.writes.append("admit")
        return super().admit(scope, held, windows)

    def create(self, account: Account) -> bool:
        self.writes.append("create")
        return super().create(account)

    def withdraw(self, *arguments: Any) -> None:
        self.writes.append("withdraw")
        super().withdraw(*arguments)

    def freeze(self, account_id: str) -> Account | None:
        self.writes.append("freeze")
        return super().freeze(account_id)


def committed(accounts: FakeAccounts) -> dict[str, int]:
    return {account.account_id: account.month_committed for account in accounts.scan()}


def test_shards_together_admit_what_one_account_would() -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())

    leases = [ledger.admit(hold(10), [wide(4, 160)], NOW) for _ in range(16)]
    with pytest.raises(RefusedError) as refused:
        ledger.admit(hold(1), [wide(4, 160)], NOW)

    assert committed(accounts) == {
        "tenant#acme": 0,
        **{f"tenant#acme#1.{index}": 40 for index in range(4)},
    }
    assert refused.value.refusal.account_id == "tenant#acme"
    assert (refused.value.refusal.limit, refused.value.refusal.used) == (160, 160)
    assert refused.value.refusal.held == 160
    for lease in leases:
        account = accounts.get(lease.scopes[0].account_id)
        assert account is not None
        assert lease.hold.request_id in account.holds
        assert lease.scopes[0].budget == Budget(month=40)


def test_admission_to_a_shard_is_one_write() -> None:
    accounts = Counting()
    ledger = Ledger(accounts, FakeUsage())
    for _ in range(40):
        ledger.admit(hold(0), [wide(4, 160)], NOW)
    accounts.writes.clear()

    ledger.admit(hold(1), [wide(4, 160)], NOW)

    assert accounts.writes == ["admit"]


def test_a_refusal_gives_back_only_what_was_taken() -> None:
    accounts = Counting()
    ledger = Ledger(accounts, FakeUsage())
    ledger.admit(hold(0), [APP, wide(2, 0)], NOW)
    accounts.writes.clear()

    with pytest.raises(RefusedError):
        ledger.admit(hold(1), [APP, wide(2, 0)], NOW)

    assert accounts.writes.count("withdraw") == 1
    app_account = accounts.get("app#acme/web")
    assert app_account is not None
    assert len(app_account.holds) == 1


def test_a_settlement_goes_to_the_shard_that_holds() -> None:
    accounts, usage = FakeAccounts(), FakeUsage()
    ledger = Ledger(accounts, usage)
    held = hold(10)
    lease = ledger.admit(held, [wide(4, 160)], NOW)

    remaining = ledger.settle(lease, row_of(held, cost=4))  # type: ignore[arg-type]

    assert remaining == 36
    assert sum(committed(accounts).values()) == 4
    assert ledger.extend(ledger.admit(hold(10), [wide(4, 160)], NOW), 99)


def test_a_tenant_is_spread_and_drawn_together_again() -> None:
    accounts, usage = FakeAccounts(), FakeUsage()
    ledger = Ledger(accounts, usage)
    held = hold(30)
    open_lease = ledger.admit(held, [wide(1, 100)], NOW)

    ledger.admit(hold(10), [wide(2, 100, policy_at=2)], NOW)
    ledger.admit(hold(10), [wide(1, 100, policy_at=3)], NOW)
    with pytest.raises(RefusedError) as refused:
        ledger.admit(hold(51), [wide(1, 100, policy_at=3)], NOW)

    directory = accounts.get("tenant#acme")
    assert directory is not None
    assert directory.frozen
    assert directory.layout is not None
    assert (directory.layout.generation, directory.layout.shards) == (2, 1)
    assert directory.layout.opening.month_committed == 40
    assert refused.value.refusal.used == 50
    single = accounts.get("tenant#acme#2.0")
    assert single is not None
    assert (single.month_carried, single.month_committed, single.held) == (40, 50, 10)
    # The call from before both changes settles where it was admitted.
    ledger.settle(open_lease, row_of(held, cost=5))  # type: ignore[arg-type]
    first = accounts.get("tenant#acme")
    assert first is not None
    assert (first.month_committed, first.month_spent, first.holds) == (5, 5, {})


def test_an_older_policy_follows_the_layout_that_stands() -> None:
    accounts = FakeAccounts()
    stale, current = Ledger(accounts, FakeUsage()), Ledger(accounts, FakeUsage())
    stale.admit(hold(10), [wide(1, 1000)], NOW)
    current.admit(hold(10), [wide(2, 100, policy_at=9)], NOW)

    stale.admit(hold(10), [wide(1, 1000)], NOW)
    with pytest.raises(RefusedError) as refused:
        stale.admit(hold(900), [wide(1, 1000)], NOW)

    directory = accounts.get("tenant#acme")
    assert directory is not None
    assert directory.layout is not None
    assert directory.layout.generation == 1
    assert (refused.value.refusal.limit, refused.value.refusal.used) == (100, 30)


def test_a_lower_budget_is_spread_anew_so_that_shards_cannot_pass_it_together() -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    before = wide(2, 100)
    one_shard = [held for held in (hold(25) for _ in range(50)) if first_shard(held, 2) == 0][:2]
    for held in one_shard:
        ledger.admit(held, [before], NOW)
    assert sorted(committed(accounts).values()) == [0, 50]

    after = wide(2, 60, policy_at=2)
    ledger.admit(hold(5), [after], NOW)
    ledger.admit(hold(5), [after], NOW)
    with pytest.raises(RefusedError) as refused:
        ledger.admit(hold(1), [after], NOW)

    assert refused.value.refusal.used == 60


def first_shard(held: Hold, shards: int) -> int:
    return shard_order(held.request_id, shards)[0]


def test_a_change_that_a_crash_cut_short_is_finished_by_whoever_comes() -> None:
    accounts = FakeAccounts()
    Ledger(accounts, FakeUsage()).admit(hold(10), [wide(1, 100)], NOW)
    accounts.freeze("tenant#acme")

    lease = Ledger(accounts, FakeUsage()).admit(hold(10), [wide(1, 100)], NOW)

    assert lease.scopes[0].account_id == "tenant#acme#1.0"
    single = accounts.get("tenant#acme#1.0")
    assert single is not None
    assert (single.month_carried, single.month_committed) == (10, 20)


def test_soft_shards_are_used_up_before_one_is_exceeded() -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    soft = wide(4, 160, is_hard=False)

    within = [ledger.admit(hold(10), [soft], NOW) for _ in range(16)]
    shares = dict(committed(accounts))
    beyond = ledger.admit(hold(1), [soft], NOW)

    assert not any(lease.over_budget for lease in within)
    assert set(shares.values()) == {0, 40}
    assert beyond.over_budget
    assert sum(committed(accounts).values()) == 161


def test_a_soft_budget_in_pieces_is_not_exceeded() -> None:
    accounts = FakeAccounts()
    ledger = Ledger(accounts, FakeUsage())
    soft = wide(4, 160, is_hard=False)

    assert not ledger.admit(hold(160), [soft], NOW).over_budget
    assert ledger.admit(hold(41), [soft], NOW).over_budget


def test_limits_beside_a_soft_budget_still_refuse() -> None:
    ledger = Ledger(FakeAccounts(), FakeUsage())
    soft = replace(wide(2, 10, is_hard=False), limits=Limits(requests_per_day=2))
    for _ in range(2):
        ledger.admit(hold(20), [soft], NOW)

    with pytest.raises(RefusedError) as refused:
        ledger.admit(hold(20), [soft], NOW)

    assert refused.value.refusal.limit_name == "requests_per_day"
    assert refused.value.refusal.limit == 2


def test_a_layout_that_never_comes_to_rest_is_unavailable() -> None:
    class Busy(FakeAccounts):
        def lay_out(self, account_id: str, before: int, layout: Layout) -> bool:
            return False

    with pytest.raises(UnavailableError, match="busy"):
        Ledger(Busy(), FakeUsage()).admit(hold(), [wide(2, 1000)], NOW)


def test_what_is_given_back_after_a_lost_answer_starts_with_the_tenant() -> None:
    class Lossy(Counting):
        withdrawn: ClassVar[list[str]] = []

        def admit(self, scope: Scope, held: Hold, windows: Windows) -> Admitted | Rejected:
            outcome = super().admit(scope, held, windows)
            if isinstance(outcome, Admitted) and scope.account_id == "tenant#acme":
                raise UnavailableError("lost")
            return outcome

        def withdraw(self, *arguments: Any) -> None:
            self.withdrawn.append(arguments[0])
            super().withdraw(*arguments)

    accounts = Lossy()
    with pytest.raises(UnavailableError):
        Ledger(accounts, FakeUsage()).admit(hold(), [APP, TENANT], NOW)

    assert accounts.withdrawn == ["tenant#acme", "app#acme/web"]
    assert all(account.holds == {} for account in accounts.scan())


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
