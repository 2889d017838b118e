"""The page's first figures: of the whole period, against the period before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.reports.page.budgets import QUERY
from scripts.reports.page.shown import change, exact, large, rounded, spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.reports.page.budgets import Budgets
    from scripts.reports.page.figures import Asked
    from scripts.reports.periods import Period


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the whole period; the note compares it with the period before."""

    title: str
    figure: str
    exact: str
    note: str
    query: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """A tile's title, its query and which columns of it are added up, and whether it is money."""

    title: str
    query: str
    columns: Sequence[str]
    is_money: bool = True


KINDS = (
    _Kind("Spent", "key_spend", ("cost",)),
    _Kind("Margin", "invoice", ("margin",)),
    _Kind("Saved by caching", "cache_economics", ("net_saved_usd",)),
    _Kind("Calls", "key_spend", ("calls",), is_money=False),
    _Kind("Tokens", "key_spend", ("input_tokens", "output_tokens"), is_money=False),
)


def tiles(asked: Asked, period: Period, budgets: Budgets | None, decimals: int) -> list[Tile]:
    """A tile of each kind whose tables the lake has."""
    summed = [
        _tile(kind, asked, period, decimals) for kind in KINDS if asked.lacks(kind.query) is None
    ]
    return summed if budgets is None else [summed[0], _held(budgets, decimals), *summed[1:]]


def _held(budgets: Budgets, decimals: int) -> Tile:
    # Business units hold for the same calls.
    held = sum(one["held"] for one in budgets.records if one["scope"] == "tenant")
    note = f"for calls that run, of budgets of {spelled(budgets.month)}"
    return Tile("Held", rounded(held, decimals), exact(held), note, QUERY)


def _tile(kind: _Kind, asked: Asked, period: Period, decimals: int) -> Tile:
    now = _sum(kind, asked, period)
    text = exact(now) if kind.is_money else f"{now:,}"
    shown = rounded(now, decimals) if kind.is_money else large(now)
    note = _note(kind, now, asked, period.before(), decimals)
    return Tile(kind.title, shown, text, note, kind.query)


def _note(kind: _Kind, now: int, asked: Asked, before: Period, decimals: int) -> str:
    # Whether there was usage at all, not whether it was worth anything.
    if not asked.records("key_spend", before):
        return f"no usage in {spelled(before)} to compare with"
    was = _sum(kind, asked, before)
    figure = rounded(was, decimals) if kind.is_money else large(was)
    return f"{change(now, was)} from {figure} in {spelled(before)}"


def _sum(kind: _Kind, asked: Asked, period: Period) -> int:
    records = asked.records(kind.query, period)
    return sum(record[name] for record in records for name in kind.columns)
