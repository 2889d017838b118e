"""What the native bodies of Claude's and Nova's models refuse beyond their members.

Nova's bodies have Converse's form and its rules. Claude's are those of its Messages API.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.refusals import caching, claude, conversation, media, tools
from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Blocks = Sequence[Mapping[str, Any]]

_ROLES = ("user", "assistant", "system")


def check(body: Mapping[str, Any], model_id: str, *, lasts_an_hour: bool) -> None:
    """Check a native body that has messages.

    `lasts_an_hour` says that the model has a price for what is kept so long.

    Raises ServiceError, and one of the errors of reading where it has another form at all.
    """
    if "messages" not in body:
        return
    if model_id.startswith("amazon.nova-"):
        _check_nova(body, model_id)
    elif model_id.startswith("anthropic."):
        _check_claude(body, model_id)
        _check_marks(body, model_id, lasts_an_hour=lasts_an_hour)


def _check_nova(body: Mapping[str, Any], model_id: str) -> None:
    messages = body["messages"]
    conversation.check(messages, body.get("system") or ())
    tools.check(messages, body.get("toolConfig"))
    media.check(messages, model_id)
    caching.check(body, model_id, lasts_an_hour=False)


def _check_claude(body: Mapping[str, Any], model_id: str) -> None:
    messages = _messages(body)
    _check_turns(messages)
    for index, tool in enumerate(body.get("tools") or ()):
        # Tools of the provider's own are told by their type, and have no schema.
        if tool.get("type") in (None, "custom"):
            tools.check_schema(tool.get("input_schema"), f"tools.{index}.custom.input_schema")
    claude.check(claude.Settings.of_native(body), model_id)
    _check_media(messages)


def _messages(body: Mapping[str, Any]) -> Blocks:
    """The messages with their content as blocks."""
    return [
        {"role": message["role"], "content": _blocks(message["content"])}
        for message in body["messages"]
    ]


def _blocks(content: object) -> Blocks:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise invalid("messages.content: Input should be a valid list")
    return content


def _check_turns(messages: Blocks) -> None:
    if messages and messages[0]["role"] != "user":
        raise invalid('messages: first message must use the "user" role')
    turns: list[tuple[str, list[Mapping[str, Any]]]] = []
    for index, message in enumerate(messages):
        role, blocks = message["role"], message["content"]
        if role not in _ROLES:
            raise invalid(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        _check_texts(blocks, f"messages.{index}")
        if turns and turns[-1][0] == role:
            # Messages of one side in a row are read as one.
            turns[-1][1].extend(blocks)
        elif role != "system":
            turns.append((role, list(blocks)))
    asked: list[str] = []
    for index, (_, blocks) in enumerate(turns):
        answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        tools.check_results(asked, answered, f"turn {index} of messages")
        asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
    tools.check_results(asked, [], "the next turn")


def _check_texts(blocks: Blocks, place: str) -> None:
    if not blocks:
        raise invalid(f"{place}: all messages must have non-empty content")
    for block in blocks:
        if block["type"] == "text" and not block["text"].strip():
            raise invalid(f"{place}: text content blocks must contain non-whitespace text")
        inner = block.get("content")
        if block["type"] == "tool_result" and isinstance(inner, list) and inner:
            _check_texts(inner, f"{place}.tool_result")


def _check_media(messages: Blocks) -> None:
    images = list(_of_type("image", messages))
    documents = list(_of_type("document", messages))
    media.check_counts(len(images), len(documents))
    for image in images:
        kind = image["source"].get("media_type", "").removeprefix("image/")
        media.check_image(_data(image), kind)
    for document in documents:
        if document["source"]["type"] == "base64":
            media.check_document(_data(document))


def _of_type(kind: str, messages: Blocks) -> Iterator[Mapping[str, Any]]:
    for message in messages:
        for block in message["content"]:
            inner = block.get("content") if block["type"] == "tool_result" else ()
            nested = inner if isinstance(inner, list) else ()
            yield from (found for found in (block, *nested) if found["type"] == kind)


def _data(block: Mapping[str, Any]) -> bytes:
    source = block["source"]
    if source["type"] != "base64":
        raise invalid(f"{block['type']}.source.type: Input should be 'base64'")
    try:
        return base64.b64decode(source["data"], validate=True)
    except ValueError as error:
        raise invalid(f"{block['type']}.source.data: Input should be valid base64") from error


def _check_marks(body: Mapping[str, Any], model_id: str, *, lasts_an_hour: bool) -> None:
    system = body.get("system")
    blocks = [*(body.get("tools") or ()), *(system if isinstance(system, list) else ())]
    for message in _messages(body):
        blocks += message["content"]
    marks = [block["cache_control"] for block in blocks if block.get("cache_control")]
    lifetimes = [mark.get("ttl", "5m") for mark in marks]
    known = ("5m", "1h") if lasts_an_hour else ("5m",)
    if any(mark.get("type") != "ephemeral" for mark in marks) or set(lifetimes) - set(known):
        raise invalid(f"cache_control: Input should be ephemeral, for {' or '.join(known)}")
    if marks:
        caching.check_model(model_id)
    caching.check_lifetimes(lifetimes)
