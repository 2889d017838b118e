"""SageMaker endpoints: buffered and streamed calls of their containers."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tollgate.adapters.failures import broken_stream, call_error, denial, stream_error
from tollgate.adapters.sending import watched
from tollgate.domain.answers import UnreadableAnswerError, read_json, whole_text, word
from tollgate.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    TollgateError,
    UnavailableError,
    UpstreamFailedError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from tollgate.domain.families.containers import (
    ContainerFailedError,
    ContainerStream,
    answer_stop_reason,
    answer_usage,
    buffered,
    streamed,
)
from tollgate.domain.families.reading import part
from tollgate.ports import ModelReply, ModelRequest, StreamPiece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

    from tollgate.adapters.sending import Sending
    from tollgate.domain.sessions import Session

_JSON = "application/json"
_RETRY_SECONDS = 2
# What a container answers a request with that it does not take.
_REFUSALS = range(400, 500)
_MAX_MESSAGE = 500


class SageMakerRuntime:
    """`tollgate.ports.ModelRuntime` on SageMaker. The clients must not retry calls."""

    def __init__(self, clients: Callable[[Session | None], SageMakerRuntimeClient]) -> None:
        """`clients` answers the client that signs for a session, None for the function's own."""
        self._clients = clients

    def call(self, request: ModelRequest) -> ModelReply:
        """InvokeEndpoint."""
        client = self._clients(request.session)
        sending = watched(client)
        try:
            answer = client.invoke_endpoint(**_parameters(request, buffered(request.body)))
            data = answer["Body"].read()
        except Exception as error:
            raise _error(error, sending) from error
        return _reply(data)

    def prepare(self, request: ModelRequest) -> None:
        """Assumes the session's role, unless that was done before."""
        self._clients(request.session)

    def stream(self, request: ModelRequest) -> Iterator[StreamPiece | ModelReply]:
        """InvokeEndpointWithResponseStream.

        A stream that breaks or fails under way raises with `may_be_billed`.
        """
        client = self._clients(request.session)
        sending = watched(client)
        try:
            events: Any = client.invoke_endpoint_with_response_stream(
                **_parameters(request, streamed(request.body))
            )["Body"]
        except Exception as error:
            raise _error(error, sending) from error
        try:
            yield from _pieces(events)
        except ContainerFailedError as error:
            raise broken_stream() from error
        except Exception as error:
            raise stream_error(error) from error
        finally:
            # What is left of a stream is nobody's any more, and neither is its failure.
            with suppress(Exception):
                events.close()


def _parameters(request: ModelRequest, body: object) -> dict[str, Any]:
    named = {} if request.component is None else {"InferenceComponentName": request.component}
    return {
        "EndpointName": request.model_id,
        "Body": json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass"),
        "ContentType": _JSON,
        "Accept": _JSON,
        # What SageMaker captures of calls has this id.
        "InferenceId": request.metadata["request_id"],
        **named,
    }


def _reply(data: bytes) -> ModelReply:
    try:
        document = read_json(data)
    except UnreadableAnswerError as error:
        return ModelReply({}, None, fault=str(error))
    return ModelReply(document, answer_usage(document), word(answer_stop_reason(document)))


def _pieces(events: Iterable[Mapping[str, Any]]) -> Iterator[StreamPiece | ModelReply]:
    stream = ContainerStream()
    for event in events:
        data = part(event, "PayloadPart").get("Bytes")
        if isinstance(data, bytes):
            # Whatever else a part says, a token of output is at least a byte of it.
            yield StreamPiece(event, whole_text(stream.feed(data)), len(data))
    rest = whole_text(stream.end())
    if rest:
        yield StreamPiece({"PayloadPart": {"Bytes": b""}}, rest)
    yield ModelReply({"text": whole_text(stream.text)}, stream.usage, word(stream.stop_reason))


def _error(error: Exception, sending: Sending) -> TollgateError:
    """What an SDK's failure of a call means to a caller.

    What the service itself says failed is not charged; a container that ran out of time has used
    its machine until then.
    """
    if not isinstance(error, ClientError):
        return call_error(error, sending)
    response: Mapping[str, Any] = error.response
    code = response.get("Error", {}).get("Code", "")
    if code == "ModelError":
        return _container_error(response)
    message = response.get("Error", {}).get("Message", "")
    is_refusal = code in ("ValidationError", "ValidationException")
    failure = _refusal(message) if is_refusal else _service_error(code)
    failure.upstream_message = denial(failure, whole_text(message))
    return failure


def _service_error(code: str) -> TollgateError:
    if code in ("ThrottlingException", "ModelNotReadyException"):
        return UpstreamThrottledError(
            "the endpoint is throttled or not ready; nothing was charged, try again later",
            retry_after=_RETRY_SECONDS,
        )
    if code in ("AccessDeniedException", "AccessDenied"):
        return ForbiddenError(
            "the gateway may not call this endpoint; ask the platform team to enable it",
            code="upstream_denied",
        )
    if code in ("ServiceUnavailable", "ServiceUnavailableException"):
        return UnavailableError(
            "the endpoint is unavailable; nothing was charged, try again",
            code="upstream_unavailable",
            retry_after=_RETRY_SECONDS,
        )
    return UpstreamFailedError("the endpoint failed; nothing was charged, try again")


def _refusal(message: str) -> TollgateError:
    # The service's own message has the account's number.
    if "not found" in message.lower():
        return NotFoundError(
            "there is no such endpoint or inference component at the moment; ask the platform team",
            code="model_not_found",
        )
    return InvalidRequestError(
        f"the endpoint refused: {whole_text(message[:_MAX_MESSAGE])}", code="upstream_validation"
    )


def _container_error(response: Mapping[str, Any]) -> TollgateError:
    status = response.get("OriginalStatusCode")
    message = whole_text(str(response.get("OriginalMessage", "")))
    if status in _REFUSALS:
        return InvalidRequestError(
            f"the endpoint's container refused: {message[:_MAX_MESSAGE]}",
            code="upstream_validation",
        )
    if "timed out" in f"{message} {response.get('Error', {}).get('Message', '')}":
        return UpstreamTimeoutError(
            "the endpoint did not answer in time; shorten the request or stream the answer",
            may_be_billed=True,
        )
    return UpstreamFailedError("the endpoint's container failed; nothing was charged, try again")
