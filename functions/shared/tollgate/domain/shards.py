"""Which accounts a busy tenant's limits are spread over, and what each of them starts from.

Limits can be spread over several accounts, the tenant's shards. Which ones is its layout; layouts
are numbered, and the accounts of an earlier one are frozen: they admit nothing any more, but the
holds in them still settle there. The tenant's first account keeps the current layout.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from tollgate.domain.ledger import Account, Layout, Scope, Windows, new_account, roll_over
from tollgate.domain.tenants import Budget, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence


def shard_account_id(account_id: str, generation: int, index: int) -> str:
    """Account of a shard; generations above 0 have shards, even where it is a single one."""
    return f"{account_id}#{generation}.{index}"


def layout_of(account: Account) -> Layout:
    """The layout that a tenant's first account tells of: itself, until there is another one."""
    if account.layout is not None:
        return account.layout
    return original_layout(account.account_id)


def original_layout(account_id: str) -> Layout:
    """The layout before all others: one account, with the limits that the policy has."""
    return Layout(0, shards=1, at=-1, budget=Budget(), opening=Account(account_id, "", "", ""))


def is_due(layout: Layout, scope: Scope) -> bool:
    """Whether the scope's policy asks for another layout than this one.

    A policy that was read before the layout was decided may be out of date and asks for nothing.
    """
    if scope.policy_at <= layout.at:
        return False
    if scope.shards != layout.shards:
        return True
    return scope.shards > 1 and scope.budget != layout.budget


def next_layout(
    layout: Layout, scope: Scope, frozen: Sequence[Account], windows: Windows
) -> Layout:
    """The layout after this one, whose accounts are all in `frozen`.

    What they have committed counts as spent in it: that is the most that their open holds can
    still become. It is the scope's, or the same again where the scope's policy is older.
    """
    made = replace(
        layout, generation=layout.generation + 1, opening=_sum(scope.account_id, frozen, windows)
    )
    if scope.policy_at <= layout.at:
        return made
    return replace(made, shards=scope.shards, budget=scope.budget, at=scope.policy_at)


def together(account_id: str, accounts: Sequence[Account], windows: Windows) -> Account:
    """Several accounts as one, in the latest of their windows and these."""
    latest = Windows(
        max(windows.month, *(account.month for account in accounts)),
        max(windows.day, *(account.day for account in accounts)),
        max(windows.minute, *(account.minute for account in accounts)),
    )
    rolled = [roll_over(account, latest) for account in accounts]
    return Account(
        account_id,
        latest.month,
        latest.day,
        latest.minute,
        month_committed=sum(account.month_committed for account in rolled),
        month_spent=sum(account.month_spent for account in rolled),
        day_committed=sum(account.day_committed for account in rolled),
        day_spent=sum(account.day_spent for account in rolled),
        day_requests=sum(account.day_requests for account in rolled),
        minute_requests=sum(account.minute_requests for account in rolled),
        minute_tokens=sum(account.minute_tokens for account in rolled),
        holds={rid: hold for account in rolled for rid, hold in account.holds.items()},
    )


def _sum(account_id: str, accounts: Sequence[Account], windows: Windows) -> Account:
    sums = together(account_id, accounts, windows)
    month, day = sums.month_committed, sums.day_committed
    return replace(
        sums,
        month_spent=month,
        month_carried=month,
        day_spent=day,
        day_carried=day,
        holds={},
    )


def shard_account(scope: Scope, layout: Layout, index: int, windows: Windows) -> Account:
    """A shard's account before its first request."""
    if layout.generation == 0:
        return new_account(scope.account_id, windows)
    opening = layout.opening
    month = _share(opening.month_committed, layout.shards, index)
    day = _share(opening.day_committed, layout.shards, index)
    return Account(
        shard_account_id(scope.account_id, layout.generation, index),
        opening.month,
        opening.day,
        opening.minute,
        month_committed=month,
        month_spent=month,
        month_carried=month,
        day_committed=day,
        day_spent=day,
        day_carried=day,
        day_requests=_share(opening.day_requests, layout.shards, index),
        minute_requests=_share(opening.minute_requests, layout.shards, index),
        minute_tokens=_share(opening.minute_tokens, layout.shards, index),
    )


def shard_scope(scope: Scope, layout: Layout, index: int) -> Scope:
    """One account of a layout with its shares; all shares sum up exactly to the limits."""
    if layout.generation == 0:
        return replace(scope, shards=1)
    # A process with an older policy must not mix its budget with the one that the layout is for.
    budget = layout.budget if layout.shards > 1 else scope.budget
    limits = scope.limits
    return Scope(
        shard_account_id(scope.account_id, layout.generation, index),
        Budget(
            _share_of_limit(budget.month, layout.shards, index),
            _share_of_limit(budget.day, layout.shards, index),
            budget.is_hard,
            budget.is_observed,
        ),
        Limits(
            _share_of_limit(limits.requests_per_minute, layout.shards, index),
            _share_of_limit(limits.requests_per_day, layout.shards, index),
            _share_of_limit(limits.tokens_per_minute, layout.shards, index),
            _share_of_limit(limits.concurrent_requests, layout.shards, index),
        ),
        is_observed=scope.is_observed,
    )


def shard_order(request_id: str, shards: int) -> list[int]:
    """The order in which a request tries the shards: all of them, from one of its own."""
    first = zlib.crc32(request_id.encode()) % shards
    return [(first + step) % shards for step in range(shards)]


def _share(total: int, parts: int, index: int) -> int:
    """The first parts get what does not divide; a larger total has no smaller share."""
    return total // parts + (index < total % parts)


def _share_of_limit(limit: int | None, parts: int, index: int) -> int | None:
    return None if limit is None else _share(limit, parts, index)
