"""DeepSeek: R1 continues a prompt, V3 and later chat."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT, COMPLETION

R1 = COMPLETION._replace(
    models=("deepseek.r1",),
    members=COMPLETION.members | {"max_completion_tokens"},
)

MESSAGES = CHAT._replace(members=CHAT.members | {"thinking"})

DEEPSEEK = Family(name="DeepSeek", models=("deepseek.",), texts=(R1, MESSAGES))
