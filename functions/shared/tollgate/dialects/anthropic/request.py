"""The Anthropic dialect: Messages in terms of Converse, for Claude and every other chat model."""

from __future__ import annotations

import base64
import json
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
    base64_bytes,
    check_keys,
    wrong_choice,
)
from tollgate.domain.errors import InvalidRequestError
from tollgate.services.shapes import ChatCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.domain.errors import TollgateError
    from tollgate.domain.prices import TokenUsage

MESSAGES = "anthropic.chat"
KEEP_ALIVE = b'event: ping\ndata: {"type": "ping"}\n\n'

_ERROR_TYPES = {
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_SERVER_ERROR = 500
_LIFETIMES = ("5m", "1h")
_READ = (
    "cache_control",
    "max_tokens",
    "messages",
    "model",
    "output_config",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
)
_IGNORED = ("diagnostics", "metadata", "service_tier")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_STOP_REASONS = {
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
    # Words that Anthropic has none for: the turn is over, and nothing is to be called.
    "malformed_model_output": "end_turn",
    "malformed_tool_use": "end_turn",
}
# Fields of a tool that say how it is told of, not what it may do.
_TOOL_HINTS = ("eager_input_streaming", "input_examples")
_TOOL_READ = ("cache_control", "description", "input_schema", "name", "strict", "type")
# Fields of a tool with one value that means what Converse does anyway.
_TOOL_NEUTRAL: Mapping[str, object] = {"allowed_callers": ["direct"], "defer_loading": False}
_STOP_SEQUENCE_PATH = "/stop_sequence"


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A parsed request: the call, how to answer it, and what was ignored."""

    call: ChatCall
    is_streamed: bool
    notes: tuple[str, ...]


def parse_messages(body: Mapping[str, Any], betas: Sequence[str] = ()) -> MessagesRequest:
    """A Messages request; `betas` are those of the anthropic-beta header.

    Raises InvalidRequestError naming what is wrong.
    """
    given = {name: value for name, value in body.items() if value is not None}
    notes = [f"{name} is ignored" for name in _IGNORED if name in given]
    return MessagesRequest(
        call=ChatCall(
            model=as_text(given.get("model"), "model"),
            body=_converse(given, betas, notes),
            max_tokens=as_count(given.get("max_tokens"), "max_tokens"),
            dialect=MESSAGES,
        ),
        is_streamed=as_flag(given.get("stream", False), "stream"),
        notes=tuple(notes),
    )


def parse_count(body: Mapping[str, Any], betas: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
    """Model and Converse body of a request to count tokens."""
    given = {name: value for name, value in body.items() if value is not None}
    return as_text(given.get("model"), "model"), _converse(given, betas, [])


def _converse(given: Mapping[str, Any], betas: Sequence[str], notes: list[str]) -> dict[str, Any]:
    check_keys(given, (*_READ, *_IGNORED), "the body")
    if given.get("speed", "standard") != "standard":
        raise wrong_choice("speed", given["speed"], ("standard",))
    messages = _messages(as_filled_list(given.get("messages"), "messages"))
    if "cache_control" in given:
        messages[-1]["content"].append(_cache_point(given["cache_control"], "cache_control"))
    converse: dict[str, Any] = {"messages": messages}
    if given.get("system"):
        converse["system"] = _system(given["system"])
    inference = _inference(given)
    if inference:
        converse["inferenceConfig"] = inference
    has_history = any(
        "toolUse" in block or "toolResult" in block
        for message in messages
        for block in message["content"]
    )
    tools = _tools(given, notes, has_history=has_history)
    if tools is not None:
        converse["toolConfig"] = tools
    output = as_object(given.get("output_config", {}), "output_config")
    text_format = _text_format(output)
    if text_format is not None:
        converse["outputConfig"] = {"textFormat": text_format}
    fields = _additional_fields(given, betas, notes)
    if fields:
        converse["additionalModelRequestFields"] = fields
    if "stopSequences" in inference and family_of(str(given.get("model"))).startswith("anthropic."):
        converse["additionalModelResponseFieldPaths"] = [_STOP_SEQUENCE_PATH]
    return converse


def _inference(given: Mapping[str, Any]) -> dict[str, Any]:
    inference = sampling(given)
    stops = as_texts(given.get("stop_sequences", []), "stop_sequences")
    if stops:
        inference["stopSequences"] = stops
    return inference


def _additional_fields(
    given: Mapping[str, Any], betas: Sequence[str], notes: list[str]
) -> dict[str, Any]:
    is_claude = family_of(str(given.get("model"))).startswith("anthropic.")
    fields: dict[str, Any] = {}
    if "top_k" in given:
        _only_claude("top_k", is_claude)
        fields["top_k"] = as_count(given["top_k"], "top_k")
    thinking = as_object(given.get("thinking", {}), "thinking")
    if thinking.get("type", "disabled") != "disabled":
        _only_claude("thinking", is_claude)
        fields["thinking"] = _thinking(thinking)
    effort = given.get("output_config", {}).get("effort")
    if effort is not None:
        _only_claude("output_config.effort", is_claude)
        if effort not in _EFFORTS:
            raise wrong_choice("output_config.effort", effort, _EFFORTS)
        fields["output_config"] = {"effort": effort}
    if betas and is_claude:
        fields["anthropic_beta"] = list(betas)
    elif betas:
        notes.append("anthropic-beta is ignored: the model is not Claude")
    return fields


def _only_claude(name: str, is_claude: bool) -> None:
    if not is_claude:
        raise InvalidRequestError(
            f"{name} is not supported by this model; allowed with Claude models, or leave it out"
        )


def _text_format(output: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the text of an answer must look like; None where anything goes."""
    check_keys(output, ("effort", "format"), "output_config")
    if output.get("format") is None:
        return None
    fields = as_object(output["format"], "output_config.format")
    check_keys(fields, ("schema", "type"), "output_config.format")
    if fields.get("type") != "json_schema":
        raise wrong_choice("output_config.format.type", fields.get("type"), ("json_schema",))
    schema = as_object(fields.get("schema"), "output_config.format.schema")
    structure = {"name": "answer", "schema": json.dumps(schema)}
    return {"type": "json_schema", "structure": {"jsonSchema": structure}}


def _thinking(thinking: Mapping[str, Any]) -> dict[str, Any]:
    check_keys(thinking, ("budget_tokens", "display", "type"), "thinking")
    kind = thinking["type"]
    fields: dict[str, Any] = {"type": kind}
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        fields["budget_tokens"] = as_count(budget, "thinking.budget_tokens")
    elif kind != "adaptive":
        raise wrong_choice("thinking.type", kind, ("enabled", "adaptive", "disabled"))
    display = thinking.get("display")
    if display is not None:
        if display not in ("summarized", "omitted"):
            raise wrong_choice("thinking.display", display, ("summarized", "omitted"))
        fields["display"] = display
    return fields


# --- Messages ---------------------------------------------------------------------------------


def _system(system: object) -> list[dict[str, Any]]:
    if isinstance(system, str):
        return [{"text": system}]
    blocks: list[dict[str, Any]] = []
    for index, block in enumerate(as_list(system, "system")):
        place = f"system[{index}]"
        fields = as_object(block, place)
        if fields.get("type") != "text":
            raise wrong_choice(f"{place}.type", fields.get("type"), ("text",))
        blocks.append({"text": as_text(fields.get("text"), f"{place}.text")})
        blocks.extend(_mark(fields, place))
    return blocks


def _messages(messages: Sequence[object]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    documents = _Documents()
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        fields = as_object(message, place)
        role = fields.get("role")
        if role not in ("user", "assistant"):
            raise wrong_choice(f"{place}.role", role, ("user", "assistant"))
        blocks = _content(fields.get("content"), f"{place}.content", documents)
        # Messages takes two turns of one role in a row for one; Converse does not.
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        else:
            turns.append({"role": role, "content": blocks})
    return turns


class _Documents:
    """Names for the documents of a request; Converse wants each to have its own."""

    def __init__(self) -> None:
        self._count = 0

    def next_name(self) -> str:
        self._count += 1
        return f"document {self._count}"


def _content(content: object, place: str, documents: _Documents) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"text": content}]
    blocks: list[dict[str, Any]] = []
    for index, block in enumerate(as_filled_list(content, place)):
        here = f"{place}[{index}]"
        fields = as_object(block, here)
        blocks.append(_block(fields, here, documents))
        blocks.extend(_mark(fields, here))
    return blocks


def _block(block: Mapping[str, Any], place: str, documents: _Documents) -> dict[str, Any]:
    kind = block.get("type")
    if kind == "text":
        return {"text": as_text(block.get("text"), f"{place}.text")}
    if kind == "image":
        return _image(as_object(block.get("source"), f"{place}.source"), f"{place}.source")
    if kind == "document":
        return _document(block, place, documents)
    if kind == "tool_use":
        return {
            "toolUse": {
                "toolUseId": as_text(block.get("id"), f"{place}.id"),
                "name": as_text(block.get("name"), f"{place}.name"),
                "input": as_object(block.get("input"), f"{place}.input"),
            }
        }
    if kind == "tool_result":
        return _tool_result(block, place, documents)
    if kind in ("thinking", "redacted_thinking"):
        return _reasoning(block, place)
    kinds = ("text", "image", "document", "tool_use", "tool_result", "thinking")
    raise wrong_choice(f"{place}.type", kind, (*kinds, "redacted_thinking"))


def _image(source: Mapping[str, Any], place: str) -> dict[str, Any]:
    _check_inline(source, place, ("base64",))
    media_type = source.get("media_type")
    if media_type not in IMAGE_FORMATS:
        raise wrong_choice(f"{place}.media_type", media_type, IMAGE_FORMATS)
    data = base64_bytes(source.get("data"), f"{place}.data")
    return {"image": {"format": IMAGE_FORMATS[media_type], "source": {"bytes": data}}}


def _document(block: Mapping[str, Any], place: str, documents: _Documents) -> dict[str, Any]:
    source = as_object(block.get("source"), f"{place}.source")
    _check_inline(source, f"{place}.source", ("base64", "text"))
    if source["type"] == "text":
        data = as_text(source.get("data"), f"{place}.source.data").encode(errors="surrogatepass")
        kind = "txt"
    else:
        if source.get("media_type") != "application/pdf":
            given = source.get("media_type")
            raise wrong_choice(f"{place}.source.media_type", given, ("application/pdf",))
        data = base64_bytes(source.get("data"), f"{place}.source.data")
        kind = "pdf"
    # Bedrock advises neutral names: a model may take a title for an instruction.
    document: dict[str, Any] = {
        "format": kind,
        "name": documents.next_name(),
        "source": {"bytes": data},
    }
    if block.get("context"):
        document["context"] = as_text(block["context"], f"{place}.context")
    citations = as_object(block.get("citations") or {}, f"{place}.citations")
    if citations.get("enabled"):
        document["citations"] = {"enabled": True}
    return {"document": document}


def _check_inline(source: Mapping[str, Any], place: str, kinds: Sequence[str]) -> None:
    kind = source.get("type")
    if kind in ("url", "file"):
        raise InvalidRequestError(
            f"{place}.type is {kind!r}; allowed is {', '.join(kinds)}, "
            "the gateway fetches and keeps no files"
        )
    if kind not in kinds:
        raise wrong_choice(f"{place}.type", kind, kinds)


def _tool_result(block: Mapping[str, Any], place: str, documents: _Documents) -> dict[str, Any]:
    content = block.get("content")
    result: dict[str, Any] = {
        "toolUseId": as_text(block.get("tool_use_id"), f"{place}.tool_use_id"),
        # A tool that has nothing to say still has answered.
        "content": []
        if content in (None, [], "")
        else _content(content, f"{place}.content", documents),
    }
    if block.get("is_error") is not None:
        is_error = as_flag(block["is_error"], f"{place}.is_error")
        result["status"] = "error" if is_error else "success"
    return {"toolResult": result}


def _reasoning(block: Mapping[str, Any], place: str) -> dict[str, Any]:
    if block["type"] == "redacted_thinking":
        data = base64_bytes(block.get("data"), f"{place}.data")
        return {"reasoningContent": {"redactedContent": data}}
    text = {"text": as_text(block.get("thinking"), f"{place}.thinking")}
    if block.get("signature"):
        text["signature"] = as_text(block["signature"], f"{place}.signature")
    return {"reasoningContent": {"reasoningText": text}}


def _mark(block: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    """The cache point after a block that carries cache_control."""
    mark = block.get("cache_control")
    return [] if mark is None else [_cache_point(mark, f"{place}.cache_control")]


def _cache_point(mark: object, place: str) -> dict[str, Any]:
    fields = as_object(mark, place)
    check_keys(fields, ("ttl", "type"), place)
    if fields.get("type") != "ephemeral":
        raise wrong_choice(f"{place}.type", fields.get("type"), ("ephemeral",))
    lifetime = fields.get("ttl")
    if lifetime is None:
        return {"cachePoint": {"type": "default"}}
    if lifetime not in _LIFETIMES:
        raise wrong_choice(f"{place}.ttl", lifetime, _LIFETIMES)
    return {"cachePoint": {"type": "default", "ttl": lifetime}}


# --- Tools ------------------------------------------------------------------------------------


def _tools(
    given: Mapping[str, Any], notes: list[str], *, has_history: bool
) -> dict[str, Any] | None:
    tools = as_list(given.get("tools", []), "tools")
    choice = as_object(given.get("tool_choice", {"type": "auto"}), "tool_choice")
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise wrong_choice("tool_choice.type", kind, ("auto", "any", "tool", "none"))
    if not tools:
        if kind in ("any", "tool"):
            raise InvalidRequestError("tool_choice asks for a tool, but tools is empty")
        return None
    if choice.get("disable_parallel_tool_use"):
        notes.append("disable_parallel_tool_use is ignored: a model may call several tools at once")
    if kind == "none":
        if not has_history:
            return None
        # Converse wants the tools of a conversation that used some, and cannot forbid them.
        notes.append("tool_choice none is ignored: the conversation has used tools")
    config: dict[str, Any] = {"tools": []}
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        fields = as_object(tool, place)
        config["tools"].append(_tool_spec(fields, place, notes))
        config["tools"].extend(_mark(fields, place))
    if kind == "tool":
        config["toolChoice"] = {"tool": {"name": as_text(choice.get("name"), "tool_choice.name")}}
    elif "tool_choice" in given and kind != "none":
        config["toolChoice"] = {kind: {}}
    return config


def _tool_spec(tool: Mapping[str, Any], place: str, notes: list[str]) -> dict[str, Any]:
    if tool.get("type", "custom") not in ("custom", None):
        raise InvalidRequestError(
            f"{place}.type is not 'custom': a tool that the provider runs is billed beyond what "
            "can be held; allowed are tools with an input_schema"
        )
    check_keys(tool, (*_TOOL_READ, *_TOOL_HINTS, *_TOOL_NEUTRAL), place)
    notes.extend(f"{place}.{name} is ignored" for name in _TOOL_HINTS if tool.get(name))
    for name, neutral in _TOOL_NEUTRAL.items():
        if tool.get(name) not in (None, neutral):
            raise InvalidRequestError(
                f"{place}.{name} is not supported by Bedrock; allowed is {json.dumps(neutral)}, "
                "or leave it out"
            )
    spec: dict[str, Any] = {
        "name": as_text(tool.get("name"), f"{place}.name"),
        "inputSchema": {"json": as_object(tool.get("input_schema"), f"{place}.input_schema")},
    }
    if tool.get("description"):
        spec["description"] = as_text(tool["description"], f"{place}.description")
    if tool.get("strict"):
        spec["strict"] = as_flag(tool["strict"], f"{place}.strict")
    return {"toolSpec": spec}


# --- Errors -----------------------------------------------------------------------------------


def error_body(error: TollgateError, request_id: str) -> dict[str, Any]:
    """An error as Anthropic's clients read it; code and figures stand beside what they know."""
    fallback = "api_error" if error.http_status >= _SERVER_ERROR else "invalid_request_error"
    described: dict[str, Any] = {
        "type": _ERROR_TYPES.get(error.http_status, fallback),
        "message": error.message,
        "code": error.code,
    }
    if error.details:
        described["details"] = error.details
    return {"type": "error", "error": described, "request_id": request_id}


# --- Answers ----------------------------------------------------------------------------------


def message_body(
    document: Mapping[str, Any], *, message_id: str, model: str, usage: TokenUsage
) -> dict[str, Any]:
    """A Converse response as a message."""
    blocks = document["output"]["message"]["content"]
    return {
        **_message(message_id, model),
        "content": [block for block in map(_answer_block, blocks) if block is not None],
        "stop_reason": stop_reason_of(document["stopReason"]),
        "stop_sequence": stop_sequence_of(document),
        "usage": usage_counts(usage),
    }


def usage_counts(usage: TokenUsage) -> dict[str, Any]:
    """Token counts under Anthropic's names, where input tokens exclude those of the cache."""
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
    }


def stop_reason_of(stop_reason: str) -> str:
    """Converse's stop reason in Anthropic's words."""
    return _STOP_REASONS.get(stop_reason, stop_reason)


def stop_sequence_of(document: Mapping[str, Any]) -> str | None:
    """The sequence at which the model stopped; only Claude tells."""
    sequence = document.get("additionalModelResponseFields", {}).get("stop_sequence")
    return sequence if isinstance(sequence, str) else None


def _message(message_id: str, model: str) -> dict[str, Any]:
    return {"id": message_id, "type": "message", "role": "assistant", "model": model}


def _answer_block(block: Mapping[str, Any]) -> dict[str, Any] | None:
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "citationsContent" in block:
        texts = [part.get("text", "") for part in block["citationsContent"].get("content", ())]
        return {"type": "text", "text": "".join(texts)}
    if "toolUse" in block:
        use = block["toolUse"]
        return {
            "type": "tool_use",
            "id": use["toolUseId"],
            "name": use["name"],
            "input": use["input"],
        }
    reasoning = block.get("reasoningContent", {})
    if "redactedContent" in reasoning:
        return {"type": "redacted_thinking", "data": _base64(reasoning["redactedContent"])}
    if "reasoningText" in reasoning:
        text = reasoning["reasoningText"]
        return {
            "type": "thinking",
            "thinking": text["text"],
            "signature": text.get("signature", ""),
        }
    return None


class MessageStream:
    """Converse's stream events as server-sent events of Messages."""

    def __init__(self, *, message_id: str, model: str) -> None:
        self._base = _message(message_id, model)
        # Where each block of Converse stands in the message: clients count the blocks that they
        # were shown, and Converse has some that have no form here.
        self._indexes: dict[int, int] = {}
        self._stop_sequence: str | None = None

    def event(self, event: Mapping[str, Any]) -> bytes:
        """What the client gets for one event."""
        if "messageStart" in event:
            return self._start()
        if "contentBlockStart" in event:
            return self._block_start(event["contentBlockStart"])
        if "contentBlockDelta" in event:
            return self._block_delta(event["contentBlockDelta"])
        if "contentBlockStop" in event:
            index = self._indexes.get(event["contentBlockStop"]["contentBlockIndex"])
            return b"" if index is None else _sse("content_block_stop", {"index": index})
        if "messageStop" in event:
            self._stop_sequence = stop_sequence_of(event["messageStop"])
        return b""

    def end(self, *, stop_reason: str, usage: TokenUsage, receipt: Mapping[str, Any]) -> bytes:
        """The last events of a settled call; the receipt says what it cost."""
        delta = {
            "stop_reason": stop_reason_of(stop_reason),
            "stop_sequence": self._stop_sequence,
        }
        return _sse("message_delta", {"delta": delta, "usage": usage_counts(usage)}) + _sse(
            "message_stop", {"tollgate": dict(receipt)}
        )

    def error(self, body: Mapping[str, Any]) -> bytes:
        """A failure after the first byte: the status is out, so the client reads it here."""
        return _sse("error", body)

    def _start(self) -> bytes:
        # What the input counts is known at the end; the last usage is the one clients keep.
        empty = {"input_tokens": 0, "output_tokens": 0}
        message = {
            **self._base,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": empty,
        }
        return _sse("message_start", {"message": message}) + KEEP_ALIVE

    def _block_start(self, start: Mapping[str, Any]) -> bytes:
        use = start["start"].get("toolUse")
        if use is None:
            return b""
        block = {"type": "tool_use", "id": use["toolUseId"], "name": use["name"], "input": {}}
        return self._opened(start["contentBlockIndex"], block)

    def _opened(self, block_index: int, block: Mapping[str, Any]) -> bytes:
        index = self._indexes.setdefault(block_index, len(self._indexes))
        return _sse("content_block_start", {"index": index, "content_block": block})

    def _block_delta(self, block: Mapping[str, Any]) -> bytes:
        number, delta = block["contentBlockIndex"], block["delta"]
        if "redactedContent" in delta.get("reasoningContent", {}):
            data = _base64(delta["reasoningContent"]["redactedContent"])
            return self._opened(number, {"type": "redacted_thinking", "data": data})
        rendered = _delta(delta)
        if rendered is None:
            return b""
        # Converse begins a block of text with its first piece.
        opening = b"" if number in self._indexes else self._opened(number, _empty_block(delta))
        fields = {"index": self._indexes[number], "delta": rendered}
        return opening + _sse("content_block_delta", fields)


def _empty_block(delta: Mapping[str, Any]) -> dict[str, Any]:
    if "reasoningContent" in delta:
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def _delta(delta: Mapping[str, Any]) -> dict[str, Any] | None:
    if "text" in delta:
        return {"type": "text_delta", "text": delta["text"]}
    if "toolUse" in delta:
        return {"type": "input_json_delta", "partial_json": delta["toolUse"]["input"]}
    reasoning = delta.get("reasoningContent", {})
    if "text" in reasoning:
        return {"type": "thinking_delta", "thinking": reasoning["text"]}
    if "signature" in reasoning:
        return {"type": "signature_delta", "signature": reasoning["signature"]}
    return None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _sse(name: str, fields: Mapping[str, Any]) -> bytes:
    # The fields win: an error brings its type along, which is the same word.
    body = json.dumps({"type": name, **fields}, ensure_ascii=False)
    return f"event: {name}\ndata: {body}\n\n".encode(errors="surrogatepass")
