"""Answers of Anthropic's API."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from tollgate.domain.families.reading import part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.dialects.exchange import ParsedCall
    from tollgate.domain.prices import TokenUsage
    from tollgate.services.calls import Answer

# What its clients quote.
ID_HEADERS: Sequence[str] = ("request-id",)

_STOP_REASONS = {
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
    # Words that Anthropic has none for: the turn is over, and nothing is to be called.
    "malformed_model_output": "end_turn",
    "malformed_tool_use": "end_turn",
}


def chat_body(parsed: ParsedCall, answer: Answer) -> dict[str, Any]:
    """A Converse response as a message."""
    return {
        **message_head(parsed, answer.request_id),
        "content": [block for block in map(_block, answer.content) if block is not None],
        "stop_reason": stop_reason_of(answer.document["stopReason"]),
        "stop_sequence": stop_sequence_of(answer.document),
        "usage": usage_counts(answer.usage),
    }


def count_body(input_tokens: int) -> dict[str, int]:
    """A count of tokens."""
    return {"input_tokens": input_tokens}


def usage_counts(usage: TokenUsage) -> dict[str, Any]:
    """Token counts under Anthropic's names, where input tokens exclude those of the cache."""
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
    }


def stop_reason_of(stop_reason: str) -> str:
    """Converse's stop reason in Anthropic's words."""
    return _STOP_REASONS.get(stop_reason, stop_reason)


def stop_sequence_of(document: Mapping[str, Any]) -> str | None:
    """The sequence at which the model stopped; only Claude tells."""
    sequence = part(document, "additionalModelResponseFields").get("stop_sequence")
    return sequence if isinstance(sequence, str) else None


def message_head(parsed: ParsedCall, request_id: str) -> dict[str, Any]:
    """What a message, at once or streamed, says of itself."""
    model = parsed.call.model
    return {"id": f"msg_{request_id}", "type": "message", "role": "assistant", "model": model}


def _block(block: Mapping[str, Any]) -> dict[str, Any] | None:
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "citationsContent" in block:
        texts = [part.get("text", "") for part in block["citationsContent"].get("content", ())]
        return {"type": "text", "text": "".join(texts)}
    if "toolUse" in block:
        use = block["toolUse"]
        return {
            "type": "tool_use",
            "id": use["toolUseId"],
            "name": use["name"],
            "input": use["input"],
        }
    reasoning = block.get("reasoningContent", {})
    if "redactedContent" in reasoning:
        return {"type": "redacted_thinking", "data": base64_text(reasoning["redactedContent"])}
    if "reasoningText" in reasoning:
        text = reasoning["reasoningText"]
        return {
            "type": "thinking",
            "thinking": text["text"],
            "signature": text.get("signature", ""),
        }
    return None


def base64_text(data: bytes) -> str:
    """Hidden thoughts as they go to the client."""
    return base64.b64encode(data).decode()
