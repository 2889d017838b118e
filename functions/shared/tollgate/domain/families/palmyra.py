"""Writer Palmyra."""

from __future__ import annotations

from tollgate.domain.families.forms import Family, MaxTokensField
from tollgate.domain.families.openai_format import chat

MESSAGES = chat("min_tokens", "top_k", max_tokens=MaxTokensField(("max_tokens",)))

PALMYRA = Family(name="Palmyra", models=("writer.",), texts=(MESSAGES,))
