"""Google Gemma."""

from __future__ import annotations

from dataclasses import replace

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT

MESSAGES = replace(CHAT, members=CHAT.members | {"top_k"})

GEMMA = Family(name="Gemma", models=("google.gemma",), texts=(MESSAGES,))
