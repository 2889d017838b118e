"""A month is closed once, from all of its rows, and each statement follows from them again."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from scripts.reports.engines import DuckDbEngine
from scripts.statements import __main__ as command
from scripts.statements.closing import CloseError, tenant_facts
from scripts.statements.inputs import Finance, InputsError
from scripts.statements.ledger import LedgerError, open_ledger
from scripts.statements.record import RecordError, to_bytes
from scripts.statements.storage import FolderStore, batches
from scripts.statements.verifying import VerifyError
from tests.e2e import documents
from tests.fakes.statement_lake import (
    CLOSE,
    HOUR,
    NOVEMBER,
    OCTOBER,
    ROWS,
    SEPTEMBER,
    globex,
    plain_pages,
    row,
)
from tests.fakes.statement_lake import StatementLake as Lake
from tollgate.domain.usage import GLUE_COLUMNS, to_json_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.statements.closing import Closed
    from tollgate.domain.usage import UsageRow


@pytest.fixture(scope="module", autouse=True)
def _without_charts() -> Iterator[None]:
    with plain_pages():
        yield


@pytest.fixture(scope="module")
def closed_october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose October is closed; tests copy it."""
    folder = tmp_path_factory.mktemp("closed")
    lake = Lake(folder)
    lake.add(*ROWS)
    lake.close()
    return folder


@pytest.fixture
def october(closed_october: Path, tmp_path: Path) -> Lake:
    """A lake whose October is closed."""
    lake = Lake(tmp_path / "lake")
    shutil.copytree(closed_october, lake.folder, dirs_exist_ok=True)
    lake.parts = 1
    return lake


@pytest.fixture
def open_lake(tmp_path: Path) -> Lake:
    """A lake with October's usage that nobody closed."""
    lake = Lake(tmp_path)
    lake.add(*ROWS)
    return lake


def test_a_statement_says_what_its_rows_add_up_to(october: Lake) -> None:
    acme = october.issued("2026-10/tenant/acme")
    assert acme["ledger"]["rows"] == 3
    assert acme["ledger"]["cost_usd"] == "1.237567890123"
    assert [line["net"] for line in acme["lines"]] == ["1.49"]
    assert acme["totals"] == {
        "net": "1.49",
        "cost": "1.24",
        "margin": "0.25",
        "margin_percent": "16.8",
        "charge_usd": "1.485081468148",
        "cost_usd": "1.237567890123",
    }
    # Its business unit is that of its facts, since the rows name none.
    assert october.issued("2026-10/business_unit/claims")["ledger"] == acme["ledger"]
    assert october.issued("2026-10/business_unit/unassigned")["totals"]["net"] == "1.00"
    # Any cost centre is one segment of a name.
    assert october.issued("2026-10/cost_center/CC%2F2%20000")["id"] == "CC/2 000"


def test_an_erp_gets_a_line_per_cost_centre_and_account(october: Lake) -> None:
    data = october.store.get("issued/2026-10/erp.csv") or b""
    assert list(csv.DictReader(io.StringIO(data.decode()))) == [
        {
            "statement": f"2026-10/tenant/{tenant}",
            "period": "2026-10",
            "currency": "USD",
            "cost_center": center,
            "account": "usage",
            "net": net,
        }
        for tenant, center, net in (("acme", "CC-1001", "1.49"), ("globex", "CC/2 000", "1.00"))
    ]


def test_lines_are_a_table_which_the_guide_asks(october: Lake) -> None:
    guide = documents.read("scripts/statements/README.md")
    (query,) = re.findall(r"^```sql\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    with DuckDbEngine(october.folder) as engine:
        found = engine.run(query).rows
    assert [(*names, str(net)) for *names, net in found] == [
        ("claims", "usage", "1.49"),
        ("unassigned", "usage", "1.00"),
    ]


def test_closing_twice_changes_nothing(october: Lake) -> None:
    before = october.objects()
    again = october.close(clock=lambda: CLOSE + HOUR)
    assert (again.already, again.published.written) == (True, 0)
    assert october.objects() == before


def test_the_same_lake_makes_the_same_bytes(october: Lake, open_lake: Lake) -> None:
    open_lake.close()
    assert open_lake.objects() == october.objects()


def test_a_close_that_was_interrupted_is_finished_as_it_began(october: Lake) -> None:
    before = october.objects()
    folder = october.folder / "statements"
    for key in ("issued/2026-10/tenant/acme.json", "lines/month=2026-10/lines.parquet"):
        (folder / key).unlink()
    october.add(row(OCTOBER, 5))  # comes too late for what was begun
    assert october.close().published.written == 2
    assert october.objects() == before


class _Together(FolderStore):
    """Two who close write their records at the same moment."""

    def __init__(self, folder: Path, barrier: threading.Barrier) -> None:
        super().__init__(folder)
        self._barrier = barrier

    def put(self, key: str, data: bytes) -> bool:
        if key.startswith("records/"):
            self._barrier.wait()
        return super().put(key, data)


def test_two_who_close_at_once_make_one(open_lake: Lake) -> None:
    barrier = threading.Barrier(2, timeout=120)
    found: list[Closed] = []

    def close(minute: int) -> None:
        store = _Together(open_lake.folder / "statements", barrier)
        moment = CLOSE + timedelta(minutes=minute)
        found.append(open_lake.close(store=store, clock=lambda: moment))

    people = [threading.Thread(target=close, args=(minute,)) for minute in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    standing = open_lake.store.get("records/2026-10.json")
    assert [to_bytes(one.record) for one in found] == [standing] * 2
    assert sorted(one.already for one in found) == [False, True]
    closed_at = open_lake.issued("2026-10/tenant/acme")["closed_at"]
    assert closed_at == found[0].record.closed_at
    assert open_lake.verify("2026-10/tenant/acme").holds


# --- What comes later -----------------------------------------------------------------------------


def test_what_comes_later_is_a_note_on_the_next_statement(october: Lake) -> None:
    refund = replace(
        row(OCTOBER, -500_000_000_000), operation="reprice", tags={"corrects": ROWS[0].request_id}
    )
    october.add(row(OCTOBER + HOUR, 10_000_000_000), refund, row(NOVEMBER, 2 * 10**12))
    before = october.objects()
    october.close("2026-11")
    november = october.issued("2026-11/tenant/acme")
    assert [(line["kind"], line["period"], line["net"]) for line in november["lines"]] == [
        ("usage", "2026-11", "2.40"),
        ("credit_note", "2026-10", "-0.59"),  # (0.01 - 0.50) × 1.20
    ]
    assert november["ledger"]["rows"] == 3
    # globex used nothing in November, and nothing of its October changed.
    assert october.store.get("issued/2026-11/tenant/globex.json") is None
    assert {key: october.store.get(key) for key in before} == before
    for name in ("2026-10/tenant/acme", "2026-11/tenant/acme", "2026-11/business_unit/claims"):
        assert october.verify(name).holds


def test_a_note_stands_once(october: Lake) -> None:
    december = NOVEMBER + timedelta(days=30)
    october.add(row(OCTOBER, 10**10), row(NOVEMBER, 10**10), row(december, 10**10))
    october.close("2026-11")
    october.close("2026-12", clock=lambda: CLOSE + timedelta(days=40))
    assert [line["kind"] for line in october.issued("2026-12/tenant/acme")["lines"]] == ["usage"]


def test_a_tenant_that_is_gone_still_gets_its_note(october: Lake) -> None:
    (october.folder / "tenants" / "globex.json").unlink()
    october.add(globex(OCTOBER, -(10**11), operation="reprice"), row(NOVEMBER, 1))
    october.close("2026-11")
    statement = october.issued("2026-11/tenant/globex")
    assert (statement["title"], statement["totals"]["net"]) == ("Globex", "-0.40")


def test_who_was_offboarded_pays_no_subscription() -> None:
    facts = {"name": "x", "kind": "team", "tier": "pro", "markup": "1", "cost_center": "c"}
    listed = [
        {"tenant_id": "a", "status": "active", "subscription_usd": "500", **facts},
        {"tenant_id": "b", "status": "offboarded", "subscription_usd": "500", **facts},
        {"tenant_id": "c", **facts},
    ]
    found = tenant_facts(listed, {"gone": "1.5"})
    assert {name: one.subscription_usd for name, one in found.items()} == {
        **{"a": "500", "b": "0", "c": "0"},
        "gone": "0",
    }


# --- What cannot be closed ------------------------------------------------------------------------


@contextmanager
def _refused(lake: Lake, error: type[Exception], told: str) -> Iterator[None]:
    before = lake.objects()
    with pytest.raises(error, match=told):
        yield
    assert lake.objects() == before


@pytest.mark.parametrize(
    ("month", "changes", "told"),
    [
        ("2026-13", {}, "'2026-13' is not a month"),
        ("2026-12", {}, "2026-12 is not over"),
        (
            "2026-10",
            {"closed_through": datetime(2026, 10, 31, 23, tzinfo=UTC)},
            "2026-10-31T23:00Z",
        ),
        ("2026-08", {}, "no usage in 2026-08"),
    ],
)
def test_a_month_has_to_be_over_and_its_hours_closed(
    open_lake: Lake, month: str, changes: dict[str, Any], told: str
) -> None:
    with _refused(open_lake, CloseError, told):
        open_lake.close(month, **changes)


def test_an_unknown_tenant_is_refused_until_its_markup_is_known(open_lake: Lake) -> None:
    (open_lake.folder / "tenants" / "globex.json").unlink()
    with _refused(open_lake, CloseError, r"usage of globex, unknown .*\[tenants.globex\] markup"):
        open_lake.close()
    open_lake.close(finance=Finance({"tenants": {"globex": {"markup": "2"}}}))
    assert open_lake.issued("2026-10/tenant/globex")["totals"]["net"] == "0.50"


def test_inputs_that_are_wrong_are_refused(open_lake: Lake) -> None:
    credit = {"month": "2026-10", "tenant": "nobody", "usd": "1", "reason": "Why"}
    with _refused(open_lake, InputsError, "given tenant 'nobody'"):
        open_lake.close(finance=Finance({"credits": [credit]}))
    shared = {"name": "KMS", "month_usd": "1", "by": "fixed", "shares": {"nobody": "100"}}
    with _refused(open_lake, InputsError, "shared cost 'KMS': given tenant 'nobody'"):
        open_lake.close(finance=Finance({"shared_costs": [shared]}))


def test_months_are_closed_in_order(october: Lake) -> None:
    october.add(row(SEPTEMBER, 1), row(NOVEMBER + timedelta(days=30), 1))
    with _refused(october, CloseError, "2026-09 was not closed, and 2026-10 is"):
        october.close("2026-09")
    october.add(row(NOVEMBER, 1))
    with _refused(october, CloseError, "2026-11 has usage and is not closed"):
        october.close("2026-12", clock=lambda: CLOSE + timedelta(days=40))


def _rewrite(lake: Lake, select: str) -> None:
    """Write the first hour's file of acme again, otherwise."""
    (path,) = lake.folder.glob("usage/dt=2026-10-03/hour=14/*.parquet")
    with duckdb.connect(":memory:") as db:
        db.execute(f"CREATE TABLE rows AS SELECT {select} FROM '{path}'")  # noqa: S608 - ours
        db.execute(f"COPY rows TO '{path}' (FORMAT parquet)")


def test_a_schema_from_the_future_is_refused(open_lake: Lake) -> None:
    _rewrite(open_lake, "* REPLACE (2 AS schema_version)")
    with _refused(open_lake, LedgerError, "2026-10-03T14 has schema_version 2, allowed: up to 1"):
        open_lake.close()
    _rewrite(open_lake, "* REPLACE (1 AS schema_version), 'x' AS mood")
    with _refused(
        open_lake, LedgerError, "has the column 'mood', which this release does not know"
    ):
        open_lake.close()


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("hourly/dt=2026-10-03/hour={:02d}/facts.parquet", "of 2026-10-03T15, and it has no rows"),
        ("daily/dt=2026-10-03/summary.parquet", "of 2026-10-03, and it has rows of"),
    ],
)
def test_a_hole_is_refused(open_lake: Lake, key: str, told: str) -> None:
    hours = {14: 1_234_567_890_123, 15: 3_000_000_000, 19: 250_000_000_000}
    with duckdb.connect(":memory:") as db:
        for hour, cost in hours.items() if "hour" in key else {0: sum(hours.values())}.items():
            path = open_lake.folder / key.format(hour)
            path.parent.mkdir(parents=True, exist_ok=True)
            db.execute(f"COPY (SELECT {cost}::DECIMAL(38, 0) AS total_cost) TO '{path}'")
    with open_ledger({}) as ledger:
        ledger.read(open_lake.folder, [OCTOBER.date()])
    shutil.rmtree(open_lake.folder / "usage/dt=2026-10-03/hour=15")
    with pytest.raises(LedgerError, match=told), open_ledger({}) as ledger:
        ledger.read(open_lake.folder, [OCTOBER.date()])


# --- Does a statement hold? -----------------------------------------------------------------------


def test_one_changed_row_is_named(october: Lake) -> None:
    _rewrite(october, "* REPLACE (latency_ms + 1 AS latency_ms)")
    name = f"{ROWS[0].request_id} of acme in 2026-10-03T14"
    assert [str(one) for one in october.verify("2026-10/tenant/acme").rows] == [f"changed: {name}"]
    assert not october.verify("2026-10/cost_center/CC-1001").holds
    # It is no row of this one's.
    assert october.verify("2026-10/tenant/globex").holds
    october.add(row(NOVEMBER, 1))
    # Nor does that month's difference become a note.
    october.add(row(OCTOBER, 7))
    with _refused(october, LedgerError, f"2026-10 is closed, .*changed: {name}"):
        october.close("2026-11")


def test_a_missing_and_an_added_row_are_named(october: Lake) -> None:
    shutil.rmtree(october.folder / "usage/dt=2026-10-03/hour=15")
    late = row(OCTOBER, 5)
    october.add(late)
    assert [str(one) for one in october.verify("2026-10/tenant/acme").rows] == [
        f"missing: {ROWS[1].request_id} of acme in 2026-10-03T15",
        f"added: {late.request_id} of acme in 2026-10-03T14",
    ]


def test_a_row_that_is_there_twice_is_named(october: Lake) -> None:
    october.add(ROWS[0])
    (found,) = october.verify("2026-10/tenant/acme").rows
    assert str(found) == f"added: {ROWS[0].request_id} of acme in 2026-10-03T14"


def test_a_row_that_became_another_tenants_is_named(october: Lake) -> None:
    _rewrite(october, "* REPLACE ('globex' AS tenant_id)")
    (found,) = october.verify("2026-10/tenant/acme").rows
    assert str(found) == f"changed: {ROWS[0].request_id} of acme in 2026-10-03T14"


def _overwrite(lake: Lake, key: str, old: bytes, new: bytes) -> None:
    path = lake.folder / "statements" / key
    data = path.read_bytes()
    assert old in data
    path.chmod(0o644)
    path.write_bytes(data.replace(old, new))


def test_what_was_written_over_is_told(october: Lake) -> None:
    _overwrite(october, "issued/2026-10/tenant/acme.json", b'"net":"1.49"', b'"net":"1.48"')
    assert october.verify("2026-10/tenant/acme").others == [
        "issued/2026-10/tenant/acme.json does not follow from the record"
    ]
    _overwrite(october, "records/2026-10.json", b'"calls":2', b'"calls":1')
    assert october.verify("2026-10/business_unit/claims").others[0] == (
        "usage lines of 2026-10/business_unit/claims do not follow from its rows"
    )
    (rows,) = october.store.keys("rows/")
    _overwrite(october, rows, b"PAR1", b"PAR2")
    with pytest.raises(RecordError, match="rows/month=2026-10/.* was changed since the close"):
        october.verify("2026-10/tenant/acme")


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("acme", VerifyError, "given 'acme'; allowed: <month>/<scope>/<id>"),
        ("2026-10/team/acme", VerifyError, "with a scope of tenant, cost_center, business_unit"),
        ("2026-10/tenant/nobody", VerifyError, "allowed: 2026-10/tenant/acme, 2026-10/tenant/gl"),
        ("2026-09/tenant/acme", RecordError, "2026-09 is not closed; closed months: 2026-10"),
    ],
)
def test_only_a_statement_can_be_verified(
    october: Lake, name: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        october.verify(name)


def _canonical(one: UsageRow) -> str:
    """A row's canonical text as the guide says it, in plain Python."""
    lines = []
    for name, value in to_json_row(one).items():
        if value is None:
            continue
        kind = dict(GLUE_COLUMNS)[name]
        if kind == "string":
            text = f"{len(value)}:{value}"
        elif kind == "timestamp":
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            text = str((datetime.fromisoformat(value) - epoch) // timedelta(microseconds=1))
        elif kind == "boolean":
            text = "true" if value else "false"
        elif isinstance(value, dict):
            pairs = sorted(value.items())
            text = "".join(f"{len(k)}:{k}{len(v)}:{v}" for k, v in pairs)
        else:
            text = str(value)
        lines.append(f"{name}={text}")
    return "\n".join(lines)


def test_a_digest_can_be_worked_out_without_us(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    odd = row(
        OCTOBER,
        7,
        tags={"ü": "a=1\nb", "": ":"},
        requested_model="x\ny=1:z",
        stop_reason=None,
        business_unit="claims",
        end_user="",
    )
    lake.add(odd)
    with open_ledger({}) as ledger:
        ledger.read(lake.folder, [OCTOBER.date()])
        ((_, day, hour, rows, cost, digest),) = ledger.cells()
    row_digest = hashlib.sha256(_canonical(odd).encode()).hexdigest()
    text = f"{odd.request_id} {row_digest}"
    assert (day, hour, rows, cost) == (OCTOBER.date(), 14, 1, 7)
    assert digest == hashlib.sha256(text.encode()).hexdigest()


def test_days_are_read_as_many_at_a_time_as_fit() -> None:
    days = [OCTOBER.date() + timedelta(days=n) for n in range(4)]
    sizes = dict(zip(days, [100 * 2**20, 2 * 2**20, 60 * 2**20, 999 * 2**20], strict=True))
    assert batches(sizes) == [days[:2], [days[2]], [days[3]]]
    assert batches({}) == []


# --- The command line -----------------------------------------------------------------------------


def test_a_person_is_told_what_was_closed(
    open_lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--lake", str(open_lake.folder)]
    assert command.main(["close", "--month", "2026-10", *arguments]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("2026-10 is closed, at ")
    assert told[1:3] == ["  Model usage  2.49 USD", "  Net total    2.49 USD"]
    assert command.main(["verify", "2026-10/tenant/acme", *arguments]) == 0
    assert (
        "2026-10/tenant/acme holds: 3 ledger rows of 1.237567890123 USD" in capsys.readouterr().out
    )
    open_lake.add(row(OCTOBER, 5))
    assert command.main(["verify", "2026-10/tenant/acme", *arguments]) == 1
    assert "the next close makes a note of them" in capsys.readouterr().out
    assert command.main(["close", "--month", "2026-1", *arguments]) == 1
    assert "close: MONTH: given '2026-1' is not a month" in capsys.readouterr().err
    assert command.main(["close", "--env", "nowhere", "--month", "2026-10", *arguments]) == 1
    assert "--env: given 'nowhere'; allowed: dev" in capsys.readouterr().err
