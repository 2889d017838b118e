"""However two sides differ, the parts of the difference add up to it and have known classes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.reconcile.classify import CLASSES, EXPECTED, explain, is_open
from scripts.reconcile.sides import Billed, Booked, Charge, Place
from scripts.reports.footing import split

DAYS = [date(2026, 11, 2) + timedelta(days=n) for n in range(4)]
COUNTS = st.none() | st.integers(0, 10**9)
COSTS = st.integers(0, 10**15)
PLACES = st.builds(
    Place,
    dt=st.sampled_from(DAYS),
    account_id=st.just("111122223333"),
    region=st.just("us-east-1"),
    model_id=st.sampled_from(("a.b", "c.d")),
    routing=st.just("regional"),
    tier=st.just("default"),
    kind=st.just("input"),
    tenant_id=st.sampled_from(("", "acme")),
)
LEDGERS = st.dictionaries(
    PLACES,
    st.builds(
        Booked,
        quantity=COUNTS,
        cost=st.integers(-(10**12), 10**15),
        late=st.integers(0, 10**6),
        calls=st.integers(0, 9),
    ),
)
BILLS = st.dictionaries(
    PLACES, st.builds(Billed, quantity=COUNTS, cost=COSTS, lines=st.integers(1, 9))
)
CHARGES = st.lists(
    st.builds(
        Charge,
        place=PLACES,
        why=st.sampled_from(CLASSES),
        what=st.just("x"),
        cost=st.integers(-(10**12), 10**12),
    ),
    max_size=3,
)
MOMENTS = st.datetimes(
    datetime(2026, 11, 2),
    datetime(2026, 11, 12),
    timezones=st.just(UTC),  # noqa: DTZ001
)


@settings(max_examples=50)
@given(LEDGERS, BILLS, CHARGES, MOMENTS)
def test_the_parts_add_up(
    ledger: dict[Place, Booked],
    bill: dict[Place, Billed],
    charges: list[Charge],
    now: datetime,
) -> None:
    found = explain(ledger, bill, charges, now)
    difference = (
        sum(cell.cost for cell in bill.values())
        + sum(charge.cost for charge in charges)
        - sum(cell.cost for cell in ledger.values())
    )
    assert sum(each.amount for each in found) == difference
    assert {each.why for each in found} <= set(CLASSES)
    assert all(each.amount for each in found)


@settings(max_examples=50)
@given(LEDGERS, MOMENTS)
def test_a_side_that_is_the_other_has_no_differences(
    ledger: dict[Place, Booked], now: datetime
) -> None:
    bill = {
        place: Billed(quantity=cell.quantity, cost=cell.cost, lines=1)
        for place, cell in ledger.items()
    }
    assert explain(ledger, bill, [], now) == []


@settings(max_examples=50)
@given(LEDGERS, MOMENTS)
def test_what_aws_may_still_bill_is_expected(ledger: dict[Place, Booked], now: datetime) -> None:
    # Costs below zero are of corrections.
    spent = {place: cell for place, cell in ledger.items() if cell.cost > 0}
    for each in explain(spent, {}, [], now):
        assert (each.why in EXPECTED) == is_open(each.place.dt, now)


@settings(max_examples=50)
@given(
    st.integers(-(10**15), 10**15),
    st.lists(st.integers(0, 10**9), min_size=1, max_size=9).filter(any),
)
def test_shares_add_up_and_are_within_one_of_exact(total: int, weights: list[int]) -> None:
    shares = split(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * whole - total * weight) < whole
