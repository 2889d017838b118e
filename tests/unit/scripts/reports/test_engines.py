"""Both engines: what they give for the same text, and what they say when they cannot."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from botocore.exceptions import ClientError

from scripts.reports.engines import AthenaEngine, Column, DuckDbEngine, EngineError, tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class FakeAthena:
    """Athena as its client shows it: states one after the other, then pages of text."""

    def __init__(self, states: Sequence[tuple[str, str]], pages: Sequence[dict[str, Any]]) -> None:
        self.states = list(states)
        self.pages = pages
        self.started: dict[str, Any] = {}
        self.stopped: list[str] = []

    def start_query_execution(self, **request: Any) -> dict[str, str]:  # noqa: ANN401
        self.started = request
        return {"QueryExecutionId": "q-1"}

    def get_query_execution(self, QueryExecutionId: str) -> dict[str, Any]:  # noqa: N803
        assert QueryExecutionId == "q-1"
        state, reason = self.states.pop(0)
        status = {"State": state, **({"StateChangeReason": reason} if reason else {})}
        return {
            "QueryExecution": {"Status": status, "Statistics": {"DataScannedInBytes": 10_000_001}}
        }

    def stop_query_execution(self, QueryExecutionId: str) -> None:  # noqa: N803
        self.stopped.append(QueryExecutionId)

    def get_paginator(self, name: str) -> FakeAthena:
        assert name == "get_query_results"
        return self

    def paginate(self, QueryExecutionId: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        assert QueryExecutionId == "q-1"
        return iter(self.pages)


def page(kinds: Sequence[tuple[str, ...]], lines: Sequence[Sequence[str | None]]) -> dict[str, Any]:
    """A page of results as Athena writes it; an absent value is an empty cell."""
    columns = [
        {"Name": name, "Type": kind, "Precision": int(size[0]), "Scale": int(size[1])}
        if (size := rest)
        else {"Name": name, "Type": kind, "Precision": 0, "Scale": 0}
        for name, kind, *rest in kinds
    ]
    rows = [
        {"Data": [{} if cell is None else {"VarCharValue": cell} for cell in line]}
        for line in lines
    ]
    return {"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": columns}}}


KINDS = [
    ("tenant_id", "varchar"),
    ("calls", "bigint"),
    ("tokens", "decimal", "38", "0"),
    ("cost", "decimal", "38", "12"),
    ("share", "double"),
    ("dt", "date"),
    ("settled_at", "timestamp"),
    ("priced", "boolean"),
]
NAMES = [kind[0] for kind in KINDS]
DONE = [("QUEUED", ""), ("RUNNING", ""), ("SUCCEEDED", "")]


def athena(fake: FakeAthena, pauses: list[float] | None = None) -> AthenaEngine:
    keys = {"hourly/": ["hourly/dt=2026-11-30/hour=23/facts.parquet"]}
    keys["hourly/dt=2026-11-30/"] = keys["hourly/"]
    pause = pauses.append if pauses is not None else lambda _: None
    return AthenaEngine(fake, "tollgate-prod", "tollgate_prod", lambda p: keys.get(p, []), pause)


def test_athena_waits_and_reads_every_page_as_typed_values() -> None:
    line = [
        "acme",
        "2",
        "30",
        "0.000000000007",
        "0.5",
        "2026-11-01",
        "2026-11-01 10:00:00.5",
        "true",
    ]
    pages = [page(KINDS, [NAMES, line]), page(KINDS, [[None] * len(NAMES)]), page(KINDS, [])]
    fake, pauses = FakeAthena(DONE, pages), []
    result = athena(fake, pauses).run("SELECT 1")
    assert fake.started == {
        "QueryString": "SELECT 1",
        "QueryExecutionContext": {"Database": "tollgate_prod"},
        "WorkGroup": "tollgate-prod",
    }
    assert result.columns[3] == Column("cost", "decimal(38,12)")
    assert result.rows == [
        (
            *("acme", 2, 30, Decimal("0.000000000007"), 0.5, date(2026, 11, 1)),
            *(datetime(2026, 11, 1, 10, 0, 0, 500_000), True),
        ),
        (None,) * len(NAMES),
    ]
    assert result.records()[0]["cost"] == 7
    assert result.bytes_scanned == 10_000_001
    assert len(pauses) == 2 and pauses[0] < pauses[1]
    assert fake.stopped == []


def test_an_interrupt_cancels_the_query() -> None:
    fake = FakeAthena(DONE, [])

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    engine = AthenaEngine(fake, "w", "d", lambda _: [], interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.run("SELECT 1")
    assert fake.stopped == ["q-1"]


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("FAILED", "SYNTAX_ERROR: line 1:8", r"q-1 in workgroup tollgate-prod: FAILED: SYNTAX"),
        ("CANCELLED", "", "CANCELLED: no reason given"),
        (
            "CANCELLED",
            "Bytes scanned limit was exceeded",
            r"scanned 10000001 bytes\. Ask for a shorter period, or raise bytes_scanned_cutoff",
        ),
    ],
)
def test_athena_says_why_a_query_has_no_answer(state: str, reason: str, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        athena(FakeAthena([(state, reason)], [])).run("SELECT 1")


def test_what_aws_refuses_is_said_with_the_workgroup() -> None:
    fake = FakeAthena([], [])

    def refuse(**_: Any) -> dict[str, str]:  # noqa: ANN401
        error = {"Code": "AccessDeniedException", "Message": "You are not authorized"}
        raise ClientError({"Error": error}, "StartQueryExecution")

    fake.start_query_execution = refuse  # type: ignore[method-assign]
    with pytest.raises(EngineError, match=r"workgroup tollgate-prod: .*You are not authorized"):
        athena(fake).run("SELECT 1")


def test_hours_are_those_that_have_files(tmp_path: Path) -> None:
    folder = tmp_path / "hourly" / "dt=2026-11-30" / "hour=23"
    folder.mkdir(parents=True)
    (folder / "facts.parquet").touch()
    day = date(2026, 11, 30)
    for engine in (DuckDbEngine(tmp_path), athena(FakeAthena([], []))):
        with engine:
            assert engine.hours("hourly", day, day) == [datetime(2026, 11, 30, 23, tzinfo=UTC)]
            assert engine.hours("hourly", date(2026, 11, 29), date(2026, 11, 29)) == []
            assert (engine.has("hourly"), engine.has("daily")) == (True, False)


def test_columns_that_older_files_lack_are_null(tmp_path: Path) -> None:
    with duckdb.connect(":memory:") as db:
        for day, columns in (
            ("01", "'a' AS request_id"),
            ("02", "'b' AS request_id, 'r' AS business_unit"),
        ):
            folder = tmp_path / "usage" / f"dt=2026-11-{day}" / "hour=07"
            folder.mkdir(parents=True)
            db.execute(f"COPY (SELECT {columns}) TO '{folder}/part-00.parquet'")  # noqa: S608
    query = "SELECT request_id, business_unit, end_user, dt, hour FROM usage ORDER BY request_id"
    with DuckDbEngine(tmp_path) as engine:
        assert engine.run(query).rows == [
            ("a", None, None, date(2026, 11, 1), 7),
            ("b", "r", None, date(2026, 11, 2), 7),
        ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM usge", "no table 'usge'; there are .*usage"),
        ("SELECT * FROM usage", r"no lake with usage: it has no usage/dt=\*/hour=\*/\*\.parquet"),
        ("SELECT nothing FROM tenants", "nothing"),
        ("SELECT FROM", "not a query"),
    ],
)
def test_duckdb_says_why_a_query_has_no_answer(tmp_path: Path, sql: str, said: str) -> None:
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.json").write_text(json.dumps({"tenant_id": "acme"}), "utf-8")
    with DuckDbEngine(tmp_path) as engine, pytest.raises(EngineError, match=said):
        engine.run(sql)


def test_tables_are_those_that_a_query_does_not_make_itself() -> None:
    query = "WITH mine AS (SELECT * FROM usage) SELECT * FROM mine JOIN tenants USING (tenant_id)"
    assert tables_of(query) == {"usage", "tenants"}
