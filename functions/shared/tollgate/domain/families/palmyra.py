"""Writer Palmyra."""

from __future__ import annotations

from tollgate.domain.families.forms import Family, MaxTokensField
from tollgate.domain.families.openai_format import CHAT

MESSAGES = CHAT._replace(
    members=CHAT.members | {"min_tokens", "top_k"}, max_tokens=MaxTokensField(("max_tokens",))
)

PALMYRA = Family(name="Palmyra", models=("writer.",), texts=(MESSAGES,))
