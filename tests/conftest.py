"""What several folders of tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.local.ministack import MiniStack

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def ministack() -> Iterator[MiniStack]:
    """One emulator for each test worker; tests use resources of their own inside it."""
    with MiniStack() as emulator:
        yield emulator
