"""In-memory idempotency records."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tollgate.domain.idempotency import IdempotencyRecord


class FakeIdempotencyRecords:
    """`tollgate.ports.IdempotencyRecords` in a dict by record id, which is of one tenant only."""

    def __init__(self) -> None:
        self.records: dict[str, IdempotencyRecord] = {}
        self._lock = threading.Lock()

    def claim(self, record: IdempotencyRecord, now: datetime) -> IdempotencyRecord | None:
        with self._lock:
            standing = self.records.get(record.record_id)
            if standing is not None and standing.is_in_force(int(now.timestamp())):
                return None if standing.request_id == record.request_id else standing
            self.records[record.record_id] = record
            return None

    def finish(self, record: IdempotencyRecord) -> bool:
        with self._lock:
            standing = self.records.get(record.record_id)
            if standing is None or standing.request_id != record.request_id:
                return False
            if standing.status not in ("running", record.status):
                return False
            self.records[record.record_id] = replace(record, body_hash=standing.body_hash)
            return True

    def release(self, record: IdempotencyRecord) -> None:
        with self._lock:
            standing = self.records.get(record.record_id)
            if standing is not None and (standing.request_id, standing.status) == (
                record.request_id,
                "running",
            ):
                del self.records[record.record_id]
