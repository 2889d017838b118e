"""Anthropic Claude: the Messages API, and the text completions of the first models."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tollgate.domain.families.forms import (
    Answer,
    Family,
    MaxTokensField,
    TextBody,
    said_before,
    said_in_blocks,
)
from tollgate.domain.families.openai_format import write_chat
from tollgate.domain.families.reading import count, part
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "bedrock-2023-05-31"
# The beta that lets a model read more than its card says.
_LONG_CONTEXT_BETA = "context-1m"
_LONG_CONTEXT_TOKENS = 1_000_000
# Tokens that a model which thinks within a budget may think, by effort.
_THINKING_TOKENS = {"low": 1024, "medium": 4096, "high": 16384}
# No budget may be smaller.
LEAST_THINKING_TOKENS = _THINKING_TOKENS["low"]
_VERSION = re.compile(r"anthropic\.claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2})(?!\d))?")
_FIRST_THINKING = (3, 7)
_FIRST_ADAPTIVE = (4, 6)


def long_context_tokens(body: Mapping[str, Any]) -> int:
    """The context size that the betas of a body ask for; 0 where they ask for none."""
    asks = _LONG_CONTEXT_BETA in json.dumps(body.get("anthropic_beta"))
    return _LONG_CONTEXT_TOKENS if asks else 0


def _write_messages(prompt: str) -> dict[str, Any]:
    return {"anthropic_version": VERSION, **write_chat(prompt)}


def _write_completion(prompt: str) -> dict[str, Any]:
    # These models answer only to this form; a caller may have written it already.
    if "\n\nHuman:" in prompt and "\n\nAssistant:" in prompt:
        return {"prompt": prompt}
    return {"prompt": f"\n\nHuman: {prompt}\n\nAssistant:"}


def _usage(document: Mapping[str, Any]) -> TokenUsage | None:
    counts = part(document, "usage")
    given, made = count(counts, "input_tokens"), count(counts, "output_tokens")
    if given is None or made is None:
        return None
    written = count(counts, "cache_creation_input_tokens") or 0
    hour = count(part(counts, "cache_creation"), "ephemeral_1h_input_tokens") or 0
    hour = min(hour, written)
    return TokenUsage(
        input=given,
        output=made,
        cache_read=count(counts, "cache_read_input_tokens") or 0,
        cache_write_5m=written - hour,
        cache_write_1h=hour,
    )


# Not among them, as Bedrock has none of it: container, mcp_servers and service_tier.
MESSAGES = TextBody(
    prompt="messages",
    members=frozenset(
        (
            "anthropic_beta",
            "anthropic_version",
            "cache_control",
            "context_management",
            "max_tokens",
            "messages",
            "metadata",
            "output_config",
            "output_format",
            "reasoning_config",
            "stop_sequences",
            "system",
            "temperature",
            "thinking",
            "tool_choice",
            "tools",
            "top_k",
            "top_p",
        )
    ),
    max_tokens=MaxTokensField(("max_tokens",)),
    stop="stop_sequences",
    write=_write_messages,
    system="system",
    with_system=said_in_blocks(type="text"),
    answer=Answer(
        blocks=(("content",),),
        texts=(("delta", "text"),),
        stops=(("stop_reason",), ("delta", "stop_reason")),
        usage=_usage,
    ),
    tools=("tools",),
    media=("document", "image"),
    thinking=("thinking", "reasoning_config"),
)

COMPLETION = TextBody(
    models=("anthropic.claude-instant", "anthropic.claude-v"),
    prompt="prompt",
    members=frozenset(
        (
            "anthropic_version",
            "max_tokens_to_sample",
            "prompt",
            "stop_sequences",
            "temperature",
            "top_k",
            "top_p",
        )
    ),
    max_tokens=MaxTokensField(("max_tokens_to_sample",)),
    stop="stop_sequences",
    write=_write_completion,
    system="prompt",
    with_system=said_before("prompt"),
    answer=Answer(texts=(("completion",),), stops=(("stop_reason",),)),
)


def _read_as(body: Mapping[str, Any]) -> TextBody:
    # The last models of completions read messages as well.
    return MESSAGES if "messages" in body else COMPLETION


def _effort(model_id: str, effort: str) -> dict[str, Any] | None:
    version = _version(model_id)
    if version >= _FIRST_ADAPTIVE:
        # These decide for themselves how much to think, and later ones refuse a budget.
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}
    if version < _FIRST_THINKING:
        return None
    return {"thinking": {"type": "enabled", "budget_tokens": _THINKING_TOKENS[effort]}}


def _version(model_id: str) -> tuple[int, int]:
    """Major and minor version; (0, 0) where the id has none."""
    match = _VERSION.match(model_id)
    if match is not None:
        return int(match[1]), int(match[2] or 0)
    return _FIRST_ADAPTIVE if model_id.startswith("anthropic.claude-mythos") else (0, 0)


CLAUDE = Family(
    name="Claude",
    models=("anthropic.",),
    texts=(COMPLETION, MESSAGES),
    read_as=_read_as,
    cache_marks=("cachePoint", "cache_control"),
    effort=_effort,
)
