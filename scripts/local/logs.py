"""The local stack's logs in files, so that a terminal shows only what people want to read."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tollgate.observability import logger as functions_logger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FUNCTIONS_LOG = "functions.jsonl"
"""What the functions log, as in CloudWatch: a JSON object a line."""
REQUESTS_LOG = "requests.log"
"""What the stack itself logs: a line for each request, runs of schedules, warnings."""


@contextmanager
def logs_in(folder: Path) -> Iterator[None]:
    """Send the logs of this process to new files in a folder while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as cleanup:
        functions = cleanup.enter_context((folder / FUNCTIONS_LOG).open("w", encoding="utf-8"))
        requests = cleanup.enter_context((folder / REQUESTS_LOG).open("w", encoding="utf-8"))
        for handler in functions_logger.handlers:
            if isinstance(handler, logging.StreamHandler):
                cleanup.callback(handler.setStream, handler.stream)
                handler.setStream(functions)
        ours = logging.StreamHandler(requests)
        ours.addFilter(lambda record: record.name != functions_logger.name)
        ours.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
        _add(cleanup, logging.getLogger(), logging.WARNING, ours)
        _add(cleanup, logging.getLogger("scripts.local"), logging.INFO)
        logging.captureWarnings(capture=True)
        cleanup.callback(logging.captureWarnings, capture=False)
        yield


def _add(
    cleanup: ExitStack, logger: logging.Logger, level: int, handler: logging.Handler | None = None
) -> None:
    cleanup.callback(logger.setLevel, logger.level)
    logger.setLevel(level)
    if handler is not None:
        cleanup.callback(logger.removeHandler, handler)
        logger.addHandler(handler)
