"""AI21 Labs."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.families import registry
from tollgate.domain.families.ai21 import JAMBA, JURASSIC
from tollgate.domain.prices import TokenUsage


def test_each_generation_has_its_body() -> None:
    assert registry.text_body("ai21.j2-mid-v1") is JURASSIC
    assert registry.text_body("ai21.jamba-1-5-mini-v1:0") is JAMBA
    assert JURASSIC.write("Hi") == {"prompt": "Hi"}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (
            {
                "prompt": {"tokens": [1, 2, 3]},
                "completions": [{"data": {"tokens": [1, 2]}}, {"data": {"tokens": [1]}}],
            },
            TokenUsage(input=3, output=3),
        ),
        ({"prompt": {"tokens": []}, "completions": []}, TokenUsage(input=0)),
        (
            {"prompt": {"tokens": [1]}, "completions": [{"data": {"tokens": []}}]},
            TokenUsage(input=1),
        ),
        (
            {"prompt": {"tokens": [1]}, "completions": [{"data": {"tokens": [1]}}, {"data": {}}]},
            None,
        ),
        ({"prompt": {"tokens": 3}, "completions": []}, None),
        ({"prompt": {"tokens": [1]}, "completions": None}, None),
        ({"prompt": "Hi", "completions": []}, None),
    ],
)
def test_tokens_are_counted_where_all_are_listed(
    document: dict[str, Any], found: TokenUsage | None
) -> None:
    assert JURASSIC.answer.usage is not None
    assert JURASSIC.answer.usage(document) == found
