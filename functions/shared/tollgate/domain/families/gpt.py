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


GPT = Family(
    name="GPT",
    models=("openai.",),
    texts=(MESSAGES,),
    effort=_effort,
    # ConverseStream, as of 2026; nothing is said of Converse.
    counts_cached_input=True,
)
