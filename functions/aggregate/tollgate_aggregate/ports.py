"""What aggregation needs from the outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from tollgate.domain.usage import UsageRow
    from tollgate.ports import UnreadableRow


class UsageReader(Protocol):
    """The usage table, by hour."""

    def hour(self, hour: datetime) -> Iterator[UsageRow | UnreadableRow]:
        """All rows of the requests that started in the UTC hour, read consistently."""

    def delete(self, request_ids: Iterable[str]) -> None:
        """Delete rows of requests; one that is not there is no failure."""


class Watermark(Protocol):
    """How far the hours are closed, or their rows deleted."""

    def get(self) -> datetime | None:
        """The UTC moment before which every hour is done; None before the first run."""

    def set(self, closed_through: datetime) -> None:
        """Move the moment forward; an earlier one than stands is ignored."""


class OpenHolds(Protocol):
    """Requests that are not settled yet."""

    def request_ids(self) -> Iterable[str]:
        """Ids of all requests with a hold, read consistently; one may appear more than once."""


class StoredObject(Protocol):
    """An object as it was read: its bytes and a mark that changes with every write."""

    @property
    def data(self) -> bytes:
        """The object's content."""

    @property
    def version(self) -> str:
        """The mark of the write that made it."""


class Lake(Protocol):
    """The usage lake's objects."""

    def get(self, key: str) -> StoredObject | None:
        """Read an object; None when there is none."""

    def put(self, key: str, data: bytes, replacing: StoredObject | None) -> bool:
        """Write an object over the one that was read, None standing for no object.

        False, and nothing written, when something else is there by now.
        """

    def list(self, prefix: str) -> Iterable[str]:
        """Keys that start with the prefix, sorted."""


class Clock(Protocol):
    """The current time."""

    def __call__(self) -> datetime:
        """Now, in UTC."""
