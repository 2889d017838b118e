"""Folders of tools that are made from a lock: whole or not at all, by one process at a time.

A stamp inside the folder records what it was made from. Imports the standard library only, as it
runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STAMP_NAME = ".setup-stamp.json"


class SetupError(Exception):
    """A folder of tools cannot be made; the message says what is missing and what to do."""


def is_stamped(folder: Path, stamp: Mapping[str, str]) -> bool:
    """Return whether `folder` was finished, and made from what `stamp` says."""
    try:
        found = json.loads((folder / STAMP_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == stamp)


def write_stamp(folder: Path, stamp: Mapping[str, str]) -> None:
    """Record that `folder` is finished."""
    (folder / STAMP_NAME).write_text(json.dumps(stamp, sort_keys=True) + "\n", "utf-8")


@contextmanager
def exclusively(folder: Path) -> Iterator[None]:
    """Hold the right to make `folder`, so that two calls at once do not mix their work."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock_file = folder.with_name(f"{folder.name}.setup-lock")
    with lock_file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def megabytes(folder: Path) -> int:
    """Return the size of a folder's files in MB (10**6 bytes)."""
    sizes = (entry.lstat().st_size for entry in folder.rglob("*"))
    return round(sum(sizes) / 10**6)
