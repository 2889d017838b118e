"""What a report refuses: it says what is wrong, shows nothing and writes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from scripts.bench.year import write
from scripts.reports import report
from tests.fakes.usage_rows import usage_row
from tollgate.domain.usage import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = ["--from", "2026-10-01", "--to", "2026-10-05"]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Four days, with a call on the first one and facts of all their hours."""
    write([usage_row(started_at=OCTOBER)], tmp_path, 0)
    facts(tmp_path, [OCTOBER + timedelta(hours=n) for n in range(4 * 24)])
    return tmp_path


def facts(lake: Path, hours: Sequence[datetime]) -> None:
    """Put a file of facts where aggregate puts one for each closed hour; nobody reads it here."""
    for hour in hours:
        folder = lake / "hourly" / f"dt={hour:%Y-%m-%d}" / f"hour={hour:%H}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "facts.parquet").touch()


def remove_facts(lake: Path, hour: datetime) -> None:
    (lake / "hourly" / f"dt={hour:%Y-%m-%d}" / f"hour={hour:%H}" / "facts.parquet").unlink()


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
    remove_facts(lake, OCTOBER + timedelta(days=1, hours=7))
    assert refused(capsys, lake, "chargeback", *DAYS) == (
        "report: the lake has a hole: no facts of 2026-10-02 hour 07; aggregate writes them with "
        'the event {"from": "2026-10-02T07", "to": "2026-10-02T08"}\n'
    )
    for hour in range(4):
        remove_facts(lake, OCTOBER + timedelta(days=2, hours=hour))
    said = refused(capsys, lake, "chargeback", *DAYS)
    assert "2026-10-02 hour 07, 2026-10-03 hour 00, 2026-10-03 hour 01 and 2 more" in said
    # Other days are whole.
    assert "acme" in shown(capsys, lake, "chargeback", "--from", "2026-10-01", "--to", "2026-10-02")


def test_hours_at_the_end_count_for_what_is_of_days_that_are_over(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (lake / "tenants").mkdir()
    (lake / "tenants" / "acme.json").write_text('{"tenant_id": "acme", "markup": "2"}\n', "utf-8")
    assert "acme" in shown(capsys, lake, "invoice", *DAYS)
    remove_facts(lake, OCTOBER + timedelta(days=3, hours=23))
    assert "acme" in shown(capsys, lake, "chargeback", *DAYS)
    assert "no facts of 2026-10-04 hour 23" in refused(capsys, lake, "invoice", *DAYS)


def test_a_month_that_is_not_over_has_no_invoice(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    this = f"{datetime.now(UTC):%Y-%m}"
    said = refused(capsys, lake, "invoice", "--month", this)
    assert f"invoice is of days that are over, and {this} ends on " in said


def test_usage_of_a_later_schema_is_named(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = SCHEMA_VERSION + 1
    write([usage_row(started_at=OCTOBER + timedelta(hours=5), tenant_id="new")], lake, 0)
    file = next((lake / "usage" / "dt=2026-10-01" / "hour=05").iterdir())
    with duckdb.connect(":memory:") as db:
        rows = db.sql(f"SELECT * REPLACE ({later} AS schema_version) FROM '{file}'")  # noqa: S608
        rows.write_parquet(str(file.with_name("later.parquet")))
    file.unlink()
    assert refused(capsys, lake, "chargeback", *DAYS) == (
        f"report: usage of 2026-10-01, hour 05, has schema_version {later}; "
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
