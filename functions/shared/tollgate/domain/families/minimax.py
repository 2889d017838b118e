"""MiniMax."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT

MESSAGES = CHAT._replace(members=CHAT.members | {"reasoning_split", "top_k"})

MINIMAX = Family(name="MiniMax", models=("minimax.",), texts=(MESSAGES,))
