"""The real zips, built once per run: for Lambda, and for the machine the tests run on."""

from __future__ import annotations

import platform
import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts.build.package import WHEEL_ARCHITECTURES, Target
from tests.packaging.builds import run_build, runtime_interpreter

if TYPE_CHECKING:
    from tests.packaging.builds import Build


@pytest.fixture(scope="session")
def interpreter() -> str:
    """The interpreter that loads the zips."""
    return runtime_interpreter()


@pytest.fixture(scope="session")
def lambda_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """All zips, as they are deployed."""
    return run_build(tmp_path_factory.mktemp("lambda"), Target())


@pytest.fixture(scope="session")
def native_build(tmp_path_factory: pytest.TempPathFactory, interpreter: str) -> Build:
    """All zips from the same sources and locks, with wheels that load on this machine."""
    version = subprocess.run(
        [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    machines = {wheel: name for name, wheel in WHEEL_ARCHITECTURES.items()}
    target = Target(machines[platform.machine()], version)
    return run_build(tmp_path_factory.mktemp("native"), target)
