"""Make every hashed lock anew from its `requirements.in`, with uv, and that of Node.js with npm.

A tool environment's lock fits any Python from 3.11 on; a function's fits the Lambda runtime alone.
Locks name no package index. Versions that a lock already has stay unless `--upgrade` is given.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.build import node_tools

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
COMMON_OPTIONS = (
    "--generate-hashes",
    "--no-annotate",  # so that functions with the same packages have the same lock, and cache
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--quiet",
)
TOOL_OPTIONS = ("--universal", "--python-version", "3.11")
# What is built from source has no lock but its own: what it needs to run is in the one beside it.
SOURCE_OPTIONS = ("--no-deps",)
FUNCTION_OPTIONS = ("--python-platform", "aarch64-manylinux_2_28", "--python-version", "3.13")


def requirements(root: Path) -> dict[Path, tuple[str, ...]]:
    """Return every requirements file, relative to `root`, with the uv options for its lock.

    A file that takes its versions from another's lock comes after that one.
    """
    groups = {
        "scripts/build/requirements/*.in": TOOL_OPTIONS,
        "functions/*/requirements.in": FUNCTION_OPTIONS,
    }
    return {
        file.relative_to(root): (
            *options,
            *(SOURCE_OPTIONS if file.stem.endswith("_source") else ()),
        )
        for pattern, options in groups.items()
        for file in sorted(root.glob(pattern), key=lambda file: (_follows(file), file))
    }


def _follows(requirements_file: Path) -> bool:
    return "\n-c " in requirements_file.read_text("utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return uv's exit status of the first failure, or 0."""
    parser = argparse.ArgumentParser(prog="python -m scripts.build.locks", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="move to the newest versions")
    upgrade = ["--upgrade"] if parser.parse_args(arguments).upgrade else []
    uv = Path(sys.executable).with_name("uv")
    for file, options in requirements(ROOT).items():
        output = file.with_suffix(".lock")
        print(f"lock: {output}", flush=True)
        command = [
            *(str(uv), "pip", "compile", str(file), "--output-file", str(output)),
            *(*options, *COMMON_OPTIONS, *upgrade),
        ]
        outcome = subprocess.run(command, cwd=ROOT, check=False)
        if outcome.returncode != 0:
            return outcome.returncode
    return _lock_node_tools(upgrade=bool(upgrade))


def _lock_node_tools(*, upgrade: bool) -> int:
    """Make the lock of Node.js anew; what package.json names stays in the version it names."""
    print(f"lock: {node_tools.REQUIREMENTS}/{node_tools.LOCK_NAME}", flush=True)
    command = ["npm", "update" if upgrade else "install", "--package-lock-only", "--ignore-scripts"]
    return subprocess.run(command, cwd=ROOT / node_tools.REQUIREMENTS, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
