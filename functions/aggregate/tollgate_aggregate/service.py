"""Writes open hours to the lake, closes those that can get no more rows, and redoes the reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from tollgate.domain.ids import request_time
from tollgate_aggregate.events import Period, requested_period
from tollgate_aggregate.files import day_files, day_prefix, hour_file, hour_key, report_keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from typing import Any

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
# Runs that meet in one object: the one that comes second reads again and adds to the first's.
_ATTEMPTS = 5


class OvertakenError(Exception):
    """Other runs changed the same object again and again; the message is its key."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did: hours read, rows and unpriced rows in their files, days reported on.

    `closed_through` is the moment before which every hour is closed; None for a re-run.
    """

    hours: int
    rows: int
    unpriced: int
    days: tuple[date, ...]
    closed_through: datetime | None


class Aggregator:
    """One run of the function, over ports."""

    def __init__(
        self,
        usage: UsageReader,
        watermark: Watermark,
        holds: OpenHolds,
        lake: Lake,
        clock: Clock,
    ) -> None:
        self._usage = usage
        self._watermark = watermark
        self._holds = holds
        self._lake = lake
        self._clock = clock

    def run(self, event: Mapping[str, Any]) -> RunReport:
        """Handle an event; raises ValueError when it is none of those `events` describes."""
        period = requested_period(event)
        if period is None:
            return self._run_open_hours()
        started = Period(period.start, min(period.end, _hour_of(self._clock()) + _HOUR))
        return self._write(started, None)

    def _run_open_hours(self) -> RunReport:
        now = self._clock()
        # Holds first: a request that settles while the hours are read is either in the rows or
        # still among these holds, so its hour is not closed without it.
        held = {_hour_of(request_time(request_id)) for request_id in self._holds.request_ids()}
        start = self._watermark.get()
        if start is None:
            start = min({_hour_of(now - _FIRST_RUN), *held})
        return self._write(Period(start, _hour_of(now) + _HOUR), _closable(start, now, held))

    def _write(self, period: Period, closable: datetime | None) -> RunReport:
        rows = unpriced = 0
        days = []
        closed: datetime | None = None
        # Day by day, so that a long backlog that outlives one run still moves forward.
        for day, hours_of_day in groupby(period.hours(), key=lambda hour: hour.date()):
            hours = list(hours_of_day)
            for hour in hours:
                counts = self._write_hour(hour)
                rows += counts[0]
                unpriced += counts[1]
            if self._write_day(day):
                days.append(day)
            if closable is not None:
                closed = min(closable, hours[-1] + _HOUR)
                self._watermark.set(closed)
        return RunReport(len(period.hours()), rows, unpriced, tuple(days), closed)

    def _write_hour(self, hour: datetime) -> tuple[int, int]:
        key = hour_key(hour)
        for _ in range(_ATTEMPTS):
            standing = self._lake.get(key)
            file = hour_file(self._usage.hour(hour), None if standing is None else standing.data)
            if file is None:
                return 0, 0
            if self._store(key, file.data, standing):
                return file.rows, file.unpriced
        raise OvertakenError(key)

    def _write_day(self, day: date) -> bool:
        for _ in range(_ATTEMPTS):
            # Reports before hours: a report that still stands when ours is written was not made
            # from newer hours than ours.
            standing = {key: self._lake.get(key) for key in report_keys(day)}
            hours = (self._lake.get(key) for key in self._lake.list(day_prefix(day)))
            files = day_files(day, [hour.data for hour in hours if hour is not None])
            if all(self._store(key, data, standing[key]) for key, data in files.items()):
                return bool(files)
        raise OvertakenError(day_prefix(day))

    def _store(self, key: str, data: bytes, standing: StoredObject | None) -> bool:
        if standing is not None and standing.data == data:
            return True
        return self._lake.put(key, data, standing)


def _closable(start: datetime, now: datetime, held: set[datetime]) -> datetime:
    hour = start
    while hour + _HOUR + _GRACE <= now and hour not in held:
        hour += _HOUR
    return hour


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
