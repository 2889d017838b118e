from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tollgate.domain.models import resolve_model
from tollgate.domain.prices import (
    Cost,
    ModelCard,
    PriceBook,
    PriceBookError,
    Rates,
    TokenUsage,
    cost,
    dearest_input,
    load_default,
)

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)


def book(**models: Any) -> PriceBook:  # noqa: ANN401 - fragments of a JSON document
    head = {"schema_version": 1, "currency": "USD", "unit": "1M tokens", "version": "test"}
    return PriceBook.from_json(json.dumps({**head, "models": models}))


def model(*periods: tuple[str, str | None, dict[str, Any]], **fields: object) -> dict[str, Any]:
    effective = [{"from": start, "to": end, "rates": rates} for start, end, rates in periods]
    return {"mode": "chat", "aliases": [], **fields, "effective": effective}


def flat(price: str) -> dict[str, dict[str, str]]:
    return {"default": {"input": price, "output": price}}


def test_the_most_specific_price_of_the_routing_is_taken() -> None:
    rates = {
        "in_region": flat("1"),
        "in_region/eu-west-1": flat("2"),
        "geo/us": flat("3"),
        "global": flat("4"),
    }
    prices = book(**{"a.m": model(("2026-01-01", None, rates))})

    def price(requested: str, region: str) -> int | None:
        found = prices.rates(resolve_model(requested), region=region, at=NOON)
        return found and found.input

    assert price("a.m", "us-east-1") == 1_000_000
    assert price("a.m", "eu-west-1") == 2_000_000
    assert price("us.a.m", "eu-west-1") == 3_000_000
    assert price("global.a.m", "eu-west-1") == 4_000_000


@pytest.mark.parametrize(
    ("only", "requested"),
    [
        ("in_region", "us.a.m"),
        ("in_region", "global.a.m"),
        ("geo/us", "a.m"),
        ("geo/us", "eu.a.m"),
        ("geo/us", "global.a.m"),
        ("global", "us.a.m"),
        ("global", "a.m"),
        ("in_region/eu-west-1", "a.m"),
    ],
)
def test_no_routing_borrows_the_price_of_another(only: str, requested: str) -> None:
    prices = book(**{"a.m": model(("2026-01-01", None, {only: flat("1")}))})
    assert prices.rates(resolve_model(requested), region="us-east-1", at=NOON) is None


def test_no_tier_borrows_the_price_of_another_tier_or_region() -> None:
    rates = {
        "in_region": {**flat("1"), "batch": {"input": "0.5"}},
        "in_region/eu-west-1": flat("2"),
    }
    prices = book(**{"a.m": model(("2026-01-01", None, rates))})
    ref = resolve_model("a.m")
    assert prices.rates(ref, region="us-east-1", at=NOON, tier="batch") == Rates(input=500_000)
    assert prices.rates(ref, region="us-east-1", at=NOON, tier="flex") is None
    assert prices.rates(ref, region="eu-west-1", at=NOON, tier="batch") is None


def test_prices_change_at_midnight_utc_of_their_first_day() -> None:
    prices = book(
        **{
            "a.m": model(
                ("2026-01-01", "2026-06-01", {"in_region": flat("1")}),
                ("2026-06-01", None, {"in_region": flat("2")}),
            )
        }
    )
    ref = resolve_model("a.m")
    change = datetime(2026, 6, 1, tzinfo=UTC)

    def price(at: datetime) -> int | None:
        found = prices.rates(ref, region="us-east-1", at=at)
        return found and found.input

    assert price(datetime(2025, 12, 31, 23, 59, tzinfo=UTC)) is None
    assert price(change - timedelta(microseconds=1)) == 1_000_000
    assert price(change) == 2_000_000
    assert price(datetime(2026, 6, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == 1_000_000
    with pytest.raises(ValueError, match="timezone-aware"):
        price(datetime(2026, 6, 1))


def test_a_price_without_a_successor_ends_with_its_last_day() -> None:
    prices = book(**{"a.m": model(("2026-01-01", "2026-06-01", {"in_region": flat("1")}))})
    ref = resolve_model("a.m")
    end = datetime(2026, 6, 1, tzinfo=UTC)
    last = end - timedelta(microseconds=1)
    assert prices.rates(ref, region="us-east-1", at=last) is not None
    assert prices.rates(ref, region="us-east-1", at=end) is None


def test_a_model_is_found_by_its_alias() -> None:
    prices = book(
        **{
            "a.m": model(
                ("2026-01-01", None, {"in_region": flat("1")}),
                aliases=["b.m"],
                max_input_tokens=1000,
                max_output_tokens=None,
                end_of_life="2027-03-30",
            )
        }
    )
    assert prices.card("b.m") == ModelCard("a.m", "chat", 1000, None, date(2027, 3, 30))
    assert prices.card("a.m") == prices.card("b.m")
    assert prices.card("c.m") is None
    assert prices.rates(resolve_model("b.m"), region="us-east-1", at=NOON) is not None


def test_callable_ids_are_those_with_a_price() -> None:
    prices = book(
        **{
            "a.m": model(("2026-01-01", None, {"in_region": flat("1"), "global": flat("1")})),
            "a.n": model(("2026-01-01", None, {"geo/us": flat("1"), "geo/us-gov": flat("1")})),
            "a.o": model(("2026-01-01", None, {"in_region/eu-west-1": flat("1")})),
        }
    )
    assert prices.model_ids() == ("a.m", "a.n", "a.o")
    assert prices.profile_ids() == ("a.m", "a.o", "global.a.m", "us-gov.a.n", "us.a.n")


def test_cost_is_exact_per_class() -> None:
    rates = Rates(input=35_000, output=140_000, cache_read=8_750)
    assert cost(rates, TokenUsage(input=7, output=3, cache_read=1)) == Cost(
        input=245_000, output=420_000, cache=8_750, other=0, priced=True
    )


def test_a_class_without_a_price_counts_zero_and_says_so() -> None:
    charged = cost(Rates(input=10, output=20), TokenUsage(input=1, output=1, cache_write_1h=5))
    assert charged == Cost(input=10, output=20, cache=0, other=0, priced=False)
    assert charged.total == 30


def test_a_zero_price_is_a_price() -> None:
    assert cost(Rates(input=10, output=0), TokenUsage(input=1, output=9)).priced


def test_usage_beyond_the_input_the_prices_hold_for_is_unpriced() -> None:
    rates = Rates(input=1, output=1, cache_read=1, input_limit=100)
    assert cost(rates, TokenUsage(input=60, cache_read=40, output=500)).priced
    assert not cost(rates, TokenUsage(input=61, cache_read=40)).priced


def test_the_dearest_input_class_bounds_a_hold() -> None:
    assert dearest_input(Rates(input=10, cache_read=1, cache_write_5m=12, cache_write_1h=20)) == 20
    assert dearest_input(Rates(input=10, output=90)) == 10
    with pytest.raises(ValueError, match="no class of input"):
        dearest_input(Rates(output=90))


@pytest.mark.parametrize("price", ["0.0000001", "abc", ""])
def test_a_price_that_is_no_whole_picodollar_per_token_is_an_error(price: str) -> None:
    prices = book(**{"a.m": model(("2026-01-01", None, {"in_region": flat(price)}))})
    with pytest.raises(PriceBookError, match=r"price of a\.m"):
        prices.rates(resolve_model("a.m"), region="us-east-1", at=NOON)


@pytest.mark.parametrize(
    "change", [{"schema_version": 2}, {"currency": "EUR"}, {"unit": "1K tokens"}]
)
def test_a_book_of_another_shape_is_refused(change: dict[str, object]) -> None:
    document = {"schema_version": 1, "currency": "USD", "unit": "1M tokens", "version": "x"}
    with pytest.raises(PriceBookError):
        PriceBook.from_json(json.dumps({**document, "models": {}, **change}))


def test_every_price_of_the_shipped_book_can_be_read() -> None:
    prices = load_default()
    at = datetime.fromisoformat(f"{prices.version}T00:00:00Z")
    assert len(prices.model_ids()) > 100
    for profile_id in prices.profile_ids():
        ref = resolve_model(profile_id)
        assert ref.profile_id == profile_id
        card = prices.card(ref.model_id)
        assert card is not None
        assert card.mode in {"chat", "embedding"}
        found = prices.rates(ref, region="us-east-1", at=at)
        # A model priced in other regions only is callable there, and unpriced here.
        if found is not None:
            assert found.input


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        ("amazon.nova-micro-v1:0", Rates(35_000, 140_000, 8_750)),
        ("amazon.nova-lite-v1:0", Rates(60_000, 240_000, 15_000)),
        (
            "us.anthropic.claude-sonnet-4-6",
            Rates(3_300_000, 16_500_000, 330_000, 4_125_000, 6_600_000),
        ),
        (
            "global.anthropic.claude-haiku-5-5",
            Rates(100_000, 500_000, 10_000, 125_000, 200_000, input_limit=100_000),
        ),
        ("amazon.titan-embed-text-v2:0", Rates(20_000, 0)),
        ("us.zai.glm-5.3", Rates(1_848_000, 5_808_000, 343_200, 2_310_000)),
        ("anthropic.claude-sonnet-4-6", None),
    ],
)
def test_published_prices_in_us_east_1(requested: str, expected: Rates | None) -> None:
    found = load_default().rates(resolve_model(requested), region="us-east-1", at=NOON)
    assert found == expected


def test_published_prices_by_region_and_tier() -> None:
    prices = load_default()
    nova = resolve_model("amazon.nova-pro-v1:0")
    gov = prices.rates(nova, region="us-gov-east-1", at=NOON)
    assert gov is not None
    assert (gov.input, gov.output) == (960_000, 3_840_000)
    priority = prices.rates(nova, region="us-east-1", at=NOON, tier="priority")
    assert priority == Rates(1_400_000, 5_600_000)
