"""The Bedrock stub as a program: serves until it is stopped, and prints its URL first."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.local.stubs.bedrock.server import BedrockStub
from scripts.local.stubs.model_stub import DEFAULT_DELTA_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; prints the URL first."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local.stubs.bedrock")
    parser.add_argument("--port", type=int, default=0, help="TCP port, 0 for a free one")
    parser.add_argument("--log", type=Path, help="file to append the call log to (JSON lines)")
    parser.add_argument(
        "--delta-ms", type=int, default=round(DEFAULT_DELTA_SECONDS * 1000), help="pace of streams"
    )
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with BedrockStub(
        log=options.log, port=options.port, delta_seconds=options.delta_ms / 1000
    ) as stub:
        print(stub.url, flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
