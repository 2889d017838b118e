"""Requests of Bedrock Runtime's API, as the SDKs send them.

They are Bedrock's own JSON; only what the SDK writes as base64 becomes bytes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tollgate.dialects.bedrock.blobs import decoded_member
from tollgate.dialects.bedrock.members import CONVERSE, check_members
from tollgate.dialects.end_user import end_user
from tollgate.dialects.exchange import ParsedCall
from tollgate.dialects.fields import (
    as_count,
    as_filled_list,
    as_list,
    as_object,
    as_text,
    base64_bytes,
    check_keys,
)
from tollgate.domain.converse import COUNTED
from tollgate.domain.errors import InvalidRequestError
from tollgate.entry.http import parse_json
from tollgate.services.shapes import ChatCall, NativeCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.entry.http import Request

CHAT = "bedrock.chat"
NATIVE = "bedrock.native"
_TIER = "x-amzn-bedrock-service-tier"
# The headers that decide about the answer.
HEADERS: Sequence[str] = ("accept", "content-type", _TIER)
_JSON = "application/json"

_LISTS = ("additionalModelResponseFieldPaths", "messages", "system")
# Bedrock takes 16 pairs, of which three tell the call's tenant, app and request.
MOST_METADATA = 13
# The pair that says whom the call is for; Bedrock itself has no name for that.
END_USER = "end_user"
_METADATA_KEY = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}", re.ASCII)
_METADATA_VALUE = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}", re.ASCII)
_METADATA_CHARACTERS = "ASCII letters, digits, spaces and :_@$#=/+,.-"


def parse_chat(request: Request) -> ParsedCall:
    """A Converse or ConverseStream request. Raises InvalidRequestError naming what is wrong."""
    call = chat_call(_model(request), request.json_object(), CHAT)
    named = call.body.get("requestMetadata", {}).get(END_USER)
    call = replace(call, end_user=end_user(request, named, f"requestMetadata.{END_USER}"))
    return ParsedCall(call, is_streamed=_is_streamed(request))


def chat_call(model: str, body: Mapping[str, Any], dialect: str) -> ChatCall:
    """The call that a Converse body asks for, also where another API has one inside its own."""
    check_keys(body, tuple(CONVERSE), "the body")
    converse = _members(body)
    as_filled_list(converse.get("messages"), "messages")
    _check_metadata(converse.get("requestMetadata", {}))
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


def parse_native(request: Request) -> ParsedCall:
    """An InvokeModel or InvokeModelWithResponseStream request, whose settings are headers.

    Raises InvalidRequestError naming what is wrong.
    """
    headers = request.headers
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
    call = NativeCall(
        model=_model(request),
        body=_native(request.body),
        dialect=NATIVE,
        service_tier=headers.get(_TIER, "default"),
    )
    is_marked = "x-amzn-bedrock-request-metadata" in headers
    return ParsedCall(
        call,
        is_streamed=_is_streamed(request),
        notes=("requestMetadata is ignored",) if is_marked else (),
    )


def parse_count(request: Request) -> ChatCall | NativeCall:
    """A CountTokens request: the call that is counted and not made.

    Its `input` is `converse`, or `invokeModel` with its body as bytes.
    """
    model, body = _model(request), request.json_object()
    check_keys(body, ("input",), "the body")
    given = as_object(body.get("input"), "input")
    if given.keys() == {"converse"}:
        converse = as_object(given["converse"], "input.converse")
        check_keys(converse, COUNTED, "input.converse")
        return ChatCall(model, _members(converse, "input.converse."), None, CHAT)
    if given.keys() == {"invokeModel"}:
        native = as_object(given["invokeModel"], "input.invokeModel")
        check_keys(native, ("body",), "input.invokeModel")
        place = "input.invokeModel.body"
        data = base64_bytes(native.get("body"), place)
        return NativeCall(model, _native(data, place), NATIVE)
    raise InvalidRequestError("input allows exactly one of converse and invokeModel")


def _model(request: Request) -> str:
    # An ARN in a path is percent-encoded, and no id has a percent sign.
    return unquote(request.path["modelId"])


def _is_streamed(request: Request) -> bool:
    return request.route.endswith("-stream")


def _native(body: bytes, place: str = "the body") -> dict[str, Any]:
    return as_object(parse_json(body, place), place)


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise for metadata that Bedrock would refuse; what it says is the caller's and not quoted."""
    if len(metadata) > MOST_METADATA:
        raise InvalidRequestError(
            f"requestMetadata has {len(metadata)} pairs; allowed are {MOST_METADATA}"
        )
    for index, (key, value) in enumerate(metadata.items(), start=1):
        place = f"requestMetadata: pair {index}"
        if _METADATA_KEY.fullmatch(key) is None:
            raise InvalidRequestError(
                f"{place} has a key of {len(key)} characters; allowed are 1 to 256 "
                f"{_METADATA_CHARACTERS}"
            )
        text = as_text(value, f"{place}'s value")
        if _METADATA_VALUE.fullmatch(text) is None:
            raise InvalidRequestError(
                f"{place} has a value of {len(text)} characters; allowed are up to 256 "
                f"{_METADATA_CHARACTERS}"
            )


def _members(body: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The members of a Converse request that are given, each of its own kind."""
    members: dict[str, Any] = {}
    for name, value in body.items():
        if value is not None:
            place = f"{prefix}{name}"
            (as_list if name in _LISTS else as_object)(value, place)
            members[name] = decoded_member(name, value, place)
            check_members(members[name], CONVERSE[name], place)
    return members
