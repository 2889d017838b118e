"""Corrections of the ledger that a bill asks for, as rows; nothing here writes any.

Where AWS charged another price than was booked, or where calls were booked at their hold or an
estimate and AWS counted less or more, the rows of those calls get the difference, shared out by
what they used. What has no such rows is for people: calls that the ledger never saw, usage that the
bill lacks, and prices that a tenant's contract sets on purpose.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from scripts.prices.reprice import CORRECTION, correction, row_of
from scripts.reconcile.classify import is_open
from scripts.reconcile.sides import CACHES, Place, next_day
from scripts.reports.footing import split
from tollgate.domain.usage import GLUE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from scripts.reconcile.classify import Difference
    from scripts.reconcile.reconciliation import Reconciliation
    from scripts.reports.engines import Engine
    from tollgate.domain.prices import PriceBook
    from tollgate.domain.usage import UsageRow

# Which of a row's four costs a kind is part of.
_COST_OF = {"input": 0, "output": 1, **dict.fromkeys(CACHES, 2), "image": 3}
_COUNTS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "image": "images",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """The corrections, and why differences got none, by how many."""

    corrections: tuple[UsageRow, ...]
    left: Counter[str]

    @property
    def amount(self) -> int:
        """What all corrections add up to, in picodollars."""
        return sum(row.total_cost for row in self.corrections)


def propose(outcome: Reconciliation, engine: Engine, book: PriceBook) -> Proposal:
    """Make the corrections that bring the ledger to the bill where rows are known for it.

    The same bill and ledger make the same corrections, with the same ids. Raises EngineError, and
    ValueError for a row that cannot be read.
    """
    left: Counter[str] = Counter()
    due: defaultdict[date, list[Difference]] = defaultdict(list)
    for each in outcome.differences:
        reason = _why_not(each, outcome.now)
        if reason is None:
            due[each.place.dt].append(each)
        elif reason:
            left[reason] += 1
    shares = _Shares()
    for day, differences in sorted(due.items()):
        models = {difference.place.model_id for difference in differences}
        spelled = [name for name in outcome.model_ids if book.base_id(name) in models]
        by_place = defaultdict(list)
        for row in _rows(engine, day, spelled):
            by_place[_place(row, outcome, book)].append(row)
        for difference in differences:
            reason = shares.add(difference, by_place[difference.place._replace(kind="")])
            if reason:
                left[f"{difference.why}: {reason}"] += 1
    return Proposal(tuple(shares.corrections(outcome.now)), left)


class _Shares:
    """What each row gets of the differences that are shared out to it."""

    def __init__(self) -> None:
        self._rows: dict[str, UsageRow] = {}
        self._costs: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self._bills: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, difference: Difference, rows: Sequence[UsageRow]) -> str:
        """Share out a difference to the rows of its place; says why not, "" when it did."""
        kind = difference.place.kind
        weighed = [
            (row, getattr(row, _COUNTS[kind]))
            for row in rows
            if difference.why == "price" or row.usage_source != "provider"
        ]
        weighed = [(row, weight) for row, weight in weighed if weight > 0]
        if not weighed:
            return "no rows that it can be shared out to"
        if any("+" in row.price_version for row, _ in weighed):
            return "at a tenant's own prices"
        amounts = split(difference.amount, [weight for _, weight in weighed])
        for (row, _), amount in zip(weighed, amounts, strict=True):
            self._rows[row.request_id] = row
            self._costs[row.request_id][_COST_OF[kind]] += amount
            self._bills[row.request_id].append(_fingerprint(difference))
        return ""

    def corrections(self, settled_at: datetime) -> Iterator[UsageRow]:
        for name, (given, output, cache, other) in sorted(self._costs.items()):
            if any((given, output, cache, other)):
                text = "\n".join(sorted(self._bills[name]))
                version = f"bill-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
                costs = given, output, cache, other
                yield correction(self._rows[name], costs, version, settled_at)


def _why_not(difference: Difference, now: datetime) -> str | None:
    # None where rows can be looked for, "" where nothing is wrong.
    if difference.why not in ("price", "quantity"):
        looked_into = ("missing in ledger", "missing in bill")
        return f"{difference.why}: for people to look into" if difference.why in looked_into else ""
    if is_open(difference.place.dt, now):
        return f"{difference.why}: the day may still change on the bill"
    if difference.place.kind not in _COST_OF:
        return f"{difference.why}: {difference.place.kind} is not counted by the ledger"
    return None


def _place(row: UsageRow, outcome: Reconciliation, book: PriceBook) -> Place:
    # Of all that is counted in a row; the kind is left open.
    day = row.started_at.astimezone(UTC).date()
    account = row.account_id or outcome.home or ""
    booking = {
        "dt": day,
        "account_id": account,
        "tenant_id": row.tenant_id,
        "is_profiled": ":application-inference-profile/" in (row.inference_profile_arn or ""),
    }
    return Place(
        day,
        account,
        row.region,
        book.base_id(row.model_id),
        "global" if row.routing == "global" else "regional",
        row.service_tier,
        "",
        outcome.tenants.of_booking(booking),
    )


def _rows(engine: Engine, day: date, model_ids: Iterable[str]) -> Iterator[UsageRow]:
    names = ", ".join(
        f"json_format(CAST({name} AS json)) AS {name}" if kind.startswith("map") else name
        for name, kind in GLUE_COLUMNS
    )
    models = ", ".join("'" + name.replace("'", "''") + "'" for name in model_ids)
    days = f"dt >= DATE '{day}' AND dt < DATE '{next_day(day)}'"
    which = f"model_id IN ({models}) AND operation <> '{CORRECTION}'"
    # The columns are ours, and what is quoted stays within its quotes.
    sql = f"SELECT {names} FROM usage WHERE {days} AND {which} ORDER BY request_id"  # noqa: S608
    result = engine.run(sql)
    columns = [column.name for column in result.columns]
    for row in result.rows:
        yield row_of(_read(dict(zip(columns, row, strict=True))))


def _read(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "tags": json.loads(values["tags"] or "{}")}


def _fingerprint(difference: Difference) -> str:
    facts = (*difference.place, difference.why, difference.billed, difference.billed_quantity)
    return json.dumps(list(map(str, facts)))
