"""One row, hour or day that cannot be worked at keeps no other from the lake; nothing is lost."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.fakes.usage_rows import usage_row
from tests.unit.aggregate.test_service import DAY, HOUR, NOON, World
from tollgate.domain.errors import UnavailableError
from tollgate.ports import UnreadableRow
from tollgate_aggregate.files import hour_key, quarantine_key
from tollgate_aggregate.service import RETENTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from tollgate.domain.usage import UsageRow

ODD = UnreadableRow("another id", json.dumps({"total_cost": {"S": "much"}}), "not of type bigint")
# As many as go through the hours in which rows to delete are looked for at first.
RUNS = 6
CLOSED = NOON + 2 * HOUR + timedelta(minutes=30)


def world_of_two_hours() -> World:
    """An hour from noon on with a row that can be read, and one with such a row before it."""
    world = World(CLOSED, closed_through=NOON - HOUR)
    world.usage.add(usage_row(started_at=NOON - HOUR), usage_row(started_at=NOON))
    return world


def test_an_hour_closes_without_a_row_that_lies_beside_it(caplog: pytest.LogCaptureFixture) -> None:
    world = world_of_two_hours()
    world.usage.unreadable[NOON] = [ODD]

    report = world.run()

    assert (report.rows, report.quarantined, report.failed) == (2, 1, [])
    assert report.closed_through == world.watermark.get() == NOON + 2 * HOUR
    key = quarantine_key(NOON, ODD.row_id)
    assert key.startswith("quarantine/dt=2026-11-15/hour=12/")
    assert world.lake.objects[key] == ODD.item.encode()
    assert world.hours() == ["dt=2026-11-15/hour=11", "dt=2026-11-15/hour=12"]
    assert "daily/dt=2026-11-15/summary.parquet" in world.lake.objects
    assert any(entry.__dict__.get("key") == key for entry in caplog.records)


def test_an_hour_of_nothing_else_keeps_the_row_too_and_writes_it_once() -> None:
    world = World(NOON + timedelta(minutes=30), closed_through=NOON)
    world.usage.unreadable[NOON] = [ODD]

    reports = [world.run(), world.run()]

    assert [report.quarantined for report in reports] == [1, 1]
    assert world.lake.written == [quarantine_key(NOON, ODD.row_id)]


@pytest.mark.parametrize("odd", ["x", "../../usage/dt=2026-11-15", "a/b", "\N{DUCK}" * 400, ""])
def test_any_id_makes_a_key_of_its_own_folder(odd: str) -> None:
    key = quarantine_key(NOON, odd)

    assert key.startswith("quarantine/dt=2026-11-15/hour=12/")
    assert key.count("/") == 3
    assert len(key.encode()) < 1024
    assert key != quarantine_key(NOON, f"{odd}2")


def test_a_row_that_can_be_read_again_comes_in_by_a_rerun() -> None:
    world = world_of_two_hours()
    repaired = usage_row(started_at=NOON)
    world.usage.unreadable[NOON] = [UnreadableRow(repaired.request_id, "{}", "odd")]
    world.run()
    world.usage.unreadable.clear()
    world.usage.add(repaired)

    report = world.run(date="2026-11-15")

    assert (report.rows, report.quarantined) == (3, 0)


@pytest.mark.parametrize("where", ["table", "file", "quarantine", "day"])
def test_what_fails_stays_open_and_stops_no_other(where: str) -> None:
    """Of three closable hours the second cannot be worked at."""
    world = World(CLOSED + HOUR, closed_through=NOON - HOUR)
    world.usage.add(*(usage_row(started_at=NOON + n * HOUR) for n in (-1, 0, 1)))
    heal = POISONS[where](world)

    report = world.run()

    hour, day = NOON.isoformat(), DAY.isoformat()
    # A report would be wrong without an hour of its day.
    failed = {"day": [day], "file": [hour, day]}.get(where, [hour])
    assert report.failed == failed
    open_from = NOON - HOUR if day in failed else NOON
    assert report.closed_through == world.watermark.get() == open_from
    assert "dt=2026-11-15/hour=13" in world.hours()
    heal()
    healed = world.run()
    assert healed.failed == []
    assert world.watermark.get() == NOON + 3 * HOUR
    assert "dt=2026-11-15/hour=12" in world.hours()


def broken_table(world: World) -> Callable[[], object]:
    read = world.usage.hour

    def hour(moment: datetime) -> Callable[[], object]:
        if moment == NOON:
            raise KeyError("Items")
        return read(moment)

    world.usage.hour = hour  # type: ignore[method-assign,assignment]
    return lambda: setattr(world.usage, "hour", read)


def broken_file(world: World) -> Callable[[], object]:
    world.lake.objects[hour_key(NOON)] = b"no parquet"
    return lambda: world.lake.objects.pop(hour_key(NOON))


def broken_quarantine(world: World) -> Callable[[], object]:
    world.usage.unreadable[NOON] = [ODD]
    return broken_put(world, "quarantine/")


def broken_day(world: World) -> Callable[[], object]:
    return broken_put(world, "succeed/")


def broken_put(world: World, part: str) -> Callable[[], object]:
    put = world.lake.put

    def fail(key: str, *rest: object) -> bool:
        if part in key:
            raise ConnectionError("lake is gone")
        return put(key, *rest)  # type: ignore[arg-type]

    world.lake.put = fail  # type: ignore[method-assign,assignment]
    return lambda: setattr(world.lake, "put", put)


POISONS: dict[str, Callable[[World], Callable[[], object]]] = {
    "table": broken_table,
    "file": broken_file,
    "quarantine": broken_quarantine,
    "day": broken_day,
}


def test_a_hold_of_no_request_keeps_no_hour_open() -> None:
    world = world_of_two_hours()
    world.holds.open = ["no id", ""]

    assert world.run().closed_through == NOON + 2 * HOUR


# --- What the table lets go of ------------------------------------------------------------------


def old(hours: int = 0) -> UsageRow:
    """A row of an hour whose time is up, or of one so many hours later."""
    return usage_row(started_at=CLOSED - RETENTION - 2 * HOUR + hours * HOUR)


def keep_running(world: World) -> int:
    """Runs until nothing is deleted any more; returns how many rows were."""
    expired = 0
    for _ in range(RUNS):
        expired += world.run().expired
    return expired


def test_rows_go_after_their_time_once_the_lake_has_them() -> None:
    gone, kept = old(), old(hours=2)
    world = World(CLOSED, closed_through=gone.started_at.replace(minute=0))
    world.usage.add(gone, kept)

    assert keep_running(world) == 1

    assert set(world.usage.rows) == {kept.request_id}
    assert world.deleted.get() == CLOSED.replace(minute=0) - RETENTION
    assert hour_key(gone.started_at) in world.lake.objects


@pytest.mark.parametrize("days", [36, 40, 400])
def test_rows_that_the_lake_does_not_have_stay_however_old_they_are(days: int) -> None:
    """The function has not run, or an open hold or a failure keeps the hour open."""
    world = World(NOON + timedelta(days=days), closed_through=NOON)
    row = usage_row(started_at=NOON + timedelta(minutes=1))
    world.usage.add(row)
    broken_put(world, "usage/dt=2026-11-15/hour=12")

    for _ in range(2):
        report = world.run()
        assert report.failed == [NOON.isoformat()]
    assert list(world.usage.rows) == [row.request_id]


def test_a_row_that_came_after_its_hour_had_closed_goes_to_the_lake_first() -> None:
    late, odd = old(), UnreadableRow("odd", "{}", "odd")
    hour = late.started_at.replace(minute=0)
    world = World(CLOSED, closed_through=CLOSED - 3 * HOUR)
    world.usage.add(late)
    world.usage.unreadable[hour] = [odd]

    assert keep_running(world) == 1

    assert world.usage.rows == {}
    assert hour_key(hour) in world.lake.objects
    assert quarantine_key(hour, "odd") in world.lake.objects
    # Nobody has read it: it stays for whoever repairs it.
    assert world.usage.unreadable[hour] == [odd]


def test_what_cannot_be_deleted_is_tried_again() -> None:
    row = old()
    world = World(CLOSED, closed_through=row.started_at.replace(minute=0))
    world.usage.add(row)
    delete = world.usage.delete

    def fail(request_ids: Iterable[str]) -> None:
        if list(request_ids):
            raise UnavailableError("usage table down")

    world.usage.delete = fail  # type: ignore[method-assign]
    failed = [world.run().failed for _ in range(RUNS)]

    assert failed[-1] == [row.started_at.replace(minute=0).isoformat()]
    world.usage.delete = delete  # type: ignore[method-assign]
    assert keep_running(world) == 1


def test_corrections_of_hours_that_were_deleted_go_with_their_rerun() -> None:
    row = old()
    world = World(CLOSED, closed_through=row.started_at.replace(minute=0))
    world.usage.add(row)
    keep_running(world)
    correction = usage_row(started_at=row.started_at, operation="reprice")
    world.usage.add(correction)

    report = world.run(date=row.started_at.date().isoformat())

    assert (report.rows, report.expired) == (2, 1)
    assert world.usage.rows == {}
