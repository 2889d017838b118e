"""The ledger: every call holds its worst case before it starts and settles once when it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tollgate.domain.errors import (
    BudgetExceededError,
    BudgetHeldError,
    RateExceededError,
    UnavailableError,
)
from tollgate.domain.ledger import (
    Account,
    Hold,
    Layout,
    Refusal,
    Scope,
    Windows,
    exceeds,
    new_account,
    placed_on,
    refusal,
    refusal_of_all,
    remaining_usd,
    roll_over,
)
from tollgate.domain.money import format_usd
from tollgate.domain.shards import (
    is_due,
    layout_of,
    next_layout,
    original_layout,
    shard_account,
    shard_order,
    shard_scope,
)
from tollgate.domain.tenants import Budget, Limits
from tollgate.ports import Accounts, Admitted, TokenRefund, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tollgate.domain.usage import UsageRow

# A try is lost to a concurrent window change or first use; each such race has one winner.
_ATTEMPTS = 10

# When a call comes again that only running calls refused. Nobody knows when they end; most take
# seconds, and the SDKs that honour the wait try three times in all.
HELD_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Lease:
    """A hold in force on all its accounts, and the minute that it counts in on each.

    `scopes` are the accounts that hold it, each with its share of the limits. `over_budget` tells
    that a soft budget was exceeded once the hold was placed. `would_refuse` is the limit of an
    observed scope that the call does not keep, such as `tenant.month_usd`.
    """

    hold: Hold
    scopes: tuple[Scope, ...]
    minutes: tuple[str, ...]
    over_budget: bool = False
    would_refuse: str | None = None


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where the hold of one scope lies."""

    scope: Scope
    account: Account
    over_budget: bool = False


class RefusedError(Exception):
    """A limit refused the hold; nothing is held."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.limit_name)
        self.refusal = refusal


class _FrozenError(Exception):
    """The account belongs to an earlier layout."""


class Ledger:
    """Admits, settles and extends holds over the accounts and usage tables."""

    def __init__(self, accounts: Accounts, usage: Usage) -> None:
        self._accounts = accounts
        self._usage = usage
        # By the scope's account. An out-of-date layout is noticed: its accounts are frozen.
        self._layouts: dict[str, Layout] = {}

    def admit(self, hold: Hold, scopes: Sequence[Scope], now: datetime) -> Lease:
        """Place the hold on every scope, leaf first. Raises RefusedError and then holds nothing.

        UnavailableError holds nothing either, unless the ledger stays out of reach: then the hold
        is ended by a sweep.
        """
        windows = Windows.at(now)
        hold = placed_on(hold, scopes)
        # Accounts that hold the request, or may hold it because an answer was lost, each with the
        # hold as it then has it.
        touched: dict[str, Hold] = {}
        placed: list[_Placed] = []
        try:
            for scope in scopes:
                placed.append(self._place(hold, scope, windows, touched))
        except Exception:
            # The last hold goes first: what a failure leaves behind is then either whole, or
            # without the last hold, which a sweep knows from a call that was made.
            for account_id, counted in reversed(touched.items()):
                self._accounts.withdraw(account_id, counted)
            raise
        return Lease(
            hold,
            tuple(place.scope for place in placed),
            tuple(place.account.holds[hold.request_id].minute for place in placed),
            any(place.over_budget for place in placed),
        )

    def _place(
        self, hold: Hold, scope: Scope, windows: Windows, touched: dict[str, Hold]
    ) -> _Placed:
        for _ in range(_ATTEMPTS):
            layout = self._layout(scope, windows)
            try:
                return self._place_in(layout, hold, scope, windows, touched)
            except _FrozenError:
                self._layouts[scope.account_id] = self._lay_out(scope, windows, layout)
        raise _busy()

    def _layout(self, scope: Scope, windows: Windows) -> Layout:
        known = self._layouts.get(scope.account_id) or original_layout(scope.account_id)
        if is_due(known, scope):
            known = self._layouts[scope.account_id] = self._lay_out(scope, windows, None)
        return known

    def _place_in(
        self, layout: Layout, hold: Hold, scope: Scope, windows: Windows, touched: dict[str, Hold]
    ) -> _Placed:
        """Place the hold in the first account of the layout that takes it."""
        if scope.is_lifted:
            return self._place_lifted(layout, hold, scope, windows, touched)
        budget = layout.budget if layout.shards > 1 else scope.budget
        full: list[tuple[Scope, Account]] = []
        if layout.shards > 1 and not budget.is_hard:
            # Soft shares are used up as if they were hard, before any of them is exceeded.
            as_hard = replace(layout, budget=replace(budget, is_hard=True))
            placed, full = self._try(as_hard, hold, scope, windows, touched)
            if placed is not None:
                return placed
        placed, refusing = self._try(layout, hold, scope, windows, touched)
        if placed is None:
            raise RefusedError(refusal_of_all(scope, refusing, hold))
        if budget.is_hard:
            return placed
        if full:
            over = exceeds([account for _, account in full], budget, hold.usd)
        else:
            over = exceeds([placed.account], budget)
        return replace(placed, over_budget=over)

    def _place_lifted(
        self, layout: Layout, hold: Hold, scope: Scope, windows: Windows, touched: dict[str, Hold]
    ) -> _Placed:
        """Place the hold in the first account of its request's order, whatever the limits."""
        index = shard_order(hold.request_id, layout.shards)[0]
        share = shard_scope(scope, layout, index)
        first = shard_account(scope, layout, index, windows)
        unlimited = replace(share, budget=Budget(), limits=Limits())
        account, _ = self._admit(hold, unlimited, first, windows, touched)
        return _Placed(share, account)

    def _try(
        self, layout: Layout, hold: Hold, scope: Scope, windows: Windows, touched: dict[str, Hold]
    ) -> tuple[_Placed | None, list[tuple[Scope, Account]]]:
        """Try the layout's accounts in the request's order.

        Returns where the hold was placed, or the accounts that refused it with their shares.
        """
        refusing: list[tuple[Scope, Account]] = []
        for index in shard_order(hold.request_id, layout.shards):
            share = shard_scope(scope, layout, index)
            first = shard_account(scope, layout, index, windows)
            account, is_placed = self._admit(hold, share, first, windows, touched)
            if is_placed:
                return _Placed(share, account), refusing
            refusing.append((share, account))
        return None, refusing

    def _admit(
        self, hold: Hold, scope: Scope, first: Account, windows: Windows, touched: dict[str, Hold]
    ) -> tuple[Account, bool]:
        """Place the hold in one account. Returns the account, and whether it took the hold."""
        for _ in range(_ATTEMPTS):
            # Before the write: a lost answer leaves open whether the hold was placed.
            touched[scope.account_id] = replace(hold, minute=windows.minute)
            outcome = self._accounts.admit(scope, hold, windows)
            if isinstance(outcome, Admitted):
                return outcome.account, True
            standing = outcome.account
            if standing is None:
                self._accounts.create(first)
                continue
            if hold.request_id in standing.holds:
                # The SDK sent the write twice because its first answer was lost.
                return standing, True
            if standing.frozen:
                del touched[scope.account_id]
                raise _FrozenError
            current = roll_over(standing, windows)
            if refusal(current, scope, hold) is not None:
                del touched[scope.account_id]
                return current, False
            if current is not standing:
                self._accounts.replace(standing, current)
            # A clock that is behind counts where the account is.
            windows = Windows.of(current)
        raise _busy()

    def _lay_out(self, scope: Scope, windows: Windows, unusable: Layout | None) -> Layout:
        """The layout that stands after `unusable`, or, where the policy asks for it, a new one.

        A new layout takes effect in three steps, each of which any number of processes may
        repeat, so a crash between them delays nobody: freeze all accounts of the layout before;
        write the new layout, with what they have committed, into the scope's first account;
        create the new accounts, each when it is first used.
        """
        for _ in range(_ATTEMPTS):
            directory = self._freeze(new_account(scope.account_id, windows))
            layout = layout_of(directory)
            is_usable = unusable is None or layout.generation > unusable.generation
            if is_usable and not is_due(layout, scope):
                return layout
            frozen = [directory]
            if layout.generation > 0:
                frozen = [
                    self._freeze(shard_account(scope, layout, index, windows))
                    for index in range(layout.shards)
                ]
            after = next_layout(layout, scope, frozen, windows)
            if self._accounts.lay_out(scope.account_id, layout.generation, after):
                return after
        raise _busy()

    def _freeze(self, first: Account) -> Account:
        """Freeze an account, created as `first` where there is none yet."""
        for _ in range(_ATTEMPTS):
            frozen = self._accounts.freeze(first.account_id)
            if frozen is not None:
                return frozen
            self._accounts.create(first)
        raise _busy()

    def settle(self, lease: Lease, row: UsageRow) -> int | None:
        """Write the usage row and end the hold on every scope.

        Safe to repeat, and to run beside a sweep: the row that stands decides the amount.
        Returns what is left of the tightest budget in picodollars, None without a budget.
        """
        standing = self._usage.put(row)
        used = (
            standing.input_tokens
            + standing.output_tokens
            + standing.cache_read_tokens
            + standing.cache_write_5m_tokens
            + standing.cache_write_1h_tokens
        )
        if standing.usage_source == "hold":
            used = lease.hold.tokens  # the row does not know; nothing is given back
        rooms: list[int] = []
        for scope, minute in zip(lease.scopes, lease.minutes, strict=True):
            refund = None
            if scope.limits.tokens_per_minute is not None and used < lease.hold.tokens:
                refund = TokenRefund(minute, lease.hold.tokens - used)
            account = self._accounts.settle(
                scope.account_id, lease.hold, standing.total_cost, refund
            )
            room = None if account is None else remaining_usd(account, scope.budget)
            if room is not None:
                rooms.append(room)
        return min(rooms, default=None)

    def withdraw(self, lease: Lease) -> None:
        """Take a request back that is not made after all, whole and without a row."""
        # The last hold goes first, as above.
        for scope, minute in reversed(list(zip(lease.scopes, lease.minutes, strict=True))):
            self._accounts.withdraw(scope.account_id, replace(lease.hold, minute=minute))

    def extend(self, lease: Lease, expires_at: int) -> bool:
        """Move the hold's expiry on every scope; False when a sweep has ended it already."""
        return all(
            self._accounts.extend(scope.account_id, lease.hold.request_id, expires_at)
            for scope in lease.scopes
        )


def _busy() -> UnavailableError:
    return UnavailableError("the ledger is busy; nothing was charged, try again", retry_after=1)


def refusal_error(
    refused: Refusal, affordable_max_tokens: int | None, now: datetime
) -> BudgetExceededError | BudgetHeldError | RateExceededError:
    """The caller's view of a refusal: which limit, its figures, and what would fit."""
    if refused.is_budget:
        return _budget_error(refused, affordable_max_tokens or 0, now)
    scope, _, name = refused.account_id.partition("#")
    details: dict[str, object] = {"scope": scope, "limit_name": refused.limit_name}
    whose, what = scope, refused.limit_name.replace("_", " ")
    if scope == "model":
        pattern = name.partition("/")[2]
        details["models"] = pattern
        whose, what = "tenant", f"{what} for {pattern}"
    retry_after = 1
    if refused.resets_at is not None:
        details["resets_at"] = refused.resets_at.isoformat()
        retry_after = _seconds_until(refused.resets_at, now)
    details |= {"limit": refused.limit, "used": refused.used, "asked": refused.asked}
    if affordable_max_tokens is not None:
        details["affordable_max_tokens"] = affordable_max_tokens
    return RateExceededError(
        f"the {whose}'s limit of {refused.limit} {what} is "
        f"reached ({refused.used} used); try again in {retry_after} s",
        code=f"{refused.limit_name}_exceeded",
        details=details,
        retry_after=retry_after,
    )


def _budget_error(
    refused: Refusal, affordable_max_tokens: int, now: datetime
) -> BudgetExceededError | BudgetHeldError:
    scope = refused.account_id.partition("#")[0]
    details: dict[str, object] = {
        "scope": scope,
        "limit_name": refused.limit_name,
        "limit_usd": format_usd(refused.limit),
        "spent_usd": format_usd(refused.used - refused.held),
        "held_usd": format_usd(refused.held),
        "needed_usd": format_usd(refused.asked),
        "affordable_max_tokens": affordable_max_tokens,
    }
    whose = scope.replace("_", " ")
    budget = f"the {whose}'s budget of ${details['limit_usd']} a {refused.limit_name[:-4]}"
    figures = (
        f"${details['spent_usd']} spent, ${details['held_usd']} held by running calls, up to "
        f"${details['needed_usd']} needed"
    )
    lower = f"maxTokens of {affordable_max_tokens} or less would fit"
    if refused.is_held:
        advice = f"try again in {HELD_RETRY_SECONDS} s"
        return BudgetHeldError(
            f"{budget} can cover this call once running calls have settled: {figures}; {advice}"
            + (f", or at once: {lower}" if affordable_max_tokens > 0 else ""),
            details=details,
            retry_after=HELD_RETRY_SECONDS,
        )
    if refused.resets_at is not None:
        details["resets_at"] = refused.resets_at.isoformat()
    advice = lower if affordable_max_tokens > 0 else "ask the platform team for a higher budget"
    return BudgetExceededError(
        f"{budget} cannot cover this call: {figures}; {advice}", details=details
    )


def _seconds_until(moment: datetime, now: datetime) -> int:
    return max(int((moment - now).total_seconds()) + 1, 1)
