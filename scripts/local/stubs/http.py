"""What the stubs of AWS services share as HTTP servers."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def json_object(body: bytes) -> dict[str, Any]:
    """Return a body that is a JSON object; raises ValueError for another."""
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("a JSON object is expected")
    return document


class StubServer(ThreadingHTTPServer):
    """A server that knows its open connections."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[StubHandler], stub: object) -> None:
        """`stub` is what the handlers serve."""
        self.stub = stub
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Remember the connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        """Forget the connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Print what went wrong here, and not that a client went away."""
        if not isinstance(sys.exception(), ConnectionError | ValueError):
            super().handle_error(request, client_address)

    def drop_connections(self) -> None:
        """End every open connection."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class StubHandler(BaseHTTPRequestHandler):
    """Reads bodies, and writes JSON, chunks and broken answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet: the call log is the record."""

    def do_GET(self) -> None:
        """Serve GET."""
        self.dispatch("GET")

    def do_POST(self) -> None:
        """Serve POST."""
        self.dispatch("POST")

    def do_DELETE(self) -> None:
        """Serve DELETE."""
        self.dispatch("DELETE")

    def dispatch(self, method: str) -> None:
        """Serve one request."""
        raise NotImplementedError

    def read_body(self, most: int) -> bytes | None:
        """The body; None where it is too large, and then the connection is to end."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > most:
            self.close_connection = True
            return None
        return self.rfile.read(length)

    def control(self, action: Callable[[], None]) -> None:
        """Answer a request of a test for `action`."""
        try:
            action()
        except ValueError as error:
            self.send_json({"message": str(error)}, HTTPStatus.BAD_REQUEST)
        else:
            self.send_json({})

    def send_json(
        self,
        document: object,
        status: int = HTTPStatus.OK,
        error: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> None:
        """Answer with JSON; `error` is the code of a service's error."""
        payload = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        if error is not None:
            self.send_header("x-amzn-ErrorType", error)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def send_chunk(self, payload: bytes) -> None:
        """Write one chunk of a chunked answer."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(payload), payload))

    def send_last_chunk(self, payload: bytes) -> None:
        """Write the last chunk and the end; the client may have gone."""
        try:
            if payload:
                self.send_chunk(payload)
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True

    def drop(self) -> None:
        """End the connection without ending the response."""
        self.close_connection = True
        # The client may have gone first.
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
