"""Which tool carries a tenant's own text, and what is said beside a mark."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.cache_scope import marks_in, with_scoped_tools

SCOPE = "[0123456789abcdef]"
POINT = {"cachePoint": {"type": "default"}}


def converse(**more: Any) -> dict[str, Any]:
    return {"toolSpec": {"name": "look", **more}}


def claude(**more: Any) -> dict[str, Any]:
    return {"name": "look", "input_schema": {"type": "object"}, **more}


BASH = {"type": "bash_20250124", "name": "bash"}
MARKED_BASH = {**BASH, "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("tools", "scoped"),
    [
        ([converse(), POINT], [converse(description=SCOPE), POINT]),
        # The first tool alone: all that is cached behind it has the text before it.
        (
            [converse(), converse(), converse(), POINT],
            [converse(description=SCOPE), converse(), converse(), POINT],
        ),
        # Tools of the provider's own have no words of the caller's.
        ([BASH, claude(), MARKED_BASH], [BASH, claude(description=SCOPE), MARKED_BASH]),
        (["odd", claude(), MARKED_BASH], ["odd", claude(description=SCOPE), MARKED_BASH]),
        ([BASH, MARKED_BASH], [BASH, MARKED_BASH]),
        # Nothing among them is cached.
        ([converse(), claude()], [converse(), claude()]),
    ],
)
def test_the_first_tool_that_can_be_described_carries_the_text(
    tools: list[Any], scoped: list[Any]
) -> None:
    assert with_scoped_tools({"tools": tools, "a": 1}, SCOPE) == {"tools": scoped, "a": 1}


@pytest.mark.parametrize("tool", [converse, claude])
@pytest.mark.parametrize(
    ("given", "described"),
    [("Looks.", f"{SCOPE} Looks."), ("", SCOPE), (None, SCOPE), (5, SCOPE)],
)
def test_the_text_stands_before_what_is_said_of_the_tool(
    tool: Any, given: object, described: str
) -> None:
    body = with_scoped_tools({"tools": [tool(description=given), POINT]}, SCOPE)

    assert body == {"tools": [tool(description=described), POINT]}


@pytest.mark.parametrize("member", ["toolConfig", "additionalModelRequestFields"])
def test_tools_are_found_where_a_request_may_have_them(member: str) -> None:
    body = {member: {"tools": [converse(), POINT]}, "other": {"tools": [converse(), POINT]}}

    assert with_scoped_tools(body, SCOPE) == {
        **body,
        member: {"tools": [converse(description=SCOPE), POINT]},
    }


@pytest.mark.parametrize(
    "body", [{}, {"tools": "odd"}, {"toolConfig": None}, {"toolConfig": {"tools": {"a": POINT}}}]
)
def test_what_are_no_tools_stays_as_it_was_said(body: dict[str, Any]) -> None:
    assert with_scoped_tools(body, SCOPE) == body


@pytest.mark.parametrize(
    ("value", "marks"),
    [
        ({"mark": {"ttl": "1h"}}, [{"ttl": "1h"}]),
        (
            [{"a": ({"mark": {"ttl": "1h"}}, {"other": {"ttl": "5m"}})}],
            [{"ttl": "1h"}, {"ttl": "5m"}],
        ),
        # A mark says that something is cached, whatever it is.
        ({"mark": None, "other": "odd"}, [{}, {}]),
        # What a mark says holds no marks.
        ({"mark": {"other": {}}}, [{"other": {}}]),
        ("mark", []),
        (["mark", 1, None], []),
    ],
)
def test_a_mark_is_found_at_any_depth(value: object, marks: list[dict[str, str]]) -> None:
    assert list(marks_in(value, ("mark", "other"))) == marks
