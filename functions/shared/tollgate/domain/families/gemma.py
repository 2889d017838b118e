"""Google Gemma."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import chat

MESSAGES = chat("top_k")

GEMMA = Family(name="Gemma", models=("google.gemma",), texts=(MESSAGES,))
