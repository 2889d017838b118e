"""Lines add up: to their statement, to the ledger's rows, and alike however they are grouped."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.reports.footing import apportion, split
from scripts.statements import record as records
from scripts.statements import statements
from scripts.statements.inputs import (
    HUNDRED_PERCENT,
    Credit,
    Discount,
    InputsError,
    MonthInputs,
    SharedCost,
)
from scripts.statements.lines import lines, times
from scripts.statements.record import (
    Cell,
    CellDigest,
    LateSum,
    Record,
    TenantFacts,
    UsageSum,
)

TENANTS = {
    "acme": TenantFacts("Acme", "team", "pro", "1.20", "CC-1", "claims"),
    "globex": TenantFacts("Globex", "customer", "pro", "4", "CC-2", "sales"),
    "idle": TenantFacts("Idle", "team", "free", "1", "CC-2", "claims"),
}
SUBSCRIBED = {**TENANTS, "idle": replace(TENANTS["idle"], subscription_usd="19.90")}
CELLS = [
    Cell(tenant, center, unit)
    for (tenant, facts), center in product(TENANTS.items(), ("CC-1", "CC-2"))
    for unit in [facts.business_unit]
    if tenant != "idle"
]
DOLLAR = 10**12


def record(
    usage: list[UsageSum],
    inputs: MonthInputs | None = None,
    late: tuple[LateSum, ...] = (),
    tenants: dict[str, TenantFacts] = TENANTS,
) -> Record:
    sums: defaultdict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    for entry in (*usage, *late):
        sums[entry.cell][0] += entry.rows
        sums[entry.cell][1] += entry.cost
    return Record(
        month="2026-10",
        closed_at="2026-11-01T02:00:00Z",
        inputs=inputs or MonthInputs(),
        tenants=tenants,
        business_units={"claims": "Claims"},
        usage=usage,
        days=[],
        late=late,
        cells=[CellDigest(cell, *found, "0" * 64) for cell, found in sorted(sums.items())],
        row_files=[],
    )


def usage(cell: Cell, cost: int, model: str = "m1", calls: int = 1) -> UsageSum:
    return UsageSum(cell, "chat", model, calls + 1, calls, 10, 5, cost)


money = st.integers(-(10**15), 10**16)
cells = st.sampled_from(CELLS)
usages = st.lists(
    st.builds(usage, cells, money, st.sampled_from(["m1", "m2"]), st.integers(1, 10**6)),
    min_size=1,
    max_size=12,
    unique_by=lambda entry: (entry.cell, entry.model_id),
)
lates = st.lists(
    st.builds(
        LateSum,
        cells,
        st.sampled_from(["2026-08", "2026-09"]),
        st.integers(1, 9),
        money,
        st.sampled_from(["1", "1.2"]),
        st.sampled_from([0, 50_000]),
        st.just("0.95"),
    ),
    max_size=4,
).map(tuple)
shared = st.builds(
    SharedCost,
    st.just("Lambda"),
    st.integers(0, 10**16),
    st.sampled_from(["calls", "equal"]),
    st.just({}),
)
fixed = st.integers(0, HUNDRED_PERCENT).map(
    lambda share: SharedCost(
        "KMS", 7 * DOLLAR, "fixed", {"acme": share, "idle": HUNDRED_PERCENT - share}
    )
)
months = st.builds(
    MonthInputs,
    currency=st.just("EUR"),
    rate=st.sampled_from(["1", "0.9137"]),
    shared_costs=st.lists(shared | fixed, max_size=3).map(tuple),
    discounts=st.sampled_from(
        [(), (Discount("Volume", 33_333, (), ()), Discount("Unit", 50_000, (), ("claims",)))]
    ),
    credits=st.sampled_from([(), (Credit("idle", 5 * DOLLAR, "Incident"),)]),
)


@settings(max_examples=20)
@given(usages, months, lates)
def test_lines_add_up_to_statements_and_to_rows(
    found: list[UsageSum], inputs: MonthInputs, late: tuple[LateSum, ...]
) -> None:
    made = lines(record(found, inputs, late, SUBSCRIBED))
    ledger = sum(entry.cost for entry in (*found, *late))
    assert sum(line.cost for line in made if line.of_ledger) == ledger
    assert sum(line.rows for line in made) == sum(entry.rows for entry in (*found, *late))
    shared_out = [line for line in made if line.kind == "shared"]
    assert sum(line.cost for line in shared_out) == sum(cost.usd for cost in inputs.shared_costs)
    for line in made:
        assert abs(line.net * 10**10 - line.amount) < 10**10
    of_cell: defaultdict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    for line in made:
        of_cell[line.cell][0] += line.net * 10**10
        of_cell[line.cell][1] += line.amount
    assert all(2 * abs(net - exact) <= 10**10 for net, exact in of_cell.values())

    issued = statements.make(record(found, inputs, late, SUBSCRIBED), made)
    for scope in statements.SCOPES:
        of_scope = [statement for statement in issued if statement.scope == scope]
        assert sum(statement.net for statement in of_scope) == sum(line.net for line in made)
        assert sum(statement.ledger_cost for statement in of_scope) == ledger
        assert sum(len(statement.lines) for statement in of_scope) == len(made)


@settings(max_examples=20)
@given(usages, months, lates)
def test_a_record_is_read_back_as_it_was(
    found: list[UsageSum], inputs: MonthInputs, late: tuple[LateSum, ...]
) -> None:
    data = records.to_bytes(record(found, inputs, late, SUBSCRIBED))
    again = records.from_bytes(data)
    assert records.to_bytes(again) == data
    assert lines(again) == lines(record(found, inputs, late, SUBSCRIBED))


@given(st.integers(0, 10**18), st.lists(st.integers(0, 10**9), min_size=1).filter(sum))
def test_parts_add_up_and_none_is_a_unit_off(amount: int, weights: list[int]) -> None:
    parts = split(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - amount * weight) < sum(weights)


@given(money, st.sampled_from(["1.20", "0.333333", "4"]))
def test_a_refund_is_what_was_charged(cost: int, markup: str) -> None:
    assert times(-cost, markup) == -times(cost, markup)


def test_a_markup_makes_the_margin() -> None:
    made = lines(record([usage(CELLS[2], DOLLAR)]))  # globex pays four times the cost
    (statement,) = (s for s in statements.make(record([]), made) if s.scope == "tenant")
    assert (statement.net, statement.cost, statement.margin) == (400, 100, 300)
    assert statements.margin_percent(statement) == "75"


def test_discounts_and_credits_come_off() -> None:
    inputs = MonthInputs(
        discounts=(Discount("Volume", 50_000, ("globex",), ()),),
        credits=(Credit("globex", DOLLAR, "Incident"),),
    )
    made = lines(record([usage(CELLS[2], 10 * DOLLAR)], inputs))
    assert [(line.kind, line.net) for line in made] == [
        ("usage", 4000),
        ("discount", -200),
        ("credit", -100),
    ]
    assert made[1].description == "Volume: 5 % off usage"


def test_a_subscription_is_paid_in_a_month_without_a_call() -> None:
    made = lines(record([usage(CELLS[0], DOLLAR)], tenants=SUBSCRIBED))
    (fee,) = (line for line in made if line.kind == "subscription")
    assert (fee.cell, fee.cost, fee.net) == (Cell("idle", "CC-2", "claims"), 0, 1990)


def test_late_rows_are_a_note_on_the_terms_of_their_month() -> None:
    late = LateSum(CELLS[0], "2026-09", 3, -2 * DOLLAR, "1.5", 100_000, "0.5")
    made = lines(record([usage(CELLS[0], DOLLAR)], MonthInputs(currency="EUR", rate="1"), (late,)))
    (note,) = (line for line in made if line.kind == "credit_note")
    # -2 × 1.5, less ten per cent, at 0.5 euros a dollar.
    assert (note.period, note.description, note.net) == (
        "2026-09",
        "Credit note for 2026-09",
        -135,
    )


def test_what_nobody_called_for_cannot_be_shared_by_calls() -> None:
    inputs = MonthInputs(shared_costs=(SharedCost("KMS", DOLLAR, "calls", {}),))
    with pytest.raises(InputsError, match="shared cost 'KMS' by calls: given a month without any"):
        lines(record([usage(CELLS[0], 0, calls=0)], inputs))


def test_rounding_is_that_of_reports() -> None:
    # Three thirds of a cent are a cent, on one line.
    made = lines(record([usage(CELLS[0], DOLLAR // 360, f"m{n}") for n in range(3)]))
    assert [line.net for line in made] == [
        net // 10**10 for net in apportion([line.amount for line in made], 2)
    ]
    assert sum(line.net for line in made) == 1
