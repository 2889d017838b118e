"""Turns of a conversation: who speaks, what may not be blank, and what stands beside a document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Blocks = Sequence[Mapping[str, Any]]

_DOCUMENT_NAME = re.compile(r"(?:[a-zA-Z0-9()\[\]-]|\s(?!\s))+")


def check(messages: Blocks, system: Blocks) -> None:
    """Check the turns and the texts of a Converse request, or of a body in the same form."""
    if not messages:
        raise invalid("The messages field is empty. Provide at least one message and try again.")
    _check_roles([message["role"] for message in messages])
    for index, message in enumerate(messages):
        place = f"messages.{index}"
        if not message["content"]:
            raise invalid(
                f"The content field in the Message object at {place} is empty. Add a ContentBlock "
                "object to the content field and try again."
            )
        _check_texts("ContentBlock", message["content"], f"{place}.content")
        _check_kinds(message, place)
    _check_texts("SystemContentBlock", system, "system")
    names = [document["name"] for document in documents_in(messages)]
    if len(set(names)) < len(names):
        raise invalid("Messages can not contain multiple documents with the same name")


def blocks_in(messages: Blocks) -> Iterator[Mapping[str, Any]]:
    """All content blocks, those of tool results among them."""
    for message in messages:
        for block in message["content"]:
            yield block
            yield from block.get("toolResult", {}).get("content", ())


def documents_in(messages: Blocks) -> list[Mapping[str, Any]]:
    """All documents, those of tool results among them."""
    return [block["document"] for block in blocks_in(messages) if "document" in block]


def _check_roles(roles: Sequence[str]) -> None:
    # Turns of the system may come once the user has begun; they leave the order as it is.
    spoken = [role for role in roles if role != "system"]
    if not spoken or roles[0] != "user":
        raise invalid(
            "A conversation must start with a user message. Try again with a conversation that "
            "starts with a user message."
        )
    if any(role == after for role, after in zip(spoken, spoken[1:], strict=False)):
        raise invalid(
            "A conversation must alternate between user and assistant roles. Make sure the "
            "conversation alternates between user and assistant roles and try again."
        )


def _check_texts(kind: str, blocks: Blocks, place: str) -> None:
    for index, block in enumerate(blocks):
        here = f"{place}.{index}"
        text = block.get("text")
        if text is None:
            text = block.get("guardContent", {}).get("text", {}).get("text")
        if text is not None and not text.strip():
            raise invalid(
                f"The text field in the {kind} object at {here} is blank. Add text to the text "
                "field, and try again."
            )
        results = block.get("toolResult", {}).get("content", ())
        _check_texts("ToolResultContentBlock", results, f"{here}.toolResult.content")


def _check_kinds(message: Mapping[str, Any], place: str) -> None:
    kinds = {kind for block in message["content"] for kind in block}
    if message["role"] == "system" and kinds - {"text", "toolAddition", "toolRemoval"}:
        raise invalid(f"{place}: system messages have text, toolAddition and toolRemoval only")
    if message["role"] != "user" and kinds & {"image", "document", "video", "audio", "toolResult"}:
        raise invalid(
            f"{place}: images, documents, videos, audio and tool results belong to user messages"
        )
    if message["role"] != "assistant" and kinds & {"toolUse", "reasoningContent"}:
        raise invalid(f"{place}: tool uses and reasoning belong to assistant messages")
    if message["role"] != "system" and kinds & {"toolAddition", "toolRemoval"}:
        raise invalid(f"{place}: toolAddition and toolRemoval belong to system messages")
    if "document" in kinds and "text" not in kinds:
        raise invalid(
            f"{place}: a message with a document needs a text block. Add one and try again."
        )
    for document in documents_in([message]):
        if not _DOCUMENT_NAME.fullmatch(document["name"]):
            raise invalid(
                f"{place}: the name of a document is not allowed: it has letters, digits, single "
                "white space, hyphens, parentheses and square brackets only"
            )
