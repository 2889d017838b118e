"""Whole UTC days that a report is about: a month, or from one day up to another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Period:
    """UTC days from `start` up to, not including, `end`. Raises ValueError when there are none."""

    start: date
    end: date

    def __post_init__(self) -> None:
        """Refuse what holds no day."""
        if self.end <= self.start:
            raise ValueError(f"{self.start} to {self.end} holds no day: 'to' is not included")

    def __str__(self) -> str:
        """The month as YYYY-MM where it is one, else both days."""
        is_month = self.start.day == 1 and self.end == month_after(self.start)
        return f"{self.start:%Y-%m}" if is_month else f"{self.start} to {self.end}"

    def over(self, today: date) -> bool:
        """Whether its last day has ended (UTC)."""
        return self.end <= today

    def days(self) -> list[date]:
        """Its days in order."""
        return [self.start + timedelta(days=n) for n in range((self.end - self.start).days)]

    def before(self) -> Period:
        """As many months before whole months, else as many days just before these."""
        if self.start.day == 1 and self.end.day == 1:
            first = self.start
            for _ in range(self.months()):
                first = month_of(first - timedelta(days=1))
            return Period(first, self.start)
        return Period(self.start - (self.end - self.start), self.start)

    def months(self) -> int:
        """How many first days of a month lie in it."""
        return len([day for day in self.days() if day.day == 1])


def month_of(day: date) -> date:
    """First day of a day's month."""
    return day.replace(day=1)


def month_after(day: date) -> date:
    """First day of the month after a day's month."""
    return month_of(month_of(day) + timedelta(days=31))


def month(text: str) -> Period:
    """The month "YYYY-MM". Raises ValueError for a month of another form."""
    if _MONTH.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a month: use YYYY-MM")
    first = date.fromisoformat(f"{text}-01")
    return Period(first, month_after(first))
