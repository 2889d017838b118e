"""Install what tests run in Node.js from its lock, into `.tools/node`.

Node.js itself and npm come from PATH. No package runs a script of its own while it is installed.
Imports the standard library only, as it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from scripts.build.stamps import SetupError, exclusively, is_stamped, megabytes, write_stamp

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.build.progress import Progress

NAME = "node"
FOLDER = ".tools/node"
REQUIREMENTS = "scripts/build/requirements/node"
LOCK_NAME = "package-lock.json"
MINIMUM_NODE = 20
_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress")
_VERSION = re.compile(r"v(\d+)\.")


def unavailable() -> str | None:
    """Return why nothing can run in Node.js here, None where it can."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} not on PATH; install Node.js {MINIMUM_NODE} or newer"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    version = _VERSION.match(said.stdout)
    if version is None or int(version[1]) < MINIMUM_NODE:
        found = said.stdout.strip() or "no answer"
        return f"Node.js {MINIMUM_NODE} or newer is needed; node --version says {found}"
    return None


def not_installed(root: Path) -> str | None:
    """Return why tests cannot run what is installed here, None where they can.

    Raises:
        SetupError: they cannot, and with CI=true nothing may be left out.
    """
    reason = unavailable()
    if reason is None and not is_stamped(root / FOLDER, _stamp(root)):
        reason = f"{FOLDER} is not current; run `python3 -m scripts.build.environments {NAME}`"
    if reason and os.environ.get("CI") == "true":
        raise SetupError(reason)
    return reason


def ensure(progress: Progress, root: Path) -> bool:
    """Install the packages unless they are current; return whether they were installed.

    Raises:
        SetupError: Node.js is missing or too old, or npm failed; what it said is in the message.
    """
    folder, requirements = root / FOLDER, root / REQUIREMENTS
    stamp = _stamp(root)
    if is_stamped(folder, stamp):
        return False
    reason = unavailable()
    if reason is not None:
        raise SetupError(reason)
    with exclusively(folder):
        if is_stamped(folder, stamp):
            return False
        progress.say(f"{FOLDER}: making it from {REQUIREMENTS}/{LOCK_NAME}")
        started = time.monotonic()
        _install(folder, requirements)
        write_stamp(folder, stamp)
        seconds = time.monotonic() - started
        progress.end(FOLDER, f"ready, {megabytes(folder)} MB, {seconds:.0f} s")
    return True


def _stamp(root: Path) -> dict[str, str]:
    lock = root / REQUIREMENTS / LOCK_NAME
    return {"lock_sha256": hashlib.sha256(lock.read_bytes()).hexdigest()}


def _install(folder: Path, requirements: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", LOCK_NAME):
        shutil.copyfile(requirements / name, folder / name)
    outcome = subprocess.run(
        ["npm", *_INSTALL], cwd=folder, capture_output=True, text=True, check=False
    )
    if outcome.returncode != 0:
        raise SetupError(
            f"npm could not install {REQUIREMENTS}/{LOCK_NAME} into {FOLDER}; "
            "`npm config get registry` shows which registry it used. It said:\n"
            f"{(outcome.stdout + outcome.stderr).strip()}"
        )
