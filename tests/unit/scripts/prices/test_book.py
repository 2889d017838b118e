from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.prices import book as prices
from tollgate.domain.models import ModelRef, resolve_model
from tollgate.domain.money import format_usd
from tollgate.domain.prices import PriceBook, TokenUsage, cost, worst_case

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.prices.book import Conversion, PricedRow

RETRIEVED = date(2026, 11, 1)
START = datetime(2026, 11, 1, tzinfo=UTC)
COLUMNS = prices.read_table(prices.CSV)[0].keys()


@cache
def conversion() -> Conversion:
    return prices.convert(
        prices.read_table(prices.CSV),
        retrieved=RETRIEVED,
        effective=RETRIEVED,
        supplement=prices.read_supplement(prices.SUPPLEMENT),
    )


@cache
def price_book() -> PriceBook:
    return PriceBook.from_json(prices.render_book(conversion().document))


def table_row(key: str, price_in: str = "", price_out: str = "", **more: str) -> dict[str, str]:
    return {
        **dict.fromkeys(COLUMNS, ""),
        "key": key,
        "litellm_provider": "bedrock",
        "mode": "chat",
        "input_cost_per_token": price_in,
        "output_cost_per_token": price_out,
        **more,
    }


def convert(
    *rows: dict[str, str], supplement: dict[str, list[dict[str, object]]] | None = None
) -> Conversion:
    return prices.convert(
        rows,
        retrieved=RETRIEVED,
        effective=RETRIEVED,
        supplement=supplement or prices.NO_SUPPLEMENT,
    )


def long_context(**changes: object) -> dict[str, list[dict[str, object]]]:
    figure = {
        "models": ["openai.gpt-6-x"],
        "threshold": 272_000,
        "input_factor": "2",
        "output_factor": "1.5",
        "mark": "third_party",
        "source": "somewhere",
        "wording": "x2 in, x1.5 out",
        **changes,
    }
    return {**prices.NO_SUPPLEMENT, "long_context": [figure]}


def per_unit(**changes: object) -> dict[str, list[dict[str, object]]]:
    figure = {
        "model": "a.rerank",
        "rows": ["a.rerank"],
        "units": {"search": "0.001"},
        "mark": "confirmed",
        "source": "somewhere",
        "wording": "$0.001 a query",
        **changes,
    }
    return {**prices.NO_SUPPLEMENT, "units": [figure]}


def free_writes() -> dict[str, list[dict[str, object]]]:
    figure: dict[str, object] = {
        "models": ["a.m"],
        "cache_write_5m": "0",
        "mark": "third_party",
        "source": "somewhere",
        "wording": "writes are free",
    }
    return {**prices.NO_SUPPLEMENT, "cache_writes": [figure]}


def rates_of(converted: Conversion, model_id: str) -> dict[str, object]:
    (period,) = converted.document["models"][model_id]["effective"]
    return dict(period["rates"])


def reference(row: PricedRow) -> tuple[ModelRef, str]:
    routing, _, place = row.routing.partition("/")
    if routing == "in_region":
        return ModelRef(row.key, row.model_id, "in_region", None, row.key), place or "us-west-9"
    if routing == "geo":
        return ModelRef(row.key, row.model_id, "geo", place, row.key), "us-east-1"
    return ModelRef(row.key, row.model_id, "global", None, row.key), "us-east-1"


def test_the_shipped_book_and_report_are_what_the_table_gives() -> None:
    assert prices.main(["convert", "--retrieved", "2026-11-01", "--check"]) == 0


def test_every_row_is_either_in_the_book_or_in_the_report() -> None:
    keys = [row["key"] for row in prices.read_table(prices.CSV)]
    left_out = [key for keys_ in conversion().left_out.values() for key in keys_]
    assert sorted([*conversion().included, *conversion().per_unit, *left_out]) == sorted(keys)


@given(
    key=st.sampled_from(sorted(conversion().included)),
    tokens=st.lists(st.integers(0, 10**7), min_size=5, max_size=5),
)
def test_the_book_charges_exactly_what_the_table_says(key: str, tokens: list[int]) -> None:
    row = conversion().included[key]
    ref, region = reference(row)
    for tier, columns in prices.COLUMNS_BY_TIER.items():
        if not row.facts[columns["input"]]:
            continue
        rates = price_book().rates(ref, region=region, at=START, tier=tier)
        assert rates is not None
        listed = {name: row.facts[column] for name, column in columns.items() if row.facts[column]}
        usage = dict(zip(listed, tokens, strict=False))
        longer = rates.long_context
        if longer is not None and sum(usage.values()) - usage.get("output", 0) > longer.threshold:
            continue
        expected = sum((Decimal(listed[name]) * count for name, count in usage.items()), Decimal())
        assert Decimal(format_usd(cost(rates, TokenUsage(**usage)).total)) == expected


def test_a_regional_row_is_the_in_region_price_of_that_region() -> None:
    converted = convert(
        table_row("a.m", "1e-06", "2e-06"), table_row("bedrock/eu-west-1/a.m", "3e-06", "4e-06")
    )
    assert rates_of(converted, "a.m") == {
        "in_region": {"default": {"input": "1", "output": "2"}},
        "in_region/eu-west-1": {"default": {"input": "3", "output": "4"}},
    }


def test_routing_prefixes_become_routings_of_the_base_model() -> None:
    converted = convert(
        table_row("us.a.m", "1e-06", "2e-06"),
        table_row("us-gov.a.m", "3e-06", "4e-06"),
        table_row("global.a.m", "5e-07", "1e-06"),
    )
    assert list(rates_of(converted, "a.m")) == ["geo/us", "geo/us-gov", "global"]


def test_batch_flex_and_priority_become_tiers() -> None:
    converted = convert(
        table_row(
            "a.m",
            "1e-06",
            "2e-06",
            input_cost_per_token_batches="5e-07",
            output_cost_per_token_batches="1e-06",
            output_cost_per_token_flex="1e-06",
        )
    )
    # Flex has no input price in this row, so it is no tier that could be billed.
    assert list(rates_of(converted, "a.m")["in_region"]) == ["default", "batch"]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (table_row("bedrock_mantle/a.m", "1e-06", litellm_provider="bedrock_mantle"), "MANTLE"),
        (table_row("bedrock/claude_platform/claude-x", "1e-06", "1e-06"), "CLAUDE_PLATFORM"),
        (table_row("bedrock/us-east-1/1-month-commitment/a.m"), "COMMITMENT"),
        (table_row("a.pegasus", "", "7.5e-06"), "NO_INPUT_PRICE"),
        (table_row("a.m", "0.0", "0.0"), "FREE"),
        (table_row("amazon.titan-embed-image-v1", "8e-07", "0.0"), "MEDIA_EMBEDDING"),
        (table_row("a.m@20251001", "1e-06", "1e-06"), "NOT_A_BEDROCK_ID"),
    ],
)
def test_what_cannot_be_billed_per_token_is_left_out(row: dict[str, str], reason: str) -> None:
    converted = convert(row)
    assert converted.document["models"] == {}
    assert converted.left_out == {getattr(prices, reason): [row["key"]]}


@pytest.mark.parametrize("mode", sorted(prices.LEFT_OUT_BY_MODE))
def test_kinds_of_models_not_billed_per_token_are_left_out(mode: str) -> None:
    converted = convert(table_row("a.m", "1e-06", "1e-06", mode=mode))
    assert converted.left_out == {prices.LEFT_OUT_BY_MODE[mode]: ["a.m"]}


def test_a_plain_id_with_the_global_price_is_no_in_region_price() -> None:
    converted = convert(
        table_row("a.m", "1e-06", "2e-06"),
        table_row("bedrock/eu-west-1/a.m", "3e-06", "4e-06"),
        table_row("global.a.m", "1e-06", "2e-06"),
        table_row("au.a.m", "1.1e-06", "2.2e-06"),
    )
    assert list(rates_of(converted, "a.m")) == ["geo/au", "global", "in_region/eu-west-1"]
    assert converted.left_out == {prices.GLOBAL_PRICE: ["a.m"]}


def test_a_plain_id_below_the_us_price_is_no_in_region_price() -> None:
    converted = convert(table_row("a.m", "1e-06", "2e-06"), table_row("us.a.m", "1.1e-06", "2e-06"))
    assert converted.left_out == {prices.GLOBAL_PRICE: ["a.m"]}


def test_a_plain_id_that_costs_what_its_profile_costs_is_kept() -> None:
    converted = convert(
        table_row("a.m", "1e-06", "2e-06"),
        table_row("global.a.m", "1e-06", "2e-06"),
        table_row("us.a.m", "1e-06", "2e-06"),
        table_row("b.m", "1e-06", "2e-06"),
        table_row("eu.b.m", "2e-06", "2e-06"),
    )
    assert list(rates_of(converted, "a.m")) == ["geo/us", "global", "in_region"]
    assert list(rates_of(converted, "b.m")) == ["geo/eu", "in_region"]


def test_spellings_of_one_model_merge_when_equal() -> None:
    converted = convert(
        table_row("anthropic.claude-x", "1e-06", "2e-06"),
        table_row("bedrock/invoke/anthropic.claude-x", "1e-06", "2e-06"),
        table_row(
            "claude-x", "1e-06", "2e-06", cache_read_input_token_cost="1e-07", source="example"
        ),
        table_row("us.anthropic.claude-x", "1e-06", "2e-06"),
        table_row("bedrock/us.anthropic.claude-x", "1e-06", "2e-06"),
    )
    assert rates_of(converted, "anthropic.claude-x") == {
        "geo/us": {"default": {"input": "1", "output": "2"}},
        "in_region": {"default": {"input": "1", "output": "2", "cache_read": "0.1"}},
    }
    assert converted.left_out == {}


def test_spellings_of_one_model_that_disagree_are_reported() -> None:
    converted = convert(
        table_row("bedrock/invoke/a.m", "9e-06", "2e-06"), table_row("a.m", "1e-06", "2e-06")
    )
    assert rates_of(converted, "a.m") == {"in_region": {"default": {"input": "1", "output": "2"}}}
    assert converted.left_out == {prices.CONFLICT: ["bedrock/invoke/a.m"]}


def test_models_under_two_names_are_one_with_an_alias() -> None:
    model = conversion().document["models"]["moonshot.kimi-k2-thinking"]
    assert model["aliases"] == ["moonshotai.kimi-k2-thinking"]
    assert model["max_input_tokens"] == 256_000


@pytest.mark.parametrize("price", ["1.0000001e-06", "-1e-06", "free", "NaN", "Infinity"])
def test_a_price_that_is_no_whole_picodollar_stops_the_conversion(price: str) -> None:
    with pytest.raises(prices.PriceTableError, match=r"a\.m: input_cost_per_token"):
        convert(table_row("a.m", price, "1e-06"))


@pytest.mark.parametrize("key", ["bedrock/somewhere/a.m", "bedrock/us-east-1/us.a.m"])
def test_a_key_of_unknown_form_stops_the_conversion(key: str) -> None:
    with pytest.raises(prices.PriceTableError, match=key):
        convert(table_row(key, "1e-06", "1e-06"))


def test_long_context_multiplies_every_price_of_the_default_tier() -> None:
    columns = {
        "cache_read_input_token_cost": "1e-07",
        "cache_creation_input_token_cost": "1.25e-06",
        "input_cost_per_token_batches": "5e-07",
        "output_cost_per_token_batches": "1e-06",
    }
    row = table_row("global.openai.gpt-6-x", "1e-06", "2.2e-06", **columns)
    converted = convert(row, supplement=long_context())
    assert rates_of(converted, "openai.gpt-6-x") == {
        "global": {
            "default": {
                "input": "1",
                "output": "2.2",
                "cache_read": "0.1",
                "cache_write_5m": "1.25",
                "long_context": {
                    "threshold": 272_000,
                    "input": "2",
                    "output": "3.3",
                    "cache_read": "0.2",
                    "cache_write_5m": "2.5",
                },
            },
            "batch": {"input": "0.5", "output": "1"},
        }
    }
    # No figures for batch: its prices hold up to the threshold only.
    assert converted.document["models"]["openai.gpt-6-x"]["priced_up_to_input_tokens"] == 272_000
    assert converted.document["supplement"] == [
        {
            "model": "openai.gpt-6-x",
            "figure": "long_context",
            "mark": "third_party",
            "source": "somewhere",
            "wording": "x2 in, x1.5 out",
        }
    ]


def test_with_figures_for_all_tiers_no_limit_remains() -> None:
    row = table_row("global.openai.gpt-6-x", "1e-06", "2e-06")
    limit = "priced_up_to_input_tokens"
    assert convert(row).document["models"]["openai.gpt-6-x"][limit] == 272_000
    figured = convert(row, supplement=long_context())
    assert limit not in figured.document["models"]["openai.gpt-6-x"]


def test_cache_writes_that_are_free_have_that_price_where_reads_have_one() -> None:
    columns = {
        "cache_read_input_token_cost": "1e-07",
        "input_cost_per_token_batches": "5e-07",
        "output_cost_per_token_batches": "1e-06",
    }
    converted = convert(table_row("a.m", "1e-06", "2e-06", **columns), supplement=free_writes())

    assert rates_of(converted, "a.m")["in_region"] == {
        "default": {"input": "1", "output": "2", "cache_read": "0.1", "cache_write_5m": "0"},
        "batch": {"input": "0.5", "output": "1"},
    }
    assert converted.document["supplement"][0]["figure"] == "cache_writes"


def test_what_nova_writes_to_its_cache_is_free_and_not_without_a_price() -> None:
    book = PriceBook(conversion().document)
    ref = resolve_model("us.amazon.nova-lite-v1:0")
    rates = book.rates(ref, region="us-east-1", at=datetime(2026, 11, 22, tzinfo=UTC))
    assert rates is not None

    charged = cost(rates, TokenUsage(input=10, cache_write_5m=1000))

    assert (charged.priced, charged.total) == (True, 10 * 60_000)
    # The bound of a call stays that of tokens which are not cached.
    assert worst_case(rates, 1000) == (rates.input, rates.output)


def test_models_priced_by_the_unit_come_from_the_supplement() -> None:
    row = table_row("a.rerank", "0.0", "0.0", mode="rerank", max_input_tokens="4096")
    converted = convert(row, supplement=per_unit())
    model = converted.document["models"]["a.rerank"]
    assert (model["mode"], model["max_input_tokens"]) == ("rerank", 4096)
    assert rates_of(converted, "a.rerank") == {
        "in_region": {"default": {"units": {"search": "0.001"}}}
    }
    assert (converted.per_unit, converted.included, converted.left_out) == (["a.rerank"], {}, {})
    assert converted.document["supplement"][0]["mark"] == "confirmed"


@pytest.mark.parametrize(
    ("row", "supplement", "message"),
    [
        (
            table_row("global.openai.gpt-6-x", "1e-06", "1e-06"),
            long_context(threshold=200_000),
            "hold up to 272000",
        ),
        (
            table_row("global.openai.gpt-6-x", "1e-12", "1e-06"),
            long_context(input_factor="1.5"),
            "input times 1.5",
        ),
        (
            table_row("a.other", "1e-06", "1e-06"),
            free_writes(),
            "cache writes of a.m, which is not",
        ),
        (
            table_row("a.m", "1e-06", "1e-06", cache_creation_input_token_cost="1e-06"),
            free_writes(),
            "or has a price for them there",
        ),
        (table_row("a.other", "1e-06", "1e-06"), per_unit(), "a.rerank of a.rerank is not in"),
        (
            table_row("a.rerank", "", "", mode="rerank"),
            per_unit(units={"search": "free"}),
            "'free' is not an amount",
        ),
    ],
)
def test_a_supplement_that_does_not_fit_stops_the_conversion(
    row: dict[str, str], supplement: dict[str, list[dict[str, object]]], message: str
) -> None:
    with pytest.raises(prices.PriceTableError, match=message):
        convert(row, supplement=supplement)


def test_a_model_cannot_have_prices_in_table_and_supplement() -> None:
    rows = (table_row("a.rerank", "1e-06", "1e-06"), table_row("other", "", "", mode="rerank"))
    with pytest.raises(prices.PriceTableError, match="has prices in the table already"):
        convert(*rows, supplement=per_unit(rows=["other"]))


def test_every_figure_of_the_shipped_supplement_names_its_source() -> None:
    notes = conversion().document["supplement"]
    assert len(notes) == 20
    for note in notes:
        assert note["mark"] in {"confirmed", "third_party"}
        assert note["source"]
        assert note["wording"]


def test_the_book_can_have_a_version_of_its_own() -> None:
    row = table_row("a.m", "1e-06", "2e-06")
    named = prices.convert([row], retrieved=RETRIEVED, effective=RETRIEVED, version="2026-11-01.2")
    assert (named.document["version"], named.document["retrieved"]) == (
        "2026-11-01.2",
        "2026-11-01",
    )


def test_command_writes_both_files_and_check_finds_them_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book, report = tmp_path / "book.json", tmp_path / "report.md"
    arguments = ["convert", "--retrieved", "2026-11-01", "--out", str(book)]
    arguments += ["--report", str(report)]
    assert prices.main([*arguments, "--check"]) == 1
    stale = capsys.readouterr().err
    assert "is stale: run `" in stale
    assert "scripts.prices.book convert --retrieved 2026-11-01`" in stale
    assert prices.main(arguments) == 0
    [printed] = capsys.readouterr().out.splitlines()
    assert "443 rows are in the price book (131 models), 171 are not. Of the former, 7 " in printed
    assert printed in report.read_text("utf-8").splitlines()
    assert prices.main([*arguments, "--check"]) == 0
    assert prices.main([*arguments, "--effective-from", "2026-01-01", "--check"]) == 1


def test_command_names_the_row_it_stopped_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.csv"
    row = table_row("a.m", "1e-13", "1e-06")
    table.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    assert prices.main(["convert", "--csv", str(table), "--retrieved", "2026-11-01"]) == 1
    assert "a.m: input_cost_per_token '1e-13'" in capsys.readouterr().err
