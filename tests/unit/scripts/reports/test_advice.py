"""Targets, advice and economics: answers with the list of tenants, as plain Python has them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.reports import periods, queries, report
from scripts.reports.engines import DuckDbEngine
from scripts.reports.periods import Period
from tests.fakes.lake_folder import lake_folder, tenant_facts
from tests.fakes.usage_rows import usage_row
from tollgate.domain.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tollgate.domain.usage import UsageRow

NOVEMBER = periods.month("2026-11")
QUERIES = queries.load()
PICO = 10**12
NOV = datetime(2026, 11, 5, 9, tzinfo=UTC)
MODELS = ("amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "anthropic.claude-opus-5")
PATTERNS = ("*", "amazon.nova-*", "us.anthropic.*", "amazon_nova*", "anthropic.claude-opus-5")
TIERS = {"pro": ("99.5", 500, None), "basic": ("50", 900, 300), "free": (None, None, None)}


def asked(
    folder: Path,
    name: str,
    values: Mapping[str, str] | None = None,
    period: Period = NOVEMBER,
) -> list[dict[str, Any]]:
    with DuckDbEngine(folder) as engine:
        return engine.run(QUERIES[name].fill(period, values)).records()


# --- Rows and tenants ---------------------------------------------------------------------------


@st.composite
def rows(draw: st.DrawFn) -> UsageRow:
    """A call of a known or unknown tenant, or what corrects one."""
    model = draw(st.sampled_from(MODELS))
    prefix = draw(st.sampled_from(("", "us.")))
    status, http_status = draw(
        st.sampled_from((("ok", 200),) * 4 + (("error", 429), ("error", 400), ("aborted", 502)))
    )
    cost = draw(st.integers(0, 60 * PICO))
    latency = draw(st.sampled_from((100, 499, 500, 501, 2000)))
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc"
    return usage_row(
        started_at=NOV + timedelta(hours=draw(st.integers(-5 * 24, 40 * 24))),
        tenant_id=draw(st.sampled_from(("acme", "globex", "gone"))),
        key_id=draw(st.sampled_from(("web/primary", "web/second", "web/old"))),
        requested_model=draw(st.sampled_from((f"{prefix}{model}",) * 5 + (arn,))),
        model_id=model,
        routing="geo" if prefix else "in_region",
        operation=draw(st.sampled_from(("chat",) * 5 + ("reprice",))),
        status=status,
        http_status=http_status,
        latency_ms=latency,
        first_token_ms=draw(st.sampled_from((None, latency // 2))),
        input_cost=cost,
        output_cost=0,
        total_cost=cost,
    )


@st.composite
def tenants(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Three tenants; the last has never called."""
    return [
        _tenant(draw, tenant_id, tier)
        for tenant_id, tier in (("acme", "pro"), ("globex", "basic"), ("idle", "free"))
    ]


def _tenant(draw: st.DrawFn, tenant_id: str, tier: str) -> dict[str, Any]:
    availability, latency, first_token = TIERS[tier]
    return tenant_facts(
        tenant_id,
        tier=tier,
        isolation=draw(st.sampled_from(("pool", "pool", "silo"))),
        status=draw(st.sampled_from(("active", "active", "offboarded"))),
        markup=draw(st.sampled_from(("0", "1.2", "4"))),
        subscription_usd=draw(st.sampled_from(("0", "49.99"))),
        compliance=draw(st.sampled_from(([], ["HIPAA"], ["HIPAA", "PCI"]))),
        models=draw(st.lists(st.sampled_from(PATTERNS), unique=True)),
        keys=["web/old", "web/primary", "web/second", "web/spare"],
        key_status={
            "web/old": "inactive",
            **dict.fromkeys(("web/primary", "web/second", "web/spare"), "active"),
        },
        key_expires={
            "web/old": "",
            "web/primary": "",
            "web/second": "2026-12-31",
            "web/spare": "",
        },
        sla_availability=availability,
        sla_latency_p95_ms=latency,
        sla_first_token_p95_ms=first_token,
    )


# --- Plain Python -------------------------------------------------------------------------------


def calls_of(found: Iterable[UsageRow]) -> list[UsageRow]:
    return [r for r in found if r.operation != "reprice"]


def within(found: Iterable[UsageRow], period: Period = NOVEMBER) -> list[UsageRow]:
    return [r for r in found if period.start <= r.started_at.date() < period.end]


def p95(waits: Sequence[int]) -> int | None:
    return sorted(waits)[-(-len(waits) * 95 // 100) - 1] if waits else None


def judged(target: float | None, value: float | None, *, at_least: bool = False) -> str:
    if target is None:
        return "no target"
    if value is None:
        return "no calls"
    is_met = value >= target if at_least else value <= target
    return "met" if is_met else "missed"


def plain_sla(found: Sequence[UsageRow], known: Sequence[Mapping[str, Any]]) -> list[Any]:
    answers = []
    for tenant in sorted(known, key=lambda each: each["tier"]):
        calls = calls_of(r for r in within(found) if r.tenant_id == tenant["tenant_id"])
        ok = [r for r in calls if r.status == "ok"]
        owed = [r for r in calls if r.status == "ok" or r.http_status not in range(400, 429)]
        share = Decimal(100 * len(ok)) / len(owed) if owed else None
        target = tenant["sla_availability"]
        latency = p95([r.latency_ms for r in ok])
        first = p95([r.first_token_ms for r in ok if r.first_token_ms is not None])
        answers.append(
            (
                tenant["tier"],
                len(calls),
                None if share is None else 10**6 * len(ok) // len(owed),
                judged(None if target is None else Decimal(target), share, at_least=True),
                latency,
                judged(tenant["sla_latency_p95_ms"], latency),
                first,
                judged(tenant["sla_first_token_p95_ms"], first),
            )
        )
    return answers


def shown_sla(records: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [
        (
            each["name"],
            each["calls"],
            None if each["availability_percent"] is None else each["availability_percent"] * 10**4,
            *(each[name] for name in ("availability", "p95_ms", "latency")),
            *(each[name] for name in ("first_token_p95_ms", "first_token")),
        )
        for each in records
    ]


def plain_silo(found: Sequence[UsageRow], known: Sequence[Mapping[str, Any]]) -> list[Any]:
    answers = []
    for tenant in known:
        months: defaultdict[str, int] = defaultdict(int)
        for row in within(found, Period(NOVEMBER.start, periods.month("2026-12").end)):
            if row.tenant_id == tenant["tenant_id"]:
                months[f"{row.started_at:%Y-%m}"] += row.total_cost
        cost, month = max(((c, m) for m, c in months.items()), default=(0, None))
        is_dear, flags = cost > 100 * PICO, ", ".join(tenant["compliance"])
        if tenant["isolation"] == "silo" or tenant["status"] == "offboarded":
            continue
        if is_dear or flags:
            reason = {(True, False): "spend", (False, True): "compliance"}
            discount = (cost + 5) // 10
            answers.append(
                {
                    "tenant_id": tenant["tenant_id"],
                    "reason": reason.get((is_dear, bool(flags)), "spend and compliance"),
                    "compliance": flags,
                    "month": month,
                    "pool_cost": cost,
                    "discount": discount,
                    "silo_cost": cost - discount + 73 * PICO,
                    "difference": 73 * PICO - discount,
                }
            )
    return sorted(answers, key=lambda each: (-each["pool_cost"], each["tenant_id"]))


def plain_unused(found: Sequence[UsageRow], known: Sequence[Mapping[str, Any]]) -> list[Any]:
    answers = []
    for tenant in known:
        if tenant["status"] == "offboarded":
            continue
        mine = [r for r in calls_of(within(found)) if r.tenant_id == tenant["tenant_id"]]
        for key in tenant["keys"]:
            if tenant["key_status"][key] == "active" and all(r.key_id != key for r in mine):
                answers.append(
                    (tenant["tenant_id"], "key", key, tenant["key_expires"][key] or None)
                )
        for pattern in tenant["models"]:
            if not any(_asks_for(row, pattern) for row in mine):
                answers.append((tenant["tenant_id"], "model", pattern, None))
    return sorted(answers, key=lambda each: each[:3])


def _asks_for(row: UsageRow, pattern: str) -> bool:
    if not row.requested_model.startswith("arn:"):
        return fnmatchcase(row.requested_model, pattern)
    bare = pattern.partition(".")[2] if "." in pattern else pattern
    return fnmatchcase(row.model_id, pattern) or fnmatchcase(row.model_id, bare)


def plain_economics(
    found: Sequence[UsageRow], known: Sequence[Mapping[str, Any]], infrastructure: int
) -> list[Any]:
    """Picodollars by tenant; `infrastructure` is in millionths of a dollar."""
    by_id = {tenant["tenant_id"]: tenant for tenant in known}
    rows_ = within(found)
    names = {t for t, facts in by_id.items() if facts["status"] != "offboarded"}
    names |= {row.tenant_id for row in rows_}
    weights = {name: sum(r.tenant_id == name for r in calls_of(rows_)) for name in names}
    calls = dict(weights)
    if not any(weights.values()):
        weights = dict.fromkeys(names, 1)
    answers, reached, total = [], 0, sum(weights.values())
    for name in sorted(names):
        facts = by_id.get(name, {"markup": "4", "subscription_usd": "0"})
        cost = sum(row.total_cost for row in rows_ if row.tenant_id == name)
        before = infrastructure * reached // total
        reached += weights[name]
        share = (infrastructure * reached // total - before) * 10**6
        charge = _half_up(cost * usd(facts["markup"]), PICO)
        revenue = charge + usd(facts["subscription_usd"])
        answers.append((name, calls[name], cost, share, charge, revenue, revenue - cost - share))
    return answers


def _half_up(amount: int, unit: int) -> int:
    return (2 * amount + unit) // (2 * unit)


ECONOMICS = ("calls", "model_cost", "infrastructure_cost", "usage_charge", "revenue", "margin")


@settings(max_examples=5)
@given(found=st.lists(rows(), min_size=1, max_size=40), known=tenants())
def test_answers_are_those_of_plain_python(
    found: list[UsageRow], known: list[dict[str, Any]]
) -> None:
    two_months = Period(NOVEMBER.start, periods.month("2026-12").end)
    with TemporaryDirectory() as place:
        folder = lake_folder(Path(place), found, known)
        assert shown_sla(asked(folder, "sla")) == plain_sla(found, known)
        limits = {"spend_usd": "100", "discount_percent": "10"}
        silo = asked(folder, "silo_candidates", limits, two_months)
        plain = plain_silo(found, known)
        assert (
            [{name: each[name] for name in plain[0]} for each in silo] == plain
            if plain
            else not silo
        )
        unused = asked(folder, "unused")
        assert [tuple(each.values()) for each in unused] == plain_unused(found, known)
        lines = asked(folder, "economics", {"infrastructure_usd": "10.000001"})
        plain_lines = plain_economics(found, known, 10_000_001)
        names = ("tenant_id", *ECONOMICS)
        assert [tuple(each[name] for name in names) for each in lines] == plain_lines
        sums = asked(folder, "economics", {"infrastructure_usd": "10.000001", "by": "all"})
        totals = [sum(column) for column in list(zip(*plain_lines, strict=True))[1:]]
        assert [[each[name] for name in ECONOMICS] for each in sums] == ([totals] if lines else [])
        if lines:
            assert totals[ECONOMICS.index("infrastructure_cost")] == 10_000_001 * 10**6


# --- Economics of a business that sells subscriptions -------------------------------------------


def subscribers(folder: Path, count: int) -> Path:
    """So many customers at $50 a month, each with 100 queries of 1000 tokens at $3 a million."""
    known = [
        tenant_facts(f"cust-{n:03d}", status="active", markup="0", subscription_usd="50")
        for n in range(count)
    ]
    rate = 3 * 10**6
    query = usage_row(
        input_tokens=500,
        output_tokens=500,
        input_cost=500 * rate,
        output_cost=500 * rate,
        total_cost=1000 * rate,
    )
    found = [
        replace(query, request_id=f"{n}-{facts['tenant_id']}", tenant_id=facts["tenant_id"])
        for facts in known
        for n in range(100)
    ]
    return lake_folder(folder, found, known)


@pytest.mark.parametrize(
    ("customers", "infrastructure", "cells"),
    [
        # Bedrock $3; vector store $20, Lambda $5 and API Gateway $3; $500 of revenue, 94 % margin.
        (10, 20 + 5 + 3, "10 1000 3 28 31 0 500 500 469 93.80 938.00 9.38"),
        (100, 50, "100 10000 30 50 80 0 5000 5000 4920 98.40 984.00 9.84"),
    ],
)
def test_the_published_economics_come_out(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    customers: int,
    infrastructure: int,
    cells: str,
) -> None:
    lake = subscribers(tmp_path, customers)
    given_ = ["--param", f"infrastructure_usd={infrastructure}", "--param", "by=all"]
    given_ += ["--param", "churn_percent=5", "--param", "cac_usd=100"]
    assert report.main(["economics", "--lake", str(lake), "--month", "2026-11", *given_]) == 0
    _, _, line, *_ = capsys.readouterr().out.splitlines()
    assert line.split() == ["all", *cells.split()]
    each = asked(lake, "economics", {"infrastructure_usd": str(infrastructure)})
    assert len(each) == customers
    assert {line["revenue"] for line in each} == {50 * PICO}
    assert sum(line["margin"] for line in each) == usd(cells.split()[8])


def test_a_subscription_is_for_each_month_that_a_period_touches(tmp_path: Path) -> None:
    known = [tenant_facts("acme", status="active", markup="1", subscription_usd="50")]
    lake = lake_folder(tmp_path, [usage_row()], known)
    for end, months in (("2026-12-01", 1), ("2026-12-02", 2), ("2027-01-01", 2)):
        period = Period(NOVEMBER.start, datetime.fromisoformat(end).date())
        (line,) = asked(lake, "economics", period=period)
        assert line["subscription"] == 50 * months * PICO
        # What a customer is worth is of a month, and unknown until somebody says how many leave.
        assert (line["ltv"], line["ltv_per_cac"]) == (None, None)
