"""The events the function understands: a scheduled run, or hours to write again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOUR = timedelta(hours=1)
_MAX_HOURS = 31 * 24
_ALLOWED = "{}, {'date': 'YYYY-MM-DD'} or {'from': 'YYYY-MM-DDTHH', 'to': 'YYYY-MM-DDTHH'}"


@dataclass(frozen=True, slots=True)
class Period:
    """Whole UTC hours from `start` up to, not including, `end`."""

    start: datetime
    end: datetime

    def hours(self) -> list[datetime]:
        """The hours' first moments, in order."""
        count = (self.end - self.start) // _HOUR
        return [self.start + _HOUR * n for n in range(count)]


def requested_period(event: Mapping[str, Any]) -> Period | None:
    """Return the hours a re-run event asks for, or None for a scheduled run.

    Raises ValueError for any other event, and for a period that is empty or over 31 days.
    """
    if not event or event.get("detail-type") == "Scheduled Event":
        return None
    if set(event) == {"date"}:
        start = _moment(event["date"], "%Y-%m-%d")
        return Period(start, start + 24 * _HOUR)
    if set(event) != {"from", "to"}:
        raise ValueError(f"event with {sorted(event)}: use {_ALLOWED}")
    period = Period(_moment(event["from"], "%Y-%m-%dT%H"), _moment(event["to"], "%Y-%m-%dT%H"))
    if not 0 < len(period.hours()) <= _MAX_HOURS:
        raise ValueError(
            f"from {event['from']} to {event['to']} is not between 1 hour and 31 days "
            "('to' is not included)"
        )
    return period


def _moment(text: object, form: str) -> datetime:
    try:
        return datetime.strptime(str(text), form).replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text!r} is not a time: use {_ALLOWED}") from None
