"""A statement as its reader sees it: without scripts, on any screen and on paper."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scripts.bench.year import Year, write, write_facts
from scripts.reports.engines import DuckDbEngine
from scripts.statements.closing import Closer
from scripts.statements.inputs import Finance
from scripts.statements.storage import FolderLake, FolderStore
from tests.browser.viewer import WIDTHS, accessibility_problems, sideways

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.statements.statements import Statement
    from tests.browser.viewer import Viewer

FINANCE = {
    "currency": "EUR",
    "rates": {"2025-01": "0.92"},
    "shared_costs": [
        {"name": "API Gateway, Lambda, KMS", "month_usd": "120", "by": "calls"},
        {"name": "Support plan", "month_usd": "100", "by": "equal"},
    ],
    "discounts": [{"name": "Volume", "percent": "5"}],
    "credits": [
        {
            "month": "2025-02",
            "tenant": "tenant-001",
            "usd": "25",
            "reason": "Incident of 3 February",
        }
    ],
}


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Statement, Path]]:
    """February's statements and their pages, by name; late rows of January among them."""
    lake = tmp_path_factory.mktemp("lake")
    year = Year(tenants=3, calls=6, months=2)
    write_facts(year, lake)
    for part, month in enumerate(year.months):
        write(year.arrivals(month), lake, part)
        with DuckDbEngine(lake) as engine:
            closed = Closer(
                lake=FolderLake(lake),
                engine=engine,
                store=FolderStore(lake / "statements"),
                finance=Finance({**FINANCE, "show_margin": month == year.months[-1]}),
                clock=lambda: datetime(2025, 3, 2, tzinfo=UTC),
            ).close(month)
    return {
        statement.name: (statement, lake / "statements" / "issued" / f"{statement.name}.html")
        for statement in closed.published.statements
    }


def test_a_statement_reads_well_everywhere(
    viewer: Viewer, issued: dict[str, tuple[Statement, Path]]
) -> None:
    statement, file = issued["2025-02/cost_center/CC-1000"]
    assert {line.kind for line in statement.lines} >= {"usage", "shared", "credit", "discount"}
    assert any(line.period == "2025-01" for line in statement.lines)
    assert "<script" not in file.read_text("utf-8")
    kept = viewer.photograph(file, "statement")
    assert all(picture.stat().st_size > 10_000 for picture in kept)
    for colours in ("light", "dark"):
        with viewer.open(file, colours, WIDTHS["narrow"]) as page:
            assert sideways(page) == 0
            assert accessibility_problems(page) == []


def test_a_page_has_the_figures_of_its_statement(
    viewer: Viewer, issued: dict[str, tuple[Statement, Path]]
) -> None:
    statement, file = issued["2025-02/cost_center/CC-1000"]
    with viewer.open(file, scripts=False) as page:
        shown = page.locator("main").inner_text()
        nets = page.locator("section:has(#usage, #others) tbody td:last-child").all_inner_texts()
        bars = page.locator("figure svg .role-mark path").count()
    amounts = [float(net.replace("\N{MINUS SIGN}", "-").replace(",", "")) for net in nets]
    assert [round(100 * amount) for amount in amounts] == [
        *(line.net for line in statement.lines if line.kind == "usage"),
        *(line.net for line in statement.lines if line.kind != "usage"),
    ]
    assert bars == 28
    for text in ("Incident of 3 February", "1 USD = 0.92 EUR", statement.digest, "for 2025-01"):
        assert text in shown
