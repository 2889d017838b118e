"""Nothing that a caller writes reaches a model unseen, at whatever depth it stands.

Each specimen is a request with all that its API's dialect reads. Wherever it has an object, a
member that nobody knows is refused by name, and one that is known to hint alone changes nothing.
"""

from __future__ import annotations

import base64
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.exchanges import request
from tollgate.dialects.anthropic import request as anthropic
from tollgate.dialects.bedrock import request as bedrock
from tollgate.dialects.bedrock.members import CONVERSE, check_members
from tollgate.dialects.jobs import request as jobs
from tollgate.dialects.legacy import request as legacy
from tollgate.dialects.openai import request as openai
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.claude import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CLAUDE = "us.anthropic.claude-sonnet-4-6"
PIXEL = base64.b64encode(b"pixel").decode()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
MARK = {"type": "ephemeral", "ttl": "1h"}
Path = tuple[str | int, ...]

OPENAI: dict[str, Any] = {
    "model": CLAUDE,
    "max_completion_tokens": 50,
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "developer", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look."},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                {"type": "file", "file": {"file_data": f"data:text/csv;base64,{PIXEL}"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "No."}],
            "refusal": "Never.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "rain"}]},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "Weather of a city",
                "parameters": SCHEMA,
                "strict": True,
            },
        }
    ],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True},
    },
    "stream": True,
    "stream_options": {"include_usage": True},
    "reasoning_effort": "low",
    "service_tier": "flex",
    "stop": ["END"],
    "temperature": 0.5,
    "top_p": 1,
    "n": 1,
    "parallel_tool_calls": True,
}
ANTHROPIC: dict[str, Any] = {
    "model": CLAUDE,
    "max_tokens": 50,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look.", "cache_control": MARK},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                },
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                    "context": "A form.",
                    "citations": {"enabled": True},
                },
            ],
        },
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "redacted_thinking", "data": PIXEL},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "is_error": False,
                    "content": [{"type": "text", "text": "rain"}],
                }
            ],
        },
    ],
    "tools": [
        {
            "type": "custom",
            "name": "weather",
            "description": "Weather of a city",
            "input_schema": SCHEMA,
            "strict": True,
            "cache_control": MARK,
            "allowed_callers": ["direct"],
            "defer_loading": False,
        }
    ],
    "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": False},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "thinking": {"type": "enabled", "budget_tokens": 20, "display": "omitted"},
    "cache_control": MARK,
    "stop_sequences": ["END"],
    "temperature": 0.5,
    "top_k": 5,
    "top_p": 1,
    "speed": "standard",
    "stream": True,
}
CONVERSE_BODY: dict[str, Any] = {
    "messages": [
        {
            "role": "user",
            "content": [
                {"text": "Look."},
                {"image": {"format": "png", "source": {"bytes": PIXEL}}},
                {"document": {"format": "pdf", "name": "d", "source": {"bytes": PIXEL}}},
                {"cachePoint": {"type": "default"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
                {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Oslo"}}},
            ],
        },
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "rain"}]}}],
        },
    ],
}
TOOL_CONFIG: dict[str, Any] = {
    "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}],
    "toolChoice": {"tool": {"name": "weather"}},
}
CONVERSE_SETTINGS: dict[str, Any] = {
    "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
    "inferenceConfig": {"maxTokens": 50, "temperature": 0.5, "topP": 0.9},
    "toolConfig": TOOL_CONFIG,
}


@dataclass(frozen=True)
class Api:
    """How an API's requests are read, and members that are the caller's own or known to hint.

    `hints` are by the path of their object, where a list's entries are one, and the kind of it.
    """

    specimen: Mapping[str, Any]
    read: Callable[[Mapping[str, Any]], tuple[Mapping[str, Any], tuple[str, ...]]]
    own: tuple[str, ...]
    hints: Mapping[str, tuple[str, ...]]


def _read_openai(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    parsed = openai.parse_chat(request(body))
    return parsed.call.body, tuple(parsed.notes)


def _read_anthropic(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    parsed = anthropic.parse_chat(request(body))
    counted = anthropic.parse_count(request(body))
    assert counted.body == parsed.call.body
    return parsed.call.body, tuple(parsed.notes)


def _read_bedrock(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    return bedrock.parse_chat(request(body, path={"modelId": CLAUDE})).call.body, ()


def _read_jobs(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    return jobs.parse_chat(request(body)).call.body, ()


def _read_legacy(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    target = legacy.Target(CLAUDE, CLAUDE)
    ask = legacy.parse(request(body, headers={"messages_api": "true"}), target, {})
    (call,) = ask.calls
    return call.body, ()


APIS = {
    "openai": Api(
        OPENAI,
        _read_openai,
        ("parameters", "schema"),
        {
            "": ("metadata", "prompt_cache_key", "seed", "store", "verbosity"),
            "messages": ("name",),
            "messages assistant": ("annotations", "reasoning_content", "thinking_blocks"),
            "messages.content": ("cache_control",),
            "messages.content.image_url": ("detail",),
            "messages.content.file": ("filename",),
            "messages.tool_calls": ("index",),
            "tools": ("cache_control",),
            "stream_options": ("include_obfuscation",),
        },
    ),
    "anthropic": Api(
        ANTHROPIC,
        _read_anthropic,
        ("input_schema", "schema", "input"),
        {
            "": ("diagnostics", "service_tier"),
            "system.cache_control": ("scope",),
            "messages.content text": ("citations",),
            "messages.content document": ("title",),
            "messages.content tool_use": ("caller",),
            "tools": ("eager_input_streaming", "input_examples"),
            "output_config.format": ("name",),
        },
    ),
    "bedrock": Api({**CONVERSE_BODY, **CONVERSE_SETTINGS}, _read_bedrock, ("json", "input"), {}),
    "jobs": Api(
        {"model": CLAUDE, **CONVERSE_BODY, **CONVERSE_SETTINGS}, _read_jobs, ("json", "input"), {}
    ),
    "legacy": Api(
        {
            "inputs": CONVERSE_BODY["messages"],
            "parameters": {"maxTokens": 50, "system": "Be brief.", "topP": 0.9},
            "tool_config": TOOL_CONFIG,
        },
        _read_legacy,
        ("json", "input"),
        {},
    ),
}


def objects(value: object, own: tuple[str, ...], path: Path = ()) -> Iterator[Path]:
    """The path of every object, without those of the caller's own documents."""
    if isinstance(value, dict):
        yield path
        for name, item in value.items():
            if name not in own:
                yield from objects(item, own, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from objects(item, own, (*path, index))


def with_member(body: Mapping[str, Any], path: Path, name: str) -> dict[str, Any]:
    """A copy of the body whose object at the path has one more member."""
    changed = copy.deepcopy(dict(body))
    place: Any = changed
    for step in path:
        place = place[step]
    place[name] = "surprise"
    return changed


def named(path: Path) -> str:
    """A path without the places in lists."""
    return ".".join(step for step in path if isinstance(step, str))


def kind_of(body: Mapping[str, Any], path: Path) -> str:
    place: Any = body
    for step in path:
        place = place[step]
    return str(place.get("type") or place.get("role") or "")


PLACES = [
    pytest.param(name, path, id=f"{name} {named(path)}")
    for name, api in APIS.items()
    for path in objects(api.specimen, api.own)
]


@pytest.mark.parametrize(("name", "path"), PLACES)
def test_a_member_that_is_not_known_is_refused_by_name(name: str, path: Path) -> None:
    api = APIS[name]
    with pytest.raises(InvalidRequestError) as refused:
        api.read(with_member(api.specimen, path, "surprise_2030"))
    assert "has the unknown key 'surprise_2030'; allowed are" in refused.value.message
    assert refused.value.code == "unknown_field"
    for step in path[-2:]:
        assert str(step) in refused.value.message


@pytest.mark.parametrize("name", APIS)
def test_a_specimen_reaches_the_model_in_known_members_alone(name: str) -> None:
    api = APIS[name]
    body, _ = api.read(api.specimen)

    check_members(dict(body), CONVERSE, "the body")
    fields = body.get("additionalModelRequestFields", {})
    assert fields.keys() <= MESSAGES.members


HINTS = [
    pytest.param(name, path, hint, id=f"{name} {named(path)} {hint}")
    for name, api in APIS.items()
    for path in objects(api.specimen, api.own)
    for place in (named(path), f"{named(path)} {kind_of(api.specimen, path)}")
    for hint in api.hints.get(place, ())
]


@pytest.mark.parametrize(("name", "path", "hint"), HINTS)
def test_a_member_that_hints_is_noted_and_goes_no_further(name: str, path: Path, hint: str) -> None:
    api = APIS[name]
    plain, _ = api.read(api.specimen)

    body, notes = api.read(with_member(api.specimen, path, hint))

    assert body == plain
    assert any(f"{hint} is ignored" in note for note in notes)


def test_every_hint_was_tried() -> None:
    tried = {(entry.values[0], entry.values[2]) for entry in HINTS}
    named_hints = {
        (name, hint) for name, api in APIS.items() for hints in api.hints.values() for hint in hints
    }
    assert tried == named_hints


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_null_is_the_same_as_nothing(name: str) -> None:
    api = APIS[name]
    plain = api.read(api.specimen)
    for path in objects(api.specimen, api.own):
        changed = with_member(api.specimen, path, "surprise_2030")
        place: Any = changed
        for step in path:
            place = place[step]
        place["surprise_2030"] = None
        assert api.read(changed) == plain
