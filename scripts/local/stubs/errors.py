"""What a stub answers instead of an answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServiceError(Exception):
    """An error response: code, HTTP status and members beside the message."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = HTTPStatus.BAD_REQUEST,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = int(status)
        self.details = dict(details or {})


def invalid(message: str) -> ServiceError:
    """Return a ValidationException."""
    return ServiceError("ValidationException", message)


class UnknownMemberError(ServiceError):
    """A body has a member that its model does not know."""

    def __init__(self, name: str) -> None:
        message = f"Malformed input request: extraneous key [{name[:64]}] is not permitted"
        super().__init__("ValidationException", message)
        self.member = name
