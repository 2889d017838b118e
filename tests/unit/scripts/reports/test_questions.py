"""Questions about usage: a query's answer is what plain Python makes of the same rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.prices import lake_table
from scripts.prices.reprice import CORRECTION, CORRECTS, correction
from scripts.reports import periods, queries
from scripts.reports.engines import DuckDbEngine
from tests.fakes.lake_folder import lake_folder
from tests.fakes.usage_rows import usage_row
from tollgate.domain.models import resolve_model
from tollgate.domain.prices import PriceBook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tollgate.domain.prices import LongContext, Rates
    from tollgate.domain.usage import UsageRow

NOVEMBER = periods.month("2026-11")
QUERIES = queries.load()
PICO = 10**12

HAIKU, SONNET, OPUS = (f"anthropic.claude-{name}-9" for name in ("haiku", "sonnet", "opus"))
OLD_HAIKU = "anthropic.claude-haiku-8"
LONELY, UNLISTED = "xai.grok-9", "acme.unheard-of-1"


def _price(i: int, o: int, *, cached: bool = True) -> dict[str, Any]:
    price = {"input": str(i), "output": str(o)}
    more = {"cache_read": f"{i / 10:g}", "cache_write_5m": f"{i * 1.25:g}"}
    return {**price, **more, "cache_write_1h": str(2 * i)} if cached else price


def _long(price: dict[str, Any], threshold: int) -> dict[str, Any]:
    doubled = {name: f"{float(text) * 2:g}" for name, text in price.items()}
    return {**price, "long_context": {"threshold": threshold, **doubled}}


def _model(*rates: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A model with prices from November on, and dearer ones from its 16th day on."""
    early = {key: {"default": price} for key, price in rates}
    later = {key: {"default": _dearer(price)} for key, price in rates}
    return {
        "mode": "chat",
        "aliases": [],
        "end_of_life": None,
        "effective": [
            {"from": "2026-11-01", "to": "2026-11-16", "rates": early},
            {"from": "2026-11-16", "to": None, "rates": later},
        ],
        **more,
    }


def _dearer(price: Any) -> Any:  # noqa: ANN401 - the book's nesting
    if isinstance(price, dict):
        return {name: _dearer(value) for name, value in price.items()}
    return f"{float(price) * 3:g}" if isinstance(price, str) else price


BOOK = {
    "schema_version": 1,
    "currency": "USD",
    "unit": "1M tokens",
    "version": "test",
    "models": {
        HAIKU: _model(
            ("in_region", _price(1, 5)),
            ("in_region/eu-west-1", _long(_price(2, 6), 1000)),
            ("geo/us", _long(_price(1, 4), 1000)),
        ),
        OLD_HAIKU: _model(("in_region", _price(1, 1)), ("global", _price(3, 3, cached=False))),
        SONNET: _model(
            ("in_region", _price(4, 20)),
            ("geo/us", _price(4, 16)),
            ("global", _price(5, 15)),
            priced_up_to_input_tokens=1500,
        ),
        OPUS: _model(
            ("in_region/eu-west-1", _price(20, 90)),
            ("in_region", _price(16, 80)),
            ("global", _price(20, 70)),
        ),
        LONELY: _model(("global", _price(2, 6)), ("geo/us", _price(2, 7, cached=False))),
    },
}
FAMILIES = {
    "families": [{"family": "Claude", "sizes": [[OLD_HAIKU, HAIKU], [SONNET], [OPUS]]}],
}
SIZES = ((OLD_HAIKU, HAIKU), (SONNET,), (OPUS,))
PRICES = lake_table.lines(BOOK, FAMILIES)


# --- Rows ---------------------------------------------------------------------------------------

# Prices change beyond 1000 tokens of input.
TOKENS = st.sampled_from((0, 1, 7, 400, 999, 1000, 1001, 3000))
CACHED = st.sampled_from((0, 0, 0, 1, 600))
MODELS = (OPUS, OPUS, SONNET, SONNET, HAIKU, OLD_HAIKU, LONELY, UNLISTED)
ROUTINGS = (
    ("", "in_region"),
    ("", "in_region"),
    ("us.", "geo"),
    ("eu.", "geo"),
    ("global.", "global"),
)
FAILURES = (
    ("error", 429, "upstream_busy"),
    ("error", 502, "ThrottlingException"),
    ("error", 400, "upstream_validation"),
    ("error", 504, "upstream_timeout"),
    ("aborted", 502, "upstream_stream_broken"),
    ("orphaned", 500, "caller_lost"),
)


@st.composite
def calls(draw: st.DrawFn) -> list[UsageRow]:
    """A call, and now and then the correction of its price."""
    model = draw(st.sampled_from(MODELS))
    prefix, routing = draw(st.sampled_from(ROUTINGS))
    started = datetime(2026, 11, draw(st.integers(1, 30)), 9, tzinfo=UTC)
    if draw(st.integers(0, 9)) == 0:
        started = datetime(2026, 12, 1, tzinfo=UTC)
    status, http_status, code = ("ok", 200, None)
    if draw(st.integers(0, 3)) == 0:
        status, http_status, code = draw(st.sampled_from(FAILURES))
    counts = [draw(TOKENS), draw(TOKENS), *(draw(CACHED) for _ in range(3))]
    rate = draw(st.integers(0, 100)) * 10**6
    costs = [counts[0] * rate, *(draw(st.integers(0, 10**10)) for _ in range(3))]
    latency = draw(st.sampled_from((1, 50, 50, 700, 701, 9_000)))
    row = usage_row(
        started_at=started + timedelta(milliseconds=draw(st.integers(0, 10**6))),
        tenant_id=draw(st.sampled_from(("acme", "globex"))),
        requested_model=f"{prefix}{model}",
        model_id=model,
        routing=routing,
        region=draw(st.sampled_from(("us-east-1", "eu-west-1"))),
        service_tier=draw(st.sampled_from(("default",) * 7 + ("flex",))),
        status=status,
        http_status=http_status,
        error_code=code,
        stop_reason=draw(st.sampled_from((None, "end_turn", "guardrail_intervened", "refusal"))),
        latency_ms=latency,
        first_token_ms=draw(st.sampled_from((None, latency // 2))),
        input_tokens=counts[0],
        output_tokens=counts[1],
        cache_read_tokens=counts[2],
        cache_write_5m_tokens=counts[3],
        cache_write_1h_tokens=counts[4],
        usage_source=draw(st.sampled_from(("provider",) * 7 + ("estimated",))),
        priced=draw(st.sampled_from((True,) * 7 + (False,))),
        input_cost=costs[0],
        output_cost=costs[1],
        cache_cost=costs[2],
        other_cost=costs[3],
        total_cost=sum(costs),
    )
    if draw(st.integers(0, 4)):
        return [row]
    return [row, _corrected(row, draw(st.integers(-3, 3)) * 10**6)]


def _corrected(row: UsageRow, rate: int) -> UsageRow:
    difference = (row.input_tokens * rate, row.output_tokens * rate, rate, 0)
    return correction(row, difference, "later", row.settled_at)


# Many rows at once: what a query takes is mostly its start.
ROWS = st.lists(calls(), min_size=30, max_size=60).map(lambda found: [*chain(*found)])


# --- Plain Python -------------------------------------------------------------------------------


def of_month(rows: Iterable[UsageRow]) -> list[UsageRow]:
    return [r for r in rows if r.started_at.month == 11 and r.operation != CORRECTION]


def standing(row: UsageRow, rows: Iterable[UsageRow]) -> list[UsageRow]:
    """A call's row and its corrections."""
    return [row, *(r for r in rows if r.tags.get(CORRECTS) == row.request_id)]


def grouped(rows: Iterable[UsageRow]) -> dict[tuple[str, str], list[UsageRow]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.tenant_id, row.model_id].append(row)
    return dict(sorted(groups.items()))


def total_input(row: UsageRow) -> int:
    return row.input_tokens + row.cache_read_tokens + writes(row)


def writes(row: UsageRow) -> int:
    return row.cache_write_5m_tokens + row.cache_write_1h_tokens


def rates(model_id: str, row: UsageRow) -> Rates | LongContext | None:
    """What the domain's own price book says for a model in the place of a call."""
    prefix = row.requested_model.removesuffix(row.model_id)
    found = PriceBook(BOOK).rates(
        resolve_model(f"{prefix}{model_id}"),
        region=row.region,
        at=row.started_at,
        tier=row.service_tier,
    )
    if found is None or (found.input_limit is not None and total_input(row) > found.input_limit):
        return None
    return found.for_input(total_input(row))


def plain_cache(rows: Sequence[UsageRow]) -> list[dict[str, Any]]:
    answers = []
    cached = [r for r in of_month(rows) if r.cache_read_tokens + writes(r)]
    for (tenant_id, model_id), found in grouped(cached).items():
        sums: defaultdict[str, int] = defaultdict(int)
        for row in found:
            booked = standing(row, rows)
            price = None
            if row.usage_source == "provider" and any(each.priced for each in booked):
                listed = rates(model_id, row)
                price = None if listed is None else listed.input
                if row.input_tokens:
                    price = sum(each.input_cost for each in booked) // row.input_tokens
            if price is None:
                sums["unknown_tokens"] += row.cache_read_tokens + writes(row)
                continue
            paid = sum(each.cache_cost for each in booked)
            for_reads = paid if writes(row) == 0 else 0
            if writes(row) and row.cache_read_tokens:
                listed = rates(model_id, row)
                known = None if listed is None else listed.cache_read
                for_reads = row.cache_read_tokens * (price if known is None else known)
            sums["calls"] += 1
            sums["cache_read_tokens"] += row.cache_read_tokens
            sums["cache_write_tokens"] += writes(row)
            sums["paid_usd"] += paid
            sums["saved_by_reads_usd"] += row.cache_read_tokens * price - for_reads
            sums["cost_of_writes_usd"] += paid - for_reads - writes(row) * price
        names = ("calls", "cache_read_tokens", "cache_write_tokens", "paid_usd")
        names = (*names, "saved_by_reads_usd", "cost_of_writes_usd")
        net = sums["saved_by_reads_usd"] - sums["cost_of_writes_usd"]
        answers.append(
            {
                "tenant_id": tenant_id,
                "model_id": model_id,
                **{name: sums[name] for name in names},
                "net_saved_usd": net,
                "unknown_tokens": sums["unknown_tokens"],
            }
        )
    return sorted(answers, key=lambda a: (a["net_saved_usd"], a["tenant_id"], a["model_id"]))


def percentile(waits: Sequence[int], percent: int) -> int | None:
    """By nearest rank."""
    rank = -(-len(waits) * percent // 100)
    return sorted(waits)[rank - 1] if waits else None


def plain_latency(rows: Sequence[UsageRow]) -> list[dict[str, Any]]:
    answers = []
    answered = [row for row in of_month(rows) if row.status == "ok"]
    for (tenant_id, model_id), found in grouped(answered).items():
        waits = [row.latency_ms for row in found]
        first = [row.first_token_ms for row in found if row.first_token_ms is not None]
        answers.append(
            {
                "tenant_id": tenant_id,
                "model_id": model_id,
                "calls": len(waits),
                **{f"p{p}_ms": percentile(waits, p) for p in (50, 95, 99)},
                "streamed_calls": len(first),
                **{f"first_token_p{p}_ms": percentile(first, p) for p in (50, 95, 99)},
            }
        )
    return answers


def percent(part: int, whole: int) -> str:
    """Hundredths of a percent, rounded half up, as text."""
    hundredths = (part * 20_000 + whole) // (2 * whole)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def plain_errors(rows: Sequence[UsageRow]) -> list[dict[str, Any]]:
    answers = []
    for (tenant_id, model_id), found in grouped(of_month(rows)).items():
        failed = [row for row in found if row.status != "ok"]
        throttled = [
            row
            for row in failed
            if row.http_status == 429 or "throttl" in (row.error_code or "").lower()
        ]
        refused = [r for r in failed if r not in throttled and 400 <= r.http_status < 500]
        rest = len(failed) - len(throttled) - len(refused)
        answers.append(
            {
                "tenant_id": tenant_id,
                "model_id": model_id,
                "calls": len(found),
                "answered": len(found) - len(failed),
                "throttled": len(throttled),
                "refused": len(refused),
                "failed": rest,
                "unsettled": sum(row.status == "orphaned" for row in found),
                "withheld": sum(
                    row.status == "ok" and row.stop_reason in ("guardrail_intervened", "refusal")
                    for row in found
                ),
                "throttled_percent": percent(len(throttled), len(found)),
                "refused_percent": percent(len(refused), len(found)),
                "failed_percent": percent(rest, len(found)),
            }
        )
    return answers


def smaller(row: UsageRow) -> str | None:
    """The newest model of the next smaller size that has a price where the call was made."""
    order = next((n for n, models in enumerate(SIZES) if row.model_id in models), 0)
    if not has_prices(row.model_id, row):
        return None
    for models in reversed(SIZES[:order]):
        for model_id in reversed(models):
            if has_prices(model_id, row):
                return model_id
    return None


def has_prices(model_id: str, row: UsageRow) -> bool:
    return rates(model_id, replace(row, input_tokens=0, **NO_CACHE)) is not None


NO_CACHE = dict.fromkeys(("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"), 0)


def plain_cheaper(rows: Sequence[UsageRow]) -> list[dict[str, Any]]:
    sums: defaultdict[tuple[str, str, str], defaultdict[str, int]]
    sums = defaultdict(lambda: defaultdict(int))
    for row in of_month(rows):
        booked = standing(row, rows)
        other = smaller(row)
        if row.usage_source != "provider" or not any(r.priced for r in booked) or other is None:
            continue
        listed = rates(other, row)
        if listed is None:
            continue
        assert listed.input is not None
        assert listed.output is not None
        line = sums[row.tenant_id, row.model_id, other]
        line["calls"] += 1
        line["input_tokens"] += total_input(row)
        line["output_tokens"] += row.output_tokens
        line["paid_usd"] += sum(r.input_cost + r.output_cost + r.cache_cost for r in booked)
        line["smaller_usd"] += (
            row.input_tokens * listed.input
            + row.output_tokens * listed.output
            + row.cache_read_tokens * _or(listed.cache_read, listed.input)
            + row.cache_write_5m_tokens * _or(listed.cache_write_5m, listed.input)
            + row.cache_write_1h_tokens * _or(listed.cache_write_1h, listed.input)
        )
    answers = []
    for (tenant_id, model_id, other), line in sums.items():
        saving = line["paid_usd"] - line["smaller_usd"]
        if saving >= -PICO // 20:
            named = {"tenant_id": tenant_id, "model_id": model_id, "smaller_model_id": other}
            answers.append({**named, **line, "saving_usd": saving})
    keys = ("tenant_id", "model_id", "smaller_model_id")
    return sorted(answers, key=lambda a: (-a["saving_usd"], *(a[key] for key in keys)))


def _or(price: int | None, other: int) -> int:
    return other if price is None else price


PLAIN: Mapping[str, tuple[Callable[[Sequence[UsageRow]], list[dict[str, Any]]], dict[str, str]]] = {
    "cache_economics": (plain_cache, {}),
    "latency": (plain_latency, {}),
    "errors": (plain_errors, {}),
    "cheaper_models": (plain_cheaper, {"least_saving_usd": "-0.05"}),
}


@settings(max_examples=5)
@given(rows=ROWS, tenant=st.sampled_from(("", "acme")))
def test_answers_are_those_of_plain_python(rows: list[UsageRow], tenant: str) -> None:
    asked = [row for row in rows if tenant in ("", row.tenant_id)]
    with TemporaryDirectory() as folder:
        lake_folder(Path(folder), rows, prices=PRICES)
        with DuckDbEngine(Path(folder)) as engine:
            for name, (plain, values) in PLAIN.items():
                sql = QUERIES[name].fill(NOVEMBER, {**values, "tenant": tenant})
                assert shown(engine.run(sql).records()) == plain(asked), name


def shown(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records with percentages as text."""
    return [
        {name: str(value) if name.endswith("_percent") else value for name, value in each.items()}
        for each in records
    ]


def asked(folder: Path, name: str, values: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    with DuckDbEngine(folder) as engine:
        return shown(engine.run(QUERIES[name].fill(NOVEMBER, values)).records())


def test_percentiles_are_waits_that_occurred(tmp_path: Path) -> None:
    rows = [usage_row(latency_ms=n, first_token_ms=n // 2) for n in range(1, 201)]
    (line,) = asked(lake_folder(tmp_path, rows), "latency")
    assert [line[f"p{p}_ms"] for p in (50, 95, 99)] == [100, 190, 198]
    assert [line[f"first_token_p{p}_ms"] for p in (50, 95, 99)] == [50, 95, 99]


def cached(reads: int, writes: int) -> UsageRow:
    """A call at $1 per million tokens of input; $0.10 from and $1.25 to the cache."""
    paid = reads * 100_000 + writes * 1_250_000
    return usage_row(
        cache_read_tokens=reads,
        cache_write_5m_tokens=writes,
        input_tokens=10,
        input_cost=10 * 10**6,
        cache_cost=paid,
        model_id=HAIKU,
        requested_model=HAIKU,
    )


@pytest.mark.parametrize(
    ("rows", "saved", "cost", "net"),
    [
        # Written and never read: a loss of a quarter of the tokens' price.
        ([cached(0, 10**6)], 0, PICO // 4, -PICO // 4),
        # Read once: what the write cost more is earned back.
        ([cached(0, 10**6), cached(10**6, 0)], PICO * 9 // 10, PICO // 4, PICO * 65 // 100),
        ([cached(10**6, 10**6)], PICO * 9 // 10, PICO // 4, PICO * 65 // 100),
    ],
)
def test_a_cache_that_is_not_read_is_a_loss(
    tmp_path: Path, rows: list[UsageRow], saved: int, cost: int, net: int
) -> None:
    (line,) = asked(lake_folder(tmp_path, rows, prices=PRICES), "cache_economics")
    found = (line["saved_by_reads_usd"], line["cost_of_writes_usd"], line["net_saved_usd"])
    assert found == (saved, cost, net)


def test_a_smaller_model_is_priced_by_the_length_of_the_input(tmp_path: Path) -> None:
    lines = []
    for tokens in (1000, 1001):
        row = usage_row(
            model_id=SONNET,
            requested_model=f"us.{SONNET}",
            routing="geo",
            input_tokens=tokens,
            output_tokens=0,
            input_cost=PICO * tokens,
            output_cost=0,
        )
        folder = lake_folder(tmp_path / str(tokens), [row], prices=PRICES)
        lines += asked(folder, "cheaper_models")
    assert [line["smaller_usd"] for line in lines] == [1000 * 10**6, 1001 * 2 * 10**6]
    assert {line["smaller_model_id"] for line in lines} == {HAIKU}
