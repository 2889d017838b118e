"""Writes open hours to the lake, closes those that can get no more rows, and redoes the reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from tollgate.domain.ids import is_request_id, request_time
from tollgate.observability import logger
from tollgate.ports import UnreadableRow
from tollgate_aggregate.events import Period, requested_period
from tollgate_aggregate.files import (
    day_files,
    day_prefix,
    hour_file,
    hour_key,
    quarantine_key,
    report_keys,
    request_ids,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import date, datetime
    from typing import Any

    from tollgate.domain.usage import UsageRow
    from tollgate_aggregate.ports import (
        Clock,
        Lake,
        OpenHolds,
        StoredObject,
        UsageReader,
        Watermark,
    )

_HOUR = timedelta(hours=1)
# A request that got its id in the last moment of an hour has its hold well before this.
_GRACE = timedelta(minutes=10)
_FIRST_RUN = timedelta(hours=24)
# How long the table keeps what the lake has: for re-runs, and for a look at single rows.
RETENTION = timedelta(days=35)
# Where the first run looks for rows to delete, before those that it would keep, and how many hours
# a run goes through: few have any, and four runs an hour catch up with any backlog.
_FIRST_DELETION = timedelta(days=5)
_MOST_DELETED = timedelta(hours=24)
# Runs that meet in one object: the one that comes second reads again and adds to the first's.
_ATTEMPTS = 5


class OvertakenError(Exception):
    """Other runs changed the same object again and again; the message is its key."""


@dataclass(slots=True)
class RunReport:
    """What a run did: hours read, rows and unpriced rows in their files, days reported on.

    `quarantined` counts the rows that nobody can read, which lie beside the files; `failed` names
    the hours and days that could not be written, and `expired` counts the rows that the usage table
    let go of. `closed_through` is the moment before which every hour is closed, and `open_hours`
    are over since and not closed; None for a re-run.
    """

    hours: int = 0
    rows: int = 0
    unpriced: int = 0
    days: list[date] = field(default_factory=list)
    closed_through: datetime | None = None
    open_hours: int | None = None
    quarantined: int = 0
    failed: list[str] = field(default_factory=list)
    expired: int = 0


class Aggregator:
    """One run of the function, over ports."""

    def __init__(  # noqa: PLR0913 - what it reads and writes
        self,
        usage: UsageReader,
        watermark: Watermark,
        holds: OpenHolds,
        lake: Lake,
        clock: Clock,
        deleted: Watermark,
    ) -> None:
        """Hours are closed up to `watermark`, and their rows deleted up to `deleted`."""
        self._usage = usage
        self._watermark = watermark
        self._holds = holds
        self._lake = lake
        self._clock = clock
        self._deleted = deleted

    def run(self, event: Mapping[str, Any]) -> RunReport:
        """Handle an event; raises ValueError when it is none of those `events` describes.

        An hour or day that fails is told in the report and stops no other.
        """
        period = requested_period(event)
        if period is None:
            return self._run_open_hours()
        report = RunReport()
        started = Period(period.start, min(period.end, _hour_of(self._clock()) + _HOUR))
        self._write(started, None, report)
        deleted = self._deleted.get()
        for hour in started.hours():
            # The schedule has been here: what came since, such as corrections, is ours to delete.
            if deleted is not None and hour < deleted:
                self._attempt(partial(self._delete_hour, hour), hour, report)
        return report

    def _run_open_hours(self) -> RunReport:
        now = self._clock()
        report = RunReport()
        # Holds first: a request that settles while the hours are read is either in the rows or
        # still among these holds, so its hour is not closed without it.
        held = set(self._held_hours())
        start = self._watermark.get()
        if start is None:
            start = min({_hour_of(now - _FIRST_RUN), *held})
        open_hours = Period(start, _hour_of(now) + _HOUR)
        self._write(open_hours, _closable(start, now, held), report)
        report.open_hours = (now - (report.closed_through or start)) // _HOUR
        self._expire(min(report.closed_through or start, _hour_of(now - RETENTION)), now, report)
        return report

    def _held_hours(self) -> Iterator[datetime]:
        for request_id in self._holds.request_ids():
            if is_request_id(request_id):
                yield _hour_of(request_time(request_id))
            else:
                # It is of no hour; `sweep` counts it as one that it cannot end.
                logger.error("hold of no request", extra={"request_id": request_id[:64]})

    def _write(self, period: Period, closable: datetime | None, report: RunReport) -> None:
        report.hours += len(period.hours())
        # Day by day, so that a long backlog that outlives one run still moves forward.
        for day, hours_of_day in groupby(period.hours(), key=lambda hour: hour.date()):
            hours = list(hours_of_day)
            for hour in hours:
                if not self._attempt(partial(self._write_hour, hour), hour, report) and closable:
                    closable = min(closable, hour)
            is_reported = self._attempt(partial(self._write_day, day), day, report)
            if closable is None:
                continue
            if not is_reported:
                # A closed day's reports are not made again.
                closable = min(closable, hours[0])
            report.closed_through = min(closable, hours[-1] + _HOUR)
            self._watermark.set(report.closed_through)

    def _attempt(self, write: Callable[[RunReport], None], what: date, report: RunReport) -> bool:
        """Whether it was written; one that fails is told by its name, and stays open."""
        name = what.isoformat()
        try:
            write(report)
        except Exception:  # noqa: BLE001 - one hour's failure is no other's
            logger.exception("not aggregated", extra={"period": name})
            report.failed.append(name)
            return False
        return True

    def _write_hour(self, hour: datetime, report: RunReport) -> None:
        key = hour_key(hour)
        for _ in range(_ATTEMPTS):
            unreadable: list[UnreadableRow] = []
            standing = self._lake.get(key)
            rows = _readable(self._usage.hour(hour), unreadable)
            file = hour_file(rows, None if standing is None else standing.data)
            for row in unreadable:
                self._quarantine(hour, row)
            if file is None or self._store(key, file.data, standing):
                report.quarantined += len(unreadable)
                report.rows += 0 if file is None else file.rows
                report.unpriced += 0 if file is None else file.unpriced
                return
        raise OvertakenError(key)

    def _quarantine(self, hour: datetime, row: UnreadableRow) -> None:
        """Keep a row beside the files that it cannot be in: its hour closes without it."""
        key = quarantine_key(hour, row.row_id)
        logger.error("usage row not readable", extra={"key": key, "reason": row.reason})
        if not self._store(key, row.item.encode(), self._lake.get(key)):
            raise OvertakenError(key)

    def _write_day(self, day: date, report: RunReport) -> None:
        for _ in range(_ATTEMPTS):
            # Reports before hours: a report that still stands when ours is written was not made
            # from newer hours than ours.
            standing = {key: self._lake.get(key) for key in report_keys(day)}
            hours = (self._lake.get(key) for key in self._lake.list(day_prefix(day)))
            files = day_files(day, [hour.data for hour in hours if hour is not None])
            if all(self._store(key, data, standing[key]) for key, data in files.items()):
                if files:
                    report.days.append(day)
                return
        raise OvertakenError(day_prefix(day))

    def _store(self, key: str, data: bytes, standing: StoredObject | None) -> bool:
        if standing is not None and standing.data == data:
            return True
        return self._lake.put(key, data, standing)

    # --- What the table lets go of ----------------------------------------------------------------

    def _expire(self, until: datetime, now: datetime, report: RunReport) -> None:
        """Delete the rows of old closed hours, each once it is seen in the lake's own file."""
        start = self._deleted.get()
        if start is None:
            start = _hour_of(now - RETENTION - _FIRST_DELETION)
        for hour in Period(start, min(until, start + _MOST_DELETED)).hours():
            if not self._attempt(partial(self._delete_hour, hour), hour, report):
                return
            self._deleted.set(hour + _HOUR)

    def _delete_hour(self, hour: datetime, report: RunReport) -> None:
        gone, late = self._in_lake(hour)
        if late:
            # They came after their hour had closed.
            logger.warning("late rows", extra={"period": hour.isoformat(), "rows": late})
            self._write_hour(hour, report)
            self._write_day(hour.date(), report)
            gone, _ = self._in_lake(hour)
        self._usage.delete(gone)
        report.expired += len(gone)

    def _in_lake(self, hour: datetime) -> tuple[list[str], int]:
        """The requests of an hour whose rows the lake has, and how many it does not have."""
        file = self._lake.get(hour_key(hour))
        stored = set() if file is None else request_ids(file.data)
        ids = [row.request_id for row in _readable(self._usage.hour(hour), [])]
        found = [request_id for request_id in ids if request_id in stored]
        return found, len(ids) - len(found)


def _readable(
    rows: Iterable[UsageRow | UnreadableRow], unreadable: list[UnreadableRow]
) -> Iterator[UsageRow]:
    """The rows that can be read, while the others are put aside."""
    for row in rows:
        if isinstance(row, UnreadableRow):
            unreadable.append(row)
        else:
            yield row


def _closable(start: datetime, now: datetime, held: set[datetime]) -> datetime:
    hour = start
    while hour + _HOUR + _GRACE <= now and hour not in held:
        hour += _HOUR
    return hour


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
