"""Meta Llama."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.families.forms import Answer, Family, MaxTokensField, TextBody, said_before
from tollgate.domain.families.openai_format import write_prompt
from tollgate.domain.families.reading import count
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping


def _usage(document: Mapping[str, Any]) -> TokenUsage | None:
    given, made = count(document, "prompt_token_count"), count(document, "generation_token_count")
    return None if given is None or made is None else TokenUsage(input=given, output=made)


TEXT = TextBody(
    prompt="prompt",
    # Meta documents no stop; the first seed system's callers send one, and the model decides.
    members=frozenset(("images", "max_gen_len", "prompt", "stop", "temperature", "top_p")),
    max_tokens=MaxTokensField(("max_gen_len",)),
    write=write_prompt,
    system="prompt",
    with_system=said_before("prompt"),
    answer=Answer(texts=(("generation",),), stops=(("stop_reason",),), usage=_usage),
    media=("images",),
)

# Meta's model cards have the template: a begin, a system text of 63 bytes with two dates, and the
# header of the answer.
_FRAMING_TOKENS = 96

LLAMA = Family(
    name="Llama",
    models=("meta.llama",),
    texts=(TEXT,),
    framing=tuple((f"meta.llama{version}", _FRAMING_TOKENS) for version in (2, 3, 4)),
)
