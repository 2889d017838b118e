"""The functions' log in scripts that run the functions' code in their own process."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def errors_only() -> Iterator[None]:
    """Log nothing but errors for a while: a line for each call would bury a report."""
    level = logger.log_level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
