"""Bills with faults: each is found, classified right, and all of them add up to the picodollar."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.reconcile.classify import CLASSES
from tests.fakes import bills
from tests.unit.scripts.reconcile import ledgers
from tests.unit.scripts.reconcile.ledgers import bill, compared, picodollars

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts.reconcile.reconciliation import Reconciliation
    from tests.fakes.bills import Line

# A line of the bill becomes these, and its class of difference.
Fault = tuple[str, "Callable[[Line], list[Line]]"]
ROWS = ledgers.ledger()
LINES = bills.lines_of(ROWS)


def beside(line_type: str, share: str) -> Callable[[Line], list[Line]]:
    """The line, and another that charges or gives back a share of it."""
    return lambda line: [
        line,
        replace(
            line, line_type=line_type, cost=(line.cost * Decimal(share)).quantize(Decimal("1e-10"))
        ),
    ]


def and_again(**changes: object) -> Callable[[Line], list[Line]]:
    """The line, and one like it that the ledger knows nothing of."""
    return lambda line: [line, replace(line, **changes)]  # type: ignore[arg-type]


FAULTS: dict[str, Fault] = {
    "another price": ("price", lambda line: [bills.scaled(line, Decimal("1.1"))]),
    "a lower price": ("price", lambda line: [bills.scaled(line, Decimal("0.83"))]),
    "tokens nobody booked": ("quantity", lambda line: [bills.counted(line, 1000)]),
    "half of the tokens": (
        "quantity",
        lambda line: [bills.counted(line, -bills.tokens(line) // 2)],
    ),
    "another model": ("missing in ledger", and_again(usage_type="USE1-Nova2.0Lite-input-tokens")),
    "another region": ("missing in ledger", and_again(usage_type="EUC1-NovaLite-input-tokens")),
    "another tier": ("missing in ledger", and_again(usage_type="USE1-NovaPro-output-tokens-flex")),
    "a type nobody reads": ("missing in ledger", and_again(usage_type="USE1-NovaReel-seconds")),
    "a fee": ("missing in ledger", and_again(line_type="Fee")),
    "no line": ("missing in bill", lambda _: []),
    "a rounded line": (
        "rounding",
        lambda line: [replace(line, cost=line.cost + Decimal("0.0000000004"))],
    ),
    "a discount": ("discount or credit", beside("EdpDiscount", "-0.09")),
    "a private rate": ("discount or credit", beside("PrivateRateDiscount", "-0.2")),
    "a credit": ("discount or credit", beside("Credit", "-1")),
    "a refund": ("discount or credit", beside("Refund", "-0.5")),
    "tax": ("tax", beside("Tax", "0.19")),
}


def faulty(faults: dict[int, str]) -> tuple[list[Line], Counter[str]]:
    """The bill with faults in the lines of these numbers, and what each class comes to then."""
    lines: list[Line] = []
    expected: Counter[str] = Counter(dict.fromkeys(CLASSES, 0))
    for number, line in enumerate(LINES):
        if number not in faults:
            lines.append(line)
            continue
        why, change = FAULTS[faults[number]]
        changed = change(line)
        expected[why] += picodollars(bills.total(changed) - line.cost)
        lines += changed
    return lines, expected


def check(outcome: Reconciliation, lines: list[Line], expected: Counter[str]) -> None:
    assert outcome.by_class() == expected
    assert outcome.billed == picodollars(bills.total(lines))
    assert outcome.booked == sum(row.total_cost for row in ROWS)
    assert sum(each.amount for each in outcome.differences) == outcome.billed - outcome.booked


def check_faults(faults: dict[int, str], lake: Path, folder: Path) -> Reconciliation:
    lines, expected = faulty(faults)
    outcome = compared(lake, bill(folder, lines))
    check(outcome, lines, expected)
    return outcome


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ledgers.lake(tmp_path_factory.mktemp("ledger"), ROWS)


@pytest.fixture(scope="module")
def one_of_each(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Reconciliation:
    """Each fault once, in the line of its number."""
    return check_faults(dict(enumerate(FAULTS)), lake, tmp_path_factory.mktemp("bill"))


@pytest.mark.parametrize(("number", "fault"), list(enumerate(FAULTS)), ids=list(FAULTS))
def test_each_fault_is_of_its_class(number: int, fault: str, one_of_each: Reconciliation) -> None:
    line, (why, change) = LINES[number], FAULTS[fault]
    amount = picodollars(bills.total(change(line)) - line.cost)
    found = [
        each.place
        for each in one_of_each.differences
        if (each.why, each.amount) == (why, amount) and each.place.dt == line.day
    ]
    assert [place.account_id for place in found] == [bills.HOME]


SOME = st.dictionaries(
    st.integers(min_value=0, max_value=len(LINES) - 1),
    st.sampled_from(sorted(FAULTS)),
    max_size=len(LINES) // 2,
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SOME)
def test_faults_together_are_told_apart_and_add_up(
    lake: Path, tmp_path_factory: pytest.TempPathFactory, faults: dict[int, str]
) -> None:
    check_faults(faults, lake, tmp_path_factory.mktemp("bill"))


@pytest.mark.soak
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SOME)
def test_many_faults_are_told_apart_and_add_up(
    lake: Path, tmp_path_factory: pytest.TempPathFactory, faults: dict[int, str]
) -> None:
    check_faults(faults, lake, tmp_path_factory.mktemp("bill"))
