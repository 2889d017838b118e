"""NVIDIA Nemotron."""

from __future__ import annotations

from tollgate.domain.families.forms import Family, within
from tollgate.domain.families.openai_format import chat

MESSAGES = chat("top_k", *within("chat_template_kwargs", "enable_thinking", "thinking"))

NEMOTRON = Family(name="Nemotron", models=("nvidia.",), texts=(MESSAGES,))
