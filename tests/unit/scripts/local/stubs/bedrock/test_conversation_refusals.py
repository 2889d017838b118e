"""Turns, texts, tools and cache points that the Bedrock stub refuses, as the service does.

Each rule has two requests beside each other: the one breaks it, the other keeps it by a hair.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.scripts.local.stubs.bedrock.asked import (
    HAIKU_4_5,
    LLAMA,
    NOVA,
    SONNET_3_7,
    document,
    image,
    point,
    result,
    text,
    told,
    tools,
    turns,
    use,
)


@pytest.mark.parametrize(
    ("words", "offence", "neighbour"),
    [
        ("Provide at least one message", {"messages": []}, {}),
        ("start with a user", {"messages": turns([], [text()])[1:]}, {}),
        (
            "alternate",
            {"messages": turns([text()])[:1] * 2},
            {"messages": turns([text()], [text()], [text()])},
        ),
        (
            "start with a user",
            {"messages": [{"role": "system", "content": [text()]}, *turns([text()])]},
            {"messages": [*turns([text()]), {"role": "system", "content": [text()]}]},
        ),
        (
            "system messages have text",
            {"messages": [*turns([text()]), {"role": "system", "content": [image()]}]},
            {
                "messages": [
                    *turns([text()]),
                    {"role": "system", "content": [{"toolRemoval": {"tool": {"name": "now"}}}]},
                ]
            },
        ),
        (
            "toolRemoval belong to system",
            {"messages": turns([{"toolRemoval": {"tool": {"name": "now"}}}])},
            {},
        ),
        ("messages.0 is empty", {"messages": turns([])}, {}),
        (
            "ContentBlock object at messages.0.content.1 is blank",
            {"messages": turns([text(), text(" \n")])},
            {"messages": turns([text(), text(".")])},
        ),
        (
            "SystemContentBlock object at system.0 is blank",
            {"system": [text(" ")]},
            {"system": [text(".")]},
        ),
        (
            "ToolResultContentBlock object at messages.2.content.0.toolResult.content.0 is blank",
            {"messages": turns([text()], [use()], [result("t1", text(" "))]), **tools()},
            {"messages": turns([text()], [use()], [result("t1")]), **tools()},
        ),
        (
            "ContentBlock object at messages.0.content.0 is blank",
            {"messages": turns([{"guardContent": {"text": {"text": " "}}}])},
            {"messages": turns([{"guardContent": {"text": {"text": "."}}}])},
        ),
        (
            "belong to user messages",
            {"messages": turns([text()], [image()], [text()])},
            {"messages": turns([image()], [text()], [text()])},
        ),
        (
            "belong to assistant messages",
            {"messages": turns([text(), use()]), **tools()},
            {},
        ),
        (
            "needs a text block",
            {"messages": turns([document()])},
            {"messages": turns([document(), text()])},
        ),
        (
            "name of a document",
            {"messages": turns([document("a  b"), text()])},
            {"messages": turns([document("a b (1) [x]-y"), text()])},
        ),
        (
            "same name",
            {"messages": turns([document("a"), document("a"), text()])},
            {"messages": turns([document("a"), document("b"), text()])},
        ),
    ],
)
def test_conversations(words: str, offence: dict[str, Any], neighbour: dict[str, Any]) -> None:
    assert words in (told(offence, NOVA) or "")
    assert told(neighbour, NOVA) is None


@pytest.mark.parametrize(
    ("words", "offence", "neighbour"),
    [
        (
            "tools.0.toolSpec.inputSchema.json.type must be one of the following: object",
            tools(schema={"type": "string"}),
            tools(schema={"type": "object"}),
        ),
        ("json.type must be", tools(schema={"properties": {}}), {}),
        ("json.type must be", tools(schema={"type": ["object", "null"]}), {}),
        ("has no tool", {"toolConfig": {"tools": [point()]}}, tools()),
        ("already defined", tools(tools()["toolConfig"]["tools"][0]), tools()),
        (
            "toolChoice is not in toolConfig.tools",
            tools(toolChoice={"tool": {"name": "then"}}),
            tools(toolChoice={"tool": {"name": "now"}}),
        ),
        (
            "toolConfig field must be defined",
            {"messages": turns([text()], [use()], [result()])},
            {"messages": turns([text()], [use()], [result()]), **tools()},
        ),
        (
            "Expected toolResult blocks at messages.2.content for the following Ids: t2",
            {"messages": turns([text()], [use(), use("t2")], [result()]), **tools()},
            {"messages": turns([text()], [use(), use("t2")], [result("t2"), result()]), **tools()},
        ),
        ("for the following Ids: t1", {"messages": turns([text()], [use()]), **tools()}, {}),
        (
            "exceeds the number of toolUse blocks of previous turn",
            {"messages": turns([text(), result()]), **tools()},
            {},
        ),
        (
            "exceeds the number of toolUse blocks of previous turn",
            {"messages": turns([text()], [use()], [result()], [text()], [result()]), **tools()},
            {"messages": turns([text()], [use()], [result()], [use()], [result()]), **tools()},
        ),
        (
            "must have a single toolResult",
            {"messages": turns([text()], [use()], [result(), result()]), **tools()},
            {"messages": turns([text()], [use()], [result(), text()]), **tools()},
        ),
        (
            "`tool_use` ids must be unique",
            {"messages": turns([text()], [use(), use()], [result()]), **tools()},
            {},
        ),
    ],
)
def test_tools(words: str, offence: dict[str, Any], neighbour: dict[str, Any]) -> None:
    assert words in (told(offence, NOVA) or "")
    assert told(neighbour, NOVA) is None


@pytest.mark.parametrize(
    ("model_id", "words", "offence", "neighbour"),
    [
        (NOVA, "follows no content", [text(), point(), point()], [text(), point(), text()]),
        (HAIKU_4_5, "follows no content", [point(), text()], [text(), point()]),
        (HAIKU_4_5, "Found 5", [text(), point()] * 5, [text(), point()] * 4),
        (NOVA, "extraneous key [ttl]", [text(), point(ttl="5m")], [text(), point()]),
        (
            SONNET_3_7,
            "extraneous key [ttl]",
            [text(), point(ttl="1h")],
            [text(), point(ttl="5m")],
        ),
        (
            HAIKU_4_5,
            "must not come after",
            [text(), point(), text(), point(ttl="1h")],
            [text(), point(ttl="1h"), text(), point()],
        ),
        (LLAMA, "did not allow prompt caching", [text(), point()], [text()]),
        ("anthropic.claude-v2:1", "did not allow prompt caching", [text(), point()], [text()]),
    ],
)
def test_cache_points(model_id: str, words: str, offence: list[Any], neighbour: list[Any]) -> None:
    assert words in (told({"messages": turns(offence)}, model_id) or "")
    assert told({"messages": turns(neighbour)}, model_id) is None


def test_nova_does_not_cache_tools() -> None:
    assert "#/toolConfig/tools/1: extraneous key [cachePoint]" in (told(tools(point()), NOVA) or "")
    assert told(tools(point()), HAIKU_4_5) is None


def test_no_cache_point_follows_thoughts() -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}}

    def asked(*said: Any) -> dict[str, Any]:
        return {"messages": turns([text()], [*said], [text()])}

    assert "after reasoning block" in (told(asked(text(), thought, point()), HAIKU_4_5) or "")
    assert told(asked(thought, text(), point()), HAIKU_4_5) is None
