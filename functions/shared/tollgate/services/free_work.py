"""Bounds what no model is called for: polls, repeats and token counts, by tenant."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tollgate.domain.errors import RateExceededError, UnavailableError
from tollgate.domain.ledger import Windows
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tollgate.domain.free_work import FreeLimits
    from tollgate.ports import Clock, FreeCounters
    from tollgate.services.policy import Party

# How long a place is kept beyond its wait, for a process that died in it or was slow to leave.
_MARGIN_SECONDS = 10
# A process takes polls from the minute's in blocks, each twice the one before and at most this
# part of the limit: a client that reads a job as it grows polls as often as the job is written.
_MOST_BLOCKS = 100


@dataclass(frozen=True, slots=True)
class _Block:
    """Polls of one minute that this process may answer without counting them again."""

    minute: str
    size: int
    left: int


class FreeWork:
    """Counts a tenant's free work, and gives places to what waits.

    Each process may answer as many polls as it has taken from the tenant's minute, so that no
    minute has more than its limit, and most polls write nothing.
    """

    def __init__(self, counters: FreeCounters, limits: FreeLimits, clock: Clock) -> None:
        self._counters = counters
        self._limits = limits
        self._clock = clock
        self._blocks: dict[str, _Block] = {}
        self._lock = threading.Lock()

    def poll(self, tenant_id: str) -> None:
        """Count an answer that is asked for again. Raises RateExceededError."""
        now = self._clock()
        limit = self._limits.polls_per_minute
        minute = Windows.at(now).minute
        size = self._next_block(tenant_id, minute)
        if size == 0:
            return
        size = min(size, max(limit // _MOST_BLOCKS, 1))
        if not self._counters.take(tenant_id, "polls", minute, size, limit):
            raise _exceeded("tenant", "polls_per_minute", limit, now)
        with self._lock:
            self._blocks[tenant_id] = _Block(minute, size, size - 1)

    def _next_block(self, tenant_id: str, minute: str) -> int:
        """0 where one poll is left and is taken, else the size of the block to take."""
        with self._lock:
            block = self._blocks.get(tenant_id)
            if block is None or block.minute != minute:
                return 1
            if block.left == 0:
                return block.size * 2
            self._blocks[tenant_id] = _Block(minute, block.size, block.left - 1)
            return 0

    def count_tokens(self, party: Party) -> None:
        """Count a token count: as many a minute as calls, and no more than the deployment's limit.

        They are counted apart from calls. Raises RateExceededError.
        """
        now = self._clock()
        minute = Windows.at(now).minute
        tenant_id = party.tenant.tenant_id
        of_app = party.app.limits.requests_per_minute
        if of_app is not None:
            kind = f"token_counts/{party.app.app_id}"
            if not self._counters.take(tenant_id, kind, minute, 1, of_app):
                raise _exceeded("app", "token_counts_per_minute", of_app, now)
        limit = self._limits.token_counts_per_minute
        of_calls = party.tenant.limits.requests_per_minute
        if of_calls is not None:
            limit = min(limit, of_calls)
        if not self._counters.take(tenant_id, "token_counts", minute, 1, limit):
            raise _exceeded("tenant", "token_counts_per_minute", limit, now)

    @contextmanager
    def waiting(self, tenant_id: str, name: str, seconds: float) -> Iterator[bool]:
        """A place to wait in for at most so many seconds; False where there is none.

        There is none while another request waits under the name, or as many as the tenant may
        have wait.
        """
        now = int(self._clock().timestamp())
        until = now + int(seconds) + _MARGIN_SECONDS
        most = self._limits.waiting_requests
        is_in = self._counters.enter(tenant_id, name, now, until, most)
        try:
            yield is_in
        finally:
            if is_in:
                self._leave(tenant_id, name, until)

    def _leave(self, tenant_id: str, name: str, until: int) -> None:
        try:
            self._counters.leave(tenant_id, name, until)
        except UnavailableError as error:
            # It ends by itself.
            logger.warning("place not left", extra={"dependency": error.details})


def _exceeded(scope: str, limit_name: str, limit: int, now: datetime) -> RateExceededError:
    retry_after = 60 - now.second
    return RateExceededError(
        f"the {scope}'s limit of {limit} {limit_name.replace('_', ' ')} is reached; "
        f"try again in {retry_after} s",
        code=f"{limit_name}_exceeded",
        details={"scope": scope, "limit_name": limit_name, "limit": limit},
        retry_after=retry_after,
    )
