"""The stack that the tests of this folder share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stack import moto

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[moto.Stack]:
    """The root module with envs/dev, applied; moto runs for as long as the session."""
    folder = tmp_path_factory.mktemp("stack")
    moto.copy_code(folder)
    with moto.serve(tmp_path_factory.mktemp("moto") / "moto.log") as endpoint:
        applied = moto.Stack(folder, endpoint)
        for result in (
            applied.terraform("init", "-no-color"),
            applied.planned("apply", "-auto-approve"),
        ):
            assert result.returncode == 0, result.stdout + result.stderr
        yield applied
