"""Two replays side by side, for a terminal, a pull request or a program."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from scripts.reports.engines import Column, Result
from scripts.reports.layout import table
from tollgate.domain.money import format_usd, round_usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts.whatif.replay import Outcome
    from scripts.whatif.scenario import Policies

_USD = "decimal(38,12)"
_PICODOLLARS = Decimal("0.000000000001")
_COLUMNS = (
    Column("tenant_id", "varchar"),
    Column("calls", "bigint"),
    Column("refused_now", "bigint"),
    Column("refused_then", "bigint"),
    Column("cost_now", _USD),
    Column("cost_then", _USD),
    Column("charge_now", _USD),
    Column("charge_then", _USD),
)
_TOTALS = tuple(column.name for column in _COLUMNS[1:])

UNKNOWN = (
    "Calls that were refused at the time left no row, so they are not here. Tokens stay what they "
    "were, whatever the model; tokens per minute count what was used."
)


@dataclass(frozen=True)
class Line:
    """A tenant's calls as things stand (`now`) and as they would be (`then`).

    Charges are costs times the tenant's markup, rounded down to picodollars.
    """

    tenant_id: str
    now: Outcome
    then: Outcome
    charge_now: int
    charge_then: int

    @property
    def differs(self) -> bool:
        """Whether it makes a difference to the tenant."""
        return (
            self.now.refusals != self.then.refusals
            or self.now.cost != self.then.cost
            or self.charge_now != self.charge_then
        )


def lines(
    now: Mapping[str, Outcome],
    then: Mapping[str, Outcome],
    policies_now: Policies,
    policies_then: Policies,
) -> list[Line]:
    """The tenants of two replays of the same calls, in order."""
    return [
        Line(
            tenant_id,
            now[tenant_id],
            then[tenant_id],
            _charge(now[tenant_id].cost, policies_now.markups.get(tenant_id)),
            _charge(then[tenant_id].cost, policies_then.markups.get(tenant_id)),
        )
        for tenant_id in sorted(now)
    ]


def text(found: Sequence[Line], decimals: int | None) -> str:
    """A table for a terminal, and below it what refuses whom."""
    rows = [
        (
            line.tenant_id,
            line.then.calls,
            line.now.refused,
            line.then.refused,
            *map(_dollars, (line.now.cost, line.then.cost, line.charge_now, line.charge_then)),
        )
        for line in found
    ]
    told = table(Result(_COLUMNS, rows), _TOTALS, decimals)
    return "\n".join([told.rstrip("\n"), "", *_remarks(found), UNKNOWN]) + "\n"


def markdown(found: Sequence[Line], title: str, marker: str) -> str:
    """A comment on a pull request: the tenants to whom it makes a difference.

    The first line is `marker`, by which a later comment finds the one that it replaces.
    """
    told = [marker, f"### {title}", ""]
    differing = [line for line in found if line.differs]
    if not differing:
        return "\n".join([*told, "The same calls cost the same, and none is refused.", ""])
    told += [
        "| tenant | calls | refused now | refused then | charge now | charge then |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    told += [
        f"| {line.tenant_id} | {line.then.calls} | {line.now.refused} | {line.then.refused} "
        f"| ${_cents(line.charge_now)} | ${_cents(line.charge_then)} |"
        for line in differing
    ]
    told += ["", *(f"- {remark}" for remark in _remarks(differing)), "", UNKNOWN, ""]
    return "\n".join(told)


def as_json(found: Sequence[Line]) -> str:
    """Everything, for programs; costs are exact US dollars as texts."""
    return json.dumps([_document(line) for line in found], indent=2) + "\n"


def _document(line: Line) -> dict[str, Any]:
    return {
        "tenant_id": line.tenant_id,
        "calls": line.then.calls,
        "now": _side(line.now, line.charge_now),
        "then": _side(line.then, line.charge_then),
    }


def _side(outcome: Outcome, charge: int) -> dict[str, Any]:
    first = outcome.first_refused
    return {
        "cost_usd": format_usd(outcome.cost),
        "charge_usd": format_usd(charge),
        "refused": outcome.refused,
        "refused_usd": format_usd(outcome.refused_cost),
        "refusals": dict(sorted(outcome.refusals.items())),
        "first_refused": None if first is None else first.isoformat(),
        "priced_as_booked": outcome.kept,
    }


def _remarks(found: Iterable[Line]) -> list[str]:
    told = []
    for line in found:
        then = line.then
        if then.first_refused is not None:
            reasons = ", ".join(f"{name} {count}" for name, count in then.refusals.most_common())
            told.append(
                f"{line.tenant_id}: {then.refused} of {then.calls} calls refused, the first at "
                f"{then.first_refused:%Y-%m-%d %H:%M} UTC ({reasons}); they would have cost "
                f"${_cents(then.refused_cost)}"
            )
        if then.kept:
            told.append(
                f"{line.tenant_id}: {then.kept} calls cost what is booked, because nothing else "
                "prices them"
            )
    return told


def _charge(cost: int, markup: str | None) -> int:
    return cost if markup is None else int(cost * Decimal(markup))


def _cents(amount: int) -> str:
    return f"{Decimal(round_usd(amount, 2)):.2f}"


def _dollars(amount: int) -> Decimal:
    return amount * _PICODOLLARS
