"""The bench of named queries makes rows as the lake has them, and measures every query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.bench import queries as bench
from scripts.reports import queries
from scripts.reports.engines import DuckDbEngine

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_query_is_measured_over_rows_of_the_lakes_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(["--rows", "400", "--lake", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("400 rows of usage, ")
    measured = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert list(measured) == list(queries.load())
    for name, query in queries.load().items():
        assert (measured[name][:2] == ["left", "out:"]) == bool(query.tables() - bench.MADE)
    assert int(measured["chargeback"][0]) > 0
    with DuckDbEngine(tmp_path) as engine:
        (counts,) = engine.run(
            "SELECT count(*) AS n, count(DISTINCT request_id) AS ids, "
            "count(business_unit) AS units, count(DISTINCT tenant_id) AS tenants FROM usage"
        ).rows
    assert counts == (400, 400, 400, bench.TENANTS)


def test_rows_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    bench.make(tmp_path, 10)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    bench.make(tmp_path, 10)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == made
