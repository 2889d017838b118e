"""Amazon Nova: text with Converse's blocks, and Canvas, which reads Titan's image bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.answers import token_usage
from tollgate.domain.families import titan
from tollgate.domain.families.forms import (
    Answer,
    Family,
    MaxTokensField,
    TextBody,
    anything,
    said_in_blocks,
    within,
)
from tollgate.domain.families.reading import part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.prices import TokenUsage


def _write(prompt: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": prompt}]}]}


def _usage(document: Mapping[str, Any]) -> TokenUsage | None:
    counts = part(document, "usage")
    return token_usage(
        counts.get("inputTokens"),
        counts.get("outputTokens"),
        counts.get("cacheReadInputTokens", counts.get("cacheReadInputTokenCount")),
        counts.get("cacheWriteInputTokens", counts.get("cacheWriteInputTokenCount")),
        0,
    )


_REASONING = ("maxReasoningEffort", "type")
_FIELDS = (
    within("inferenceConfig", "reasoningConfig", "topK")
    | within("inferenceConfig.reasoningConfig", *_REASONING)
    | within("reasoningConfig", *_REASONING)
)

_MEDIA = ("audio", "document", "image", "video")
# The members of a content block, wherever it stands.
_BLOCK = (
    "document.name",
    "text",
    *_MEDIA,
    *(f"{kind}.{name}" for kind in _MEDIA for name in ("format", "source", "source.bytes")),
)

# Not among them: guardContent, by which a caller would say what the tenant's guardrail reads, and
# locations in S3.
_MESSAGES = (
    within("messages", "content", "role")
    | within("messages.content", *_BLOCK, "cachePoint", "reasoningContent", "toolResult", "toolUse")
    | within("messages.content.cachePoint", "ttl", "type")
    | within("messages.content.reasoningContent", "reasoningText", "redactedContent")
    | within("messages.content.reasoningContent.reasoningText", "signature", "text")
    | within("messages.content.toolResult", "content", "status", "toolUseId", "type")
    | within("messages.content.toolResult.content", *_BLOCK, "json")
    | within("messages.content.toolUse", "input", "name", "toolUseId", "type")
    | anything("messages.content.toolResult.content.json", "messages.content.toolUse.input")
    | within("system", "cachePoint", "text")
    | within("system.cachePoint", "ttl", "type")
)
# Not among them: systemTool, which reads on its own.
_TOOLS = (
    within("toolConfig", "toolChoice", "tools")
    | within("toolConfig.toolChoice", "any", "auto", "tool")
    | within("toolConfig.toolChoice.tool", "name")
    | within("toolConfig.tools", "cachePoint", "toolSpec")
    | within("toolConfig.tools.cachePoint", "ttl", "type")
    | within("toolConfig.tools.toolSpec", "description", "inputSchema", "name", "strict")
    | anything("toolConfig.tools.toolSpec.inputSchema")
)

TEXT = TextBody(
    prompt="messages",
    members=_FIELDS
    | _MESSAGES
    | _TOOLS
    | {"schemaVersion"}
    | within(
        "inferenceConfig", "maxTokens", "max_new_tokens", "stopSequences", "temperature", "topP"
    ),
    fields=_FIELDS,
    values={
        f"{place}.type": ("disabled", "enabled")
        for place in ("inferenceConfig.reasoningConfig", "reasoningConfig")
    },
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
    media=_MEDIA,
)

CANVAS = titan.IMAGES._replace(
    members=titan.IMAGES.members
    | within("textToImageParams", "style")
    | within("virtualTryOnParams.garmentBasedMask", "garmentClass", "garmentStyling", "maskShape")
    | within(
        "virtualTryOnParams.garmentBasedMask.garmentStyling",
        "longSleeveStyle",
        "outerLayerStyle",
        "tuckingStyle",
    )
    | within("virtualTryOnParams.imageBasedMask", "maskImage")
    | within(
        "virtualTryOnParams.maskExclusions", "preserveBodyPose", "preserveFace", "preserveHands"
    )
    | within("virtualTryOnParams.promptBasedMask", "maskPrompt", "maskShape")
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


def _caches_at(_model_id: str) -> tuple[str, ...]:
    return ("messages", "system")


NOVA = Family(
    name="Nova",
    models=("amazon.nova-",),
    texts=(TEXT,),
    images=(CANVAS,),
    effort=_effort,
    caches_at=_caches_at,
)
