"""The system text and messages of a chat as Converse has them, with their cache points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import IMAGE_FORMATS, Conversation
from tollgate.dialects.fields import (
    as_filled_list,
    as_flag,
    as_list,
    as_object,
    as_text,
    base64_bytes,
    check_keys,
    wrong_choice,
)
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LIFETIMES = ("5m", "1h")


def conversation_of(messages: Sequence[object], system: object) -> Conversation:
    """The messages and the system text of a request, with their cache points.

    Raises InvalidRequestError naming what is wrong.
    """
    conversation = Conversation()
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        fields = as_object(message, place)
        role = fields.get("role")
        if role not in ("user", "assistant"):
            raise wrong_choice(f"{place}.role", role, ("user", "assistant"))
        conversation.add(role, _content(fields.get("content"), f"{place}.content", conversation))
    if system:
        conversation.system.extend(_system(system))
    return conversation


def _system(system: object) -> list[dict[str, Any]]:
    if isinstance(system, str):
        return [{"text": system}]
    blocks: list[dict[str, Any]] = []
    for index, block in enumerate(as_list(system, "system")):
        place = f"system[{index}]"
        fields = as_object(block, place)
        if fields.get("type") != "text":
            raise wrong_choice(f"{place}.type", fields.get("type"), ("text",))
        blocks.append({"text": as_text(fields.get("text"), f"{place}.text")})
        blocks.extend(cache_mark(fields, place))
    return blocks


def _content(content: object, place: str, conversation: Conversation) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"text": content}]
    blocks: list[dict[str, Any]] = []
    for index, block in enumerate(as_filled_list(content, place)):
        here = f"{place}[{index}]"
        fields = as_object(block, here)
        blocks.append(_block(fields, here, conversation))
        blocks.extend(cache_mark(fields, here))
    return blocks


def _block(block: Mapping[str, Any], place: str, conversation: Conversation) -> dict[str, Any]:
    kind = block.get("type")
    if kind == "text":
        return {"text": as_text(block.get("text"), f"{place}.text")}
    if kind == "image":
        return _image(as_object(block.get("source"), f"{place}.source"), f"{place}.source")
    if kind == "document":
        return _document(block, place, conversation)
    if kind == "tool_use":
        return {
            "toolUse": {
                "toolUseId": as_text(block.get("id"), f"{place}.id"),
                "name": as_text(block.get("name"), f"{place}.name"),
                "input": as_object(block.get("input"), f"{place}.input"),
            }
        }
    if kind == "tool_result":
        return _tool_result(block, place, conversation)
    if kind in ("thinking", "redacted_thinking"):
        return _reasoning(block, place)
    kinds = ("text", "image", "document", "tool_use", "tool_result", "thinking")
    raise wrong_choice(f"{place}.type", kind, (*kinds, "redacted_thinking"))


def _image(source: Mapping[str, Any], place: str) -> dict[str, Any]:
    _check_inline(source, place, ("base64",))
    media_type = source.get("media_type")
    if media_type not in IMAGE_FORMATS:
        raise wrong_choice(f"{place}.media_type", media_type, IMAGE_FORMATS)
    data = base64_bytes(source.get("data"), f"{place}.data")
    return {"image": {"format": IMAGE_FORMATS[media_type], "source": {"bytes": data}}}


def _document(block: Mapping[str, Any], place: str, conversation: Conversation) -> dict[str, Any]:
    source = as_object(block.get("source"), f"{place}.source")
    _check_inline(source, f"{place}.source", ("base64", "text"))
    if source["type"] == "text":
        data = as_text(source.get("data"), f"{place}.source.data").encode(errors="surrogatepass")
        kind = "txt"
    else:
        if source.get("media_type") != "application/pdf":
            given = source.get("media_type")
            raise wrong_choice(f"{place}.source.media_type", given, ("application/pdf",))
        data = base64_bytes(source.get("data"), f"{place}.source.data")
        kind = "pdf"
    document: dict[str, Any] = {
        "format": kind,
        "name": conversation.next_document(),
        "source": {"bytes": data},
    }
    if block.get("context"):
        document["context"] = as_text(block["context"], f"{place}.context")
    citations = as_object(block.get("citations") or {}, f"{place}.citations")
    if citations.get("enabled"):
        document["citations"] = {"enabled": True}
    return {"document": document}


def _check_inline(source: Mapping[str, Any], place: str, kinds: Sequence[str]) -> None:
    kind = source.get("type")
    if kind in ("url", "file"):
        raise InvalidRequestError(
            f"{place}.type is {kind!r}; allowed is {', '.join(kinds)}, "
            "the gateway fetches and keeps no files"
        )
    if kind not in kinds:
        raise wrong_choice(f"{place}.type", kind, kinds)


def _tool_result(
    block: Mapping[str, Any], place: str, conversation: Conversation
) -> dict[str, Any]:
    content = block.get("content")
    result: dict[str, Any] = {
        "toolUseId": as_text(block.get("tool_use_id"), f"{place}.tool_use_id"),
        # A tool that has nothing to say still has answered.
        "content": []
        if content in (None, [], "")
        else _content(content, f"{place}.content", conversation),
    }
    if block.get("is_error") is not None:
        is_error = as_flag(block["is_error"], f"{place}.is_error")
        result["status"] = "error" if is_error else "success"
    return {"toolResult": result}


def _reasoning(block: Mapping[str, Any], place: str) -> dict[str, Any]:
    if block["type"] == "redacted_thinking":
        data = base64_bytes(block.get("data"), f"{place}.data")
        return {"reasoningContent": {"redactedContent": data}}
    text = {"text": as_text(block.get("thinking"), f"{place}.thinking")}
    if block.get("signature"):
        text["signature"] = as_text(block["signature"], f"{place}.signature")
    return {"reasoningContent": {"reasoningText": text}}


def cache_mark(block: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    """The cache point after a block that carries cache_control."""
    mark = block.get("cache_control")
    return [] if mark is None else [cache_point(mark, f"{place}.cache_control")]


def cache_point(mark: object, place: str) -> dict[str, Any]:
    """The cache point that a cache_control asks for."""
    fields = as_object(mark, place)
    check_keys(fields, ("ttl", "type"), place)
    if fields.get("type") != "ephemeral":
        raise wrong_choice(f"{place}.type", fields.get("type"), ("ephemeral",))
    lifetime = fields.get("ttl")
    if lifetime is None:
        return {"cachePoint": {"type": "default"}}
    if lifetime not in _LIFETIMES:
        raise wrong_choice(f"{place}.ttl", lifetime, _LIFETIMES)
    return {"cachePoint": {"type": "default", "ttl": lifetime}}
