"""What a page says of a period, from the named queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.reports import checks, queries
from scripts.reports.page import attention, budgets, series
from scripts.reports.page.sections import SECTIONS
from scripts.reports.page.shown import decimals_for, spelled
from scripts.reports.page.tiles import tiles
from scripts.reports.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from scripts.reports.engines import Engine
    from scripts.reports.page.attention import Notice
    from scripts.reports.page.shown import Listing
    from scripts.reports.page.tiles import Tile
    from scripts.reports.periods import Period

Records = list[dict[str, Any]]


class PageError(Exception):
    """There is nothing to show; the message says of which period."""


@dataclass(frozen=True, slots=True)
class Page:
    """All that the template fills in. `data` is what the page's own controls work on."""

    title: str
    days: str
    source: str
    made_on: date
    tiles: Sequence[Tile]
    notices: Sequence[Notice]
    budgets: Listing | None
    listings: Sequence[Listing]
    left_out: Sequence[str]
    data: Mapping[str, Any] = field(repr=False)


class Asked:
    """Answers of the named queries, each asked for once."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        """`now` (UTC) tells what is yet to come."""
        self.now = now
        self.today = now.date()
        self.engine = engine
        self._queries = queries.load()
        self._answers: dict[tuple[str, Period], Records] = {}

    def records(self, name: str, period: Period) -> Records:
        """A query's rows as mappings; amounts are picodollars. Raises EngineError."""
        if (name, period) not in self._answers:
            sql = self._queries[name].fill(period, today=self.today)
            self._answers[name, period] = self.engine.run(sql).records()
        return self._answers[name, period]

    def check(self, period: Period) -> None:
        """Refuse usage of a later version and a missing hour. Raises RefusedError."""
        checks.schema(self.engine, period)
        for days in (period.before(), period):
            checks.holes(self.engine, days, self.today)

    def lacks(self, name: str) -> str | None:
        """Which tables of a query there are no files of, None when there are all."""
        tables = self._queries[name].tables()
        missing = sorted(
            table for table in tables if not (TABLES[table].may_lack or self.engine.has(table))
        )
        return " and ".join(missing) or None


def collect(asked: Asked, period: Period, source: str) -> Page:
    """Ask for all that the page shows of a period; `source` says where the figures are from.

    What needs tables that the lake has no files of is left out, and the page says so.
    Raises PageError when the period has no usage, RefusedError for a lake that is not whole, and
    EngineError.
    """
    asked.check(period)
    spent = asked.records("key_spend", period)
    if not spent:
        raise PageError(f"no usage in {period}")
    decimals = decimals_for(sum(record["cost"] for record in spent))
    shown = [section for section in SECTIONS if asked.lacks(section.query) is None]
    found = budgets.ask(asked, period)
    return Page(
        title=f"Model spending, {spelled(period)}",
        days=f"{period.start} to {period.days()[-1]}",
        source=source,
        made_on=asked.today,
        tiles=tiles(asked, period, found, decimals),
        notices=attention.notices(asked, period, found, decimals),
        budgets=None if found is None else found.listing(decimals),
        listings=[
            section.listing(asked.records(section.query, period), decimals) for section in shown
        ],
        left_out=_left_out(asked, period),
        data={**_data(asked, period, decimals), **budgets.data(found)},
    )


def _left_out(asked: Asked, period: Period) -> list[str]:
    titles = [(section.title, section.query) for section in SECTIONS]
    words = [
        f"“{title}” is not here: the lake has no files of {lacking}."
        for title, query in [(budgets.TITLE, budgets.QUERY), *titles]
        if (lacking := asked.lacks(query)) is not None
    ]
    why = attention.not_compared(asked, period)
    if why is not None:
        words.append(f"Usage is not compared with AWS's bill: {why}.")
    return words


def _data(asked: Asked, period: Period, decimals: int) -> dict[str, Any]:
    before = asked.records("key_spend", period.before())
    dimensions = series.dimensions(asked.records("daily_spend", period), period)
    names, rows = series.rows(asked.records("key_spend", period), before)
    return {
        "period": spelled(period),
        "from": str(period.start),
        "to": str(period.end),
        "before": spelled(period.before()) if before else None,
        "decimals": decimals,
        "levels": [{"id": id_, "name": one, "many": many} for id_, one, many in series.LEVELS],
        "dimensions": dimensions,
        "dimension": series.telling(dimensions),
        "names": names,
        "rows": rows,
    }
