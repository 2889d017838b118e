"""The messages of a chat, which are Converse's own with media in base64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.bedrock.members import MESSAGE, check_members
from tollgate.dialects.fields import (
    as_filled_list,
    base64_bytes,
    check_keys,
    wrong_choice,
    wrong_type,
)
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEDIA = ("image", "document", "video", "audio")


def converse_turns(messages: Sequence[object]) -> list[dict[str, Any]]:
    """The turns of a chat. Raises InvalidRequestError naming what is wrong."""
    return [_message(message, index) for index, message in enumerate(messages)]


def _message(message: object, index: int) -> dict[str, Any]:
    place = f"inputs[{index}]"
    if not isinstance(message, dict):
        raise wrong_type(place, message, "a message object")
    check_keys(message, ("content", "role"), place)
    role = message.get("role")
    if role not in ("user", "assistant"):
        raise wrong_choice(f"{place}.role", role, ("user", "assistant"))
    content = as_filled_list(message.get("content"), f"{place}.content")
    check_members(content, MESSAGE["content"], f"{place}.content")
    blocks = [_block(block, f"{place}.content[{number}]") for number, block in enumerate(content)]
    return {"role": role, "content": blocks}


def _block(block: object, place: str) -> dict[str, Any]:
    if not isinstance(block, dict) or len(block) != 1:
        raise InvalidRequestError(f"{place} allows an object with one content block, like text")
    ((kind, value),) = block.items()
    if kind in _MEDIA:
        return {kind: _media(value, f"{place}.{kind}")}
    if kind == "toolResult" and isinstance(value, dict) and isinstance(value.get("content"), list):
        results = [
            _block(item, f"{place}.toolResult.content[{number}]")
            for number, item in enumerate(value["content"])
        ]
        return {kind: {**value, "content": results}}
    if kind == "reasoningContent" and isinstance(value, dict) and "redactedContent" in value:
        hidden = base64_bytes(value["redactedContent"], f"{place}.{kind}.redactedContent")
        return {kind: {**value, "redactedContent": hidden}}
    return block


def _media(media: object, place: str) -> dict[str, Any]:
    source = media.get("source") if isinstance(media, dict) else None
    # Only inline bytes: a location would be read with the gateway's own rights.
    if not isinstance(media, dict) or not isinstance(source, dict) or "bytes" not in source:
        raise InvalidRequestError(f"{place}.source allows an object with base64 bytes only")
    check_keys(source, ("bytes",), f"{place}.source")
    return {**media, "source": {"bytes": base64_bytes(source["bytes"], f"{place}.source.bytes")}}
