"""Errors as Anthropic's clients read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.anthropic.answer import ID_HEADERS
from tollgate.entry.http import failure_headers, json_answer

if TYPE_CHECKING:
    from tollgate.domain.errors import TollgateError
    from tollgate.entry.http import Response

_ERROR_TYPES = {
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_SERVER_ERROR = 500


def refusal(error: TollgateError, request_id: str) -> Response:
    """The answer of a refused or failed request: `{"type": "error", "error": {...}}`."""
    headers = failure_headers(error, request_id) | dict.fromkeys(ID_HEADERS, request_id)
    return json_answer(error.http_status, error_body(error, request_id), headers)


def error_body(error: TollgateError, request_id: str) -> dict[str, Any]:
    """An error as Anthropic's clients read it; code and figures stand beside what they know."""
    fallback = "api_error" if error.http_status >= _SERVER_ERROR else "invalid_request_error"
    described: dict[str, Any] = {
        "type": _ERROR_TYPES.get(error.http_status, fallback),
        "message": error.message,
        "code": error.code,
    }
    if error.details:
        described["details"] = error.details
    return {"type": "error", "error": described, "request_id": request_id}
