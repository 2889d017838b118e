"""Leases of holds: a hold ends soon after the process that placed it has died, and not before.

Nobody knows how long a model call will take, so no lease is made to last for one. It lasts two
minutes, and the process that makes the call renews it for as long as it does: a call that takes
less than `RENEW_SECONDS` costs no write more.

A lease that ends too early, because the ledger was out of reach for long, loses no money: the sweep
books the hold, which is the most that the call can cost, and what stands then decides.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tollgate.domain.errors import TollgateError
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from tollgate.ports import Clock
    from tollgate.services.ledger import Lease, Ledger

    Piece = TypeVar("Piece")

# With the sweep of the minute after it, a hold whose process died is there for three minutes.
LEASE_SECONDS = 120
# A renewal may fail twice before the lease ends.
RENEW_SECONDS = 40.0


class Leases:
    """Renews the holds of calls that are being made."""

    def __init__(self, ledger: Ledger, clock: Clock, renew_seconds: float = RENEW_SECONDS) -> None:
        self._ledger = ledger
        self._clock = clock
        self._renew_seconds = renew_seconds

    def extend(self, lease: Lease, seconds: int) -> bool:
        """Let the hold end so many seconds from now; False when a sweep has ended it."""
        return self._ledger.extend(lease, int(self._clock().timestamp()) + seconds)

    @contextmanager
    def kept(self, lease: Lease) -> Iterator[None]:
        """For the time of a call: its hold is renewed until the block ends."""
        renewal = _Renewal(lambda: self.renew(lease), self._renew_seconds)
        try:
            renewal.start()
        except RuntimeError:
            # No thread is left. The call goes on, under a lease that ends too early at worst.
            logger.exception("hold not renewed", extra={"request_id": lease.hold.request_id})
        try:
            yield
        finally:
            renewal.done.set()

    def kept_while(self, lease: Lease, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces of a stream, whose hold is renewed from its first piece to its end."""
        with self.kept(lease):
            yield from pieces

    def renew(self, lease: Lease) -> bool:
        """Renew a hold; False when there is none any more.

        A ledger that is out of reach ends no call: see above.
        """
        try:
            return self.extend(lease, LEASE_SECONDS)
        except TollgateError as error:
            logger.warning(
                "hold not renewed",
                extra={"request_id": lease.hold.request_id, "dependency": error.details},
            )
            return True


class _Renewal(threading.Thread):
    """Renews at every interval until it is done, or there is nothing left to renew."""

    def __init__(self, renew: Callable[[], bool], seconds: float) -> None:
        super().__init__(name="renewal", daemon=True)
        self._renew = renew
        self._seconds = seconds
        self.done = threading.Event()

    def run(self) -> None:
        """Wait and renew in turns."""
        while not self.done.wait(self._seconds):
            if not self._renew():
                return
