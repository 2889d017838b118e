"""xAI Grok."""

from __future__ import annotations

from tollgate.domain.families.forms import Family
from tollgate.domain.families.openai_format import CHAT

# Not among its members: search_parameters, which has a price for each source.
GROK = Family(name="Grok", models=("xai.",), texts=(CHAT,))
