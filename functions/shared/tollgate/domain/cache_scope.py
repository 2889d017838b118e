"""Keeps the prompt caches of tenants apart that call from one account.

A provider finds a cached prefix by what it says, for all callers of an account. Whoever sends a
guess with a mark and reads in the usage that it came from the cache knows that another has sent it.
So a marked request of such a tenant begins with a text of the tenant's own: its prefixes are
nobody else's, and the same on every call of its own.

The texts of a prompt come after its tools, which a mark among them caches by themselves: there the
first tool that can be described carries the text as well. Tools before it are the provider's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tollgate.domain.families import registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tollgate.domain.tenants import Tenant

# Members of a request that have `tools` of their own.
_WITH_TOOLS = ("toolConfig", "additionalModelRequestFields")
# Enough that no two tenants have the same, and some ten tokens.
_DIGITS = 16


def scope_text(tenant: Tenant, body: Mapping[str, Any]) -> str | None:
    """What a request has to begin with; None where it caches nothing that others could find."""
    if tenant.isolation == "silo" or not _is_marked(body):
        return None
    # It says nothing of the tenant to whoever reads a prompt, and needs no secret: nobody can take
    # a text of their own off the beginning of their prompts.
    digest = hashlib.sha256(f"tollgate cache scope {tenant.tenant_id}".encode()).hexdigest()
    return f"[{digest[:_DIGITS]}]"


def with_scoped_tools(body: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The body, or a part of it, with the text in its tools where a mark stands among them."""
    scoped = dict(body)
    if isinstance(body.get("tools"), list):
        scoped["tools"] = _scoped(body["tools"], text)
    for member in _WITH_TOOLS:
        if isinstance(body.get(member), Mapping):
            scoped[member] = with_scoped_tools(body[member], text)
    return scoped


def _scoped(tools: list[Any], text: str) -> list[Any]:
    if not _is_marked(tools):
        return tools
    for index, tool in enumerate(tools):
        described = _described(tool, text)
        if described is not None:
            return [*tools[:index], described, *tools[index + 1 :]]
    return tools


def _described(tool: object, text: str) -> dict[str, Any] | None:
    """The tool with the text before its description; None for one that has none of the caller's."""
    if not isinstance(tool, Mapping):
        return None
    if isinstance(tool.get("toolSpec"), Mapping):
        spec = tool["toolSpec"]
        return {**tool, "toolSpec": {**spec, "description": _joined(text, spec)}}
    if "input_schema" in tool:
        return {**tool, "description": _joined(text, tool)}
    return None


def _joined(text: str, tool: Mapping[str, Any]) -> str:
    given = tool.get("description")
    return f"{text} {given}" if isinstance(given, str) and given else text


def _is_marked(value: object) -> bool:
    return any(True for _ in marks_in(value, registry.CACHE_MARKS))


def marks_in(value: object, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """What is said beside each mark of these names, which says that what is before it is cached."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name in names:
                yield item if isinstance(item, Mapping) else {}
            else:
                yield from marks_in(item, names)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from marks_in(item, names)
