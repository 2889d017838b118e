"""DeepSeek: completions of R1, chat of all others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Family, TextBody
from scripts.local.stubs.bedrock.families.openai_format import CHAT, STOP_WORDS
from scripts.local.stubs.bedrock.families.reading import prompt_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.local.stubs.bedrock.families.forms import Said


def _text_choice(said: Said) -> dict[str, Any]:
    return {"choices": [{"text": said.text, "stop_reason": STOP_WORDS[said.stop_reason]}]}


def _text_choice_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"choices": [{"text": text, "stop_reason": None}]}
    yield {"choices": [{"text": "", "stop_reason": STOP_WORDS[said.stop_reason]}]}


R1 = TextBody(
    models=("deepseek.r1",),
    members=frozenset(("prompt", "max_tokens", "temperature", "top_p", "stop")),
    read=prompt_reader("prompt", "max_tokens", "stop"),
    answer=_text_choice,
    chunks=_text_choice_chunks,
)
MESSAGES = replace(
    CHAT, models=("deepseek.",), members=CHAT.members | {"chat_template_kwargs", "thinking"}
)

FAMILY = Family(texts=(R1, MESSAGES))
