"""What a body makes its provider do, and bill, beyond one answer of the usual length.

Whatever a provider is known to obey counts wherever it stands and however it is spelled: the
largest of several maxima, several answers, rounds that compact a conversation first, tools that the
provider runs itself, a service tier or a speed of the body's own. Written from the providers' own
documents and not from the gateway's code, which it is to test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families import registry
from scripts.local.stubs.errors import UnknownMemberError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts.local.stubs.bedrock.catalogue import Target
    from scripts.local.stubs.bedrock.families.forms import TextBody

LONG_CONTEXT_TOKENS = 1_000_000
DEFAULT_TOOL_USES = 10
"""How often a provider's tool runs in one answer where the body sets no most."""
DEFAULT_COMPACTION_TOKENS = 150_000

_LONG_CONTEXT_BETA = "context-1m"
_INTERLEAVED_BETA = "interleaved-thinking"
_COMPACTION = "compact_"
_PROVIDER_TOOLS = ("code_execution", "code_interpreter", "file_search", "web_fetch", "web_search")
_MEDIA = frozenset(
    ("audio", "document", "file", "image", "image_url", "images", "input_audio", "input_image")
    + ("video", "video_url")
)
# The members that a model may find media in.
_SEEN = ("chat_history", "documents", "images", "messages", "system")
# What tools are, what they were called with and answered, and what an answer must look like is text
# whatever it is called.
_NO_MEDIA = frozenset(
    ("toolConfig", "tools", "json", "input", "input_schema", "audio_config", "output_config")
    + ("output_format", "response_format")
)
_CACHE_MARKS = ("cachePoint", "cache_control")
_TIERS = {"fast": "priority", "flex": "flex", "priority": "priority", "reserved": "reserved"}


@dataclass(frozen=True)
class Demand:
    """What a body asks for.

    `max_tokens` bounds each of `answers`, None where nothing does. `compactions` are the input
    tokens from which each pass over the conversation begins. `tool_uses` counts what tools of the
    provider's own may be used, by tool. `predicted` is text that is billed as output wherever the
    answer is another. `tier` is the body's own, None where it has none. `cache` is for how long it
    has its input cached. `context` is how much the model reads, None where that is not known.
    """

    max_tokens: int | None = None
    answers: int = 1
    compactions: Sequence[int] = ()
    tool_uses: Mapping[str, int] = field(default_factory=dict)
    predicted: str = ""
    is_spoken: bool = False
    is_fast: bool = False
    tier: str | None = None
    cache: str | None = None
    has_media: bool = False
    context: int | None = None


def of_converse(request: Mapping[str, Any], target: Target) -> Demand:
    """What a Converse request asks for, the provider's own fields included.

    Raises UnknownMemberError for a field that the model does not know.
    """
    known = registry.text_body(target.model.model_id)
    fields = request.get("additionalModelRequestFields") or {}
    if extra := sorted(fields.keys() - known.members - known.dear):
        raise UnknownMemberError(extra[0])
    asked = (request.get("inferenceConfig") or {}).get("maxTokens")
    tools = (request.get("toolConfig") or {}).get("tools") or ()
    return _read(known, fields, target, tools=tools, asked=asked, body=request)


def of_native(body: Mapping[str, Any], target: Target) -> Demand:
    """What a native text body asks for."""
    known = registry.text_body(target.model.model_id)
    return _read(known, body, target, tools=(), asked=None, body=body)


def _read(  # noqa: PLR0913 - Converse and a native body have these at places of their own
    known: TextBody,
    fields: Mapping[str, Any],
    target: Target,
    *,
    tools: Iterable[Any],
    asked: object,
    body: Mapping[str, Any],
) -> Demand:
    context = target.model.max_input_tokens
    if _asks_beta(fields, _LONG_CONTEXT_BETA):
        context = max(context or 0, LONG_CONTEXT_TOKENS)
    maxima = [*_numbers(fields, known.maxima), *([asked] if isinstance(asked, int) else [])]
    most = max(maxima, default=None)
    if _thinks_between_tools(fields, most):
        most = context
    answers = 1
    for count in _numbers(fields, known.answers):
        answers *= max(count, 1)
    own_tools = fields.get("tools")
    return Demand(
        max_tokens=most,
        answers=answers,
        compactions=tuple(_compactions(fields)),
        tool_uses=dict(_tool_uses([*tools, *_list(own_tools)], fields)),
        predicted=_predicted(fields),
        is_spoken="audio" in _list(fields.get("modalities")),
        is_fast=fields.get("speed") == "fast",
        tier=_tier(fields.get("service_tier")),
        cache=_cache(body),
        has_media=any(
            _has_media({name: place.get(name) for name in _SEEN}) for place in (fields, body)
        ),
        context=context,
    )


def _numbers(fields: Mapping[str, Any], paths: Iterable[Sequence[str]]) -> Iterator[int]:
    for path in paths:
        place: Any = fields
        for name in path:
            place = place.get(name) if isinstance(place, Mapping) else None
        if isinstance(place, int) and not isinstance(place, bool):
            yield place


def _asks_beta(fields: Mapping[str, Any], beta: str) -> bool:
    return beta in json.dumps(fields.get("anthropic_beta"))


def _thinks_between_tools(fields: Mapping[str, Any], most: int | None) -> bool:
    """Whether it may think beyond its maximum: what it thinks between tools counts by itself."""
    if not _asks_beta(fields, _INTERLEAVED_BETA):
        return False
    budgets = [
        section.get("budget_tokens")
        for section in (fields.get("thinking"), fields.get("reasoning_config"))
        if isinstance(section, Mapping) and section.get("type") == "enabled"
    ]
    return any(isinstance(budget, int) and budget >= (most or 0) for budget in budgets)


def _compactions(fields: Mapping[str, Any]) -> Iterator[int]:
    management = fields.get("context_management")
    edits = management.get("edits") if isinstance(management, Mapping) else None
    for edit in _list(edits):
        if not isinstance(edit, Mapping) or not str(edit.get("type")).startswith(_COMPACTION):
            continue
        trigger = edit.get("trigger")
        value = trigger.get("value") if isinstance(trigger, Mapping) else None
        yield value if isinstance(value, int) else DEFAULT_COMPACTION_TOKENS


def _tool_uses(tools: Iterable[Any], fields: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for tool in tools:
        if not isinstance(tool, Mapping):
            continue
        if isinstance(tool.get("systemTool"), Mapping):
            yield str(tool["systemTool"].get("name")), DEFAULT_TOOL_USES
        kind = str(tool.get("type"))
        name = next((name for name in _PROVIDER_TOOLS if kind.startswith(name)), None)
        if name is not None:
            most = tool.get("max_uses")
            yield name, most if isinstance(most, int) else DEFAULT_TOOL_USES
    if "web_search_options" in fields:
        yield "web_search", DEFAULT_TOOL_USES
    if fields.get("mcp_servers"):
        yield "mcp", DEFAULT_TOOL_USES


def _predicted(fields: Mapping[str, Any]) -> str:
    prediction = fields.get("prediction")
    content = prediction.get("content") if isinstance(prediction, Mapping) else None
    return content if isinstance(content, str) else json.dumps(content) if content else ""


def _tier(given: object) -> str | None:
    return _TIERS.get(given) if isinstance(given, str) else None


def _cache(value: object) -> str | None:
    """The longest time that a mark asks for; None where nothing is marked."""
    found: set[str] = set()
    for key, item in _members(value, frozenset()):
        if key in _CACHE_MARKS and item is not None:
            ttl = item.get("ttl") if isinstance(item, Mapping) else None
            found.add("1h" if ttl == "1h" else "5m")
    return min(found, default=None)


def _has_media(value: object) -> bool:
    """Whether there is anything but text in it."""
    return any(
        (key in _MEDIA and item is not None)
        or (key == "type" and isinstance(item, str) and item in _MEDIA)
        for key, item in _members(value, _NO_MEDIA)
    )


def _members(value: object, skipped: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Every member of every object, but for what is below the skipped ones."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in skipped:
                yield key, item
                yield from _members(item, skipped)
    elif isinstance(value, list):
        for item in value:
            yield from _members(item, skipped)


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
