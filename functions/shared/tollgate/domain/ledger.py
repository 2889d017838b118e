"""Account rules: windows, limits and holds of one scope, without any storage.

An account counts what its scope spent and holds in the current month and day, and its requests
and tokens in the current minute. `committed` is spent plus held; all money is picodollars.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.tenants import App, Budget, Limits, Tenant


@dataclass(frozen=True, slots=True)
class Windows:
    """The calendar windows of a moment, as sortable UTC strings."""

    month: str
    day: str
    minute: str

    @classmethod
    def at(cls, now: datetime) -> Windows:
        """The windows that contain `now`."""
        now = now.astimezone(UTC)
        return cls(f"{now:%Y-%m}", f"{now:%Y-%m-%d}", f"{now:%Y-%m-%dT%H:%M}")


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for one request: the most it can cost, until it settles or expires.

    `usd` is picodollars, `tokens` the most tokens it can use, `expires_at` epoch seconds. The
    rest is what a sweep needs to account for a request whose caller died.
    """

    request_id: str
    usd: int
    tokens: int
    expires_at: int
    model: str
    app_id: str
    key_id: str
    dialect: str
    streamed: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """An account with the limits that apply to it."""

    account_id: str
    budget: Budget
    limits: Limits


@dataclass(frozen=True, slots=True)
class Account:
    """The live counters of one scope."""

    account_id: str
    month: str
    day: str
    minute: str
    month_committed: int = 0
    month_spent: int = 0
    day_committed: int = 0
    day_spent: int = 0
    day_requests: int = 0
    minute_requests: int = 0
    minute_tokens: int = 0
    holds: Mapping[str, Hold] = field(default_factory=dict)
    rev: int = 0

    @property
    def held(self) -> int:
        """Sum of the open holds, in picodollars."""
        return sum(hold.usd for hold in self.holds.values())


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which limit refused a hold, with the figures behind it.

    Money limits (`month_usd`, `day_usd`) count picodollars, the others requests or tokens.
    `held` is the part of the use that open holds make up; `resets_at` is None for a limit that
    frees up as soon as a call ends.
    """

    account_id: str
    limit_name: str
    limit: int
    used: int
    held: int
    asked: int
    resets_at: datetime | None

    @property
    def is_budget(self) -> bool:
        """Whether money, and not a rate, ran out."""
        return self.limit_name in ("month_usd", "day_usd")

    @property
    def room(self) -> int:
        """What is left of the limit."""
        return max(self.limit - self.used, 0)


def tenant_account_id(tenant_id: str) -> str:
    """Account of a tenant."""
    return f"tenant#{tenant_id}"


def app_account_id(tenant_id: str, app_id: str) -> str:
    """Account of an app."""
    return f"app#{tenant_id}/{app_id}"


def account_tenant(account_id: str) -> str:
    """The tenant that an account belongs to."""
    return account_id.partition("#")[2].partition("/")[0]


def is_tenant_account(account_id: str) -> bool:
    """Whether the account is a tenant's own, as opposed to an app's."""
    return account_id.startswith("tenant#")


def scopes_of(tenant: Tenant, app: App) -> tuple[Scope, ...]:
    """The scopes a call of this app passes, leaf first; an app without limits has none."""
    scopes = (Scope(tenant_account_id(tenant.tenant_id), tenant.budget, tenant.limits),)
    if app.is_limited:
        app_id = app_account_id(tenant.tenant_id, app.app_id)
        return (Scope(app_id, app.budget, app.limits), *scopes)
    return scopes


def new_account(account_id: str, windows: Windows) -> Account:
    """An account before its first request."""
    return Account(account_id, month=windows.month, day=windows.day, minute=windows.minute)


def roll_over(account: Account, windows: Windows) -> Account:
    """The account moved on to `windows`; never backwards, so a slow clock changes nothing.

    Open holds are carried into the new month and day: the money they stand for is not spent yet
    and will be spent in the new window. Rates start afresh.
    """
    rolled = account
    if windows.month > account.month:
        rolled = replace(rolled, month=windows.month, month_committed=account.held, month_spent=0)
    if windows.day > account.day:
        rolled = replace(
            rolled, day=windows.day, day_committed=account.held, day_spent=0, day_requests=0
        )
    if windows.minute > account.minute:
        rolled = replace(rolled, minute=windows.minute, minute_requests=0, minute_tokens=0)
    if rolled is account:
        return account
    return replace(rolled, rev=account.rev + 1)


def refusal(account: Account, scope: Scope, hold: Hold) -> Refusal | None:
    """Why this hold does not fit the account, or None when it does.

    The account must be in current windows.
    """
    budget, limits = scope.budget, scope.limits
    day_start = datetime.strptime(account.day, "%Y-%m-%d").replace(tzinfo=UTC)
    month_start = day_start.replace(day=1)
    minute_start = datetime.strptime(account.minute, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    next_month = (month_start + timedelta(days=32)).replace(day=1)
    next_day = day_start + timedelta(days=1)
    next_minute = minute_start + timedelta(minutes=1)
    in_flight = len(account.holds)
    checks: tuple[tuple[str, int | None, int, int, int, datetime | None], ...] = (
        ("month_usd", budget.month, account.month_committed, account.held, hold.usd, next_month),
        ("day_usd", budget.day, account.day_committed, account.held, hold.usd, next_day),
        ("requests_per_day", limits.requests_per_day, account.day_requests, 0, 1, next_day),
        (
            "requests_per_minute",
            limits.requests_per_minute,
            account.minute_requests,
            0,
            1,
            next_minute,
        ),
        (
            "tokens_per_minute",
            limits.tokens_per_minute,
            account.minute_tokens,
            0,
            hold.tokens,
            next_minute,
        ),
        ("concurrent_requests", limits.concurrent_requests, in_flight, in_flight, 1, None),
    )
    for name, limit, used, held, asked, resets_at in checks:
        if limit is not None and used + asked > limit:
            return Refusal(scope.account_id, name, limit, used, held, asked, resets_at)
    return None


def remaining_usd(account: Account, budget: Budget) -> int | None:
    """What is left of the tightest budget after open holds; None without a budget."""
    rooms = []
    if budget.month is not None:
        rooms.append(budget.month - account.month_committed)
    if budget.day is not None:
        rooms.append(budget.day - account.day_committed)
    return min(rooms, default=None)
