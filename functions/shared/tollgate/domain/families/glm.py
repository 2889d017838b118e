"""Z.ai GLM."""

from __future__ import annotations

from dataclasses import replace

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT

MESSAGES = replace(CHAT, members=CHAT.members | {"do_sample", "thinking", "tool_stream", "user_id"})

GLM = Family(name="GLM", models=("zai.",), texts=(MESSAGES,))
