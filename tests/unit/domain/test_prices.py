from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.domain.models import resolve_model
from tollgate.domain.prices import (
    Cost,
    LongContext,
    ModelCard,
    PriceBook,
    PriceBookError,
    Rates,
    TokenUsage,
    cost,
    dearest_unit,
    load_default,
    unlisted_card,
    worst_case,
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
    classes = Rates(input=10, output=3, cache_read=1, cache_write_5m=12, cache_write_1h=20)
    assert worst_case(classes, 0) == (20, 3)
    assert worst_case(Rates(input=10, output=90), 0) == (10, 90)
    with pytest.raises(ValueError, match=r"^no class of input tokens has a price$"):
        worst_case(Rates(output=90), 0)


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
        found = prices.rates(ref, region="us-east-1", at=at)
        # A model priced in other regions only is callable there, and unpriced here.
        if found is None:
            continue
        if card.mode in {"chat", "embedding"}:
            assert found.input
            assert not found.units
        else:
            assert card.mode in {"image_generation", "rerank", "guardrail"}
            assert found.units
            assert found.input is None


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        ("amazon.nova-micro-v1:0", Rates(35_000, 140_000, 8_750, 0)),
        ("amazon.nova-lite-v1:0", Rates(60_000, 240_000, 15_000, 0)),
        (
            "us.anthropic.claude-sonnet-4-6",
            Rates(3_300_000, 16_500_000, 330_000, 4_125_000, 6_600_000),
        ),
        (
            "global.anthropic.claude-haiku-5-5",
            Rates(
                100_000,
                500_000,
                10_000,
                125_000,
                200_000,
                long_context=LongContext(100_000, 500_000, 2_500_000, 50_000, 625_000, 1_000_000),
            ),
        ),
        (
            "us.openai.gpt-6-astra",
            Rates(
                11_000_000,
                55_000_000,
                1_100_000,
                13_750_000,
                long_context=LongContext(272_000, 22_000_000, 82_500_000, 2_200_000, 27_500_000),
            ),
        ),
        (
            "us.openai.gpt-5.5",
            Rates(5_500_000, 33_000_000, 550_000, input_limit=272_000),
        ),
        ("amazon.titan-embed-text-v2:0", Rates(20_000, 0)),
        ("amazon.rerank-v1:0", Rates(units={"search": 10**9})),
        ("cohere.rerank-v3-5:0", Rates(units={"search": 2 * 10**9})),
        ("stability.sd3-5-large-v1:0", Rates(units={"image": 8 * 10**10})),
        ("amazon.nova-canvas-v1:0", Rates(units={"image/1024x1024/premium": 6 * 10**10})),
        ("amazon.titan-image-generator-v2:0", Rates(units={"image/512x512/standard": 8 * 10**9})),
        (
            "amazon.bedrock-guardrails",
            Rates(
                units={
                    "guardrail_content": 150_000_000,
                    "guardrail_topic": 150_000_000,
                    "guardrail_sensitive_information": 100_000_000,
                    "guardrail_sensitive_information_free": 0,
                    "guardrail_contextual_grounding": 100_000_000,
                    "guardrail_word": 0,
                    "guardrail_content_image": 750_000_000,
                    "guardrail_automated_reasoning": 170_000_000,
                }
            ),
        ),
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


LONG = Rates(
    input=10,
    output=100,
    cache_read=1,
    cache_write_5m=12,
    cache_write_1h=20,
    long_context=LongContext(1000, 20, 150, 2, 25, 40),
)


def test_the_whole_request_costs_long_context_prices_beyond_the_threshold() -> None:
    at = TokenUsage(input=600, output=5, cache_read=300, cache_write_5m=60, cache_write_1h=40)
    assert at.total_input == 1000
    assert cost(LONG, at) == Cost(input=6000, output=500, cache=1820, other=0, priced=True)
    beyond = TokenUsage(input=601, output=5, cache_read=300, cache_write_5m=60, cache_write_1h=40)
    assert cost(LONG, beyond) == Cost(input=12020, output=750, cache=3700, other=0, priced=True)


def test_output_does_not_count_towards_long_context() -> None:
    assert cost(LONG, TokenUsage(input=1, output=5000)).output == 500_000


def test_the_bound_of_a_request_holds_on_either_side_of_the_threshold() -> None:
    assert worst_case(LONG, 1000) == (20, 100)
    assert worst_case(LONG, 1001) == (40, 150)
    cheaper = Rates(input=10, output=100, long_context=LongContext(1000, 5, 50))
    assert worst_case(cheaper, 5000) == (10, 100)
    assert worst_case(Rates(input=10), 5000) == (10, 0)


prices_of_a_side = st.lists(st.integers(0, 10**7), min_size=5, max_size=5)


@given(
    below=prices_of_a_side,
    beyond=prices_of_a_side,
    threshold=st.integers(1, 2000),
    tokens=st.lists(st.integers(0, 700), min_size=5, max_size=5),
    slack=st.integers(0, 1500),
)
def test_no_request_within_its_bound_costs_more_than_the_worst_case(
    below: list[int], beyond: list[int], threshold: int, tokens: list[int], slack: int
) -> None:
    rates = Rates(*below, long_context=LongContext(threshold, *beyond))
    usage = TokenUsage(*tokens)
    price_in, price_out = worst_case(rates, usage.total_input + slack)
    assert cost(rates, usage).total <= usage.total_input * price_in + usage.output * price_out


def test_units_are_the_other_cost() -> None:
    rates = Rates(input=10, output=20, units={"search": 7, "image": 5, "image/big/premium": 9})
    charged = cost(rates, TokenUsage(input=1), {"search": 3, "image/big/premium": 2})
    assert charged == Cost(input=10, output=0, cache=0, other=39, priced=True)
    assert charged.total == 49
    # A price for all sizes holds for any size that has none of its own.
    assert cost(rates, TokenUsage(), {"image/small/standard": 2}).other == 10


def test_a_unit_without_a_price_is_unpriced() -> None:
    sized = Rates(units={"image/big/premium": 9})
    for unit in ("image", "image/big/standard", "search"):
        assert cost(sized, TokenUsage(), {unit: 2}) == Cost(0, 0, 0, 0, priced=False)
        assert cost(sized, TokenUsage(), {unit: 0}).priced
    assert sized.unit_price("image/big/premium") == 9
    assert sized.unit_price("image") is None


def test_the_dearest_size_bounds_a_unit() -> None:
    rates = Rates(units={"image/small": 4, "image/big": 9, "search": 100, "imagery": 500})
    assert dearest_unit(rates, "image") == 9
    assert dearest_unit(rates, "search") == 100
    with pytest.raises(ValueError, match="video has no price per unit"):
        dearest_unit(rates, "video")


def long_context_book(**changes: object) -> PriceBook:
    longer = {"threshold": 1000, "input": "2", "output": "3", **changes}
    rates = {"in_region": {"default": {"input": "1", "output": "2", "long_context": longer}}}
    return book(**{"a.m": model(("2026-01-01", None, rates), priced_up_to_input_tokens=1000)})


def rates_of(prices: PriceBook, requested: str = "a.m", tier: str = "default") -> Rates | None:
    return prices.rates(resolve_model(requested), region="us-east-1", at=NOON, tier=tier)


def test_long_context_of_the_book_lifts_the_limit() -> None:
    assert rates_of(long_context_book()) == Rates(
        1_000_000, 2_000_000, long_context=LongContext(1000, 2_000_000, 3_000_000)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": "1000"}, "long context from '1000'"),
        ({"threshold": 0}, "long context from 0"),
        ({"threshold": True}, "long context from True"),
        ({"output": None}, "long context has no price for output$"),
        ({"input": None, "output": None}, "long context has no price for input, output$"),
        ({"output": "-3"}, "'-3' is below zero"),
        ({"imput": "3"}, "'imput' is no class of tokens: use input, output, cache_read"),
    ],
)
def test_long_context_that_cannot_be_billed_is_an_error(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(PriceBookError, match=rf"price of a\.m: {message}"):
        rates_of(long_context_book(**change))


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ({"imput": "1"}, "'imput' is no class"),
        ({"input": "-1"}, "'-1' is below zero"),
        ({"input": 1}, "expected string"),
        ({"units": {"image": "-1"}}, "'-1' is below zero"),
        ({"units": {"image": {"big": "x"}}}, "'x' is not an amount"),
        ({"units": {"image": 3}}, "'int' object has no attribute"),
        ({"long_context": {"input": "1"}}, "'threshold'"),
    ],
)
def test_a_price_that_cannot_be_read_is_an_error(prices: dict[str, object], message: str) -> None:
    listed = book(**{"a.m": model(("2026-01-01", None, {"in_region": {"default": prices}}))})
    with pytest.raises(PriceBookError, match=rf"price of a\.m: .*{message}"):
        rates_of(listed)


LIST = {
    "a.m": model(
        (
            "2026-01-01",
            "2027-01-01",
            {
                "in_region": {
                    "default": {
                        "input": "1",
                        "output": "2",
                        "cache_read": "0.1",
                        "long_context": {
                            "threshold": 1000,
                            "input": "2",
                            "output": "3",
                            "cache_read": "0.2",
                        },
                        "units": {"search": "0.5", "image": {"small": "0.1", "big": "0.2"}},
                    }
                },
                "geo/us": {"default": {"input": "1.1", "output": "2.2"}},
            },
        ),
        aliases=["b.m"],
        max_input_tokens=5000,
    )
}


def listed() -> PriceBook:
    return book(**LIST)


def contract(
    prices: dict[str, object],
    routing: str = "in_region",
    tier: str = "default",
    name: str = "a.m",
    on: PriceBook | None = None,
) -> PriceBook:
    return (on or listed()).with_overrides({name: {routing: {tier: prices}}})


def test_contract_prices_win_field_by_field() -> None:
    agreed = contract(
        {
            "input": "0.5",
            "output": None,
            "long_context": {"input": "0.9", "output": None},
            "units": {"image": "0.05", "search": None, "page": "1"},
        }
    )
    assert rates_of(agreed) == Rates(
        input=500_000,
        output=2_000_000,
        cache_read=100_000,
        long_context=LongContext(1000, 900_000, 3_000_000, 200_000),
        units={"search": 5 * 10**11, "image": 5 * 10**10, "page": 10**12},
    )
    # Neither other routings nor the list itself change.
    assert rates_of(agreed, "us.a.m") == Rates(1_100_000, 2_200_000)
    assert rates_of(listed()) is not None
    assert rates_of(listed()).input == 1_000_000  # type: ignore[union-attr]


def test_one_size_of_a_contract_leaves_the_others_at_the_list() -> None:
    agreed = contract({"units": {"image/big": "0.15"}})
    found = rates_of(agreed)
    assert found is not None
    assert found.units == {
        "search": 5 * 10**11,
        "image/small": 10**11,
        "image/big": 15 * 10**10,
    }


def test_one_price_of_a_contract_replaces_those_of_all_sizes_and_qualities() -> None:
    sizes = {"image": {"big/premium": "0.2"}, "imagery": "7"}
    rates = {"in_region": {"default": {"units": sizes}}}
    prices = book(**{"a.m": model(("2026-01-01", None, rates))})
    agreed = prices.with_overrides({"a.m": {"in_region": {"default": {"units": {"image": "1"}}}}})
    found = rates_of(agreed)
    assert found is not None
    assert found.units == {"imagery": 7 * 10**12, "image": 10**12}


def test_the_smallest_threshold_is_one_token() -> None:
    found = rates_of(long_context_book(threshold=1))
    assert found is not None
    assert found.long_context == LongContext(1, 2_000_000, 3_000_000)


def test_a_contract_can_price_what_the_list_does_not() -> None:
    new_tier = contract({"input": "0.4", "output": None}, tier="flex")
    assert rates_of(new_tier, tier="flex") == Rates(input=400_000)
    new_routing = contract({"input": "0.4"}, routing="global")
    assert rates_of(new_routing, "global.a.m") == Rates(input=400_000)
    new_model = contract({"input": "3", "output": "4"}, name="c.new")
    assert rates_of(new_model, "c.new") == Rates(3_000_000, 4_000_000)
    assert new_model.card("c.new") == ModelCard("c.new", "chat", None, None, None)
    assert listed().card("c.new") is None
    assert new_model.model_ids() == ("a.m", "c.new")
    assert new_model.profile_ids() == ("a.m", "c.new", "us.a.m")


@pytest.mark.parametrize(
    ("model_id", "mode"),
    [
        ("acme.own-v1", "chat"),
        ("acme.embed-v1", "embedding"),
        ("acme.image-embed-v1", "embedding"),
        ("acme.image-v1", "image_generation"),
        ("stability.own-v1", "image_generation"),
        ("acme.stability.own", "chat"),
    ],
)
def test_the_id_of_a_model_that_the_list_lacks_says_what_it_does(model_id: str, mode: str) -> None:
    assert unlisted_card(model_id) == ModelCard(model_id, mode, None, None, None)


def test_a_contract_holds_beyond_the_days_of_the_list() -> None:
    agreed = contract({"input": "0.5"})
    later = datetime(2027, 6, 1, tzinfo=UTC)
    ref = resolve_model("a.m")
    assert listed().rates(ref, region="us-east-1", at=later) is None
    assert agreed.rates(ref, region="us-east-1", at=later) == Rates(input=500_000)


def test_a_contract_finds_models_by_alias_and_regions_by_name() -> None:
    assert rates_of(contract({"input": "0.5"}, name="b.m")).input == 500_000  # type: ignore[union-attr]
    regional = contract({"input": "0.7"}, routing="in_region/eu-west-1")
    ref = resolve_model("a.m")
    found = regional.rates(ref, region="eu-west-1", at=NOON)
    assert found is not None
    assert (found.input, found.output) == (700_000, 2_000_000)
    assert rates_of(regional) == rates_of(listed())


def test_a_book_under_contract_names_the_contract_in_its_version() -> None:
    one, other = contract({"input": "0.5"}), contract({"input": "0.6"})
    assert listed().version == "test"
    assert one.version == "test+23492cb18d00"
    assert contract({"output": "3", "input": "1"}).version == (
        contract({"input": "1", "output": "3"}).version
    )
    assert one.version != other.version
    assert one.version == contract({"input": "0.5"}).version


def test_contract_books_are_kept_and_without_a_contract_it_is_the_list() -> None:
    prices = listed()
    assert prices.with_overrides({}) is prices
    first, second = contract({"input": "0.5"}, on=prices), contract({"input": "0.6"}, on=prices)
    for n in range(254):
        contract({"input": str(n + 1)}, on=prices)
    assert contract({"input": "0.5"}, on=prices) is first
    contract({"input": "255"}, on=prices)
    # One too many: the oldest goes.
    assert contract({"input": "0.6"}, on=prices) is second
    again = contract({"input": "0.5"}, on=prices)
    assert again is not first
    assert again.version == first.version
    # A book under contract can have a contract of its own.
    assert contract({"input": "0.4"}, on=first).version != first.version


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ({"a.m": {"in_region": {"default": {"input": "cheap"}}}}, r"price of a\.m: 'cheap'"),
        ({"a.m": {"in_region": {"default": {"input": "-1"}}}}, r"price of a\.m: '-1'"),
        ({"a.m": {"in_region": {"flex": {"imput": "1"}}}}, r"price of a\.m: 'imput'"),
        ({"c.m": {"global": {"default": {"input": "x"}}}}, r"price of c\.m: 'x'"),
        ({"a.m": {"geo": {}}}, "'geo' is no routing of the book"),
        ({"a.m": {"regional": {}}}, "'regional' is no routing"),
        (
            {"a.m": {}, "b.m": {}},
            "^contract prices name a model twice, by its id and by an alias$",
        ),
    ],
)
def test_a_contract_that_cannot_be_read_is_an_error(prices: dict[str, Any], message: str) -> None:
    with pytest.raises(PriceBookError, match=message):
        listed().with_overrides(prices)


def test_a_ceiling_prices_every_class_and_says_it_is_no_price() -> None:
    rates = PriceBook.ceiling({"input": "15", "output": "75"})
    assert rates == Rates(
        15_000_000, 75_000_000, 15_000_000, 15_000_000, 15_000_000, published=False
    )
    assert worst_case(rates, 10**6) == (15_000_000, 75_000_000)
    charged = cost(rates, TokenUsage(input=2, output=1, cache_write_1h=1))
    assert charged == Cost(30_000_000, 75_000_000, 15_000_000, 0, priced=False)


def test_without_a_ceiling_there_are_no_rates() -> None:
    assert PriceBook.ceiling(None) is None


@pytest.mark.parametrize(
    "unpriced", [{}, {"input": "1"}, {"input": "1", "output": "-1"}, {"input": "1", "output": None}]
)
def test_a_ceiling_that_cannot_be_read_is_an_error(unpriced: dict[str, Any]) -> None:
    with pytest.raises(PriceBookError, match="ceiling for models without a price"):
        PriceBook.ceiling(unpriced)


def test_base_ids_stand_for_themselves() -> None:
    assert listed().base_id("b.m") == "a.m"
    assert listed().base_id("a.m") == "a.m"
    assert listed().base_id("c.m") == "c.m"
