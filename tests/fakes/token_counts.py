"""A token counter for service tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

BYTES_PER_TOKEN = 4


class FakeTokenCounter:
    """`tollgate.ports.TokenCounter` that finds a token in every four bytes, and keeps who asked."""

    def __init__(self, *models: str) -> None:
        self.models = models
        self.asked: list[str] = []

    def count(self, model_id: str, body: Mapping[str, Any]) -> int | None:
        self.asked.append(model_id)
        if model_id not in self.models:
            return None
        return len(json.dumps(body["messages"], ensure_ascii=False)) // BYTES_PER_TOKEN
