"""How large an image is, as its own header says."""

from __future__ import annotations

from typing import NamedTuple

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
# Frames begin with these; C4, C8 and CC stand for tables and extensions.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))


class Size(NamedTuple):
    """Pixels of an image, and which format they were read from."""

    format: str
    width: int
    height: int


def size_of(data: bytes) -> Size | None:
    """The size of a PNG, JPEG, GIF or WebP; None for what is none of them."""
    try:
        return _png(data) or _gif(data) or _webp(data) or _jpeg(data)
    except IndexError:
        return None


def _png(data: bytes) -> Size | None:
    if not data.startswith(_PNG) or data[12:16] != b"IHDR":
        return None
    return Size("png", _big(data, 16, 4), _big(data, 20, 4))


def _gif(data: bytes) -> Size | None:
    if data[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    return Size("gif", _little(data, 6, 2), _little(data, 8, 2))


def _webp(data: bytes) -> Size | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return Size("webp", _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF)
    if kind == b"VP8L" and data[20:21] == b"\x2f":
        bits = _little(data, 21, 4)
        return Size("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        return Size("webp", _little(data, 24, 3) + 1, _little(data, 27, 3) + 1)
    return None


def _jpeg(data: bytes) -> Size | None:
    """Walk the segments of a JPEG up to the frame."""
    if not data.startswith(_JPEG):
        return None
    at = len(_JPEG)
    while data[at] == 0xFF:  # noqa: PLR2004 - every marker begins with it
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            return Size("jpeg", _big(data, at + 7, 2), _big(data, at + 5, 2))
        if marker in _JPEG_ALONE or marker == 0xFF:  # noqa: PLR2004 - may fill the gap before one
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004
        else:
            at += 2 + _big(data, at + 2, 2)
    return None


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_part(data, at, size))


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_part(data, at, size), "little")


def _part(data: bytes, at: int, size: int) -> bytes:
    part = data[at : at + size]
    if len(part) < size:
        raise IndexError(at)
    return part
