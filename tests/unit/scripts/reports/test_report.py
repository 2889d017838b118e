"""The chargeback report, up to the table of the original solution's documentation."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.reports import layout, report
from scripts.reports.engines import Column, Result
from scripts.reports.footing import apportion
from scripts.reports.tables import TENANT_COLUMNS
from tests.fakes.lake import FakeLake, FakeOpenHolds, FakeUsageReader, FakeWatermark
from tests.fakes.usage_rows import usage_row
from tollgate.domain.models import resolve_model
from tollgate.domain.money import format_usd, round_usd, usd
from tollgate.domain.prices import PriceBook, TokenUsage, cost
from tollgate_aggregate.service import Aggregator

if TYPE_CHECKING:
    from pathlib import Path

    from tollgate.domain.usage import UsageRow

NOV = datetime(2026, 11, 15, 10, tzinfo=UTC)

# USD per 1K tokens, input and output, as the documented table implies them.
PRICES_PER_1K = {
    "amazon.titan-tg1-large": ("0.0003", "0.0004"),
    "anthropic.claude-v2": ("0.01102", "0.03268"),
    "ai21.j2-grande-instruct": ("0.0125", "0.0125"),
}
# team, model, input tokens, output tokens, invocations, input cost, output cost
DOCUMENTED = (
    ("tenant1", "amazon.titan-tg1-large", 24_000, 2_473, 1_000, "0.0072", "0.00099"),
    ("tenant1", "anthropic.claude-v2", 2_448, 4_800, 24, "0.02698", "0.15686"),
    ("tenant2", "ai21.j2-grande-instruct", 4_590, 9_000, 45, "0.05738", "0.1125"),
    ("tenant2", "amazon.titan-tg1-large", 35_000, 52_500, 350, "0.0105", "0.021"),
    ("tenant2", "anthropic.claude-v2", 1_080, 4_400, 20, "0.0119", "0.14379"),
)
# The documented lines are rounded one by one, and add up to 0.11396 and 0.43514. A table with a
# total gives or takes a unit of two lines, so that they add up to it.
GOLDEN = """\
team_id  model_id                 input_tokens  output_tokens  invocations  input_cost  output_cost    total
-------  -----------------------  ------------  -------------  -----------  ----------  -----------  -------
tenant1  amazon.titan-tg1-large          24000           2473         1000      0.0072      0.00099  0.00819
tenant1  anthropic.claude-v2              2448           4800           24     0.02698      0.15687  0.18384
tenant2  ai21.j2-grande-instruct          4590           9000           45     0.05737       0.1125  0.16988
tenant2  amazon.titan-tg1-large          35000          52500          350      0.0105        0.021   0.0315
tenant2  anthropic.claude-v2              1080           4400           20      0.0119      0.14379  0.15569
-------  -----------------------  ------------  -------------  -----------  ----------  -----------  -------
total                                    67118          73173         1439     0.11395      0.43515   0.5491
"""  # noqa: E501 - the table as it is printed


def spread(total: int, parts: int) -> list[int]:
    """Whole numbers that differ by at most one and add up to the total."""
    share, rest = divmod(total, parts)
    return [share + (n < rest) for n in range(parts)]


def documented_rows() -> list[UsageRow]:
    models = {
        model_id: {
            "mode": "chat",
            "effective": [
                {
                    "from": "2026-01-01",
                    "to": None,
                    "rates": {
                        "in_region": {
                            "default": {
                                "input": per_million(price_in),
                                "output": per_million(price_out),
                            }
                        }
                    },
                }
            ],
        }
        for model_id, (price_in, price_out) in PRICES_PER_1K.items()
    }
    head = {"schema_version": 1, "currency": "USD", "unit": "1M tokens", "version": "documented"}
    book = PriceBook.from_json(json.dumps({**head, "models": models}))
    rows = []
    for team, model_id, tokens_in, tokens_out, calls, *_ in DOCUMENTED:
        rates = book.rates(resolve_model(model_id), region="us-east-1", at=NOV)
        assert rates is not None
        for n, (i, o) in enumerate(
            zip(spread(tokens_in, calls), spread(tokens_out, calls), strict=True)
        ):
            charged = cost(rates, TokenUsage(input=i, output=o))
            rows.append(
                usage_row(
                    started_at=NOV + timedelta(minutes=n % 300, milliseconds=n),
                    tenant_id=team,
                    requested_model=model_id,
                    model_id=model_id,
                    input_tokens=i,
                    output_tokens=o,
                    input_cost=charged.input,
                    output_cost=charged.output,
                    total_cost=charged.total,
                )
            )
    return rows


def per_million(per_thousand: str) -> str:
    whole = usd(per_thousand) * 1000
    return format_usd(whole)


def make_lake(folder: Path, rows: list[UsageRow]) -> Path:
    """Aggregate the rows and lay the lake out as files."""
    lake = FakeLake()
    last = max(row.started_at for row in rows)
    first = min(row.started_at for row in rows).replace(minute=0, second=0, microsecond=0)
    aggregator = Aggregator(
        FakeUsageReader(rows),
        FakeWatermark(first),
        FakeOpenHolds(),
        lake,
        lambda: last,
        FakeWatermark(),
    )
    aggregator.run({})
    for key, data in lake.objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def printed(capsys: pytest.CaptureFixture[str], lake: Path, query: str, *more: str) -> str:
    """What the command prints of November 2026; it has to succeed."""
    assert report.main([query, "--lake", str(lake), "--month", "2026-11", *more]) == 0
    return capsys.readouterr().out


def test_the_documented_table_comes_out_literally(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = make_lake(tmp_path, documented_rows())
    assert printed(capsys, lake, "chargeback", "--decimals", "5") == GOLDEN
    text = printed(capsys, lake, "chargeback", "--decimals", "5", "--csv")
    lines = list(csv.reader(text.splitlines()))[1:]
    assert [tuple(line[:7]) for line in lines] == [tuple(map(str, row)) for row in DOCUMENTED]


def test_costs_are_exact_to_the_picodollar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = usage_row(
        input_cost=10**16 + 1, output_cost=3, cache_cost=5, other_cost=7, total_cost=10**16 + 16
    )
    lake = make_lake(tmp_path, [row])
    (charged,) = report.chargeback(lake, "2026-11")
    assert (charged.input_cost, charged.output_cost) == (10**16 + 6, 10)
    assert charged.total == 10**16 + 16
    assert "10000.000000000016" in printed(capsys, lake, "chargeback")
    assert printed(capsys, lake, "chargeback", "--csv").splitlines()[1] == (
        "acme,amazon.nova-lite-v1:0,100,20,1,10000.000000000006,0.00000000001,10000.000000000016"
    )
    (line,) = json.loads(printed(capsys, lake, "chargeback", "--json"))
    assert (line["input_tokens"], line["total"]) == (100, "10000.000000000016")


def test_sums_beyond_a_bigint_do_not_overflow(tmp_path: Path) -> None:
    big = 9 * 10**18
    rows = [
        usage_row(app_id=f"app{n}", input_cost=big, output_cost=0, total_cost=big) for n in range(5)
    ]
    (charged,) = report.chargeback(make_lake(tmp_path, rows), "2026-11")
    assert charged.total == 5 * big


def test_only_the_month_asked_for_counts(tmp_path: Path) -> None:
    first = datetime(2026, 11, 1, tzinfo=UTC)
    make_lake(tmp_path, [usage_row(started_at=first - timedelta(seconds=1), tenant_id="oct")])
    make_lake(tmp_path, [usage_row(started_at=first, tenant_id="nov")])
    last = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    make_lake(tmp_path, [usage_row(started_at=last, tenant_id="nov")])
    make_lake(tmp_path, [usage_row(started_at=last + timedelta(seconds=1), tenant_id="dec")])
    (november,) = report.chargeback(tmp_path, "2026-11")
    assert (november.team_id, november.invocations) == ("nov", 2)
    assert report.chargeback(tmp_path, "2026-09") == []


def test_failed_calls_that_cost_nothing_are_no_invocations(tmp_path: Path) -> None:
    nothing = {"input_tokens": 0, "output_tokens": 0, "input_cost": 0, "output_cost": 0}
    failed = usage_row(status="error", http_status=429, total_cost=0, **nothing)
    orphaned = usage_row(status="orphaned", usage_source="hold")
    unpriced = usage_row(status="error", priced=False, tenant_id="beta", total_cost=0, **nothing)
    rows = report.chargeback(make_lake(tmp_path, [failed, orphaned, unpriced]), "2026-11")
    assert [(row.team_id, row.invocations) for row in rows] == [("acme", 1), ("beta", 0)]


def test_cache_tokens_count_as_input(tmp_path: Path) -> None:
    row = usage_row(cache_read_tokens=30, cache_write_5m_tokens=5, cache_write_1h_tokens=2)
    (charged,) = report.chargeback(make_lake(tmp_path, [row]), "2026-11")
    assert charged.input_tokens == 137


def test_an_empty_lake_has_an_empty_report(tmp_path: Path) -> None:
    assert report.chargeback(tmp_path, "2026-11") == []


@pytest.mark.parametrize("month", ["2026", "2026-13", "2026-1", "2026-11-01", "'; --"])
def test_a_month_of_another_form_is_refused(tmp_path: Path, month: str) -> None:
    with pytest.raises(ValueError, match="is not a month: use YYYY-MM"):
        report.chargeback(tmp_path, month)


def test_command_prints_table_or_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_lake(tmp_path, [usage_row()])
    arguments = ["chargeback", "--lake", str(tmp_path), "--month", "2026-11"]
    assert report.main([*arguments, "--decimals", "5"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "0.00001"
    assert report.main([*arguments, "--csv"]) == 0
    assert capsys.readouterr().out == (
        ",".join(report.COLUMNS) + "\nacme,amazon.nova-lite-v1:0,100,20,1,"
        "0.000006,0.0000048,0.0000108\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lake", "/nowhere"], "/nowhere is not a folder"),
        (["--lake", ".", "--month", "2026"], "'2026' is not a month"),
        (["--lake", ".", "--decimals", "13"], "decimals must be between 0 and 12"),
        (["--lake", "."], "it has no usage/dt=*/hour=*/*.parquet; it holds "),
    ],
)
def test_command_says_what_is_wrong(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main(["chargeback", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_folder_that_is_no_lake_is_told_from_a_month_without_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(lake: Path, month: str, *more: str) -> str:
        assert report.main(["chargeback", "--lake", str(lake), "--month", month, *more]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    empty = tmp_path / "empty"
    empty.mkdir()
    assert said(empty, "2026-11").endswith("; it holds nothing\n")
    lake = tmp_path / "lake"
    make_lake(lake, [usage_row(started_at=datetime(2026, 10, 31, tzinfo=UTC))])
    make_lake(lake, [usage_row()])
    assert f"{tmp_path} is no lake with usage" in said(tmp_path, "2026-11")
    assert "it holds empty, lake" in said(tmp_path, "2026-11")
    assert said(lake, "2026-09") == (
        f"report: no usage in 2026-09; {lake} has usage of 2026-10, 2026-11\n"
    )
    early = said(lake, "2026-11", "--settled-before", "2026-11-01")
    assert early == "report: no usage of 2026-11 was settled before 2026-11-01\n"
    nothing = {"input_tokens": 0, "output_tokens": 0, "input_cost": 0, "output_cost": 0}
    failed = usage_row(status="error", http_status=429, total_cost=0, **nothing)
    make_lake(tmp_path / "failed", [failed])
    assert "only calls that failed and cost nothing" in said(tmp_path / "failed", "2026-11")


def test_a_day_of_settling_is_refused_where_it_would_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = make_lake(tmp_path, [usage_row()])
    given_ = ["--lake", str(lake), "--month", "2026-11", "--settled-before", "2026-12-01"]
    assert report.main(["latency", *given_]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "report: latency counts all calls, whenever they were settled\n"


def write_tenants(lake: Path, kinds: dict[str, str]) -> None:
    (lake / "tenants").mkdir()
    for tenant_id, kind in kinds.items():
        facts = dict.fromkeys(dict(TENANT_COLUMNS), "-")
        line = json.dumps({**facts, "tenant_id": tenant_id, "kind": kind, "tags": {"a": "b"}})
        (lake / "tenants" / f"{tenant_id}.json").write_text(f"{line}\n", "utf-8")


def test_usage_by_kind_joins_the_lakes_list_of_tenants(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("acme", "globex", "hooli")
    make_lake(tmp_path, [usage_row(tenant_id=name, app_id=name) for name in names])
    command = ["usage-by-kind", "--lake", str(tmp_path), "--month", "2026-11"]
    assert report.main(command) == 1
    assert "it has no tenants/*.json; it holds daily, " in capsys.readouterr().err
    write_tenants(tmp_path, {"acme": "team", "globex": "team"})
    assert report.main(command) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["kind", "tenant_count", "input_tokens", "output_tokens", "invocations", "total"],
        ["-------", "------------", "------------", "-------------", "-----------", "---------"],
        ["team", "2", "200", "40", "2", "0.0000216"],
        ["unknown", "1", "100", "20", "1", "0.0000108"],
        ["-------", "------------", "------------", "-------------", "-----------", "---------"],
        ["total", "3", "300", "60", "3", "0.0000324"],
    ]
    assert report.main([*command, "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "team,2,200,40,2,0.0000216"


PICO = st.integers(min_value=-(10**15), max_value=10**15)


@given(amounts=st.lists(PICO), decimals=st.integers(0, 12))
def test_rounded_amounts_add_up_to_the_rounded_total(amounts: list[int], decimals: int) -> None:
    rounded = apportion(amounts, decimals)
    assert sum(rounded) == usd(round_usd(sum(amounts), decimals))
    unit = 10 ** (12 - decimals)
    for exact, shown in zip(amounts, rounded, strict=True):
        assert shown % unit == 0
        assert abs(shown - exact) < unit
    # A larger remainder is never rounded down where a smaller one is rounded up.
    up = [exact % unit for exact, shown in zip(amounts, rounded, strict=True) if shown > exact]
    down = [exact % unit for exact, shown in zip(amounts, rounded, strict=True) if shown <= exact]
    assert not up or not down or min(up) >= max(down)


@given(costs=st.lists(st.tuples(PICO, PICO), min_size=1, max_size=20), decimals=st.integers(0, 12))
def test_every_column_of_a_table_foots(costs: list[tuple[int, int]], decimals: int) -> None:
    names = ("input", "output", "both")
    columns = (Column("team", "varchar"), *(Column(name, "decimal(38,12)") for name in names))
    rows = [("a", *(Decimal(n).scaleb(-12) for n in (i, o, i + o))) for i, o in costs]
    text = layout.table(Result(columns, rows), names, decimals)
    lines = [line.split() for line in text.splitlines()]
    body, total = lines[2:-2], lines[-1]
    for column in (-3, -2, -1):
        assert sum(usd(line[column]) for line in body) == usd(total[column])
