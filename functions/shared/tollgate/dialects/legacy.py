"""The first seed system's wire format: `POST /invoke_model` in chat and plain-prompt mode.

Every answer is a one-element array, and `generated_text` is the key installed clients read.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from tollgate.calls import ChatCall
from tollgate.domain.errors import ForbiddenError, InvalidRequestError
from tollgate.http import Request, type_name
from tollgate.jobs import usage_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.domain.jobs import JobView
    from tollgate.pipeline import Answer

CHAT = "legacy.chat"
PROMPT = "legacy.prompt"

# The headers that decide about the answer.
HEADERS = ("messages_api", "streaming", "team_id", "type")

_CHAT_PARAMETERS = ("maxTokens", "stopSequences", "system", "temperature", "topP")
# What native request bodies call the settings that Converse has its own names for.
_PROMPT_NAMES = {
    "maxTokens": "maxTokens",
    "max_tokens": "maxTokens",
    "maxTokenCount": "maxTokens",
    "max_tokens_to_sample": "maxTokens",
    "max_gen_len": "maxTokens",
    "max_new_tokens": "maxTokens",
    "temperature": "temperature",
    "topP": "topP",
    "top_p": "topP",
    "p": "topP",
    "stopSequences": "stopSequences",
    "stop_sequences": "stopSequences",
    "stop": "stopSequences",
}
_MEDIA = ("image", "document", "video", "audio")
_BODY_KEYS = ("additional_model_fields", "inputs", "parameters", "tool_config")


def check_team(request: Request) -> None:
    """The `team_id` header must name the key's tenant. Raises 400 or 403."""
    team = request.headers.get("team_id", "").strip()
    if not team:
        raise InvalidRequestError("Missing required request parameters: [team_id]")
    if team != request.caller.tenant_id:
        raise ForbiddenError(
            "team_id does not name the tenant this key belongs to; send the key's own tenant id",
            code="tenant_mismatch",
        )


def is_streaming(request: Request) -> bool:
    """Whether the caller asks for a long-poll job."""
    return _is_true(request, "streaming")


def parse_call(request: Request) -> ChatCall:
    """The model call of a request. Raises InvalidRequestError naming what is wrong."""
    model = request.query.get("model_id", "")
    if not model:
        raise InvalidRequestError(
            "the query parameter model_id is missing; GET /list_foundation_models lists the models"
        )
    if request.query.get("model_arn"):
        raise InvalidRequestError("model_arn is not supported; allowed is model_id")
    kind = request.headers.get("type", "text").lower()
    if kind != "text":
        raise InvalidRequestError(f"the header type is {kind[:32]!r}; allowed is 'text'")
    body = request.json_object()
    _check_keys(body, _BODY_KEYS, "the body")
    call = _chat(model, body) if _is_true(request, "messages_api") else _prompt(model, body)
    if is_streaming(request) and "toolConfig" in call.body:
        raise InvalidRequestError("tool_config is not supported with streaming; send it without")
    return call


def answer_body(answer: Answer) -> list[dict[str, Any]]:
    """The body of an answered call."""
    return [
        {
            "generated_text": _generated(answer.content),
            "stop_reason": answer.stop_reason,
            "usage": usage_counts(answer.usage),
        }
    ]


def started_body(job_id: str) -> list[dict[str, Any]]:
    """The body of a started job."""
    return [{"request_id": job_id}]


def job_body(view: JobView) -> list[dict[str, Any]]:
    """The body of a poll of a job that has not failed."""
    if view.job.status == "succeeded":
        result = view.job.result
        return [
            {
                "generated_text": view.text,
                "stop_reason": result["stop_reason"],
                "usage": result["usage"],
            }
        ]
    return [
        {
            "request_id": view.job.job_id,
            "status": view.job.status,
            "partial_text": view.text,
            "cursor": view.cursor,
        }
    ]


def _chat(model: str, body: Mapping[str, Any]) -> ChatCall:
    messages = body.get("inputs")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError(
            f"inputs is {type_name(messages)}; allowed with messages_api is a non-empty list of "
            "Converse messages"
        )
    parameters = _object(body, "parameters")
    _check_keys(parameters, _CHAT_PARAMETERS, "parameters")
    converse: dict[str, Any] = {
        "messages": [_message(message, index) for index, message in enumerate(messages)]
    }
    if parameters.get("system"):
        converse["system"] = [{"text": _string(parameters["system"], "parameters.system")}]
    if "tool_config" in body:
        converse["toolConfig"] = _object(body, "tool_config")
    if "additional_model_fields" in body:
        converse["additionalModelRequestFields"] = _object(body, "additional_model_fields")
    settings = {name: value for name, value in parameters.items() if name != "system"}
    return _call(model, converse, settings, CHAT)


def _prompt(model: str, body: Mapping[str, Any]) -> ChatCall:
    prompt = body.get("inputs")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidRequestError(
            f"inputs is {'empty' if prompt == '' else type_name(prompt)}; allowed without the "
            "header messages_api is a prompt"
        )
    for key in ("tool_config", "additional_model_fields"):
        if key in body:
            raise InvalidRequestError(f"{key} needs the header messages_api: true")
    settings: dict[str, Any] = {}
    native: dict[str, Any] = {}
    for name, value in _object(body, "parameters").items():
        known = _PROMPT_NAMES.get(name)
        if known is None:
            native[name] = value
        elif known in settings:
            raise InvalidRequestError(f"parameters.{name} sets {known} a second time")
        else:
            settings[known] = value
    converse: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": prompt}]}]}
    if native:
        converse["additionalModelRequestFields"] = native
    return _call(model, converse, settings, PROMPT)


def _call(
    model: str, converse: dict[str, Any], settings: Mapping[str, Any], dialect: str
) -> ChatCall:
    inference = dict(settings)
    max_tokens = inference.pop("maxTokens", None)
    if max_tokens is not None and (isinstance(max_tokens, bool) or not isinstance(max_tokens, int)):
        raise InvalidRequestError(
            f"maxTokens is {type_name(max_tokens)}; allowed is a whole number"
        )
    for name in ("temperature", "topP"):
        value = inference.get(name)
        if name in inference and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InvalidRequestError(f"{name} is {type_name(value)}; allowed is a number")
    stops = inference.get("stopSequences", [])
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise InvalidRequestError("stopSequences allows a list of strings")
    if inference:
        converse["inferenceConfig"] = inference
    return ChatCall(model=model, body=converse, max_tokens=max_tokens, dialect=dialect)


def _message(message: object, index: int) -> dict[str, Any]:
    place = f"inputs[{index}]"
    if not isinstance(message, dict):
        raise InvalidRequestError(f"{place} is {type_name(message)}; allowed is a message object")
    _check_keys(message, ("content", "role"), place)
    role, content = message.get("role"), message.get("content")
    if role not in ("user", "assistant"):
        raise InvalidRequestError(f"{place}.role allows 'user' or 'assistant'")
    if not isinstance(content, list) or not content:
        raise InvalidRequestError(
            f"{place}.content is {type_name(content)}; allowed is a non-empty list of blocks"
        )
    blocks = [_block(block, f"{place}.content[{number}]") for number, block in enumerate(content)]
    return {"role": role, "content": blocks}


def _block(block: object, place: str) -> dict[str, Any]:
    if not isinstance(block, dict) or len(block) != 1:
        raise InvalidRequestError(f"{place} allows an object with one content block, like text")
    ((kind, value),) = block.items()
    if kind in _MEDIA:
        return {kind: _media(value, f"{place}.{kind}")}
    if kind == "toolResult" and isinstance(value, dict) and isinstance(value.get("content"), list):
        results = [
            _block(item, f"{place}.toolResult.content[{number}]")
            for number, item in enumerate(value["content"])
        ]
        return {kind: {**value, "content": results}}
    return block


def _media(media: object, place: str) -> dict[str, Any]:
    source = media.get("source") if isinstance(media, dict) else None
    # Only inline bytes: a location would be read with the gateway's own rights.
    if not isinstance(media, dict) or not isinstance(source, dict) or source.keys() != {"bytes"}:
        raise InvalidRequestError(f"{place}.source allows an object with base64 bytes only")
    text = _string(source["bytes"], f"{place}.source.bytes")
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(f"{place}.source.bytes is not base64") from error
    return {**media, "source": {"bytes": decoded}}


def _generated(content: Sequence[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    if any("toolUse" in block for block in content):
        return [dict(block) for block in content if "toolUse" in block or "text" in block]
    return " ".join(block["text"] for block in content if "text" in block)


def _is_true(request: Request, header: str) -> bool:
    given = request.headers.get(header, "false").lower()
    if given not in ("true", "false"):
        raise InvalidRequestError(
            f"the header {header} is {given[:32]!r}; allowed is 'true' or 'false'"
        )
    return given == "true"


def _object(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key, {})
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequestError(f"{key} is {type_name(value)}; allowed is an object")
    return value


def _string(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequestError(f"{place} is {type_name(value)}; allowed is a string")
    return value


def _check_keys(value: Mapping[str, Any], allowed: Sequence[str], place: str) -> None:
    unknown = sorted(set(value) - set(allowed))
    if unknown:
        raise InvalidRequestError(
            f"{place} has the unknown key {unknown[0][:64]!r}; allowed are {', '.join(allowed)}"
        )
