"""A standard queue and the event source between it and a function, on a clock that tests move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tollgate.domain.jobs import queue_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.fakes.world import FakeClock


class Died(BaseException):  # noqa: N818 - no exception of the function: its process is gone
    """The process ended, whatever it was doing."""


@dataclass
class Message:
    """One message; `visible_at` is when it can be received next."""

    message_id: str
    body: str
    visible_at: datetime
    receives: int = 0


class FakeDeliveries:
    """`tollgate.ports.JobQueue`, and what Lambda and SQS do with its messages.

    A message is away for `visibility_seconds` from each time it is received, is deleted when the
    function says that it is done, and comes again when the function lets it, or dies. One that was
    received `max_receives` times becomes a dead one.
    """

    def __init__(self, clock: FakeClock, *, visibility_seconds: int, max_receives: int) -> None:
        self._clock = clock
        self._visibility = timedelta(seconds=visibility_seconds)
        self._max_receives = max_receives
        self.messages: list[Message] = []
        self.dead: list[Message] = []
        self.pauses: list[int] = []

    def send(self, tenant_id: str, job_id: str) -> None:
        self.put(queue_message(tenant_id, job_id))

    def put(self, body: str) -> None:
        """Queue any message."""
        number = len(self.messages) + len(self.dead)
        self.messages.append(Message(f"m-{number}", body, self._clock()))

    def retry(self, receipt: str, seconds: int) -> None:
        (message,) = [message for message in self.messages if _receipt(message) == receipt]
        message.visible_at = self._clock() + timedelta(seconds=seconds)
        self.pauses.append(seconds)

    def deliver(self, run: Callable[[Sequence[dict[str, Any]]], Sequence[str]]) -> bool:
        """Move the clock to the next message and hand it over; False where there is none."""
        if not self.messages:
            return False
        message = min(self.messages, key=lambda message: message.visible_at)
        self._clock.now = max(self._clock.now, message.visible_at)
        if message.receives >= self._max_receives:
            self.messages.remove(message)
            self.dead.append(message)
            return True
        message.receives += 1
        message.visible_at = self._clock() + self._visibility
        record = {
            "messageId": message.message_id,
            "receiptHandle": _receipt(message),
            "body": message.body,
        }
        try:
            failed = run([record])
        except Died:
            return True
        if message.message_id not in failed:
            self.messages.remove(message)
        return True

    def deliver_all(self, run: Callable[[Sequence[dict[str, Any]]], Sequence[str]]) -> None:
        """Hand over messages until none is left."""
        while self.deliver(run):
            pass


def _receipt(message: Message) -> str:
    # Each time it is received a message has another one, and only the last is good.
    return f"{message.message_id}/{message.receives}"
