"""Deterministic text and token counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scripts.local.stubs import language


@given(st.text(), st.integers(min_value=0, max_value=400))
def test_text_has_exactly_the_tokens_asked_for(seed: str, tokens: int) -> None:
    pieces = language.generate(seed, tokens)
    assert len(pieces) == tokens
    assert language.count_tokens("".join(pieces)) == tokens
    assert pieces == language.generate(seed, tokens)


def test_counting_rule() -> None:
    assert language.count_tokens("What's up, 日本? a_b 12.5") == 11
