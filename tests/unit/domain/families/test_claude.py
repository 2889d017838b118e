"""Anthropic Claude."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.families import registry
from tollgate.domain.families.claude import CLAUDE, COMPLETION, MESSAGES, long_context_tokens
from tollgate.domain.prices import TokenUsage

SONNET, OLD = "anthropic.claude-sonnet-4-6", "anthropic.claude-v2:1"


def test_a_message() -> None:
    written = MESSAGES.write("Hi")

    assert written == {
        "anthropic_version": "bedrock-2023-05-31",
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert MESSAGES.with_system({**written, "system": "Be brief."}, "Be kind.") == {
        **written,
        "system": [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be brief."}],
    }


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("Hi", "\n\nHuman: Hi\n\nAssistant:"),
        ("\n\nHuman: Hi\n\nAssistant: Ah,", "\n\nHuman: Hi\n\nAssistant: Ah,"),
        ("\n\nHuman: Hi", "\n\nHuman: \n\nHuman: Hi\n\nAssistant:"),
        ("Hi\n\nAssistant:", "\n\nHuman: Hi\n\nAssistant:\n\nAssistant:"),
    ],
)
def test_a_prompt_of_the_first_models_has_turns(prompt: str, written: str) -> None:
    assert COMPLETION.write(prompt) == {"prompt": written}


def test_the_form_of_a_prompt_is_the_models_and_that_of_a_body_the_bodys() -> None:
    assert registry.text_body(SONNET) is MESSAGES
    assert (
        registry.text_body(OLD) is registry.text_body("anthropic.claude-instant-v1") is COMPLETION
    )
    for given in ({"messages": []}, {"prompt": "Hi"}, {}):
        assert registry.text_body(SONNET, given) is MESSAGES
        # The last models of completions read messages as well.
        assert registry.text_body(OLD, given) is (MESSAGES if "messages" in given else COMPLETION)


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"input_tokens": 4, "output_tokens": 2}, TokenUsage(input=4, output=2)),
        (
            {
                "input_tokens": 0,
                "output_tokens": 0,
                "cache_read_input_tokens": 1,
                "cache_creation_input_tokens": 5,
                "cache_creation": {"ephemeral_1h_input_tokens": 2},
            },
            TokenUsage(input=0, cache_read=1, cache_write_5m=3, cache_write_1h=2),
        ),
        (
            {
                "input_tokens": 4,
                "output_tokens": 2,
                "cache_creation_input_tokens": 5,
                "cache_creation": {"ephemeral_1h_input_tokens": 9},
            },
            TokenUsage(input=4, output=2, cache_write_1h=5),
        ),
        (
            {
                "input_tokens": 4,
                "output_tokens": 2,
                "cache_creation": {"ephemeral_1h_input_tokens": 9},
            },
            TokenUsage(input=4, output=2),
        ),
        (
            {"input_tokens": 4, "output_tokens": 2, "cache_creation_input_tokens": 5},
            TokenUsage(input=4, output=2, cache_write_5m=5),
        ),
        (
            {
                "input_tokens": 4,
                "output_tokens": 2,
                "iterations": [
                    {"type": "compaction", "input_tokens": 100, "output_tokens": 30},
                    {
                        "type": "message",
                        "input_tokens": 4,
                        "output_tokens": 2,
                        "cache_read_input_tokens": 1,
                        "cache_creation_input_tokens": 5,
                        "cache_creation": {"ephemeral_1h_input_tokens": 2},
                    },
                ],
            },
            TokenUsage(input=104, output=32, cache_read=1, cache_write_5m=3, cache_write_1h=2),
        ),
        ({"input_tokens": 4, "output_tokens": 2, "iterations": []}, TokenUsage(4, 2)),
        ({"input_tokens": 4, "output_tokens": 2, "iterations": [{"input_tokens": 4}]}, None),
        ({"input_tokens": 4, "output_tokens": 2, "iterations": ["strange"]}, None),
        ({"input_tokens": 4}, None),
        ({"output_tokens": 2}, None),
        (None, None),
    ],
)
def test_counts(counts: Any, found: TokenUsage | None) -> None:
    assert MESSAGES.answer.usage is not None
    assert MESSAGES.answer.usage({"usage": counts}) == found


@pytest.mark.parametrize(
    ("betas", "tokens"),
    [
        (["context-1m-2025-08-07"], 1_000_000),
        ("context-1m-2025-08-07", 1_000_000),
        (["other", "context-1m-2026-01-01"], 1_000_000),
        (["interleaved-thinking-2025-05-14"], 0),
        (None, 0),
    ],
)
def test_a_beta_makes_the_context_longer(betas: object, tokens: int) -> None:
    assert long_context_tokens({"anthropic_beta": betas}) == tokens
    assert long_context_tokens({}) == 0


ADAPTIVE = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}
BUDGETED = {"thinking": {"type": "enabled", "budget_tokens": 4096}}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("anthropic.claude-v2:1", None),
        ("anthropic.claude-instant-v1", None),
        ("anthropic.claude-3-opus-20240229-v1:0", None),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", None),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", BUDGETED),
        ("anthropic.claude-sonnet-4-20250514-v1:0", BUDGETED),
        ("anthropic.claude-opus-4-5-20251101-v1:0", BUDGETED),
        ("anthropic.claude-sonnet-4-6", ADAPTIVE),
        ("anthropic.claude-opus-5", ADAPTIVE),
        ("anthropic.claude-mythos-preview", ADAPTIVE),
    ],
)
def test_how_a_version_is_told_to_think(model: str, fields: dict[str, Any] | None) -> None:
    assert CLAUDE.effort(model, "medium") == fields


def test_more_effort_is_a_larger_budget() -> None:
    budgets = [
        (CLAUDE.effort("anthropic.claude-sonnet-4-20250514-v1:0", effort) or {})["thinking"]
        for effort in ("low", "medium", "high")
    ]

    assert [budget["budget_tokens"] for budget in budgets] == [1024, 4096, 16384]


@pytest.mark.parametrize(
    ("model", "samplers"),
    [
        ("anthropic.claude-v2:1", 2),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", 2),
        ("anthropic.claude-opus-4-20250514-v1:0", 2),
        ("anthropic.claude-opus-4-1-20250805-v1:0", 1),
        ("anthropic.claude-sonnet-4-6", 1),
        ("anthropic.claude-opus-4-7", 0),
        ("anthropic.claude-sonnet-5", 0),
        ("anthropic.claude-mythos-preview", 0),
    ],
)
def test_how_many_samplers_a_version_takes(model: str, samplers: int) -> None:
    assert CLAUDE.samplers(model) == samplers


@pytest.mark.parametrize(
    ("model", "caches"),
    [
        ("anthropic.claude-instant-v1", False),
        ("anthropic.claude-3-opus-20240229-v1:0", False),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", True),
        ("anthropic.claude-opus-5", True),
        ("anthropic.claude-mythos-preview", True),
    ],
)
def test_where_a_version_caches(model: str, caches: bool) -> None:
    places = ("messages", "system", "tools", "ttl")

    assert CLAUDE.caches_at(model) == (places if caches else ())
