"""The framing of `application/vnd.amazon.eventstream`, the encoding of Bedrock's streams.

A frame is: total length, length of the headers, CRC-32 of those two, headers, payload, CRC-32 of
everything before it; numbers are big-endian and unsigned. All headers of ours are strings.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING_HEADER = 7
_PRELUDE_BYTES = 12
_TRAILER_BYTES = 4


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one frame."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    total = _PRELUDE_BYTES + len(encoded) + len(payload) + _TRAILER_BYTES
    lengths = struct.pack("!II", total, len(encoded))
    head = lengths + struct.pack("!I", zlib.crc32(lengths)) + encoded + payload
    return head + struct.pack("!I", zlib.crc32(head))


def event(kind: str, payload: Mapping[str, object]) -> bytes:
    """Return the frame of an event, for example `messageStart`."""
    return frame(
        {":event-type": kind, ":content-type": "application/json", ":message-type": "event"},
        json.dumps(payload).encode(),
    )


def exception(kind: str, message: str) -> bytes:
    """Return the frame of an in-stream exception, for example `throttlingException`."""
    return frame(
        {
            ":exception-type": kind,
            ":content-type": "application/json",
            ":message-type": "exception",
        },
        json.dumps({"message": message}).encode(),
    )


def _header(name: str, value: str) -> bytes:
    name_bytes = name.encode()
    value_bytes = value.encode()
    return (
        struct.pack("!B", len(name_bytes))
        + name_bytes
        + struct.pack("!BH", _STRING_HEADER, len(value_bytes))
        + value_bytes
    )
