"""Ends every expired hold in exactly one usage record. Safe to stop anywhere, and to run twice."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tollgate.domain.jobs import JOB_EXPIRED as EXPIRED_RESULT
from tollgate.domain.ledger import Hold, account_tenant, is_tenant_account
from tollgate.domain.usage import runs_as_job
from tollgate.observability import logger
from tollgate.services.metering import log_usage
from tollgate_sweep.rows import JOB_EXPIRED, NEVER_CALLED, Orphan, Rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tollgate.domain.usage import UsageRow
    from tollgate.ports import Accounts, Clock, InvocationLogs, Jobs, Usage


class SweepService:
    """Finishes settlements and accounts for calls whose end nobody saw.

    `logs` are the model service's invocation logs, None where they are off. A call that they do
    not have is taken as never made once `log_grace` has passed since its hold expired.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        usage: Usage,
        jobs: Jobs,
        rows: Rows,
        logs: InvocationLogs | None,
        log_grace: timedelta,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._usage = usage
        self._jobs = jobs
        self._rows = rows
        self._logs = logs
        self._log_grace = log_grace
        self._clock = clock

    def sweep(self) -> dict[str, int]:
        """End all expired holds. Returns the number of requests by how they were ended.

        settled: a settlement was finished; resolved: booked as logged; orphaned: booked at the
        hold; released: ended at no cost; waiting: left until the logs can be relied on.
        """
        now = self._clock()
        ended = Counter(settled=0, resolved=0, orphaned=0, released=0, waiting=0)
        unknown: list[Orphan] = []
        for orphan in self._orphans(now):
            how = self._end(orphan, now)
            if how is None:
                unknown.append(orphan)
            else:
                ended[how] += 1
        ended.update(self._end_unknown(unknown, now))
        logger.info("swept", extra=dict(ended))
        return dict(ended)

    def _orphans(self, now: datetime) -> Iterable[Orphan]:
        """Requests with expired holds, except app holds that no tenant's hold ever followed."""
        orphans: dict[str, Orphan] = {}
        held_by_tenant: set[str] = set()
        for account in self._accounts.scan():
            tenant_id = account_tenant(account.account_id)
            for hold in account.holds.values():
                if is_tenant_account(account.account_id):
                    held_by_tenant.add(hold.request_id)
                if hold.expires_at < now.timestamp():
                    orphan = orphans.setdefault(hold.request_id, Orphan(tenant_id, hold))
                    orphan.holds[account.account_id] = hold
        for request_id, orphan in orphans.items():
            orphan.is_whole = request_id in held_by_tenant
        return orphans.values()

    def _end(self, orphan: Orphan, now: datetime) -> str | None:
        """End what can be ended without the logs; None for a call that may have been made."""
        hold = orphan.hold
        row = self._usage.get(hold.request_id)
        if row is not None:
            self._settle(orphan, row, now)
            return "settled"
        if not orphan.is_whole:
            # The tenant's own hold comes last and the call after it: this one was never made, and
            # the tenant may have refused it.
            for account_id, counted in orphan.holds.items():
                self._accounts.withdraw(account_id, counted)
            return "released"
        if runs_as_job(hold.dialect, streamed=hold.streamed):
            self._jobs.abandon(orphan.tenant_id, hold.request_id)
            orphan.job = self._jobs.get(orphan.tenant_id, hold.request_id)
            if orphan.job is None or not orphan.job.claimed:
                self._book(orphan, self._rows.at_no_cost(orphan, JOB_EXPIRED, now), now)
                return "released"
        return None

    def _end_unknown(self, orphans: list[Orphan], now: datetime) -> Counter[str]:
        """End calls that may have been made: as logged, or at the most they can have cost."""
        ended: Counter[str] = Counter()
        if self._logs is None:
            for orphan in orphans:
                self._book(orphan, self._rows.at_hold(orphan, now), now)
                ended["orphaned"] += 1
            return ended
        deadlines = {o.hold.request_id: _expiry(o.hold) + self._log_grace for o in orphans}
        search = self._logs.find({rid: min(at, now) for rid, at in deadlines.items()})
        for orphan in orphans:
            call = search.found.get(orphan.hold.request_id)
            if call is not None:
                self._book(orphan, self._rows.as_logged(orphan, call, now), now)
                ended["resolved"] += 1
            elif now <= deadlines[orphan.hold.request_id]:
                ended["waiting"] += 1
            elif search.complete and self._rows.is_logged(orphan):
                self._book(orphan, self._rows.at_no_cost(orphan, NEVER_CALLED, now), now)
                ended["released"] += 1
            else:
                # What is missing from incomplete or foreign logs may have been billed all the same.
                self._book(orphan, self._rows.at_hold(orphan, now), now)
                ended["orphaned"] += 1
        return ended

    def _book(self, orphan: Orphan, row: UsageRow, now: datetime) -> None:
        """Write the row unless one stands by now, and settle at the one that stands."""
        standing = self._usage.put(row)
        if standing == row:
            log_usage(row)
        self._settle(orphan, standing, now)

    def _settle(self, orphan: Orphan, row: UsageRow, now: datetime) -> None:
        if runs_as_job(orphan.hold.dialect, streamed=orphan.hold.streamed):
            self._fail_lost_job(orphan, now)
        for account_id, hold in orphan.holds.items():
            self._accounts.settle(account_id, hold, row.total_cost, None)

    def _fail_lost_job(self, orphan: Orphan, now: datetime) -> None:
        """Tell pollers that a producer died; one that lives ends its job itself."""
        job = orphan.job or self._jobs.get(orphan.tenant_id, orphan.hold.request_id)
        if job is not None and job.is_lost(now):
            self._jobs.finish(job.ended("failed", EXPIRED_RESULT, now))


def _expiry(hold: Hold) -> datetime:
    return datetime.fromtimestamp(hold.expires_at, tz=UTC)
