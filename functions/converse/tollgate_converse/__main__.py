"""Runs the function in the place of Lambda's own runtime; see `bootstrap`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tollgate.entry.runtime import main

if TYPE_CHECKING:
    from tollgate.entry.runtime import Handler


def load_handler() -> Handler:
    """Import the handler here, where a failure of that can be reported to Lambda."""
    from tollgate_converse.handler import lambda_handler  # noqa: PLC0415 - as above

    return lambda_handler


if __name__ == "__main__":
    sys.exit(main(load_handler))
