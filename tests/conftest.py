"""What several folders of tests share."""

from __future__ import annotations

import os
import platform
import subprocess
from typing import TYPE_CHECKING

import hypothesis
import pytest

from scripts.build.package import WHEEL_ARCHITECTURES, Target
from scripts.local.ministack import MiniStack
from tests.packaging.builds import run_build, runtime_interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.packaging.builds import Build

# Terraform and its provider are started hundreds of times for a few seconds each: a quarter of
# their time would be the collection of garbage that their end collects anyway.
os.environ.setdefault("GOGC", "400")

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-machine")


# By the beginnings of their paths: what waits longest, then what is cheap, so that a mistake shows
# in the first minute, then what computes longest, so that no worker is left with it at the end.
ORDER = (
    "tests/stack/test_moto_stack.py",
    "tests/unit/",
    "tests/golden/",
    "tests/contract/test_tenant_lifecycle.py",
    "tests/policy/",
    "tests/contract/test_terraform_static.py",
    "tests/sandbox/",
    "tests/aws/test_replay.py",
    "tests/stack/",
    "tests/packaging/",
    "tests/integration/test_kill_matrix.py",
    "tests/integration/test_failures.py",
    "tests/integration/local/",
    "tests/",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests; within a place they stay as they are."""

    def place(item: pytest.Item) -> int:
        return next(number for number, path in enumerate(ORDER) if item.nodeid.startswith(path))

    items.sort(key=place)


@pytest.fixture(scope="session")
def ministack() -> Iterator[MiniStack]:
    """One emulator for each test worker; tests use resources of their own inside it."""
    with MiniStack() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def interpreter() -> str:
    """The interpreter that loads the zips."""
    return runtime_interpreter()


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
