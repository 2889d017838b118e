"""DynamoDB as it throttles: a meter in front of the emulator, on a clock that tests move.

It counts the write units of each partition key and refuses what would make more than a thousand in
a second. DynamoDB is kinder to a key with many items, which it may spread. The SDK's own pauses and
tries take part; its pauses move the clock.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import botocore.endpoint

from scripts.bench.dynamodb_meter import (
    ITEM_WRITE_UNITS_PER_SECOND,
    WRITES,
    Meter,
    item_identity,
)
from tests.fakes.sdk_faults import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

THROTTLED = "ProvisionedThroughputExceededException"


@dataclass
class Throttle:
    """What DynamoDB would make of writes; `refusals` are those refused, by table and key."""

    now: datetime = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    refusals: Counter[tuple[str, ...]] = field(default_factory=Counter)
    meter: Meter = field(default_factory=Meter)
    units: Counter[tuple[int, tuple[str, ...]]] = field(default_factory=Counter)

    def clock(self) -> datetime:
        """The current time, for who is tested."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    @property
    def peak(self) -> int:
        """The most units that a key took in a second."""
        return max(self.units.values(), default=0)

    @contextmanager
    def in_front(self) -> Iterator[None]:
        """Stand between the SDK and DynamoDB, of all clients of this process."""
        send = botocore.endpoint.Endpoint._send  # noqa: SLF001 - the last step before the network

        def meet(endpoint: Any, request: AWSPreparedRequest) -> AWSResponse:
            if endpoint._endpoint_prefix != "dynamodb":  # noqa: SLF001
                return send(endpoint, request)
            return self._meet(request, lambda: send(endpoint, request))

        def sleep(seconds: float) -> None:
            self.pause(seconds)

        with (
            patch.object(botocore.endpoint.Endpoint, "_send", meet),
            patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=sleep)),
        ):
            yield

    def _meet(self, request: AWSPreparedRequest, send: Callable[[], AWSResponse]) -> AWSResponse:
        operation, parameters = _call(request)
        if operation not in WRITES:
            return send()
        item = item_identity(parameters)[:2]
        second = int(self.now.timestamp()), item
        if self.units[second] + self.meter.least_units(parameters) > ITEM_WRITE_UNITS_PER_SECOND:
            self.refusals[item] += 1
            answer: AWSResponse = refused(THROTTLED)(request, send)
            return answer
        answer = send()
        document = json.loads(answer.content)
        parsed = document if answer.status_code == 200 else {**document, "Error": {}}
        before = self.meter.write_units
        self.meter.count(operation, parameters, parsed)
        self.units[second] += int(self.meter.write_units - before)
        return answer


def _call(request: AWSPreparedRequest) -> tuple[str, Mapping[str, Any]]:
    target = request.headers["X-Amz-Target"]
    named = target.decode() if isinstance(target, bytes) else target
    return named.partition(".")[2], json.loads(request.body)
