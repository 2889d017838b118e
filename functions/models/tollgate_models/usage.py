"""What a tenant and its app have spent, hold and may still use, read from the ledger's accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.ledger import Windows, new_account, scopes_of, window_ends
from tollgate.domain.money import format_usd
from tollgate.domain.shards import layout_of, shard_account, together
from tollgate.entry.http import Request, Response, json_response

if TYPE_CHECKING:
    from datetime import datetime

    from tollgate.domain.ledger import Account, Scope
    from tollgate.ports import Accounts, Clock
    from tollgate.services.policy import Policies


class UsageService:
    """The live figures of the caller's own scopes."""

    def __init__(self, *, policies: Policies, accounts: Accounts, clock: Clock) -> None:
        self._policies = policies
        self._accounts = accounts
        self._clock = clock

    def show(self, request: Request) -> Response:
        """The tenant's figures, and those of its app, models and business unit with limits."""
        party = self._policies.party(request.caller)
        windows = Windows.at(self._clock())
        scopes = scopes_of(party.tenant, party.app, None, party.business_unit)
        return json_response(
            request,
            {
                "tenant_id": request.caller.tenant_id,
                "app_id": request.caller.app_id,
                "scopes": [_figures(scope, self._standing(scope, windows)) for scope in scopes],
            },
        )

    def _standing(self, scope: Scope, windows: Windows) -> Account:
        """The scope's account in these windows, its shards as one."""
        first = self._read(new_account(scope.account_id, windows))
        layout = layout_of(first)
        if layout.generation == 0:
            return together(scope.account_id, [first], windows)
        shards = [
            self._read(shard_account(scope, layout, index, windows))
            for index in range(layout.shards)
        ]
        return together(scope.account_id, shards, windows)

    def _read(self, unused: Account) -> Account:
        """The account, or as it stands before its first request."""
        return self._accounts.get(unused.account_id) or unused


def _figures(scope: Scope, account: Account) -> dict[str, Any]:
    month_end, day_end, minute_end = window_ends(account)
    budget, limits = scope.budget, scope.limits
    held, in_flight = account.held, len(account.holds)
    kind, _, name = scope.account_id.partition("#")
    return {
        "scope": kind,
        **({"models": name.partition("/")[2]} if kind == "model" else {}),
        "budget": {
            "mode": budget.mode,
            "month": _money(budget.month, account.month_spent, held, month_end),
            "day": _money(budget.day, account.day_spent, held, day_end),
        },
        "requests_per_day": _count(limits.requests_per_day, account.day_requests, day_end),
        "requests_per_minute": _count(
            limits.requests_per_minute, account.minute_requests, minute_end
        ),
        "tokens_per_minute": _count(limits.tokens_per_minute, account.minute_tokens, minute_end),
        "concurrent_requests": _count(limits.concurrent_requests, in_flight, None),
    }


def _money(limit: int | None, spent: int, held: int, ends: datetime) -> dict[str, Any]:
    return {
        "limit_usd": None if limit is None else format_usd(limit),
        "spent_usd": format_usd(spent),
        "held_usd": format_usd(held),
        # Below zero where a soft or observed budget is exceeded, or a hard one was lowered.
        "remaining_usd": None if limit is None else format_usd(limit - spent - held),
        "resets_at": ends.isoformat(),
    }


def _count(limit: int | None, used: int, ends: datetime | None) -> dict[str, Any]:
    figures = {
        "limit": limit,
        "used": used,
        "remaining": None if limit is None else max(limit - used, 0),
    }
    return figures if ends is None else {**figures, "resets_at": ends.isoformat()}
