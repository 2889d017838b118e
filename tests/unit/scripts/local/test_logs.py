"""Logs go to files while the block runs, and where they went before afterwards."""

from __future__ import annotations

import io
import json
import logging
import warnings
from typing import TYPE_CHECKING

import pytest

from scripts.local.logs import FUNCTIONS_LOG, REQUESTS_LOG, logs_in
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def terminal() -> Iterator[io.StringIO]:
    """What the functions' logger writes to outside of the block."""
    [handler] = logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    stream, before = io.StringIO(), handler.stream
    handler.setStream(stream)
    yield stream
    handler.setStream(before)


def test_logs_are_in_files_and_apart(tmp_path: Path, terminal: io.StringIO) -> None:
    stack = logging.getLogger("scripts.local.probe")
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / REQUESTS_LOG).write_text("of an earlier run", "utf-8")
    with logs_in(tmp_path / "logs"):
        logger.info("inside")
        stack.info("GET / 200")
        warnings.warn("mind this", UserWarning, stacklevel=1)
    logger.info("outside")
    stack.warning("nobody writes this down")
    functions = (tmp_path / "logs" / FUNCTIONS_LOG).read_text("utf-8").splitlines()
    assert [json.loads(line)["message"] for line in functions] == ["inside"]
    requests = (tmp_path / "logs" / REQUESTS_LOG).read_text("utf-8")
    assert "scripts.local.probe: GET / 200" in requests
    assert "mind this" in requests
    assert "inside" not in requests
    assert "earlier" not in requests
    assert "nobody" not in requests
    assert json.loads(terminal.getvalue())["message"] == "outside"
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)


def test_they_go_back_after_a_failure_too(tmp_path: Path, terminal: io.StringIO) -> None:
    with pytest.raises(OSError, match="no port"), logs_in(tmp_path):
        raise OSError("no port")
    logger.info("outside")
    assert "outside" in terminal.getvalue()
