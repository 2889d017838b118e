"""Google Gemma."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT

MESSAGES = CHAT._replace(members=CHAT.members | {"top_k"})

GEMMA = Family(name="Gemma", models=("google.gemma",), texts=(MESSAGES,))
