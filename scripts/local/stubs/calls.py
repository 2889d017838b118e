"""A call on its way through a stub, and the log of what the service would bill.

Each call is one line of JSON in the log, with the access key id that signed it, written before the
last byte of the response leaves: whatever a client was told, the log knows first. A failed call
bills nothing; a call whose connection broke bills what had been generated.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.directions import Directions
from scripts.local.stubs.errors import UnknownMemberError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from scripts.local.stubs.errors import ServiceError

NO_USAGE = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}


@dataclass
class Call:
    """One call on its way: what was asked and what the log will say about it.

    Its text is generated `answers` times. `most_output` is what one answer is billed for, None for
    what it has; `extra_output` is billed once beyond it. `passes` are rounds before the answer with
    the usage of each. `cache` is for how long all of its input is cached, None for what its
    directions say. `is_narrowed` tells that its guardrail reads but a part of it.
    """

    operation: str
    model_id: str
    access_key_id: str = ""
    started: float = field(default_factory=time.time)
    request: Mapping[str, Any] = field(default_factory=dict)
    directions: Directions = field(default_factory=lambda: Directions({}))
    tier: str = "default"
    speed: str = "standard"
    input_tokens: int = 0
    units: Mapping[str, int] = field(default_factory=dict)
    answers: int = 1
    most_output: int | None = None
    extra_output: int = 0
    passes: Sequence[Mapping[str, int]] = ()
    cache: str | None = None
    is_narrowed: bool = False

    @property
    def metadata(self) -> Mapping[str, str]:
        """The request's `requestMetadata`."""
        metadata = self.request.get("requestMetadata")
        return metadata if isinstance(metadata, dict) else {}

    @property
    def facts(self) -> Mapping[str, str]:
        """What a fault's `match` compares."""
        return {"operation": self.operation, "modelId": self.model_id, **self.metadata}

    @property
    def latency_ms(self) -> int:
        """Milliseconds since the call arrived."""
        return round((time.time() - self.started) * 1000)

    def output_tokens(self, generated: int) -> int:
        """Output tokens that are billed where one answer has so many."""
        each = generated if self.most_output is None else self.most_output
        return each * self.answers + self.extra_output

    def usage(self, generated: int) -> dict[str, Any]:
        """Return the `usage` of a response; the cache's tokens come out of the input's."""
        output_tokens = self.output_tokens(generated)
        left = self.input_tokens
        taken: dict[str, int] = {}
        for name in ("cache_read", "cache_write_5m", "cache_write_1h"):
            directed = self.directions.number(name)
            if directed is None and name == f"cache_write_{self.cache}":
                directed = left
            taken[name] = min(directed or 0, left)
            left -= taken[name]
        written = taken["cache_write_5m"] + taken["cache_write_1h"]
        usage: dict[str, Any] = {
            "inputTokens": left,
            "outputTokens": output_tokens,
            "totalTokens": left + output_tokens + taken["cache_read"] + written,
        }
        if taken["cache_read"] or written:
            usage["cacheReadInputTokens"] = taken["cache_read"]
            usage["cacheWriteInputTokens"] = written
        if written:
            usage["cacheDetails"] = [
                {"ttl": ttl, "inputTokens": taken[f"cache_write_{ttl}"]}
                for ttl in ("5m", "1h")
                if taken[f"cache_write_{ttl}"]
            ]
        return usage


@dataclass(frozen=True)
class Outcome:
    """How a call ended; `usage` is what it bills, None for nothing.

    `unknown_member` is what its body had that its model does not know.
    """

    status: str
    http_status: int = HTTPStatus.OK
    usage: Mapping[str, Any] | None = None
    stop_reason: str | None = None
    error: str | None = None
    unknown_member: str | None = None

    @classmethod
    def of_error(cls, error: ServiceError) -> Outcome:
        """How a call ended that is refused or fails: it bills nothing."""
        unknown = error.member if isinstance(error, UnknownMemberError) else None
        return cls("error", error.status, error=error.code, unknown_member=unknown)


class CallLog:
    """The append-only log of billed and failed calls; `publish` gets each entry as well."""

    def __init__(
        self, path: Path | None, publish: Callable[[Mapping[str, Any]], None] | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._publish = publish
        self._calls: list[dict[str, Any]] = []
        self._sequence = 0
        self._file = path.open("a", encoding="utf-8") if path is not None else None

    def write(self, call: Call, outcome: Outcome) -> None:
        """Append one call."""
        with self._lock:
            self._sequence += 1
            entry: dict[str, Any] = {
                "sequence": self._sequence,
                "started_at": _timestamp(call.started),
                "ended_at": _timestamp(time.time()),
                "operation": call.operation,
                "modelId": call.model_id,
                "accessKeyId": call.access_key_id,
                "requestMetadata": dict(call.metadata),
                "status": outcome.status,
                "http_status": int(outcome.http_status),
                "error": outcome.error,
                "unknown_member": outcome.unknown_member,
                "usage": _billed(call, outcome),
                "units": {} if outcome.usage is None else dict(call.units),
                "service_tier": call.tier,
                "speed": call.speed,
                "is_narrowed": call.is_narrowed,
                "stop_reason": outcome.stop_reason,
            }
            self._calls.append(entry)
            if self._file is not None:
                self._file.write(json.dumps(entry) + "\n")
                self._file.flush()
        if self._publish is not None:
            self._publish(entry)

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls since the start or the last `clear`."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Empty the list; the file and the sequence go on."""
        with self._lock:
            self._calls.clear()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


class UnderWay:
    """Counts calls that have begun and are not in the log yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls = 0

    def __enter__(self) -> None:
        with self._changed:
            self._calls += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._calls -= 1
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> bool:
        """Wait until no call is under way; False when one still is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._calls == 0, seconds)


def _billed(call: Call, outcome: Outcome) -> dict[str, Any]:
    """The usage that is billed: that of every round where the answer's own leaves others out."""
    usage = dict(outcome.usage or NO_USAGE)
    if outcome.usage is not None and call.passes:
        usage["iterations"] = [*call.passes, dict(outcome.usage)]
    return usage


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
