"""How figures are written on the page: rounded for reading, exact beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tollgate.domain.money import format_usd, round_usd, usd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scripts.reports.periods import Period

_CENTS = 2
_FINEST = 6
_PICO_PER_USD = 10**12
# Below so many dollars in all a page shows more places than cents.
_SMALL_PAGE_USD = 10
_BILLION = 10**9
# Rows of a table, 500 bytes each: a year of 50 tenants stays below 2 MB.
MOST_LISTED = 150
_MS_PER_SECOND = 1000
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, what it is sorted by, and what a pointer on it tells."""

    text: str
    sort: str | None = None
    title: str | None = None
    is_number: bool = False
    is_alert: bool = False


def decimals_for(total: int) -> int:
    """Places that amounts of a page are rounded to, by the sum of them all in picodollars."""
    return _CENTS if abs(total) >= _SMALL_PAGE_USD * _PICO_PER_USD else _FINEST


def exact(amount: int) -> str:
    """Picodollars as US dollars with all places that are not zero, and at least two."""
    whole, _, places = format_usd(abs(amount)).partition(".")
    return f"{'-' if amount < 0 else ''}${int(whole):,}.{places.ljust(_CENTS, '0')}"


def rounded(amount: int, decimals: int) -> str:
    """Picodollars as US dollars, half up; what is not zero is not shown as zero."""
    if amount == 0:
        return "$0.00"
    text = round_usd(abs(amount), decimals)
    sign = "-" if amount < 0 else ""
    if not usd(text):
        return f"{sign}<${round_usd(10 ** (12 - decimals), decimals)}"
    whole, _, places = text.partition(".")
    return f"{sign}${int(whole):,}.{places.ljust(decimals, '0')}"


def large(number: int) -> str:
    """A whole number with its thousands apart; from a billion on, in billions."""
    return f"{number:,}" if number < _BILLION else f"{number / _BILLION:,.2f} billion"


def change(now: int, before: int) -> str:
    """By how many percent a figure changed, in words that a screen reader reads well."""
    if now == before:
        return "the same"
    if before == 0:
        return "none before"
    percent = abs(now - before) * 100 / abs(before)
    return f"{'up' if now > before else 'down'} {percent:,.1f} %"


def spelled(period: Period) -> str:
    """A period in words: November 2026, 2026, or its first and last day."""
    last = period.days()[-1]
    if (period.start.day, period.end.day, period.months()) == (1, 1, 1):
        return f"{_MONTHS[last.month - 1]} {last.year}"
    if (period.start.month, period.start.day, period.end.day, period.months()) == (1, 1, 1, 12):
        return str(last.year)
    return f"{period.start} to {last}"


def money(decimals: int) -> Callable[[Any], Cell]:
    """A writer of amounts of picodollars."""

    def write(value: Any) -> Cell:  # noqa: ANN401 - None or whole picodollars
        if value is None:
            return Cell("–", is_number=True)
        return Cell(rounded(value, decimals), str(value), exact(value), is_number=True)

    return write


def count(value: Any) -> Cell:  # noqa: ANN401 - None or a number
    """A whole number with its thousands apart."""
    if value is None:
        return Cell("–", is_number=True)
    return Cell(f"{value:,}", str(value), is_number=True)


def seconds(value: Any) -> Cell:  # noqa: ANN401 - None or milliseconds
    """Milliseconds as seconds with two places."""
    if value is None:
        return Cell("–", is_number=True)
    return Cell(f"{value / _MS_PER_SECOND:,.2f}", str(value), f"{value:,} ms", is_number=True)


def factor(value: Any) -> Cell:  # noqa: ANN401 - None or a decimal
    """A factor such as a markup, without zeros that say nothing."""
    if value is None:
        return Cell("–", is_number=True)
    return Cell(f"{value.normalize():f}", str(value), is_number=True)


def percentage(value: Any) -> Cell:  # noqa: ANN401 - None or a decimal
    """A percentage as the query rounded it."""
    if value is None:
        return Cell("–", is_number=True)
    return Cell(f"{value:,} %", str(value), is_number=True)


def word(value: Any) -> Cell:  # noqa: ANN401 - None or text
    """Text as it is."""
    return Cell("–" if value is None else str(value))


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; `is_near` is one that a table's filter keeps."""

    cells: Sequence[Cell]
    is_near: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A query's column as a table shows it."""

    name: str
    title: str
    write: Callable[[Any], Cell]


@dataclass(frozen=True, slots=True)
class Listing:
    """A table of the page, and the named query that its rows come from.

    `left_out` is how many more rows the query has than fit.
    """

    id: str
    title: str
    about: str
    query: str
    heads: Sequence[tuple[str, bool]]
    rows: Sequence[Row]
    left_out: int


def row(record: Mapping[str, Any], columns: Sequence[Column]) -> Row:
    """A query's record as a row of cells."""
    return Row([column.write(record[column.name]) for column in columns])


def heads(columns: Sequence[Column]) -> list[tuple[str, bool]]:
    """The titles of columns, and whether they hold numbers."""
    return [(column.title, column.write is not word) for column in columns]
