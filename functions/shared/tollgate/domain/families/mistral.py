"""Mistral AI: prompts of the first models, chat of all others."""

from __future__ import annotations

from tollgate.domain.families.forms import Answer, Family, MaxTokensField
from tollgate.domain.families.openai_format import COMPLETION, chat

PROMPT = COMPLETION._replace(
    models=(
        "mistral.mistral-7b",
        "mistral.mistral-large-2402",
        "mistral.mistral-small-2402",
        "mistral.mixtral",
    ),
    members=COMPLETION.members | {"top_k"},
    fields=frozenset(("top_k",)),
    answer=Answer(texts=(("outputs", 0, "text"),), stops=(("outputs", 0, "stop_reason"),)),
)

MESSAGES = chat(
    "prompt_mode",
    "random_seed",
    "safe_prompt",
    "top_k",
    max_tokens=MaxTokensField(("max_tokens",)),
)

MISTRAL = Family(name="Mistral", models=("mistral.",), texts=(PROMPT, MESSAGES))
