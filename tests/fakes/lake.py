"""In-memory stand-ins for what aggregation reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tollgate.domain.ids import request_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from tollgate.domain.usage import UsageRow
    from tollgate.ports import UnreadableRow
    from tollgate_aggregate.ports import StoredObject


class FakeUsageReader:
    """Usage rows by request id."""

    def __init__(self, rows: Iterable[UsageRow] = ()) -> None:
        self.rows = {row.request_id: row for row in rows}
        self.unreadable: dict[datetime, list[UnreadableRow]] = {}

    def add(self, *rows: UsageRow) -> None:
        self.rows |= {row.request_id: row for row in rows}

    def hour(self, hour: datetime) -> Iterator[UsageRow | UnreadableRow]:
        for request_id, row in list(self.rows.items()):
            if request_time(request_id).replace(minute=0, second=0, microsecond=0) == hour:
                yield row
        yield from self.unreadable.get(hour, ())

    def delete(self, request_ids: Iterable[str]) -> None:
        for request_id in request_ids:
            self.rows.pop(request_id, None)


class FakeWatermark:
    """A moment that only moves forward."""

    def __init__(self, closed_through: datetime | None = None) -> None:
        self.closed_through = closed_through

    def get(self) -> datetime | None:
        return self.closed_through

    def set(self, closed_through: datetime) -> None:
        if self.closed_through is None or self.closed_through < closed_through:
            self.closed_through = closed_through


class FakeOpenHolds:
    """Request ids that can be settled by taking them away."""

    def __init__(self, *request_ids: str) -> None:
        self.open = list(request_ids)

    def request_ids(self) -> Iterable[str]:
        return list(self.open)


@dataclass(frozen=True, slots=True)
class FakeObject:
    """An object and the number of the write that made it."""

    data: bytes
    version: str


class FakeLake:
    """Objects in a dict, and the keys in the order they were written."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.written: list[str] = []

    def get(self, key: str) -> FakeObject | None:
        data = self.objects.get(key)
        return None if data is None else FakeObject(data, str(self.written.count(key)))

    def put(self, key: str, data: bytes, replacing: StoredObject | None) -> bool:
        standing = self.get(key)
        if (standing and standing.version) != (replacing and replacing.version):
            return False
        self.objects[key] = data
        self.written.append(key)
        return True

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))
