"""Waiting for what a slow and busy machine brings about in the end.

No verdict depends on how long something took: a test waits for a condition, with more patience than
any machine needs, and fails only where it does not come true at all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

Value = TypeVar("Value")

PATIENCE_SECONDS = 120
_LOOK_SECONDS = 0.02


def until(look: Callable[[], Value | None], what: str) -> Value:
    """The first thing found that is true; fails with `what` where two minutes do not bring it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(_LOOK_SECONDS)
    return found


def until_job_ends(poll: Callable[[], requests.Response]) -> dict[str, Any]:
    """What the last poll of `GET /v1/jobs/{id}` says of a job."""

    def ended() -> dict[str, Any] | None:
        view: dict[str, Any] = poll().json()
        return None if view["status"] in ("queued", "running") else view

    return until(ended, "the end of the job")
