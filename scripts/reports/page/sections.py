"""The page's tables, each with the named query that its rows come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.reports.page.shown import (
    MOST_LISTED,
    Column,
    Listing,
    count,
    factor,
    heads,
    money,
    percentage,
    row,
    seconds,
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
        rows = [row(record, columns) for record in ranked(records, self.rank)[:MOST_LISTED]]
        return Listing(
            self.id,
            self.title,
            self.about,
            self.query,
            heads(columns),
            rows,
            len(records) - len(rows),
        )


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


def _caching(decimals: int) -> Sequence[Column]:
    usd = money(decimals)
    return (
        _TENANT,
        _MODEL,
        Column("net_saved_usd", "Saved in all", usd),
        Column("saved_by_reads_usd", "Saved by reads", usd),
        Column("cost_of_writes_usd", "Cost of writes", usd),
        Column("cache_read_tokens", "Tokens read", count),
        Column("cache_write_tokens", "Tokens written", count),
        Column("unknown_tokens", "Tokens without a price", count),
    )


def _latency(_: int) -> Sequence[Column]:
    return (
        _TENANT,
        _MODEL,
        Column("p95_ms", "p95, s", seconds),
        Column("p50_ms", "p50, s", seconds),
        Column("p99_ms", "p99, s", seconds),
        Column("calls", "Calls", count),
        Column("first_token_p50_ms", "First token p50, s", seconds),
        Column("first_token_p95_ms", "First token p95, s", seconds),
        Column("first_token_p99_ms", "First token p99, s", seconds),
    )


def _errors(_: int) -> Sequence[Column]:
    return (
        _TENANT,
        _MODEL,
        Column("failed", "Failed", count),
        Column("failed_percent", "Failed, %", percentage),
        Column("throttled", "Throttled", count),
        Column("throttled_percent", "Throttled, %", percentage),
        Column("refused", "Refused", count),
        Column("refused_percent", "Refused, %", percentage),
        Column("unsettled", "End unknown", count),
        Column("calls", "Calls", count),
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
    Section(
        "caching",
        "What did prompt caching save?",
        "Reads from the cache are cheaper than input, writes dearer. Below zero caching cost more "
        "than it saved.",
        "cache_economics",
        _caching,
        "net_saved_usd",
    ),
    Section(
        "latency",
        "How long did answers take?",
        "Of calls that were answered: half took no longer than p50, 95 of 100 no longer than p95. "
        "The first token is of streamed answers.",
        "latency",
        _latency,
        "p95_ms",
    ),
    Section(
        "errors",
        "What failed?",
        "Throttled and refused by the model service; failed otherwise. What the gateway refused "
        "before a model was called is not among them.",
        "errors",
        _errors,
        "failed",
    ),
)


def ranked(records: Sequence[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """Records with the greatest figure first; those without one last."""
    return sorted(records, key=lambda one: (one[by] is None, -(one[by] or 0)))
