"""Every refusal and failure a caller can see, each with its HTTP status and stable code.

`message` is safe to show: it never holds keys, prompts, completions or another tenant's data.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TollgateError(Exception):
    """Base of all errors that reach a caller.

    `details` are figures for the caller (JSON-ready); `retry_after` is in seconds.
    `may_be_billed` says that a model call went out and nobody knows how it ended: it is settled at
    what it can have cost, or by the model service's own log.
    """

    http_status: ClassVar[int] = 500
    code: str = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
        may_be_billed: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}
        self.retry_after = retry_after
        self.may_be_billed = may_be_billed
        # The failed call's id in the ledger, once there is one.
        self.request_id: str | None = None
        # What the model service called its failure, for callers who speak its own API.
        self.upstream_code: str | None = None
        if code is not None:
            self.code = code


class InvalidRequestError(TollgateError):
    """The request is malformed or asks for something the gateway cannot do."""

    http_status = 400
    code = "invalid_request"


class BudgetExceededError(TollgateError):
    """The worst case of the call does not fit a hard budget."""

    http_status = 402
    code = "budget_exceeded"


class ForbiddenError(TollgateError):
    """The credential does not allow this."""

    http_status = 403
    code = "forbidden"


class NotFoundError(TollgateError):
    """There is no such object for this tenant."""

    http_status = 404
    code = "not_found"


class ConflictError(TollgateError):
    """An earlier request stands in the way of this one."""

    http_status = 409
    code = "conflict"


class GoneError(TollgateError):
    """The object existed and has expired."""

    http_status = 410
    code = "expired"


class PayloadTooLargeError(TollgateError):
    """The request is larger than the gateway takes."""

    http_status = 413
    code = "payload_too_large"


class MismatchError(TollgateError):
    """An idempotency key came back with another request."""

    http_status = 422
    code = "idempotency_mismatch"


class RateExceededError(TollgateError):
    """A request, token or concurrency limit is reached."""

    http_status = 429
    code = "rate_exceeded"


class UpstreamThrottledError(TollgateError):
    """The model service throttled the call; nothing was charged."""

    http_status = 429
    code = "upstream_throttled"


class UpstreamFailedError(TollgateError):
    """The model service failed."""

    http_status = 502
    code = "upstream_failed"


class StreamBrokenError(UpstreamFailedError):
    """A stream that had begun ended before the service said what it used."""

    code = "upstream_stream_broken"


class UnavailableError(TollgateError):
    """A dependency of the gateway cannot be reached."""

    http_status = 503
    code = "unavailable"


class UpstreamTimeoutError(TollgateError):
    """The model service did not answer in time."""

    http_status = 504
    code = "upstream_timeout"
