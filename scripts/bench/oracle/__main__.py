"""Sends generated bodies through the gateway and prints what does not hold.

Run: python -m scripts.bench.oracle [--bodies 20000] [--seed 7] [--from 0]
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

FUNCTIONS = Path(__file__).resolve().parents[3] / "functions"
for _folder in ("shared", "converse", "invoke", "stream"):
    if str(FUNCTIONS / _folder) not in sys.path:
        sys.path.insert(0, str(FUNCTIONS / _folder))

from scripts.bench.oracle.gateway import Gateway  # noqa: E402
from scripts.bench.oracle.run import Oracle  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

BODIES = 20_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; 1 where anything does not hold."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.oracle", description=__doc__)
    parser.add_argument("--bodies", type=int, default=BODIES, help="how many requests")
    parser.add_argument("--seed", type=int, default=None, help="which ones; any by default")
    parser.add_argument("--from", type=int, default=0, dest="first", help="number of the first")
    parser.add_argument("--each", type=int, default=1, help="findings shown by kind and route")
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    started = time.perf_counter()
    with Gateway() as gateway:
        oracle = Oracle(gateway, seed, options.each)
        report = oracle.run(range(options.first, options.first + options.bodies))
    print(report)
    print(f"{time.perf_counter() - started:.0f} s")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
