"""Meta's Llama."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Family, TextBody
from scripts.local.stubs.bedrock.families.openai_format import STOP_WORDS
from scripts.local.stubs.bedrock.families.reading import prompt_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.local.stubs.bedrock.families.forms import Said


def _llama(said: Said) -> dict[str, Any]:
    return {
        "generation": said.text,
        "prompt_token_count": said.input_tokens,
        "generation_token_count": said.output_tokens,
        "stop_reason": STOP_WORDS[said.stop_reason],
    }


def _llama_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {
            "generation": text,
            "prompt_token_count": None,
            "generation_token_count": None,
            "stop_reason": None,
        }
    yield {**_llama(said), "generation": ""}


PROMPT = TextBody(
    models=("meta.llama",),
    members=frozenset(("prompt", "max_gen_len", "temperature", "top_p", "images")),
    maxima=(("max_gen_len",),),
    read=prompt_reader("prompt", "max_gen_len", "stop"),
    answer=_llama,
    chunks=_llama_chunks,
)

FAMILY = Family(texts=(PROMPT,))
