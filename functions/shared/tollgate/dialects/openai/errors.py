"""Errors as OpenAI's clients read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.entry.http import failure_headers, json_answer

if TYPE_CHECKING:
    from tollgate.domain.errors import TollgateError
    from tollgate.entry.http import Response

_ERROR_TYPES = {
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
_SERVER_ERROR = 500


def refusal(error: TollgateError, request_id: str) -> Response:
    """The answer of a refused or failed request: `{"error": {...}}`."""
    body = error_body(error, request_id)
    return json_answer(error.http_status, body, failure_headers(error, request_id))


def error_body(error: TollgateError, request_id: str) -> dict[str, Any]:
    """An error as OpenAI's clients read it; figures and id stand beside what they know."""
    fallback = "server_error" if error.http_status >= _SERVER_ERROR else "invalid_request_error"
    described: dict[str, Any] = {
        "message": error.message,
        "type": _ERROR_TYPES.get(error.http_status, fallback),
        "code": error.code,
        "param": None,
        "request_id": request_id,
    }
    if error.details:
        described["details"] = error.details
    return {"error": described}
