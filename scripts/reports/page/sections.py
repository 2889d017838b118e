"""The page's tables, each with the named query that its rows come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.reports.page.shown import (
    Column,
    Listing,
    count,
    factor,
    heads,
    money,
    percentage,
    row,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TENANT = Column("tenant_id", "Tenant", word)
_MODEL = Column("model_id", "Model", word)


@dataclass(frozen=True, slots=True)
class Section:
    """A table: its words, its query, its columns by how amounts are written, and what ranks it."""

    id: str
    title: str
    about: str
    query: str
    columns: Callable[[int], Sequence[Column]]
    rank: str

    def listing(self, records: Sequence[dict[str, Any]], decimals: int) -> Listing:
        """The table with the greatest figure first."""
        columns = self.columns(decimals)
        rows = [row(record, columns) for record in ranked(records, self.rank)]
        return Listing(self.id, self.title, self.about, self.query, heads(columns), rows)


def _charges(decimals: int) -> Sequence[Column]:
    usd = money(decimals)
    return (
        _TENANT,
        _MODEL,
        Column("charge", "Charge", usd),
        Column("cost", "Cost", usd),
        Column("markup", "Markup", factor),
        Column("margin", "Margin", usd),
        Column("margin_percent", "Margin, %", percentage),
    )


def _doubts(decimals: int) -> Sequence[Column]:
    return (
        _TENANT,
        Column("app_id", "App", word),
        _MODEL,
        Column("doubt", "Why", word),
        Column("booked", "Booked", money(decimals)),
        Column("calls", "Calls", count),
        Column("first_day", "First day", word),
        Column("last_day", "Last day", word),
    )


SECTIONS = (
    Section(
        "charges",
        "What are tenants charged?",
        "The cost times the markup of the tenant's file or tier. What was sent is a statement.",
        "invoice",
        _charges,
        "charge",
    ),
    Section(
        "doubts",
        "Which usage is in doubt?",
        "Booked at another figure than the provider's count at a known price.",
        "doubtful",
        _doubts,
        "booked",
    ),
)


def ranked(records: Sequence[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """Records with the greatest figure first; those without one last."""
    return sorted(records, key=lambda one: (one[by] is None, -(one[by] or 0)))
