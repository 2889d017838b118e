"""Requests of Anthropic's API: Messages, and the count of their tokens, in terms of Converse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tollgate.dialects.anthropic.messages import cache_point, conversation_of
from tollgate.dialects.anthropic.tools import tool_config
from tollgate.dialects.chat import base_model_of, members, sampling
from tollgate.dialects.exchange import ParsedCall
from tollgate.dialects.fields import (
    as_count,
    as_filled_list,
    as_flag,
    as_object,
    as_text,
    as_texts,
    check_keys,
    wrong_choice,
)
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import registry
from tollgate.domain.families.claude import CLAUDE
from tollgate.services.shapes import ChatCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.entry.http import Request

CHAT = "anthropic.chat"
_BETAS = "anthropic-beta"
# The headers that decide about the answer.
HEADERS: Sequence[str] = (_BETAS,)

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
_STOP_SEQUENCE_PATH = "/stop_sequence"


def parse_chat(request: Request) -> ParsedCall:
    """A Messages request. Raises InvalidRequestError naming what is wrong."""
    given = members(request)
    notes = [f"{name} is ignored" for name in _IGNORED if name in given]
    return ParsedCall(
        call=ChatCall(
            model=as_text(given.get("model"), "model"),
            body=_converse(given, _betas(request), notes),
            max_tokens=as_count(given.get("max_tokens"), "max_tokens"),
            dialect=CHAT,
        ),
        is_streamed=as_flag(given.get("stream", False), "stream"),
        notes=tuple(notes),
    )


def parse_count(request: Request) -> ChatCall:
    """A request to count tokens: the call that is counted and not made."""
    given = members(request)
    model = as_text(given.get("model"), "model")
    return ChatCall(model, _converse(given, _betas(request), []), None, CHAT)


def _betas(request: Request) -> list[str]:
    given = request.headers.get(_BETAS, "")
    return [beta.strip() for beta in given.split(",") if beta.strip()]


def _converse(given: Mapping[str, Any], betas: Sequence[str], notes: list[str]) -> dict[str, Any]:
    check_keys(given, (*_READ, *_IGNORED), "the body")
    if given.get("speed", "standard") != "standard":
        raise wrong_choice("speed", given["speed"], ("standard",))
    messages = as_filled_list(given.get("messages"), "messages")
    conversation = conversation_of(messages, given.get("system"))
    if "cache_control" in given:
        mark = cache_point(given["cache_control"], "cache_control")
        conversation.turns[-1]["content"].append(mark)
    converse: dict[str, Any] = {"messages": conversation.turns}
    if conversation.system:
        converse["system"] = conversation.system
    inference = _inference(given)
    if inference:
        converse["inferenceConfig"] = inference
    tools = tool_config(given, notes, has_history=conversation.has_tools)
    if tools is not None:
        converse["toolConfig"] = tools
    output = as_object(given.get("output_config", {}), "output_config")
    text_format = _text_format(output)
    if text_format is not None:
        converse["outputConfig"] = {"textFormat": text_format}
    fields = _additional_fields(given, betas, notes)
    if fields:
        converse["additionalModelRequestFields"] = fields
    if "stopSequences" in inference and _is_claude(given):
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
    is_claude = _is_claude(given)
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


def _is_claude(given: Mapping[str, Any]) -> bool:
    """Whether the model has Claude's own fields; what is no model is not refused for them."""
    base = base_model_of(str(given.get("model")))
    return base is None or registry.family_of(base) is CLAUDE


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
