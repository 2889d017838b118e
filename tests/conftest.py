"""What several folders of tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

from scripts.local.ministack import MiniStack

if TYPE_CHECKING:
    from collections.abc import Iterator

# Terraform and its provider are started hundreds of times for a few seconds each: a quarter of
# their time would be the collection of garbage that their end collects anyway.
os.environ.setdefault("GOGC", "400")

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-machine")


@pytest.fixture(scope="session")
def ministack() -> Iterator[MiniStack]:
    """One emulator for each test worker; tests use resources of their own inside it."""
    with MiniStack() as emulator:
        yield emulator
