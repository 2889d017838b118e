"""Settings that Claude's models refuse, and ids for which nothing is counted.

Each rule has two requests beside each other: the one breaks it, the other keeps it by a hair.
"""

from __future__ import annotations

from typing import Any

import pytest

from scripts.local.stubs.bedrock.requests import validate_count
from scripts.local.stubs.errors import ServiceError
from tests.unit.scripts.local.stubs.bedrock.asked import (
    CATALOGUE,
    HAIKU_4_5,
    LLAMA,
    NOVA,
    OPUS_4_8,
    SONNET_3_7,
    SONNET_4,
    SONNET_4_6,
    fields,
    text,
    thinking,
    told,
    tools,
    turns,
)


@pytest.mark.parametrize(
    ("model_id", "words", "offence", "neighbour"),
    [
        (
            HAIKU_4_5,
            "invalid beta flag",
            fields(anthropic_beta=["files-api-2025-04-14"]),
            fields(anthropic_beta=["context-1m-2025-08-07"]),
        ),
        (HAIKU_4_5, "invalid beta flag", fields(anthropic_beta="context-1m-2025-08-07"), {}),
        (
            HAIKU_4_5,
            "cannot both be specified",
            {"inferenceConfig": {"temperature": 0.5, "topP": 0.9}},
            {"inferenceConfig": {"temperature": 0.5}},
        ),
        (
            HAIKU_4_5,
            "cannot both be specified",
            {"inferenceConfig": {"temperature": 0.5}, **fields(top_p=0.9)},
            {"inferenceConfig": {"topP": 0.5}},
        ),
        (HAIKU_4_5, "greater than or equal to 1024", thinking(1023), thinking(1024)),
        (HAIKU_4_5, "must be greater than", thinking(1024, 1024), thinking(1024, 1025)),
        (
            HAIKU_4_5,
            "may only be set to 1",
            thinking(temperature=0.9),
            thinking(temperature=1),
        ),
        (HAIKU_4_5, "`top_p` must be", thinking(topP=0.94), thinking(topP=0.95)),
        (
            HAIKU_4_5,
            "forces tool use",
            {**thinking(), **tools(toolChoice={"any": {}})},
            {**thinking(), **tools(toolChoice={"auto": {}})},
        ),
        (HAIKU_4_5, "adaptive thinking is not supported", thinking(None), thinking()),
        (SONNET_4_6, "may only be set to 1", thinking(None, temperature=0.5), thinking(None)),
        (OPUS_4_8, "is not supported for this model", thinking(), thinking(None)),
        (
            OPUS_4_8,
            "`temperature` is deprecated",
            {"inferenceConfig": {"temperature": 0}},
            {"inferenceConfig": {"temperature": 1}},
        ),
        (OPUS_4_8, "`top_k` is deprecated", fields(top_k=5), {}),
        (
            "anthropic.claude-v2:1",
            "Extra inputs are not permitted",
            thinking(),
            fields(thinking={"type": "disabled"}),
        ),
        (
            SONNET_3_7,
            "must be greater than",
            {
                **thinking(1024, 1024),
                **fields(
                    thinking={"type": "enabled", "budget_tokens": 1024},
                    anthropic_beta=["interleaved-thinking-2025-05-14"],
                ),
            },
            thinking(1024, 1025),
        ),
    ],
)
def test_settings_of_claude(
    model_id: str, words: str, offence: dict[str, Any], neighbour: dict[str, Any]
) -> None:
    assert words in (told(offence, model_id) or "")
    assert told(neighbour, model_id) is None


def test_older_models_take_both_samplers() -> None:
    both = {"inferenceConfig": {"temperature": 0.5, "topP": 0.9}}

    assert told(both, SONNET_4) is None
    assert told(both, NOVA) is None


def test_with_interleaved_thinking_the_budget_may_exceed_the_maximum() -> None:
    asked = {
        "inferenceConfig": {"maxTokens": 1024},
        **fields(
            thinking={"type": "enabled", "budget_tokens": 100_000},
            anthropic_beta=["interleaved-thinking-2025-05-14"],
        ),
    }

    assert told(asked, SONNET_4) is None


@pytest.mark.parametrize(
    ("model_id", "counts"),
    [
        ("anthropic.claude-haiku-4-5-20251001-v1:0", True),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-haiku-20241022-v1:0",
            True,
        ),
        (HAIKU_4_5, False),
        (f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{HAIKU_4_5}", False),
        ("anthropic.claude-3-opus-20240229-v1:0", False),
        (NOVA, False),
        (LLAMA, False),
    ],
)
def test_which_ids_count_tokens(model_id: str, counts: bool) -> None:
    found = CATALOGUE.find(model_id, on_demand=False)
    assert found is not None
    given = {"converse": {"messages": turns([text()])}}
    if counts:
        validate_count(given, model_id, found)
        return
    with pytest.raises(ServiceError, match="doesn't support counting tokens"):
        validate_count(given, model_id, found)


def test_what_is_counted_is_checked_as_what_is_sent() -> None:
    model_id = HAIKU_4_5.removeprefix("us.")
    found = CATALOGUE.find(model_id, on_demand=False)
    assert found is not None
    with pytest.raises(ServiceError, match="is blank"):
        validate_count({"converse": {"messages": turns([text(" ")])}}, model_id, found)
