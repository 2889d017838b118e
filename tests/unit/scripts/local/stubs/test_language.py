"""Deterministic text and token counts."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from scripts.local.stubs import language


@given(st.text(), st.integers(min_value=0, max_value=400))
def test_text_has_exactly_the_tokens_asked_for(seed: str, tokens: int) -> None:
    pieces = language.generate(seed, tokens)
    assert len(pieces) == tokens
    assert language.count_tokens("".join(pieces)) == tokens
    assert pieces == language.generate(seed, tokens)


@given(st.lists(st.text(), min_size=1, max_size=4), st.text())
def test_a_request_has_at_most_as_many_tokens_as_bytes(texts: list[str], system: str) -> None:
    request = {
        "messages": [{"role": "user", "content": [{"text": text}]} for text in texts],
        "system": [{"text": system}],
    }
    size = len(json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert language.request_tokens(request) <= size


def test_counting_rule() -> None:
    assert language.count_tokens("What's up, 日本? a_b 12.5") == 11


def test_media_and_cache_points() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "A" * 5_000}}}
    request = {
        "messages": [
            {
                "role": "user",
                "content": [{"text": "See"}, image, {"cachePoint": {"type": "default"}}],
            }
        ]
    }
    assert language.request_tokens(request) == 3 + 1 + language.MEDIA_TOKENS


def test_last_user_text() -> None:
    request = {
        "messages": [
            {"role": "user", "content": [{"text": "first"}]},
            {"role": "assistant", "content": [{"text": "answer"}]},
            {"role": "user", "content": [{"text": "one"}, {"text": "two"}]},
        ]
    }
    assert language.last_user_text(request) == "one\ntwo"
    assert language.last_user_text({"messages": []}) == ""
