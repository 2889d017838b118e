"""A reconciliation for people in the terminal, and as CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from typing import TYPE_CHECKING, Any

from scripts.reconcile.classify import CLASSES, EXPECTED
from scripts.reconcile.sides import UNKNOWN
from tollgate.domain.money import format_usd, round_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.reconcile.classify import Difference
    from scripts.reconcile.corrections import Proposal
    from scripts.reconcile.reconciliation import Reconciliation

_LARGEST = 15
_PLACES = 6
_WIDTH = 96
# What is shown of a usage type or a note.
_SHOWN = 100
MEANINGS = {
    "missing in ledger": "AWS bills usage that the ledger does not have",
    "missing in bill": "the ledger has usage that AWS does not bill",
    "quantity": "both have it, and count it differently",
    "price": "both count the same, at different prices",
    "late": "AWS may still bill it, or counted it to the next day",
    "rounding": "less than AWS rounds its lines to",
    "discount or credit": "taken off or given back by AWS",
    "tax": "the ledger is before tax",
}
TODO = {
    "missing in ledger": (
        "Find who called: calls around the gateway, or rows that were lost. The principal is named "
        "where the bill has it; a usage type that nobody reads belongs into "
        "scripts/reconcile/data/usage_types.json."
    ),
    "missing in bill": (
        "See whether the account's bill is in the export, and whether the calls were made in the "
        "account that the ledger names. Then ask AWS."
    ),
    "quantity": (
        "Calls at their hold or an estimate are settled by the bill: --out has the corrections. "
        "Where no such calls are there, compare with Bedrock's invocation logs."
    ),
    "price": (
        "See the bill's rate for the usage type; bring the price book or the tenant's contract up "
        "to date (scripts.prices.book diff), or write the corrections that --out lists."
    ),
}
COLUMNS = (
    "why",
    "amount_usd",
    "dt",
    "account_id",
    "region",
    "model_id",
    "routing",
    "tier",
    "kind",
    "tenant_id",
    "booked_quantity",
    "billed_quantity",
    "booked_usd",
    "billed_usd",
    "usage_types",
    "note",
)


def text(outcome: Reconciliation, proposal: Proposal | None = None) -> str:
    """The report for people: sums by class, the largest differences, then what to do."""
    parts = [
        f"Ledger and bill of {outcome.period}, accounts {', '.join(outcome.accounts)}",
        _summary(outcome),
    ]
    differences = sorted(outcome.differences, key=_rank)
    if differences:
        shown = differences[:_LARGEST]
        more = len(differences) - len(shown)
        title = "Largest differences" + (f" ({more} more: --csv has all)" if more else "")
        parts.append(f"{title}\n\n{_largest(shown)}")
    parts += _unread(outcome)
    parts.append(f"What to do\n\n{_todo(outcome)}")
    if proposal is not None:
        parts.append(_proposed(proposal))
    return "\n\n".join(parts) + "\n"


def csv_text(outcome: Reconciliation) -> str:
    """All differences as CSV, exact; they add up to the bill less the ledger."""
    lines = io.StringIO()
    writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_record(difference) for difference in outcome.differences)
    return lines.getvalue()


def json_text(outcome: Reconciliation, proposal: Proposal | None = None) -> str:
    """The whole outcome as JSON; amounts are exact US dollars as strings."""
    document: dict[str, Any] = {
        "from": outcome.period.start.isoformat(),
        "to": outcome.period.end.isoformat(),
        "accounts": list(outcome.accounts),
        "booked_usd": format_usd(outcome.booked),
        "billed_usd": format_usd(outcome.billed),
        "difference_usd": format_usd(outcome.billed - outcome.booked),
        "by_class": _usd(outcome.by_class()),
        "unread_usage_types": _usd(outcome.unread),
        "other_accounts": _usd(outcome.elsewhere),
        "differences": [_record(difference) for difference in outcome.differences],
    }
    if proposal is not None:
        document["corrections"] = {
            "count": len(proposal.corrections),
            "usd": format_usd(proposal.amount),
            "without": dict(proposal.left),
        }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _summary(outcome: Reconciliation) -> str:
    sums = outcome.by_class()
    counts = {name: sum(each.why == name for each in outcome.differences) for name in CLASSES}
    lines = [
        ("", "differences", "USD", ""),
        ("ledger", "", _short(outcome.booked), ""),
        *(
            (name, str(counts[name]), _short(sums[name], sign=True), MEANINGS[name])
            for name in CLASSES
            if counts[name]
        ),
        ("bill", str(len(outcome.differences)), _short(outcome.billed), ""),
    ]
    return _columns(lines, right={1, 2})


def _largest(differences: Sequence[Difference]) -> str:
    lines = [("day", "why", "difference", "ledger", "bill", "what")]
    lines += [
        (
            each.place.dt.isoformat(),
            each.why,
            _short(each.amount, sign=True),
            _short(each.booked),
            _short(each.billed),
            _what(each),
        )
        for each in differences
    ]
    head, *body = _columns(lines, right={2, 3, 4}).splitlines()
    shown = [head]
    for line, each in zip(body, differences, strict=True):
        shown.append(line)
        if each.note:
            shown.append(f"            {_cut(each.note)}")
    return "\n".join(shown)


def _what(difference: Difference) -> str:
    place = difference.place
    if place.model_id == UNKNOWN:
        return _cut(difference.what)
    parts = [place.model_id, place.kind, place.region, place.routing, place.tier]
    shown = [part for part in parts if part not in ("regional", "default")]
    return " ".join([*shown, *([f"of {place.tenant_id}"] if place.tenant_id else [])])


def _unread(outcome: Reconciliation) -> list[str]:
    parts = []
    if outcome.unread:
        lines = [(name, _short(cost)) for name, cost in sorted(outcome.unread.items())]
        parts.append(
            "Usage types that nobody reads, counted as missing in ledger\n\n"
            + _columns(lines, right={1})
        )
    if outcome.elsewhere:
        lines = [(name, _short(cost)) for name, cost in sorted(outcome.elsewhere.items())]
        parts.append(
            "Accounts on the bill that the ledger has nothing of (--account to compare them)\n\n"
            + _columns(lines, right={1})
        )
    return parts


def _todo(outcome: Reconciliation) -> str:
    there = {difference.why for difference in outcome.differences}
    found = [name for name in CLASSES if name in there and name in TODO]
    if not found:
        return (
            "Nothing: what differs is late, rounded, taxed or taken off by AWS."
            if (outcome.differences)
            else "Nothing: every cell of the ledger is on the bill as it was booked."
        )
    return "\n".join(
        textwrap.fill(f"{name}: {TODO[name]}", _WIDTH, initial_indent="- ", subsequent_indent="  ")
        for name in found
    )


def _proposed(proposal: Proposal) -> str:
    count = len(proposal.corrections)
    lines = [f"Corrections: {count} rows, {format_usd(proposal.amount)} USD"]
    lines += [f"- {number} left, {reason}" for reason, number in proposal.left.most_common()]
    return "\n".join(lines)


def _record(difference: Difference) -> dict[str, Any]:
    place = difference.place
    return {
        "why": difference.why,
        "amount_usd": format_usd(difference.amount),
        **place._asdict(),
        "dt": place.dt.isoformat(),
        "booked_quantity": difference.booked_quantity,
        "billed_quantity": difference.billed_quantity,
        "booked_usd": format_usd(difference.booked),
        "billed_usd": format_usd(difference.billed),
        "usage_types": difference.what,
        "note": difference.note,
    }


def _usd(amounts: Any) -> dict[str, str]:  # noqa: ANN401 - a mapping of names to picodollars
    return {name: format_usd(cost) for name, cost in amounts.items()}


def _rank(difference: Difference) -> tuple[bool, int]:
    return difference.why in EXPECTED, -abs(difference.amount)


def _short(amount: int, *, sign: bool = False) -> str:
    whole, _, fraction = round_usd(amount, _PLACES).partition(".")
    return f"{'+' if sign and amount > 0 else ''}{whole}.{fraction:0<{_PLACES}}"


def _cut(words: str) -> str:
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"


def _columns(lines: Sequence[Sequence[str]], right: set[int]) -> str:
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if n in right else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
