"""What the SDKs write as base64 in JSON, and where.

Only that becomes bytes on the way in and base64 again on the way out.
"""

from __future__ import annotations

import base64
from typing import Any

from tollgate.dialects.fields import base64_bytes
from tollgate.domain.errors import InvalidRequestError

# Members that the SDK takes for bytes, and those with documents of the caller's own inside which
# the same names mean nothing.
_BLOBS = ("bytes", "redactedContent")
_OPAQUE = (
    "additionalModelRequestFields",
    "additionalModelResponseFields",
    "input",
    "json",
    "requestMetadata",
)


def decoded_member(name: str, item: object, place: str) -> Any:  # noqa: ANN401 - JSON
    """A member of a request, with bytes in the place of base64.

    Raises InvalidRequestError for what is not base64, and for a location in S3.
    """
    if name in _OPAQUE:
        return item
    if name in _BLOBS:
        return base64_bytes(item, place)
    return _decoded(item, place)


def encoded(value: object) -> Any:  # noqa: ANN401 - JSON
    """A part of an answer, with base64 in the place of bytes."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [encoded(item) for item in value]
    if isinstance(value, dict):
        return {name: item if name in _OPAQUE else encoded(item) for name, item in value.items()}
    return value


def _decoded(value: object, place: str) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_decoded(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "s3Location" in value:
        raise InvalidRequestError(
            f"{place}.s3Location is not allowed: the gateway would read it with its own rights; "
            "send the bytes"
        )
    return {name: decoded_member(name, item, f"{place}.{name}") for name, item in value.items()}
