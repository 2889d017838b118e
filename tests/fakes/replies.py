"""Answers of a model service, as the runtime port hands them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.converse import event_size, event_text
from tollgate.domain.prices import TokenUsage
from tollgate.ports import ModelReply, StreamPiece

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE = TokenUsage(input=10, output=5)


def chat_reply(
    content: Sequence[Mapping[str, Any]] = ({"text": "hello"},),
    usage: TokenUsage = USAGE,
    *,
    stop_reason: str = "end_turn",
    service_tier: str = "default",
) -> ModelReply:
    """A Converse answer."""
    message = {"role": "assistant", "content": list(content)}
    return ModelReply(
        document={"output": {"message": message}, "stopReason": stop_reason},
        usage=usage,
        stop_reason=stop_reason,
        service_tier=service_tier,
    )


def event_piece(event: Mapping[str, Any]) -> StreamPiece:
    """A piece of a Converse stream."""
    return StreamPiece(event, event_text(event), event_size(event))


def text_piece(text: str, index: int = 0) -> StreamPiece:
    """A piece of streamed text."""
    delta = {"contentBlockIndex": index, "delta": {"text": text}}
    return event_piece({"contentBlockDelta": delta})


def tool_piece(text: str, index: int = 1) -> StreamPiece:
    """A piece of a tool's streamed input."""
    delta = {"contentBlockIndex": index, "delta": {"toolUse": {"input": text}}}
    return event_piece({"contentBlockDelta": delta})
