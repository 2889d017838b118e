"""The OpenAI dialect: Chat Completions and Embeddings, in terms of Converse.

A request field that Bedrock has nothing for is ignored with a note where the answer means the same
without it, and refused where it would not.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import IMAGE_FORMATS, family_of, sampling
from tollgate.dialects.fields import (
    as_count,
    as_filled_list,
    as_flag,
    as_list,
    as_object,
    as_text,
    as_texts,
    check_keys,
    data_url,
    wrong_choice,
)
from tollgate.domain.errors import InvalidRequestError
from tollgate.entry.http import parse_json
from tollgate.services.shapes import ChatCall, NativeCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tollgate.domain.errors import TollgateError
    from tollgate.domain.prices import TokenUsage

CHAT = "openai.chat"
EMBEDDINGS = "openai.embeddings"
# A comment, which readers of server-sent events pass over.
KEEP_ALIVE = b": still working\n\n"

_ERROR_TYPES = {
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
_SERVER_ERROR = 500

_DOCUMENT_FORMATS = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_EFFORTS = ("low", "medium", "high")
# Tokens that a model which thinks within a budget may think, by effort; no budget may be smaller
# than the first.
_THINKING_TOKENS = {"low": 1024, "medium": 4096, "high": 16384}
# What a model that thinks within a budget may say at least, and says at most unless asked.
_LEAST_ANSWER_TOKENS = 16
_ANSWER_TOKENS = 4096
_CLAUDE_VERSION = re.compile(r"anthropic\.claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2})(?!\d))?")
_FIRST_THINKING = (3, 7)
_FIRST_ADAPTIVE = (4, 6)
_SERVICE_TIERS = ("auto", "default", "flex", "priority", "fast")
# OpenAI's newer word for the same.
_TIERS = {"flex": "flex", "priority": "priority", "fast": "priority"}
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
# Fields that change nothing about what an answer means, or that only OpenAI's own service has.
_IGNORED = (
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "seed",
    "store",
    "user",
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
    "service_tier",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
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


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A parsed request: the call, how to answer it, and what was ignored."""

    call: ChatCall
    is_streamed: bool
    includes_usage: bool
    notes: tuple[str, ...]


def parse_chat(body: Mapping[str, Any]) -> ChatRequest:
    """A Chat Completions request. Raises InvalidRequestError naming what is wrong."""
    given = {name: value for name, value in body.items() if value is not None}
    check_keys(given, (*_READ, *_IGNORED), "the body")
    _check_neutral(given)
    model = as_text(given.get("model"), "model")
    messages = _Messages(as_filled_list(given.get("messages"), "messages"))
    notes = [f"{name} is ignored" for name in _IGNORED if name in given]
    converse: dict[str, Any] = {"messages": messages.turns}
    if messages.system:
        converse["system"] = messages.system
    inference = _inference(given)
    if inference:
        converse["inferenceConfig"] = inference
    tools = _tools(given, notes, has_history=messages.has_tools)
    if tools is not None:
        converse["toolConfig"] = tools
    text_format = _text_format(given.get("response_format"))
    if text_format is not None:
        converse["outputConfig"] = {"textFormat": text_format}
    max_tokens = _max_tokens(given)
    effort = given.get("reasoning_effort", "none")
    if effort != "none":
        fields, max_tokens = _reasoning(
            model, effort, max_tokens, notes, has_history=messages.has_tools
        )
        if fields:
            converse["additionalModelRequestFields"] = fields
    tier = given.get("service_tier", "auto")
    if tier not in _SERVICE_TIERS:
        raise wrong_choice("service_tier", tier, _SERVICE_TIERS)
    if tier in _TIERS:
        converse["serviceTier"] = {"type": _TIERS[tier]}
    options = as_object(given.get("stream_options", {}), "stream_options")
    return ChatRequest(
        call=ChatCall(model=model, body=converse, max_tokens=max_tokens, dialect=CHAT),
        is_streamed=as_flag(given.get("stream", False), "stream"),
        includes_usage=as_flag(options.get("include_usage", False), "stream_options.include_usage"),
        notes=tuple(notes),
    )


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


# --- Messages ---------------------------------------------------------------------------------


class _Messages:
    """Turns of a conversation as Converse has them: system apart, roles that alternate."""

    def __init__(self, messages: Sequence[object]) -> None:
        self.system: list[dict[str, Any]] = []
        self.turns: list[dict[str, Any]] = []
        self.has_tools = False
        self._documents = 0
        for index, message in enumerate(messages):
            self._take(as_object(message, f"messages[{index}]"), f"messages[{index}]")

    def _take(self, message: Mapping[str, Any], place: str) -> None:
        role = message.get("role")
        if role in ("system", "developer"):
            self.system.extend(_texts(message.get("content"), f"{place}.content"))
        elif role == "user":
            self._add("user", self._user(message.get("content"), f"{place}.content"))
        elif role == "assistant":
            self._add("assistant", self._assistant(message, place))
        elif role == "tool":
            self.has_tools = True
            self._add("user", [_tool_result(message, place)])
        else:
            roles = ("system", "developer", "user", "assistant", "tool")
            raise wrong_choice(f"{place}.role", role, roles)

    def _add(self, role: str, blocks: list[dict[str, Any]]) -> None:
        # Results of several tools are messages of their own here, and one turn for Converse.
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"].extend(blocks)
        else:
            self.turns.append({"role": role, "content": blocks})

    def _user(self, content: object, place: str) -> list[dict[str, Any]]:
        if isinstance(content, str):
            return [{"text": content}]
        parts = as_filled_list(content, place)
        return [
            self._part(as_object(part, f"{place}[{index}]"), f"{place}[{index}]")
            for index, part in enumerate(parts)
        ]

    def _part(self, part: Mapping[str, Any], place: str) -> dict[str, Any]:
        kind = part.get("type")
        if kind == "text":
            return {"text": as_text(part.get("text"), f"{place}.text")}
        if kind == "image_url":
            image = as_object(part.get("image_url"), f"{place}.image_url")
            return _image(image.get("url"), f"{place}.image_url.url")
        if kind == "file":
            self._documents += 1
            return _document(
                as_object(part.get("file"), f"{place}.file"), f"{place}.file", self._documents
            )
        raise wrong_choice(f"{place}.type", kind, ("text", "image_url", "file"))

    def _assistant(self, message: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
        content = message.get("content")
        said = [] if content in (None, "", []) else _texts(content, f"{place}.content")
        # Models say blank text before they call a tool; Bedrock does not take it back.
        blocks = [block for block in said if block["text"].strip()]
        calls = as_list(message.get("tool_calls") or [], f"{place}.tool_calls")
        for index, call in enumerate(calls):
            self.has_tools = True
            blocks.append(_tool_use(call, f"{place}.tool_calls[{index}]"))
        if not blocks:
            raise InvalidRequestError(f"{place} is empty; allowed is content or tool_calls")
        return blocks


def _texts(content: object, place: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"text": content}]
    blocks = []
    for index, part in enumerate(as_filled_list(content, place)):
        here = f"{place}[{index}]"
        fields = as_object(part, here)
        kind = fields.get("type")
        if kind not in ("text", "refusal"):
            raise wrong_choice(f"{here}.type", kind, ("text", "refusal"))
        blocks.append({"text": as_text(fields.get(kind), f"{here}.{kind}")})
    return blocks


def _image(url: object, place: str) -> dict[str, Any]:
    media_type, data = data_url(url, place)
    if media_type not in IMAGE_FORMATS:
        raise wrong_choice(f"{place}'s media type", media_type, IMAGE_FORMATS)
    return {"image": {"format": IMAGE_FORMATS[media_type], "source": {"bytes": data}}}


def _document(file: Mapping[str, Any], place: str, number: int) -> dict[str, Any]:
    if "file_id" in file:
        raise InvalidRequestError(
            f"{place}.file_id is not supported, the gateway keeps no files; send file_data"
        )
    media_type, data = data_url(file.get("file_data"), f"{place}.file_data")
    if media_type not in _DOCUMENT_FORMATS:
        raise wrong_choice(f"{place}.file_data's media type", media_type, _DOCUMENT_FORMATS)
    # Bedrock advises neutral names: a model may take a file's name for an instruction.
    return {
        "document": {
            "format": _DOCUMENT_FORMATS[media_type],
            "name": f"document {number}",
            "source": {"bytes": data},
        }
    }


def _tool_use(call: object, place: str) -> dict[str, Any]:
    fields = as_object(call, place)
    if fields.get("type", "function") != "function":
        raise wrong_choice(f"{place}.type", fields["type"], ("function",))
    function = as_object(fields.get("function"), f"{place}.function")
    text = as_text(function.get("arguments", ""), f"{place}.function.arguments")
    arguments = parse_json(text, f"{place}.function.arguments") if text.strip() else {}
    return {
        "toolUse": {
            "toolUseId": as_text(fields.get("id"), f"{place}.id"),
            "name": as_text(function.get("name"), f"{place}.function.name"),
            "input": as_object(arguments, f"{place}.function.arguments"),
        }
    }


def _tool_result(message: Mapping[str, Any], place: str) -> dict[str, Any]:
    content = message.get("content")
    return {
        "toolResult": {
            "toolUseId": as_text(message.get("tool_call_id"), f"{place}.tool_call_id"),
            # A tool that has nothing to say still has answered.
            "content": [] if content in ("", []) else _texts(content, f"{place}.content"),
        }
    }


# --- Tools, formats, reasoning ----------------------------------------------------------------


def _tools(
    given: Mapping[str, Any], notes: list[str], *, has_history: bool
) -> dict[str, Any] | None:
    tools = as_list(given.get("tools", []), "tools")
    choice = given.get("tool_choice")
    if given.get("parallel_tool_calls") is False:
        notes.append("parallel_tool_calls is ignored: a model may call several tools at once")
    if not tools:
        if choice not in (None, "none", "auto"):
            raise InvalidRequestError("tool_choice asks for a tool, but tools is empty")
        return None
    if choice == "none":
        if not has_history:
            return None
        # Converse wants the tools of a conversation that used some, and cannot forbid them.
        notes.append("tool_choice none is ignored: the conversation has used tools")
        choice = None
    config: dict[str, Any] = {
        "tools": [_tool_spec(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    }
    if choice is not None:
        config["toolChoice"] = _tool_choice(choice)
    return config


def _tool_spec(tool: object, place: str) -> dict[str, Any]:
    fields = as_object(tool, place)
    if fields.get("type") != "function":
        raise wrong_choice(f"{place}.type", fields.get("type"), ("function",))
    function = as_object(fields.get("function"), f"{place}.function")
    schema = function.get("parameters")
    spec: dict[str, Any] = {
        "name": as_text(function.get("name"), f"{place}.function.name"),
        "inputSchema": {
            "json": {"type": "object", "properties": {}}
            if schema is None
            else as_object(schema, f"{place}.function.parameters")
        },
    }
    if function.get("description"):
        spec["description"] = as_text(function["description"], f"{place}.function.description")
    if function.get("strict"):
        spec["strict"] = as_flag(function["strict"], f"{place}.function.strict")
    return {"toolSpec": spec}


def _tool_choice(choice: object) -> dict[str, Any]:
    if choice == "auto":
        return {"auto": {}}
    if choice == "required":
        return {"any": {}}
    if not isinstance(choice, dict):
        raise wrong_choice("tool_choice", choice, ("none", "auto", "required", "a function"))
    if choice.get("type") != "function":
        raise wrong_choice("tool_choice.type", choice.get("type"), ("function",))
    function = as_object(choice.get("function"), "tool_choice.function")
    return {"tool": {"name": as_text(function.get("name"), "tool_choice.function.name")}}


def _text_format(response_format: object) -> dict[str, Any] | None:
    if response_format is None:
        return None
    fields = as_object(response_format, "response_format")
    kind = fields.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        raise InvalidRequestError(
            "response_format.type is 'json_object', which Bedrock has no counterpart for; "
            "send json_schema with a schema"
        )
    if kind != "json_schema":
        raise wrong_choice("response_format.type", kind, ("text", "json_schema"))
    schema = as_object(fields.get("json_schema"), "response_format.json_schema")
    described = as_object(schema.get("schema"), "response_format.json_schema.schema")
    structure = {
        "name": as_text(schema.get("name"), "response_format.json_schema.name"),
        "schema": json.dumps(described),
    }
    if schema.get("description"):
        structure["description"] = as_text(
            schema["description"], "response_format.json_schema.description"
        )
    return {"type": "json_schema", "structure": {"jsonSchema": structure}}


def _reasoning(
    model: str, effort: object, max_tokens: int | None, notes: list[str], *, has_history: bool
) -> tuple[dict[str, Any], int | None]:
    """The family's own field for how much to think, and the maximum of tokens with it.

    Raises InvalidRequestError where the family has none.
    """
    if effort not in _EFFORTS:
        raise wrong_choice("reasoning_effort", effort, ("none", *_EFFORTS))
    family = family_of(model)
    if family.startswith("openai."):
        return {"reasoning_effort": effort}, max_tokens
    if family.startswith("amazon.nova-2"):
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}, max_tokens
    version = _claude_version(family)
    if version >= _FIRST_ADAPTIVE:
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}, max_tokens
    if version < _FIRST_THINKING:
        raise InvalidRequestError(
            "reasoning_effort is not supported by this model; allowed are models of openai and "
            "amazon.nova-2, and anthropic's from Claude 3.7 on, or leave it out"
        )
    if has_history:
        # It wants its thoughts back, signed, and chat completions have no place for them.
        notes.append("reasoning_effort is ignored: the conversation has used tools")
        return {}, max_tokens
    return _budgeted(_THINKING_TOKENS[str(effort)], max_tokens)


def _budgeted(budget: int, max_tokens: int | None) -> tuple[dict[str, Any], int]:
    """A budget of thinking that leaves room for an answer."""
    if max_tokens is None:
        max_tokens = budget + _ANSWER_TOKENS
    least = _THINKING_TOKENS["low"]
    if max_tokens < least + _LEAST_ANSWER_TOKENS:
        raise InvalidRequestError(
            f"reasoning_effort with max_completion_tokens {max_tokens} leaves no room to think; "
            f"allowed is {least + _LEAST_ANSWER_TOKENS} or more with this model"
        )
    budget = min(budget, max_tokens - _LEAST_ANSWER_TOKENS)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}, max_tokens


def _claude_version(family: str) -> tuple[int, int]:
    """Major and minor version of a Claude model; (0, 0) for every other."""
    match = _CLAUDE_VERSION.match(family)
    if match is not None:
        return int(match[1]), int(match[2] or 0)
    return _FIRST_ADAPTIVE if family.startswith("anthropic.claude-mythos") else (0, 0)


# --- Embeddings -------------------------------------------------------------------------------

_MAX_TEXTS = 2048
# What one call of a Cohere model takes.
_COHERE_TEXTS = 96
_ENCODINGS = ("float", "base64")
_INPUT_TYPES = ("search_document", "search_query", "classification", "clustering")
_EMBEDDINGS_READ = ("dimensions", "encoding_format", "input", "input_type", "model")
_EMBEDDINGS_IGNORED = ("user",)


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """A parsed request: the calls that together embed its texts in order, and what was ignored."""

    model: str
    calls: tuple[NativeCall, ...]
    is_base64: bool
    notes: tuple[str, ...]


def parse_embeddings(body: Mapping[str, Any]) -> EmbeddingsRequest:
    """An Embeddings request. Raises InvalidRequestError naming what is wrong.

    `input_type`, which OpenAI does not have, says to a Cohere model what the vectors are for.
    """
    given = {name: value for name, value in body.items() if value is not None}
    check_keys(given, (*_EMBEDDINGS_READ, *_EMBEDDINGS_IGNORED), "the body")
    model = as_text(given.get("model"), "model")
    texts = _embedded_texts(given.get("input"))
    encoding = given.get("encoding_format", "float")
    if encoding not in _ENCODINGS:
        raise wrong_choice("encoding_format", encoding, _ENCODINGS)
    return EmbeddingsRequest(
        model=model,
        calls=tuple(
            NativeCall(model=model, body=native, dialect=EMBEDDINGS, kind="embeddings")
            for native in _embedding_bodies(model, texts, given)
        ),
        is_base64=encoding == "base64",
        notes=tuple(f"{name} is ignored" for name in _EMBEDDINGS_IGNORED if name in given),
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
    family = family_of(model)
    size = as_count(given["dimensions"], "dimensions") if "dimensions" in given else None
    if family.startswith("cohere.embed"):
        return _cohere_bodies(family, texts, size, given.get("input_type", _INPUT_TYPES[0]))
    if not family.startswith("amazon.titan-embed"):
        raise InvalidRequestError(
            "this model is not called through /v1/embeddings; allowed are amazon.titan-embed and "
            "cohere.embed models",
            code="wrong_operation",
        )
    if "input_type" in given:
        raise InvalidRequestError("input_type is not supported by this model; leave it out")
    settings: dict[str, Any] = {}
    if size is not None:
        if "-v2" not in family:
            raise _fixed_size()
        settings["dimensions"] = size
    # One text is all that a call of this family takes.
    return [{"inputText": text, **settings} for text in texts]


def _cohere_bodies(
    family: str, texts: Sequence[str], size: int | None, input_type: object
) -> list[dict[str, Any]]:
    if input_type not in _INPUT_TYPES:
        raise wrong_choice("input_type", input_type, _INPUT_TYPES)
    settings: dict[str, Any] = {"input_type": input_type}
    if size is not None:
        if not family.startswith("cohere.embed-v4"):
            raise _fixed_size()
        settings |= {"embedding_types": ["float"], "output_dimension": size}
    return [
        {"texts": list(texts[start : start + _COHERE_TEXTS]), **settings}
        for start in range(0, len(texts), _COHERE_TEXTS)
    ]


def _fixed_size() -> InvalidRequestError:
    return InvalidRequestError("dimensions is not supported by this model; leave it out")


def embedding_vectors(document: Mapping[str, Any]) -> list[list[float]]:
    """The vectors of a native answer, in the order of its texts."""
    if "embedding" in document:
        return [document["embedding"]]
    vectors = document["embeddings"]
    found: list[list[float]] = vectors["float"] if isinstance(vectors, dict) else vectors
    return found


def embeddings_body(
    vectors: Sequence[Sequence[float]], *, model: str, input_tokens: int, is_base64: bool
) -> dict[str, Any]:
    """Vectors as a list of embeddings."""
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector) if is_base64 else vector,
        }
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": input_tokens, "total_tokens": input_tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _packed(vector: Sequence[float]) -> str:
    # OpenAI's form: 32-bit floats, little-endian.
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


# --- Errors -----------------------------------------------------------------------------------


def error_body(error: TollgateError, request_id: str) -> dict[str, Any]:
    """An error as OpenAI's clients read it; figures and id stand beside what they know."""
    fallback = "server_error" if error.http_status >= _SERVER_ERROR else "invalid_request_error"
    described: dict[str, Any] = {
        "message": error.message,
        "type": _ERROR_TYPES.get(error.http_status, fallback),
        "code": error.code,
        "param": None,
        "request_id": request_id,
    }
    if error.details:
        described["details"] = error.details
    return {"error": described}


# --- Answers ----------------------------------------------------------------------------------


def chat_body(
    document: Mapping[str, Any],
    *,
    completion_id: str,
    created: int,
    model: str,
    usage: TokenUsage,
) -> dict[str, Any]:
    """A Converse response as a chat completion; `created` is in epoch seconds."""
    message, finish_reason = _message(document)
    body = {
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        ],
        "usage": usage_counts(usage),
    }
    tier = document.get("serviceTier", {}).get("type")
    return {**body, "service_tier": tier} if tier else body


def usage_counts(usage: TokenUsage) -> dict[str, Any]:
    """Token counts under OpenAI's names, where prompt tokens include those from the cache."""
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total_input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
    }


def finish_reason_of(stop_reason: str) -> str:
    """Converse's stop reason in OpenAI's words."""
    return _FINISH_REASONS.get(stop_reason, "stop")


def _message(document: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    blocks: Iterable[Mapping[str, Any]] = document["output"]["message"]["content"]
    blocks = list(blocks)
    texts = [block["text"] for block in blocks if "text" in block]
    reasoning = [
        block["reasoningContent"]["reasoningText"]["text"]
        for block in blocks
        if "reasoningText" in block.get("reasoningContent", {})
    ]
    calls = [_tool_call(block["toolUse"]) for block in blocks if "toolUse" in block]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": None,
    }
    if reasoning:
        message["reasoning_content"] = "".join(reasoning)
    if calls:
        message["tool_calls"] = calls
    return message, finish_reason_of(document["stopReason"])


def _tool_call(tool_use: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": tool_use["toolUseId"],
        "type": "function",
        "function": {
            "name": tool_use["name"],
            "arguments": json.dumps(tool_use["input"], ensure_ascii=False),
        },
    }


class ChatStream:
    """Converse's stream events as server-sent events of Chat Completions."""

    def __init__(
        self, *, completion_id: str, created: int, model: str, includes_usage: bool
    ) -> None:
        """`created` is in epoch seconds."""
        self._base = {
            "id": completion_id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        self._includes_usage = includes_usage
        self._tool_indexes: dict[int, int] = {}
        # Tools that were called without a word of arguments so far.
        self._bare: set[int] = set()

    def event(self, event: Mapping[str, Any]) -> bytes:
        """What the client gets for one event; nothing for those that OpenAI has no word for."""
        if "messageStart" in event:
            return self._delta({"role": "assistant", "content": ""})
        if "contentBlockStart" in event:
            return self._start(event["contentBlockStart"])
        if "contentBlockDelta" in event:
            return self._block(event["contentBlockDelta"])
        if "contentBlockStop" in event:
            return self._stop(event["contentBlockStop"]["contentBlockIndex"])
        return b""

    def end(self, *, stop_reason: str, usage: TokenUsage, receipt: Mapping[str, Any]) -> bytes:
        """The last events of a settled call; the receipt says what it cost."""
        choice = {"index": 0, "delta": {}, "finish_reason": finish_reason_of(stop_reason)}
        events = _sse({**self._base, "choices": [choice], "tollgate": dict(receipt)})
        if self._includes_usage:
            events += _sse({**self._base, "choices": [], "usage": usage_counts(usage)})
        return events + b"data: [DONE]\n\n"

    def error(self, body: Mapping[str, Any]) -> bytes:
        """A failure after the first byte: the status is out, so the client reads it here."""
        return _sse(body) + b"data: [DONE]\n\n"

    def _start(self, start: Mapping[str, Any]) -> bytes:
        tool_use = start["start"].get("toolUse")
        if tool_use is None:
            return b""
        index = len(self._tool_indexes)
        self._tool_indexes[start["contentBlockIndex"]] = index
        self._bare.add(start["contentBlockIndex"])
        function = {"name": tool_use["name"], "arguments": ""}
        call = {
            "index": index,
            "id": tool_use["toolUseId"],
            "type": "function",
            "function": function,
        }
        return self._delta({"tool_calls": [call]})

    def _block(self, block: Mapping[str, Any]) -> bytes:
        delta = block["delta"]
        if "text" in delta:
            return self._delta({"content": delta["text"]})
        if "toolUse" in delta:
            return self._arguments(block["contentBlockIndex"], delta["toolUse"]["input"])
        reasoning = delta.get("reasoningContent", {}).get("text")
        return b"" if reasoning is None else self._delta({"reasoning_content": reasoning})

    def _arguments(self, block_index: int, text: str) -> bytes:
        if text:
            self._bare.discard(block_index)
        call = {"index": self._tool_indexes[block_index], "function": {"arguments": text}}
        return self._delta({"tool_calls": [call]})

    def _stop(self, block_index: int) -> bytes:
        # Clients parse what they were sent, and nothing is not JSON.
        return self._arguments(block_index, "{}") if block_index in self._bare else b""

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        return _sse({**self._base, "choices": [choice]})


def _sse(body: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode(errors="surrogatepass")
