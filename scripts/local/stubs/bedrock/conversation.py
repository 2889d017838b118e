"""What a Converse request says, and how many tokens it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.language import MEDIA_TOKENS, TOKENS_PER_MESSAGE, count_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MEDIA = ("image", "document", "video", "audio")


def request_tokens(request: Mapping[str, Any]) -> int:
    """Return the input tokens of a valid Converse request body (or of its `converse` member)."""
    messages: Sequence[Mapping[str, Any]] = request.get("messages", ())
    blocks = [block for message in messages for block in message["content"]]
    total = TOKENS_PER_MESSAGE * len(messages) + sum(_block_tokens(block) for block in blocks)
    total += sum(_block_tokens(block) for block in request.get("system", ()))
    if tools := request.get("toolConfig"):
        total += count_tokens(json.dumps(tools, ensure_ascii=False))
    return total


def last_user_text(request: Mapping[str, Any]) -> str:
    """Return the text blocks of the last message with the role `user`, joined by line ends."""
    for message in reversed(request.get("messages", ())):
        if message["role"] == "user":
            return "\n".join(block["text"] for block in message["content"] if "text" in block)
    return ""


def whole_text(request: Mapping[str, Any]) -> str:
    """Return the text blocks of all messages, joined by line ends."""
    messages: Sequence[Mapping[str, Any]] = request.get("messages", ())
    blocks = [block for message in messages for block in message["content"]]
    return "\n".join(block["text"] for block in blocks if "text" in block)


def _block_tokens(block: Mapping[str, Any]) -> int:
    if "text" in block:
        return count_tokens(block["text"])
    encoded = json.dumps(block, ensure_ascii=False)
    if any(kind in block for kind in _MEDIA):
        return min(MEDIA_TOKENS, len(encoded))
    if "cachePoint" in block:
        return 0
    return count_tokens(encoded)
