"""What a call of the Bedrock stub is billed for, and the most that it could be billed for.

A stub bills what its answers have, as a model that says little would. One that is asked for the
worst case (`BedrockStub(worst_case=True)`) bills the most that the same body allows, as a model
might too: a token for every byte of the input, the whole context where there is media, everything
written to the cache that is marked for it, every answer as long as it may be, every use of every
tool. Its texts stay short: what a model thinks, nobody sees.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.language import count_tokens, most_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts.local.stubs.bedrock.catalogue import Target
    from scripts.local.stubs.bedrock.demands import Demand
    from scripts.local.stubs.calls import Call

MOST_CONTEXT_TOKENS = 1_000_000
CHARACTERS_PER_TOKEN = 128
"""The longest entry of a vocabulary: a run of spaces."""
COMPACTED_TOKENS = 100
READ_BY_TOOLS_TOKENS = 1_000
TOOL_PROMPT_TOKENS = 530
"""What Anthropic says that a model reads where there are tools, by the model that reads most."""

# The members that a model reads, those that it reads as JSON, also within a message, and those of
# a message that it does not read: whose turn it is, marks, and media.
_READ = frozenset(
    ("chat_history", "documents", "inputText", "inputs", "message", "messages", "preamble")
    + ("prompt", "search_queries", "system", "texts", "tool_results")
)
_AS_THEY_STAND = frozenset(
    ("mcp_servers", "outputConfig", "output_config", "output_format", "response_format")
    + ("toolConfig", "tools")
)
_WITHIN_AS_THEY_STAND = frozenset(("input", "json"))
_UNREAD = frozenset(
    ("bytes", "cachePoint", "cache_control", "data", "format", "id", "role", "toolUseId")
    + ("tool_use_id", "type")
)


def charge(call: Call, demand: Demand) -> None:
    """Note on a call all that its body asks for besides one answer."""
    call.answers = demand.answers
    call.extra_output = count_tokens(demand.predicted)
    call.tier = demand.tier or call.tier
    call.speed = "fast" if demand.is_fast else "standard"
    if demand.tool_uses:
        call.units = {**call.units, **dict.fromkeys(demand.tool_uses, 1)}
        call.input_tokens += READ_BY_TOOLS_TOKENS * len(demand.tool_uses)
    call.passes = [
        {"inputTokens": call.input_tokens, "outputTokens": COMPACTED_TOKENS}
        for trigger in demand.compactions
        if call.input_tokens >= trigger
    ]


def charge_worst(call: Call, demand: Demand, target: Target, body: Mapping[str, Any]) -> None:
    """Note on a call the most that its body may be billed for."""
    context = demand.context or MOST_CONTEXT_TOKENS
    call.input_tokens = max(call.input_tokens, most_input_tokens(body))
    if demand.has_media or demand.tool_uses:
        call.input_tokens = max(call.input_tokens, context)
    call.most_output = demand.max_tokens or target.model.max_output_tokens or context
    call.extra_output = most_tokens(demand.predicted)
    if demand.is_spoken:
        call.units = {**call.units, "audio_token": call.most_output}
    call.units = {**call.units, **demand.tool_uses}
    call.cache = demand.cache
    summary = target.model.max_output_tokens or call.most_output
    call.passes = [
        {"inputTokens": call.input_tokens, "outputTokens": summary} for _ in demand.compactions
    ]


def most_input_tokens(body: Mapping[str, Any]) -> int:
    """The most tokens that the text of a body can have: one for each byte, and the model's own."""
    total = sum(map(most_tokens, _texts(body)))
    has_tools = bool(body.get("tools") or body.get("toolConfig"))
    return total + (TOOL_PROMPT_TOKENS if has_tools else 0)


def whole_text(body: Mapping[str, Any]) -> str:
    """All text of a body, as a guardrail may read it."""
    return "\n".join(_texts(body))


def most_characters(call: Call) -> int:
    """The most characters that the answers of a call may have; 0 where it is not the worst case."""
    return (call.most_output or 0) * call.answers * CHARACTERS_PER_TOKEN


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    """What a model may read of a body: its texts, and tools and schemas as they stand."""
    for name, value in body.items():
        if name == "additionalModelRequestFields" and isinstance(value, dict):
            yield from _texts(value)
        elif name in _AS_THEY_STAND:
            yield _json(value)
        elif name in _READ:
            yield from _said(value)


def _said(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in _WITHIN_AS_THEY_STAND:
                yield _json(item)
            elif key not in _UNREAD:
                yield from _said(item)
    elif isinstance(value, list):
        for item in value:
            yield from _said(item)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
