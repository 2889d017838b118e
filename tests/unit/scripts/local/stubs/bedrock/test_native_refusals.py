"""Native bodies that the Bedrock stub refuses, as the service does.

Each rule has two requests beside each other: the one breaks it, the other keeps it by a hair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.stubs.bedrock.requests import validate_native
from scripts.local.stubs.errors import ServiceError
from tests.unit.scripts.local.stubs.bedrock.asked import (
    HAIKU_4_5,
    NOVA,
    SONNET_3_7,
    encoded,
    image,
    png,
    point,
    target,
    text,
    tools,
    turns,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def claude_says(*contents: Any, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": said} for n, said in enumerate(contents)]
    return {"max_tokens": 2000, "messages": messages or claude_says("Hi")["messages"], **more}


def block(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


USE = {"type": "tool_use", "id": "t1", "name": "now", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "noon"}
MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def source(data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": encoded(data)}


def native_told(body: Mapping[str, Any], model_id: str) -> str | None:
    try:
        validate_native(body, target(model_id))
    except ServiceError as error:
        assert (error.code, error.status) == ("ValidationException", 400)
        return str(error)
    return None


@pytest.mark.parametrize(
    ("words", "offence", "neighbour"),
    [
        (
            'must use the "user" role',
            {"messages": [{"role": "assistant", "content": "Hi"}]},
            claude_says(),
        ),
        (
            "role: Input should be",
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "x", "content": "Hi"}]},
            claude_says(),
        ),
        ("non-whitespace text", claude_says(" "), claude_says(".")),
        ("non-whitespace text", claude_says([block("")]), claude_says([block(".")])),
        (
            "non-whitespace text",
            claude_says("Hi", [USE], [{**RESULT, "content": [block(" ")]}]),
            claude_says("Hi", [USE], [{**RESULT, "content": []}]),
        ),
        ("non-empty content", claude_says([]), claude_says()),
        (
            "for the following Ids: t1",
            claude_says("Hi", [USE], "Well?"),
            claude_says("Hi", [USE], [RESULT]),
        ),
        ("single toolResult", claude_says("Hi", [USE], [RESULT, RESULT]), claude_says()),
        ("exceeds the number", claude_says([RESULT]), claude_says()),
        (
            "tools.0.custom.input_schema.type",
            claude_says(tools=[{"name": "now", "input_schema": {}}]),
            claude_says(tools=[{"name": "now", "input_schema": {"type": "object"}}]),
        ),
        ("invalid beta flag", claude_says(anthropic_beta=["x"]), claude_says(anthropic_beta=[])),
        (
            "cannot both be specified",
            claude_says(temperature=0.5, top_p=0.5),
            claude_says(temperature=0.5),
        ),
        (
            "must be greater than",
            claude_says(thinking={"type": "enabled", "budget_tokens": 2000}),
            claude_says(thinking={"type": "enabled", "budget_tokens": 1999}),
        ),
        (
            "forces tool use",
            claude_says(
                thinking={"type": "enabled", "budget_tokens": 1999}, tool_choice={"type": "any"}
            ),
            claude_says(tool_choice={"type": "any"}),
        ),
        (
            "`top_k` must be unset",
            claude_says(thinking={"type": "enabled", "budget_tokens": 1999}, top_k=5),
            claude_says(top_k=5),
        ),
        (
            "at most 20 images",
            claude_says([{"type": "image", "source": source(png(1, 1))}] * 21),
            claude_says([{"type": "image", "source": source(png(1, 1))}] * 20),
        ),
        (
            "8001 x 1 pixels",
            claude_says([{"type": "image", "source": source(png(8001, 1))}]),
            claude_says([{"type": "image", "source": source(png(8000, 1))}]),
        ),
        (
            "Input should be 'base64'",
            claude_says([{"type": "image", "source": {"type": "url", "url": "https://x"}}]),
            claude_says(),
        ),
        (
            "Found 5",
            claude_says([block("a", **MARK)] * 4, system=[block("b", **MARK)]),
            claude_says([block("a", **MARK)] * 3, system=[block("b", **MARK)]),
        ),
        (
            "must not come after",
            claude_says([block("a", **HOUR)], system=[block("b", **MARK)]),
            claude_says([block("a", **MARK)], system=[block("b", **HOUR)]),
        ),
        ("Malformed input request", claude_says([7]), claude_says()),
        ("Malformed input request", claude_says([{"text": "Hi"}]), claude_says()),
    ],
)
def test_native_bodies_of_claude(
    words: str, offence: dict[str, Any], neighbour: dict[str, Any]
) -> None:
    assert words in (native_told(offence, HAIKU_4_5) or "")
    assert native_told(neighbour, HAIKU_4_5) is None


def test_messages_of_one_side_in_a_row_are_one_turn_of_claudes() -> None:
    said = claude_says("Hi", [USE, {**USE, "id": "t2"}])["messages"]
    results = [{"role": "user", "content": [{**RESULT, "tool_use_id": n}]} for n in ("t1", "t2")]

    assert native_told({"messages": [*said, *results]}, HAIKU_4_5) is None
    assert "Ids: t2" in (native_told({"messages": [*said, results[0]]}, HAIKU_4_5) or "")


@pytest.mark.parametrize(
    ("model_id", "words", "mark"),
    [
        (SONNET_3_7, "Input should be ephemeral, for 5m", HOUR),
        (HAIKU_4_5, "Input should be ephemeral, for 5m or 1h", {"cache_control": {"type": "x"}}),
        ("us.anthropic.claude-3-opus-20240229-v1:0", "did not allow prompt caching", MARK),
    ],
)
def test_marks_of_claudes(model_id: str, words: str, mark: dict[str, Any]) -> None:
    assert words in (native_told(claude_says([block("a", **mark)]), model_id) or "")
    assert native_told(claude_says([block("a")]), model_id) is None


@pytest.mark.parametrize(
    ("words", "offence", "neighbour"),
    [
        ("start with a user", {"messages": turns([], [text()])[1:]}, {"messages": turns([text()])}),
        (
            "is blank",
            {"messages": turns([text(" ")])},
            {"messages": turns([text()]), "system": [text()]},
        ),
        ("Could not process", {"messages": turns([image(b"x")])}, {"messages": turns([image()])}),
        (
            "extraneous key [cachePoint]",
            {"messages": turns([text()]), **tools(point())},
            {"messages": turns([text(), point()]), **tools()},
        ),
        ("Malformed input request", {"messages": turns(["Hi"])}, {"messages": turns([text()])}),
    ],
)
def test_native_bodies_of_nova(
    words: str, offence: dict[str, Any], neighbour: dict[str, Any]
) -> None:
    assert words in (native_told(offence, NOVA) or "")
    assert native_told(neighbour, NOVA) is None
