"""What somebody should look at: usage that is booked at another figure than the provider's."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.reports.page.shown import rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.reports.page.figures import Asked
    from scripts.reports.periods import Period

_MOST_NAMED = 5
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


def notices(asked: Asked, period: Period, decimals: int) -> list[Notice]:
    """What needs attention, money that is lost first."""
    return _doubts(asked, period, decimals)


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
