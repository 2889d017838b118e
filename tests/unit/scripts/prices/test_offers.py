"""Offer files: the fixtures follow AWS's form, with prices as published and some made to differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.prices import book as prices
from scripts.prices.offers import Meter, Quote, compare, read_offer, read_usagetype

OFFERS = Path(__file__).parent / "offers"
FOUNDATION, BEDROCK = "AmazonBedrockFoundationModels", "AmazonBedrock"


def offer(code: str, usagetype: str, unit: str, *amounts: str, **attributes: str) -> dict[str, Any]:
    dimensions = {
        str(n): {"unit": unit, "pricePerUnit": {"USD": amount}} for n, amount in enumerate(amounts)
    }
    term = {"effectiveDate": "2026-10-01T00:00:00Z", "priceDimensions": dimensions}
    return {
        "offerCode": code,
        "products": {"SKU": {"attributes": {"usagetype": usagetype, **attributes}}},
        "terms": {"OnDemand": {"SKU": {"SKU.T": term}}},
    }


@pytest.mark.parametrize(
    ("usagetype", "meter"),
    [
        ("USE1-MP:USE1_InputTokenCount-Units", Meter("input")),
        ("USE1-MP:USE1_InputTokenCount_Global-Units", Meter("input", routing="global")),
        ("USE1-MP:USE1_OutputTokenCount_Geo-Units", Meter("output", routing="geo")),
        ("USE1-MP:USE1_CacheReadInputTokenCount-Units", Meter("cache_read")),
        ("USE1-MP:USE1_CacheWriteInputTokenCount-Units", Meter("cache_write_5m")),
        ("USE1-MP:USE1_CacheWrite1hInputTokenCount-Units", Meter("cache_write_1h")),
        (
            "USE1-MP:USE1_InputTokenCount_Global_Batch-Units",
            Meter("input", "batch", routing="global"),
        ),
        ("USE1-MP:USE1_OutputTokenCount_LCtx-Units", Meter("output", is_long=True)),
        (
            "USE1-MP:USE1_CacheWrite1hInputTokenCount_LCtx_Global-Units",
            Meter("cache_write_1h", routing="global", is_long=True),
        ),
        ("USE1-MP:USE1_MillionBatchInputTokens-Units", Meter("input", "batch")),
        ("USE1-MP:USE1_input_tokens_standard-Units", Meter("input")),
        (
            "USE1-MP:USE1_cache_read_tokens_global_standard-Units",
            Meter("cache_read", routing="global"),
        ),
        (
            "USE1-MP:USE1_cache_write_tokens_1h_global_standard-Units",
            Meter("cache_write_1h", routing="global"),
        ),
        ("USE1-MP:USE1_output_tokens_long_ctx_standard-Units", Meter("output", is_long=True)),
        ("USE1-MP:USE1_input_tokens_batch-Units", Meter("input", "batch")),
    ],
)
def test_usage_types_of_marketplace_models(usagetype: str, meter: Meter) -> None:
    assert read_usagetype(usagetype) == ("USE1", "", meter)


@pytest.mark.parametrize(
    ("usagetype", "model", "meter"),
    [
        ("USE1-NovaMicro-input-tokens", "NovaMicro", Meter("input")),
        ("USE1-NovaMicro-output-tokens-batch", "NovaMicro", Meter("output", "batch")),
        ("USE1-NovaPro-input-tokens-flex", "NovaPro", Meter("input", "flex")),
        ("USE1-NovaPro-input-tokens-priority", "NovaPro", Meter("input", "priority")),
        ("USE1-deepseek.v3.2-input-tokens", "deepseek.v3.2", Meter("input")),
        (
            "USE1-NovaLite-input-tokens-cross-region-global",
            "NovaLite",
            Meter("input", routing="global"),
        ),
        ("USE1-NovaMicro-cache-read-input-token-count", "NovaMicro", Meter("cache_read")),
        ("USE1-NovaLite-text-input-tokens", "NovaLite", Meter("input")),
    ],
)
def test_usage_types_of_bedrocks_own_offer(usagetype: str, model: str, meter: Meter) -> None:
    assert read_usagetype(usagetype) == ("USE1", model, meter)


@pytest.mark.parametrize(
    "usagetype",
    [
        "",
        "USE1-MP:USE1_Reserved_1Month_InputTPM_Geo-Units",
        "USE1-MP:USE1_Created_image-Units",
        "USE1-MP:USE1_search_units-Units",
        "USE1-MP:USE1_cache_write_tokens_30m_standard-Units",
        "USE1-MP:USE2_InputTokenCount-Units",
        "USE1-MP:USE1_InputTokenCount_Global_Geo-Units",
        "USE1-MP:USE1_InputTokenCount_Batch_Flex-Units",
        "USE1-NovaMicro-ProvisionedThroughput-NoCommit-ModelUnits",
        "USE1-Guardrail-SensitiveInformationPolicyPaidUnitsConsumed",
        "USE1-NovaMicro-input-tokens-custom-model",
        "USE1-NovaLite-output-tokens-latency-optimized",
        "USE1-Nova2.0Pro-input-image-token-count-cross-region-global",
    ],
)
def test_what_is_no_plain_token_rate_is_passed_over(usagetype: str) -> None:
    assert read_usagetype(usagetype) is None


def test_units_become_picodollars_per_token() -> None:
    service = {"servicename": "Claude Sonnet 4.6 (Amazon Bedrock Edition)"}
    per_million = offer(
        FOUNDATION, "USE1-MP:USE1_InputTokenCount-Units", "Units", "3.3000000000", **service
    )
    assert read_offer(per_million).quotes == [
        Quote(
            service["servicename"],
            "us-east-1",
            Meter("input"),
            3_300_000,
            "2026-10-01",
            "SKU",
            "USE1-MP:USE1_InputTokenCount-Units",
        )
    ]
    (quote,) = read_offer(
        offer(BEDROCK, "USE1-NovaMicro-input-tokens", "1K tokens", "0.0000350000")
    ).quotes
    assert (quote.model, quote.price) == ("NovaMicro", 35_000)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (offer(BEDROCK, "USE1-NovaMicro-input-tokens", "Units", "1"), "unit 'Units'"),
        (offer(FOUNDATION, "USE1-MP:USE1_InputTokenCount-Units", "hour", "1", model="m"), "unit"),
        (offer(BEDROCK, "USE1-NovaMicro-input-tokens", "1K tokens"), "no on-demand price"),
        (offer(BEDROCK, "USE1-M-input-tokens", "1K tokens", "1", "2"), "depends on the quantity"),
        (offer(BEDROCK, "XXX9-NovaMicro-input-tokens", "1K tokens", "1"), "no region or no model"),
        (offer(FOUNDATION, "USE1-MP:USE1_InputTokenCount-Units", "Units", "1"), "no model"),
        (
            offer(BEDROCK, "USE1-NovaMicro-input-tokens", "1K tokens", "0.0000000001"),
            "no whole picodollar",
        ),
        (offer(BEDROCK, "USE1-NovaMicro-hours", "hour", "1"), "usage type of unknown form"),
    ],
)
def test_what_is_not_understood_is_counted_by_reason(document: dict[str, Any], reason: str) -> None:
    read = read_offer(document)
    assert read.quotes == []
    ((passed_over, count),) = read.passed_over.items()
    assert (reason in passed_over, count) == (True, 1)


def test_another_offer_is_refused() -> None:
    with pytest.raises(ValueError, match="'AmazonS3'"):
        read_offer({"offerCode": "AmazonS3"})


def model(**rates: Any) -> dict[str, Any]:
    return {"effective": [{"from": "2026-01-01", "to": None, "rates": rates}]}


def quote(price: int, meter: Meter | None = None, **changes: Any) -> Quote:
    fields: dict[str, Any] = {
        "model": "Claude Sonnet 4.6 (Amazon Bedrock Edition)",
        "region": "us-east-1",
        "meter": meter or Meter("input"),
        "price": price,
        "since": "2026-10-01",
        "sku": "SKU",
        "usagetype": "usage",
    }
    return Quote(**{**fields, **changes})


SONNET = "anthropic.claude-sonnet-4-6"
PRICED = {"default": {"input": "1"}}


def proposed(models: dict[str, Any], *quotes: Quote) -> list[tuple[str, str, str, int | None, int]]:
    return [
        (each.routing, each.tier, each.token_class, each.book, each.offer)
        for each in compare(models, quotes, "2026-11-01").proposals
    ]


def test_a_global_price_is_compared_with_the_global_routing_alone() -> None:
    models = {SONNET: model(**{"in_region": PRICED, "geo/us": PRICED, "global": PRICED})}
    assert proposed(models, quote(2_000_000, Meter("input", routing="global"))) == [
        ("global", "default", "input", 1_000_000, 2_000_000)
    ]


def test_a_regional_price_is_compared_with_region_and_geography() -> None:
    models = {SONNET: model(**{"in_region": PRICED, "geo/us": PRICED, "global": PRICED})}
    assert proposed(models, quote(2_000_000)) == [
        ("geo/us", "default", "input", 1_000_000, 2_000_000),
        ("in_region", "default", "input", 1_000_000, 2_000_000),
    ]
    assert proposed(models, quote(2_000_000, Meter("input", routing="geo"))) == [
        ("geo/us", "default", "input", 1_000_000, 2_000_000)
    ]


def test_a_price_of_another_region_is_proposed_for_that_region() -> None:
    models = {SONNET: model(in_region=PRICED)}
    assert proposed(models, quote(1_000_000, region="eu-west-1")) == []
    assert proposed(models, quote(2_000_000, region="eu-west-1")) == [
        ("in_region/eu-west-1", "default", "input", 1_000_000, 2_000_000)
    ]
    own = {SONNET: model(**{"in_region": PRICED, "in_region/eu-west-1": {}})}
    assert proposed(own, quote(1_000_000, region="eu-west-1")) == [
        ("in_region/eu-west-1", "default", "input", None, 1_000_000)
    ]


def test_a_model_with_profiles_only_gets_no_in_region_price() -> None:
    models = {SONNET: model(**{"geo/us": PRICED})}
    assert proposed(models, quote(1_000_000), quote(9, region="ap-southeast-2")) == [
        ("in_region/ap-southeast-2", "default", "input", None, 9)
    ]


def test_of_regions_of_one_geography_the_dearest_counts() -> None:
    models = {SONNET: model(**{"geo/apac": PRICED, "geo/jp": PRICED})}
    quotes = [
        quote(3_000_000, region="ap-northeast-1"),
        quote(2_000_000, region="ap-south-1"),
    ]
    assert proposed(models, *quotes) == [
        ("geo/apac", "default", "input", 1_000_000, 3_000_000),
        ("geo/jp", "default", "input", 1_000_000, 3_000_000),
    ]


def test_of_skus_for_one_price_the_newest_counts_and_then_the_dearest() -> None:
    models = {SONNET: model(**{"geo/us": PRICED})}
    newest = quote(2_000_000, since="2026-10-20")
    assert proposed(models, quote(9_000_000), newest) == proposed(models, newest)
    equal = quote(3_000_000, since="2026-10-20")
    for order in ([newest, equal], [equal, newest]):
        assert proposed(models, *order)[0][-1] == 3_000_000


@pytest.mark.parametrize(
    "meter",
    [
        Meter("input", "batch"),
        Meter("input", "flex"),
        Meter("cache_read"),
        Meter("input", is_long=True),
    ],
)
def test_tiers_classes_and_long_context_stay_apart(meter: Meter) -> None:
    models = {SONNET: model(**{"geo/us": PRICED})}
    ((_, tier, name, before, _),) = proposed(models, quote(1_000_000, meter))
    assert (tier, before) == (meter.tier, None)
    assert name == ("long_context input" if meter.is_long else meter.token_class)


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Claude Sonnet 4.6 (Amazon Bedrock Edition)", "anthropic.claude-sonnet-4-6"),
        ("Claude 4.6 Sonnet", "anthropic.claude-sonnet-4-6"),
        ("Claude Sonnet 4.5", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("NovaMicro", "amazon.nova-micro-v1:0"),
        ("Nova Micro", "amazon.nova-micro-v1:0"),
        ("Nova 2.0 Lite", "amazon.nova-2-lite-v1:0"),
        ("deepseek.v3.2", "deepseek.v3.2"),
        ("gpt-oss-20b", "openai.gpt-oss-20b-1:0"),
        ("GPT-6 Astra (Amazon Bedrock Edition)", "openai.gpt-6-astra"),
    ],
)
def test_offers_name_models_in_their_own_ways(name: str, model_id: str) -> None:
    models = json.loads(prices.PRICE_BOOK.read_text("utf-8"))["models"]
    outcome = compare(models, [quote(1, model=name)], "2026-11-01")
    assert {each.model_id for each in outcome.proposals} == {model_id}


def test_a_name_that_fits_two_models_fits_none() -> None:
    models = {"a.one-v1:0": model(in_region=PRICED), "b.one-v2:0": model(in_region=PRICED)}
    assert compare(models, [quote(1, model="One")], "2026-11-01").unknown_models == ["One"]


def test_only_the_prices_of_the_day_are_compared() -> None:
    models = {SONNET: model(**{"geo/us": PRICED})}
    models[SONNET]["effective"][0]["to"] = "2026-11-01"
    (proposal,) = compare(models, [quote(1_000_000)], "2026-11-01").proposals
    assert (proposal.routing, proposal.book) == ("in_region/us-east-1", None)


def test_command_prints_proposals_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = prices.PRICE_BOOK.read_bytes()
    files = [str(path) for path in sorted(OFFERS.glob("*.json"))]
    assert prices.main(["diff", *files, "--day", "2026-11-01"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        "anthropic.claude-opus-4-8 geo/us default output: 27.5 -> 29 "
        "(USE1-MP:USE1_output_tokens_standard-Units, sku FM0016, since 2026-10-01)"
    ) in lines
    assert any(
        line.startswith("anthropic.claude-sonnet-4-6 geo/us batch input: no price -> 1.65")
        for line in lines
    )
    assert any(
        line.startswith("amazon.nova-2-lite-v1:0 global default input: 0.3 -> 0.31")
        for line in lines
    )
    assert "11 proposed changes, 28 prices agree" in lines
    assert "not in the book: Claude Nobody 9 (Amazon Bedrock Edition)" in lines
    assert prices.PRICE_BOOK.read_bytes() == before


def test_command_names_the_file_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}")
    assert prices.main(["diff", str(path)]) == 1
    assert "other.json: offerCode None" in capsys.readouterr().err
