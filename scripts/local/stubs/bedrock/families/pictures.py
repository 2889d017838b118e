"""Pictures that the stub "draws"."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib


def picture(seed: str) -> str:
    """A PNG of one pixel whose colour says what it was drawn from, in base64."""
    colour = hashlib.sha256(seed.encode()).digest()[:3]

    def part(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack("!I", len(data)) + checked + struct.pack("!I", zlib.crc32(checked))

    header = struct.pack("!IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\x00" + colour)
    png = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", data) + part(b"IEND", b"")
    return base64.b64encode(png).decode()
