"""Where statements go and what they are made of, as ports; and both in folders.

On AWS they are buckets: `s3` has the same two.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import date
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

# What of a day is read: its usage, and what its reports tell of it.
DAY_FOLDERS = ("usage", "hourly", "daily")
# Of Parquet: a few million rows, which take some hundred megabytes to go through.
BATCH_BYTES = 128 * 2**20


class Store(Protocol):
    """Objects that are written once and never again."""

    def get(self, key: str) -> bytes | None:
        """Read an object; None when there is none."""

    def put(self, key: str, data: bytes) -> bool:
        """Write an object whole; False, and nothing is written, when there is one."""

    def keys(self, prefix: str) -> list[str]:
        """Keys that start with a prefix, sorted."""


class LakeFiles(Protocol):
    """A lake's files, some days at a time."""

    def days(self, start: date, end: date) -> dict[date, int]:
        """The days from `start` up to, not including, `end` that have files, and their bytes."""

    def folder(self, days: Sequence[date]) -> AbstractContextManager[Path]:
        """A folder of the lake's layout that has all of these days' files."""

    def lists(self, name: str) -> list[dict[str, Any]]:
        """The lines of JSON below a folder: `tenants` or `business_units`."""


def batches(days: Mapping[date, int]) -> list[list[date]]:
    """Days in order, as many at a time as fit into `BATCH_BYTES`; one alone may be larger."""
    made: list[list[date]] = []
    free = 0
    for day, size in sorted(days.items()):
        if size > free or not made:
            made.append([])
            free = BATCH_BYTES
        made[-1].append(day)
        free -= size
    return made


class FolderStore:
    """Objects as files of a folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> bytes | None:
        """Read a file."""
        try:
            return (self._folder / key).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, key: str, data: bytes) -> bool:
        """Write a file; whoever reads it sees all of it or none."""
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".new-") as whole:
            whole.write(data)
            whole.flush()
            try:
                os.link(whole.name, path)
            except FileExistsError:
                return False
        path.chmod(0o444)
        return True

    def keys(self, prefix: str) -> list[str]:
        """Files below the folder, but those that are being written."""
        found = (path for path in self._folder.rglob("*") if path.is_file())
        names = (str(path.relative_to(self._folder)) for path in found if path.name[:1] != ".")
        return sorted(name for name in names if name.startswith(prefix))


class FolderLake:
    """A folder with the lake's layout."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def days(self, start: date, end: date) -> dict[date, int]:
        """Days of folders that have files."""
        found: dict[date, int] = {}
        for name in DAY_FOLDERS:
            for path in self._folder.glob(f"{name}/dt=*/**/*.parquet"):
                day = date.fromisoformat(path.relative_to(self._folder).parts[1][3:])
                if start <= day < end:
                    found[day] = found.get(day, 0) + path.stat().st_size
        return found

    @contextmanager
    def folder(self, days: Sequence[date]) -> Iterator[Path]:
        """The folder itself."""
        del days
        yield self._folder

    def lists(self, name: str) -> list[dict[str, Any]]:
        """Lines of JSON of a folder's files."""
        return json_lines(path.read_bytes() for path in sorted(self._folder.glob(f"{name}/*.json")))


def json_lines(files: Iterator[bytes]) -> list[dict[str, Any]]:
    """The JSON objects of files that have one on each line."""
    return [json.loads(line) for data in files for line in data.splitlines() if line.strip()]
