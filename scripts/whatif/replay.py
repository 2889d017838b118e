"""Calls of the past, in the order in which they began, through the ledger of the present.

Each call holds, runs as long as it ran, and settles. What a hold was is in its row; at other prices
it is as many times the new cost as it was of the old one. Tokens per minute count what a call used,
because its row does not tell the most that it could have used.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from scripts.prices.reprice import charge_at
from scripts.whatif.accounts import MemoryAccounts
from tollgate.domain.errors import TollgateError
from tollgate.domain.ledger import Hold, scopes_of
from tollgate.domain.models import ModelRef, denies, is_tenant_arn, matches
from tollgate.domain.tenants import Caller
from tollgate.domain.usage import is_endpoint_call
from tollgate.services.ledger import Ledger, RefusedError
from tollgate.services.policy import Party, allowed_model

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scripts.whatif.scenario import Scenario
    from tollgate.domain.ledger import Refusal
    from tollgate.domain.tenants import App, Tenant
    from tollgate.domain.usage import UsageRow
    from tollgate.services.ledger import Lease

# Longer than any call; nothing sweeps here.
_LEASE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Call:
    """A call as its row tells it, and what is booked for it with all corrections (picodollars)."""

    row: UsageRow
    booked: int


@dataclass
class Outcome:
    """What became of one tenant's calls.

    `cost` is of those that were admitted and `refused_cost` what the others would have cost, both
    picodollars. `refusals` counts by what refused, as in "tenant's month_usd". `kept` are calls
    that could not be priced anew and cost what is booked.
    """

    calls: int = 0
    cost: int = 0
    refused_cost: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    first_refused: datetime | None = None
    kept: int = 0

    @property
    def refused(self) -> int:
        """How many calls were refused."""
        return self.refusals.total()


class _Refused(Exception):
    """The call is not admitted; the message says by what."""


class _Rows:
    """`tollgate.ports.Usage` that keeps nothing: each call settles once."""

    def put(self, row: UsageRow) -> UsageRow:
        return row

    def get(self, request_id: str) -> UsageRow | None:
        del request_id
        return None


class Replay:
    """One pass of calls through a ledger that begins empty.

    Calls come in the order in which they began; `outcomes` are by tenant.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._ledger = Ledger(MemoryAccounts(), _Rows())
        self._running: list[tuple[datetime, int, Lease, UsageRow]] = []
        self._numbers = itertools.count()
        self.outcomes: dict[str, Outcome] = {}

    def run(self, calls: Iterable[Call]) -> None:
        """Take calls; may be called again with later ones."""
        for call in calls:
            self._settle_until(call.row.started_at)
            self._call(call, self.outcomes.setdefault(call.row.tenant_id, Outcome()))

    def _settle_until(self, moment: datetime) -> None:
        while self._running and self._running[0][0] <= moment:
            _, _, lease, row = heapq.heappop(self._running)
            self._ledger.settle(lease, row)

    def _call(self, call: Call, outcome: Outcome) -> None:
        row, tenant = call.row, self._scenario.policies.tenants.get(call.row.tenant_id)
        outcome.calls += 1
        if tenant is None:
            # Its file is gone: nothing says what would refuse it.
            outcome.cost += call.booked
            outcome.kept += 1
            return
        total = call.booked
        try:
            app = _app(tenant, row)
            ref = self._model(tenant, app, row)
            total, kept = self._cost(call, tenant, ref)
            outcome.kept += kept
            lease = self._admit(call, tenant, app, ref, total)
        except _Refused as refused:
            outcome.refusals[str(refused)] += 1
            outcome.refused_cost += total
            outcome.first_refused = outcome.first_refused or row.started_at
            return
        outcome.cost += total
        settled = replace(row, total_cost=total)
        heapq.heappush(self._running, (row.settled_at, next(self._numbers), lease, settled))

    def _model(self, tenant: Tenant, app: App, row: UsageRow) -> ModelRef:
        booked = ModelRef(row.requested_model, row.model_id, row.routing, None, row.requested_model)
        if is_endpoint_call(row.dialect):
            return booked
        models = self._scenario.models
        asked = models.get(row.requested_model, models.get(row.model_id, row.requested_model))
        if is_tenant_arn(asked):
            # Only AWS knows what stands behind it; the row names the model that was charged.
            named = booked.model_id
            if not matches(tenant.models, named) or denies(tenant.denied_models, named):
                raise _Refused("tenant's models")
            return booked
        caller = Caller(row.tenant_id, row.app_id, row.key_id, row.tier)
        try:
            return allowed_model(Party(caller, tenant, app), asked)
        except TollgateError:
            raise _Refused("tenant's models") from None

    def _cost(self, call: Call, tenant: Tenant, ref: ModelRef) -> tuple[int, bool]:
        """What it costs in picodollars, and whether that is as booked for lack of a price."""
        scenario, row = self._scenario, call.row
        is_same = ref.model_id in (row.model_id, row.requested_model)
        standing = scenario.contracts.get(tenant.tenant_id, tenant.prices)
        if is_same and not scenario.is_repriced and standing == tenant.prices:
            return call.booked, False
        rates = scenario.book.with_overrides(tenant.prices).rates(
            ref, region=row.region, at=row.started_at, tier=row.service_tier
        )
        if rates is None or row.usage_source == "hold" or row.status == "error":
            return call.booked, True
        charged = charge_at(row, rates)
        return (call.booked, True) if charged is None else (sum(charged), False)

    def _admit(self, call: Call, tenant: Tenant, app: App, ref: ModelRef, total: int) -> Lease:
        row = call.row
        hold = Hold(
            request_id=row.request_id,
            usd=_held(call, total),
            tokens=row.input_tokens
            + row.output_tokens
            + row.cache_read_tokens
            + row.cache_write_5m_tokens
            + row.cache_write_1h_tokens,
            expires_at=int((row.settled_at + _LEASE).timestamp()),
            model=ref.profile_id,
            app_id=row.app_id,
            key_id=row.key_id,
            dialect=row.dialect,
            streamed=row.streamed,
        )
        unit = self._scenario.policies.business_units.get(tenant.business_unit or "")
        scopes = scopes_of(tenant, app, (ref.model_id, ref.profile_id), unit)
        try:
            return self._ledger.admit(hold, scopes, row.started_at)
        except RefusedError as error:
            raise _Refused(_whose(error.refusal)) from None


def _app(tenant: Tenant, row: UsageRow) -> App:
    if tenant.status != "active":
        raise _Refused(f"tenant {tenant.status}")
    app = tenant.apps.get(row.app_id)
    if app is None or app.status != "active":
        raise _Refused(f"app {row.app_id}")
    return app


def _held(call: Call, total: int) -> int:
    """The hold at a call's new cost, rounded up; never below that cost."""
    held, booked = call.row.held, call.booked
    if booked <= 0:
        return max(held, total)
    return max(-(-held * total // booked), total)


def _whose(refusal: Refusal) -> str:
    kind = refusal.account_id.partition("#")[0].replace("_", " ")
    return f"{kind}'s {refusal.limit_name}"
