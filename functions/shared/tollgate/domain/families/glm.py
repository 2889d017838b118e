"""Z.ai GLM."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT

MESSAGES = CHAT._replace(members=CHAT.members | {"do_sample", "thinking", "tool_stream", "user_id"})

GLM = Family(name="GLM", models=("zai.",), texts=(MESSAGES,))
