"""A statement as its reader sees it: without scripts, on any screen and on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.statements.inputs import Finance
from scripts.statements.page import render as page_of
from tests.browser.viewer import WIDTHS, accessibility_problems, sideways
from tests.fakes.statement_lake import HOUR, NOVEMBER, OCTOBER, ROWS, StatementLake, row

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.statements.statements import Statement
    from tests.browser.viewer import Viewer

FINANCE = {
    "currency": "EUR",
    "show_margin": True,
    "rates": {"2026-01": "0.92"},
    "shared_costs": [
        {"name": "API Gateway, Lambda, KMS", "month_usd": "120", "by": "calls"},
        {"name": "Support plan", "month_usd": "100", "by": "equal"},
    ],
    "discounts": [{"name": "Volume", "percent": "5"}],
    "credits": [{"month": "2026-11", "tenant": "acme", "usd": "25", "reason": "Incident of 3 May"}],
}
NAME = "2026-11/cost_center/CC-1001"


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Statement, Path]:
    """A statement of November, with late rows of October, and its page."""
    lake = StatementLake(tmp_path_factory.mktemp("lake"))
    lake.add(*ROWS)
    lake.close()
    days = [row(NOVEMBER + n * 31 * HOUR, n % 5 * 10**12, app_id=f"app{n % 3}") for n in range(18)]
    lake.add(*days, row(OCTOBER, -(10**11), operation="reprice"))
    closed = lake.close("2026-11", finance=Finance(FINANCE))
    (statement,) = (one for one in closed.published.statements if one.name == NAME)
    return statement, lake.folder / "statements" / "issued" / f"{NAME}.html"


def test_a_statement_reads_well_everywhere(viewer: Viewer, issued: tuple[Statement, Path]) -> None:
    statement, file = issued
    assert {line.kind for line in statement.lines} >= {"usage", "shared", "credit", "discount"}
    assert any(line.period == "2026-10" for line in statement.lines)
    assert "<script" not in file.read_text("utf-8")
    assert page_of(statement) == file.read_bytes()
    kept = viewer.photograph(file, "statement")
    assert all(picture.stat().st_size > 10_000 for picture in kept)
    for colours in ("light", "dark"):
        with viewer.open(file, colours, WIDTHS["narrow"]) as page:
            assert sideways(page) == 0
            assert accessibility_problems(page) == []


def test_a_page_has_the_figures_of_its_statement(
    viewer: Viewer, issued: tuple[Statement, Path]
) -> None:
    statement, file = issued
    with viewer.open(file, scripts=False) as page:
        shown = page.locator("main").inner_text()
        nets = page.locator("section:has(#usage, #others) tbody td:last-child").all_inner_texts()
        bars = page.locator("figure svg .role-mark path").count()
    amounts = [float(net.replace("\N{MINUS SIGN}", "-").replace(",", "")) for net in nets]
    assert [round(100 * amount) for amount in amounts] == [
        *(line.net for line in statement.lines if line.kind == "usage"),
        *(line.net for line in statement.lines if line.kind != "usage"),
    ]
    assert bars == 30
    for text in ("Incident of 3 May", "1 USD = 0.92 EUR", statement.digest, "for 2026-10"):
        assert text in shown
