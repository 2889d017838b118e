"""Frames of the Bedrock stub's event streams."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.tools import tool_tokens
from tollgate.dialects.bedrock import eventstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.local.stubs.bedrock.answers import Answer

TOKENS_PER_DELTA = 4
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def chat_frames(answer: Answer) -> Iterator[tuple[bytes, int]]:
    """Yield the frames of an answer up to messageStop, with the output tokens of each."""
    yield padded("messageStart", {"role": "assistant"}), 0
    for index, block in enumerate(_streamed_blocks(answer)):
        start, deltas = block
        if start is not None:
            yield padded("contentBlockStart", {"start": start, "contentBlockIndex": index}), 0
        for delta, tokens in deltas:
            yield padded("contentBlockDelta", {"delta": delta, "contentBlockIndex": index}), tokens
        yield padded("contentBlockStop", {"contentBlockIndex": index}), 0
    yield padded("messageStop", answer.end), 0


_Deltas = list[tuple[dict[str, Any], int]]


def _streamed_blocks(answer: Answer) -> Iterator[tuple[dict[str, Any] | None, _Deltas]]:
    """Yield what each block begins with, if it says so, and its deltas with their tokens."""
    if answer.redacted is not None:
        data = base64.b64encode(answer.redacted).decode()
        yield None, [({"reasoningContent": {"redactedContent": data}}, len(answer.thoughts))]
    elif answer.thoughts:
        thoughts: _Deltas = [
            ({"reasoningContent": {"text": text}}, tokens)
            for text, tokens in grouped(answer.thoughts)
        ]
        if answer.signature is not None:
            thoughts.append(({"reasoningContent": {"signature": answer.signature}}, 0))
        yield None, thoughts
    if answer.pieces:
        yield None, [({"text": text}, tokens) for text, tokens in grouped(answer.pieces)]
    for tool in answer.tools:
        named = {key: tool[key] for key in ("toolUseId", "name")}
        delta = {"toolUse": {"input": json.dumps(tool["input"])}}
        yield {"toolUse": named}, [(delta, tool_tokens(tool))]


def grouped(pieces: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield the text of each delta of a stream, with its tokens."""
    for start in range(0, len(pieces), TOKENS_PER_DELTA):
        group = pieces[start : start + TOKENS_PER_DELTA]
        yield "".join(group), len(group)


def padded(kind: str, payload: dict[str, Any]) -> bytes:
    """Return an event with the meaningless member `p` that the service pads its events with."""
    padding = _PADDING[: 1 + len(json.dumps(payload)) % len(_PADDING)]
    return eventstream.event(kind, {**payload, "p": padding})
