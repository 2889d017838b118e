"""Runs the function in the place of Lambda's own runtime; see `bootstrap`."""

from __future__ import annotations

import sys

from tollgate.streaming import main

if __name__ == "__main__":
    sys.exit(main())
