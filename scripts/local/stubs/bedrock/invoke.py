"""The Bedrock stub's answers to native bodies: the text, chunks and headers around them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families import registry
from scripts.local.stubs.bedrock.families.forms import Said
from scripts.local.stubs.bedrock.frames import grouped, padded
from scripts.local.stubs.language import answer_to

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.local.stubs.bedrock.catalogue import Target
    from scripts.local.stubs.bedrock.families.forms import Prompt, TextBody
    from scripts.local.stubs.calls import Call

# AI21's answers say what they count themselves.
_WITHOUT_COUNT_HEADERS = "ai21."


def prompt_of(target: Target, document: Mapping[str, Any]) -> Prompt:
    """What a native body asks of a model; raises ServiceError for one that it does not take."""
    with registry.refusing():
        return registry.read_prompt(target.model.model_id, document)


def said_to(prompt: Prompt, call: Call, target: Target) -> Said:
    """What the model says to a prompt, within its limits and as the call is directed."""
    limit = prompt.max_tokens or target.model.max_output_tokens
    pieces, reason = answer_to(prompt.text, call.directions, limit, prompt.stop_sequences)
    usage = call.usage(len(pieces))
    return Said(
        pieces,
        reason,
        call.input_tokens,
        answers=call.answers,
        billed=call.output_tokens(len(pieces)),
        passes=call.passes,
        cache_read=usage.get("cacheReadInputTokens", 0),
        cache_written={
            detail["ttl"]: detail["inputTokens"] for detail in usage.get("cacheDetails", ())
        },
    )


def with_traces(document: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a native answer with what its guardrail says of the input and of the output."""
    merged: dict[str, Any] = {}
    for trace in traces:
        merged |= trace.get("amazon-bedrock-trace", {}).get("guardrail", {})
    whole = {**document, **traces[0]}
    return {**whole, "amazon-bedrock-trace": {"guardrail": merged}} if merged else whole


def chunk_frames(
    call: Call, family: TextBody, said: Said, traces: Sequence[Mapping[str, Any]]
) -> list[tuple[bytes, int]]:
    """Return the frames of a native stream, with the output tokens of each.

    The first chunk has what the guardrail says of the input, the last what it says of the output.
    """
    groups = list(grouped(said.pieces))
    chunks = list(family.chunks(said, [text for text, _ in groups]))
    metrics = _invocation_metrics(call, call.usage(len(said.pieces)))
    chunks[0] = {**chunks[0], **traces[0]}
    chunks[-1] = {**chunks[-1], **traces[1], "amazon-bedrock-invocationMetrics": metrics}
    counts = [*[0] * family.lead, *(count for _, count in groups), *[0] * len(chunks)]
    return [
        (padded("chunk", {"bytes": _base64(chunk)}), count)
        for chunk, count in zip(chunks, counts, strict=False)
    ]


def answer_headers(call: Call, target: Target, usage: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that say what a native call took."""
    headers = {"X-Amzn-Bedrock-Invocation-Latency": str(call.latency_ms)}
    if not target.model.model_id.startswith(_WITHOUT_COUNT_HEADERS):
        headers |= {
            "X-Amzn-Bedrock-Input-Token-Count": str(usage["inputTokens"]),
            "X-Amzn-Bedrock-Output-Token-Count": str(usage["outputTokens"]),
        }
    if "cacheReadInputTokens" in usage:
        headers |= {
            "X-Amzn-Bedrock-Cache-Read-Input-Token-Count": str(usage["cacheReadInputTokens"]),
            "X-Amzn-Bedrock-Cache-Write-Input-Token-Count": str(usage["cacheWriteInputTokens"]),
        }
    return headers


def _invocation_metrics(call: Call, usage: Mapping[str, Any]) -> dict[str, int]:
    """What the last chunk of a native stream says of the call."""
    metrics = {
        "inputTokenCount": usage["inputTokens"],
        "outputTokenCount": usage["outputTokens"],
        "invocationLatency": call.latency_ms,
        "firstByteLatency": 1,
    }
    if "cacheReadInputTokens" in usage:
        metrics["cacheReadInputTokenCount"] = usage["cacheReadInputTokens"]
        metrics["cacheWriteInputTokenCount"] = usage["cacheWriteInputTokens"]
    return metrics


def _base64(document: Mapping[str, Any]) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()
