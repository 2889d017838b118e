"""The ledger: every call holds its worst case before it starts and settles once when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tollgate.domain.errors import BudgetExceededError, RateExceededError, UnavailableError
from tollgate.domain.ledger import (
    Account,
    Hold,
    Refusal,
    Scope,
    Windows,
    new_account,
    refusal,
    remaining_usd,
    roll_over,
)
from tollgate.domain.money import format_usd
from tollgate.ports import Accounts, Admitted, TokenRefund, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tollgate.domain.usage import UsageRow

# A try is lost to a concurrent window change or first use; each such race has one winner.
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Lease:
    """A hold in force on all its scopes, and the minute it counts in."""

    hold: Hold
    scopes: tuple[Scope, ...]
    minute: str


class RefusedError(Exception):
    """A limit refused the hold; nothing is held."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.limit_name)
        self.refusal = refusal


class Ledger:
    """Admits, settles and extends holds over the accounts and usage tables."""

    def __init__(self, accounts: Accounts, usage: Usage) -> None:
        self._accounts = accounts
        self._usage = usage

    def admit(self, hold: Hold, scopes: Sequence[Scope], now: datetime) -> Lease:
        """Place the hold on every scope, leaf first. Raises RefusedError and then holds nothing."""
        windows = Windows.at(now)
        touched: list[Scope] = []
        minute = windows.minute
        try:
            for scope in scopes:
                # Before the write: a lost answer leaves open whether the hold was placed.
                touched.append(scope)
                minute = self._admit(hold, scope, windows).minute
        except (RefusedError, UnavailableError):
            for scope in touched:
                self._accounts.settle(scope.account_id, hold, 0, None)
            raise
        return Lease(hold, tuple(scopes), minute)

    def _admit(self, hold: Hold, scope: Scope, windows: Windows) -> Account:
        for _ in range(_ATTEMPTS):
            outcome = self._accounts.admit(scope, hold, windows)
            if isinstance(outcome, Admitted):
                return outcome.account
            standing = outcome.account
            if standing is None:
                self._accounts.create(new_account(scope.account_id, windows))
                continue
            if hold.request_id in standing.holds:
                # The SDK sent the write twice because its first answer was lost.
                return standing
            current = roll_over(standing, windows)
            refused = refusal(current, scope, hold)
            if refused is not None:
                raise RefusedError(refused)
            if current is not standing:
                self._accounts.replace(standing, current)
        raise UnavailableError("the ledger is busy; nothing was charged, try again", retry_after=1)

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
        rooms: list[int] = []
        for scope in lease.scopes:
            refund = None
            if scope.limits.tokens_per_minute is not None and used < lease.hold.tokens:
                refund = TokenRefund(lease.minute, lease.hold.tokens - used)
            account = self._accounts.settle(
                scope.account_id, lease.hold, standing.total_cost, refund
            )
            room = None if account is None else remaining_usd(account, scope.budget)
            if room is not None:
                rooms.append(room)
        return min(rooms, default=None)

    def extend(self, lease: Lease, expires_at: int) -> bool:
        """Move the hold's expiry on every scope; False when a sweep has ended it already."""
        return all(
            self._accounts.extend(scope.account_id, lease.hold.request_id, expires_at)
            for scope in lease.scopes
        )


def refusal_error(
    refused: Refusal, affordable_max_tokens: int | None, now: datetime
) -> BudgetExceededError | RateExceededError:
    """The caller's view of a refusal: which limit, its figures, and what would fit."""
    scope = refused.account_id.partition("#")[0]
    retry_after = None
    details: dict[str, object] = {"scope": scope, "limit_name": refused.limit_name}
    if refused.resets_at is not None:
        details["resets_at"] = refused.resets_at.isoformat()
        retry_after = max(int((refused.resets_at - now).total_seconds()) + 1, 1)
    if refused.is_budget:
        details |= {
            "limit_usd": format_usd(refused.limit),
            "spent_usd": format_usd(refused.used - refused.held),
            "held_usd": format_usd(refused.held),
            "needed_usd": format_usd(refused.asked),
        }
        advice = "ask the platform team for a higher budget"
        if affordable_max_tokens is not None:
            details["affordable_max_tokens"] = affordable_max_tokens
            if affordable_max_tokens > 0:
                advice = f"maxTokens of {affordable_max_tokens} or less would fit"
        return BudgetExceededError(
            f"the {scope}'s budget of ${details['limit_usd']} a {refused.limit_name[:-4]} cannot "
            f"cover this call: ${details['spent_usd']} spent, ${details['held_usd']} held by "
            f"running calls, up to ${details['needed_usd']} needed; {advice}",
            details=details,
        )
    details |= {"limit": refused.limit, "used": refused.used, "asked": refused.asked}
    if refused.limit_name == "concurrent_requests":
        retry_after = 1
    return RateExceededError(
        f"the {scope}'s limit of {refused.limit} {refused.limit_name.replace('_', ' ')} is "
        f"reached ({refused.used} used); try again in {retry_after} s",
        code=f"{refused.limit_name}_exceeded",
        details=details,
        retry_after=retry_after,
    )
