"""What the SDK's failures of model calls mean to a caller, and whether they may be billed."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, NamedTuple

from botocore.eventstream import ParserError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from urllib3.exceptions import HTTPError

from tollgate.domain.answers import whole_text, word
from tollgate.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    StreamBrokenError,
    TollgateError,
    UnavailableError,
    UnreadableError,
    UpstreamFailedError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
    not_called,
)

if TYPE_CHECKING:
    from tollgate.adapters.sending import Sending

# How long a throttled or overloaded caller should wait: Bedrock itself names no time.
_RETRY_SECONDS = 2
# Characters of what a service says of a call that it denied; they are longer by a policy's ARN.
_MOST_DENIAL = 1000
_SDK_FAULTS = (BotoCoreError, ClientError, HTTPError, OSError)
# What botocore says of a value of the wrong type; the value may be a prompt.
_QUOTED_VALUE = re.compile(r", value: .*?, type: <class '(\w+)'>, valid types: ", re.DOTALL)


def broken_stream() -> StreamBrokenError:
    """The failure of a stream that ended before the service said what it used."""
    return StreamBrokenError(
        "the model's stream broke before it ended; the text so far is what there is",
        may_be_billed=True,
    )


def call_error(error: Exception, sending: Sending) -> TollgateError:
    """What the failure of a call means: nothing is charged for one that was not sent."""
    if isinstance(error, TollgateError):
        return error
    if not (sending.is_sent or isinstance(error, ParamValidationError)):
        return not_called()
    if not sending.is_connected:
        return _unreached()
    if is_known(error):
        return upstream_error(error)
    return _service_error("", "") if sending.is_refused else UnreadableError()


def stream_error(error: Exception) -> TollgateError:
    """What a failure means after a stream has begun.

    One that broke is generated no further. One that cannot be read goes on, to an end that nobody
    knows.
    """
    if isinstance(error, TollgateError):
        return error
    if not isinstance(error, (*_SDK_FAULTS, ParserError)):
        return UnreadableError()
    failure = broken_stream()
    if isinstance(error, ClientError):
        failure.upstream_code = word(error.response.get("Error", {}).get("Code"))
    return failure


def is_known(error: Exception) -> bool:
    """Whether boto3 says what happened. Its parser can fail in any way."""
    return isinstance(error, _SDK_FAULTS)


def upstream_error(error: Exception) -> TollgateError:
    """What an SDK's failure of a model call means to a caller."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        message = whole_text(str(details.get("Message", "")))
        failure = _service_error(str(details.get("Code", "")), message)
        failure.upstream_code = word(details.get("Code"))
        failure.upstream_message = denial(failure, message)
        return failure
    if isinstance(error, ParamValidationError):
        report = _QUOTED_VALUE.sub(r" is of type \1; allowed are ", str(error))
        return InvalidRequestError(f"the request does not fit the model API: {report}")
    if isinstance(error, ConnectTimeoutError | EndpointConnectionError):
        return _unreached()
    if isinstance(error, ReadTimeoutError) and not _is_line_cut(error):
        return UpstreamTimeoutError(
            "the model did not answer in time; use streaming for long answers",
            may_be_billed=True,
        )
    return UpstreamFailedError(
        "the connection to the model service broke; the call may be charged", may_be_billed=True
    )


def _unreached() -> UnavailableError:
    return UnavailableError(
        "the model service cannot be reached; nothing was charged, try again",
        code="upstream_unavailable",
        retry_after=_RETRY_SECONDS,
    )


def _is_line_cut(error: BaseException | None) -> bool:
    """Whether TCP gave the line up, which Python and urllib3 call a timeout like any other."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
            return True
        error = error.__cause__ or error.__context__
    return False


def denial(failure: TollgateError, message: str) -> str | None:
    """What the service says of a call that it denied: a subscription that is missing, a right.

    None for other failures, whose message is the caller's or may quote a request.
    """
    if failure.code not in ("model_not_found", "upstream_denied"):
        return None
    return message[:_MOST_DENIAL]


def _service_error(code: str, message: str) -> TollgateError:
    if code in ("ValidationException", "ConflictException"):
        return InvalidRequestError(f"the model refused: {message}", code="upstream_validation")
    kind = _SERVICE_ERRORS.get(code, _MODEL_FAILED)
    return kind.error(kind.message, code=kind.code, retry_after=kind.retry_after)


class _Kind(NamedTuple):
    error: type[TollgateError]
    code: str
    message: str
    retry_after: int | None = None


_MODEL_FAILED = _Kind(
    UpstreamFailedError, "upstream_failed", "the model failed; nothing was charged, try again"
)
_THROTTLED = _Kind(
    UpstreamThrottledError,
    "upstream_throttled",
    "the model is throttled; nothing was charged, try again later",
    _RETRY_SECONDS,
)
_SERVICE_ERRORS = {
    "ThrottlingException": _THROTTLED,
    "ModelNotReadyException": _THROTTLED,
    "ServiceQuotaExceededException": _THROTTLED,
    "AccessDeniedException": _Kind(
        ForbiddenError,
        "upstream_denied",
        "the gateway may not call this model; ask the platform team to enable it",
    ),
    "ResourceNotFoundException": _Kind(
        NotFoundError,
        "model_not_found",
        "the model service does not know this model; GET /v1/models lists the models",
    ),
    "ModelTimeoutException": _Kind(
        UpstreamTimeoutError, "upstream_timeout", "the model took too long; shorten the request"
    ),
    "ServiceUnavailableException": _Kind(
        UnavailableError,
        "upstream_unavailable",
        "the model service is unavailable; nothing was charged, try again",
        _RETRY_SECONDS,
    ),
}
