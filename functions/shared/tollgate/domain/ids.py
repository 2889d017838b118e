"""Request ids and the usage-table keys that follow from them."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import UTC, datetime

USAGE_SHARDS = 16
_UUID_VERSION = 7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_request_id(now: datetime) -> str:
    """A UUIDv7 (RFC 9562): its first 48 bits are `now` in milliseconds, the rest is random."""
    millis = int((now - _EPOCH).total_seconds() * 1000)
    value = millis << 80
    value |= _UUID_VERSION << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def request_time(request_id: str) -> datetime:
    """The UTC time inside a request id. Raises ValueError for anything but a UUIDv7."""
    value = uuid.UUID(request_id)
    if value.version != _UUID_VERSION or str(value) != request_id:
        raise ValueError(f"not a request id: {request_id[:64]!r}")
    return datetime.fromtimestamp((value.int >> 80) / 1000, tz=UTC)


def is_request_id(text: str) -> bool:
    """Whether `text` has the form of a request id."""
    try:
        request_time(text)
    except ValueError:
        return False
    return True


def usage_partition(hour: datetime, shard: int) -> str:
    """Partition key of one of the sixteen usage partitions of an hour."""
    return f"USAGE#{hour.astimezone(UTC):%Y-%m-%dT%H}#{shard:02d}"


def usage_key(request_id: str) -> tuple[str, str]:
    """Partition and sort key of a request's usage row: both follow from the id alone."""
    shard = hashlib.sha256(request_id.encode()).digest()[0] % USAGE_SHARDS
    return usage_partition(request_time(request_id), shard), request_id
