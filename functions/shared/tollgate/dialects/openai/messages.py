"""The messages of a chat as Converse's turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import IMAGE_FORMATS
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


class Conversation:
    """Turns of a conversation as Converse has them: system apart, roles that alternate."""

    def __init__(self, messages: Sequence[object]) -> None:
        self.system: list[dict[str, Any]] = []
        self.turns: list[dict[str, Any]] = []
        self.has_tools = False
        self._documents = 0
        for index, message in enumerate(messages):
            self._take(as_object(message, f"messages[{index}]"), f"messages[{index}]")

    def _take(self, message: Mapping[str, Any], place: str) -> None:
        role = message.get("role")
        if role in ("system", "developer"):
            self.system.extend(_texts(message.get("content"), f"{place}.content"))
        elif role == "user":
            self._add("user", self._user(message.get("content"), f"{place}.content"))
        elif role == "assistant":
            self._add("assistant", self._assistant(message, place))
        elif role == "tool":
            self.has_tools = True
            self._add("user", [_tool_result(message, place)])
        else:
            roles = ("system", "developer", "user", "assistant", "tool")
            raise wrong_choice(f"{place}.role", role, roles)

    def _add(self, role: str, blocks: list[dict[str, Any]]) -> None:
        # Results of several tools are messages of their own here, and one turn for Converse.
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"].extend(blocks)
        else:
            self.turns.append({"role": role, "content": blocks})

    def _user(self, content: object, place: str) -> list[dict[str, Any]]:
        if isinstance(content, str):
            return [{"text": content}]
        parts = as_filled_list(content, place)
        return [
            self._part(as_object(part, f"{place}[{index}]"), f"{place}[{index}]")
            for index, part in enumerate(parts)
        ]

    def _part(self, part: Mapping[str, Any], place: str) -> dict[str, Any]:
        kind = part.get("type")
        if kind == "text":
            return {"text": as_text(part.get("text"), f"{place}.text")}
        if kind == "image_url":
            image = as_object(part.get("image_url"), f"{place}.image_url")
            return _image(image.get("url"), f"{place}.image_url.url")
        if kind == "file":
            self._documents += 1
            return _document(
                as_object(part.get("file"), f"{place}.file"), f"{place}.file", self._documents
            )
        raise wrong_choice(f"{place}.type", kind, ("text", "image_url", "file"))

    def _assistant(self, message: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
        content = message.get("content")
        said = [] if content in (None, "", []) else _texts(content, f"{place}.content")
        # Models say blank text before they call a tool; Bedrock does not take it back.
        blocks = [block for block in said if block["text"].strip()]
        calls = as_list(message.get("tool_calls") or [], f"{place}.tool_calls")
        for index, call in enumerate(calls):
            self.has_tools = True
            blocks.append(_tool_use(call, f"{place}.tool_calls[{index}]"))
        if not blocks:
            raise InvalidRequestError(f"{place} is empty; allowed is content or tool_calls")
        return blocks


def _texts(content: object, place: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"text": content}]
    blocks = []
    for index, part in enumerate(as_filled_list(content, place)):
        here = f"{place}[{index}]"
        fields = as_object(part, here)
        kind = fields.get("type")
        if kind not in ("text", "refusal"):
            raise wrong_choice(f"{here}.type", kind, ("text", "refusal"))
        blocks.append({"text": as_text(fields.get(kind), f"{here}.{kind}")})
    return blocks


def _image(url: object, place: str) -> dict[str, Any]:
    media_type, data = data_url(url, place)
    if media_type not in IMAGE_FORMATS:
        raise wrong_choice(f"{place}'s media type", media_type, IMAGE_FORMATS)
    return {"image": {"format": IMAGE_FORMATS[media_type], "source": {"bytes": data}}}


def _document(file: Mapping[str, Any], place: str, number: int) -> dict[str, Any]:
    if "file_id" in file:
        raise InvalidRequestError(
            f"{place}.file_id is not supported, the gateway keeps no files; send file_data"
        )
    media_type, data = data_url(file.get("file_data"), f"{place}.file_data")
    if media_type not in _DOCUMENT_FORMATS:
        raise wrong_choice(f"{place}.file_data's media type", media_type, _DOCUMENT_FORMATS)
    # Bedrock advises neutral names: a model may take a file's name for an instruction.
    return {
        "document": {
            "format": _DOCUMENT_FORMATS[media_type],
            "name": f"document {number}",
            "source": {"bytes": data},
        }
    }


def _tool_use(call: object, place: str) -> dict[str, Any]:
    fields = as_object(call, place)
    if fields.get("type", "function") != "function":
        raise wrong_choice(f"{place}.type", fields["type"], ("function",))
    function = as_object(fields.get("function"), f"{place}.function")
    text = as_text(function.get("arguments", ""), f"{place}.function.arguments")
    arguments = parse_json(text, f"{place}.function.arguments") if text.strip() else {}
    return {
        "toolUse": {
            "toolUseId": as_text(fields.get("id"), f"{place}.id"),
            "name": as_text(function.get("name"), f"{place}.function.name"),
            "input": as_object(arguments, f"{place}.function.arguments"),
        }
    }


def _tool_result(message: Mapping[str, Any], place: str) -> dict[str, Any]:
    content = message.get("content")
    return {
        "toolResult": {
            "toolUseId": as_text(message.get("tool_call_id"), f"{place}.tool_call_id"),
            # A tool that has nothing to say still has answered.
            "content": [] if content in ("", []) else _texts(content, f"{place}.content"),
        }
    }
