"""Keep a folder in step with the emulated lake bucket, for reports to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class LakeCopy:
    """A folder with the objects of a bucket; nobody else writes to it.

    Args:
        storage: a client of S3.
        bucket: the lake's bucket.
        folder: where the copy lies; need not exist.
    """

    def __init__(self, storage: Any, bucket: str, folder: Path) -> None:  # noqa: ANN401 - boto3
        self._storage = storage
        self._bucket = bucket
        self.folder = folder
        self._tags: dict[str, str] = {}

    def update(self) -> None:
        """Bring what is new or has changed, and remove what the bucket does not have.

        A file is there whole or not at all, because a report may read at any time. Statements that
        were made from the copy lie in it, too, and stay.
        """
        tags = {
            entry["Key"]: entry["ETag"]
            for page in self._storage.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
            for entry in page.get("Contents", ())
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in [path for path in self.folder.rglob("*") if path.is_file()]:
            name = file.relative_to(self.folder).as_posix()
            if name not in tags and not name.startswith("statements/"):
                file.unlink()
        for key, tag in tags.items():
            if self._tags.get(key) != tag:
                target = self.folder / key
                target.parent.mkdir(parents=True, exist_ok=True)
                arriving = target.with_name(f"{target.name}.part")
                stored = self._storage.get_object(Bucket=self._bucket, Key=key)
                arriving.write_bytes(stored["Body"].read())
                arriving.replace(target)
        self._tags = tags
