"""Moonshot AI Kimi, whose ids begin in two ways."""

from __future__ import annotations

from tollgate.domain.families.forms import Family, within
from tollgate.domain.families.openai_format import chat

MESSAGES = chat("prompt_cache_key", *within("thinking", "keep", "type"))

KIMI = Family(name="Kimi", models=("moonshot.", "moonshotai."), texts=(MESSAGES,))
