"""Upper bounds of cost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.world import tenant
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.holds import (
    DEFAULT_MAX_TOKENS,
    chat_bound,
    chat_input_tokens,
    max_tokens_of,
)
from tollgate.domain.prices import ModelCard, Rates

CARD = ModelCard("m.x", "chat", max_input_tokens=8000, max_output_tokens=1000, end_of_life=None)
BARE = ModelCard("m.x", "chat", max_input_tokens=None, max_output_tokens=None, end_of_life=None)
RATES = Rates(input=3, output=10, cache_read=1, cache_write_5m=4, cache_write_1h=6)


def chat(text: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}]}


@pytest.mark.parametrize(
    ("requested", "default", "maximum", "expected"),
    [
        (None, None, None, 1000),
        (None, 300, None, 300),
        (None, 5000, None, 1000),
        (None, 300, 200, 200),
        (700, 300, None, 700),
        (1000, None, 1000, 1000),
    ],
)
def test_max_tokens(
    requested: int | None, default: int | None, maximum: int | None, expected: int
) -> None:
    policy = tenant(default_max_tokens=default, maximum_max_tokens=maximum)

    assert max_tokens_of(requested, policy, CARD) == expected


def test_max_tokens_without_any_figure_is_the_gateways() -> None:
    assert max_tokens_of(None, tenant(), BARE) == DEFAULT_MAX_TOKENS


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        (0, "maxTokens is 0; allowed is 1 or more"),
        (1001, "maxTokens is 1001; allowed is at most 1000, the model's maximum"),
        (501, "maxTokens is 501; allowed is at most 500, the tenant's maximum"),
    ],
)
def test_max_tokens_outside_its_range_is_refused(requested: int, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        max_tokens_of(requested, tenant(maximum_max_tokens=500 if requested == 501 else None), CARD)


@given(st.lists(st.text(st.characters()), min_size=1, max_size=5))
def test_the_input_bound_is_at_least_every_byte_of_text(texts: list[str]) -> None:
    request = {"messages": [{"role": "user", "content": [{"text": text} for text in texts]}]}

    size = sum(len(text.encode(errors="surrogatepass")) for text in texts)
    assert chat_input_tokens(request, CARD) >= size


def test_tools_and_messages_add_their_framing() -> None:
    plain = chat_input_tokens(chat("hi"), CARD)
    tools = chat_input_tokens({**chat("hi"), "toolConfig": {"tools": []}}, CARD)
    two = {"messages": chat("hi")["messages"] * 2}  # type: ignore[operator]

    assert tools > plain + 1000
    assert chat_input_tokens(two, CARD) > plain + 16


def test_media_are_bounded_by_the_context_size() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x00"}}}
    request = {"messages": [{"role": "user", "content": [image]}]}

    assert chat_input_tokens(request, CARD) == 8000
    with pytest.raises(InvalidRequestError, match="context size"):
        chat_input_tokens(request, BARE)


def test_a_hold_prices_all_input_at_the_dearest_rate() -> None:
    bound = chat_bound(100, 50, RATES)

    assert bound.usd == 100 * 6 + 50 * 10
    assert bound.tokens == 150


@given(st.integers(0, 10**6), st.integers(1, 10**4))
def test_what_is_called_affordable_fits_and_one_more_does_not(room: int, tokens: int) -> None:
    bound = chat_bound(tokens, 100, RATES)

    affordable = bound.affordable_max_tokens(room)

    if affordable:
        assert chat_bound(tokens, affordable, RATES).usd <= room
    assert chat_bound(tokens, affordable + 1, RATES).usd > room


def test_free_output_is_affordable_when_the_input_is() -> None:
    bound = chat_bound(10, 50, Rates(input=2, output=0))

    assert bound.affordable_max_tokens(20) == 50
    assert bound.affordable_max_tokens(19) == 0


def test_unicode_counts_in_bytes_not_escapes() -> None:
    text = "價" * 100

    assert chat_input_tokens(chat(text), CARD) < len(json.dumps(text))
    assert chat_input_tokens(chat(text), CARD) >= 300
