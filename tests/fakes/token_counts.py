"""A token counter for service tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.sessions import Session

BYTES_PER_TOKEN = 4


class FakeTokenCounter:
    """`tollgate.ports.TokenCounter` that finds a token in every four bytes, and keeps who asked."""

    def __init__(self, *models: str) -> None:
        self.models = models
        self.asked: list[str] = []
        self.sessions: list[Session | None] = []

    def count(
        self, model_id: str, body: Mapping[str, Any], session: Session | None = None
    ) -> int | None:
        self.asked.append(model_id)
        self.sessions.append(session)
        if model_id not in self.models:
            return None
        return len(json.dumps(body["messages"], ensure_ascii=False)) // BYTES_PER_TOKEN
