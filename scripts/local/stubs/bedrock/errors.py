"""Errors as Bedrock answers them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from scripts.local.stubs.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUS = {
    "AccessDeniedException": HTTPStatus.FORBIDDEN,
    "ConflictException": HTTPStatus.BAD_REQUEST,
    "InternalServerException": HTTPStatus.INTERNAL_SERVER_ERROR,
    "ModelErrorException": HTTPStatus.FAILED_DEPENDENCY,
    "ModelNotReadyException": HTTPStatus.TOO_MANY_REQUESTS,
    "ModelStreamErrorException": HTTPStatus.FAILED_DEPENDENCY,
    "ModelTimeoutException": HTTPStatus.REQUEST_TIMEOUT,
    "ResourceNotFoundException": HTTPStatus.NOT_FOUND,
    "ServiceQuotaExceededException": HTTPStatus.BAD_REQUEST,
    "ServiceUnavailableException": HTTPStatus.SERVICE_UNAVAILABLE,
    "ThrottlingException": HTTPStatus.TOO_MANY_REQUESTS,
    "UnknownOperationException": HTTPStatus.NOT_FOUND,
    "ValidationException": HTTPStatus.BAD_REQUEST,
}
_DETAILS: Mapping[str, Mapping[str, object]] = {
    "ModelErrorException": {"originalStatusCode": 500, "resourceName": "stub"}
}


def service_error(code: str, message: str) -> ServiceError:
    """Return an error of this code with its HTTP status and the members that it always has."""
    status = _STATUS.get(code, HTTPStatus.BAD_REQUEST)
    return ServiceError(code, message, status, _DETAILS.get(code))


def asked_for(code: str) -> ServiceError:
    """Return the error of a call that is directed to fail."""
    return service_error(code, f"{code} asked for by the test")
