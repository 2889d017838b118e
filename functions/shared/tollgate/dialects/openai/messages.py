"""The messages of a chat as Converse's turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import IMAGE_FORMATS, Conversation
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


def conversation_of(messages: Sequence[object]) -> Conversation:
    """The messages of a request. Raises InvalidRequestError naming what is wrong."""
    conversation = Conversation()
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        _take(conversation, as_object(message, place), place)
    return conversation


def _take(conversation: Conversation, message: Mapping[str, Any], place: str) -> None:
    role = message.get("role")
    if role in ("system", "developer"):
        conversation.system.extend(_texts(message.get("content"), f"{place}.content"))
    elif role == "user":
        blocks = _user(message.get("content"), f"{place}.content", conversation)
        conversation.add("user", blocks)
    elif role == "assistant":
        conversation.add("assistant", _assistant(message, place))
    elif role == "tool":
        conversation.add("user", [_tool_result(message, place)])
    else:
        roles = ("system", "developer", "user", "assistant", "tool")
        raise wrong_choice(f"{place}.role", role, roles)


def _user(content: object, place: str, conversation: Conversation) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"text": content}]
    return [
        _part(as_object(part, f"{place}[{index}]"), f"{place}[{index}]", conversation)
        for index, part in enumerate(as_filled_list(content, place))
    ]


def _part(part: Mapping[str, Any], place: str, conversation: Conversation) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text":
        return {"text": as_text(part.get("text"), f"{place}.text")}
    if kind == "image_url":
        image = as_object(part.get("image_url"), f"{place}.image_url")
        return _image(image.get("url"), f"{place}.image_url.url")
    if kind == "file":
        return _document(
            as_object(part.get("file"), f"{place}.file"), f"{place}.file", conversation
        )
    raise wrong_choice(f"{place}.type", kind, ("text", "image_url", "file"))


def _assistant(message: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    content = message.get("content")
    said = [] if content in (None, "", []) else _texts(content, f"{place}.content")
    # Models say blank text before they call a tool; Bedrock does not take it back.
    blocks = [block for block in said if block["text"].strip()]
    calls = as_list(message.get("tool_calls") or [], f"{place}.tool_calls")
    for index, call in enumerate(calls):
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


def _document(file: Mapping[str, Any], place: str, conversation: Conversation) -> dict[str, Any]:
    if "file_id" in file:
        raise InvalidRequestError(
            f"{place}.file_id is not supported, the gateway keeps no files; send file_data"
        )
    media_type, data = data_url(file.get("file_data"), f"{place}.file_data")
    if media_type not in _DOCUMENT_FORMATS:
        raise wrong_choice(f"{place}.file_data's media type", media_type, _DOCUMENT_FORMATS)
    return {
        "document": {
            "format": _DOCUMENT_FORMATS[media_type],
            "name": conversation.next_document(),
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
