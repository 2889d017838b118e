"""What a report refuses: it says what is wrong, shows nothing and writes nothing."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from scripts.bench.year import write
from scripts.reports import checks, report
from scripts.reports.engines import DuckDbEngine
from scripts.reports.periods import Period
from tests.fakes.usage_rows import usage_row
from tollgate.domain.usage import SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
HOURS = [OCTOBER + timedelta(hours=hour) for hour in (0, 24, 31, 33, 34, 35, 53)]
DAYS = ["--from", "2026-10-01", "--to", "2026-10-05"]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Three days with calls in some of their hours, and what aggregate makes of them."""
    write([usage_row(started_at=hour) for hour in HOURS], tmp_path, 0)
    for hour in HOURS:
        put(tmp_path / "hourly" / f"dt={hour:%Y-%m-%d}" / f"hour={hour:%H}", "1 AS n")
    sums = usage_row()
    for day in {hour.date() for hour in HOURS}:
        calls = sum(hour.date() == day for hour in HOURS)
        cost, tokens = calls * sums.total_cost, calls * sums.output_tokens
        put(
            tmp_path / "daily" / f"dt={day}",
            f"{cost}::DECIMAL(38, 0) AS total_cost, {tokens}::DECIMAL(38, 0) AS output_tokens",
        )
    return tmp_path


def put(folder: Path, columns: str) -> None:
    """Write a file of one row."""
    folder.mkdir(parents=True)
    with duckdb.connect(":memory:") as db:
        db.execute(f"COPY (SELECT {columns}) TO '{folder}/file.parquet'")


def lose(lake: Path, folder: str, hour: datetime) -> None:
    shutil.rmtree(lake / folder / f"dt={hour:%Y-%m-%d}" / f"hour={hour:%H}")


def refused(capsys: pytest.CaptureFixture[str], lake: Path, *arguments: str) -> str:
    before = {path: path.stat().st_mtime_ns for path in lake.rglob("*")}
    assert report.main([arguments[0], "--lake", str(lake), *arguments[1:]]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert {path: path.stat().st_mtime_ns for path in lake.rglob("*")} == before
    return said.err


def shown(capsys: pytest.CaptureFixture[str], lake: Path, *arguments: str) -> str:
    assert report.main([arguments[0], "--lake", str(lake), *arguments[1:]]) == 0
    return capsys.readouterr().out


def test_a_lake_with_all_its_hours_is_reported(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "acme" in shown(capsys, lake, "chargeback", *DAYS)


def test_a_missing_hour_between_two_written_ones_is_named(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lose(lake, "usage", HOURS[2])
    assert refused(capsys, lake, "chargeback", *DAYS) == (
        "report: the lake has a hole: no usage of 2026-10-02 hour 07; aggregate writes it again "
        'with the event {"from": "2026-10-02T07", "to": "2026-10-02T08"}\n'
    )
    # Other days are whole.
    assert "acme" in shown(capsys, lake, "chargeback", "--from", "2026-10-01", "--to", "2026-10-02")
    # What an hour lost with its facts, the day's summary has.
    lose(lake, "hourly", HOURS[2])
    said = refused(capsys, lake, "chargeback", *DAYS)
    assert (
        "the summary of 2026-10-02 has other sums than its hours; hours without usage: 01" in said
    )
    assert "06, 07, 08" in said
    assert 'event {"date": "2026-10-02"}' in said


def test_an_hour_without_facts_is_named(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for hour in HOURS[1:]:
        lose(lake, "hourly", hour)
    # Days without any facts are of an earlier release.
    assert "acme" in shown(capsys, lake, "chargeback", *DAYS)
    put(lake / "hourly" / "dt=2026-10-02" / "hour=00", "1 AS n")
    said = refused(capsys, lake, "chargeback", *DAYS)
    assert (
        "no facts of 2026-10-02 hour 07, 2026-10-02 hour 09, 2026-10-02 hour 10 and 1 more" in said
    )


def test_a_day_that_lost_everything_but_its_summary_is_named(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("usage", "hourly"):
        lose(lake, folder, HOURS[-1])
    said = refused(capsys, lake, "chargeback", *DAYS)
    assert "the summary of 2026-10-03 has other sums than its hours" in said


def test_hours_of_today_may_be_on_their_way(lake: Path) -> None:
    lose(lake, "usage", HOURS[-1])
    with DuckDbEngine(lake) as engine:
        days = Period(date(2026, 10, 1), date(2026, 10, 5))
        checks.holes(engine, days, today=date(2026, 10, 3))
        with pytest.raises(checks.RefusedError):
            checks.holes(engine, days, today=date(2026, 10, 4))


def test_a_month_that_is_not_over_has_no_invoice(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    this = f"{datetime.now(UTC):%Y-%m}"
    said = refused(capsys, lake, "invoice", "--month", this)
    assert f"invoice is of days that are over, and {this} ends on " in said


def test_usage_of_a_later_schema_is_named(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = SCHEMA_VERSION + 1
    file = next((lake / "usage" / "dt=2026-10-01" / "hour=00").iterdir())
    with duckdb.connect(":memory:") as db:
        rows = db.sql(f"SELECT * REPLACE ({later} AS schema_version) FROM '{file}'")  # noqa: S608
        rows.write_parquet(str(file.with_name("later.parquet")))
    assert refused(capsys, lake, "chargeback", *DAYS) == (
        f"report: usage of 2026-10-01, hour 00, has schema_version {later}; "
        f"this version of Tollgate reads {SCHEMA_VERSION} and below\n"
    )


def test_a_tenant_that_nobody_knows_is_named(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "acme" in shown(capsys, lake, "costs", *DAYS, "--param", "tenant=acme")
    said = refused(capsys, lake, "costs", *DAYS, "--param", "tenant=acem")
    assert said == "report: tenant: given 'acem'; there are acme\n"
    # A tenant without usage is one of the list.
    (lake / "tenants").mkdir()
    (lake / "tenants" / "acem.json").write_text('{"tenant_id": "acem"}\n', "utf-8")
    said = refused(capsys, lake, "costs", *DAYS, "--param", "tenant=acem")
    assert said.startswith("report: 2026-10-01 to 2026-10-05 has nothing to show")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--param", "by=planet"], "by: given 'planet'; allowed: one of day, month, tenant"),
        (["--param", "colour=red"], "costs has no parameter 'colour'; allowed: by, tag, tenant"),
        (["--param", "by"], "--param: given 'by'; allowed: <name>=<value>"),
        (["--param", "tag=" + "x" * 300], "x…'; allowed: at most 256 printable characters"),
        (["--from", "2026-10-01"], "--from and --to: given one; allowed: both, or --month"),
        (["--from", "2026-10-02", "--to", "2026-10-02"], "2026-10-02 to 2026-10-02 holds no day"),
        (["--month", "2026-10", "--from", "2026-10-01", "--to", "2026-10-02"], "given both"),
    ],
)
def test_what_cannot_be_asked_is_named(
    lake: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in refused(capsys, lake, "costs", *arguments)


def test_values_are_no_sql(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, lake, "costs", *DAYS, "--param", "tenant=' OR 1 = 1 --")
    assert "there are acme" in said
    found = shown(capsys, lake, "costs", *DAYS, "--param", "by=tag", "--param", "tag=o'clock")
    assert "(none)" in found


def test_an_unknown_environment_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(["costs", "--env", "nowhere"]) == 1
    assert "envs/nowhere/backend.s3.tfbackend: cannot be read" in capsys.readouterr().err


def test_all_queries_are_listed_with_what_they_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert "chargeback" in [line.split()[0] for line in listed]
    assert all(line.split(maxsplit=1)[1].endswith(".") for line in listed)
    with pytest.raises(SystemExit):
        report.main(["costs", "--help"])
    assert "--param by=…: what costs are grouped by (one of day," in capsys.readouterr().out
