from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.fakes.lake import FakeLake, FakeOpenHolds, FakeUsageReader, FakeWatermark
from tests.fakes.usage_rows import usage_row
from tollgate.domain.ids import new_request_id
from tollgate_aggregate.service import Aggregator, OvertakenError, RunReport

if TYPE_CHECKING:
    from tollgate_aggregate.ports import StoredObject

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)
DAY = date(2026, 11, 15)


class World:
    """The service on fakes, with a clock that can be moved."""

    def __init__(self, now: datetime, closed_through: datetime | None = None) -> None:
        self.now = now
        self.usage = FakeUsageReader()
        self.watermark = FakeWatermark(closed_through)
        self.deleted = FakeWatermark()
        self.holds = FakeOpenHolds()
        self.lake = FakeLake()
        self.aggregator = Aggregator(
            self.usage, self.watermark, self.holds, self.lake, lambda: self.now, self.deleted
        )

    def run(self, **event: str) -> RunReport:
        return self.aggregator.run(event)

    def hours(self) -> list[str]:
        return [key[len("usage/") : -len("/part-00.parquet")] for key in self.lake.list("usage/")]


def test_the_first_run_starts_a_day_back() -> None:
    world = World(NOON + timedelta(minutes=30))
    report = world.run()
    assert report == RunReport(25, 0, 0, [], NOON, open_hours=0)
    assert world.lake.objects == {}


def test_the_first_run_goes_further_back_for_an_older_hold() -> None:
    world = World(NOON + timedelta(minutes=30))
    world.holds.open = [new_request_id(NOON - timedelta(hours=40, minutes=-5))]
    report = world.run()
    assert report.hours == 41
    assert report.closed_through == NOON - 40 * HOUR


def test_open_hours_are_written_and_reported_before_they_close() -> None:
    world = World(NOON + timedelta(minutes=5), closed_through=NOON - HOUR)
    world.usage.add(
        usage_row(started_at=NOON - timedelta(minutes=1)),
        usage_row(started_at=NOON + timedelta(minutes=1), priced=False),
    )
    report = world.run()
    assert report == RunReport(2, 2, 1, [DAY], NOON - HOUR, open_hours=1)
    assert world.hours() == ["dt=2026-11-15/hour=11", "dt=2026-11-15/hour=12"]
    assert "daily/dt=2026-11-15/summary.parquet" in world.lake.objects


@pytest.mark.parametrize(
    ("minutes", "closed_through"), [(9, NOON - HOUR), (10, NOON), (69, NOON), (70, NOON + HOUR)]
)
def test_an_hour_closes_ten_minutes_after_its_end(minutes: int, closed_through: datetime) -> None:
    world = World(NOON + timedelta(minutes=minutes), closed_through=NOON - HOUR)
    assert world.run().closed_through == closed_through
    assert world.watermark.get() == closed_through


def test_an_hour_stays_open_while_a_request_that_started_in_it_is() -> None:
    world = World(NOON + 3 * HOUR, closed_through=NOON - HOUR)
    started = NOON + timedelta(minutes=59, seconds=59)
    row = usage_row(started_at=started)
    world.holds.open = [row.request_id, row.request_id]
    assert world.run().closed_through == NOON
    # The request settles: its row is there, its hold is gone.
    world.holds.open = []
    world.usage.add(row)
    report = world.run()
    assert (report.hours, report.rows) == (4, 1)
    assert report.closed_through == NOON + 2 * HOUR
    assert world.hours() == ["dt=2026-11-15/hour=12"]


def test_a_request_that_settles_during_the_run_keeps_its_hour_open() -> None:
    world = World(NOON + 3 * HOUR, closed_through=NOON)
    row = usage_row(started_at=NOON + timedelta(minutes=1))
    world.holds.open = [row.request_id]
    read_hour = world.usage.hour

    def settles_right_after(hour: datetime) -> list[object]:
        rows = list(read_hour(hour))
        world.holds.open = []
        world.usage.add(row)
        return list(rows)

    world.usage.hour = settles_right_after  # type: ignore[method-assign,assignment]
    assert world.run().closed_through == NOON
    assert world.run().rows == 1


def test_closed_hours_are_not_read_again_by_the_schedule() -> None:
    world = World(NOON + timedelta(minutes=30), closed_through=NOON)
    world.usage.add(usage_row(started_at=NOON - timedelta(minutes=1)))
    assert world.run().rows == 0
    assert world.hours() == []


def test_late_rows_come_in_through_a_rerun_which_leaves_the_watermark() -> None:
    world = World(NOON + timedelta(minutes=30), closed_through=NOON)
    world.usage.add(usage_row(started_at=NOON - timedelta(minutes=1)))
    report = world.run(**{"from": "2026-11-15T11", "to": "2026-11-15T12"})
    assert report == RunReport(1, 1, 0, [DAY], None)
    assert world.watermark.get() == NOON
    assert world.run(date="2026-11-15").hours == 13
    assert world.run(date="2026-11-16").hours == 0


def test_running_again_writes_nothing_new() -> None:
    world = World(NOON + timedelta(minutes=30), closed_through=NOON - 2 * HOUR)
    world.usage.add(*(usage_row(started_at=NOON - timedelta(minutes=m)) for m in range(1, 90, 10)))
    world.run()
    before = dict(world.lake.objects)
    writes = len(world.lake.written)
    world.run(date="2026-11-15")
    world.run()
    assert len(world.lake.written) == writes
    assert world.lake.objects == before


def test_a_rerun_after_rows_expired_keeps_what_the_lake_has() -> None:
    world = World(NOON + timedelta(minutes=30), closed_through=NOON - HOUR)
    rows = [usage_row(started_at=NOON - timedelta(minutes=m)) for m in (1, 2, 3)]
    world.usage.add(*rows)
    world.run()
    before = dict(world.lake.objects)
    del world.usage.rows[rows[0].request_id]
    assert world.run(date="2026-11-15").rows == 3
    world.usage.rows.clear()
    world.run(date="2026-11-15")
    assert world.lake.objects == before


def test_reports_lost_in_a_crash_are_made_up_for() -> None:
    world = World(NOON + timedelta(minutes=30), closed_through=NOON - HOUR)
    world.usage.add(usage_row(started_at=NOON - timedelta(minutes=1)))
    put = world.lake.put

    def crash_at_reports(key: str, data: bytes, replacing: StoredObject | None) -> bool:
        if not key.startswith("usage/"):
            raise ConnectionError("lake is gone")
        return put(key, data, replacing)

    world.lake.put = crash_at_reports  # type: ignore[method-assign]
    assert world.run().failed == ["2026-11-15"]
    assert world.watermark.get() == NOON - HOUR
    world.lake.put = put  # type: ignore[method-assign]
    world.run()
    assert "succeed/2026-11-15.csv" in world.lake.objects
    assert world.watermark.get() == NOON


def test_a_backlog_is_closed_up_to_what_fails() -> None:
    start = NOON - timedelta(days=3)
    world = World(NOON + timedelta(minutes=30), closed_through=start)
    world.usage.add(*(usage_row(started_at=start + n * HOUR) for n in range(0, 70, 7)))
    put = world.lake.put
    broken = "usage/dt=2026-11-15/hour=03/part-00.parquet"

    def dies_on_the_last_day(key: str, data: bytes, replacing: StoredObject | None) -> bool:
        if key == broken:
            raise TimeoutError
        return put(key, data, replacing)

    world.lake.put = dies_on_the_last_day  # type: ignore[method-assign]
    assert world.run().failed == ["2026-11-15T03:00:00+00:00"]
    assert world.watermark.get() == datetime(2026, 11, 15, 3, tzinfo=UTC)


def test_runs_at_the_same_time_lose_nothing() -> None:
    world = World(NOON + timedelta(minutes=30), closed_through=NOON)
    early, late = usage_row(started_at=NOON), usage_row(started_at=NOON)
    world.usage.add(early)
    put, overtaken = world.lake.put, []

    def another_run_comes_first(key: str, data: bytes, replacing: StoredObject | None) -> bool:
        # Once per object: a run that has seen one row more finishes before this one writes.
        if key not in overtaken:
            overtaken.append(key)
            world.usage.add(late)
            world.run()
        return put(key, data, replacing)

    world.lake.put = another_run_comes_first  # type: ignore[method-assign]
    assert world.run().rows == 2
    assert len(overtaken) == 3
    alone = World(NOON + timedelta(minutes=30), closed_through=NOON)
    alone.usage.add(early, late)
    alone.run()
    assert world.lake.objects == alone.lake.objects


def test_a_run_that_is_overtaken_again_and_again_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(NOON + timedelta(minutes=30), closed_through=NOON)
    world.usage.add(usage_row(started_at=NOON))
    world.lake.put = lambda *_: False  # type: ignore[method-assign]
    assert world.run().failed == ["2026-11-15T12:00:00+00:00"]
    (told,) = [entry for entry in caplog.records if entry.exc_info]
    assert told.exc_info is not None
    assert isinstance(told.exc_info[1], OvertakenError)
    assert str(told.exc_info[1]) == "usage/dt=2026-11-15/hour=12/part-00.parquet"
    assert world.watermark.get() == NOON
