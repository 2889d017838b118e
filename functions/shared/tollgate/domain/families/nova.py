"""Amazon Nova: text with Converse's blocks, and Canvas, which reads Titan's image bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.families import titan
from tollgate.domain.families.forms import (
    Answer,
    Family,
    MaxTokensField,
    TextBody,
    said_in_blocks,
    within,
)
from tollgate.domain.families.reading import count, part
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping


def _write(prompt: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": prompt}]}]}


def _usage(document: Mapping[str, Any]) -> TokenUsage | None:
    counts = part(document, "usage")
    given, made = count(counts, "inputTokens"), count(counts, "outputTokens")
    if given is None or made is None:
        return None
    return TokenUsage(
        input=given,
        output=made,
        cache_read=count(counts, "cacheReadInputTokens", "cacheReadInputTokenCount") or 0,
        cache_write_5m=count(counts, "cacheWriteInputTokens", "cacheWriteInputTokenCount") or 0,
    )


TEXT = TextBody(
    prompt="messages",
    members=frozenset(("messages", "reasoningConfig", "schemaVersion", "system"))
    | within(
        "inferenceConfig",
        "maxTokens",
        "max_new_tokens",
        "reasoningConfig",
        "stopSequences",
        "temperature",
        "topK",
        "topP",
    )
    | within("toolConfig", "toolChoice", "tools"),
    max_tokens=MaxTokensField(("inferenceConfig", "maxTokens"), aliases=("max_new_tokens",)),
    top_p="topP",
    stop="stopSequences",
    write=_write,
    system="system",
    with_system=said_in_blocks(),
    answer=Answer(
        blocks=(("output", "message", "content"),),
        texts=(("contentBlockDelta", "delta", "text"),),
        stops=(("stopReason",), ("messageStop", "stopReason")),
        usage=_usage,
    ),
    tools=("toolConfig",),
    media=("audio", "document", "image", "video"),
)

CANVAS = titan.IMAGES._replace(
    members=titan.IMAGES.members
    | within("textToImageParams", "style")
    | within(
        "virtualTryOnParams",
        "garmentBasedMask",
        "imageBasedMask",
        "maskExclusions",
        "maskType",
        "mergeStyle",
        "promptBasedMask",
        "referenceImage",
        "returnMask",
        "sourceImage",
    ),
)


def _effort(model_id: str, effort: str) -> dict[str, Any] | None:
    if not model_id.startswith("amazon.nova-2"):
        return None
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}


NOVA = Family(
    name="Nova", models=("amazon.nova-",), texts=(TEXT,), images=(CANVAS,), effort=_effort
)
