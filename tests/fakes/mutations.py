"""Documents, events and chunks that are not quite what they should be, drawn by hypothesis."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    7,
    2.5,
    10**15,
    10**40,
    "",
    "text",
    "\ud800",
    [],
    [None],
    ["x", 1],
    {},
    {"text": 1},
    {"": {"": ""}},
    deep(200),
]
junk = st.sampled_from(JUNK).map(copy.deepcopy)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    found = [path] if path else []
    if isinstance(value, dict | list | tuple):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(item, (*path, name))
    return found


@st.composite
def mutated(draw: DrawFn, document: Any) -> Any:
    """A document of which some members are dropped, replaced or doubled."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        found = places(document)
        if not found:
            return draw(junk)
        path = draw(st.sampled_from(found))
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        how = draw(st.sampled_from(["drop", "replace", "replace", "double"]))
        if how == "drop":
            del parent[path[-1]]
        elif how == "double" and isinstance(parent, list):
            parent.insert(path[-1], copy.deepcopy(parent[path[-1]]))
        else:
            parent[path[-1]] = draw(junk)
    return draw(st.sampled_from([document] * 8 + [[document], "text"]))


FAILURES = ["internalServerException", "throttlingException", "modelStreamErrorException"]


@st.composite
def mutated_events(draw: DrawFn, given: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The events of a stream, of which some are dropped, doubled, moved or something else."""
    events = list(given)
    kinds = [*(kind for kind, _ in given), "somethingNew"]
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(events) - 1))
        kind, payload = events[index]
        how = draw(st.sampled_from(["drop", "double", "move", "payload", "bytes", "kind", "fail"]))
        if how == "drop" and len(events) > 1:
            del events[index]
        elif how == "double":
            events.insert(draw(st.integers(0, len(events))), events[index])
        elif how == "move":
            events.insert(draw(st.integers(0, len(events) - 1)), events.pop(index))
        elif how == "payload" and not isinstance(payload, bytes):
            events[index] = (kind, draw(mutated(payload)))
        elif how == "bytes":
            events[index] = (
                kind,
                draw(st.sampled_from([b"", b"{", b"[1]", b"\xff", b'"\xed\xa0\x80"'])),
            )
        elif how == "kind":
            events[index] = (draw(st.sampled_from(kinds)), payload)
        elif how == "fail":
            events.insert(index, (draw(st.sampled_from(FAILURES)), {"message": "it failed"}))
    return events


@st.composite
def mutated_chunks(draw: DrawFn, documents: list[Any]) -> list[Any]:
    """The chunks of a native stream, likewise."""
    chunks: list[Any] = draw(mutated(documents))
    if not isinstance(chunks, list):
        return [chunks] if isinstance(chunks, dict) else [b"{", b"\xff"]
    order = draw(st.permutations(range(len(chunks)))) if draw(st.booleans()) else range(len(chunks))
    return [chunks[index] if isinstance(chunks[index], dict) else b"[1]" for index in order]


NO_JSON = st.sampled_from([b"", b"{", b"\xff", b"[1]", b"null"])
