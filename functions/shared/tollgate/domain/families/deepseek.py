"""DeepSeek: R1 continues a prompt, V3 and later chat."""

from __future__ import annotations

from dataclasses import replace

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT, COMPLETION

R1 = replace(
    COMPLETION,
    models=("deepseek.r1",),
    members=COMPLETION.members | {"max_completion_tokens"},
)

MESSAGES = replace(CHAT, members=CHAT.members | {"thinking"})

DEEPSEEK = Family(name="DeepSeek", models=("deepseek.",), texts=(R1, MESSAGES))
