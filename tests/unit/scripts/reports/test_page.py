"""The page before a browser sees it: what it says, leaves out, refuses and how large it gets."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from scripts.bench.year import write
from scripts.reports import periods
from scripts.reports.page import __main__ as command
from scripts.reports.page import render, sections, series, shown
from scripts.reports.page.attention import named
from tests.fakes import bills
from tests.fakes.usage_rows import usage_row
from tests.unit.scripts.reconcile import ledgers
from tests.unit.scripts.reconcile.ledgers import call

if TYPE_CHECKING:
    from pathlib import Path

NOVEMBER = periods.month("2026-11")
PICO = 10**12
NOON = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vega takes seconds to put together; tests in a browser have it."""
    monkeypatch.setattr(render, "library", str)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """One call in November."""
    write([usage_row(business_unit="retail")], tmp_path, 0)
    return tmp_path


def run(lake: Path, out: Path, *arguments: str) -> int:
    return command.main(["--lake", str(lake), "--out", str(out), *arguments])


def test_a_page_of_one_call_says_what_it_cost_and_what_is_missing(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    assert run(lake, out, "--month", "2026-11") == 0
    assert capsys.readouterr().out.startswith(f"{out}: 2026-11, ")
    page = out.read_text("utf-8")
    assert "Model spending, November 2026" in page
    # Cents would say nothing of a page that is worth less than ten dollars.
    assert ">$0.000011</p>" in page
    assert 'title="$0.0000108"' in page
    assert "no usage in October 2026 to compare with" in page
    assert "the lake has no files of tenants" in page
    assert "Nothing that these figures tell of." in page


def test_it_asks_nobody_for_anything(lake: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert run(lake, out, "--month", "2026-11") == 0
    page = out.read_text("utf-8")
    assert "default-src &#39;none&#39;; script-src &#39;sha256-" in page
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert re.findall(r"""\b(?:src|href)=["'](?!#)""", markup) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--month", "2026-10"], "page: no usage in 2026-10"),
        (["--month", "2026-13"], "page: '2026-13' is not a month: use YYYY-MM"),
        (["--from", "2026-11-01"], "page: --from and --to: given one"),
        (["--from", "2026-11-02", "--to", "2026-11-02"], "holds no day"),
    ],
)
def test_what_cannot_be_shown_is_refused_and_nothing_is_written(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    out = tmp_path / "page.html"
    assert run(lake, out, *arguments) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_without_usage_and_a_lake_with_a_hole_are_refused(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", out, "--month", "2026-11") == 1
    for hour in (3, 5):
        facts = lake / "hourly" / "dt=2026-11-20" / f"hour={hour:02d}" / "facts.parquet"
        facts.parent.mkdir(parents=True)
        facts.touch()
    assert run(lake, out, "--month", "2026-11") == 1
    assert "the lake has a hole: no usage of 2026-11-20 hour 03" in capsys.readouterr().err
    assert not out.exists()


def test_data_cannot_end_the_script_that_it_lies_in() -> None:
    names = ["</script><script>", "<!--<script>", "a\u2028b", "&amp;"]
    text = render.embedded({"names": names})
    assert set("<>&\u2028").isdisjoint(text)
    assert json.loads(text) == {"names": names}


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (0, 2, "$0.00"),
        (1_234_567 * PICO + PICO // 2, 2, "$1,234,567.50"),
        (5_000_000_000, 2, "$0.01"),
        (4_999_999_999, 2, "<$0.01"),
        (-1, 2, "-<$0.01"),
        (-1_005_000_000_000, 2, "-$1.01"),
        (1, 6, "<$0.000001"),
    ],
)
def test_amounts_are_rounded_half_up_and_never_to_nothing(
    amount: int, decimals: int, text: str
) -> None:
    assert shown.rounded(amount, decimals) == text


@pytest.mark.parametrize(
    ("start", "end", "words", "before"),
    [
        ("2026-11-01", "2026-12-01", "November 2026", "October 2026"),
        ("2026-01-01", "2027-01-01", "2026", "2025"),
        ("2026-03-01", "2026-06-01", "2026-03-01 to 2026-05-31", "2025-12-01 to 2026-02-28"),
        ("2026-11-05", "2026-11-12", "2026-11-05 to 2026-11-11", "2026-10-29 to 2026-11-04"),
    ],
)
def test_a_period_is_named_and_has_one_before_it(
    start: str, end: str, words: str, before: str
) -> None:
    period = periods.Period(date.fromisoformat(start), date.fromisoformat(end))
    assert shown.spelled(period) == words
    assert shown.spelled(period.before()) == before


def daily(dimension: str, many: int, days: int, of: str = "") -> list[dict[str, Any]]:
    """Records of `daily_spend` with costs of 14 digits, the first names the dearest."""
    return [
        {
            "dt": date(2025, 1, 1) + timedelta(days=day),
            "dimension": dimension,
            "name": f"{dimension}-{number}",
            "belongs_to": of,
            "cost": 90 * PICO - number * PICO // 1000 - 1,
        }
        for number in range(many)
        for day in range(days)
    ]


def test_series_that_do_not_fit_are_one_and_sums_stay() -> None:
    year = periods.Period(date(2025, 1, 1), date(2026, 1, 1))
    records = daily("tenant_id", 90, 365, of="u") + daily("app_id", 60, 365, of="u/t")
    found = {one["id"]: one["series"] for one in series.dimensions(records, year)}
    assert len(found["tenant_id"]) == 90
    assert found["tenant_id"][0]["of"] == "u"
    room = series.MOST_AMOUNTS // 365 - 90
    assert len(found["app_id"]) == room
    assert found["app_id"][-1]["name"] == f"{60 - room + 1} others"
    # Those of one tenant would not be whole.
    assert all("of" not in one for one in found["app_id"])
    for dimension in ("tenant_id", "app_id"):
        kept = sum(int(cost or 0) for one in found[dimension] for cost in one["costs"].split(" "))
        assert kept == sum(r["cost"] for r in records if r["dimension"] == dimension)
    assert len(render.embedded(series.dimensions(records, year))) < 700_000


def test_rows_that_do_not_fit_are_others_of_their_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MOST_ROWS", 2)
    record = {"business_unit": "u", "tenant_id": "t", "app_id": "a", "model_id": "m"}
    counts = {"calls": 1, "errors": 0, "input_tokens": 2, "output_tokens": 3}
    now = [{**record, **counts, "key_id": f"k{n}", "cost": 10 - n} for n in range(5)]
    names, rows = series.rows(now, [{**record, **counts, "key_id": "old", "cost": 7}])
    paths = [[names[n] for n in row[:5]] for row in rows]
    assert paths == [
        ["u", "t", "a", "k0", "m"],
        ["u", "t", "a", "k1", "m"],
        ["u", "t", "others", "others", "others"],
    ]
    assert [row[5:] for row in rows] == [
        ["10", "0", 1, 0, 2, 3],
        ["9", "0", 1, 0, 2, 3],
        ["21", "7", 3, 0, 6, 9],
    ]


def test_a_table_that_is_too_long_says_how_many_rows_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "MOST_LISTED", 2)
    rows = [usage_row(model_id=f"m{n}", latency_ms=1000 * n) for n in range(1, 6)]
    write(rows, tmp_path, 0)
    page = command.from_lake(tmp_path, NOVEMBER, datetime(2026, 12, 1, tzinfo=UTC))
    assert "3 more rows are in the query." in page
    [table] = re.findall(r'<table class="sorted" id="latency">.*?</table>', page, re.DOTALL)
    assert re.findall(r">(m\d)<", table) == ["m5", "m4"]


def test_usage_in_doubt_needs_attention(tmp_path: Path) -> None:
    lost = {"status": "orphaned", "usage_source": "hold", "total_cost": 30 * PICO}
    rows = [
        usage_row(started_at=datetime(2026, 11, 2, 10, n, tzinfo=UTC), tenant_id=f"t{n}", **lost)
        for n in range(7)
    ]
    write([*rows, usage_row(priced=False, tenant_id="new")], tmp_path, 0)
    page = command.from_lake(tmp_path, NOVEMBER, datetime(2026, 12, 1, tzinfo=UTC))
    assert "<strong>Orphaned:</strong> 7 calls of t0, t1, t2, t3, t4 and 2 more ended" in page
    assert "booked: $210.00." in page
    assert "<strong>Unpriced:</strong> 1 call of new had no price" in page


def test_a_bill_beside_the_lake_is_compared_once_the_days_are_over(tmp_path: Path) -> None:
    calls = [call("amazon.nova-lite-v1:0", NOON, input_tokens=4_000_000, output_tokens=0)]
    ledgers.lake(tmp_path, calls)
    days = ledgers.PERIOD

    def page(now: datetime = ledgers.LONG_AFTER) -> str:
        return command.from_lake(tmp_path, days, now)

    assert "not compared with AWS&#39;s bill: the lake has no files" in page()
    lines = bills.lines_of(calls)
    ledgers.bill(tmp_path / "bill", lines)
    assert "AWS&#39;s bill" not in page()
    assert "2026-11-02 to 2026-11-04 is not over" in page(NOON)
    ledgers.bill(tmp_path / "bill", [bills.scaled(line, Decimal("1.25")) for line in lines])
    assert "<strong>Unreconciled:</strong> AWS bills $0.300000 for what is booked as" in page()
    for file in (tmp_path / "bill").rglob("*.parquet"):
        file.unlink()
    bills.write(lines, tmp_path / "bill")
    assert "<strong>Unreconciled:</strong>" in page()


def budgeted(lake: Path, **facts: str) -> None:
    """Put acme's facts into the lake's list of tenants."""
    (lake / "tenants").mkdir()
    line = json.dumps({"tenant_id": "acme", "status": "active", **facts})
    (lake / "tenants" / "acme.json").write_text(line + "\n", "utf-8")


def data(page: str) -> dict[str, Any]:
    """What the page's own controls work on."""
    [text] = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page)
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_budget_burns_down_by_day_and_is_told_of_when_it_is_over(tmp_path: Path) -> None:
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    rows = [usage_row(started_at=noon + timedelta(days=n), total_cost=2 * PICO) for n in range(10)]
    write(rows, tmp_path, 0)
    budgeted(tmp_path, month_usd="40", budget_mode="soft")
    account = {"account_id": "acme", "kind": "tenant", "scope": "acme", "month": "2026-11"}
    amounts = {"month_spent": str(20 * PICO), "month_held": str(3 * PICO)}
    (tmp_path / "budgets").mkdir()
    (tmp_path / "budgets" / "accounts.json").write_text(json.dumps({**account, **amounts}) + "\n")
    page = command.from_lake(tmp_path, NOVEMBER, noon + timedelta(days=9))
    [budget] = data(page)["budgets"]
    assert budget["name"] == "acme (tenant)"
    assert budget["costs"].split() == [str(2 * PICO)] * 10
    assert (budget["limit"], budget["spent"]) == (str(40 * PICO), str(20 * PICO))
    # Two dollars a day to the end of the month.
    assert budget["forecast"] == str(60 * PICO)
    assert data(page)["month"] == {
        "name": "November 2026",
        "from": "2026-11-01",
        "to": "2026-12-01",
    }
    assert "<strong>Near budget:</strong> acme (soft) spent $20.00 of $40.00." in page
    assert 'title="$3.00">$3.00</p>' in page
    assert "for calls that run, of budgets of November 2026" in page


def test_a_page_of_days_has_the_budgets_of_the_month_that_they_end_in(tmp_path: Path) -> None:
    write([usage_row(total_cost=20 * PICO)], tmp_path, 0)
    budgeted(tmp_path, month_usd="10", budget_mode="observe")
    days = periods.Period(date(2026, 10, 20), date(2026, 11, 21))
    page = command.from_lake(tmp_path, days, datetime(2026, 12, 1, tzinfo=UTC))
    assert "<strong>Over budget:</strong> acme (observe) spent $20.00 of $10.00." in page
    [budget] = data(page)["budgets"]
    assert len(budget["costs"].split(" ")) == 30


def test_names_are_listed_in_words() -> None:
    assert named(["a"]) == "a"
    assert named(["a", "b", "c"]) == "a, b and c"
