"""In-memory counters of free work."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict


class FakeFreeCounters:
    """`tollgate.ports.FreeCounters` in dicts; `written` is how many writes were asked for."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.waits: dict[str, dict[str, int]] = defaultdict(dict)
        self.written = 0
        self._lock = threading.Lock()

    def take(self, tenant_id: str, kind: str, minute: str, amount: int, limit: int) -> bool:
        with self._lock:
            self.written += 1
            if self.counts[tenant_id, kind, minute] + amount > limit:
                return False
            self.counts[tenant_id, kind, minute] += amount
            return True

    def enter(self, tenant_id: str, name: str, now: int, until: int, most: int) -> bool:
        with self._lock:
            self.written += 1
            waits = self.waits[tenant_id]
            for other in [other for other, end in waits.items() if end < now]:
                del waits[other]
            if name in waits or len(waits) >= most:
                return False
            waits[name] = until
            return True

    def leave(self, tenant_id: str, name: str, until: int) -> None:
        with self._lock:
            self.written += 1
            if self.waits[tenant_id].get(name) == until:
                del self.waits[tenant_id][name]
