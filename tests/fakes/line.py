"""A network between a client and a server, which forgets connections as real ones do.

What lies between Lambda and a service (a load balancer, a NAT gateway) drops a connection that was
idle, and tells the sides nothing: a client that sends on it all the same is answered by a reset, or
by silence.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Line:
    """Passes on what comes to `url` to the server at a port; use it as a context manager.

    `connections` counts those that clients made; `is_lost` forgets each as soon as it is there.
    """

    def __init__(self, port: int, *, is_lost: bool = False, is_silent: bool = False) -> None:
        """`is_silent` says that what comes on a forgotten connection goes nowhere."""
        self.connections = 0
        self._port = port
        self._is_lost = is_lost
        self._is_silent = is_silent
        self._forgotten: set[socket.socket] = set()
        self._open: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect."""
        host, port = self._server.getsockname()
        return host, port

    @property
    def url(self) -> str:
        """What a client calls in place of the server."""
        return "http://{}:{}".format(*self.address)

    def forget(self) -> None:
        """Whatever comes on a connection that is open now is answered by a reset."""
        self._forgotten.update(self._open)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in (self._server, *self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self.connections += 1
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self._is_lost:
            self._forgotten.add(client)
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._port)) as server,
        ):
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
            while data := client.recv(65536):
                if client not in self._forgotten:
                    server.sendall(data)
                elif not self._is_silent:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
                    client.close()
                    return

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
