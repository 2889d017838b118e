"""One tenant's account, scope and holds, as the rules of the ledger take them."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.world import NOW
from tollgate.domain.ledger import Account, Hold, Scope, Windows, new_account
from tollgate.domain.tenants import Budget, Limits

WINDOWS = Windows.at(NOW)


def hold(usd: int = 100, tokens: int = 10, request_id: str = "r1") -> Hold:
    """A hold that never expires in a test."""
    return Hold(request_id, usd, tokens, 0, "m.x", "web", "web/k", "d", streamed=False)


def account(**changes: object) -> Account:
    """A new account of the tenant acme, changed."""
    return replace(new_account("tenant#acme", WINDOWS), **changes)  # type: ignore[arg-type]


def scope(budget: Budget | None = None, **limits: int) -> Scope:
    """The scope of that account."""
    return Scope("tenant#acme", budget or Budget(), Limits(**limits))
