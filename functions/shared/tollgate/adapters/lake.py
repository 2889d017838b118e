"""The usage lake's bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypedDict

from botocore.exceptions import ClientError

from tollgate.adapters.aws import reaching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

_DEPENDENCY = "usage lake"
# Another write came first or is under way, or the object was deleted.
_OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})


class _Condition(TypedDict, total=False):
    IfMatch: str
    IfNoneMatch: str


class _Versioned(Protocol):
    @property
    def version(self) -> str: ...


@dataclass(frozen=True, slots=True)
class LakeObject:
    """An object as it was read; `version` is its entity tag."""

    data: bytes
    version: str


class S3Lake:
    """Objects of one bucket; its default encryption applies."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def get(self, key: str) -> LakeObject | None:
        """Read an object; None when there is none."""
        with reaching(_DEPENDENCY):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                return None
            return LakeObject(answer["Body"].read(), answer["ETag"])

    def put(self, key: str, data: bytes, replacing: _Versioned | None) -> bool:
        """Write an object over the one that was read; False when another is there by now."""
        condition: _Condition = (
            {"IfNoneMatch": "*"} if replacing is None else {"IfMatch": replacing.version}
        )
        with reaching(_DEPENDENCY):
            try:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=data, **condition)
            except ClientError as error:
                if error.response["Error"]["Code"] in _OVERTAKEN:
                    return False
                raise
        return True

    def list(self, prefix: str) -> Iterator[str]:
        """Keys that start with the prefix, sorted."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        with reaching(_DEPENDENCY):
            for page in pages:
                yield from (found["Key"] for found in page.get("Contents", ()))
