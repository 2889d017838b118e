"""Anthropic's Claude: messages, and the completions of the first models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Family, Prompt, TextBody
from scripts.local.stubs.bedrock.families.reading import (
    last_user_text,
    message_tokens,
    messages_of,
    text_member,
)
from scripts.local.stubs.errors import invalid
from scripts.local.stubs.language import count_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.local.stubs.bedrock.families.forms import Said

_TTLS = ("5m", "1h")


def _read_messages(body: Mapping[str, Any]) -> Prompt:
    if body.get("anthropic_version") != "bedrock-2023-05-31":
        raise invalid("anthropic_version: Field required")
    if body.get("max_tokens") is None:
        raise invalid("max_tokens: Field required")
    messages = messages_of(body)
    return Prompt(
        last_user_text(messages),
        message_tokens(messages, [body.get("system"), body.get("tools")]),
        body["max_tokens"],
        tuple(body.get("stop_sequences") or ()),
    )


def _message(said: Said) -> dict[str, Any]:
    usage = {**_given(said), "output_tokens": said.output_tokens}
    return {
        "id": "msg_bdrk_stub",
        "type": "message",
        "role": "assistant",
        "model": "stub",
        "content": [{"type": "text", "text": said.text}],
        "stop_reason": said.stop_reason,
        "stop_sequence": None,
        "usage": usage | _iterations(said),
    }


def _given(said: Said) -> dict[str, Any]:
    """Counts of the input."""
    written = {f"ephemeral_{ttl}_input_tokens": said.cache_written.get(ttl, 0) for ttl in _TTLS}
    return {
        "input_tokens": said.uncached_tokens,
        "cache_read_input_tokens": said.cache_read,
        "cache_creation_input_tokens": sum(written.values()),
        "cache_creation": written,
    }


def _iterations(said: Said) -> dict[str, Any]:
    """Every round of an answer that had others before it, which the counts beside it leave out."""
    if not said.passes:
        return {}
    passes = [
        {
            "type": "compaction",
            "input_tokens": taken["inputTokens"],
            "output_tokens": taken["outputTokens"],
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
        }
        for taken in said.passes
    ]
    answered = {"type": "message", **_given(said), "output_tokens": said.output_tokens}
    return {"iterations": [*passes, answered]}


def _message_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    usage = {**_given(said), "output_tokens": 1}
    start = {**_message(said), "content": [], "stop_reason": None, "usage": usage}
    yield {"type": "message_start", "message": start}
    block = {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    for text in groups:
        delta = {"type": "text_delta", "text": text}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": said.stop_reason, "stop_sequence": None},
        "usage": {"output_tokens": said.output_tokens} | _iterations(said),
    }
    yield {"type": "message_stop"}


def _read_completion(body: Mapping[str, Any]) -> Prompt:
    text = text_member(body, "prompt")
    # What stands before the first turn is the system text.
    if "\n\nHuman:" not in text or "\n\nAssistant:" not in text:
        raise invalid(
            'prompt must start with "\n\nHuman:" turn after an optional system prompt and end with '
            '"\n\nAssistant:" turn'
        )
    if body.get("max_tokens_to_sample") is None:
        raise invalid("max_tokens_to_sample: Field required")
    return Prompt(
        text,
        count_tokens(text),
        body["max_tokens_to_sample"],
        tuple(body.get("stop_sequences") or ()),
    )


def _completion(said: Said) -> dict[str, Any]:
    reason = "max_tokens" if said.stop_reason == "max_tokens" else "stop_sequence"
    return {"type": "completion", "completion": said.text, "stop_reason": reason, "stop": None}


def _completion_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"type": "completion", "completion": text, "stop_reason": None}
    yield {**_completion(said), "completion": ""}


MESSAGES = TextBody(
    models=("anthropic.",),
    members=frozenset(
        ("anthropic_version", "anthropic_beta", "max_tokens", "messages", "system", "tools")
        + ("tool_choice", "temperature", "top_p", "top_k", "stop_sequences", "thinking")
        + ("cache_control", "metadata", "output_config", "output_format")
    ),
    dear=frozenset(("container", "context_management", "mcp_servers", "service_tier", "speed")),
    read=_read_messages,
    answer=_message,
    chunks=_message_chunks,
    lead=2,
)
COMPLETION = TextBody(
    models=("anthropic.claude-instant", "anthropic.claude-v"),
    members=frozenset(
        ("prompt", "max_tokens_to_sample", "temperature", "top_p", "top_k", "stop_sequences")
        + ("anthropic_version",)
    ),
    maxima=(("max_tokens_to_sample",),),
    read=_read_completion,
    answer=_completion,
    chunks=_completion_chunks,
)

FAMILY = Family(texts=(MESSAGES, COMPLETION))
