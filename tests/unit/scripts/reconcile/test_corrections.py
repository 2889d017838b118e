"""Corrections that bring the ledger to the bill, and what is left to people."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from scripts.prices.reprice import CORRECTS, is_correction
from scripts.reconcile import corrections
from scripts.reconcile.reconciliation import reconcile
from scripts.reports.engines import DuckDbEngine
from tests.fakes import bills
from tests.fakes.bills import Known
from tests.unit.scripts.reconcile import ledgers
from tests.unit.scripts.reconcile.ledgers import BOOK, LONG_AFTER, PERIOD, PROFILE, call

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scripts.reconcile.corrections import Proposal
    from scripts.reconcile.reconciliation import Reconciliation
    from tests.fakes.bills import Line
    from tollgate.domain.usage import UsageRow

NOON = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
LITE = "amazon.nova-lite-v1:0"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def proposed(
    folder: Path, now: datetime = LONG_AFTER, account: str | None = None
) -> tuple[Reconciliation, Proposal]:
    with DuckDbEngine(folder / "lake", {"bill": folder / "bill"}) as engine:
        outcome = reconcile(engine, PERIOD, BOOK, now, account=account)
        return outcome, corrections.propose(outcome, engine, BOOK)


def both(folder: Path, rows: Iterable[UsageRow], lines: Iterable[Line]) -> None:
    ledgers.lake(folder / "lake", rows)
    ledgers.bill(folder / "bill", lines)


def test_another_price_is_shared_out_to_the_calls_by_their_tokens(tmp_path: Path) -> None:
    rows = [
        call(LITE, NOON, input_tokens=100, output_tokens=0, tags={"owner": "search"}),
        call(LITE, NOON, input_tokens=200, output_tokens=0, tenant_id="globex"),
        call(LITE, NOON + timedelta(days=1), input_tokens=5, output_tokens=0),
    ]
    today, tomorrow = bills.lines_of(rows)
    dearer = replace(today, cost=today.cost + Decimal("0.0000001"))
    both(tmp_path, rows, [dearer, tomorrow])
    _, proposal = proposed(tmp_path)
    made = {row.tags[CORRECTS]: row for row in proposal.corrections}
    assert {name: row.total_cost for name, row in made.items()} == {
        rows[0].request_id: 33_333,
        rows[1].request_id: 66_667,
    }
    first = made[rows[0].request_id]
    assert is_correction(first)
    assert (first.input_cost, first.input_tokens, first.settled_at) == (33_333, 0, LONG_AFTER)
    assert (first.tenant_id, first.account_id) == ("acme", bills.HOME)
    assert first.tags == {"owner": "search", CORRECTS: rows[0].request_id}
    assert first.price_version.startswith("bill-")
    assert proposal.amount == 100_000
    assert proposal.left == Counter()


def test_corrections_come_out_the_same_again_and_leave_no_difference(tmp_path: Path) -> None:
    rows = ledgers.ledger()
    lines = [
        bills.scaled(line, Decimal("1.07")) if n % 5 == 0 else line
        for n, line in enumerate(bills.lines_of(rows))
    ]
    both(tmp_path, rows, lines)
    outcome, proposal = proposed(tmp_path)
    again = proposed(tmp_path)[1]
    assert proposal.corrections == again.corrections
    assert proposal.amount == sum(each.amount for each in outcome.differences)

    ledgers.lake(tmp_path / "lake", proposal.corrections, part=1)
    corrected, nothing = proposed(tmp_path)
    assert [each.why for each in corrected.differences if each.why != "rounding"] == []
    assert corrected.booked == outcome.booked + proposal.amount
    assert nothing.corrections == ()


def test_calls_booked_at_their_hold_are_settled_by_the_bill(tmp_path: Path) -> None:
    known = call(SONNET, NOON, input_tokens=1000, output_tokens=100)
    lost = call(
        SONNET,
        NOON,
        input_tokens=1000,
        output_tokens=4000,
        usage_source="hold",
        status="orphaned",
    )
    lines = [
        bills.counted(line, -3700) if "Output" in line.usage_type else line
        for line in bills.lines_of([known, lost])
    ]
    both(tmp_path, [known, lost], lines)
    outcome, proposal = proposed(tmp_path)
    (difference,) = outcome.differences
    assert difference.why == "quantity"
    assert difference.note == "1 of 2 calls are booked at a hold or an estimate"
    (row,) = proposal.corrections
    assert row.tags[CORRECTS] == lost.request_id
    assert (row.output_cost, row.total_cost) == (difference.amount, difference.amount)

    ledgers.lake(tmp_path / "lake", proposal.corrections, part=1)
    assert proposed(tmp_path)[0].differences == ()


def test_what_is_for_people_is_counted_and_left(tmp_path: Path) -> None:
    contract = replace(
        call(LITE, NOON, input_tokens=1000, output_tokens=0), price_version="2026-11-01+abc"
    )
    counted = call("amazon.nova-pro-v1:0", NOON, input_tokens=1000, output_tokens=0)
    unbilled = call(SONNET, NOON, input_tokens=1000, output_tokens=0)
    lines = {line.usage_type: line for line in bills.lines_of([contract, counted])}
    around = replace(lines["USE1-NovaPro-input-tokens"], usage_type="USE1-NovaReel-seconds")
    both(
        tmp_path,
        [contract, counted, unbilled],
        [
            bills.scaled(lines["USE1-NovaLite-input-tokens"], Decimal(2)),
            bills.counted(lines["USE1-NovaPro-input-tokens"], 10),
            around,
        ],
    )
    _, proposal = proposed(tmp_path)
    assert proposal.corrections == ()
    assert proposal.left == {
        "price: at a tenant's own prices": 1,
        "quantity: no rows that it can be shared out to": 1,
        "missing in ledger: for people to look into": 1,
        "missing in bill: for people to look into": 1,
    }


def test_a_day_that_the_bill_may_still_change_is_left(tmp_path: Path) -> None:
    rows = [call(LITE, NOON, input_tokens=1000, output_tokens=0)]
    both(tmp_path, rows, [bills.scaled(line, Decimal(2)) for line in bills.lines_of(rows)])
    _, proposal = proposed(tmp_path, now=datetime(2026, 11, 6, 12, tzinfo=UTC))
    assert proposal.corrections == ()
    assert proposal.left == {"price: the day may still change on the bill": 1}


def test_only_the_tenant_whose_lines_differ_is_corrected(tmp_path: Path) -> None:
    rows = [
        call(LITE, NOON, tenant_id="acme", inference_profile_arn=PROFILE),
        call(LITE, NOON, tenant_id="acme"),
        call(LITE, NOON, tenant_id="globex", account_id=None),
    ]
    lines = [
        bills.scaled(line, Decimal("0.5")) if line.tags and "output" in line.usage_type else line
        for line in bills.lines_of(rows, Known(profile=frozenset({"acme"})))
    ]
    both(tmp_path, rows, lines)
    _, proposal = proposed(tmp_path, account=bills.HOME)
    (row,) = proposal.corrections
    assert row.tags[CORRECTS] == rows[0].request_id
    assert row.output_cost == -rows[0].output_cost // 2
