"""OpenAI's own models, gpt-oss among them."""

from __future__ import annotations

from typing import Any

from tollgate.domain.families.forms import Family, MaxTokensField
from tollgate.domain.families.openai_format import chat

MESSAGES = chat(
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "verbosity",
    max_tokens=MaxTokensField(("max_completion_tokens",), aliases=("max_tokens",)),
)


def _effort(_model_id: str, effort: str) -> dict[str, Any]:
    return {"reasoning_effort": effort}


# OpenAI has published the format (harmony): a system text of some 220 bytes, about 60 tokens, with
# identity, dates, effort and channels, and the answer's header. Twice as many.
_FRAMING_TOKENS = 128

GPT = Family(
    name="GPT",
    models=("openai.",),
    texts=(MESSAGES,),
    framing=(("openai.gpt-oss-", _FRAMING_TOKENS),),
    effort=_effort,
    # ConverseStream, as of 2026; nothing is said of Converse.
    counts_cached_input=True,
)
