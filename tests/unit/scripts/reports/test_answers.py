"""What the named queries answer is what plain Python works out of the same rows."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.bench.year import write
from scripts.reports import periods, queries
from scripts.reports.engines import DuckDbEngine
from scripts.reports.tables import TENANT_COLUMNS
from tests.fakes.usage_rows import usage_row
from tollgate.domain.money import usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tollgate.domain.usage import UsageRow

QUERIES = queries.load()
NOVEMBER = periods.month("2026-11")
TODAY = date(2026, 11, 20)
MONDAY = date(2026, 10, 26)  # of the week in which the month begins
TENANTS = {
    "acme": {
        **{"kind": "team", "markup": "1.20", "tier": "pro", "cost_center": "CC-1"},
        **{"business_unit": "retail", "month_usd": "12.50", "budget_mode": "soft"},
    },
    "globex": {
        **{"kind": "customer", "markup": "4", "tier": "basic", "cost_center": "CC-2"},
        **{"business_unit": None, "month_usd": "1000000000", "budget_mode": "hard"},
    },
}
UNIT = {"id": "retail", "owner": "ann@example.com", "month_usd": None, "budget_mode": "observe"}
# The accounts of globex's two shards, and one of a month that is not asked for.
ACCOUNTS = [("tenant", "globex", "2026-11", 7, 2), ("tenant", "globex", "2026-11", 5, 0)]
OTHER_ACCOUNTS = [
    ("tenant", "acme", "2026-10", 10**12, 10**12),
    ("app", "acme/chat", "2026-11", 1, 1),
]
# Minutes from the month's beginning; often the days around the borders of what queries add up.
BORDERS = (-73, -72, -71, -70, -13, -12, -11, -6, -1, 0, 14, 15, 18, 19, 29, 30)
TIMES = st.one_of(
    st.integers(-95 * 24 * 60, 33 * 24 * 60),
    st.sampled_from(BORDERS).map(lambda day: day * 24 * 60),
)
COSTS = st.one_of(st.just(0), st.integers(0, 10**13), st.integers(9 * 10**18, 2**63 - 1))


@st.composite
def rows(draw: st.DrawFn) -> UsageRow:
    """A row around November 2026, of any state, with costs up to what 64 bits hold."""
    started = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=draw(TIMES))
    operation = draw(st.sampled_from(["chat", "chat", "reprice"]))
    cost = draw(COSTS) * (draw(st.sampled_from([1, -1])) if operation == "reprice" else 1)
    user = draw(st.sampled_from([None, "ann"]))
    return usage_row(
        started_at=started,
        tenant_id=draw(st.sampled_from(["acme", "globex", "gone"])),
        app_id=draw(st.sampled_from(["search", "chat"])),
        model_id=draw(st.sampled_from(["amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"])),
        operation=operation,
        status=draw(st.sampled_from(["ok", "ok", "error", "aborted", "orphaned"])),
        priced=draw(st.sampled_from([True, True, False])),
        usage_source=draw(st.sampled_from(["provider", "estimated", "hold", "bound"])),
        business_unit=draw(st.sampled_from([None, "retail"])),
        end_user=user,
        input_tokens=draw(st.integers(0, 10**9)),
        cache_read_tokens=draw(st.integers(0, 10**9)),
        input_cost=cost,
        output_cost=0,
        cache_cost=0,
        other_cost=0,
        total_cost=cost,
        tags={} if user is None else {"team": "blue"},
    )


@st.composite
def ledgers(draw: st.DrawFn) -> list[UsageRow]:
    """Some rows, with corrections of some of them in the same hour."""
    made = draw(st.lists(rows(), max_size=12, unique_by=lambda row: row.request_id))
    for row in made[: draw(st.integers(0, 2))]:
        correction = usage_row(
            started_at=row.started_at,
            operation="reprice",
            tenant_id=row.tenant_id,
            tags={"corrects": row.request_id},
        )
        made.append(correction)
    return made


def write_lake(folder: Path, usage: Sequence[UsageRow]) -> Path:
    """The rows and the list of tenants as files of a lake."""
    # With a row of long ago, so that the lake has files of usage.
    long_ago = usage_row(started_at=datetime(2026, 1, 1, tzinfo=UTC), tenant_id="old")
    write([*usage, long_ago], folder, 0)
    (folder / "tenants").mkdir()
    for tenant_id, facts in TENANTS.items():
        line = json.dumps(
            {**dict.fromkeys(dict(TENANT_COLUMNS)), **facts, "tenant_id": tenant_id, "tags": {}}
        )
        (folder / "tenants" / f"{tenant_id}.json").write_text(line + "\n", "utf-8")
    (folder / "business_units").mkdir()
    (folder / "business_units" / "retail.json").write_text(json.dumps(UNIT) + "\n", "utf-8")
    (folder / "budgets").mkdir()
    names = ("kind", "scope", "month", "month_spent", "month_held")
    lines = (
        json.dumps(dict(zip(names, map(str, account), strict=True))) + "\n"
        for account in (*ACCOUNTS, *OTHER_ACCOUNTS)
    )
    (folder / "budgets" / "accounts.json").write_text("".join(lines), "utf-8")
    return folder


def in_days(usage: Iterable[UsageRow], start: date, end: date) -> list[UsageRow]:
    return [row for row in usage if start <= row.started_at.date() < end]


def grouped(usage: Iterable[UsageRow], key: Callable[[UsageRow], Any]) -> dict[Any, list[UsageRow]]:
    groups = defaultdict(list)
    for row in usage:
        groups[key(row)].append(row)
    return groups


def cost(usage: Iterable[UsageRow]) -> int:
    return sum(row.total_cost for row in usage)


def half_up(value: Fraction | int, places: int = 0) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def billed(usage: Iterable[UsageRow]) -> list[UsageRow]:
    """All but failed calls that cost nothing."""
    return [row for row in usage if row.status != "error" or row.total_cost or not row.priced]


def invocations(usage: Iterable[UsageRow]) -> int:
    return sum(row.status != "error" and row.operation != "reprice" for row in usage)


def tokens_in(usage: Iterable[UsageRow]) -> int:
    return sum(row.input_tokens + row.cache_read_tokens for row in usage)


def chargeback(usage: list[UsageRow]) -> list[dict[str, Any]]:
    groups = grouped(billed(usage), lambda row: (row.tenant_id, row.model_id))
    return [
        {
            "team_id": tenant,
            "model_id": model,
            "input_tokens": tokens_in(group),
            "output_tokens": sum(row.output_tokens for row in group),
            "invocations": invocations(group),
            "input_cost": sum(row.input_cost + row.cache_cost for row in group),
            "output_cost": sum(row.output_cost + row.other_cost for row in group),
            "total": cost(group),
        }
        for (tenant, model), group in sorted(groups.items())
    ]


def usage_by_kind(usage: list[UsageRow]) -> list[dict[str, Any]]:
    groups = grouped(
        billed(usage), lambda row: TENANTS.get(row.tenant_id, {}).get("kind", "unknown")
    )
    return [
        {
            "kind": kind,
            "tenant_count": len({row.tenant_id for row in group}),
            "input_tokens": tokens_in(group),
            "output_tokens": sum(row.output_tokens for row in group),
            "invocations": invocations(group),
            "total": cost(group),
        }
        for kind, group in sorted(groups.items())
    ]


def invoice(usage: list[UsageRow]) -> list[dict[str, Any]]:
    groups = grouped(billed(usage), lambda row: (row.tenant_id, row.model_id))
    lines = []
    for (tenant, model), group in sorted(groups.items()):
        facts = TENANTS.get(tenant, {})
        markup = Decimal(facts.get("markup", "4"))
        charge = int(half_up(Fraction(markup) * cost(group)))
        lines.append(
            {
                "tenant_id": tenant,
                "cost_center": facts.get("cost_center", "(none)"),
                "tier": facts.get("tier", "(none)"),
                "model_id": model,
                "invocations": invocations(group),
                "cost": cost(group),
                "markup": markup,
                "charge": charge,
                "margin": charge - cost(group),
            }
        )
    return lines


def costs(usage: list[UsageRow], name: Callable[[UsageRow], str]) -> dict[str, Any]:
    return {
        key: {
            "calls": sum(row.operation != "reprice" for row in group),
            "errors": sum(row.status == "error" for row in group),
            "input_tokens": tokens_in(group),
            "output_tokens": sum(row.output_tokens for row in group),
            "cost": cost(group),
        }
        for key, group in grouped(usage, name).items()
    }


NAMES: dict[str, Callable[[UsageRow], str]] = {
    "day": lambda row: row.started_at.date().isoformat(),
    "month": lambda row: f"{row.started_at:%Y-%m}",
    "tenant": lambda row: row.tenant_id,
    "app": lambda row: f"{row.tenant_id}/{row.app_id}",
    "key": lambda row: f"{row.tenant_id}/{row.key_id}",
    "model": lambda row: row.model_id,
    "region": lambda row: row.region,
    "account": lambda row: row.account_id or "(none)",
    "cost_center": lambda row: row.cost_center,
    "business_unit": lambda row: row.business_unit or "(none)",
    "tag": lambda row: row.tags.get("team", "(none)"),
    "end_user": lambda row: row.end_user or "(none)",
    "tier": lambda row: row.tier,
    "service_tier": lambda row: row.service_tier,
    "operation": lambda row: row.operation,
}


def growth(usage: list[UsageRow]) -> list[dict[str, Any]]:
    def week(row: UsageRow) -> date:
        day = row.started_at.date()
        return day - timedelta(days=day.weekday())

    over = TODAY - timedelta(days=TODAY.weekday())
    known = in_days(usage, MONDAY - timedelta(days=7), over)
    spent = {
        key: cost(group) for key, group in grouped(known, lambda r: (r.tenant_id, week(r))).items()
    }
    asked = {(tenant, later) for tenant, of in spent for later in (of, of + timedelta(days=7))}
    return [
        {
            "tenant_id": tenant,
            "week": of,
            "cost": spent.get((tenant, of), 0),
            "week_before": spent.get((tenant, of - timedelta(days=7)), 0),
            "growth": spent.get((tenant, of), 0) - spent.get((tenant, of - timedelta(days=7)), 0),
        }
        for tenant, of in sorted(asked)
        if MONDAY <= of < over
    ]


def slope(days: list[int]) -> Fraction | None:
    """Of the straight line through a value a day, by least squares."""
    n = len(days)
    if n < 2:
        return None
    middle = Fraction(n - 1, 2)
    mean = Fraction(sum(days), n)
    above = sum((x - middle) * (y - mean) for x, y in enumerate(days))
    return above / sum((x - middle) ** 2 for x in range(n))


def trend(
    usage: list[UsageRow], key: Callable[[UsageRow], Any] = lambda row: row.tenant_id
) -> dict[str, Any]:
    ninety = TODAY - timedelta(days=90)
    days_left = (NOVEMBER.end - TODAY).days
    found = {}
    for tenant, group in grouped(in_days(usage, ninety, TODAY), key).items():
        first = min(row.started_at.date() for row in group)
        by_day = [
            cost(in_days(group, day, day + timedelta(days=1)))
            for day in periods.Period(first, TODAY).days()
        ]
        last = by_day[-30:]
        spent = cost(in_days(group, NOVEMBER.start, TODAY))
        per_day = Fraction(sum(last), len(last))
        if len(last) >= 14:
            per_day += (slope(last) or 0) * Fraction(len(last) + days_left, 2)
        found[tenant] = {
            "spent": spent,
            "last_30": sum(last),
            "trend_30": slope(last),
            "last_90": sum(by_day),
            "trend_90": slope(by_day),
            "days_left": days_left,
            "forecast": spent + days_left * max(Fraction(0), per_day),
        }
    return found


def budgets(usage: list[UsageRow]) -> dict[str, dict[str, Any]]:
    """By tenant or unit; exact amounts are picodollars, `exact_forecast` is not rounded."""
    november = in_days(usage, NOVEMBER.start, NOVEMBER.end)
    found = {}
    for name, facts in {**TENANTS, "retail": UNIT}.items():
        is_unit = name == "retail"

        def key(row: UsageRow, is_unit: bool = is_unit) -> str | None:
            return row.business_unit if is_unit else row.tenant_id

        accounts = [account for account in ACCOUNTS if account[1] == name]
        used = cost(row for row in november if key(row) == name)
        spent = sum(account[3] for account in accounts) if accounts else used
        held = sum(account[4] for account in accounts)
        limit = None if facts["month_usd"] is None else usd(facts["month_usd"])
        found[name] = {
            "scope": "business_unit" if is_unit else "tenant",
            "owner": UNIT["owner"] if is_unit or facts["business_unit"] else "",
            "mode": facts["budget_mode"],
            "budget": limit,
            "spent": spent,
            "held": held,
            "remaining": None if limit is None else limit - spent - held,
            "exact_forecast": trend(usage, key).get(name, {"forecast": Fraction(0)})["forecast"],
        }
    return found


def doubtful(usage: list[UsageRow]) -> dict[tuple[Any, ...], tuple[int, int]]:
    corrected = {row.tags.get("corrects") for row in usage if row.operation == "reprice"}

    def doubt(row: UsageRow) -> str | None:
        if not row.priced and row.request_id not in corrected:
            return "unpriced"
        if row.status == "orphaned" or row.usage_source == "hold":
            return "orphaned"
        return None if row.usage_source == "provider" else row.usage_source

    calls = [row for row in usage if row.operation != "reprice" and doubt(row)]
    groups = grouped(calls, lambda r: (doubt(r), r.tenant_id, r.app_id, r.model_id))
    return {key: (len(group), cost(group)) for key, group in groups.items()}


def near(found: Decimal | None, exact: Fraction | None, places: int) -> bool:
    """Whether a forecast in US dollars is the exact one in picodollars, rounded by a double."""
    if found is None or exact is None:
        return found is exact
    dollars = exact / 10**12
    most = Fraction(1, 10**places) + abs(dollars) / 10**9
    return abs(Fraction(found) - dollars) <= most


@settings(max_examples=12)
@given(ledgers(), st.sampled_from(sorted(NAMES)))
def test_answers_are_those_of_plain_python(usage: list[UsageRow], by: str) -> None:
    with TemporaryDirectory() as folder, DuckDbEngine(write_lake(Path(folder), usage)) as engine:
        november = in_days(usage, NOVEMBER.start, NOVEMBER.end)
        assert ask(engine, "chargeback") == chargeback(november)
        assert ask(engine, "usage_by_kind") == usage_by_kind(november)
        check_costs(engine, by, november)
        found = ask(engine, "invoice")
        for line in found:
            percent = line.pop("margin_percent")
            assert (percent is None) == (line["charge"] == 0)
        assert found == invoice(november)
        found = ask(engine, "growth")
        for line in found:
            line.pop("growth_percent")
        assert found == growth(usage)
        check_trend(ask(engine, "trend"), trend(usage))
        check_budgets(ask(engine, "budgets"), budgets(usage))
        assert {
            (line["doubt"], line["tenant_id"], line["app_id"], line["model_id"]): (
                line["calls"],
                line["booked"],
            )
            for line in ask(engine, "doubtful")
        } == doubtful(november)


def test_costs_are_told_by_whatever_a_row_says(tmp_path: Path) -> None:
    usage = [
        usage_row(),
        usage_row(
            started_at=datetime(2026, 11, 2, tzinfo=UTC),
            tenant_id="globex",
            app_id="chat",
            key_id="chat/second",
            model_id="amazon.nova-pro-v1:0",
            region="eu-west-1",
            account_id="444455556666",
            cost_center="CC-2",
            business_unit="retail",
            tags={"team": "blue", "stage": "test"},
            end_user="ann",
            tier="basic",
            service_tier="flex",
            operation="embed",
            total_cost=7,
        ),
    ]
    with DuckDbEngine(write_lake(tmp_path, usage)) as engine:
        for by in NAMES:
            assert len(check_costs(engine, by, usage)) == (1 if by == "month" else 2)
        (line, none) = ask(engine, "costs", by="tag", tag="stage")
        assert (line["name"], line["calls"], none["name"]) == ("(none)", 1, "test")
        (line,) = ask(engine, "costs", by="tenant", tenant="globex")
        assert (line["name"], line["cost"], line["percent"]) == ("globex", 7, 100)


def ask(engine: DuckDbEngine, name: str, **values: str) -> list[dict[str, Any]]:
    return engine.run(QUERIES[name].fill(NOVEMBER, values, today=TODAY)).records()


def check_costs(engine: DuckDbEngine, by: str, usage: list[UsageRow]) -> list[str]:
    """The names that costs are told by; what stands at each is worked out anew."""
    lines = ask(engine, "costs", by=by)
    for line in lines:
        line.pop("percent")
    names = [line.pop("name") for line in lines]
    assert dict(zip(names, lines, strict=True)) == costs(usage, NAMES[by])
    return names


def check_trend(found: list[dict[str, Any]], exact: dict[str, Any]) -> None:
    lines = {line.pop("tenant_id"): line for line in found}
    assert set(lines) == set(exact)
    for tenant, line in lines.items():
        for name, places in (("trend_30", 4), ("trend_90", 4), ("forecast", 2)):
            assert near(line.pop(name), exact[tenant].pop(name), places), name
        assert line == exact[tenant]


def check_budgets(found: list[dict[str, Any]], exact: dict[str, dict[str, Any]]) -> None:
    assert sorted(line["id"] for line in found) == sorted(exact)
    order = ["over", "near", "within", "none"]
    assert [line["state"] for line in found] == sorted(
        (line["state"] for line in found), key=order.index
    )
    for line in found:
        wanted = exact[line.pop("id")]
        forecast, state = line.pop("forecast"), line.pop("state")
        assert near(forecast, wanted.pop("exact_forecast"), 2)
        line.pop("used_percent")
        assert line == wanted
        assert state == state_of(line, forecast)


def state_of(line: dict[str, Any], forecast: Decimal) -> str:
    if line["budget"] is None:
        return "none"
    if line["spent"] + line["held"] >= line["budget"]:
        return "over"
    used_much = (line["spent"] + line["held"]) * 5 >= line["budget"] * 4
    return "near" if used_much or usd(f"{forecast:f}") > line["budget"] else "within"


def test_budgets_are_shown_by_state(tmp_path: Path) -> None:
    usage = [usage_row(total_cost=13 * 10**12, business_unit="retail")]
    with DuckDbEngine(write_lake(tmp_path, usage)) as engine:
        (line,) = ask(engine, "budgets", state="over")
        assert (line["id"], line["mode"], line["remaining"]) == ("acme", "soft", -5 * 10**11)
        assert [line["id"] for line in ask(engine, "budgets", state="within")] == ["globex"]
        assert [line["id"] for line in ask(engine, "budgets", state="none")] == ["retail"]
        assert ask(engine, "budgets", state="near") == []
