"""Moonshot AI Kimi, whose ids begin in two ways."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT

MESSAGES = CHAT._replace(members=CHAT.members | {"prompt_cache_key", "thinking"})

KIMI = Family(name="Kimi", models=("moonshot.", "moonshotai."), texts=(MESSAGES,))
