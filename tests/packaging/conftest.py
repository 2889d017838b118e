"""The real zips, built once per run for Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.build.package import Target
from tests.packaging.builds import run_build

if TYPE_CHECKING:
    from tests.packaging.builds import Build


@pytest.fixture(scope="session")
def lambda_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """All zips, as they are deployed."""
    return run_build(tmp_path_factory.mktemp("lambda"), Target())
