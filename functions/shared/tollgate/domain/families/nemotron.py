"""NVIDIA Nemotron."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT

MESSAGES = CHAT._replace(members=CHAT.members | {"chat_template_kwargs", "top_k"})

NEMOTRON = Family(name="Nemotron", models=("nvidia.",), texts=(MESSAGES,))
