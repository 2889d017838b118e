"""Images and documents that the Bedrock stub refuses, as the service does.

Each rule has two requests beside each other: the one breaks it, the other keeps it by a hair.
"""

from __future__ import annotations

import struct
from typing import Any

import pytest

from scripts.local.stubs.bedrock.refusals.images import size_of
from tests.unit.scripts.local.stubs.bedrock.asked import (
    HAIKU_4_5,
    NOVA,
    PICTURE,
    document,
    image,
    png,
    result,
    text,
    told,
    tools,
    turns,
    use,
)


@pytest.mark.parametrize(
    ("words", "offence", "neighbour"),
    [
        ("at most 20 images", [image(PICTURE)] * 21, [image(PICTURE)] * 20),
        ("at most 3750000", [image(png(1, 1, 3_750_001))], [image(png(1, 1, 3_750_000))]),
        ("8001 x 1 pixels", [image(png(8001, 1))], [image(png(8000, 1))]),
        ("1 x 8001 pixels", [image(png(1, 8001))], [image(png(1, 8000))]),
        ("Could not process image", [image(kind="jpeg")], [image(kind="png")]),
        ("Could not process image", [image(b"png")], []),
        (
            "at most 5 documents",
            [document(f"d {n}") for n in range(6)],
            [document(f"d {n}") for n in range(5)],
        ),
        (
            "at most 4500000 bytes",
            [document(data=bytes(4_500_001))],
            [document(data=bytes(4_500_000))],
        ),
    ],
)
def test_media(words: str, offence: list[Any], neighbour: list[Any]) -> None:
    assert words in (told({"messages": turns([text(), *offence])}, NOVA) or "")
    assert told({"messages": turns([text(), *neighbour])}, NOVA) is None


def test_media_in_tool_results_count_too() -> None:
    def asked(number: int) -> dict[str, Any]:
        seen = result("t1", *[image()] * number)
        return {"messages": turns([image()] * 10, [use()], [seen]), **tools()}

    assert "at most 20 images" in (told(asked(11), NOVA) or "")
    assert told(asked(10), NOVA) is None


def test_images_for_the_guardrail_are_checked_too() -> None:
    def asked(data: bytes) -> dict[str, Any]:
        return {"messages": turns([text(), {"guardContent": image(data)}])}

    assert "8001 x 1 pixels" in (told(asked(png(8001, 1)), NOVA) or "")
    assert told(asked(png(8000, 1)), NOVA) is None


def test_only_nova_reads_from_s3() -> None:
    source = {"s3Location": {"uri": "s3://bucket/a.png"}}
    asked = {"messages": turns([text(), {"image": {"format": "png", "source": source}}])}

    assert "Field required" in (told(asked, HAIKU_4_5) or "")
    assert told(asked, NOVA) is None


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(300, 200), ("png", 300, 200)),
        (b"GIF89a" + struct.pack("<HH", 300, 200), ("gif", 300, 200)),
        (
            b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 300, 200),
            ("webp", 300, 200),
        ),
        (
            b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 299 | 199 << 14),
            ("webp", 300, 200),
        ),
        (
            b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0"
            + (299).to_bytes(3, "little")
            + (199).to_bytes(3, "little"),
            ("webp", 300, 200),
        ),
        (
            b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc2\x00\x0b\x08" + struct.pack("!HH", 200, 300),
            ("jpeg", 300, 200),
        ),
        (b"\xff\xd8\xff\xd9", None),
        (b"\xff\xd8\xff\xe0\xff\xff", None),
        (png(300, 200)[:-1], None),
        (b"BM", None),
        (b"", None),
    ],
)
def test_the_size_of_an_image_is_in_its_header(
    data: bytes, size: tuple[str, int, int] | None
) -> None:
    assert size_of(data) == size
