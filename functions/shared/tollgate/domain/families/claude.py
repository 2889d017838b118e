"""Anthropic Claude: the Messages API, and the text completions of the first models."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import TYPE_CHECKING, Any

from tollgate.domain.answers import token_usage
from tollgate.domain.families.forms import (
    Answer,
    Family,
    MaxTokensField,
    TextBody,
    anything,
    said_before,
    said_in_blocks,
    within,
)
from tollgate.domain.families.openai_format import write_chat
from tollgate.domain.families.reading import counted, part
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
_FIRST_CACHE = (3, 5)
_FIRST_WITH_ONE_SAMPLER = (4, 1)
_FIRST_WITHOUT_SAMPLERS = (4, 7)
_NEWEST = "anthropic.claude-mythos"


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
    passes = counts.get("iterations")
    if not isinstance(passes, list) or not passes:
        return _counts(counts)
    # An answer that compacted what it read says by the pass what it used, and at the top only what
    # the last of them did.
    total = TokenUsage()
    for each in passes:
        used = _counts(each) if isinstance(each, dict) else None
        if used is None:
            return None
        total = TokenUsage(
            input=total.input + used.input,
            output=total.output + used.output,
            cache_read=total.cache_read + used.cache_read,
            cache_write_5m=total.cache_write_5m + used.cache_write_5m,
            cache_write_1h=total.cache_write_1h + used.cache_write_1h,
        )
    return total


def _counts(counts: Mapping[str, Any]) -> TokenUsage | None:
    written = counts.get("cache_creation_input_tokens")
    hour = part(counts, "cache_creation").get("ephemeral_1h_input_tokens")
    return token_usage(
        counts.get("input_tokens"),
        counts.get("output_tokens"),
        counts.get("cache_read_input_tokens"),
        written,
        min(counted(hour) or 0, counted(written) or 0),
    )


# Says how an answer is streamed, and nothing else.
STREAMING_BETA = "fine-grained-tool-streaming-2025-05-14"
# The betas that change no bill, or whose bill is held: a longer context is, and so are the tools of
# a computer. The others are refused, such as those of compaction and of tools that run elsewhere.
# Which models have a beta is Bedrock's to say.
BETAS = (
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dev-full-thinking-2025-05-14",
    "effort-2025-11-24",
    STREAMING_BETA,
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "token-efficient-tools-2025-02-19",
    "tool-examples-2025-10-29",
    "tool-search-tool-2025-10-19",
)
# Tools that the caller runs. What the provider runs it bills beyond what a request bounds.
_TOOL_TYPES = ("bash_*", "computer_*", "custom", "memory_*", "text_editor_*")
_BLOCK_TYPES = (
    "document",
    "image",
    "redacted_thinking",
    "search_result",
    "text",
    "thinking",
    "tool_reference",
    "tool_result",
    "tool_use",
)
_CACHE_MARK = ("ttl", "type")
_THINKING_TYPES = ("adaptive", "disabled", "enabled")
# The members of a content block. Not among them: locations.
_BLOCK = (
    frozenset(
        (
            "context",
            "data",
            "id",
            "is_error",
            "name",
            "signature",
            "text",
            "thinking",
            "title",
            "tool_name",
            "tool_use_id",
            "type",
        )
    )
    | within("cache_control", *_CACHE_MARK)
    | within("source", "data", "media_type", "type")
    # What an answer said of itself, and what a tool was called with, come back as they were.
    | anything("caller", "citations", "input")
)
# Blocks have blocks in them: a document within a result of a tool has its own.
_BLOCK_PLACES = tuple(
    ".".join(("messages.content", *inner))
    for depth in range(3)
    for inner in product(("content", "source.content"), repeat=depth)
)

# What Converse has no place of its own for. Tools are those with a type.
_FIELDS = (
    frozenset(("anthropic_beta", "top_k"))
    | within("context_management", "edits")
    | within(
        "context_management.edits",
        "clear_at_least",
        "clear_tool_inputs",
        "exclude_tools",
        "keep",
        "trigger",
        "type",
    )
    | within("context_management.edits.clear_at_least", "type", "value")
    | within("context_management.edits.keep", "type", "value")
    | within("context_management.edits.trigger", "type", "value")
    | within("metadata", "user_id")
    | within("output_config", "effort", "format")
    | within("output_config.format", "name", "schema", "type")
    | anything("output_config.format.schema", "tools.input_examples", "tools.input_schema")
    | within("reasoning_config", "budget_tokens", "type")
    | within("thinking", "budget_tokens", "display", "type")
    | within("tool_choice", "disable_parallel_tool_use", "name", "type")
    | within(
        "tools",
        "allowed_callers",
        "cache_control",
        "defer_loading",
        "description",
        "display_height_px",
        "display_number",
        "display_width_px",
        "eager_input_streaming",
        "enable_zoom",
        "input_examples",
        "input_schema",
        "max_characters",
        "name",
        "strict",
        "type",
    )
    | within("tools.cache_control", *_CACHE_MARK)
)

# Not among them: container, mcp_servers, speed and service_tier.
MESSAGES = TextBody(
    prompt="messages",
    members=_FIELDS
    | {"anthropic_version", "max_tokens", "stop_sequences", "temperature", "top_p"}
    | within("cache_control", *_CACHE_MARK)
    | within("messages", "content", "role")
    | {member for place in _BLOCK_PLACES for member in within(place, *_BLOCK)}
    | within("output_format", "name", "schema", "type")
    | anything("output_format.schema", "system.citations")
    | within("system", "cache_control", "text", "type")
    | within("system.cache_control", *_CACHE_MARK),
    fields=_FIELDS,
    values={
        "anthropic_beta": BETAS,
        "context_management.edits.type": ("clear_*",),
        **{f"{place}.type": _BLOCK_TYPES for place in _BLOCK_PLACES},
        **{f"{place}.source.type": ("base64", "content", "text") for place in _BLOCK_PLACES},
        "system.type": ("text",),
        "output_config.format.type": ("json_schema",),
        "output_format.type": ("json_schema",),
        "reasoning_config.type": _THINKING_TYPES,
        "thinking.type": _THINKING_TYPES,
        "tool_choice.type": ("any", "auto", "none", "tool"),
        "tools.allowed_callers": ("direct",),
        "tools.type": _TOOL_TYPES,
    },
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
    fields=frozenset(("top_k",)),
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


def _caches_at(model_id: str) -> tuple[str, ...]:
    return () if _version(model_id) < _FIRST_CACHE else ("messages", "system", "tools", "ttl")


def _samplers(model_id: str) -> int:
    version = _version(model_id)
    if version >= _FIRST_WITHOUT_SAMPLERS or model_id.startswith(_NEWEST):
        return 0
    return 1 if version >= _FIRST_WITH_ONE_SAMPLER else 2


def _version(model_id: str) -> tuple[int, int]:
    """Major and minor version; (0, 0) where the id has none."""
    match = _VERSION.match(model_id)
    if match is not None:
        return int(match[1]), int(match[2] or 0)
    return _FIRST_ADAPTIVE if model_id.startswith(_NEWEST) else (0, 0)


# Anthropic's count of "Hello, world", three tokens, is 10; that of a message of two words with a
# system's text of four is 14. Eight times the markers of both.
_FRAMING_TOKENS = 64

CLAUDE = Family(
    name="Claude",
    models=("anthropic.",),
    texts=(COMPLETION, MESSAGES),
    read_as=_read_as,
    cache_marks=("cachePoint", "cache_control"),
    framing=(("anthropic.claude-", _FRAMING_TOKENS),),
    effort=_effort,
    caches_at=_caches_at,
    samplers=_samplers,
)
