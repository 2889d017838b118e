from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.domain.money import PICO_PER_USD, format_usd, round_usd, usd


@pytest.mark.parametrize(
    ("text", "pico"),
    [
        ("0", 0),
        ("12", 12 * PICO_PER_USD),
        ("0.00000276", 2_760_000),
        ("-0.5", -500_000_000_000),
        ("0.000000000001", 1),
        ("123456789012.000000000001", 123_456_789_012_000_000_000_001),
    ],
)
def test_amounts_convert_exactly_both_ways(text: str, pico: int) -> None:
    assert usd(text) == pico
    assert format_usd(pico) == text


@pytest.mark.parametrize("text", ["", ".5", "5.", "1e-6", "+1", "1,000", " 1", "1 ", "NaN", "٣"])
def test_text_that_is_not_a_plain_amount_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount in USD") as refused:
        usd(text)
    assert repr(text) in str(refused.value)


def test_more_than_twelve_decimals_are_refused_rather_than_rounded() -> None:
    with pytest.raises(ValueError, match=r"'0\.0000000000001' has 13 decimals"):
        usd("0.0000000000001")


def test_trailing_zeros_are_not_written() -> None:
    assert format_usd(usd("1.500000")) == "1.5"
    assert format_usd(usd("10.000")) == "10"


@pytest.mark.parametrize(
    ("text", "decimals", "rounded"),
    [
        ("0.02697696", 5, "0.02698"),
        ("0.0009892", 5, "0.00099"),
        ("0.057375", 5, "0.05738"),
        ("0.5", 0, "1"),
        ("-0.5", 0, "-1"),
        ("1.004", 2, "1"),
        ("-0.001", 2, "0"),
        ("0.000000000001", 12, "0.000000000001"),
    ],
)
def test_rounding_is_half_up_without_trailing_zeros(text: str, decimals: int, rounded: str) -> None:
    assert round_usd(usd(text), decimals) == rounded


@pytest.mark.parametrize("decimals", [-1, 13])
def test_decimals_outside_picodollars_are_refused(decimals: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 12"):
        round_usd(1, decimals)


@given(st.integers(min_value=-(10**30), max_value=10**30))
def test_every_amount_survives_being_written_and_read(pico: int) -> None:
    assert usd(format_usd(pico)) == pico


@given(st.integers(min_value=-(10**20), max_value=10**20), st.integers(0, 12))
def test_rounding_agrees_with_decimal(pico: int, decimals: int) -> None:
    expected = Decimal(pico).scaleb(-12).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    assert Decimal(round_usd(pico, decimals)) == expected
