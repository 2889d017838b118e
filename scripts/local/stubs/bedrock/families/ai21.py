"""AI21 Labs: Jurassic-2 and Jamba."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Family, TextBody
from scripts.local.stubs.bedrock.families.openai_format import CHAT
from scripts.local.stubs.bedrock.families.reading import prompt_reader
from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.local.stubs.bedrock.families.forms import Said

_WORDS = {"end_turn": "endoftext", "max_tokens": "length", "stop_sequence": "stop"}


def _jurassic(said: Said) -> dict[str, Any]:
    pieces = [*said.pieces, *[""] * (said.output_tokens // said.answers - len(said.pieces))]
    tokens = [{"generatedToken": {"token": piece}} for piece in pieces]
    completion = {
        "data": {"text": said.text, "tokens": tokens},
        "finishReason": {"reason": _WORDS[said.stop_reason]},
    }
    prompt: dict[str, Any] = {"tokens": [{}] * said.input_tokens}
    return {"id": 1, "prompt": prompt, "completions": [completion] * said.answers}


def _no_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    raise invalid("The model is unsupported for streaming")


JURASSIC = TextBody(
    models=("ai21.j2-",),
    members=frozenset(
        ("prompt", "maxTokens", "temperature", "topP", "stopSequences", "numResults")
    ),
    maxima=(("maxTokens",),),
    answers=(("numResults",),),
    read=prompt_reader("prompt", "maxTokens", "stopSequences"),
    answer=_jurassic,
    chunks=_no_chunks,
)
JAMBA = replace(CHAT, models=("ai21.jamba",))

FAMILY = Family(texts=(JURASSIC, JAMBA))
