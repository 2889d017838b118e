"""What the tests of the local stack share: its tenants, the stack, and books that must balance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.local.stack import LocalStack
from tests.aws import kinds
from tests.aws.recorder import recording
from tests.integration.local.clients import Books, write_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file on one worker, because most of these files start a stack."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session", autouse=True)
def _calls_are_of_known_kinds() -> Iterator[None]:
    """Whatever these tests make functions call of AWS, tests/aws decides that roles allow it."""
    made: set[str] = set()
    with recording(lambda call: made.update(kinds.kinds_of(call))):
        yield
    decided = {kind for run in kinds.known().values() for kind in run}
    assert sorted(made - decided) == [], "take these in tests/aws/paths.py"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tenants for the clients."""
    return write_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def stack(environment: Path) -> Iterator[LocalStack]:
    """A stack with these tenants, that streams without haste."""
    with LocalStack(environment, delta_seconds=0.002) as running:
        yield running


@pytest.fixture
def books(stack: LocalStack) -> Iterator[Books]:
    """The books of one test, which balance after it."""
    opened = Books(stack)
    yield opened
    opened.balance()
