"""The lines of a closed month: usage, subscriptions, discounts, shared costs, credits and notes.

Everything is exact until the last step. A line's charge is whole picodollars; its net is whole
cents of the statement's currency, so that the nets of a cell add up to the cell's exact sum,
rounded. A statement's total is the sum of its lines, whichever way they are grouped: the statements
of all tenants, of all cost centres and of all business units add up to the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from scripts.reports.footing import apportion, split
from scripts.statements.inputs import HUNDRED_PERCENT, InputsError
from scripts.statements.record import Cell
from tollgate.domain.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts.statements.inputs import Discount, Kind, SharedCost
    from scripts.statements.record import LateSum, Record, TenantFacts, UsageSum

CENTS = 2
_PICO_PER_CENT = 10**10
_FACTOR_UNIT = 10**8
_PERCENT_UNIT = 10**4


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a statement.

    `rows` and `calls` are of the ledger; `cost` (what it cost us) and `charge` (what it is charged)
    picodollars, `amount` the charge in 10⁻¹² of the currency, `net` in cents of it, without tax.
    `period` is the month of the calls.
    """

    kind: Kind
    cell: Cell
    period: str
    description: str
    account: str
    app_id: str | None = None
    model_id: str | None = None
    rows: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int
    charge: int
    amount: int = 0
    net: int = 0

    @property
    def of_ledger(self) -> bool:
        """Whether its cost is the sum of ledger rows."""
        return self.kind in ("usage", "credit_note", "debit_note")


def lines(record: Record) -> list[Line]:
    """All lines of a closed month, ordered by cell; the ledger's add up to the sum of its rows.

    Raises InputsError for a shared cost that its rule allocates to nobody.
    """
    usage = [_usage(record, entry) for entry in record.usage]
    made = [
        *usage,
        *_discounts(record, usage),
        *_subscriptions(record, usage),
        *_shared(record, usage),
        *_credits(record, usage),
        *(_note(record, entry) for entry in record.late),
    ]
    made.sort(key=lambda line: line.cell)  # stable: kinds stay in this order
    footed = []
    for _, found in groupby(made, key=lambda line: line.cell):
        of_cell = [
            _in_currency(record, line) if line.period == record.month else line for line in found
        ]
        nets = apportion([line.amount for line in of_cell], CENTS)
        footed += [
            replace(each, net=net // _PICO_PER_CENT)
            for each, net in zip(of_cell, nets, strict=True)
        ]
    return footed


def times(amount: int, factor: str) -> int:
    """A whole amount times a decimal, rounded half away from zero: a refund is what was charged."""
    whole = int(Decimal(factor) * _FACTOR_UNIT)
    rounded = (2 * abs(amount) * whole + _FACTOR_UNIT) // (2 * _FACTOR_UNIT)
    return -rounded if amount < 0 else rounded


def markup_of(record: Record, tenant_id: str) -> str:
    """The factor of a tenant at the close: of the inputs, or of its facts."""
    return record.inputs.markups.get(tenant_id) or record.tenants[tenant_id].markup


def percent_of(record: Record, cell: Cell) -> int:
    """The sum of a cell's discounts in ten-thousandths of a percent."""
    return sum(found.percent for found in _discounts_of(record, cell))


def _usage(record: Record, entry: UsageSum) -> Line:
    return Line(
        kind="usage",
        cell=entry.cell,
        period=record.month,
        description=f"{entry.model_id} by {entry.app_id}",
        account=record.inputs.accounts["usage"],
        app_id=entry.app_id,
        model_id=entry.model_id,
        rows=entry.rows,
        calls=entry.calls,
        input_tokens=entry.input_tokens,
        output_tokens=entry.output_tokens,
        cost=entry.cost,
        charge=times(entry.cost, markup_of(record, entry.cell.tenant_id)),
    )


def _discounts_of(record: Record, cell: Cell) -> list[Discount]:
    return [
        found
        for found in record.inputs.discounts
        if not (found.tenants or found.business_units)
        or cell.tenant_id in found.tenants
        or cell.business_unit in found.business_units
    ]


def _discounts(record: Record, usage: Sequence[Line]) -> Iterable[Line]:
    for cell, charged in _by_cell(usage).items():
        for discount in _discounts_of(record, cell):
            charge = sum(line.charge for line in charged)
            off = split(abs(charge), [discount.percent, HUNDRED_PERCENT - discount.percent])[0]
            yield Line(
                kind="discount",
                cell=cell,
                period=record.month,
                description=f"{discount.name}: {percent_text(discount.percent)} % off usage",
                account=record.inputs.accounts["discount"],
                cost=0,
                charge=off if charge < 0 else -off,
            )


def _shared(record: Record, usage: Sequence[Line]) -> Iterable[Line]:
    for shared in record.inputs.shared_costs:
        weights = _weights(record, shared, usage)
        try:
            parts = split(shared.usd, list(weights.values()))
        except ValueError:
            raise InputsError(
                f"shared cost {shared.name!r} by {shared.by}: given a month without any; "
                "allowed: another rule, such as fixed"
            ) from None
        for cell, part in zip(weights, parts, strict=True):
            yield Line(
                kind="shared",
                cell=cell,
                period=record.month,
                description=f"{shared.name}, by {BASES[shared.by]}",
                account=record.inputs.accounts["shared"],
                cost=part,
                charge=part,
            )


BASES = {
    "calls": "share of calls",
    "cost": "share of model cost",
    "equal": "equal parts",
    "fixed": "fixed share",
}


def _weights(record: Record, shared: SharedCost, usage: Sequence[Line]) -> dict[Cell, int]:
    """What a shared cost is allocated by, for each cell that bears some of it."""
    by_cell = _by_cell(usage)
    if shared.by == "calls":
        return {cell: sum(line.calls for line in found) for cell, found in by_cell.items()}
    if shared.by == "cost":
        # Corrections can leave a cell with less than nothing, which bears nothing.
        return {cell: max(0, _cost(found)) for cell, found in by_cell.items()}
    of_tenants = shared.shares or dict.fromkeys(sorted({c.tenant_id for c in by_cell}), 1)
    weights: dict[Cell, int] = {}
    for tenant_id, share in of_tenants.items():
        weights |= dict(_of_tenant(record, usage, tenant_id, share * 10**6))
    return weights


def _subscriptions(record: Record, usage: Sequence[Line]) -> Iterable[Line]:
    for tenant_id, facts in record.tenants.items():
        fee = usd(facts.subscription_usd)
        for cell, part in _of_tenant(record, usage, tenant_id, fee) if fee else ():
            yield Line(
                kind="subscription",
                cell=cell,
                period=record.month,
                description="Subscription",
                account=record.inputs.accounts["subscription"],
                cost=0,
                charge=part,
            )


def _credits(record: Record, usage: Sequence[Line]) -> Iterable[Line]:
    for credit in record.inputs.credits:
        for cell, part in _of_tenant(record, usage, credit.tenant, credit.usd):
            yield Line(
                kind="credit",
                cell=cell,
                period=record.month,
                description=credit.reason,
                account=record.inputs.accounts["credit"],
                cost=0,
                charge=-part,
            )


def _of_tenant(
    record: Record, usage: Sequence[Line], tenant_id: str, amount: int
) -> list[tuple[Cell, int]]:
    """An amount of a tenant's, split by cost where it has several cost centres in a month."""
    by_cell = _by_cell(usage)
    cells = _cells_of(record, tenant_id, by_cell)
    costs = [max(0, _cost(by_cell.get(cell, ()))) for cell in cells]
    parts = split(amount, costs if sum(costs) else [1] * len(cells))
    return list(zip(cells, parts, strict=True))


def _note(record: Record, entry: LateSum) -> Line:
    full = times(entry.cost, entry.markup)
    off = split(abs(full), [entry.percent, HUNDRED_PERCENT - entry.percent])[0]
    charge = full + off if full < 0 else full - off
    kind: Kind = "credit_note" if charge < 0 else "debit_note"
    return Line(
        kind=kind,
        cell=entry.cell,
        period=entry.period,
        description=f"{NOTES[kind]} for {entry.period}",
        account=record.inputs.accounts[kind],
        rows=entry.rows,
        cost=entry.cost,
        charge=charge,
        amount=times(charge, entry.rate),
    )


NOTES = {"credit_note": "Credit note", "debit_note": "Debit note"}


def percent_text(percent: int) -> str:
    """Ten-thousandths of a percent as the shortest decimal: "5", "2.5"."""
    return (
        f"{Decimal(percent) / 10_000:f}".rstrip("0").rstrip(".")
        if percent % 10_000
        else str(percent // 10_000)
    )


def _in_currency(record: Record, line: Line) -> Line:
    return replace(line, amount=times(line.charge, record.inputs.rate))


def _by_cell(usage: Sequence[Line]) -> dict[Cell, list[Line]]:
    found: defaultdict[Cell, list[Line]] = defaultdict(list)
    for line in usage:
        found[line.cell].append(line)
    return dict(found)


def _cost(found: Iterable[Line]) -> int:
    return sum(line.cost for line in found)


def _cells_of(record: Record, tenant_id: str, by_cell: Iterable[Cell]) -> list[Cell]:
    """A tenant's cells of the month; the one that its facts name where it made no call."""
    cells = [cell for cell in by_cell if cell.tenant_id == tenant_id]
    return cells or [cell_of(tenant_id, record.tenants[tenant_id])]


def cell_of(tenant_id: str, facts: TenantFacts) -> Cell:
    """The cell that a tenant's facts name."""
    return Cell(tenant_id, facts.cost_center, facts.business_unit)
