"""Bedrock's model invocation logs: where a call's record lies and what it says was used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tollgate.domain.prices import TokenUsage

_SCHEMA = "ModelInvocationLog"
_SUFFIX = ".json.gz"
# Bodies too long for a record lie in objects of their own below this folder of their hour.
_BODIES = "/data/"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """What the log says about one model call of the gateway.

    `usage` is None for a call that is said to have succeeded without figures. `error_code` is
    Bedrock's own code of a call that failed. `split_known` is False when cache writes are logged
    without their lifetime; they are then counted as `cache_write_5m`.
    """

    request_id: str
    usage: TokenUsage | None
    service_tier: str
    stop_reason: str | None
    error_code: str | None
    split_known: bool = True


@dataclass(frozen=True, slots=True)
class LogSearch:
    """What a search found, by request id.

    `complete` says that every object was there to be read: only then does the absence of a
    request mean that no call of it was logged.
    """

    found: Mapping[str, LoggedCall]
    complete: bool


def log_root(prefix: str, account_id: str) -> str:
    """The folder that Bedrock writes everything below, for a configured key prefix."""
    below = prefix.strip("/")
    start = f"{below}/" if below else ""
    return f"{start}AWSLogs/{account_id}/BedrockModelInvocationLogs/"


def hour_folders(root: str, region: str, first: datetime, last: datetime) -> list[str]:
    """The folders of all hours from `first` to `last`, both included."""
    hour = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    folders = []
    while hour <= last:
        folders.append(f"{root}{region}/{hour:%Y/%m/%d/%H}/")
        hour += _HOUR
    return folders


def holds_records(key: str) -> bool:
    """Whether an object has records, as opposed to a large body."""
    return key.endswith(_SUFFIX) and _BODIES not in key


def parse_record(line: bytes) -> LoggedCall | None:
    """Read one line of a log object; None when it is not about a call of this gateway.

    Raises ValueError for a line that is not a JSON object or whose counts are no numbers.
    """
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("a log record is not a JSON object")
    request_id = _mapping(record, "requestMetadata").get("request_id")
    if record.get("schemaType") != _SCHEMA or not isinstance(request_id, str):
        return None
    error_code = record.get("errorCode")
    # There when text delivery is on and the answer was short enough to lie in the record.
    answer = _mapping(_mapping(record, "output"), "outputBodyJson")
    usage, split_known = _usage(record, answer, failed=error_code is not None)
    return LoggedCall(
        request_id=request_id,
        usage=usage,
        service_tier=_mapping(answer, "serviceTier").get("type", "default"),
        stop_reason=answer.get("stopReason"),
        error_code=error_code,
        split_known=split_known,
    )


def _usage(
    record: Mapping[str, Any], answer: Mapping[str, Any], *, failed: bool
) -> tuple[TokenUsage | None, bool]:
    given, generated = _mapping(record, "input"), _mapping(record, "output")
    counted = "inputTokenCount" in given or "outputTokenCount" in generated
    if not counted and not failed:
        return None, True
    written = _count(given, "cacheWriteInputTokenCount")
    details = _mapping(answer, "usage").get("cacheDetails") or ()
    by_ttl = {detail["ttl"]: int(detail["inputTokens"]) for detail in details}
    hour = by_ttl.get("1h", 0)
    split_known = not written or sum(by_ttl.values()) == written
    usage = TokenUsage(
        input=_count(given, "inputTokenCount"),
        output=_count(generated, "outputTokenCount"),
        cache_read=_count(given, "cacheReadInputTokenCount"),
        cache_write_5m=written - hour if split_known else written,
        cache_write_1h=hour if split_known else 0,
    )
    return usage, split_known


def _count(part: Mapping[str, Any], name: str) -> int:
    return int(part.get(name) or 0)


def _mapping(part: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; streamed bodies of other APIs are lists."""
    value = part.get(name)
    return value if isinstance(value, Mapping) else {}
