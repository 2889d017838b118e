"""Ends every expired hold in exactly one usage record. Safe to run twice at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tollgate.domain.ledger import (
    Account,
    Hold,
    account_tenant,
    is_tenant_account,
    tenant_account_id,
)
from tollgate.domain.prices import Cost
from tollgate.metering import Attribution, Outcome, log_usage, usage_row
from tollgate.observability import logger

if TYPE_CHECKING:
    from datetime import datetime

    from tollgate.domain.usage import UsageRow
    from tollgate.ports import Accounts, Clock, Jobs, Tenants, Usage

ORPHAN_HTTP_STATUS = 500


class SweepService:
    """Finishes settlements and accounts for calls whose end nobody saw."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        usage: Usage,
        tenants: Tenants,
        jobs: Jobs,
        region: str,
        price_version: str,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._usage = usage
        self._tenants = tenants
        self._jobs = jobs
        self._region = region
        self._price_version = price_version
        self._clock = clock

    def sweep(self) -> dict[str, int]:
        """End all expired holds. Returns how many were settled, orphaned and released."""
        now = self._clock()
        ended: Counter[str] = Counter(settled=0, orphaned=0, released=0)
        for account in self._accounts.scan():
            for hold in account.holds.values():
                if hold.expires_at < now.timestamp():
                    ended[self._end(account, hold, now)] += 1
        logger.info("swept", extra=dict(ended))
        return dict(ended)

    def _end(self, account: Account, hold: Hold, now: datetime) -> str:
        row = self._usage.get(hold.request_id)
        if row is not None:
            self._settle(account, hold, row)
            return "settled"
        if not is_tenant_account(account.account_id) and not self._held_by_tenant(account, hold):
            # The tenant's own hold comes last and the call after it: this one was never made.
            self._accounts.settle(account.account_id, hold, 0, None)
            return "released"
        outcome = self._outcome(hold)
        row = self._usage.put(self._row(account, hold, outcome, now))
        log_usage(row)
        self._settle(account, hold, row)
        return "orphaned" if row.status == "orphaned" else "released"

    def _held_by_tenant(self, account: Account, hold: Hold) -> bool:
        tenant = self._accounts.get(tenant_account_id(account_tenant(account.account_id)))
        return tenant is not None and hold.request_id in tenant.holds

    def _outcome(self, hold: Hold) -> Outcome:
        if hold.streamed and self._never_ran(hold):
            return Outcome(status="error", http_status=504, error_code="job_expired")
        # The model may have been called and billed: the hold is what is known to be enough.
        return Outcome(
            status="orphaned",
            http_status=ORPHAN_HTTP_STATUS,
            error_code="caller_lost",
            usage_source="hold",
            cost=Cost(input=0, output=0, cache=0, other=hold.usd, priced=True),
        )

    def _never_ran(self, hold: Hold) -> bool:
        self._jobs.abandon(hold.request_id)
        job = self._jobs.get(hold.request_id)
        return job is None or not job.claimed

    def _row(self, account: Account, hold: Hold, outcome: Outcome, now: datetime) -> UsageRow:
        tenant_id = account_tenant(account.account_id)
        tenant = self._tenants.tenant(tenant_id)
        app = None if tenant is None else tenant.apps.get(hold.app_id)
        attribution = Attribution(
            tenant_id=tenant_id,
            tier="" if tenant is None else tenant.tier,
            cost_center="" if tenant is None else tenant.cost_center,
            tags={**(tenant.tags if tenant else {}), **(app.tags if app else {})},
            region=self._region,
            price_version=self._price_version,
        )
        return usage_row(hold, attribution, outcome, now)

    def _settle(self, account: Account, hold: Hold, row: UsageRow) -> None:
        self._accounts.settle(account.account_id, hold, row.total_cost, None)
