"""Mistral AI: prompts of the first models, chat of all others."""

from __future__ import annotations

from tollgate.domain.families.forms import Answer, Family, MaxTokensField
from tollgate.domain.families.openai_format import COMPLETION, chat

_MAX_TOKENS = MaxTokensField(("max_tokens",))

PROMPT = COMPLETION._replace(
    models=(
        "mistral.mistral-7b",
        "mistral.mistral-large-2402",
        "mistral.mistral-small-2402",
        "mistral.mixtral",
    ),
    members=COMPLETION.members | {"top_k"},
    fields=frozenset(("top_k",)),
    max_tokens=_MAX_TOKENS,
    answer=Answer(texts=(("outputs", 0, "text"),), stops=(("outputs", 0, "stop_reason"),)),
)

MESSAGES = chat(
    "prompt_mode",
    "random_seed",
    "safe_prompt",
    "top_k",
    max_tokens=_MAX_TOKENS,
)

MISTRAL = Family(name="Mistral", models=("mistral.",), texts=(PROMPT, MESSAGES))
