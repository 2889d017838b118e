"""What several folders of tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scripts.local.ministack import MiniStack

if TYPE_CHECKING:
    from collections.abc import Iterator

# Terraform and its provider are started hundreds of times for a few seconds each: a quarter of
# their time would be the collection of garbage that their end collects anyway.
os.environ.setdefault("GOGC", "400")


@pytest.fixture(scope="session")
def ministack() -> Iterator[MiniStack]:
    """One emulator for each test worker; tests use resources of their own inside it."""
    with MiniStack() as emulator:
        yield emulator
