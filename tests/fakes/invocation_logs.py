"""Invocation logs in memory, and records as Bedrock writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.ids import request_time
from tollgate.domain.invocation_logs import LoggedCall, LogSearch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


def record(request_id: str, **changes: Any) -> dict[str, Any]:
    """A record of a Converse call with text delivery off; `changes` replace its members."""
    return {
        "timestamp": "2026-11-22T10:30:19Z",
        "accountId": "111122223333",
        "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/tollgate-dev-invoke/fn"},
        "region": "us-east-1",
        "requestId": "8fe3c68a-1fe5-4051-99b5-ebaf3738f76b",
        "operation": "Converse",
        "modelId": "amazon.nova-lite-v1:0",
        "input": {
            "inputContentType": "application/json",
            "inputTokenCount": 12,
            "cacheReadInputTokenCount": 0,
            "cacheWriteInputTokenCount": 0,
        },
        "output": {"outputContentType": "application/json", "outputTokenCount": 34},
        "requestMetadata": {"tenant": "acme", "app": "web", "request_id": request_id},
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        **changes,
    }


class FakeInvocationLogs:
    """`tollgate.ports.InvocationLogs` in a dict; `log` is delivered at once."""

    def __init__(self) -> None:
        self.calls: dict[str, LoggedCall] = {}
        self.complete = True
        self.searches: list[set[str]] = []

    def log(self, call: LoggedCall) -> None:
        self.calls[call.request_id] = call

    def find(self, requests: Mapping[str, datetime]) -> LogSearch:
        self.searches.append(set(requests))
        found = {
            request_id: self.calls[request_id]
            for request_id, until in requests.items()
            if request_id in self.calls and request_time(request_id) <= until
        }
        return LogSearch(found, self.complete or not requests)
