from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tollgate_aggregate.events import Period, requested_period

MIDNIGHT = datetime(2026, 11, 15, tzinfo=UTC)


@pytest.mark.parametrize("event", [{}, {"detail-type": "Scheduled Event", "id": "1"}])
def test_a_scheduled_event_names_no_period(event: dict[str, str]) -> None:
    assert requested_period(event) is None


def test_a_date_is_all_its_hours() -> None:
    period = requested_period({"date": "2026-11-15"})
    assert period == Period(MIDNIGHT, MIDNIGHT + timedelta(days=1))
    assert len(period.hours()) == 24
    assert period.hours()[-1] == MIDNIGHT + timedelta(hours=23)


def test_from_and_to_leave_the_last_hour_out() -> None:
    period = requested_period({"from": "2026-11-15T00", "to": "2026-11-15T02"})
    assert period is not None
    assert period.hours() == [MIDNIGHT, MIDNIGHT + timedelta(hours=1)]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"day": "2026-11-15"}, r"event with \['day'\]: use"),
        ({"date": "2026-11-15", "from": "2026-11-15T00"}, "event with"),
        ({"from": "2026-11-15T00"}, "event with"),
        ({"date": "15.11.2026"}, r"'15\.11\.2026' is not a time"),
        ({"date": None}, "None is not a time"),
        ({"from": "2026-11-15", "to": "2026-11-15T02"}, "is not a time"),
        ({"from": "2026-11-15T02", "to": "2026-11-15T02"}, "between 1 hour and 31 days"),
        ({"from": "2026-11-15T03", "to": "2026-11-15T02"}, "between 1 hour and 31 days"),
        ({"from": "2026-10-01T00", "to": "2026-11-15T02"}, "between 1 hour and 31 days"),
    ],
)
def test_other_events_are_refused_with_what_is_allowed(
    event: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        requested_period(event)
