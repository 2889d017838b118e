"""What is left of each month's budget: a table, and by day for the page's burn-down."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.reports.engines import picodollars
from scripts.reports.page import series
from scripts.reports.page.shown import (
    MOST_LISTED,
    Column,
    Listing,
    Row,
    heads,
    money,
    percentage,
    row,
    spelled,
    word,
)
from scripts.reports.periods import Period, month_after, month_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.reports.page.figures import Asked

QUERY = "budgets"
TITLE = "Will budgets last?"
# What a reader who filters wants to see.
_NEAR = ("over", "near")
_SCOPES = {"tenant": "tenant_id", "business_unit": "business_unit"}


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of the month that a period ends in, whoever is over first.

    `records` are those of the query `budgets` with amounts in picodollars; `costs` has picodollars
    of each day that has begun, by scope and name.
    """

    month: Period
    records: Sequence[Mapping[str, Any]]
    costs: Mapping[tuple[str, str], Sequence[int]]

    def shown(self) -> Sequence[Mapping[str, Any]]:
        """Those that there is room for."""
        return self.records[:MOST_LISTED]

    def listing(self, decimals: int) -> Listing:
        """The table of all budgets."""
        usd = money(decimals)
        columns = (
            Column("id", "Whose", word),
            Column("state", "State", word),
            Column("budget", "Budget", usd),
            Column("spent", "Spent", usd),
            Column("held", "Held", usd),
            Column("remaining", "Left", usd),
            Column("forecast", "Forecast", usd),
            Column("used_percent", "Used, %", percentage),
            Column("mode", "Mode", word),
            Column("kind", "What", word),
            Column("owner", "Owner", word),
        )
        return Listing(
            "budgets",
            TITLE,
            f"{spelled(self.month)}. Spent and held are what budgets are enforced by. Near is one "
            "that is used by 80 % or whose forecast is over it.",
            QUERY,
            heads(columns),
            [Row(row(one, columns).cells, one["state"] in _NEAR) for one in self.shown()],
            len(self.records) - len(self.shown()),
        )


def data(found: Budgets | None) -> dict[str, Any]:
    """What the burn-down of each budget is drawn from; amounts are picodollars as text."""
    if found is None:
        return {"budgets": []}
    drawn = [
        {
            "name": f"{one['id']} ({one['kind']})",
            "limit": str(one["budget"]),
            "spent": str(one["spent"]),
            "forecast": str(one["forecast"]),
            "costs": series.packed(found.costs.get((one["scope"], one["id"]), [])),
        }
        for one in found.shown()
        if one["budget"] is not None
    ]
    month = {"name": spelled(found.month), "from": str(found.month.start)}
    return {"budgets": drawn, "month": {**month, "to": str(found.month.end)}}


def ask(asked: Asked, period: Period) -> Budgets | None:
    """The budgets of the month that a period ends in; None where the lake has no tenants."""
    if asked.lacks(QUERY) is not None:
        return None
    last = period.days()[-1]
    month = Period(month_of(last), month_after(last))
    records = [
        {**one, "forecast": picodollars(one["forecast"]), "kind": one["scope"].replace("_", " ")}
        for one in asked.records(QUERY, month)
    ]
    return Budgets(month, records, _costs(asked, month))


def _costs(asked: Asked, month: Period) -> dict[tuple[str, str], list[int]]:
    begun = sum(1 for day in month.days() if day <= asked.today)
    found = series.by_dimension(asked.records("daily_spend", month), month)
    costs: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * begun)
    for scope, dimension in _SCOPES.items():
        # A tenant that moved between business units has a series in each.
        for one in found.get(dimension, []):
            for day, cost in enumerate(one["costs"][:begun]):
                costs[scope, one["name"]][day] += cost
    return dict(costs)
