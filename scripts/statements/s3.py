"""A lake and a store of statements in buckets: `storage`'s ports on AWS."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.statements.storage import DAY_FOLDERS, json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
}
_THERE = "PreconditionFailed"
# Another write of the same object is under way.
_MEANWHILE = "ConditionalRequestConflict"
_ATTEMPTS = 5


class S3Store:
    """Objects of the bucket of statements, which locks each from the moment it is written."""

    def __init__(self, client: Any, bucket: str) -> None:  # noqa: ANN401 - boto3's S3 client
        self._client = client
        self._bucket = bucket

    def get(self, key: str) -> bytes | None:
        """Read an object; None when there is none."""
        try:
            return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except self._client.exceptions.NoSuchKey:
            return None

    def put(self, key: str, data: bytes) -> bool:
        """Write an object whole; False when there is one, whoever wrote it."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=data,
                    ContentType=_TYPES.get(PurePosixPath(key).suffix, "application/octet-stream"),
                    # S3 takes nothing under a lock without a checksum.
                    ChecksumAlgorithm="SHA256",
                    IfNoneMatch="*",
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == _THERE:
                    return False
                if code != _MEANWHILE or attempt == _ATTEMPTS:
                    raise
            else:
                return True
        return False

    def keys(self, prefix: str) -> list[str]:
        """Keys that start with a prefix, sorted."""
        return sorted(entry["Key"] for entry in _listed(self._client, self._bucket, prefix))


class S3Lake:
    """A lake's bucket; the files of some days at a time are copied to this machine."""

    def __init__(self, client: Any, bucket: str) -> None:  # noqa: ANN401 - boto3's S3 client
        self._client = client
        self._bucket = bucket

    def days(self, start: date, end: date) -> dict[date, int]:
        """Days that have files and their bytes, by lists of each folder from the first day on."""
        found: dict[date, int] = {}
        for name in DAY_FOLDERS:
            after = f"{name}/dt={start.isoformat()}"
            for entry in _listed(self._client, self._bucket, f"{name}/dt=", after):
                day = date.fromisoformat(entry["Key"].split("/")[1].removeprefix("dt="))
                if day >= end:
                    break
                found[day] = found.get(day, 0) + entry["Size"]
        return found

    @contextmanager
    def folder(self, days: Sequence[date]) -> Iterator[Path]:
        """A folder with copies of the days' files, which is deleted afterwards."""
        with TemporaryDirectory(prefix="tollgate-lake-") as scratch:
            for day in days:
                for name in DAY_FOLDERS:
                    for entry in _listed(self._client, self._bucket, f"{name}/dt={day}/"):
                        target = Path(scratch) / entry["Key"]
                        target.parent.mkdir(parents=True, exist_ok=True)
                        self._client.download_file(self._bucket, entry["Key"], str(target))
            yield Path(scratch)

    def lists(self, name: str) -> list[dict[str, Any]]:
        """The lines of JSON below a folder."""
        keys = [entry["Key"] for entry in _listed(self._client, self._bucket, f"{name}/")]
        objects = (self._client.get_object(Bucket=self._bucket, Key=key) for key in keys)
        return json_lines(found["Body"].read() for found in objects)


def _listed(client: Any, bucket: str, prefix: str, after: str = "") -> Iterator[Any]:  # noqa: ANN401
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, StartAfter=after
    )
    for found in pages:
        yield from found.get("Contents", ())
