"""How a call is to go: the words in brackets by which a prompt or a fault directs it.

The last user message may direct its own call:

    [stub:tokens=300]        output tokens (then cut to maxTokens like any answer)
    [stub:delay_ms=2000]     wait before the first byte
    [stub:gate=name]         wait before the first byte until a test opens the gate (see `gates`);
                             with @mid-stream, wait half way
    [stub:delta_ms=50]       wait between two pieces of a stream; [stub:slow] waits 250 ms
    [stub:cache_read=100]    count that many of the input tokens as read from the cache;
                             likewise cache_write_5m and cache_write_1h
    [stub:tier=default]      the service tier that served, whatever was asked for
    [stub:tool=get_weather]  call this tool of the request's toolConfig; several with commas
    [stub:think=20]          think for so many tokens first, which a request that turns on
                             thinking gets by itself; [stub:redacted] thinks unreadably
    [stub:error=ThrottlingException]             fail; with @mid-stream, fail half way
    [stub:cut=mid-stream]    drop the connection half way; cut=before-metadata drops it after
                             the text; a buffered call is dropped without any response

`POST /_stub/faults` makes later calls do the same without touching their text:
`{"match": {"modelId": ..., "operation": ..., "tenant": ...}, "times": 2, "error": ...}`, where
`match` (optional) compares operation, modelId and the entries of requestMetadata, and every other
key is a direction. `DELETE /_stub/faults` forgets them.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECTIVE = re.compile(r"\[stub:(\w+)(?:=([^\]\s]+))?\]")
_NAMES = frozenset(
    ("tokens", "delay_ms", "delta_ms", "slow", "gate", "tier", "tool", "think", "redacted")
    + ("error", "cut")
    + ("cache_read", "cache_write_5m", "cache_write_1h")
)


@dataclass(frozen=True)
class Directions:
    """How one call is to go; see the module's text."""

    values: Mapping[str, str]

    def number(self, name: str) -> int | None:
        """Return a direction as a number, None when it was not given.

        Raises:
            ServiceError: it is not a whole number of at least 0.
        """
        value = self.values.get(name)
        if value is None:
            return None
        if not value.isdigit():
            raise invalid(f"[stub:{name}={value}] is not a number")
        return int(value)

    @property
    def error(self) -> tuple[str, bool] | None:
        """The error's code and whether it comes in mid-stream."""
        return self._placed("error")

    @property
    def gate(self) -> tuple[str, bool] | None:
        """The gate's name and whether it stands in mid-stream."""
        return self._placed("gate")

    @property
    def cut(self) -> str | None:
        """Where the connection is dropped: `mid-stream` or `before-metadata`."""
        return self.values.get("cut")

    def _placed(self, name: str) -> tuple[str, bool] | None:
        value = self.values.get(name)
        if value is None:
            return None
        what, _, place = value.partition("@")
        return what, place == "mid-stream"


@dataclass
class Fault:
    """A direction for later calls, from the control endpoint."""

    match: Mapping[str, str]
    times: int
    values: Mapping[str, str]


class Faults:
    """Directions for calls to come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, document: Mapping[str, Any]) -> None:
        """Add a fault as the control endpoint takes it.

        Raises:
            ValueError: a direction is unknown, or there is none.
        """
        match = document.get("match", {})
        values = {k: str(v) for k, v in document.items() if k not in {"match", "times"}}
        if unknown := sorted(set(values) - _NAMES):
            raise ValueError(f"unknown direction {unknown[0]!r}; known: {sorted(_NAMES)}")
        if not values or not isinstance(match, dict):
            raise ValueError("a fault needs a direction, and `match` must be an object")
        with self._lock:
            self._faults.append(Fault(match, int(document.get("times", 1)), values))

    def take(self, facts: Mapping[str, str]) -> Mapping[str, str]:
        """Return the directions of the first fault that matches a call, and use it up once."""
        with self._lock:
            for fault in self._faults:
                if all(facts.get(name) == wanted for name, wanted in fault.match.items()):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault.values
        return {}

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()


def directions_in(text: str) -> dict[str, str]:
    """Return the directions that a text gives its own call."""
    return dict(_DIRECTIVE.findall(text))


def without_directions(text: str) -> str:
    """Return what a text says beside its directions."""
    return _DIRECTIVE.sub("", text).strip()
