"""Amazon Bedrock: Converse and native calls, buffered and streamed, and the model catalogue."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tollgate.adapters.aws import reaching
from tollgate.adapters.failures import broken_stream, call_error, is_known, stream_error
from tollgate.adapters.sending import watched
from tollgate.domain import guardrails, native
from tollgate.domain.answers import (
    UnreadableAnswerError,
    converse_usage,
    header_count,
    read_json,
    readable,
    token_usage,
    word,
)
from tollgate.domain.converse import Assembler, document_fault, event_size, event_text, output_size
from tollgate.domain.families.reading import counted as count
from tollgate.domain.families.reading import part
from tollgate.domain.families.registry import family_of
from tollgate.ports import ModelReply, ModelRequest, StreamPiece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    from tollgate.domain.prices import TokenUsage
    from tollgate.domain.sessions import Session

_JSON = "application/json"
_BEDROCK_HEADERS = "x-amzn-bedrock-"
_INPUT_HEADER = "x-amzn-bedrock-input-token-count"
_OUTPUT_HEADER = "x-amzn-bedrock-output-token-count"
_CACHE_READ_HEADER = "x-amzn-bedrock-cache-read-input-token-count"
_CACHE_WRITE_HEADER = "x-amzn-bedrock-cache-write-input-token-count"
_TIER_HEADER = "x-amzn-bedrock-service-tier"


class BedrockRuntime:
    """`tollgate.ports.ModelRuntime` on Bedrock. The clients must not retry model calls."""

    def __init__(self, clients: Callable[[Session | None], BedrockRuntimeClient]) -> None:
        """`clients` answers the client that signs for a session, None for the function's own."""
        self._clients = clients

    def call(self, request: ModelRequest) -> ModelReply:
        """Converse or InvokeModel."""
        client = self._clients(request.session)
        sending = watched(client)
        try:
            if request.operation == "converse":
                return _converse_reply(client.converse(**_converse(request)), request)
            answer = client.invoke_model(**_native(request))
            data = answer["body"].read()
        except Exception as error:
            if request.operation == "converse" and sending.is_answered and not is_known(error):
                return _unparsed_reply(sending.answer, request)
            raise call_error(error, sending) from error
        return _native_reply(data, answer["ResponseMetadata"]["HTTPHeaders"])

    def prepare(self, request: ModelRequest) -> None:
        """Assumes the session's role, unless that was done before."""
        self._clients(request.session)

    def stream(self, request: ModelRequest) -> Iterator[StreamPiece | ModelReply]:
        """ConverseStream or InvokeModelWithResponseStream.

        A stream that breaks or stops short raises with `may_be_billed`.
        """
        client = self._clients(request.session)
        sending = watched(client)
        is_native = request.operation != "converse"
        try:
            answer: Any = (
                client.invoke_model_with_response_stream(**_native(request))
                if is_native
                else client.converse_stream(**_converse(request))
            )
            events = answer["body" if is_native else "stream"]
        except Exception as error:
            raise call_error(error, sending) from error
        try:
            if is_native:
                yield from _native_pieces(events, _tier(answer.get("serviceTier")))
            else:
                yield from _converse_pieces(events, request)
        except Exception as error:
            raise stream_error(error) from error
        finally:
            # What is left of a stream is nobody's any more, and neither is its failure.
            with suppress(Exception):
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


def _converse_reply(
    answer: Mapping[str, Any], request: ModelRequest, fault: str | None = None
) -> ModelReply:
    """The reply of a Converse response, whatever of it is missing or odd."""
    document: Any = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    try:
        document = readable(document)
        fault = fault or document_fault(document)
    except UnreadableAnswerError as error:
        document, fault = {}, fault or str(error)
    includes_cached = family_of(request.base_model_id).counts_cached_input
    usage = converse_usage(answer.get("usage"), includes_cached=includes_cached)
    units = _units(guardrails.units_in, answer.get("trace"))
    return ModelReply(
        document=document,
        usage=None if units is None else usage,
        stop_reason=word(answer.get("stopReason")),
        service_tier=_tier(part(answer, "serviceTier").get("type")),
        units=units or {},
        fault=fault,
    )


def _unparsed_reply(data: bytes, request: ModelRequest) -> ModelReply:
    """The reply of a Converse response that boto3 cannot parse; its counts may be there."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    answer = document if isinstance(document, Mapping) else {}
    return _converse_reply(answer, request, "is not of the model API's form")


def _converse_pieces(
    events: Iterable[Mapping[str, Any]], request: ModelRequest
) -> Iterator[StreamPiece | ModelReply]:
    assembler = Assembler()
    for given in events:
        event = _readable_event(given)
        if assembler.take(event):
            yield StreamPiece(event, event_text(event), event_size(event))
        else:
            yield StreamPiece({}, size=output_size(event))
        if assembler.is_complete:
            yield _converse_reply(assembler.document(), request, assembler.fault)
            return
    raise broken_stream()


def _readable_event(event: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        whole: Mapping[str, Any] = readable(event)
    except UnreadableAnswerError:
        return {}
    return whole


def _tier(told: object) -> str:
    """The tier that served a call; one that does not say was served as usual."""
    return word(told) or "default"


def _native_reply(data: bytes, headers: Mapping[str, str]) -> ModelReply:
    kept = {name: value for name, value in headers.items() if name.startswith(_BEDROCK_HEADERS)}
    tier = _tier(headers.get(_TIER_HEADER))
    try:
        document = read_json(data)
        fault = None if isinstance(document, Mapping) else "is no JSON object"
    except UnreadableAnswerError as error:
        document, fault = {}, str(error)
    if fault is not None:
        return ModelReply({}, _header_usage(headers, {}), service_tier=tier, fault=fault)
    units = _units(guardrails.native_units_in, document)
    return ModelReply(
        document=document,
        usage=None if units is None else _header_usage(headers, document),
        stop_reason=word(native.stop_reason_of(document)),
        service_tier=tier,
        units=units or {},
        headers=kept,
    )


class _Chunks:
    """What the chunks of a native stream have said so far; `tier` is what serves it."""

    def __init__(self, tier: str) -> None:
        self._tier = tier
        self._texts: list[str] = []
        self._stop_reason: str | None = None
        # A guardrail reads a stream piece by piece and charges each.
        self._units: Counter[str] = Counter()
        self._is_counted = True
        self._counted: TokenUsage | None = None
        self._hour = 0
        self._fault: str | None = None
        self._metrics: object = None

    @property
    def is_complete(self) -> bool:
        """Whether the last chunk, with its metrics, has come."""
        return self._metrics is not None

    def take(self, event: Mapping[str, Any]) -> StreamPiece:
        data = part(event, "chunk").get("bytes")
        if not isinstance(data, bytes):
            return StreamPiece({})
        try:
            document = read_json(data)
        except UnreadableAnswerError as error:
            document, self._fault = None, self._fault or f"has a chunk that {error}"
        if not isinstance(document, Mapping):
            self._fault = self._fault or "has a chunk that is no JSON object"
            return StreamPiece({}, size=len(data))
        self._read(document)
        # Whatever else a chunk says, a token of output is at least a byte of it.
        return StreamPiece(event, self._texts[-1], len(data))

    def _read(self, document: Mapping[str, Any]) -> None:
        self._texts.append(native.text_of(document))
        self._stop_reason = word(native.stop_reason_of(document)) or self._stop_reason
        units = _units(guardrails.native_units_in, document)
        self._is_counted = self._is_counted and units is not None
        self._units.update(units or {})
        self._counted = native.usage_in(document) or self._counted
        begun = native.usage_in(part(document, "message"))
        self._hour = max(self._hour, 0 if begun is None else begun.cache_write_1h)
        self._metrics = document.get("amazon-bedrock-invocationMetrics")

    def reply(self) -> ModelReply:
        """The reply once it is complete."""
        usage = _metrics_usage(self._metrics, self._hour)
        return ModelReply(
            {"text": "".join(self._texts)},
            _fuller(usage, self._counted) if self._is_counted else None,
            self._stop_reason,
            service_tier=self._tier,
            units=dict(self._units),
            fault=self._fault,
        )


def _native_pieces(
    events: Iterable[Mapping[str, Any]], tier: str
) -> Iterator[StreamPiece | ModelReply]:
    chunks = _Chunks(tier)
    for event in events:
        yield chunks.take(event)
        if chunks.is_complete:
            yield chunks.reply()
            return
    raise broken_stream()


def _units(
    read: Callable[[Mapping[str, Any]], Mapping[str, int]], trace: object
) -> Mapping[str, int] | None:
    """What a guardrail charged; None where what is said of it cannot be read."""
    if trace is None:
        return {}
    try:
        return read(trace) if isinstance(trace, Mapping) else None
    except ValueError:
        return None


def _header_usage(headers: Mapping[str, str], document: Mapping[str, Any]) -> TokenUsage | None:
    """Counts of a native answer: the service's headers, else the provider's own in the body."""
    counted = native.usage_in(document)
    written = header_count(headers.get(_CACHE_WRITE_HEADER))
    # Only the body tells for how long the cache keeps what was written.
    hour = 0 if counted is None else counted.cache_write_1h
    usage = token_usage(
        header_count(headers.get(_INPUT_HEADER)),
        header_count(headers.get(_OUTPUT_HEADER)),
        header_count(headers.get(_CACHE_READ_HEADER)),
        written,
        _at_most(hour, written),
    )
    return counted if usage is None else _fuller(usage, counted)


def _metrics_usage(metrics: object, hour: int) -> TokenUsage | None:
    """Counts of a native stream; `hour` of the cache writes are kept for an hour."""
    if not isinstance(metrics, Mapping):
        return None
    written = metrics.get("cacheWriteInputTokenCount")
    return token_usage(
        metrics.get("inputTokenCount"),
        metrics.get("outputTokenCount"),
        metrics.get("cacheReadInputTokenCount"),
        written,
        _at_most(hour, written),
    )


def _at_most(hour: int, written: object) -> int:
    """As many of the cache writes as there are; those of which nobody knows are none."""
    return min(hour, count(written) or 0)


def _fuller(usage: TokenUsage | None, counted: TokenUsage | None) -> TokenUsage | None:
    """The service's counts, or the provider's own in the body where those say more.

    The body alone tells of passes before the last one, and what of the input of OpenAI's models
    came from the cache.
    """
    if usage is None or counted is None:
        return usage
    ours, theirs = (usage.total_input, usage.output), (counted.total_input, counted.output)
    is_fuller = theirs[0] >= ours[0] and theirs[1] >= ours[1]
    if theirs == ours:
        is_fuller = usage.total_input == usage.input
    return counted if is_fuller else usage
