"""The command: what it prints, writes and ends with."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from scripts.prices import reprice
from scripts.reconcile import __main__ as command
from tests.fakes import bills
from tests.fakes.ledger import FakeUsage
from tests.unit.scripts.reconcile import ledgers
from tests.unit.scripts.reconcile.ledgers import LONG_AFTER, call

if TYPE_CHECKING:
    from pathlib import Path

    from tollgate.domain.usage import UsageRow

NOON = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
ROWS = [
    call("amazon.nova-lite-v1:0", NOON, input_tokens=4_000_000, output_tokens=0),
    call("us.anthropic.claude-sonnet-4-5-20250929-v1:0", NOON, input_tokens=10**5, output_tokens=0),
]
DAYS = ["--from", "2026-11-02", "--to", "2026-11-05"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake, a bill that agrees with it, and one that does not."""
    folder = tmp_path_factory.mktemp("both")
    ledgers.lake(folder / "lake", ROWS)
    lines = bills.lines_of(ROWS)
    ledgers.bill(folder / "bill", lines)
    dearer = [bills.scaled(line, Decimal("1.25")) for line in lines]
    extra = [
        replace(lines[0], usage_type="USE1-NovaReel-seconds", cost=Decimal("1.5")),
        replace(lines[0], line_type="Tax", cost=Decimal("0.05")),
        replace(lines[0], account="222233334444"),
    ]
    ledgers.bill(folder / "dear", [*dearer, *extra])
    return folder


def run(folders: Path, bill: str, *more: str, now: datetime = LONG_AFTER) -> int:
    source = ["--lake", str(folders / "lake"), "--bill", str(folders / bill)]
    return command.main([*source, *DAYS, *more], now=now)


def test_what_agrees_is_said_to(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folders, "bill") == 0
    shown = capsys.readouterr()
    assert "Nothing: every cell of the ledger is on the bill as it was booked." in shown.out
    assert shown.err == ""


def test_what_differs_is_told_and_ends_with_3(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folders, "dear") == 3
    shown = capsys.readouterr()
    assert shown.err == "reconcile: ledger and bill differ by 1.6425 USD in all\n"
    assert "What to do\n\n- missing in ledger: Find who called" in shown.out
    assert "- price: See the bill's rate" in shown.out
    assert "Usage types that nobody reads, counted as missing in ledger\n\nUSE1-NovaReel" in (
        shown.out
    )
    assert "222233334444  0.240000" in shown.out


def test_a_difference_that_is_allowed_ends_with_0(folders: Path) -> None:
    assert run(folders, "dear", "--allow", "1.6425") == 0
    assert run(folders, "dear", "--allow", "1.642499999999") == 3


def test_csv_has_every_difference_and_json_the_sums(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folders, "dear", "--csv")
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    run(folders, "dear", "--json")
    document = json.loads(capsys.readouterr().out)
    amounts = [Decimal(line["amount_usd"]) for line in lines]
    assert sum(amounts) == Decimal(document["difference_usd"]) == Decimal("1.6925")
    assert document["by_class"]["price"] == "0.1425"
    assert document["unread_usage_types"] == {"USE1-NovaReel-seconds": "1.5"}
    assert document["other_accounts"] == {"222233334444": "0.24"}
    assert [each["why"] for each in document["differences"]] == [line["why"] for line in lines]


def test_an_export_that_cannot_be_compared_ends_with_1(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bills.write(bills.lines_of(ROWS), tmp_path, without="tags")
    source = ["--lake", str(folders / "lake"), "--bill", str(tmp_path)]
    assert command.main([*source, *DAYS], now=LONG_AFTER) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "the export has changed: it has no column tags" in shown.err


@pytest.mark.parametrize(
    ("rows", "hours", "refusal"),
    [
        ([replace(ROWS[0], schema_version=2)], (), "usage of 2026-11-03, hour 12, has schema_v"),
        (ROWS, (11, 12), "the lake has a hole: no usage of 2026-11-03 hour 11"),
    ],
)
def test_a_ledger_that_cannot_be_trusted_ends_with_1(  # noqa: PLR0913 - a lake's parts
    rows: list[UsageRow],
    hours: tuple[int, ...],
    refusal: str,
    folders: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lake = ledgers.lake(tmp_path / "lake", rows)
    for hour in hours:
        facts = lake / "hourly" / "dt=2026-11-03" / f"hour={hour}" / "facts.parquet"
        facts.parent.mkdir(parents=True)
        facts.touch()
    source = ["--lake", str(lake), "--bill", str(folders / "bill")]
    assert command.main([*source, *DAYS], now=LONG_AFTER) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert refusal in shown.err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--lake", "lake"],
        ["--env", "dev", "--bill", "bill"],
        ["--env", "dev", "--apply"],
        ["--month", "2026-11"],
    ],
)
def test_options_that_do_not_go_together(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        command.main(wrong)
    assert refused.value.code == 2


@pytest.mark.parametrize("wrong", [["--allow", "much"], ["--month", "November"]])
def test_what_cannot_be_read_ends_with_1(
    wrong: list[str], folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ["--lake", str(folders / "lake"), "--bill", str(folders / "bill")]
    assert command.main([*source, *wrong], now=LONG_AFTER) == 1
    assert capsys.readouterr().err.startswith("reconcile: ")


def test_corrections_are_written_where_they_are_asked_for(
    folders: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "corrections.ndjson"
    assert run(folders, "dear", "--out", str(out)) == 3
    written = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert sum(row["total_cost"] for row in written) == 1425 * 10**8
    assert "Corrections: 2 rows, 0.1425 USD" in capsys.readouterr().out

    usage = FakeUsage()
    monkeypatch.setattr(reprice, "usage_table", lambda _: (None, usage))
    run(folders, "dear", "--apply", "--table", "tollgate-dev-usage")
    shown = capsys.readouterr().err
    assert "2 written to tollgate-dev-usage, 0 were there" in shown
    assert 'aggregate: {"date": "2026-11-03"}' in shown
    tomorrow = LONG_AFTER + timedelta(days=1)
    run(folders, "dear", "--apply", "--table", "tollgate-dev-usage", now=tomorrow)
    assert "0 written to tollgate-dev-usage, 2 were there" in capsys.readouterr().err
