"""Usage plans, as API Gateway counts requests against them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scripts.local.apigateway import GatewayError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class UsagePlan:
    """A tenant's fence; None means no limit of that kind."""

    rate_per_second: float | None = None
    burst: int | None = None
    requests_per_day: int | None = None


@dataclass
class _Meter:
    tokens: float
    updated: float
    day: str = ""
    used: int = 0


@dataclass
class UsagePlans:
    """Counts requests against the plan of each API key value."""

    plans_by_key: Mapping[str, UsagePlan]
    clock: Callable[[], float] = time.time
    _meters: dict[str, _Meter] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, key: str | None) -> None:
        """Count one request.

        Raises:
            GatewayError: INVALID_API_KEY for a key without a plan, THROTTLED or QUOTA_EXCEEDED.
        """
        plan = self.plans_by_key.get(key or "")
        if key is None or plan is None:
            raise GatewayError("INVALID_API_KEY")
        now = self.clock()
        with self._lock:
            meter = self._meters.setdefault(key, _Meter(plan.burst or 0, now))
            self._throttle(plan, meter, now)
            self._quota(plan, meter, now)

    @staticmethod
    def _throttle(plan: UsagePlan, meter: _Meter, now: float) -> None:
        if plan.rate_per_second is None or plan.burst is None:
            return
        earned = (now - meter.updated) * plan.rate_per_second
        meter.tokens = min(plan.burst, meter.tokens + earned)
        meter.updated = now
        if meter.tokens < 1:
            raise GatewayError("THROTTLED")
        meter.tokens -= 1

    @staticmethod
    def _quota(plan: UsagePlan, meter: _Meter, now: float) -> None:
        if plan.requests_per_day is None:
            return
        today = datetime.fromtimestamp(now, UTC).date().isoformat()
        if meter.day != today:
            meter.day, meter.used = today, 0
        if meter.used >= plan.requests_per_day:
            raise GatewayError("QUOTA_EXCEEDED")
        meter.used += 1
