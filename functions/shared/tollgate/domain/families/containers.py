"""Answers of SageMaker endpoints' containers, which speak for themselves whoever's model it is.

Some stream server-sent events, some JSON lines, some one document in parts. `ContainerStream` reads
the text and the counts out of whichever it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tollgate.domain import native
from tollgate.domain.families.container_bodies import STREAMING
from tollgate.domain.prices import TokenUsage

_DATA = b"data:"
# How lines of server-sent events begin that have no data.
_UNSAID = (b":", b"event:", b"id:", b"retry:")


def buffered(body: object) -> object:
    """The body without a wish to stream, which would be answered by something that is not JSON."""
    if not isinstance(body, dict):
        return body
    return {name: value for name, value in body.items() if name not in STREAMING}


def streamed(body: object) -> object:
    """The body as containers want it: they stream what asks for it, and count if asked to."""
    if not isinstance(body, dict):
        return body
    counted = {"stream_options": {"include_usage": True}} if "messages" in body else {}
    return {**body, "stream": True, **counted}


# --- Answers ----------------------------------------------------------------------------------


def answer_usage(document: object) -> TokenUsage | None:
    """The token counts of a container's answer, or of one event of its stream; None without."""
    place = _answer(document)
    usage = native.usage_in(place) or _embedded(place) or _detailed(place)
    # An endpoint's price is one for all input, from a cache or not.
    return usage and TokenUsage(input=usage.total_input, output=usage.output)


def _embedded(place: Mapping[str, Any]) -> TokenUsage | None:
    """Counts of embeddings in OpenAI's shape, which have no output."""
    counted = place.get("usage")
    if not isinstance(counted, dict) or "completion_tokens" in counted:
        return None
    return native.usage_in({"usage": {**counted, "completion_tokens": 0}})


def _detailed(place: Mapping[str, Any]) -> TokenUsage | None:
    """Counts in the details that text containers give beside their text."""
    details = place.get("details")
    if not isinstance(details, dict):
        return None
    given, made = details.get("input_length"), details.get("generated_tokens")
    return native.usage_in({"usage": {"input_tokens": given, "output_tokens": made}})


def answer_stop_reason(document: object) -> str | None:
    """Why the container stopped, in its own words; None where it does not say."""
    place = _answer(document)
    details = place.get("details")
    return native.stop_reason_of(details if isinstance(details, Mapping) else place)


def answer_text(document: object) -> str:
    """The text that a container generated; empty where it generated none."""
    place = _answer(document)
    text = place.get("generated_text")
    return text if isinstance(text, str) else native.text_of(place)


def _answer(document: object) -> Mapping[str, Any]:
    """The answer's own object: several containers wrap it into a list."""
    if isinstance(document, list) and document:
        document = document[0]
    return document if isinstance(document, Mapping) else {}


class ContainerFailedError(Exception):
    """A container said in mid-stream that it failed."""


class ContainerStream:
    """Reads a container's stream, of which parts may end anywhere: within a line or a letter."""

    def __init__(self) -> None:
        self._pending = b""
        self._texts: list[str] = []
        self._is_plain = False
        self.usage: TokenUsage | None = None
        self.stop_reason: str | None = None

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._texts)

    def feed(self, data: bytes) -> str:
        """Take one part; returns the text of the lines that it completes.

        Raises ContainerFailedError where the container says that it failed.
        """
        *lines, self._pending = (self._pending + data).split(b"\n")
        return "".join(self._line(line + b"\n") for line in lines)

    def end(self) -> str:
        """Take the end; returns the text of the last line, which nothing ends."""
        rest, self._pending = self._pending, b""
        return self._line(rest)

    def _line(self, raw: bytes) -> str:
        line = raw.strip()
        is_event = line.startswith(_DATA)
        payload = line.removeprefix(_DATA).strip()
        document = _document(payload)
        if document is not None:
            text = self._text(document)
        elif is_event or (not self._is_plain and line.startswith(_UNSAID)) or not line:
            # Between events are blank lines, comments and names; the last one says that it is.
            text = raw.decode(errors="replace") if self._is_plain else ""
        else:
            self._is_plain = True
            text = raw.decode(errors="replace")
        self._texts.append(text)
        return text

    def _text(self, document: object) -> str:
        place = _answer(document)
        if place.get("error"):
            raise ContainerFailedError
        self.usage = answer_usage(document) or self.usage
        self.stop_reason = answer_stop_reason(document) or self.stop_reason
        token = place.get("token")
        if not isinstance(token, Mapping):
            return answer_text(document)
        # The last token of some containers comes with the whole text again; marks of the model's
        # own grammar are no text.
        return "" if token.get("special") else str(token.get("text", ""))


def _document(payload: bytes) -> object:
    """The JSON object or list of a line; None where it is neither."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict | list) else None
