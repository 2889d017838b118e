"""Ends every expired hold in exactly one usage record. Safe to stop anywhere, and to run twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from tollgate.domain.errors import TollgateError
from tollgate.domain.jobs import JOB_EXPIRED as EXPIRED_RESULT
from tollgate.domain.ledger import Hold, account_owner, hold_tenant, is_last_account
from tollgate.domain.usage import runs_as_job
from tollgate.observability import logger
from tollgate.services.metering import log_usage
from tollgate_sweep.rows import JOB_EXPIRED, NEVER_CALLED, Orphan, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tollgate.domain.invocation_logs import LogSearch
    from tollgate.domain.usage import UsageRow
    from tollgate.ports import Accounts, Clock, InvocationLogs, Jobs, Unreadable, Usage

Ended = TypeVar("Ended", str, str | None)


# A log comes minutes after its call, and whoever looks for one reads all of the hour.
SEARCH_INTERVAL = timedelta(minutes=5)


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
        self._searched: Mapping[str, datetime | None] = {}

    def sweep(self, reasons: set[str] | None = None) -> dict[str, int]:
        """End all expired holds. Returns the number of requests by how they were ended.

        What some failed for is added to `reasons`.

        settled: a settlement was finished; resolved: booked as logged; orphaned: booked at the
        hold; released: ended at no cost; waiting: left until the logs can be relied on; failed:
        left as they are, because something about them failed. One that fails stops no other.
        """
        reasons = set() if reasons is None else reasons
        now = self._clock()
        ended = Counter(settled=0, resolved=0, orphaned=0, released=0, waiting=0, failed=0)
        unknown: list[Orphan] = []
        orphans, failed = self._orphans(now)
        ended["failed"] += failed
        for orphan in orphans:
            how = _attempt(orphan, partial(self._end, orphan, now), reasons)
            if how is None:
                unknown.append(orphan)
            else:
                ended[how] += 1
        ended.update(self._end_unknown(unknown, now, reasons))
        logger.info("swept", extra=dict(ended))
        return dict(ended)

    def _orphans(self, now: datetime) -> tuple[Iterable[Orphan], int]:
        """Requests with expired holds, and how many cannot be told from them.

        Of a call that was made nothing may be withdrawn. So where a last account or its hold cannot
        be read, the holds before it that seem to be without it stay.
        """
        orphans: dict[str, Orphan] = {}
        whole: set[str] = set()
        unreadable: list[Unreadable] = []
        for account in self._accounts.scan(unreadable.append):
            for hold in account.holds.values():
                if is_last_account(account.account_id, hold):
                    whole.add(hold.request_id)
                if hold.expires_at < now.timestamp():
                    tenant_id = hold_tenant(account.account_id, hold)
                    orphan = orphans.setdefault(hold.request_id, Orphan(tenant_id, hold))
                    orphan.holds[account.account_id] = hold
        for item in unreadable:
            logger.error("account not readable", extra=asdict(item))
        for request_id, orphan in orphans.items():
            orphan.is_whole = request_id in whole
        kept = _possibly_whole(orphans, unreadable)
        return [orphan for rid, orphan in orphans.items() if rid not in kept], len(unreadable)

    def _end(self, orphan: Orphan, now: datetime) -> str | None:
        """End what can be ended without the logs; None for a call that may have been made."""
        hold = orphan.hold
        row = self._usage.get(hold.request_id)
        if row is not None:
            self._settle(orphan, row, now)
            return "settled"
        if not orphan.is_whole:
            # The call comes after the last hold: this one was never made, and the tenant, or its
            # business unit, may have refused it.
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

    def _end_unknown(self, orphans: list[Orphan], now: datetime, reasons: set[str]) -> Counter[str]:
        """End calls that may have been made: as logged, or at the most they can have cost."""
        try:
            search = self._search(orphans, now)
        except Exception as error:  # noqa: BLE001 - what was ended before stays ended, and is told
            logger.exception("invocation logs not searched")
            reasons.add(_reason(error))
            return Counter(failed=len(orphans))
        return Counter(
            _attempt(orphan, partial(self._end_one, orphan, search, now), reasons)
            for orphan in orphans
        )

    def _search(self, orphans: list[Orphan], now: datetime) -> LogSearch | None:
        """Look for the calls that were not looked for of late, and for those whose time is over.

        What was looked for is known to this process alone; another one looks too often.
        """
        if self._logs is None:
            return None
        searched = {o.hold.request_id: self._searched.get(o.hold.request_id) for o in orphans}
        due = {
            orphan.hold.request_id: min(self._until(orphan), now)
            for orphan in orphans
            if now > self._until(orphan) or _is_long_ago(searched[orphan.hold.request_id], now)
        }
        search = self._logs.find(due)
        searched |= dict.fromkeys(due, now)
        self._searched = searched
        return search

    def _until(self, orphan: Orphan) -> datetime:
        """When the last log of a call can have come."""
        return _expiry(orphan.hold) + self._log_grace

    def _end_one(self, orphan: Orphan, search: LogSearch | None, now: datetime) -> str:
        call = None if search is None else search.found.get(orphan.hold.request_id)
        if call is not None:
            self._book(orphan, self._rows.as_logged(orphan, call, now), now)
            return "resolved"
        if search is not None and now <= self._until(orphan):
            return "waiting"
        if search is not None and search.complete and self._rows.is_logged(orphan):
            self._book(orphan, self._rows.at_no_cost(orphan, NEVER_CALLED, now), now)
            return "released"
        # What is missing from incomplete or foreign logs may have been billed all the same.
        self._book(orphan, self._rows.at_hold(orphan, now), now)
        return "orphaned"

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


def _attempt(
    orphan: Orphan, end: Callable[[], Ended], reasons: set[str]
) -> Ended | Literal["failed"]:
    """How one request was ended; what fails is told by its id, and the next run tries it again."""
    try:
        return end()
    except Exception as error:  # noqa: BLE001 - one hold's failure is no other's
        reasons.add(_reason(error))
        logger.exception(
            "hold not ended",
            extra={"request_id": orphan.hold.request_id, "tenant_id": orphan.tenant_id},
        )
        return "failed"


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, TollgateError) else type(error).__name__


def _possibly_whole(
    orphans: Mapping[str, Orphan], unreadable: Sequence[Unreadable]
) -> Collection[str]:
    """The requests whose last hold may be there, where nobody can read it."""
    return {
        request_id
        for request_id, orphan in orphans.items()
        if not orphan.is_whole and any(_may_be_last(item, orphan) for item in unreadable)
    }


def _may_be_last(item: Unreadable, orphan: Orphan) -> bool:
    """Whether what nobody can read may be the orphan's last hold, or an account that has it."""
    hold = orphan.hold
    if not is_last_account(item.account_id, hold):
        return False
    if item.request_id is not None:
        return item.request_id == hold.request_id
    return account_owner(item.account_id) == (hold.business_unit or orphan.tenant_id)


def _is_long_ago(searched: datetime | None, now: datetime) -> bool:
    return searched is None or now - searched >= SEARCH_INTERVAL


def _expiry(hold: Hold) -> datetime:
    return datetime.fromtimestamp(hold.expires_at, tz=UTC)
