"""Amazon Rerank: a model that no route of the gateway calls, so that it has no bodies here."""

from __future__ import annotations

from tollgate.domain.families.forms import Family

RERANK = Family(name="Amazon Rerank", models=("amazon.rerank",))
