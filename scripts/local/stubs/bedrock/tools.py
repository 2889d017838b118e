"""Tool calls that the Bedrock stub's models make, and values that fit a JSON schema."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.language import count_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.local.stubs.calls import Call


def tool_tokens(tool: Mapping[str, Any]) -> int:
    """Return how many tokens a tool call has."""
    return count_tokens(f"{tool['name']} {json.dumps(tool['input'])}")


def tool_uses(call: Call, seed: str) -> list[Mapping[str, Any]]:
    """Return the tool calls that were directed or that the request demands."""
    config = call.request.get("toolConfig") or {}
    specs = {
        tool["toolSpec"]["name"]: tool["toolSpec"]
        for tool in config.get("tools", ())
        if "toolSpec" in tool
    }
    choice = config.get("toolChoice", {})
    directed = call.directions.values.get("tool") or choice.get("tool", {}).get("name")
    names = [] if directed is None else directed.split(",")
    if not names and "any" in choice:
        names = list(specs)[:1]
    return [
        _tool_use(name, specs[name], f"{number}:{seed}")
        for number, name in enumerate(names)
        if name in specs
    ]


def _tool_use(name: str, spec: Mapping[str, Any], seed: str) -> Mapping[str, Any]:
    schema = spec.get("inputSchema", {}).get("json", {})
    identifier = uuid.uuid5(uuid.NAMESPACE_OID, f"{name}:{seed}").hex[:22]
    arguments = example({"type": "object", **schema}, schema)
    return {"toolUseId": f"tooluse_{identifier}", "name": name, "input": arguments}


def example(schema: Mapping[str, Any], root: Mapping[str, Any]) -> object:
    """Return a value that fits a JSON schema; references lead into the definitions of `root`."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return example({**root.get("$defs", {}), **root.get("definitions", {})}[name], root)
    if options := schema.get("anyOf"):
        return example(options[0], root)
    if choices := schema.get("enum"):
        first: object = choices[0]
        return first
    if schema.get("type") == "object":
        properties: Mapping[str, Any] = schema.get("properties", {})
        return {
            name: example(properties.get(name, {}), root)
            for name in schema.get("required", properties)
        }
    examples: dict[str, object] = {"integer": 1, "number": 1.5, "boolean": True, "array": []}
    return examples.get(str(schema.get("type")), "example")
