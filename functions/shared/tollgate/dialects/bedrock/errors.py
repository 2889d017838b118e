"""Errors as the AWS SDKs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.entry.http import failure_headers, json_answer

if TYPE_CHECKING:
    from tollgate.domain.errors import TollgateError
    from tollgate.entry.http import Response

_EXCEPTIONS = {
    400: "ValidationException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "UnknownOperationException",
    408: "ModelTimeoutException",
    409: "ConflictException",
    413: "ValidationException",
    422: "ValidationException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
# Bedrock's own words for failures of a model. The SDKs send a call again after 502 and 504, and one
# that may be billed must not be made twice.
_STATUSES = {502: 500, 504: 408}
_MODEL_ERROR = 424
_BAD_GATEWAY = 502
# Failures of a model that Bedrock tells apart and the gateway does not.
_UPSTREAM_STATUSES = {
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ServiceQuotaExceededException": 400,
}


def refusal(error: TollgateError, request_id: str) -> Response:
    """The answer of a refused or failed request: the exception's name in a header and the body."""
    headers = {**failure_headers(error, request_id), "x-amzn-errortype": _exception(error)}
    return json_answer(_status(error), error_body(error, request_id), headers)


def _status(error: TollgateError) -> int:
    """The HTTP status of an error, as Bedrock has it for its kind."""
    if error.upstream_code in _UPSTREAM_STATUSES:
        return _UPSTREAM_STATUSES[error.upstream_code]
    if error.http_status == _BAD_GATEWAY and error.may_be_billed:
        return _MODEL_ERROR
    return _STATUSES.get(error.http_status, error.http_status)


def _exception(error: TollgateError) -> str:
    """The name of an error, which the SDKs tell errors by."""
    if error.upstream_code in _UPSTREAM_STATUSES:
        return error.upstream_code
    return _EXCEPTIONS.get(_status(error), "InternalServerException")


def error_body(error: TollgateError, request_id: str) -> dict[str, Any]:
    """An error as the SDKs read it; code, figures and id stand beside what they know."""
    body: dict[str, Any] = {
        "message": error.message,
        "__type": _exception(error),
        "code": error.code,
        "request_id": request_id,
    }
    return {**body, "details": error.details} if error.details else body
