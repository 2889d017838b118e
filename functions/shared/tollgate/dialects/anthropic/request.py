"""Requests of Anthropic's API: Messages, and the count of their tokens, in terms of Converse."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tollgate.dialects.anthropic.messages import cache_point, conversation_of
from tollgate.dialects.anthropic.tools import tool_config
from tollgate.dialects.chat import base_model_of, sampling
from tollgate.dialects.end_user import end_user
from tollgate.dialects.exchange import ParsedCall
from tollgate.dialects.fields import (
    as_count,
    as_filled_list,
    as_flag,
    as_list,
    as_object,
    as_text,
    as_texts,
    wrong_choice,
)
from tollgate.dialects.fitting import fit_caching, fit_sampling
from tollgate.dialects.notes import Notes
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import registry
from tollgate.domain.families.claude import BETAS, CLAUDE, STREAMING_BETA
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
    "context_management",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
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
_IGNORED = ("diagnostics", "service_tier")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_STOP_SEQUENCE_PATH = "/stop_sequence"
# The form of a beta's name.
_BETA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def parse_chat(request: Request) -> ParsedCall:
    """A Messages request. Raises InvalidRequestError naming what is wrong."""
    notes = Notes()
    given = notes.body(request, _READ, _IGNORED)
    return ParsedCall(
        call=ChatCall(
            model=as_text(given.get("model"), "model"),
            body=_converse(given, _betas(request), notes),
            max_tokens=as_count(given.get("max_tokens"), "max_tokens"),
            dialect=CHAT,
            end_user=_end_user(request, given.get("metadata", {}), notes),
        ),
        is_streamed=as_flag(given.get("stream", False), "stream"),
        notes=tuple(notes),
    )


def parse_count(request: Request) -> ChatCall:
    """A request to count tokens: the call that is counted and not made."""
    notes = Notes()
    given = notes.body(request, _READ, _IGNORED)
    model = as_text(given.get("model"), "model")
    return ChatCall(model, _converse(given, _betas(request), notes), None, CHAT)


def _end_user(request: Request, metadata: object, notes: Notes) -> str | None:
    named = as_object(metadata, "metadata")
    if named.keys() - {"user_id"}:
        notes.ignored("metadata", "only its user_id is read")
    return end_user(request, named.get("user_id"), "metadata.user_id")


def _betas(request: Request) -> list[str]:
    given = request.headers.get(_BETAS, "")
    betas = [beta.strip() for beta in given.split(",") if beta.strip()]
    for beta in betas:
        if _BETA.fullmatch(beta) is None:
            raise InvalidRequestError(
                f"the header {_BETAS} has {beta[:64]!r}; allowed are names of letters, digits, "
                "points, _ and -, with commas between them"
            )
    return betas


def _converse(given: Mapping[str, Any], betas: Sequence[str], notes: Notes) -> dict[str, Any]:
    if given.get("speed", "standard") != "standard":
        raise wrong_choice("speed", given["speed"], ("standard",))
    messages = as_filled_list(given.get("messages"), "messages")
    conversation = conversation_of(messages, given.get("system"), notes)
    if "cache_control" in given:
        conversation.mark(cache_point(given["cache_control"], "cache_control", notes))
    converse: dict[str, Any] = {"messages": conversation.turns}
    if conversation.system:
        converse["system"] = conversation.system
    inference = _inference(given)
    if inference:
        converse["inferenceConfig"] = inference
    tools = tool_config(given, notes, has_history=conversation.has_tools)
    if tools is not None:
        converse["toolConfig"] = tools
    output = notes.members(given.get("output_config", {}), "output_config", ("effort", "format"))
    text_format = _text_format(given, output, notes)
    if text_format is not None:
        converse["outputConfig"] = {"textFormat": text_format}
    _check_context_management(given, notes)
    fields = _additional_fields(given, output.get("effort"), betas, notes)
    if fields:
        converse["additionalModelRequestFields"] = fields
    if "stopSequences" in inference and _is_claude(given):
        converse["additionalModelResponseFieldPaths"] = [_STOP_SEQUENCE_PATH]
    model = str(given.get("model"))
    fit_sampling(converse, model, notes)
    fit_caching(converse, model, notes)
    return converse


def _inference(given: Mapping[str, Any]) -> dict[str, Any]:
    inference = sampling(given)
    stops = as_texts(given.get("stop_sequences", []), "stop_sequences")
    if stops:
        inference["stopSequences"] = stops
    return inference


def _check_context_management(given: Mapping[str, Any], notes: Notes) -> None:
    """Refuse what the provider would summarize for a price; what it would leave out stays in."""
    if "context_management" not in given:
        return
    place = "context_management"
    edits = notes.members(given[place], place, ("edits",)).get("edits", [])
    for index, edit in enumerate(as_list(edits, f"{place}.edits")):
        here = f"{place}.edits[{index}]"
        kind = as_text(as_object(edit, here).get("type"), f"{here}.type")
        if not kind.startswith("clear_"):
            raise InvalidRequestError(
                f"{here}.type is {kind[:64]!r}; allowed are edits of the type clear_*: what others "
                "read and write is billed beyond what can be held",
                code="unbounded_request",
            )
    notes.ignored(place)


def _additional_fields(
    given: Mapping[str, Any], effort: object, betas: Sequence[str], notes: Notes
) -> dict[str, Any]:
    is_claude = _is_claude(given)
    fields: dict[str, Any] = {}
    if "top_k" in given:
        _only_claude("top_k", is_claude)
        fields["top_k"] = as_count(given["top_k"], "top_k")
    thinking = _thinking(given.get("thinking", {"type": "disabled"}), notes)
    if thinking is not None:
        _only_claude("thinking", is_claude)
        fields["thinking"] = thinking
    if effort is not None:
        _only_claude("output_config.effort", is_claude)
        if effort not in _EFFORTS:
            raise wrong_choice("output_config.effort", effort, _EFFORTS)
        fields["output_config"] = {"effort": effort}
    # Clients send what only hints with every request, and not every model has the beta of it.
    # What another one would let a body say is judged in the body.
    applied = [beta for beta in betas if beta in BETAS and beta != STREAMING_BETA]
    unknown = dict.fromkeys(beta for beta in betas if beta not in applied)
    if applied and is_claude:
        fields["anthropic_beta"] = applied
    if betas and not is_claude:
        notes.ignored(_BETAS, "the model is not Claude")
    elif unknown:
        notes.add(f"{_BETAS} is ignored in {', '.join(unknown)}")
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


def _text_format(
    given: Mapping[str, Any], output: Mapping[str, Any], notes: Notes
) -> dict[str, Any] | None:
    """What the text of an answer must look like; None where anything goes."""
    places = {"output_config.format": output.get("format")}
    # Its name while it was a beta.
    places["output_format"] = given.get("output_format")
    asked = {place: value for place, value in places.items() if value is not None}
    if not asked:
        return None
    place, value = next(iter(asked.items()))
    if len(asked) > 1:
        raise InvalidRequestError(f"output_format sets {place} a second time; send one of them")
    fields = notes.members(value, place, ("schema", "type"), ("name",))
    if fields.get("type") != "json_schema":
        raise wrong_choice(f"{place}.type", fields.get("type"), ("json_schema",))
    schema = as_object(fields.get("schema"), f"{place}.schema")
    structure = {"name": "answer", "schema": json.dumps(schema)}
    return {"type": "json_schema", "structure": {"jsonSchema": structure}}


def _thinking(given: object, notes: Notes) -> dict[str, Any] | None:
    """How Claude is to think; None where it is not."""
    thinking = notes.members(given, "thinking", ("budget_tokens", "display", "type"))
    kind = thinking.get("type")
    if kind == "disabled":
        return None
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
