"""Amazon Nova."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.families.nova import CANVAS, NOVA, TEXT
from tollgate.domain.prices import TokenUsage


def test_a_prompt() -> None:
    written = TEXT.write("Hi")

    assert written == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    assert TEXT.with_system({**written, "system": "Be brief."}, "Be kind.") == {
        **written,
        "system": [{"text": "Be kind."}, {"text": "Be brief."}],
    }


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"inputTokens": 4, "outputTokens": 2}, TokenUsage(input=4, output=2)),
        (
            {
                "inputTokens": 4,
                "outputTokens": 0,
                "cacheReadInputTokens": 1,
                "cacheWriteInputTokens": 3,
            },
            TokenUsage(input=4, cache_read=1, cache_write_5m=3),
        ),
        (
            {
                "inputTokens": 0,
                "outputTokens": 2,
                "cacheReadInputTokenCount": 5,
                "cacheWriteInputTokenCount": 6,
            },
            TokenUsage(input=0, output=2, cache_read=5, cache_write_5m=6),
        ),
        ({"inputTokens": 4}, None),
        ({"outputTokens": 2}, None),
        ("many", None),
    ],
)
def test_counts(counts: Any, found: TokenUsage | None) -> None:
    assert TEXT.answer.usage is not None
    assert TEXT.answer.usage({"usage": counts}) == found


def test_canvas_reads_titans_images() -> None:
    assert CANVAS.asked({"imageGenerationConfig": {"numberOfImages": 2}})[0] == 2


def test_only_the_second_generation_is_told_how_much_to_think() -> None:
    assert NOVA.effort("amazon.nova-lite-v1:0", "low") is None
    assert NOVA.effort("amazon.nova-2-lite-v1:0", "low") == {
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}
    }


def test_every_version_caches_what_is_said_and_no_tools() -> None:
    for model in ("amazon.nova-micro-v1:0", "amazon.nova-2-lite-v1:0"):
        assert NOVA.caches_at(model) == ("messages", "system")
