"""The page in a browser: its figures are the queries', and it can be used without a mouse."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from scripts.bench.year import Year, write, write_facts
from scripts.reports import periods, queries
from scripts.reports.engines import DuckDbEngine
from scripts.reports.footing import apportion
from scripts.reports.page import __main__ as command
from scripts.reports.page import render, shown
from tests.browser.viewer import WIDTHS, accessibility_problems, sideways

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.viewer import Viewer

FEBRUARY = periods.month("2025-02")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
# A name that would end the script it lies in, and one that has no place to break at.
HOSTILE = "</script><script>throw new Error('ran')</script><!--"
LONG = "department-of-" + "very-" * 20 + "long-names"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of six tenants; a few calls of units whose names are odd."""
    folder = tmp_path_factory.mktemp("lake")
    year = Year(2025, tenants=6, calls=1, months=2)
    rows = [row for month in year.months for row in year.arrivals(month)]
    odd = [replace(rows[n], business_unit=unit) for n, unit in ((-1, HOSTILE), (-2, LONG))]
    write(rows[:-2] + odd, folder, 0)
    write_facts(year, folder)
    for path in (folder / "tenants").iterdir():
        budget = {"month_usd": "0.5", "budget_mode": "hard"}
        path.write_text(json.dumps({**json.loads(path.read_text()), **budget}) + "\n")
    return folder


@pytest.fixture(scope="module")
def file(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the second month."""
    made = tmp_path_factory.mktemp("page") / "page.html"
    made.write_text(command.from_lake(lake, FEBRUARY, NOW), "utf-8")
    return made


def costs(lake: Path, by: str) -> dict[str, Decimal]:
    query = queries.load()["costs"]
    with DuckDbEngine(lake) as engine:
        found = engine.run(query.fill(FEBRUARY, {"by": by})).rows
    return {row[0]: row[5] for row in found}


def dollars(text: str) -> Decimal:
    return Decimal(text.replace("$", "").replace(",", ""))


def ranked(page: Page) -> dict[str, Decimal]:
    """The first column of the ranked table, and the exact costs behind the second."""
    rows: list[tuple[str, str]] = page.eval_on_selector_all(
        "#ranked tbody tr",
        "rows => rows.map(row => [row.cells[0].textContent, row.cells[1].title])",
    )
    return {name: dollars(cost) for name, cost in rows}


def settled(page: Page) -> None:
    page.wait_for_selector("html[data-ready]")
    page.wait_for_selector("#chart svg")


def test_figures_are_those_of_the_queries(viewer: Viewer, lake: Path, file: Path) -> None:
    units = costs(lake, "business_unit")
    assert {HOSTILE, LONG} <= set(units)
    with viewer.open(file) as page:
        settled(page)
        assert ranked(page) == units
        assert dollars(page.get_attribute(".tiles .figure", "title") or "") == sum(units.values())
        for dimension, by in (("tenant_id", "tenant"), ("model_id", "model"), ("app_id", "app")):
            page.check(f"input[name=dimension][value={dimension}]")
            page.evaluate("document.querySelector('details').open = true")
            found = charted(page)
            assert sum(found.values(), Decimal(0)) == sum(costs(lake, by).values())
            named = {name: cost for name, cost in found.items() if "others" not in name}
            assert named.items() <= costs(lake, by).items()
        page.check("input[name=dimension][value=business_unit]")
        days = {
            row.locator("th").inner_text(): dollars(row.locator("td").last.inner_text())
            for row in page.locator("#chart-data tbody tr").all()
        }
        assert {day: cost for day, cost in days.items() if cost} == costs(lake, "day")


def charted(page: Page) -> dict[str, Decimal]:
    """The sums of the columns of the table behind the chart, by their heads."""
    rows: list[list[str]] = page.eval_on_selector_all(
        "#chart-data tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    head, *body = rows
    columns = zip(head[1:-1], list(zip(*body, strict=True))[1:-1], strict=True)
    return {name: sum(map(dollars, amounts), Decimal(0)) for name, amounts in columns}


def test_the_keyboard_sorts_and_leads_down_to_models_and_back(
    viewer: Viewer, lake: Path, file: Path
) -> None:
    with viewer.open(file) as page:
        settled(page)
        calls = page.locator("#ranked thead th", has_text="Calls")
        calls.locator("button").focus()
        for order in ("descending", "ascending"):
            page.keyboard.press("Enter")
            assert calls.get_attribute("aria-sort") == order
            shown_calls = page.eval_on_selector_all(
                "#ranked tbody tr",
                "(rows, n) => rows.map(row => Number(row.cells[n].dataset.sort))",
                calls.evaluate("head => head.cellIndex"),
            )
            assert shown_calls == sorted(shown_calls, reverse=order == "descending")
        assert page.locator("#ranked th[aria-sort]").count() == 1

        unit = page.locator("#ranked tbody button", has_text="claims")
        whole = ranked(page)
        for level in ("Tenant", "App", "Key", "Model"):
            unit.focus()
            page.keyboard.press("Enter")
            page.wait_for_selector(f"#ranked thead th:has-text('{level}')")
            assert page.evaluate("document.activeElement.matches('#ranked .scroll')")
            if level == "Tenant":
                assert sum(ranked(page).values()) == whole["claims"]
            unit = page.locator("#ranked tbody button").first
        assert page.locator("#ranked tbody button").count() == 0
        assert set(ranked(page)) <= set(costs(lake, "model"))
        assert len(page.locator("#crumbs li").all()) == 5
        assert page.inner_text("#told").startswith("claims, tenant-")
        page.go_back()
        page.wait_for_selector("#ranked thead th:has-text('Key')")
        page.locator("#crumbs button", has_text="All").press("Enter")
        page.wait_for_selector("#ranked thead th:has-text('Business unit')")
        assert ranked(page) == whole


def test_a_budget_is_chosen_and_those_that_last_are_left_out(viewer: Viewer, file: Path) -> None:
    with viewer.open(file) as page:
        settled(page)
        page.wait_for_selector("#burn svg")
        options = page.locator("#budget option").all_inner_texts()
        assert len(options) == 12
        page.locator("#budget").focus()
        page.keyboard.press("End")
        assert page.inner_text("#burn-title").startswith(options[-1])
        page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
        assert page.locator("#burn-data tbody tr").count() == 28
        rows = page.locator("#budgets tbody tr:visible")
        states = rows.locator("td:nth-child(2)")
        assert {"over", "within"} <= set(states.all_inner_texts())
        page.locator("[data-filter=budgets]").press("Space")
        assert set(states.all_inner_texts()) <= {"near", "over"}
        assert rows.count() > 0


@pytest.mark.parametrize(
    ("colours", "width"), [("light", WIDTHS["wide"]), ("dark", WIDTHS["narrow"])]
)
def test_everybody_can_read_it(viewer: Viewer, file: Path, colours: Any, width: int) -> None:
    with viewer.open(file, colours, width) as page:
        settled(page)
        assert accessibility_problems(page) == []
        assert sideways(page) == 0


def test_without_scripts_the_tables_are_there(viewer: Viewer, file: Path) -> None:
    with viewer.open(file, scripts=False) as page:
        assert "runs no scripts" in page.inner_text("main")
        assert page.locator("#charges tbody tr").count() > 5


def test_the_library_cannot_end_the_script_that_it_lies_in() -> None:
    assert "</script" not in render.library()
    assert len(render.library()) > 500_000


def test_amounts_are_written_in_the_browser_as_in_python(viewer: Viewer, file: Path) -> None:
    amounts = [
        sign * value
        for sign in (1, -1)
        for value in (0, 1, 4_999_999_999, 5_000_000_000, 10**12, 1234567890123456789, 995 * 10**9)
    ]
    script = (render.HERE / "static" / "amounts.js").read_text("utf-8")
    program = f"""(texts) => {{
        {script}
        const amounts = texts.map(BigInt);
        return {{
            exact: amounts.map(exact),
            rounded: [2, 6].map((decimals) => amounts.map((one) => rounded(one, decimals))),
            footed: apportion(amounts, 2).map(String),
        }};
    }}"""
    with viewer.open(file) as page:
        said = page.evaluate(program, [str(amount) for amount in amounts])
    assert said == {
        "exact": [shown.exact(amount) for amount in amounts],
        "rounded": [[shown.rounded(amount, decimals) for amount in amounts] for decimals in (2, 6)],
        "footed": [str(amount) for amount in apportion(amounts, 2)],
    }


@pytest.mark.soak
def test_a_year_of_fifty_tenants_is_a_small_file_and_looked_at(
    viewer: Viewer, tmp_path: Path
) -> None:
    """Pictures of it are kept: light and dark, wide and narrow, and on paper."""
    year = Year(2025, tenants=50, calls=2)
    for part, month in enumerate(year.months):
        write(year.arrivals(month), tmp_path, part)
    write_facts(year, tmp_path)
    file = tmp_path / "2025.html"
    whole = periods.Period(date(2025, 1, 1), date(2026, 1, 1))
    file.write_text(command.from_lake(tmp_path, whole, NOW), "utf-8")
    assert file.stat().st_size <= 2_000_000
    with viewer.open(file) as page:
        settled(page)
        assert accessibility_problems(page) == []
        figures = json.loads(page.inner_text("#figures") or page.text_content("#figures") or "")
        assert len(figures["dimensions"][1]["series"]) == 50
    assert len(viewer.photograph(file, "year")) == 5
