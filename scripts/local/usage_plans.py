"""Usage plans: what modules/usage_plan makes of limits, and how API Gateway counts against it."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from scripts.local.apigateway import GatewayError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# As in modules/usage_plan: the plan is a fence wider than the limits that the ledger keeps.
HTTP_REQUESTS_PER_MODEL_CALL = 10
MAX_BURST = 5_000
MAX_QUOTA = 2**31 - 1


@dataclass(frozen=True)
class UsagePlan:
    """A tenant's fence; None means no limit of that kind."""

    rate_per_second: float | None = None
    burst: int | None = None
    requests_per_day: int | None = None

    @classmethod
    def of(cls, throttle: Mapping[str, Any], requests_per_day: int | None = None) -> Self:
        """The plan with a throttle as API Gateway and Terraform write it."""
        return cls(throttle.get("rate_limit"), throttle.get("burst_limit"), requests_per_day)


def usage_plan(limits: Mapping[str, int | None], ceiling: UsagePlan) -> UsagePlan:
    """Return the fence that modules/usage_plan makes of a tenant's limits.

    `ceiling` is the most that a key may take of the stage's throttle.
    """
    per_minute, per_day = limits["requests_per_minute"], limits["requests_per_day"]
    rates, bursts = [ceiling.rate_per_second], [ceiling.burst]
    if per_minute is not None:
        allowed = per_minute * HTTP_REQUESTS_PER_MODEL_CALL
        rates.append(math.ceil(allowed / 60))
        bursts.append(min(allowed, MAX_BURST))
    quota = None if per_day is None else min(per_day * HTTP_REQUESTS_PER_MODEL_CALL, MAX_QUOTA)
    return UsagePlan(
        min((rate for rate in rates if rate is not None), default=None),
        min((burst for burst in bursts if burst is not None), default=None),
        quota,
    )


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
