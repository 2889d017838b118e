"""The accounts of the ledger in memory, for calls that are replayed.

They keep what `tollgate.ports.Accounts` promises, and pass the same contract tests as the table.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from tollgate.domain.ledger import refusal
from tollgate.domain.shards import layout_of
from tollgate.ports import Admitted, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tollgate.domain.ledger import Account, Hold, Layout, Scope, Windows
    from tollgate.ports import TokenRefund, Unreadable


def _has(account: Account, hold: Hold) -> bool:
    """Whether the account has the hold, and not one of a later try of the same request."""
    standing = account.holds.get(hold.request_id)
    return standing is not None and (standing.usd, standing.tokens) == (hold.usd, hold.tokens)


class MemoryAccounts:
    """`tollgate.ports.Accounts` in a dict, one lock for all."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._lock = threading.Lock()

    def admit(self, scope: Scope, hold: Hold, windows: Windows) -> Admitted | Rejected:
        with self._lock:
            account = self._accounts.get(scope.account_id)
            if account is None:
                return Rejected(None)
            elsewhere = account.minute != windows.minute
            taken = hold.request_id in account.holds
            if elsewhere or taken or account.frozen or refusal(account, scope, hold) is not None:
                return Rejected(account)
            after = replace(
                account,
                month_committed=account.month_committed + hold.usd,
                day_committed=account.day_committed + hold.usd,
                day_requests=account.day_requests + 1,
                minute_requests=account.minute_requests + 1,
                minute_tokens=account.minute_tokens + hold.tokens,
                holds={**account.holds, hold.request_id: replace(hold, minute=windows.minute)},
                rev=account.rev + 1,
            )
            self._accounts[scope.account_id] = after
            return Admitted(after)

    def create(self, account: Account) -> bool:
        with self._lock:
            if account.account_id in self._accounts:
                return False
            self._accounts[account.account_id] = account
            return True

    def replace(self, before: Account, after: Account) -> bool:
        with self._lock:
            standing = self._accounts.get(before.account_id)
            if standing is None or standing.rev != before.rev:
                return False
            self._accounts[before.account_id] = replace(after, holds=standing.holds)
            return True

    def settle(
        self, account_id: str, hold: Hold, spent: int, refund: TokenRefund | None
    ) -> Account | None:
        with self._lock:
            account = self._accounts.get(account_id)
            if account is None or not _has(account, hold):
                return None
            tokens = account.minute_tokens
            if refund is not None and refund.minute == account.minute:
                tokens -= refund.tokens
            after = replace(
                account,
                month_committed=account.month_committed + spent - hold.usd,
                day_committed=account.day_committed + spent - hold.usd,
                month_spent=account.month_spent + spent,
                day_spent=account.day_spent + spent,
                minute_tokens=tokens,
                holds={rid: held for rid, held in account.holds.items() if rid != hold.request_id},
                rev=account.rev + 1,
            )
            self._accounts[account_id] = after
            return after

    def withdraw(self, account_id: str, hold: Hold) -> None:
        with self._lock:
            account = self._accounts.get(account_id)
            if account is None or not _has(account, hold):
                return
            of_day = account.day == hold.day
            of_minute = account.minute == hold.minute
            self._accounts[account_id] = replace(
                account,
                month_committed=account.month_committed - hold.usd,
                day_committed=account.day_committed - hold.usd,
                day_requests=account.day_requests - of_day,
                minute_requests=account.minute_requests - of_minute,
                minute_tokens=account.minute_tokens - of_minute * hold.tokens,
                holds={rid: held for rid, held in account.holds.items() if rid != hold.request_id},
                rev=account.rev + 1,
            )

    def extend(self, account_id: str, request_id: str, expires_at: int) -> bool:
        with self._lock:
            account = self._accounts.get(account_id)
            if account is None or request_id not in account.holds:
                return False
            hold = replace(account.holds[request_id], expires_at=expires_at)
            self._accounts[account_id] = replace(
                account, holds={**account.holds, request_id: hold}, rev=account.rev + 1
            )
            return True

    def freeze(self, account_id: str) -> Account | None:
        with self._lock:
            account = self._accounts.get(account_id)
            if account is None:
                return None
            frozen = replace(account, frozen=True, rev=account.rev + 1)
            self._accounts[account_id] = frozen
            return frozen

    def lay_out(self, account_id: str, before: int, layout: Layout) -> bool:
        with self._lock:
            account = self._accounts.get(account_id)
            if account is None or not account.frozen or layout_of(account).generation != before:
                return False
            self._accounts[account_id] = replace(account, layout=layout, rev=account.rev + 1)
            return True

    def get(self, account_id: str) -> Account | None:
        with self._lock:
            return self._accounts.get(account_id)

    def scan(self, unreadable: Callable[[Unreadable], None] | None = None) -> Iterator[Account]:
        del unreadable  # there are none here
        with self._lock:
            accounts = list(self._accounts.values())
        yield from accounts
