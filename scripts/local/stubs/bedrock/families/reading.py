"""How the bodies of several families are read, and refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Prompt
from scripts.local.stubs.errors import invalid
from scripts.local.stubs.language import MEDIA_TOKENS, TOKENS_PER_MESSAGE, count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DIMENSIONS = 1024
SIZES = (256, 384, 512, 1024, 1536)


def text_member(body: Mapping[str, Any], name: str) -> str:
    """A member that must be text and must not be blank; raises ServiceError."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"Malformed input request: #: required key [{name}] not found")
    return value


def prompt_reader(
    name: str, max_tokens: str, stop: str, section: str | None = None
) -> Callable[[Mapping[str, Any]], Prompt]:
    """What reads a body with one prompt, its settings beside it or in a section."""

    def read(body: Mapping[str, Any]) -> Prompt:
        text = text_member(body, name)
        settings = body if section is None else body.get(section, {})
        return Prompt(
            text,
            count_tokens(text),
            settings.get(max_tokens),
            tuple(settings.get(stop) or ()),
        )

    return read


def messages_of(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The messages of a chat; raises ServiceError where there is none."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("Malformed input request: messages: at least one message is required")
    return messages


def last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last message of a user; raises ServiceError where there is none."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return _content_text(message.get("content"))
    raise invalid("Malformed input request: messages: a user message is required")


def message_tokens(messages: Sequence[Mapping[str, Any]], system: object) -> int:
    """The input tokens of a chat and of what stands beside it."""
    total = TOKENS_PER_MESSAGE * len(messages)
    for message in messages:
        content = message.get("content")
        blocks = content if isinstance(content, list) else [{"text": content}]
        total += sum(_block_tokens(block) for block in blocks)
    if system:
        total += count_tokens(json.dumps(system, ensure_ascii=False))
    return total


def vector_size(given: object) -> int:
    """How long the vectors shall be; each family has its own among these lengths."""
    if given is None:
        return DIMENSIONS
    if not isinstance(given, int) or given not in SIZES:
        raise invalid(f"Malformed input request: the dimensions must be one of {SIZES}")
    return given


def _content_text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid("Malformed input request: content: a string or a list is required")
    return "\n".join(block["text"] for block in content if "text" in block)


def _block_tokens(block: Mapping[str, Any]) -> int:
    if "text" in block:
        return count_tokens(str(block["text"]))
    encoded = json.dumps(block, ensure_ascii=False)
    if block.get("type") in ("image", "document") or "image" in block:
        return min(MEDIA_TOKENS, len(encoded))
    return count_tokens(encoded)
