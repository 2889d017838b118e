"""The Bedrock Runtime dialect: what boto3 sends and reads when its endpoint is the gateway.

Requests and answers are Bedrock's own JSON; only what the SDK writes as base64 becomes bytes on the
way in and base64 again on the way out.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tollgate.dialects.bedrock import eventstream
from tollgate.dialects.fields import (
    as_count,
    as_filled_list,
    as_list,
    as_object,
    base64_bytes,
    check_keys,
)
from tollgate.domain.converse import COUNTED
from tollgate.domain.errors import (
    InvalidRequestError,
    StreamBrokenError,
    TollgateError,
    UnavailableError,
    UpstreamThrottledError,
)
from tollgate.entry.http import parse_json
from tollgate.services.shapes import ChatCall, NativeCall

if TYPE_CHECKING:
    from collections.abc import Mapping

CONVERSE = "bedrock.chat"
INVOKE = "bedrock.native"
_JSON = "application/json"

_EXCEPTIONS = {
    400: "ValidationException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
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
_STREAM_MEMBERS = (
    "internalServerException",
    "modelStreamErrorException",
    "serviceUnavailableException",
    "throttlingException",
    "validationException",
)
_STREAM_EXCEPTIONS: tuple[tuple[type[TollgateError], str], ...] = (
    (StreamBrokenError, "modelStreamErrorException"),
    (UpstreamThrottledError, "throttlingException"),
    (InvalidRequestError, "validationException"),
    (UnavailableError, "serviceUnavailableException"),
)

_CONVERSE_KEYS = (
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "messages",
    "outputConfig",
    "performanceConfig",
    "requestMetadata",
    "serviceTier",
    "system",
    "toolConfig",
)
_LISTS = ("additionalModelResponseFieldPaths", "messages", "system")
# Members that the SDK takes for bytes, and those with documents of the caller's own inside which
# the same names mean nothing.
_BLOBS = ("bytes", "redactedContent")
_OPAQUE = (
    "additionalModelRequestFields",
    "additionalModelResponseFields",
    "input",
    "json",
    "requestMetadata",
)


def model_of(path: Mapping[str, str]) -> str:
    """The model id of a path; an ARN in it is percent-encoded, and no id has a percent sign."""
    return unquote(path["modelId"])


def parse_converse(model: str, body: Mapping[str, Any], dialect: str = CONVERSE) -> ChatCall:
    """A Converse or ConverseStream request. Raises InvalidRequestError naming what is wrong."""
    check_keys(body, _CONVERSE_KEYS, "the body")
    converse = _members(body)
    as_filled_list(converse.get("messages"), "messages")
    inference = dict(converse.pop("inferenceConfig", {}))
    asked = inference.pop("maxTokens", None)
    if inference:
        converse["inferenceConfig"] = inference
    return ChatCall(
        model=model,
        body=converse,
        max_tokens=None if asked is None else as_count(asked, "inferenceConfig.maxTokens"),
        dialect=dialect,
    )


def parse_count(body: Mapping[str, Any]) -> dict[str, Any]:
    """The `input` of a CountTokens request: `converse`, or `invokeModel` with its body as bytes."""
    check_keys(body, ("input",), "the body")
    given = as_object(body.get("input"), "input")
    if given.keys() == {"converse"}:
        converse = as_object(given["converse"], "input.converse")
        check_keys(converse, COUNTED, "input.converse")
        return {"converse": _members(converse, "input.converse.")}
    if given.keys() == {"invokeModel"}:
        native = as_object(given["invokeModel"], "input.invokeModel")
        check_keys(native, ("body",), "input.invokeModel")
        data = base64_bytes(native.get("body"), "input.invokeModel.body")
        return {"invokeModel": {"body": data}}
    raise InvalidRequestError("input allows exactly one of converse and invokeModel")


def converse_body(document: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """A Converse response as JSON."""
    return _encoded(document)


def stream_event(event: Mapping[str, Any]) -> bytes:
    """One event of ConverseStream, or one chunk of a native stream, as a frame."""
    ((kind, payload),) = event.items()
    return eventstream.event(kind, _encoded(payload))


def last_event(event: Mapping[str, Any], receipt: Mapping[str, Any]) -> bytes:
    """The last event's frame with what the call cost; the SDKs pass over the receipt."""
    ((kind, payload),) = event.items()
    return eventstream.event(kind, {**_encoded(payload), "tollgate": dict(receipt)})


def _decoded(value: object, place: str) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_decoded(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "s3Location" in value:
        raise InvalidRequestError(
            f"{place}.s3Location is not allowed: the gateway would read it with its own rights; "
            "send the bytes"
        )
    return {name: _decoded_member(name, item, f"{place}.{name}") for name, item in value.items()}


def _members(body: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The members of a Converse request that are given, each of its own kind."""
    members: dict[str, Any] = {}
    for name, value in body.items():
        if value is not None:
            place = f"{prefix}{name}"
            (as_list if name in _LISTS else as_object)(value, place)
            members[name] = _decoded_member(name, value, place)
    return members


def _decoded_member(name: str, item: object, place: str) -> Any:  # noqa: ANN401 - JSON
    if name in _OPAQUE:
        return item
    if name in _BLOBS:
        return base64_bytes(item, place)
    return _decoded(item, place)


def _encoded(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_encoded(item) for item in value]
    if isinstance(value, dict):
        return {name: item if name in _OPAQUE else _encoded(item) for name, item in value.items()}
    return value


def parse_native(body: bytes) -> dict[str, Any]:
    """The JSON object of an InvokeModel body. Raises InvalidRequestError, quoting nothing."""
    return as_object(parse_json(body), "the body")


def native_call(model: str, headers: Mapping[str, str], body: bytes) -> NativeCall:
    """An InvokeModel request, whose settings are headers (names in lower case).

    Raises InvalidRequestError naming what is wrong.
    """
    for name in ("accept", "content-type"):
        given = headers.get(name, _JSON).partition(";")[0].strip().lower()
        if given not in (_JSON, "*/*"):
            raise InvalidRequestError(f"the header {name} allows {_JSON} only")
    if "x-amzn-bedrock-guardrailidentifier" in headers:
        raise InvalidRequestError(
            "guardrailIdentifier is not allowed: guardrails are set by the tenant's policy"
        )
    if headers.get("x-amzn-bedrock-performanceconfig-latency", "standard") != "standard":
        raise InvalidRequestError(
            "performanceConfigLatency has no published price; allowed is 'standard'",
            code="unbounded_request",
        )
    return NativeCall(
        model=model,
        body=parse_native(body),
        dialect=INVOKE,
        service_tier=headers.get("x-amzn-bedrock-service-tier", "default"),
    )


def native_notes(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What of an InvokeModel request's headers is ignored."""
    is_marked = "x-amzn-bedrock-request-metadata" in headers
    return ("requestMetadata is ignored",) if is_marked else ()


def status_of(error: TollgateError) -> int:
    """The HTTP status of an error, as Bedrock has it for its kind."""
    if error.upstream_code in _UPSTREAM_STATUSES:
        return _UPSTREAM_STATUSES[error.upstream_code]
    if error.http_status == _BAD_GATEWAY and error.may_be_billed:
        return _MODEL_ERROR
    return _STATUSES.get(error.http_status, error.http_status)


def exception_of(error: TollgateError) -> str:
    """The name of an error, which the SDKs tell errors by."""
    if error.upstream_code in _UPSTREAM_STATUSES:
        return error.upstream_code
    return _EXCEPTIONS.get(status_of(error), "InternalServerException")


def error_body(error: TollgateError, request_id: str) -> dict[str, Any]:
    """An error as the SDKs read it; code, figures and id stand beside what they know."""
    body: dict[str, Any] = {
        "message": error.message,
        "__type": exception_of(error),
        "code": error.code,
        "request_id": request_id,
    }
    return {**body, "details": error.details} if error.details else body


def stream_error(error: TollgateError) -> bytes:
    """A failure after the first byte: the status is out, so the client reads it in a frame."""
    if error.upstream_code in _STREAM_MEMBERS:
        return eventstream.exception(error.upstream_code, error.message)
    name = next(
        (name for kind, name in _STREAM_EXCEPTIONS if isinstance(error, kind)),
        "internalServerException",
    )
    return eventstream.exception(name, error.message)
