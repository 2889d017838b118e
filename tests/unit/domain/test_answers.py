"""What a model service answered, made fit to hand on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.domain.answers import (
    MAX_DEPTH,
    MAX_WORD,
    UnreadableAnswerError,
    converse_usage,
    counted,
    header_count,
    read_json,
    readable,
    token_usage,
    whole_text,
    word,
)
from tollgate.domain.families.reading import MOST_COUNTED
from tollgate.domain.prices import TokenUsage


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", ""),
        ("plain", "plain"),
        ("é\N{GRINNING FACE}", "é\N{GRINNING FACE}"),
        ("a\ud83d", "a\ufffd"),
        ("\ude00b", "\ufffdb"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
    ],
)
def test_half_of_a_character_is_replaced(text: str, whole: str) -> None:
    assert whole_text(text) == whole
    assert readable({text: [text, {"a": text}], "b": 1}) == {whole: [whole, {"a": whole}], "b": 1}
    assert word(text) == whole


@given(st.text())
def test_text_that_is_whole_stays_as_it_is(text: str) -> None:
    assert whole_text(text) == text


@given(st.text(st.characters(categories=["Cs", "L"])))
def test_any_text_can_be_encoded_once_it_is_whole(text: str) -> None:
    assert whole_text(text).encode().decode() == whole_text(text)


def nested(levels: int, kinds: str) -> Any:
    """A number in so many lists and objects, which follow each other as the letters l and o do."""
    value: Any = 1.5
    for level in range(levels):
        value = {"a": value} if kinds[level % len(kinds)] == "o" else [value]
    return value


@pytest.mark.parametrize("kinds", ["l", "o", "lo"])
def test_an_answer_has_so_many_levels_and_no_more(kinds: str) -> None:
    assert readable(nested(MAX_DEPTH, kinds)) == nested(MAX_DEPTH, kinds)
    with pytest.raises(UnreadableAnswerError, match="nested more than 128 levels deep"):
        readable(nested(MAX_DEPTH + 1, kinds))


@pytest.mark.parametrize("value", [None, True, 1, 1.5, b"\x00", [], {}, [1.5, 2, None, b"a"]])
def test_what_is_no_text_stays_as_it_is(value: Any) -> None:
    assert readable(value) == value


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_what_is_not_json_is_told_without_quoting_it(data: bytes) -> None:
    with pytest.raises(UnreadableAnswerError, match=r"^is not JSON$"):
        read_json(data)


def test_json_is_read_with_whole_text() -> None:
    assert read_json(rb'{"a": ["\ud83d"]}') == {"a": ["\ufffd"]}
    assert read_json(b'{"a": "\xed\xa0\x80"}') == {"a": "\ufffd"}


def test_a_word_has_room_in_a_row() -> None:
    assert word("x" * (MAX_WORD + 1)) == "x" * MAX_WORD
    assert [word(value) for value in (None, 1, True, ["end"], {})] == [None] * 5


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        (7, 7),
        (MOST_COUNTED, MOST_COUNTED),
        (MOST_COUNTED + 1, None),
        (-1, None),
        (True, None),
        (False, None),
        (1.0, None),
        ("7", None),
        (None, None),
        ([1], None),
    ],
)
def test_a_count_is_a_whole_number_of_tokens(value: object, count: int | None) -> None:
    assert counted(value) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7", 7),
        ("0", 0),
        (str(MOST_COUNTED), MOST_COUNTED),
        ("9" * 5000, None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_a_header_counts_in_digits(text: str | None, count: int | None) -> None:
    assert counted(header_count(text)) == count


def test_what_is_said_of_the_cache_may_be_nothing_but_not_something_odd() -> None:
    assert token_usage(1, 2, None, None, None) == TokenUsage(1, 2)
    assert token_usage(1, 2, 3, 9, 4) == TokenUsage(1, 2, 3, 5, 4)
    assert token_usage(1, 2, 3, 4, 4) == TokenUsage(1, 2, 3, 0, 4)
    for odd in (
        (None, 2, 3, 4, 4),
        (1, None, 3, 4, 4),
        (1, 2, "3", 4, 4),
        (1, 2, 3, -4, 0),
        (1, 2, 3, 4, True),
        # More for an hour than was written at all.
        (1, 2, 3, 4, 5),
    ):
        assert token_usage(*odd) is None


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({"inputTokens": 1, "outputTokens": 2}, TokenUsage(1, 2)),
        (
            {
                "inputTokens": 1,
                "outputTokens": 2,
                "cacheReadInputTokens": 3,
                "cacheWriteInputTokens": 9,
                "cacheDetails": [
                    {"ttl": "1h", "inputTokens": 4},
                    {"ttl": "5m", "inputTokens": 5},
                ],
            },
            TokenUsage(1, 2, 3, 5, 4),
        ),
        ({"inputTokens": 1}, None),
        ({"outputTokens": 1}, None),
        ({"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokens": "x"}, None),
        ({"inputTokens": 1, "outputTokens": 2, "cacheDetails": "x"}, None),
        ({"inputTokens": 1, "outputTokens": 2, "cacheDetails": ["x"]}, None),
        ({"inputTokens": 1, "outputTokens": 2, "cacheDetails": [{"ttl": "1h"}]}, None),
        ({"inputTokens": 1, "outputTokens": 2, "cacheDetails": [{}]}, TokenUsage(1, 2)),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)
def test_converse_counts_all_or_nothing(usage: object, found: TokenUsage | None) -> None:
    assert converse_usage(usage) == found


# As OpenAI's models were seen to count on ConverseStream: 12,401 = 8,367 + 4,032 + 2.
INCLUSIVE = {
    "inputTokens": 12_399,
    "outputTokens": 2,
    "totalTokens": 12_401,
    "cacheReadInputTokens": 4_032,
}
EXCLUSIVE = {**INCLUSIVE, "inputTokens": 8_367}


@pytest.mark.parametrize("usage", [INCLUSIVE, EXCLUSIVE])
def test_the_sum_of_all_tokens_tells_whether_the_input_has_those_of_the_cache(
    usage: dict[str, Any],
) -> None:
    counts = TokenUsage(input=8_367, output=2, cache_read=4_032)

    assert converse_usage(usage, includes_cached=True) == counts


@pytest.mark.parametrize(
    "usage",
    [
        {**INCLUSIVE, "totalTokens": 16_433},
        {**INCLUSIVE, "totalTokens": None},
        {**INCLUSIVE, "cacheReadInputTokens": 12_400},
    ],
)
def test_counts_of_which_the_sum_tells_nothing_stay_as_they_are(usage: dict[str, Any]) -> None:
    found = converse_usage(usage, includes_cached=True)

    assert found is not None
    assert (found.input, found.cache_read) == (12_399, usage["cacheReadInputTokens"])


def test_other_families_count_the_cache_beside_the_input_whatever_the_sum() -> None:
    found = converse_usage(INCLUSIVE)

    assert found is not None
    assert (found.input, found.cache_read) == (12_399, 4_032)


def test_writes_that_the_input_has_as_well_are_taken_out_of_it_too() -> None:
    usage = {
        "inputTokens": 100,
        "outputTokens": 5,
        "totalTokens": 105,
        "cacheReadInputTokens": 20,
        "cacheWriteInputTokens": 80,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 30}],
    }

    assert converse_usage(usage, includes_cached=True) == TokenUsage(0, 5, 20, 50, 30)
