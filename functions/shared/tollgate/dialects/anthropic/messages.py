"""The system text and messages of a chat as Converse has them, with their cache points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import IMAGE_FORMATS, Conversation, without_blanks
from tollgate.dialects.fields import (
    as_filled_list,
    as_flag,
    as_list,
    as_object,
    as_text,
    base64_bytes,
    wrong_choice,
)
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.dialects.notes import Notes

_LIFETIMES = ("5m", "1h")
_ROLES = ("user", "assistant", "system")
# What a block of each kind says besides its type and its cache mark, and what of it only hints: a
# document's title, where an answer that is repeated had its text from, who called for a tool.
_BLOCKS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "text": (("text",), ("citations",)),
    "image": (("source",), ()),
    "document": (("citations", "context", "source"), ("title",)),
    "tool_use": (("id", "input", "name"), ("caller",)),
    "tool_result": (("content", "is_error", "tool_use_id"), ()),
    "thinking": (("signature", "thinking"), ()),
    "redacted_thinking": (("data",), ()),
}
_THOUGHTS = ("thinking", "redacted_thinking")
_RESULTS = ("text", "image", "document")


def conversation_of(messages: Sequence[object], system: object, notes: Notes) -> Conversation:
    """The messages and the system text of a request, with their cache points.

    What is ignored is added to `notes`. Raises InvalidRequestError naming what is wrong.
    """
    reader = _Reader(notes)
    if system:
        reader.instruct(system, "system")
    for index, message in enumerate(messages):
        reader.take(message, f"messages[{index}]")
    reader.conversation.check()
    return reader.conversation


class _Reader:
    """Reads the messages of one request."""

    def __init__(self, notes: Notes) -> None:
        self.conversation = Conversation()
        self._notes = notes

    def take(self, message: object, place: str) -> None:
        """The next message."""
        role = as_object(message, place).get("role")
        if role not in _ROLES:
            raise wrong_choice(f"{place}.role", role, _ROLES)
        given = self._notes.members(message, place, ("content", "role"))
        if role == "system":
            # Not every model takes instructions between turns, and all take them before.
            self.instruct(given.get("content"), f"{place}.content")
            self._notes.add("messages of the role system are said before the conversation")
        else:
            content = self._content(given.get("content"), f"{place}.content", tuple(_BLOCKS))
            self.conversation.add(role, content, place)

    def instruct(self, system: object, place: str) -> None:
        """A system text, or blocks of one."""
        blocks: list[dict[str, Any]] = [{"text": system}] if isinstance(system, str) else []
        for index, block in enumerate(() if blocks else as_list(system, place)):
            here = f"{place}[{index}]"
            fields = self._members(block, here, ("text",))
            blocks.append({"text": as_text(fields.get("text"), f"{here}.text")})
            blocks.extend(cache_mark(fields, here, self._notes))
        self.conversation.instruct(blocks)

    def _members(self, block: object, place: str, kinds: Sequence[str]) -> dict[str, Any]:
        kind = as_object(block, place).get("type")
        if not isinstance(kind, str) or kind not in kinds:
            raise wrong_choice(f"{place}.type", kind, kinds)
        read, hints = _BLOCKS[kind]
        return self._notes.members(block, place, (*read, "cache_control", "type"), hints)

    def _content(self, content: object, place: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
        if isinstance(content, str):
            return [{"text": content}]
        blocks: list[dict[str, Any]] = []
        for index, block in enumerate(as_filled_list(content, place)):
            here = f"{place}[{index}]"
            fields = self._members(block, here, kinds)
            blocks.append(self._block(fields, here))
            if fields["type"] not in _THOUGHTS:
                blocks.extend(cache_mark(fields, here, self._notes))
            elif "cache_control" in fields:
                self._notes.ignored(f"{here}.cache_control", "nothing is cached after a thought")
        return blocks

    def _block(self, block: Mapping[str, Any], place: str) -> dict[str, Any]:
        kind = block["type"]
        if kind == "text":
            return {"text": as_text(block.get("text"), f"{place}.text")}
        if kind == "image":
            return self._image(block.get("source"), f"{place}.source")
        if kind == "document":
            return self._document(block, place)
        if kind == "tool_use":
            return {
                "toolUse": {
                    "toolUseId": as_text(block.get("id"), f"{place}.id"),
                    "name": as_text(block.get("name"), f"{place}.name"),
                    "input": as_object(block.get("input"), f"{place}.input"),
                }
            }
        return (
            self._tool_result(block, place) if kind == "tool_result" else _reasoning(block, place)
        )

    def _image(self, source: object, place: str) -> dict[str, Any]:
        given = self._inline(source, place, ("base64",))
        media_type = given.get("media_type")
        if media_type not in IMAGE_FORMATS:
            raise wrong_choice(f"{place}.media_type", media_type, IMAGE_FORMATS)
        data = base64_bytes(given.get("data"), f"{place}.data")
        return {"image": {"format": IMAGE_FORMATS[media_type], "source": {"bytes": data}}}

    def _document(self, block: Mapping[str, Any], place: str) -> dict[str, Any]:
        source = self._inline(block.get("source"), f"{place}.source", ("base64", "text"))
        if source["type"] == "text":
            text = as_text(source.get("data"), f"{place}.source.data")
            data, kind = text.encode(errors="surrogatepass"), "txt"
        else:
            if source.get("media_type") != "application/pdf":
                given = source.get("media_type")
                raise wrong_choice(f"{place}.source.media_type", given, ("application/pdf",))
            data, kind = base64_bytes(source.get("data"), f"{place}.source.data"), "pdf"
        document: dict[str, Any] = {
            "format": kind,
            "name": self.conversation.next_document(),
            "source": {"bytes": data},
        }
        if block.get("context"):
            document["context"] = as_text(block["context"], f"{place}.context")
        here = f"{place}.citations"
        citations = self._notes.members(block.get("citations", {}), here, ("enabled",))
        if as_flag(citations.get("enabled", False), f"{here}.enabled"):
            document["citations"] = {"enabled": True}
        return {"document": document}

    def _inline(self, source: object, place: str, kinds: Sequence[str]) -> dict[str, Any]:
        kind = as_object(source, place).get("type")
        if kind in ("url", "file"):
            raise InvalidRequestError(
                f"{place}.type is {kind!r}; allowed is {', '.join(kinds)}, "
                "the gateway fetches and keeps no files"
            )
        if kind not in kinds:
            raise wrong_choice(f"{place}.type", kind, kinds)
        return self._notes.members(source, place, ("data", "media_type", "type"))

    def _tool_result(self, block: Mapping[str, Any], place: str) -> dict[str, Any]:
        given = block.get("content")
        # A tool that has nothing to say still has answered.
        content = (
            [] if given in (None, [], "") else self._content(given, f"{place}.content", _RESULTS)
        )
        if any("cachePoint" in item for item in content):
            self._notes.ignored(
                f"{place}.content[].cache_control", "mark the tool_result, which is cached whole"
            )
        result: dict[str, Any] = {
            "toolUseId": as_text(block.get("tool_use_id"), f"{place}.tool_use_id"),
            "content": without_blanks([item for item in content if "cachePoint" not in item]),
        }
        if "is_error" in block:
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


def cache_mark(block: Mapping[str, Any], place: str, notes: Notes) -> list[dict[str, Any]]:
    """The cache point after a block that carries cache_control."""
    mark = block.get("cache_control")
    return [] if mark is None else [cache_point(mark, f"{place}.cache_control", notes)]


def cache_point(mark: object, place: str, notes: Notes) -> dict[str, Any]:
    """The cache point that a cache_control asks for."""
    # Bedrock shares what it caches with nobody: how far a mark reaches is no choice there.
    fields = notes.members(mark, place, ("ttl", "type"), ("scope",))
    if fields.get("type") != "ephemeral":
        raise wrong_choice(f"{place}.type", fields.get("type"), ("ephemeral",))
    lifetime = fields.get("ttl")
    if lifetime is None:
        return {"cachePoint": {"type": "default"}}
    if lifetime not in _LIFETIMES:
        raise wrong_choice(f"{place}.ttl", lifetime, _LIFETIMES)
    return {"cachePoint": {"type": "default", "ttl": lifetime}}
