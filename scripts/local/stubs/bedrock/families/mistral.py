"""Mistral AI: prompts of the first models, chat of all others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Family, TextBody
from scripts.local.stubs.bedrock.families.openai_format import CHAT, STOP_WORDS
from scripts.local.stubs.bedrock.families.reading import prompt_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.local.stubs.bedrock.families.forms import Said


def _mistral(said: Said) -> dict[str, Any]:
    return {"outputs": [{"text": said.text, "stop_reason": STOP_WORDS[said.stop_reason]}]}


def _mistral_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"outputs": [{"text": text, "stop_reason": None}]}
    yield {"outputs": [{"text": "", "stop_reason": STOP_WORDS[said.stop_reason]}]}


PROMPT = TextBody(
    models=(
        "mistral.mistral-7b",
        "mistral.mistral-large-2402",
        "mistral.mistral-small-2402",
        "mistral.mixtral",
    ),
    members=frozenset(("prompt", "max_tokens", "temperature", "top_p", "top_k", "stop")),
    read=prompt_reader("prompt", "max_tokens", "stop"),
    answer=_mistral,
    chunks=_mistral_chunks,
)
MESSAGES = replace(
    CHAT,
    models=("mistral.",),
    members=CHAT.members | {"prompt_mode", "random_seed", "safe_prompt", "top_k"},
)

FAMILY = Family(texts=(PROMPT, MESSAGES))
