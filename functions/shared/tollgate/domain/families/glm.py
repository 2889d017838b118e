"""Z.ai GLM."""

from __future__ import annotations

from tollgate.domain.families.forms import Family, within
from tollgate.domain.families.openai_format import chat

MESSAGES = chat(
    "do_sample",
    "tool_stream",
    "user_id",
    *within("thinking", "clear_thinking", "type"),
)

GLM = Family(name="GLM", models=("zai.",), texts=(MESSAGES,))
