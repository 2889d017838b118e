"""Make the repository's Python environments from their hashed locks.

Runs before anything is installed, so it imports the standard library only and works under any
Python from 3.11 on. Each environment is a folder of its own, because the tools pin releases of
common libraries that exclude each other. A stamp inside the folder records what it was made from:
a second call finds it and returns at once, and a half-made environment, which has none, is made
again. Package indexes, mirrors and certificates come from pip's own configuration.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
MINIMUM_PYTHON = (3, 11)
STAMP_NAME = ".setup-stamp.json"
# The pip that comes with Python 3.11 takes seven times as long as this one.
PIP_LOCK = "scripts/build/requirements/pip.lock"


class SetupError(Exception):
    """An environment cannot be made; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Environment:
    """One Python environment: its name, its folder and its lock, both relative to the root."""

    name: str
    folder: str
    lock: str

    def python(self, root: Path) -> Path:
        """Return the path of this environment's interpreter."""
        return root / self.folder / "bin" / "python"


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        Environment("dev", ".venv", "scripts/build/requirements/dev.lock"),
        Environment("ministack", ".tools/ministack", "scripts/build/requirements/ministack.lock"),
        Environment("checkov", ".tools/checkov", "scripts/build/requirements/checkov.lock"),
        Environment("cdktf", ".tools/cdktf", "scripts/build/requirements/cdktf.lock"),
    )
}


def check_interpreter() -> None:
    """Raise SetupError when the running interpreter cannot make an environment."""
    if sys.version_info < MINIMUM_PYTHON:
        wanted = ".".join(map(str, MINIMUM_PYTHON))
        raise SetupError(
            f"Python {wanted} or newer is needed, this is {sys.version.split()[0]} "
            f"({sys.executable}); run make with PYTHON=<path of a newer python3>"
        )
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            f"{sys.executable} has no ensurepip module, so it cannot make an environment with pip; "
            "on Debian and Ubuntu install the package python3-venv"
        )


def expected_stamp(lock: Path, folder: Path) -> dict[str, str]:
    """Describe what an up-to-date environment in `folder` was made from.

    The folder is part of it because an environment's scripts name their interpreter by full path:
    a copied or moved checkout needs new ones.

    Raises:
        SetupError: the lock does not exist.
    """
    if not lock.is_file():
        raise SetupError(f"the lock {lock} does not exist; `make lock` makes it")
    return {
        "lock_sha256": hashlib.sha256(lock.read_bytes()).hexdigest(),
        "python": ".".join(map(str, sys.version_info[:2])),
        "folder": str(folder),
    }


def is_current(folder: Path, stamp: dict[str, str]) -> bool:
    """Return whether `folder` holds a finished environment made from what `stamp` says."""
    try:
        found = json.loads((folder / STAMP_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == stamp) and (folder / "bin" / "python").exists()


@contextmanager
def exclusively(folder: Path) -> Iterator[None]:
    """Hold the right to make `folder`, so that two calls at once do not mix their work."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock_file = folder.with_name(f"{folder.name}.setup-lock")
    with lock_file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build(environment: Environment, root: Path, stamp: dict[str, str]) -> None:
    """Make the environment from nothing and stamp it.

    Raises:
        SetupError: pip could not install the lock; pip's own message is already on stderr.
    """
    folder = root / environment.folder
    if folder.exists():
        shutil.rmtree(folder)
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    for wanted in (PIP_LOCK, environment.lock):
        command = [
            str(environment.python(root)),
            *("-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--only-binary=:all:"),
            # Of the tools' thousands of modules few are ever imported; those are compiled then.
            "--no-compile",
            *("--requirement", str(root / wanted)),
        ]
        outcome = subprocess.run(command, cwd=root, check=False)
        if outcome.returncode != 0:
            raise SetupError(
                f"pip could not install {wanted} into {environment.folder} (see above); "
                "`pip config list` shows which package indexes it used"
            )
    (folder / STAMP_NAME).write_text(json.dumps(stamp, sort_keys=True) + "\n", "utf-8")


def ensure(environment: Environment, root: Path = ROOT) -> bool:
    """Make the environment unless it is already current; return whether it was made.

    Raises:
        SetupError: see `check_interpreter`, `expected_stamp` and `build`.
    """
    folder = root / environment.folder
    stamp = expected_stamp(root / environment.lock, folder)
    if is_current(folder, stamp):
        return False
    check_interpreter()
    with exclusively(folder):
        if is_current(folder, stamp):
            return False
        print(f"setup: making {environment.folder} from {environment.lock} ...", flush=True)
        started = time.monotonic()
        build(environment, root, stamp)
        print(f"setup: {environment.folder} ready in {time.monotonic() - started:.0f} s")
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.build.environments", description=__doc__)
    parser.add_argument(
        "names",
        nargs="+",
        choices=[*ENVIRONMENTS, "all"],
        metavar="environment",
        help=f"{', '.join(ENVIRONMENTS)} or all",
    )
    chosen = parser.parse_args(arguments).names
    names = list(ENVIRONMENTS) if "all" in chosen else list(dict.fromkeys(chosen))
    try:
        # Unpacking keeps one core busy, so several are made at once.
        with ThreadPoolExecutor() as pool:
            list(pool.map(ensure, (ENVIRONMENTS[name] for name in names)))
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
