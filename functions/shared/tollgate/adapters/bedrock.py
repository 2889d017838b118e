"""Amazon Bedrock: Converse and native calls, buffered and streamed, and the model catalogue."""

from __future__ import annotations

import json
import re
from collections import Counter
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
from tollgate.domain import guardrails, native
from tollgate.domain.converse import Assembler, event_size, event_text
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
from tollgate.ports import ModelReply, ModelRequest, StreamPiece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    from tollgate.domain.sessions import Session

# How long a throttled or overloaded caller should wait: Bedrock itself names no time.
_RETRY_SECONDS = 2
_STREAM_FAULTS = (BotoCoreError, ClientError, HTTPError, OSError)
_JSON = "application/json"
_BEDROCK_HEADERS = "x-amzn-bedrock-"
_INPUT_HEADER = "x-amzn-bedrock-input-token-count"
_OUTPUT_HEADER = "x-amzn-bedrock-output-token-count"
_CACHE_READ_HEADER = "x-amzn-bedrock-cache-read-input-token-count"
_CACHE_WRITE_HEADER = "x-amzn-bedrock-cache-write-input-token-count"
_TIER_HEADER = "x-amzn-bedrock-service-tier"
# What botocore says of a value of the wrong type; the value may be a prompt.
_QUOTED_VALUE = re.compile(r", value: .*?, type: <class '(\w+)'>, valid types: ", re.DOTALL)


class BedrockRuntime:
    """`tollgate.ports.ModelRuntime` on Bedrock. The clients must not retry model calls."""

    def __init__(self, clients: Callable[[Session | None], BedrockRuntimeClient]) -> None:
        """`clients` answers the client that signs for a session, None for the function's own."""
        self._clients = clients

    def call(self, request: ModelRequest) -> ModelReply:
        """Converse or InvokeModel."""
        client = self._clients(request.session)
        try:
            if request.operation == "converse":
                return _converse_reply(client.converse(**_converse(request)))
            answer = client.invoke_model(**_native(request))
            data = answer["body"].read()
        except _STREAM_FAULTS as error:
            raise upstream_error(error) from error
        return _native_reply(data, answer["ResponseMetadata"]["HTTPHeaders"])

    def stream(self, request: ModelRequest) -> Iterator[StreamPiece | ModelReply]:
        """ConverseStream or InvokeModelWithResponseStream.

        A stream that breaks or stops short raises with `may_be_billed`.
        """
        client = self._clients(request.session)
        is_native = request.operation != "converse"
        try:
            events: Any = (
                client.invoke_model_with_response_stream(**_native(request))["body"]
                if is_native
                else client.converse_stream(**_converse(request))["stream"]
            )
        except (ClientError, BotoCoreError) as error:
            raise upstream_error(error) from error
        try:
            yield from (_native_pieces if is_native else _converse_pieces)(events)
        except _STREAM_FAULTS as error:
            failure = broken_stream()
            if isinstance(error, ClientError):
                failure.upstream_code = error.response["Error"]["Code"]
            raise failure from error
        finally:
            events.close()


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


def _converse(request: ModelRequest) -> dict[str, Any]:
    return {
        **request.body,
        "modelId": request.model_id,
        "requestMetadata": {**request.body.get("requestMetadata", {}), **request.metadata},
    }


def _native(request: ModelRequest) -> dict[str, Any]:
    return {
        "modelId": request.model_id,
        "body": json.dumps(request.body, ensure_ascii=False).encode(errors="surrogatepass"),
        "accept": _JSON,
        "contentType": _JSON,
        "requestMetadata": json.dumps(dict(request.metadata)),
        **request.settings,
    }


def _converse_reply(answer: Mapping[str, Any]) -> ModelReply:
    document = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    return ModelReply(
        document=document,
        usage=_usage(answer["usage"]),
        stop_reason=answer["stopReason"],
        service_tier=_tier(answer),
        units=guardrails.units_in(answer.get("trace", {})),
    )


def _converse_pieces(events: Iterable[Mapping[str, Any]]) -> Iterator[StreamPiece | ModelReply]:
    assembler = Assembler()
    for event in events:
        assembler.take(event)
        yield StreamPiece(event, event_text(event), event_size(event))
        if assembler.is_complete:
            yield _converse_reply(assembler.document())
            return
    raise broken_stream()


def _native_reply(data: bytes, headers: Mapping[str, str]) -> ModelReply:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise UpstreamFailedError(
            "the model answered with something that is not JSON; the call may be charged",
            may_be_billed=True,
        ) from error
    kept = {name: value for name, value in headers.items() if name.startswith(_BEDROCK_HEADERS)}
    return ModelReply(
        document=document,
        usage=_header_usage(headers, document),
        stop_reason=native.stop_reason_of(document),
        service_tier=headers.get(_TIER_HEADER, "default"),
        units=guardrails.native_units_in(document),
        headers=kept,
    )


def _native_pieces(events: Iterable[Mapping[str, Any]]) -> Iterator[StreamPiece | ModelReply]:
    texts: list[str] = []
    stop_reason: str | None = None
    units: Counter[str] = Counter()
    hour = 0
    for event in events:
        data: bytes = event["chunk"]["bytes"]
        document = json.loads(data)
        text = native.text_of(document)
        texts.append(text)
        stop_reason = native.stop_reason_of(document) or stop_reason
        # A guardrail reads a stream piece by piece and charges each.
        units.update(guardrails.native_units_in(document))
        begun = native.usage_in(document.get("message", {}))
        hour = max(hour, 0 if begun is None else begun.cache_write_1h)
        # Whatever else a chunk says, a token of output is at least a byte of it.
        yield StreamPiece(event, text, len(data))
        metrics = document.get("amazon-bedrock-invocationMetrics")
        if metrics is not None:
            usage = _metrics_usage(metrics, hour)
            yield ModelReply({"text": "".join(texts)}, usage, stop_reason, units=dict(units))
            return
    raise broken_stream()


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


def _header_usage(headers: Mapping[str, str], document: Mapping[str, Any]) -> TokenUsage | None:
    """Counts of a native answer: the service's headers, else the provider's own in the body."""
    counted = native.usage_in(document)
    given, made = headers.get(_INPUT_HEADER), headers.get(_OUTPUT_HEADER)
    if given is None or made is None:
        return counted
    written = int(headers.get(_CACHE_WRITE_HEADER, 0))
    # Only the body tells for how long the cache keeps what was written.
    hour = 0 if counted is None else min(counted.cache_write_1h, written)
    return TokenUsage(
        input=int(given),
        output=int(made),
        cache_read=int(headers.get(_CACHE_READ_HEADER, 0)),
        cache_write_5m=written - hour,
        cache_write_1h=hour,
    )


def _metrics_usage(metrics: Mapping[str, Any], hour: int) -> TokenUsage:
    """Counts of a native stream; `hour` of the cache writes are kept for an hour."""
    written = metrics.get("cacheWriteInputTokenCount", 0)
    return TokenUsage(
        input=metrics["inputTokenCount"],
        output=metrics["outputTokenCount"],
        cache_read=metrics.get("cacheReadInputTokenCount", 0),
        cache_write_5m=written - min(hour, written),
        cache_write_1h=min(hour, written),
    )


def _tier(answer: Mapping[str, Any]) -> str:
    tier: str = answer.get("serviceTier", {}).get("type", "default")
    return tier


def broken_stream() -> StreamBrokenError:
    """The failure of a stream that ended before the service said what it used."""
    return StreamBrokenError(
        "the model's stream broke before it ended; the text so far is what there is",
        may_be_billed=True,
    )


def upstream_error(error: Exception) -> TollgateError:
    """What an SDK's failure of a model call means to a caller."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        failure = _service_error(details.get("Code", ""), details.get("Message", ""))
        failure.upstream_code = details.get("Code")
        return failure
    if isinstance(error, ParamValidationError):
        report = _QUOTED_VALUE.sub(r" is of type \1; allowed are ", str(error))
        return InvalidRequestError(f"the request does not fit the model API: {report}")
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
