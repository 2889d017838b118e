"""Every refusal and failure a caller can see, each with its HTTP status and stable code.

`message` is safe to show: it never holds keys, prompts, completions or another tenant's data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


# Characters of a message. A place that it names has the caller's own keys in it, and what the model
# service says may quote a request; a job's table keeps it.
MOST_MESSAGE = 2048


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
        self.message = message if len(message) <= MOST_MESSAGE else f"{message[:MOST_MESSAGE]}…"
        self.details = details or {}
        self.retry_after = retry_after
        self.may_be_billed = may_be_billed
        # The failed call's id in the ledger, once there is one.
        self.request_id: str | None = None
        # What the model service called its failure, for callers who speak its own API.
        self.upstream_code: str | None = None
        # Why it denied the call, for the operator's log alone: it names accounts and roles.
        self.upstream_message: str | None = None
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


class BudgetHeldError(TollgateError):
    """The call fits the budget as it is spent, but not beside what running calls hold of it."""

    http_status = 429
    code = "budget_held"


class ForbiddenError(TollgateError):
    """The credential does not allow this."""

    http_status = 403
    code = "forbidden"


class NotFoundError(TollgateError):
    """There is no such object for this tenant."""

    http_status = 404
    code = "not_found"


class UnknownRouteError(TollgateError):
    """There is no such path; `details["nearest"]` is the route that was probably meant."""

    http_status = 404
    code = "unknown_route"


class MethodNotAllowedError(TollgateError):
    """The path takes other methods, which are `details["allowed_methods"]`."""

    http_status = 405
    code = "method_not_allowed"


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


class UnreadableError(UpstreamFailedError):
    """The model service's answer, which is charged, cannot be handed on; `what` is wrong with it.

    Sending the request again would be a second call.
    """

    code = "upstream_unreadable"

    def __init__(self, what: str = "cannot be read") -> None:
        super().__init__(
            f"the model's answer {what}; the call is charged, and the same again is a second one",
            may_be_billed=True,
        )


class UnavailableError(TollgateError):
    """A dependency of the gateway cannot be reached."""

    http_status = 503
    code = "unavailable"


class UpstreamTimeoutError(TollgateError):
    """The model service did not answer in time."""

    http_status = 504
    code = "upstream_timeout"


def not_called() -> TollgateError:
    """The error when the gateway itself is at fault before a model was called."""
    return TollgateError(
        "the gateway failed before it called the model, and nothing was charged; report the "
        "request id if it persists"
    )


_ASK = "ask the platform team; the message names what is allowed"
_MODEL = "send a model that `details.nearest` names, or ask the platform team for this one"
_CORRECT = "correct what the message names"
_WAIT = "wait for `Retry-After` seconds, then send the same again"

# What a caller does about each code. The table in the callers' guide is made of it, and is refused
# while a code is missing here. A few are API Gateway's own answers.
ADVICE: Mapping[str, str] = {
    "answer_too_large": "ask for less, for fewer images or shorter texts, or stream the answer; "
    "the call is charged",
    "app_suspended": _ASK,
    "budget_exceeded": "lower `maxTokens` to `affordable_max_tokens`, wait for `resets_at`, or ask "
    "for a higher budget",
    "budget_held": "wait for `Retry-After` seconds, then send the same again: it fits once running "
    "calls have settled; `affordable_max_tokens` fits at once",
    "concurrent_requests_exceeded": _WAIT,
    "endpoint_not_in_account": "ask the platform team: the tenant's account has no such endpoint",
    "filtered": "ask the platform team: its web ACL refused the request",
    "guardrail_required": "ask the platform team: the tenant's guardrail does not check this kind "
    "of call",
    "idempotency_in_progress": _WAIT,
    "idempotency_mismatch": "send a new key with a new request",
    "idempotency_unknown": "the first call may have been charged and its answer is lost: wait for "
    "`Retry-After` seconds, or send a new key; either is a second call",
    "internal_error": "try again with the same `Idempotency-Key`; report the request id if it "
    "persists",
    "invalid_api_key": "check the key and the header it goes in; else ask the platform team",
    "invalid_request": _CORRECT,
    "job_expired": "start the job again",
    "job_not_found": "check the job's id, and that the key is of the app that started it",
    "method_not_allowed": "use one of the methods that the header `Allow` names",
    "model_not_allowed": _MODEL,
    "model_not_found": "check the model's id against `GET /v1/models`",
    "model_not_priced": _MODEL,
    "payload_too_large": "send less",
    "polls_per_minute_exceeded": _WAIT,
    "profile_ambiguous": "send tags that one of the app's profiles alone has",
    "profile_not_allowed": _ASK,
    "quota_exceeded": "ask the platform team: the usage plan's quota is used up",
    "rate_exceeded": _WAIT,
    "requests_per_day_exceeded": _WAIT,
    "requests_per_minute_exceeded": _WAIT,
    "tenant_mismatch": "send the id of the key's own tenant as `team_id`, or one of its teams",
    "tenant_offboarded": _ASK,
    "tenant_role_denied": "ask the platform team: the tenant's account refuses the gateway's role",
    "tenant_suspended": _ASK,
    "token_counts_per_minute_exceeded": _WAIT,
    "tokens_per_minute_exceeded": _WAIT,
    "unavailable": _WAIT,
    "unbounded_request": "leave out what the message names: it can cost more than anybody can say "
    "before the call",
    "unknown_field": "leave out what the message names, or ask the platform team to allow it",
    "unknown_route": "use the route that `details.nearest` names, or another of those above",
    "unsupported_model_id": _MODEL,
    "upstream_denied": "ask the platform team to enable the model in its account",
    "upstream_failed": "try again, unless `x-should-retry` is `false`: then it may be charged",
    "upstream_stream_broken": "the text so far is charged; a new call is a second one",
    "upstream_throttled": _WAIT,
    "upstream_timeout": "repeat it with the same `Idempotency-Key`; stream long answers",
    "upstream_unavailable": _WAIT,
    "upstream_unreadable": "report the request id; the call is charged",
    "upstream_validation": _CORRECT,
    "wrong_operation": "send the model to a route that serves it; the message names which",
}
