"""Answers of chats through an inference profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.bedrock.blobs import encoded

if TYPE_CHECKING:
    from tollgate.dialects.exchange import ParsedCall
    from tollgate.services.calls import Answer


def chat_body(_parsed: ParsedCall, answer: Answer) -> dict[str, Any]:
    """The `output` of Converse, as the seed system gave it."""
    output: dict[str, Any] = encoded(answer.document["output"])
    return output
