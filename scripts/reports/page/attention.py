"""What somebody should look at: budgets, usage in doubt, and differences to AWS's own bill."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.reconcile.export import ExportError
from scripts.reconcile.reconciliation import LedgerError, reconcile
from scripts.reports.page.budgets import QUERY
from scripts.reports.page.shown import rounded, spelled
from tollgate.domain.prices import load_default

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.reports.page.budgets import Budgets
    from scripts.reports.page.figures import Asked
    from scripts.reports.periods import Period

_MOST_NAMED = 5
BUDGETS = {"over": "Over budget", "near": "Near budget"}
DOUBTS = {
    "unpriced": "had no price and were booked at the tenant's ceiling; re-pricing corrects it",
    "orphaned": "ended nobody knows how, and the most that they can have cost was booked",
    "bound": "used more by the provider's count than they can have, and the most was booked",
    "estimated": "broke off before their usage came, and what had come was counted",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be looked at in a word, and what there is to know of it."""

    what: str
    words: str
    query: str


def notices(asked: Asked, period: Period, budgets: Budgets | None, decimals: int) -> list[Notice]:
    """What needs attention. Raises EngineError."""
    return [
        *_budgets(budgets, decimals),
        *_doubts(asked, period, decimals),
        *_bill(asked, period, decimals),
    ]


def _budgets(budgets: Budgets | None, decimals: int) -> list[Notice]:
    found = [] if budgets is None else budgets.records
    by_state = {state: [one for one in found if one["state"] == state] for state in BUDGETS}
    return [
        Notice(what, f"{named(_budgeted(by_state[state], decimals))}.", QUERY)
        for state, what in BUDGETS.items()
        if by_state[state]
    ]


def _budgeted(records: Sequence[Mapping[str, Any]], decimals: int) -> list[str]:
    return [
        f"{one['id']} ({one['mode']}) spent {rounded(one['spent'], decimals)} of "
        f"{rounded(one['budget'], decimals)}"
        for one in records
    ]


def not_compared(asked: Asked, period: Period) -> str | None:
    """Why usage is not compared with AWS's bill, None where it is."""
    if not asked.engine.has("bill"):
        return "the lake has no files of AWS's bill"
    if not period.over(asked.today):
        return f"{spelled(period)} is not over"
    return None


def _bill(asked: Asked, period: Period, decimals: int) -> list[Notice]:
    if not_compared(asked, period) is not None:
        return []
    try:
        outcome = reconcile(asked.engine, period, load_default(), asked.now)
    except (ExportError, LedgerError) as error:
        return [Notice("Unreconciled", f"{error}.", "bill_state")]
    if not outcome.unexplained():
        return []
    booked, billed, unexplained = (
        rounded(amount, decimals)
        for amount in (outcome.booked, outcome.billed, outcome.unexplained())
    )
    words = (
        f"AWS bills {billed} for what is booked as {booked}, and {unexplained} of differences "
        "has no explanation; make reconcile tells each."
    )
    return [Notice("Unreconciled", words, "bill_lines")]


def _doubts(asked: Asked, period: Period, decimals: int) -> list[Notice]:
    calls: dict[str, int] = defaultdict(int)
    booked: dict[str, int] = defaultdict(int)
    tenants: dict[str, dict[str, None]] = defaultdict(dict)
    for record in asked.records("doubtful", period):
        doubt = record["doubt"]
        calls[doubt] += record["calls"]
        booked[doubt] += record["booked"]
        tenants[doubt][record["tenant_id"]] = None
    return [
        Notice(
            doubt.title(),
            f"{_many(calls[doubt])} of {named(list(tenants[doubt]))} {words}: "
            f"{rounded(booked[doubt], decimals)}.",
            "doubtful",
        )
        for doubt, words in DOUBTS.items()
        if calls[doubt]
    ]


def named(names: Sequence[str]) -> str:
    """Names in words; of many the first few."""
    if len(names) > _MOST_NAMED:
        return f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _many(calls: int) -> str:
    return "1 call" if calls == 1 else f"{calls:,} calls"
