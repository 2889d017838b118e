"""The tools of a chat in Converse's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.dialects.chat import object_schema
from tollgate.dialects.fields import as_flag, as_list, as_object, as_text, wrong_choice
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.dialects.notes import Notes


def tool_config(
    given: Mapping[str, Any], notes: Notes, *, has_history: bool
) -> dict[str, Any] | None:
    """The tools that may be called; None where there are none, or none may be.

    `has_history` says that the conversation has used tools. What is ignored is added to `notes`.
    """
    tools = as_list(given.get("tools", []), "tools")
    choice = given.get("tool_choice")
    if given.get("parallel_tool_calls") is False:
        notes.ignored("parallel_tool_calls", "a model may call several tools at once")
    if not tools:
        if choice not in (None, "none", "auto"):
            raise InvalidRequestError("tool_choice asks for a tool, but tools is empty")
        return None
    if choice == "none":
        if not has_history:
            return None
        # Converse wants the tools of a conversation that used some, and cannot forbid them.
        notes.ignored("tool_choice none", "the conversation has used tools")
        choice = None
    config: dict[str, Any] = {
        "tools": [_tool_spec(tool, f"tools[{index}]", notes) for index, tool in enumerate(tools)]
    }
    if choice is not None:
        config["toolChoice"] = _tool_choice(choice, notes)
    return config


def _tool_spec(tool: object, place: str, notes: Notes) -> dict[str, Any]:
    kind = as_object(tool, place).get("type")
    if kind != "function":
        raise wrong_choice(f"{place}.type", kind, ("function",))
    fields = notes.members(tool, place, ("function", "type"), ("cache_control",))
    function = notes.members(
        fields.get("function"),
        f"{place}.function",
        ("description", "name", "parameters", "strict"),
        ("cache_control",),
    )
    schema, here = function.get("parameters", {}), f"{place}.function.parameters"
    spec: dict[str, Any] = {
        "name": as_text(function.get("name"), f"{place}.function.name"),
        "inputSchema": {"json": object_schema(as_object(schema, here), here)},
    }
    if function.get("description"):
        spec["description"] = as_text(function["description"], f"{place}.function.description")
    if function.get("strict"):
        spec["strict"] = as_flag(function["strict"], f"{place}.function.strict")
    return {"toolSpec": spec}


def _tool_choice(choice: object, notes: Notes) -> dict[str, Any]:
    if choice == "auto":
        return {"auto": {}}
    if choice == "required":
        return {"any": {}}
    if not isinstance(choice, dict):
        raise wrong_choice("tool_choice", choice, ("none", "auto", "required", "a function"))
    if choice.get("type") != "function":
        raise wrong_choice("tool_choice.type", choice.get("type"), ("function",))
    fields = notes.members(choice, "tool_choice", ("function", "type"))
    function = notes.members(fields.get("function"), "tool_choice.function", ("name",))
    return {"tool": {"name": as_text(function.get("name"), "tool_choice.function.name")}}
