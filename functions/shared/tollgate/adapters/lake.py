"""The usage lake's bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.adapters.aws import reaching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

_DEPENDENCY = "usage lake"


class S3Lake:
    """Objects of one bucket; its default encryption applies."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing what is there."""
        with reaching(_DEPENDENCY):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data)

    def get(self, key: str) -> bytes | None:
        """Read an object; None when there is none."""
        with reaching(_DEPENDENCY):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return None

    def list(self, prefix: str) -> Iterator[str]:
        """Keys that start with the prefix, sorted."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        with reaching(_DEPENDENCY):
            for page in pages:
                yield from (found["Key"] for found in page.get("Contents", ()))
