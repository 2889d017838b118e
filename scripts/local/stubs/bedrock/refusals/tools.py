"""Tools: their schemas, which may be called, and that each call has its one result."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Blocks = Sequence[Mapping[str, Any]]


def check(messages: Blocks, config: Mapping[str, Any] | None) -> None:
    """Check the tools of a Converse request, or of a body in the same form."""
    names = _names(config["tools"]) if config else []
    chosen = (config or {}).get("toolChoice", {}).get("tool", {}).get("name")
    if chosen is not None and chosen not in names:
        raise invalid(f"The tool {chosen} of toolConfig.toolChoice is not in toolConfig.tools.")
    kinds = {kind for message in messages for block in message["content"] for kind in block}
    if not config and kinds & {"toolUse", "toolResult"}:
        raise invalid(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        )
    asked: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "system":
            continue
        place = f"messages.{index}.content"
        check_results(asked, _ids(message["content"], "toolResult"), place)
        asked = _ids(message["content"], "toolUse")
    check_results(asked, [], "the next turn")


def check_results(asked: Sequence[str], answered: Sequence[str], place: str) -> None:
    """Check that each of the calls of one turn is answered once in the next."""
    if repeated := _repeated(asked):
        raise invalid(f"Before {place}: `tool_use` ids must be unique: {', '.join(repeated)}")
    if missing := [identifier for identifier in asked if identifier not in answered]:
        raise invalid(
            f"Expected toolResult blocks at {place} for the following Ids: {', '.join(missing)}"
        )
    if extra := [identifier for identifier in answered if identifier not in asked]:
        raise invalid(
            f"The number of toolResult blocks at {place} exceeds the number of toolUse blocks of "
            f"previous turn: unexpected are {', '.join(extra)}"
        )
    if repeated := _repeated(answered):
        raise invalid(
            f"{place}: each toolUse must have a single toolResult. Found several for the following "
            f"Ids: {', '.join(repeated)}"
        )


def check_schema(schema: object, place: str) -> None:
    """Check that the schema of a tool's input is one of an object at the top."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise invalid(f"The value at {place}.type must be one of the following: object.")


def _names(tools: Blocks) -> list[str]:
    names: list[str] = []
    for index, tool in enumerate(tools):
        place = f"toolConfig.tools.{index}"
        if "toolSpec" in tool:
            check_schema(
                tool["toolSpec"]["inputSchema"]["json"], f"{place}.toolSpec.inputSchema.json"
            )
        name = (tool.get("toolSpec") or tool.get("systemTool") or {}).get("name")
        if name in names:
            raise invalid(f"The tool {name} is already defined before {place}.")
        names += [] if name is None else [name]
    if not names:
        raise invalid("toolConfig.tools has no tool. Add a tool and try again.")
    return names


def _ids(blocks: Iterable[Mapping[str, Any]], kind: str) -> list[str]:
    return [block[kind]["toolUseId"] for block in blocks if kind in block]


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]
