"""The messages of a chat as Converse's turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import IMAGE_FORMATS, Conversation, without_blanks
from tollgate.dialects.fields import (
    as_filled_list,
    as_list,
    as_object,
    as_text,
    data_url,
    wrong_choice,
)
from tollgate.domain.errors import InvalidRequestError
from tollgate.entry.http import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.dialects.notes import Notes

_DOCUMENT_FORMATS = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
# What a message of each role says. Its name says who speaks, which Converse has no word for.
_SAID: Mapping[str, Sequence[str]] = {
    "system": ("content", "role"),
    "developer": ("content", "role"),
    "user": ("content", "role"),
    "assistant": ("content", "refusal", "role", "tool_calls"),
    "tool": ("content", "role", "tool_call_id"),
}
_HINTS = ("name",)
# What comes back with an answer that a client repeats: sources, and thoughts, which models want
# signed or not at all.
_ANSWER_HINTS = (
    *_HINTS,
    "annotations",
    "provider_specific_fields",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "thinking_blocks",
)
# Marks of what to cache, which clients of several providers set whoever they call.
_PART_HINTS = ("cache_control",)


def conversation_of(messages: Sequence[object], notes: Notes) -> Conversation:
    """The messages of a request. Raises InvalidRequestError naming what is wrong.

    What is ignored is added to `notes`.
    """
    reader = _Reader(notes)
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        reader.take(as_object(message, place), place)
    reader.conversation.check()
    return reader.conversation


class _Reader:
    """Reads the messages of one request."""

    def __init__(self, notes: Notes) -> None:
        self.conversation = Conversation()
        self._notes = notes

    def take(self, message: Mapping[str, Any], place: str) -> None:
        """The next message."""
        role = message.get("role")
        if not isinstance(role, str) or role not in _SAID:
            raise wrong_choice(f"{place}.role", role, _SAID)
        hints = _ANSWER_HINTS if role == "assistant" else _HINTS
        given = self._notes.members(message, place, _SAID[role], hints)
        content = given.get("content")
        if role == "user":
            self.conversation.add("user", self._user(content, f"{place}.content"), place)
        elif role == "assistant":
            self.conversation.add("assistant", self._assistant(given, place), place)
        elif role == "tool":
            self.conversation.add("user", [self._tool_result(given, place)], place)
        else:
            self.conversation.instruct(self._texts(content, f"{place}.content"))

    def _user(self, content: object, place: str) -> list[dict[str, Any]]:
        if isinstance(content, str):
            return [{"text": content}]
        return [
            self._part(as_object(part, f"{place}[{index}]"), f"{place}[{index}]")
            for index, part in enumerate(as_filled_list(content, place))
        ]

    def _part(self, part: Mapping[str, Any], place: str) -> dict[str, Any]:
        kind = part.get("type")
        if kind not in ("text", "image_url", "file"):
            raise wrong_choice(f"{place}.type", kind, ("text", "image_url", "file"))
        said = self._notes.members(part, place, (kind, "type"), _PART_HINTS)
        if kind == "text":
            return {"text": as_text(said.get("text"), f"{place}.text")}
        if kind == "image_url":
            here = f"{place}.image_url"
            image = self._notes.members(said.get("image_url"), here, ("url",), ("detail", "format"))
            return _image(image.get("url"), f"{here}.url")
        return self._document(said.get("file"), f"{place}.file")

    def _assistant(self, message: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
        content = message.get("content")
        blocks = [] if content in (None, "", []) else self._texts(content, f"{place}.content")
        if message.get("refusal"):
            blocks.append({"text": as_text(message["refusal"], f"{place}.refusal")})
        calls = as_list(message.get("tool_calls") or [], f"{place}.tool_calls")
        for index, call in enumerate(calls):
            blocks.append(self._tool_use(call, f"{place}.tool_calls[{index}]"))
        return blocks

    def _texts(self, content: object, place: str) -> list[dict[str, Any]]:
        if isinstance(content, str):
            return [{"text": content}]
        blocks = []
        for index, part in enumerate(as_filled_list(content, place)):
            here = f"{place}[{index}]"
            kind = as_object(part, here).get("type")
            if kind not in ("text", "refusal"):
                raise wrong_choice(f"{here}.type", kind, ("text", "refusal"))
            said = self._notes.members(part, here, (kind, "type"), _PART_HINTS)
            blocks.append({"text": as_text(said.get(kind), f"{here}.{kind}")})
        return blocks

    def _document(self, file: object, place: str) -> dict[str, Any]:
        said = self._notes.members(file, place, ("file_data", "file_id"), ("filename", "format"))
        if "file_id" in said:
            raise InvalidRequestError(
                f"{place}.file_id is not supported, the gateway keeps no files; send file_data"
            )
        media_type, data = data_url(said.get("file_data"), f"{place}.file_data")
        if media_type not in _DOCUMENT_FORMATS:
            raise wrong_choice(f"{place}.file_data's media type", media_type, _DOCUMENT_FORMATS)
        return {
            "document": {
                "format": _DOCUMENT_FORMATS[media_type],
                "name": self.conversation.next_document(),
                "source": {"bytes": data},
            }
        }

    def _tool_use(self, call: object, place: str) -> dict[str, Any]:
        kind = as_object(call, place).get("type", "function")
        if kind != "function":
            raise wrong_choice(f"{place}.type", kind, ("function",))
        # Its place in a stream stays where a client has put the pieces together.
        said = self._notes.members(call, place, ("function", "id", "type"), ("index",))
        here = f"{place}.function"
        function = self._notes.members(said.get("function"), here, ("arguments", "name"))
        text = as_text(function.get("arguments", ""), f"{here}.arguments")
        arguments = parse_json(text, f"{here}.arguments") if text.strip() else {}
        return {
            "toolUse": {
                "toolUseId": as_text(said.get("id"), f"{place}.id"),
                "name": as_text(function.get("name"), f"{here}.name"),
                "input": as_object(arguments, f"{here}.arguments"),
            }
        }

    def _tool_result(self, message: Mapping[str, Any], place: str) -> dict[str, Any]:
        content = message.get("content")
        # A tool that has nothing to say still has answered.
        texts = [] if content in ("", []) else self._texts(content, f"{place}.content")
        return {
            "toolResult": {
                "toolUseId": as_text(message.get("tool_call_id"), f"{place}.tool_call_id"),
                "content": without_blanks(texts),
            }
        }


def _image(url: object, place: str) -> dict[str, Any]:
    media_type, data = data_url(url, place)
    if media_type not in IMAGE_FORMATS:
        raise wrong_choice(f"{place}'s media type", media_type, IMAGE_FORMATS)
    return {"image": {"format": IMAGE_FORMATS[media_type], "source": {"bytes": data}}}
