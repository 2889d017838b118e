"""The tools of a chat in Converse's form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tollgate.dialects.anthropic.messages import cache_mark
from tollgate.dialects.chat import object_schema
from tollgate.dialects.fields import as_flag, as_list, as_object, as_text, wrong_choice
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.dialects.notes import Notes

_SHOWN = 64
# Fields of a tool that say how it is told of, not what it may do.
_TOOL_HINTS = ("eager_input_streaming", "input_examples")
_TOOL_READ = ("cache_control", "description", "input_schema", "name", "strict", "type")
# Fields of a tool with one value that means what Converse does anyway.
_TOOL_NEUTRAL: Mapping[str, object] = {"allowed_callers": ["direct"], "defer_loading": False}


def tool_config(
    given: Mapping[str, Any], notes: Notes, *, has_history: bool
) -> dict[str, Any] | None:
    """The tools that may be called; None where there are none, or none may be.

    `has_history` says that the conversation has used tools. What is ignored is added to `notes`.
    """
    tools = as_list(given.get("tools", []), "tools")
    choice = notes.members(
        given.get("tool_choice", {"type": "auto"}),
        "tool_choice",
        ("disable_parallel_tool_use", "name", "type"),
    )
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise wrong_choice("tool_choice.type", kind, ("auto", "any", "tool", "none"))
    if not tools:
        if kind in ("any", "tool"):
            raise InvalidRequestError("tool_choice asks for a tool, but tools is empty")
        return None
    if choice.get("disable_parallel_tool_use"):
        notes.ignored("disable_parallel_tool_use", "a model may call several tools at once")
    if kind == "none":
        if not has_history:
            return None
        # Converse wants the tools of a conversation that used some, and cannot forbid them.
        notes.ignored("tool_choice none", "the conversation has used tools")
    config: dict[str, Any] = {"tools": []}
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        fields = as_object(tool, place)
        config["tools"].append(_tool_spec(fields, place, notes))
        config["tools"].extend(cache_mark(fields, place, notes))
    if kind == "tool":
        config["toolChoice"] = {"tool": {"name": as_text(choice.get("name"), "tool_choice.name")}}
    elif "tool_choice" in given and kind != "none":
        config["toolChoice"] = {kind: {}}
    return config


def _tool_spec(tool: Mapping[str, Any], place: str, notes: Notes) -> dict[str, Any]:
    kind = tool.get("type")
    if kind not in ("custom", None):
        given = repr(kind[:_SHOWN]) if isinstance(kind, str) else "no name"
        raise InvalidRequestError(
            f"{place}.type is {given}; allowed is custom, with an input_schema: what the provider "
            "runs is billed beyond what can be held"
        )
    tool = notes.members(tool, place, (*_TOOL_READ, *_TOOL_NEUTRAL), _TOOL_HINTS)
    for name, neutral in _TOOL_NEUTRAL.items():
        if tool.get(name) not in (None, neutral):
            raise InvalidRequestError(
                f"{place}.{name} is not supported by Bedrock; allowed is {json.dumps(neutral)}, "
                "or leave it out"
            )
    spec: dict[str, Any] = {
        "name": as_text(tool.get("name"), f"{place}.name"),
        "inputSchema": {
            "json": object_schema(
                as_object(tool.get("input_schema"), f"{place}.input_schema"),
                f"{place}.input_schema",
            )
        },
    }
    if tool.get("description"):
        spec["description"] = as_text(tool["description"], f"{place}.description")
    if tool.get("strict"):
        spec["strict"] = as_flag(tool["strict"], f"{place}.strict")
    return {"toolSpec": spec}
