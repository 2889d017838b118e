"""Requests of OpenAI's API: Chat Completions and Embeddings, in terms of Converse.

A request field that Bedrock has nothing for is ignored with a note where the answer means the same
without it, and refused where it would not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import base_model_of, sampling
from tollgate.dialects.end_user import end_user
from tollgate.dialects.exchange import ParsedCall
from tollgate.dialects.fields import (
    as_count,
    as_filled_list,
    as_flag,
    as_object,
    as_text,
    as_texts,
    wrong_choice,
)
from tollgate.dialects.fitting import fit_sampling, fit_sampling_to_thinking
from tollgate.dialects.notes import Notes
from tollgate.dialects.openai.messages import conversation_of
from tollgate.dialects.openai.reasoning import reasoning_fields
from tollgate.dialects.openai.tools import tool_config
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import generic, registry
from tollgate.services.shapes import ChatCall, NativeCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.entry.http import Request

CHAT = "openai.chat"
EMBEDDINGS = "openai.embeddings"
# No header decides about the answer.
HEADERS: Sequence[str] = ()

_SERVICE_TIERS = ("auto", "default", "flex", "priority", "fast")
# OpenAI's newer word for the same.
_TIERS = {"flex": "flex", "priority": "priority", "fast": "priority"}
# Fields that change nothing about what an answer means, or that only OpenAI's own service has.
_IGNORED = (
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "seed",
    "store",
    "verbosity",
)
_READ = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "service_tier",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
)
# Fields with one value that means what Bedrock does anyway.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "top_logprobs": (0,),
}


def parse_chat(request: Request) -> ParsedCall:
    """A Chat Completions request. Raises InvalidRequestError naming what is wrong."""
    notes = Notes()
    given = notes.body(request, _READ, _IGNORED)
    _check_neutral(given)
    model = as_text(given.get("model"), "model")
    messages = conversation_of(as_filled_list(given.get("messages"), "messages"), notes)
    converse: dict[str, Any] = {"messages": messages.turns}
    if messages.system:
        converse["system"] = messages.system
    inference = _inference(given)
    if inference:
        converse["inferenceConfig"] = inference
    tools = tool_config(given, notes, has_history=messages.has_tools)
    if tools is not None:
        converse["toolConfig"] = tools
    text_format = _text_format(given.get("response_format"), notes)
    if text_format is not None:
        converse["outputConfig"] = {"textFormat": text_format}
    max_tokens = _reasoning(converse, given, notes, has_history=messages.has_tools)
    fit_sampling(converse, model, notes)
    tier = given.get("service_tier", "auto")
    if tier not in _SERVICE_TIERS:
        raise wrong_choice("service_tier", tier, _SERVICE_TIERS)
    if tier in _TIERS:
        converse["serviceTier"] = {"type": _TIERS[tier]}
    options = notes.members(
        given.get("stream_options", {}),
        "stream_options",
        ("include_usage",),
        ("include_obfuscation",),
    )
    return ParsedCall(
        call=ChatCall(
            model=model,
            body=converse,
            max_tokens=max_tokens,
            dialect=CHAT,
            end_user=_end_user(request, given),
        ),
        is_streamed=as_flag(given.get("stream", False), "stream"),
        includes_usage=as_flag(options.get("include_usage", False), "stream_options.include_usage"),
        notes=tuple(notes),
    )


def _reasoning(
    converse: dict[str, Any], given: Mapping[str, Any], notes: Notes, *, has_history: bool
) -> int | None:
    """Add how much to think, and return the maximum of tokens with it."""
    max_tokens = _max_tokens(given)
    effort = given.get("reasoning_effort", "none")
    if effort == "none":
        return max_tokens
    choice = converse.get("toolConfig", {}).get("toolChoice", {})
    fields, max_tokens = reasoning_fields(
        given["model"],
        effort,
        max_tokens,
        notes,
        has_history=has_history,
        forces_tool=bool(choice.keys() & {"any", "tool"}),
    )
    if fields:
        converse["additionalModelRequestFields"] = fields
    if "thinking" in fields:
        fit_sampling_to_thinking(converse, notes)
    return max_tokens


def _end_user(request: Request, given: Mapping[str, Any]) -> str | None:
    """Whom the call is for; the newer of OpenAI's two names for it counts more."""
    named = [end_user(request, given.get(name), name) for name in ("safety_identifier", "user")]
    return named[0] or named[1]


def _check_neutral(given: Mapping[str, Any]) -> None:
    for name, allowed in _NEUTRAL.items():
        if name in given and not any(
            given[name] == value and isinstance(given[name], bool) == isinstance(value, bool)
            for value in allowed
        ):
            raise InvalidRequestError(
                f"{name} is not supported by Bedrock; allowed is {json.dumps(allowed[0])}, "
                "or leave it out"
            )


def _max_tokens(given: Mapping[str, Any]) -> int | None:
    names = [name for name in ("max_completion_tokens", "max_tokens") if name in given]
    if len(names) > 1 and given[names[0]] != given[names[1]]:
        raise InvalidRequestError(
            "max_tokens sets max_completion_tokens a second time; send one of them"
        )
    return as_count(given[names[0]], names[0]) if names else None


def _inference(given: Mapping[str, Any]) -> dict[str, Any]:
    inference = sampling(given)
    stop = given.get("stop")
    if stop is not None:
        stops = [stop] if isinstance(stop, str) else as_texts(stop, "stop")
        if stops:
            inference["stopSequences"] = stops
    return inference


def _text_format(response_format: object, notes: Notes) -> dict[str, Any] | None:
    if response_format is None:
        return None
    kind = as_object(response_format, "response_format").get("type")
    if kind == "text":
        notes.members(response_format, "response_format", ("type",))
        return None
    if kind == "json_object":
        raise InvalidRequestError(
            "response_format.type is 'json_object', which Bedrock has no counterpart for; "
            "send json_schema with a schema"
        )
    if kind != "json_schema":
        raise wrong_choice("response_format.type", kind, ("text", "json_schema"))
    fields = notes.members(response_format, "response_format", ("json_schema", "type"))
    place = "response_format.json_schema"
    schema = notes.members(
        fields.get("json_schema"), place, ("description", "name", "schema", "strict")
    )
    if not as_flag(schema.get("strict", True), f"{place}.strict"):
        notes.ignored(f"{place}.strict", "an answer always has the schema's form")
    described = as_object(schema.get("schema"), f"{place}.schema")
    structure = {
        "name": as_text(schema.get("name"), f"{place}.name"),
        "schema": json.dumps(described),
    }
    if schema.get("description"):
        structure["description"] = as_text(schema["description"], f"{place}.description")
    return {"type": "json_schema", "structure": {"jsonSchema": structure}}


# --- Embeddings -------------------------------------------------------------------------------

_MAX_TEXTS = 2048
_ENCODINGS = ("float", "base64")
_EMBEDDINGS_READ = ("dimensions", "encoding_format", "input", "input_type", "model", "user")


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """A parsed request: the calls that together embed its texts in order, and what was ignored."""

    model: str
    calls: tuple[NativeCall, ...]
    is_base64: bool
    notes: tuple[str, ...]


def parse_embeddings(request: Request) -> EmbeddingsRequest:
    """An Embeddings request. Raises InvalidRequestError naming what is wrong.

    `input_type`, which OpenAI does not have, says to a Cohere model what the vectors are for.
    """
    notes = Notes()
    given = notes.body(request, _EMBEDDINGS_READ)
    model = as_text(given.get("model"), "model")
    texts = _embedded_texts(given.get("input"))
    encoding = given.get("encoding_format", "float")
    if encoding not in _ENCODINGS:
        raise wrong_choice("encoding_format", encoding, _ENCODINGS)
    user = end_user(request, given.get("user"), "user")
    return EmbeddingsRequest(
        model=model,
        calls=tuple(
            NativeCall(
                model=model, body=native, dialect=EMBEDDINGS, kind="embeddings", end_user=user
            )
            for native in _embedding_bodies(model, texts, given)
        ),
        is_base64=encoding == "base64",
        notes=tuple(notes),
    )


def _embedded_texts(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else as_filled_list(given, "input")
    if len(texts) > _MAX_TEXTS:
        raise InvalidRequestError(f"input has {len(texts)} entries; allowed are {_MAX_TEXTS}")
    for index, text in enumerate(texts):
        if isinstance(text, int | list):
            raise InvalidRequestError(
                f"input[{index}] is a token or an array of tokens, which only OpenAI's own models "
                "can read; allowed are strings (langchain: check_embedding_ctx_length=False)"
            )
        if not as_text(text, f"input[{index}]"):
            raise InvalidRequestError(f"input[{index}] is empty; allowed is text")
    return texts


def _embedding_bodies(
    model: str, texts: Sequence[str], given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    base = base_model_of(model)
    if base is None:
        # Never sent, as there is no such model.
        return [{}]
    size = as_count(given["dimensions"], "dimensions") if "dimensions" in given else None
    form = registry.embedding_body(base)
    if form is generic.EMBEDDINGS:
        raise InvalidRequestError(
            "this model is not called through /v1/embeddings; allowed are amazon.titan-embed and "
            "cohere.embed models",
            code="wrong_operation",
        )
    settings: dict[str, Any] = {}
    if form.input_types:
        settings["input_type"] = given.get("input_type", form.input_types[0])
        if settings["input_type"] not in form.input_types:
            raise wrong_choice("input_type", settings["input_type"], form.input_types)
    elif "input_type" in given:
        raise InvalidRequestError("input_type is not supported by this model; leave it out")
    if size is not None:
        if form.sized is None:
            raise InvalidRequestError("dimensions is not supported by this model; leave it out")
        settings |= form.sized(size)
    return form.write_texts(texts, settings)
