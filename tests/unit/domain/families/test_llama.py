"""Meta Llama."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.families.llama import TEXT
from tollgate.domain.prices import TokenUsage


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"prompt_token_count": 4, "generation_token_count": 2}, TokenUsage(input=4, output=2)),
        ({"prompt_token_count": 0, "generation_token_count": 0}, TokenUsage(input=0)),
        ({"prompt_token_count": 4, "generation_token_count": None}, None),
        ({"prompt_token_count": None, "generation_token_count": 2}, None),
    ],
)
def test_counts(document: dict[str, Any], found: TokenUsage | None) -> None:
    assert TEXT.answer.usage is not None
    assert TEXT.answer.usage(document) == found
