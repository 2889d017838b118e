"""Account rules: windows, limits, holds and shards of one scope, without any storage.

An account counts what its scope spent and holds in the current month and day, and its requests
and tokens in the current minute. `committed` is spent plus held; all money is picodollars.

A busy tenant's limits can be spread over several accounts: see `tollgate.domain.shards`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tollgate.domain.models import matches
from tollgate.domain.tenants import Budget, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.domain.tenants import App, BusinessUnit, Tenant


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

    @classmethod
    def of(cls, account: Account) -> Windows:
        """The windows that an account counts in."""
        return cls(account.month, account.day, account.minute)


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for one request: the most it can cost, until it settles or expires.

    `usd` is picodollars, `tokens` the most tokens it can use, `output_tokens` those of them that
    may be output, `expires_at` epoch seconds. The rest is what a sweep needs to account for a
    request whose caller died; `end_user` is whom the client says that it calls for. `minute` is
    that of the account in which the request was counted, empty until the hold is placed.
    `business_unit` is the one whose account is the last of those that have the hold, None where
    the tenant's is; beside it stands the `tenant_id`, which that account's name does not tell.
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
    minute: str = ""
    output_tokens: int = 0
    end_user: str | None = None
    business_unit: str | None = None
    tenant_id: str | None = None

    @property
    def input_tokens(self) -> int:
        """The most of its tokens that can be input."""
        return self.tokens - self.output_tokens

    @property
    def day(self) -> str:
        """The day of the account in which the request was counted."""
        return self.minute.partition("T")[0]


@dataclass(frozen=True, slots=True)
class Scope:
    """An account with the limits that apply to it.

    `shards` is over how many accounts they are to be spread, by a policy that was read at
    `policy_at` (epoch milliseconds). A scope that is observed refuses no call: one that its limits
    would have refused is placed with them `lifted`.
    """

    account_id: str
    budget: Budget
    limits: Limits
    shards: int = 1
    policy_at: int = 0
    is_observed: bool = False
    is_lifted: bool = False

    def lifted(self) -> Scope:
        """The same without its limits where it is observed."""
        return replace(self, is_lifted=self.is_observed)


@dataclass(frozen=True, slots=True)
class Account:
    """The live counters of one scope.

    `month_carried` and `day_carried` are the parts of the spent money that an earlier layout's
    accounts committed: they count against this account's limits, but their usage rows belong to
    those accounts.
    """

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
    month_carried: int = 0
    day_carried: int = 0
    frozen: bool = False
    layout: Layout | None = None

    @property
    def held(self) -> int:
        """Sum of the open holds, in picodollars."""
        return sum(hold.usd for hold in self.holds.values())


@dataclass(frozen=True, slots=True)
class Layout:
    """Over which accounts a scope's limits are spread, and what these accounts start from.

    A layout is made for one budget, because money committed under another one need not lie where
    this one's shares are. `at` is when the process that decided it had read its policy (epoch
    milliseconds). `opening` has the windows and the sums of the accounts before it.
    """

    generation: int
    shards: int
    at: int
    budget: Budget
    opening: Account


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which limit refused a hold, with the figures behind it.

    Money limits (`month_usd`, `day_usd`) count picodollars, the others requests or tokens.
    `held` is the part of the use that open holds make up; `resets_at` is None for a limit that
    frees up as soon as a call ends. `roomiest` is what is left in the shard with the most room,
    None without shards. `is_held` says that open holds alone stand in the way: an account, or a
    shard, takes the hold as soon as what runs there costs nothing any more. One of an observed
    scope is recorded, and refuses nothing.
    """

    account_id: str
    limit_name: str
    limit: int
    used: int
    held: int
    asked: int
    resets_at: datetime | None
    roomiest: int | None = None
    is_held: bool = False
    is_observed: bool = False

    @property
    def name(self) -> str:
        """The kind of the account and the limit, such as `tenant.month_usd`."""
        return f"{self.account_id.partition('#')[0]}.{self.limit_name}"

    @property
    def refuses(self) -> bool:
        """Whether the limit is too small for what is asked."""
        return self.used + self.asked > self.limit

    @property
    def is_spent(self) -> bool:
        """Whether it would be too small even if nothing were held."""
        return self.used - self.held + self.asked > self.limit

    @property
    def is_budget(self) -> bool:
        """Whether money, and not a rate, ran out."""
        return self.limit_name in ("month_usd", "day_usd")

    @property
    def room(self) -> int:
        """The most that fits now: what is left of the limit, where one hold can take it."""
        left = self.limit - self.used if self.roomiest is None else self.roomiest
        return max(left, 0)


def tenant_account_id(tenant_id: str) -> str:
    """Account of a tenant."""
    return f"tenant#{tenant_id}"


def app_account_id(tenant_id: str, app_id: str) -> str:
    """Account of an app."""
    return f"app#{tenant_id}/{app_id}"


def models_account_id(tenant_id: str, pattern: str) -> str:
    """Account of a tenant's calls of the models that a pattern of its model limits matches."""
    return f"model#{tenant_id}/{pattern}"


def business_unit_account_id(unit_id: str) -> str:
    """Account of a business unit."""
    return f"business_unit#{unit_id}"


def account_owner(account_id: str) -> str:
    """The tenant that an account belongs to; of a business unit's account, the unit."""
    return account_id.split("#")[1].partition("/")[0]


def is_tenant_account(account_id: str) -> bool:
    """Whether the account is a tenant's own or a shard of it, not an app's or some models'."""
    return account_id.startswith("tenant#")


def is_business_unit_account(account_id: str) -> bool:
    """Whether the account is a business unit's own or a shard of it."""
    return account_id.startswith("business_unit#")


def hold_tenant(account_id: str, hold: Hold) -> str:
    """The tenant whose call an account holds."""
    return account_owner(account_id) if hold.tenant_id is None else hold.tenant_id


def is_last_account(account_id: str, hold: Hold) -> bool:
    """Whether an account that has the hold is the last to get it, after which the call is made.

    A request without that hold was never made.
    """
    if hold.business_unit is None:
        return is_tenant_account(account_id)
    return is_business_unit_account(account_id)


def placed_on(hold: Hold, scopes: Sequence[Scope]) -> Hold:
    """The hold with what it must tell where the last of its scopes is a business unit's."""
    last = scopes[-1].account_id
    if not is_business_unit_account(last):
        return hold
    tenant_id = account_owner(scopes[-2].account_id)
    return replace(hold, business_unit=account_owner(last), tenant_id=tenant_id)


def scopes_of(
    tenant: Tenant,
    app: App,
    model_ids: Sequence[str] | None = (),
    business_unit: BusinessUnit | None = None,
) -> tuple[Scope, ...]:
    """The scopes a call of this app passes, leaf first; an app or a unit without limits has none.

    The last is that of the tenant's `business_unit`, before it the tenant's own. `model_ids` are
    what the called model is known by, its base id and the id with its routing: each pattern of the
    tenant's model limits that matches one of them is a scope. With None all are, as for every
    model.
    """
    scopes = []
    # Where the tenant is observed, so is all of it.
    observed = tenant.budget.is_observed
    if app.is_limited:
        app_id = app_account_id(tenant.tenant_id, app.app_id)
        app_observed = observed or app.budget.is_observed
        scopes.append(Scope(app_id, app.budget, app.limits, is_observed=app_observed))
    scopes += [
        Scope(models_account_id(tenant.tenant_id, pattern), Budget(), limits, is_observed=observed)
        for pattern, limits in sorted(tenant.model_limits.items())
        if model_ids is None or any(matches((pattern,), name) for name in model_ids)
    ]
    tenant_id = tenant_account_id(tenant.tenant_id)
    scopes.append(
        Scope(
            *(tenant_id, tenant.budget, tenant.limits, tenant.shards, tenant.read_at),
            is_observed=observed,
        )
    )
    if business_unit is not None and business_unit.is_limited:
        unit = business_unit
        unit_id = business_unit_account_id(unit.unit_id)
        scopes.append(
            Scope(
                *(unit_id, unit.budget, Limits(), unit.shards, unit.read_at),
                is_observed=unit.budget.is_observed,
            )
        )
    return tuple(scopes)


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
        rolled = replace(
            rolled,
            month=windows.month,
            month_committed=account.held,
            month_spent=0,
            month_carried=0,
        )
    if windows.day > account.day:
        rolled = replace(
            rolled,
            day=windows.day,
            day_committed=account.held,
            day_spent=0,
            day_carried=0,
            day_requests=0,
        )
    if windows.minute > account.minute:
        rolled = replace(rolled, minute=windows.minute, minute_requests=0, minute_tokens=0)
    if rolled is account:
        return account
    return replace(rolled, rev=account.rev + 1)


def window_ends(account: Account) -> tuple[datetime, datetime, datetime]:
    """When the account's month, day and minute end."""
    day = datetime.strptime(account.day, "%Y-%m-%d").replace(tzinfo=UTC)
    minute = datetime.strptime(account.minute, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return next_month, day + timedelta(days=1), minute + timedelta(minutes=1)


def refusal(account: Account, scope: Scope, hold: Hold) -> Refusal | None:
    """Why this hold does not fit the account, or None when it does.

    The account must be in current windows. A soft budget refuses nothing. What no running call
    frees is told before what one does.
    """
    refusing = [figures for figures in _figures(account, scope, hold) if figures.refuses]
    if not refusing:
        return None
    return _told(refusing, is_held=not any(figures.is_spent for figures in refusing))


def _told(refusing: Sequence[Refusal], *, is_held: bool) -> Refusal:
    """The one of several refusals that a caller is told."""
    lasting = [figures for figures in refusing if figures.is_spent]
    return replace((lasting or refusing)[0], is_held=is_held)


def _figures(account: Account, scope: Scope, hold: Hold) -> list[Refusal]:
    """What stands against each limit that can refuse, in the order in which they are told."""
    budget = scope.budget if scope.budget.is_hard else Budget()
    limits = scope.limits
    next_month, next_day, next_minute = window_ends(account)
    held, in_flight, tokens = account.held, len(account.holds), hold.tokens
    minute_requests, minute_tokens = account.minute_requests, account.minute_tokens
    rows: tuple[tuple[str, int | None, int, int, int, datetime | None], ...] = (
        ("month_usd", budget.month, account.month_committed, held, hold.usd, next_month),
        ("day_usd", budget.day, account.day_committed, held, hold.usd, next_day),
        ("requests_per_day", limits.requests_per_day, account.day_requests, 0, 1, next_day),
        ("requests_per_minute", limits.requests_per_minute, minute_requests, 0, 1, next_minute),
        ("tokens_per_minute", limits.tokens_per_minute, minute_tokens, 0, tokens, next_minute),
        ("concurrent_requests", limits.concurrent_requests, in_flight, in_flight, 1, None),
    )
    return [
        Refusal(
            *(scope.account_id, name, limit, used, held, asked, resets_at),
            is_observed=scope.is_observed,
        )
        for name, limit, used, held, asked, resets_at in rows
        if limit is not None
    ]


def refusal_of_all(scope: Scope, shards: Sequence[tuple[Scope, Account]], hold: Hold) -> Refusal:
    """The refusal of a hold that fits none of a scope's shards, its figures summed over them.

    `shards` are the shards' own scopes and accounts; each of them refuses the hold. The limit is
    one that the shards exceed together; where what is left would do but lies in pieces, it is the
    first shard's, or that of a shard that only waits for running calls.
    """
    figures_by_shard = [_figures(account, shard, hold) for shard, account in shards]
    waiting = [
        figures
        for figures in figures_by_shard
        if not any(same_shard.is_spent for same_shard in figures)
    ]
    by_limit: list[tuple[Refusal, ...]] = list(zip(*figures_by_shard, strict=True))
    sums = [
        replace(
            same_limit[0],
            account_id=scope.account_id,
            limit=sum(figures.limit for figures in same_limit),
            used=sum(figures.used for figures in same_limit),
            held=sum(figures.held for figures in same_limit),
            roomiest=max(figures.limit - figures.used for figures in same_limit),
        )
        for same_limit in by_limit
    ]
    one_shard = waiting[0] if waiting else figures_by_shard[0]
    in_pieces = [total for figures, total in zip(one_shard, sums, strict=True) if figures.refuses]
    exceeded = [total for total in sums if total.refuses]
    return _told(exceeded or in_pieces, is_held=bool(waiting))


def exceeds(accounts: Sequence[Account], budget: Budget, more: int = 0) -> bool:
    """Whether accounts together commit more than a budget, hard or soft, `more` added to them."""
    month = sum(account.month_committed for account in accounts) + more
    day = sum(account.day_committed for account in accounts) + more
    return (budget.month is not None and month > budget.month) or (
        budget.day is not None and day > budget.day
    )


def remaining_usd(account: Account, budget: Budget) -> int | None:
    """What is left of the tightest budget after open holds; None without a budget."""
    rooms = []
    if budget.month is not None:
        rooms.append(budget.month - account.month_committed)
    if budget.day is not None:
        rooms.append(budget.day - account.day_committed)
    return min(rooms, default=None)
