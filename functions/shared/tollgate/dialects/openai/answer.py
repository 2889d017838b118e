"""Answers of OpenAI's API."""

from __future__ import annotations

import base64
import json
import struct
from typing import TYPE_CHECKING, Any

from tollgate.domain.families.reading import part
from tollgate.domain.ids import request_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tollgate.dialects.exchange import ParsedCall
    from tollgate.dialects.openai.request import EmbeddingsRequest
    from tollgate.domain.prices import TokenUsage
    from tollgate.services.calls import Answer

# Its clients read x-request-id, as every answer has it.
ID_HEADERS: Sequence[str] = ()

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}


def chat_body(parsed: ParsedCall, answer: Answer) -> dict[str, Any]:
    """A Converse response as a chat completion."""
    message, finish_reason = _message(answer.document)
    body = {
        **completion_head("chat.completion", parsed, answer.request_id),
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        ],
        "usage": usage_counts(answer.usage),
    }
    tier = part(answer.document, "serviceTier").get("type")
    return {**body, "service_tier": tier} if isinstance(tier, str) else body


def completion_head(kind: str, parsed: ParsedCall, request_id: str) -> dict[str, Any]:
    """What a completion, at once or in chunks, says of itself; its time is that of its id."""
    return {
        "id": f"chatcmpl-{request_id}",
        "object": kind,
        "created": int(request_time(request_id).timestamp()),
        "model": parsed.call.model,
    }


def usage_counts(usage: TokenUsage) -> dict[str, Any]:
    """Token counts under OpenAI's names, where prompt tokens include those from the cache."""
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total_input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
    }


def stop_reason_of(stop_reason: str) -> str:
    """Converse's stop reason in OpenAI's words."""
    return _FINISH_REASONS.get(stop_reason, "stop")


def _message(document: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    blocks: Iterable[Mapping[str, Any]] = document["output"]["message"]["content"]
    blocks = list(blocks)
    texts = [block["text"] for block in blocks if "text" in block]
    reasoning = [
        block["reasoningContent"]["reasoningText"]["text"]
        for block in blocks
        if "reasoningText" in block.get("reasoningContent", {})
    ]
    calls = [_tool_call(block["toolUse"]) for block in blocks if "toolUse" in block]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": None,
    }
    if reasoning:
        message["reasoning_content"] = "".join(reasoning)
    if calls:
        message["tool_calls"] = calls
    return message, stop_reason_of(document["stopReason"])


def _tool_call(tool_use: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": tool_use["toolUseId"],
        "type": "function",
        "function": {
            "name": tool_use["name"],
            "arguments": json.dumps(tool_use["input"], ensure_ascii=False),
        },
    }


def _vectors(document: Mapping[str, Any]) -> list[list[float]]:
    """The vectors of a native answer, in the order of its texts."""
    if "embedding" in document:
        return [document["embedding"]]
    vectors = document["embeddings"]
    found: list[list[float]] = vectors["float"] if isinstance(vectors, dict) else vectors
    return found


def embeddings_body(parsed: EmbeddingsRequest, answers: Sequence[Answer]) -> dict[str, Any]:
    """The native answers to a request's calls as one list of embeddings."""
    vectors = [vector for answer in answers for vector in _vectors(answer.document)]
    input_tokens = sum(answer.usage.total_input for answer in answers)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector) if parsed.is_base64 else vector,
        }
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": input_tokens, "total_tokens": input_tokens}
    return {"object": "list", "data": data, "model": parsed.model, "usage": usage}


def _packed(vector: Sequence[float]) -> str:
    # OpenAI's form: 32-bit floats, little-endian.
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
