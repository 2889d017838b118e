"""Amazon Nova: its chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Family, Prompt, TextBody
from scripts.local.stubs.bedrock.families.reading import last_user_text, message_tokens, messages_of
from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.local.stubs.bedrock.families.forms import Said


def _read_nova(body: Mapping[str, Any]) -> Prompt:
    messages = messages_of(body)
    if any(not isinstance(message.get("content"), list) for message in messages):
        raise invalid("Malformed input request: content: a list is required")
    settings = body.get("inferenceConfig", {})
    return Prompt(
        last_user_text(messages),
        message_tokens(messages, body.get("system")),
        settings.get("maxTokens", settings.get("max_new_tokens")),
        tuple(settings.get("stopSequences") or ()),
    )


def _nova(said: Said) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": said.text}]}},
        "stopReason": said.stop_reason,
        "usage": {
            "inputTokens": said.uncached_tokens,
            "cacheReadInputTokenCount": said.cache_read,
            "cacheWriteInputTokenCount": sum(said.cache_written.values()),
            "outputTokens": said.output_tokens,
            "totalTokens": said.input_tokens + said.output_tokens,
        },
    }


def _nova_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield {"messageStart": {"role": "assistant"}}
    for text in groups:
        yield {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}
    yield {"contentBlockStop": {"contentBlockIndex": 0}}
    yield {"messageStop": {"stopReason": said.stop_reason}}
    yield {"metadata": {"usage": _nova(said)["usage"], "metrics": {}}}


CHAT = TextBody(
    models=("amazon.nova-",),
    members=frozenset(("schemaVersion", "messages", "system", "inferenceConfig", "toolConfig"))
    | {"reasoningConfig"},
    maxima=(("inferenceConfig", "maxTokens"), ("inferenceConfig", "max_new_tokens")),
    read=_read_nova,
    answer=_nova,
    chunks=_nova_chunks,
    lead=1,
)

FAMILY = Family(texts=(CHAT,))
