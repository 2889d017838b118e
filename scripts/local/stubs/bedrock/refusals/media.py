"""Images and documents: how many, how large, and that they are what they are called."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.refusals.conversation import blocks_in, documents_in
from scripts.local.stubs.bedrock.refusals.images import size_of
from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_IMAGES = 20
MAX_IMAGE_BYTES = 3_750_000
MAX_IMAGE_SIDE = 8_000
MAX_DOCUMENTS = 5
MAX_DOCUMENT_BYTES = 4_500_000
# Models that read media from S3.
_FROM_S3 = ("amazon.nova-",)


def check(messages: Sequence[Mapping[str, Any]], model_id: str) -> None:
    """Check the media of a Converse request, or of a body in the same form."""
    blocks = list(blocks_in(messages))
    blocks += [block["guardContent"] for block in blocks if "guardContent" in block]
    images = [block["image"] for block in blocks if "image" in block]
    documents = documents_in(messages)
    check_counts(len(images), len(documents))
    for image in images:
        if "bytes" in image["source"]:
            check_image(_decoded(image["source"]["bytes"]), image["format"])
    for document in documents:
        check_document(_decoded(document["source"].get("bytes", "")))
    for block in blocks:
        for media in block.values():
            source = media.get("source", {}) if isinstance(media, dict) else {}
            if "s3Location" in source and not model_id.startswith(_FROM_S3):
                raise invalid("source.type: Field required: this model reads nothing from S3")


def check_counts(images: int, documents: int) -> None:
    """Check how many images and documents a request has."""
    if images > MAX_IMAGES:
        raise invalid(f"The request has {images} images; at most {MAX_IMAGES} images are allowed.")
    if documents > MAX_DOCUMENTS:
        raise invalid(
            f"The request has {documents} documents; at most {MAX_DOCUMENTS} documents are allowed."
        )


def check_image(data: bytes, kind: str) -> None:
    """Check the size of an image and that it is of the format that it is called."""
    if len(data) > MAX_IMAGE_BYTES:
        raise invalid(f"An image has {len(data)} bytes; at most {MAX_IMAGE_BYTES} are allowed.")
    size = size_of(data)
    if size is None or size.format != kind:
        raise invalid(f"Could not process image: it is no {kind}")
    if max(size.width, size.height) > MAX_IMAGE_SIDE:
        raise invalid(
            f"An image has {size.width} x {size.height} pixels; each side must be at most "
            f"{MAX_IMAGE_SIDE} pixels."
        )


def check_document(data: bytes) -> None:
    """Check the size of a document."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise invalid(
            f"A document has {len(data)} bytes; at most {MAX_DOCUMENT_BYTES} bytes are allowed."
        )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError) as error:
        raise invalid("source.bytes is not base64") from error
