"""Streams of the Converse API: what an event says, and the answer that its events make."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tollgate.domain.families.reading import at

if TYPE_CHECKING:
    from collections.abc import Sequence

# The parts of a Converse request that CountTokens takes.
COUNTED = ("additionalModelRequestFields", "messages", "system", "toolConfig")
# Sizes and text of an event are in these members; the others carry numbers and words of the API.
_OUTPUT = ("contentBlockStart", "contentBlockDelta")


def event_text(event: Mapping[str, Any]) -> str:
    """The text that an event adds to the answer; empty where it adds none."""
    text = event.get("contentBlockDelta", {}).get("delta", {}).get("text")
    return text if isinstance(text, str) else ""


def event_size(event: Mapping[str, Any]) -> int:
    """Bytes of all that an event says: text, tool names and input, reasoning, signatures."""
    return sum(
        output_size(event[name].get("delta", event[name].get("start")))
        for name in _OUTPUT
        if name in event
    )


def output_size(value: object) -> int:
    """Bytes of the texts in a piece of output, in UTF-8."""
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass"))
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(output_size(item) for item in value.values())
    if isinstance(value, list):
        return sum(output_size(item) for item in value)
    return 0


def joined_text(content: Sequence[Mapping[str, Any]]) -> str:
    """The text blocks of an answer, joined by spaces as the first seed system did."""
    return " ".join(block["text"] for block in content if "text" in block)


def json_blocks(content: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Content blocks as JSON: what is bytes becomes base64, as the API itself writes it."""
    return [_plain(block) for block in content]


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


class Assembler:
    """Puts the events of one stream together into the response that Converse would give.

    `fault` says what of the stream cannot be read, None while all can be.
    """

    def __init__(self) -> None:
        self.fault: str | None = None
        self._blocks: dict[int, dict[str, Any]] = {}
        self._stop: Mapping[str, Any] = {}
        self._metadata: Mapping[str, Any] | None = None

    def take(self, event: Mapping[str, Any]) -> bool:
        """Add one event; False for one that cannot be read, which is left out."""
        fault = event_fault(event)
        if fault is not None:
            self.fault = self.fault or fault
            return False
        self._add_event(event)
        return True

    def _add_event(self, event: Mapping[str, Any]) -> None:
        if "contentBlockStart" in event:
            start = event["contentBlockStart"]
            self._block(start["contentBlockIndex"]).update(start["start"])
        elif "contentBlockDelta" in event:
            delta = event["contentBlockDelta"]
            _add(self._block(delta["contentBlockIndex"]), delta["delta"])
        elif "messageStop" in event:
            self._stop = event["messageStop"]
        elif "metadata" in event:
            self._metadata = event["metadata"]

    @property
    def is_complete(self) -> bool:
        """Whether the last event of a stream, with its usage, has come."""
        return self._metadata is not None

    def document(self) -> dict[str, Any]:
        """The whole response so far, in the shape of Converse."""
        content = [_finished(self._blocks[index]) for index in sorted(self._blocks)]
        return {
            "output": {"message": {"role": "assistant", "content": content}},
            **self._stop,
            **(self._metadata or {}),
        }

    def _block(self, index: int) -> dict[str, Any]:
        return self._blocks.setdefault(index, {})


def _add(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a delta to its block: a block is of the kind of its first delta."""
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    elif "toolUse" in delta:
        use = dict(block.get("toolUse", {}))
        use["input"] = use.get("input", "") + delta["toolUse"]["input"]
        block["toolUse"] = use
    elif "reasoningContent" in delta:
        _add_reasoning(block, delta["reasoningContent"])
    elif "citation" in delta:
        block.setdefault("citations", []).append(delta["citation"])


def _add_reasoning(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    content = block.setdefault("reasoningContent", {})
    if "redactedContent" in delta:
        content["redactedContent"] = content.get("redactedContent", b"") + delta["redactedContent"]
        return
    text = content.setdefault("reasoningText", {"text": ""})
    text["text"] += delta.get("text", "")
    if "signature" in delta:
        text["signature"] = text.get("signature", "") + delta["signature"]


def _finished(block: Mapping[str, Any]) -> dict[str, Any]:
    if "toolUse" in block:
        use = block["toolUse"]
        return {**block, "toolUse": {**use, "input": _parsed(use.get("input", ""))}}
    if "citations" in block:
        content = [{"text": block.get("text", "")}]
        return {"citationsContent": {"content": content, "citations": block["citations"]}}
    return dict(block)


def _parsed(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text) if text else {}
    except (ValueError, RecursionError):
        # Cut off by maxTokens: what there is of it, as Converse has nothing to parse either.
        return text


# --- What can be read -------------------------------------------------------------------------

_TEXT, _OBJECT, _LIST = (str,), (Mapping,), (list,)
# Members of a content block, of its start and of its deltas that are read: place and type. What
# is not there is no fault, unless it is one of `_NEEDED` beside something that is.
_BLOCK: Mapping[tuple[str, ...], tuple[type, ...]] = {
    ("text",): _TEXT,
    ("toolUse",): _OBJECT,
    ("toolUse", "name"): _TEXT,
    ("toolUse", "toolUseId"): _TEXT,
    ("reasoningContent",): _OBJECT,
    ("reasoningContent", "redactedContent"): (bytes,),
    ("reasoningContent", "reasoningText"): _OBJECT,
    ("reasoningContent", "reasoningText", "signature"): _TEXT,
    ("reasoningContent", "reasoningText", "text"): _TEXT,
    ("citationsContent",): _OBJECT,
    ("citationsContent", "citations"): _LIST,
    ("citationsContent", "content"): _LIST,
}
_DELTA: Mapping[tuple[str, ...], tuple[type, ...]] = {
    ("text",): _TEXT,
    ("toolUse",): _OBJECT,
    ("toolUse", "input"): _TEXT,
    ("reasoningContent",): _OBJECT,
    ("reasoningContent", "redactedContent"): (bytes,),
    ("reasoningContent", "signature"): _TEXT,
    ("reasoningContent", "text"): _TEXT,
    ("citation",): _OBJECT,
}
_NEEDED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "block": (
        ("toolUse", "name"),
        ("toolUse", "toolUseId"),
        ("toolUse", "input"),
        ("reasoningContent", "reasoningText", "text"),
    ),
    "start": (("toolUse", "name"), ("toolUse", "toolUseId")),
    "delta": (("toolUse", "input"),),
}
_EVENTS = {
    "contentBlockStart": ("start", _BLOCK),
    "contentBlockDelta": ("delta", _DELTA),
    "contentBlockStop": None,
}


def document_fault(document: Mapping[str, Any]) -> str | None:
    """What of a Converse response cannot be read; None where all can be."""
    content = at(document, ("output", "message", "content"))
    if not isinstance(content, list):
        return "has no content"
    for block in content:
        fault = _fault(block, _BLOCK, "block") or _citation_fault(block)
        if fault is not None:
            return fault
    return None if isinstance(document.get("stopReason"), str) else "has no stop reason"


def event_fault(event: Mapping[str, Any]) -> str | None:
    """What of an event cannot be read; None where all can be, and for a kind that is not known."""
    if len(event) != 1:
        return "has an event of no kind"
    ((kind, payload),) = event.items()
    if not isinstance(payload, Mapping):
        return f"has a {kind} that is no object"
    if kind == "messageStop" and not isinstance(payload.get("stopReason"), str):
        return "has no stop reason"
    if kind not in _EVENTS:
        return None
    index = payload.get("contentBlockIndex")
    if isinstance(index, bool) or not isinstance(index, int):
        return "has a content block without an index"
    types = _EVENTS[kind]
    return types and _fault(payload.get(types[0]), types[1], types[0])


def _citation_fault(block: Mapping[str, Any]) -> str | None:
    for part in at(block, ("citationsContent", "content")) or ():
        if not isinstance(part, Mapping) or not isinstance(part.get("text", ""), str):
            return "has a cited part that cannot be read"
    return None


def _fault(
    part: object, types: Mapping[tuple[str, ...], tuple[type, ...]], kind: str
) -> str | None:
    """What of a part of an answer cannot be read, by the types of its members."""
    if not isinstance(part, Mapping):
        return f"has a {kind} that is no object"
    for path, allowed in types.items():
        place = at(part, path[:-1])
        given = isinstance(place, Mapping) and path[-1] in place
        if given and not isinstance(place[path[-1]], allowed):
            return f"has no {'.'.join(path)} that can be read"
    for path in _NEEDED[kind]:
        place = at(part, path[:-1])
        if isinstance(place, Mapping) and path[-1] not in place:
            return f"has no {'.'.join(path)}"
    return None
