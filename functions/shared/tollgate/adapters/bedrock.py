"""Amazon Bedrock: Converse, ConverseStream and the model catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from urllib3.exceptions import HTTPError

from tollgate.adapters.aws import reaching
from tollgate.domain.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    StreamBrokenError,
    TollgateError,
    UnavailableError,
    UpstreamFailedError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from tollgate.domain.prices import TokenUsage
from tollgate.ports import ChatReply, ChatRequest, OutputDelta, StreamEnd, TextDelta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    from tollgate.domain.sessions import Session

# How long a throttled or overloaded caller should wait: Bedrock itself names no time.
_RETRY_SECONDS = 2
_STREAM_FAULTS = (BotoCoreError, ClientError, HTTPError, OSError)


class BedrockRuntime:
    """`tollgate.ports.ModelRuntime` on Bedrock. The clients must not retry model calls."""

    def __init__(self, clients: Callable[[Session | None], BedrockRuntimeClient]) -> None:
        """`clients` answers the client that signs for a session, None for the function's own."""
        self._clients = clients

    def chat(self, request: ChatRequest) -> ChatReply:
        """Converse."""
        client = self._clients(request.session)
        try:
            answer: Mapping[str, Any] = client.converse(**_parameters(request))
        except (ClientError, BotoCoreError) as error:
            raise _upstream_error(error) from error
        return ChatReply(
            content=answer["output"]["message"]["content"],
            stop_reason=answer["stopReason"],
            usage=_usage(answer["usage"]),
            service_tier=_tier(answer),
        )

    def chat_stream(self, request: ChatRequest) -> Iterator[TextDelta | OutputDelta | StreamEnd]:
        """ConverseStream. A stream that breaks or stops short raises with `may_be_billed`."""
        client = self._clients(request.session)
        try:
            events = client.converse_stream(**_parameters(request))["stream"]
        except (ClientError, BotoCoreError) as error:
            raise _upstream_error(error) from error
        stop_reason = ""
        try:
            for event in events:
                if "contentBlockDelta" in event:
                    yield _delta(event["contentBlockDelta"]["delta"])
                elif "contentBlockStart" in event:
                    yield OutputDelta(_size(event["contentBlockStart"]["start"]))
                elif "messageStop" in event:
                    stop_reason = event["messageStop"]["stopReason"]
                elif "metadata" in event:
                    metadata: Mapping[str, Any] = event["metadata"]
                    yield StreamEnd(stop_reason, _usage(metadata["usage"]), _tier(metadata))
                    return
        except _STREAM_FAULTS as error:
            raise _broken_stream() from error
        finally:
            events.close()
        raise _broken_stream()


class BedrockCatalogue:
    """`tollgate.ports.ModelCatalogue` on Bedrock's control plane."""

    def __init__(self, client: BedrockClient) -> None:
        self._client = client

    def foundation_models(self) -> Sequence[Mapping[str, Any]]:
        """ListFoundationModels; the API has one page."""
        with reaching("model catalogue"):
            return self._client.list_foundation_models()["modelSummaries"]

    def inference_profiles(self) -> Sequence[Mapping[str, Any]]:
        """ListInferenceProfiles, system-defined ones, all pages."""
        pages = self._client.get_paginator("list_inference_profiles").paginate(
            typeEquals="SYSTEM_DEFINED"
        )
        with reaching("model catalogue"):
            return [profile for page in pages for profile in page["inferenceProfileSummaries"]]


def _parameters(request: ChatRequest) -> dict[str, Any]:
    return {
        "modelId": request.model_id,
        "requestMetadata": dict(request.metadata),
        **request.body,
    }


def _usage(usage: Mapping[str, Any]) -> TokenUsage:
    written = usage.get("cacheWriteInputTokens", 0)
    hour = sum(
        detail["inputTokens"] for detail in usage.get("cacheDetails", ()) if detail["ttl"] == "1h"
    )
    return TokenUsage(
        input=usage["inputTokens"],
        output=usage["outputTokens"],
        cache_read=usage.get("cacheReadInputTokens", 0),
        cache_write_5m=written - hour,
        cache_write_1h=hour,
    )


def _tier(answer: Mapping[str, Any]) -> str:
    tier: str = answer.get("serviceTier", {}).get("type", "default")
    return tier


def _delta(delta: Mapping[str, Any]) -> TextDelta | OutputDelta:
    text = delta.get("text")
    return OutputDelta(_size(delta)) if text is None else TextDelta(text)


def _size(value: object) -> int:
    """Bytes of all that a piece of output says: tool names and input, reasoning, signatures."""
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass"))
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(item) for item in value.values())
    if isinstance(value, list):
        return sum(_size(item) for item in value)
    return 0


def _broken_stream() -> StreamBrokenError:
    return StreamBrokenError(
        "the model's stream broke before it ended; the text so far is what there is",
        may_be_billed=True,
    )


def _upstream_error(error: ClientError | BotoCoreError) -> TollgateError:
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return _service_error(details.get("Code", ""), details.get("Message", ""))
    if isinstance(error, ParamValidationError):
        # The report names parameters and types; it quotes no values of ours but the caller's own.
        return InvalidRequestError(f"the request does not fit the model API: {error}")
    if isinstance(error, ConnectTimeoutError | EndpointConnectionError):
        return UnavailableError(
            "the model service cannot be reached; nothing was charged, try again",
            code="upstream_unavailable",
            retry_after=_RETRY_SECONDS,
        )
    if isinstance(error, ReadTimeoutError):
        return UpstreamTimeoutError(
            "the model did not answer in time; use streaming for long answers",
            may_be_billed=True,
        )
    return UpstreamFailedError(
        "the connection to the model service broke; the call may be charged", may_be_billed=True
    )


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
        NotFoundError, "model_not_found", "the model service does not know this model"
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
