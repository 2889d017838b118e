"""Kept connections of clients whose calls must not be made twice.

Lambda freezes a process between its invocations. What a kept connection is told meanwhile, that the
other side has closed it above all, may never arrive, and a request on it goes nowhere. Nobody can
tell such a call from one that was made and lost, so it would be booked at its hold. Hence a
connection that was idle is closed before the next call rather than used. What still breaks under a
call is never tried again.
"""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from tollgate.adapters.sending import note_connecting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from urllib3.connection import HTTPConnection as _Base

    from tollgate.ports import Clock
else:
    _Base = object

# Within one burst of calls a connection is kept; what lies between two bursts may be a freeze.
IDLE_TIME = timedelta(seconds=3)
# A line that was cut without a word is given up once the other side's kernel acknowledges nothing
# for so long, not even a probe. However long a model thinks, its machine's kernel answers at once.
CUT_SECONDS = 30
_PROBE_AFTER_SECONDS = 15
_PROBE_EVERY_SECONDS = 5


def keep_with_care(client: Any, clock: Clock) -> None:  # noqa: ANN401 - a client of any service
    """Make a new client of boto3 use connections as this module says.

    `clock` has to go on while the process is frozen. Wall time does; what monotonic clocks do then
    is not documented, for Lambda's machines may be stopped and restored.
    """
    # botocore has a setting for neither; tests/aws/test_kept_connections.py holds what is used.
    session = client._endpoint.http_session  # noqa: SLF001
    session._pool_classes_by_scheme.update(_pool_classes(clock))  # noqa: SLF001
    session._socket_options.extend(_socket_options())  # noqa: SLF001


def _pool_classes(clock: Clock) -> Mapping[str, type]:
    class Http(_Kept, AWSHTTPConnection):  # type: ignore[misc] # as botocore's stubs themselves
        now = staticmethod(clock)

    class Https(_Kept, AWSHTTPSConnection):  # type: ignore[misc] # as above
        now = staticmethod(clock)

    class HttpPool(AWSHTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(AWSHTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}


class _Kept(_Base):
    """A connection that is good for another request only soon after the last one's answer."""

    now: Clock
    _answered_at: datetime | None = None

    def connect(self) -> None:
        """Connect, with TLS and all; what fails here has sent nothing of the request."""
        with note_connecting():
            super().connect()

    def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's
        """The answer; from here on the connection may be idle."""
        response = super().getresponse()
        self._answered_at = self.now()
        return response

    @property
    def is_connected(self) -> bool:
        """Whether urllib3 may send another request on it; it makes a new connection otherwise."""
        if self._answered_at is None or not super().is_connected:
            return False
        # A clock that was set back does not say for how long it was idle.
        return timedelta(0) <= self.now() - self._answered_at <= IDLE_TIME


def _socket_options() -> list[tuple[int, int, int]]:
    """TCP's own watch over a line; it also keeps what lies between from forgetting the line."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    tcp = {
        "TCP_KEEPIDLE": _PROBE_AFTER_SECONDS,
        "TCP_KEEPINTVL": _PROBE_EVERY_SECONDS,
        "TCP_KEEPCNT": (CUT_SECONDS - _PROBE_AFTER_SECONDS) // _PROBE_EVERY_SECONDS,
        "TCP_USER_TIMEOUT": CUT_SECONDS * 1000,
    }
    # Linux has all of them, other systems that the stack runs on have not.
    options += [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in tcp.items()
        if hasattr(socket, name)
    ]
    return options
