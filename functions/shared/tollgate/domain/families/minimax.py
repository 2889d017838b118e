"""MiniMax."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import chat

MESSAGES = chat("reasoning_split", "top_k")

MINIMAX = Family(name="MiniMax", models=("minimax.",), texts=(MESSAGES,))
