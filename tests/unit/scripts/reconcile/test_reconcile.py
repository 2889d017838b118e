"""The ledger against a bill that AWS made of the same calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from scripts.reconcile.reconciliation import LedgerError
from tests.fakes import bills
from tests.fakes.bills import Known, Line
from tests.unit.scripts.reconcile import ledgers
from tests.unit.scripts.reconcile.ledgers import FIRST, PROFILE, call

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scripts.reconcile.reconciliation import Reconciliation
    from tollgate.domain.usage import UsageRow

NOON = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
LITE = "amazon.nova-lite-v1:0"


def both(
    folder: Path, rows: Iterable[UsageRow], lines: Iterable[Line], **options: Any
) -> Reconciliation:
    lake = ledgers.lake(folder / "lake", rows)
    return ledgers.compared(lake, ledgers.bill(folder / "bill", lines), **options)


def told(outcome: Reconciliation) -> list[tuple[str, str, str, int]]:
    return [
        (each.why, each.place.tenant_id, each.place.kind, each.amount)
        for each in outcome.differences
    ]


def test_a_bill_of_the_same_calls_has_no_differences(tmp_path: Path) -> None:
    rows = ledgers.ledger()
    lines = bills.lines_of(rows)
    outcome = both(tmp_path, rows, lines)
    assert outcome.differences == ()
    assert outcome.booked == sum(row.total_cost for row in rows)
    assert outcome.billed == ledgers.picodollars(bills.total(lines)) == outcome.booked
    assert outcome.unread == outcome.elsewhere == {}
    assert outcome.accounts == (bills.HOME,)


def test_kinds_of_cache_are_told_apart_though_the_ledger_has_one_cost(tmp_path: Path) -> None:
    sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    rows = [
        call(sonnet, NOON, input_tokens=100, cache_read_tokens=3001, cache_write_5m_tokens=77),
        call(sonnet, NOON, input_tokens=7, cache_write_5m_tokens=900, cache_write_1h_tokens=33),
        # Beyond 200,000 tokens all of a call costs more.
        call(sonnet, NOON, input_tokens=9, cache_read_tokens=250_000, cache_write_1h_tokens=5),
        call(sonnet, NOON, input_tokens=0, cache_read_tokens=1234),
    ]
    lines = bills.lines_of(rows, charges=ledgers.charges)
    outcome = both(tmp_path, rows, lines)
    assert outcome.differences == ()
    assert len(lines) == 5


def test_a_bill_that_tells_tenants_by_session_and_profile_has_no_differences_either(
    tmp_path: Path,
) -> None:
    rows = ledgers.ledger()
    through = [
        replace(row, inference_profile_arn=PROFILE) if row.tenant_id == "globex" and n % 2 else row
        for n, row in enumerate(rows)
    ]
    known = Known(session=frozenset({"acme"}), profile=frozenset({"globex"}))
    outcome = both(tmp_path, through, bills.lines_of(through, known))
    assert outcome.differences == ()


def test_a_difference_names_the_tenant_that_the_bill_names(tmp_path: Path) -> None:
    rows = [call(LITE, NOON, tenant_id=name) for name in ledgers.TENANTS]
    known = Known(session=frozenset({"acme"}))
    lines = [
        bills.scaled(line, Decimal(2)) if line.tags and "input" in line.usage_type else line
        for line in bills.lines_of(rows, known)
    ]
    outcome = both(tmp_path, rows, lines)
    assert told(outcome) == [("price", "acme", "input", rows[0].input_cost)]


def test_tenants_are_told_apart_from_the_day_on_that_their_tags_are_active(tmp_path: Path) -> None:
    rows = [call(LITE, NOON + timedelta(days=n), tenant_id="acme") for n in range(2)]
    known = Known(session=frozenset({"acme"}))
    lines = [*bills.lines_of(rows[:1]), *bills.lines_of(rows[1:], known)]
    assert both(tmp_path, rows, lines).differences == ()


def test_a_silo_tenants_account_is_its_own_without_tags(tmp_path: Path) -> None:
    silo = "444455556666"
    rows = [call(LITE, NOON, tenant_id="acme", account_id=silo), call(LITE, NOON)]
    tenants = tmp_path / "lake" / "tenants"
    tenants.mkdir(parents=True)
    (tenants / "acme.json").write_text(
        f'{{"tenant_id": "acme", "isolation": "silo", "account_id": "{silo}"}}\n'
    )
    lines = [line for line in bills.lines_of(rows) if line.account == bills.HOME]
    outcome = both(tmp_path, rows, lines)
    assert told(outcome) == [
        ("missing in bill", "acme", "input", -rows[0].input_cost),
        ("missing in bill", "acme", "output", -rows[0].output_cost),
    ]


def test_what_is_billed_to_nobody_of_the_ledger_names_who_called(tmp_path: Path) -> None:
    rows = [call(LITE, NOON)]
    around = Line(
        NOON.date(),
        bills.HOME,
        "USE1-NovaPro-input-tokens",
        Decimal(5),
        Decimal("0.004"),
        principal=f"arn:aws:iam::{bills.HOME}:user/mallory",
    )
    outcome = both(tmp_path, rows, [*bills.lines_of(rows), around])
    (difference,) = outcome.differences
    assert (difference.why, difference.amount) == ("missing in ledger", 4_000_000_000)
    assert difference.note == f"called by arn:aws:iam::{bills.HOME}:user/mallory"
    assert (difference.booked_quantity, difference.billed_quantity) == (0, 5000)


def test_other_accounts_are_summed_and_compared_when_asked_for(tmp_path: Path) -> None:
    rows = [call(LITE, NOON)]
    lines = bills.lines_of(rows)
    other = [replace(line, account="222233334444") for line in lines]
    outcome = both(tmp_path, rows, [*lines, *other])
    assert outcome.differences == ()
    assert outcome.elsewhere == {"222233334444": rows[0].total_cost}

    asked = ledgers.compared(
        tmp_path / "lake", tmp_path / "bill", account=bills.HOME, more_accounts=["222233334444"]
    )
    assert {each.why for each in asked.differences} == {"missing in ledger"}
    assert asked.elsewhere == {}


def test_rows_from_before_they_named_an_account_are_of_the_one_that_is_given(
    tmp_path: Path,
) -> None:
    rows = [call(LITE, NOON, account_id=None)]
    with pytest.raises(LedgerError, match="usage of 2026-11-03 names no AWS account"):
        both(tmp_path, rows, bills.lines_of(rows))
    outcome = ledgers.compared(tmp_path / "lake", tmp_path / "bill", account=bills.HOME)
    assert outcome.differences == ()


def test_usage_of_days_that_aws_still_bills_is_late(tmp_path: Path) -> None:
    rows = [call(LITE, NOON, input_tokens=1000, output_tokens=0)]
    (line,) = bills.lines_of(rows)
    now = datetime(2026, 11, 6, 23, 59, tzinfo=UTC)
    outcome = both(tmp_path, rows, [bills.counted(line, -600)], now=now)
    assert told(outcome) == [("late", "", "input", -600 * rows[0].input_cost // 1000)]

    closed = ledgers.compared(tmp_path / "lake", tmp_path / "bill", now=now + timedelta(minutes=1))
    assert [each.why for each in closed.differences] == ["quantity"]


def test_the_last_hours_calls_may_be_billed_on_the_next_day(tmp_path: Path) -> None:
    night = datetime(2026, 11, 3, 23, 55, tzinfo=UTC)
    rows = [
        call(LITE, NOON, input_tokens=1000, output_tokens=0),
        call(LITE, night, input_tokens=300, output_tokens=0),
        call(LITE, NOON + timedelta(days=1), input_tokens=50, output_tokens=0),
    ]
    (today, tomorrow) = bills.lines_of(rows)
    moved = [bills.counted(today, -300), bills.counted(tomorrow, 300)]
    outcome = both(tmp_path, rows, moved)
    cost = rows[1].input_cost
    assert [(each.why, each.amount) for each in outcome.differences] == [
        ("late", -cost),
        ("late", cost),
    ]


def test_no_more_than_the_last_hour_had_is_carried_over(tmp_path: Path) -> None:
    rows = [
        call(LITE, NOON, input_tokens=1000, output_tokens=0),
        call(LITE, NOON + timedelta(days=1), input_tokens=50, output_tokens=0),
    ]
    (today, tomorrow) = bills.lines_of(rows)
    moved = [bills.counted(today, -300), bills.counted(tomorrow, 300)]
    outcome = both(tmp_path, rows, moved)
    assert [each.why for each in outcome.differences] == ["quantity", "quantity"]


def test_guardrails_and_endpoints_are_compared_by_what_they_cost(tmp_path: Path) -> None:
    guarded = replace(call(LITE, NOON), other_cost=300_000_000)
    endpoint = replace(
        call(LITE, NOON, dialect="openai.endpoint"),
        model_id="summaries",
        input_cost=0,
        output_cost=0,
        other_cost=1_000_000_000,
    )
    rows = [guarded, endpoint]
    lines = [
        *bills.lines_of(rows[:1]),
        Line(
            FIRST + timedelta(days=1),
            bills.HOME,
            "USE1-Guardrail-ContentPolicyUnitsConsumed",
            Decimal("0.002"),
            Decimal("0.0003"),
            unit="1K text units",
        ),
        Line(
            FIRST + timedelta(days=1),
            bills.HOME,
            "USE1-Host:ml.g5.xlarge",
            Decimal(24),
            Decimal("33.79200"),
            unit="Hrs",
            product_code="AmazonSageMaker",
            operation="RunInstance",
        ),
    ]
    outcome = both(tmp_path, rows, lines)
    assert told(outcome) == [("quantity", "", "instance_hour", 33_792 * 10**9 - 10**9)]
