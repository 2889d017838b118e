"""Bedrock's model invocation logs in S3."""

from __future__ import annotations

import gzip
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from tollgate.adapters.aws import reaching
from tollgate.domain.ids import request_time
from tollgate.domain.invocation_logs import (
    LoggedCall,
    LogSearch,
    holds_records,
    hour_folders,
    parse_record,
)
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

_DEPENDENCY = "invocation logs"
# The clocks of S3, Bedrock and this gateway may differ by this much.
_CLOCK_SKEW = timedelta(minutes=5)
_UNREADABLE = (BotoCoreError, EOFError, OSError, ValueError, zlib.error)


class S3InvocationLogs:
    """`tollgate.ports.InvocationLogs` on the bucket that Bedrock delivers to.

    `root` is the folder that it writes below (`domain.invocation_logs.log_root`), `region` the
    one that models are called in.
    """

    def __init__(self, client: S3Client, bucket: str, root: str, region: str) -> None:
        self._client = client
        self._bucket = bucket
        self._root = root
        self._region = region

    def find(self, requests: Mapping[str, datetime]) -> LogSearch:
        """Reads each object of the hours in question once, and stops when all are found."""
        if not requests:
            return LogSearch({}, complete=True)
        wanted = set(requests)
        found: dict[str, LoggedCall] = {}
        # Nothing was ever delivered: the logs are off, or go somewhere else.
        complete = self._has_deliveries()
        for key in self._keys(requests):
            try:
                for call in self._calls(key, wanted):
                    found[call.request_id] = call
            except _UNREADABLE:
                logger.exception("invocation log not readable", extra={"key": key})
                complete = False
            if found.keys() == wanted:
                break
        return LogSearch(found, complete)

    def _has_deliveries(self) -> bool:
        with reaching(_DEPENDENCY):
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._root, MaxKeys=1)
        return answer["KeyCount"] > 0

    def _keys(self, requests: Mapping[str, datetime]) -> Iterator[str]:
        folders: dict[str, datetime] = {}
        for request_id, until in requests.items():
            started = request_time(request_id) - _CLOCK_SKEW
            for folder in hour_folders(self._root, self._region, started, until):
                folders[folder] = min(started, folders.get(folder, started))
        for folder, started in sorted(folders.items()):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=folder
            )
            with reaching(_DEPENDENCY):
                for page in pages:
                    for item in page.get("Contents", ()):
                        # What was delivered before the first call began says nothing of it.
                        if holds_records(item["Key"]) and item["LastModified"] >= started:
                            yield item["Key"]

    def _calls(self, key: str, wanted: set[str]) -> Iterator[LoggedCall]:
        with reaching(_DEPENDENCY):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        ids = [request_id.encode() for request_id in wanted]
        with body, gzip.GzipFile(fileobj=body) as lines:
            for line in lines:
                # Lines are long and hardly any is ours: look before parsing.
                if any(request_id in line for request_id in ids):
                    call = parse_record(line)
                    if call is not None and call.request_id in wanted:
                        yield call
