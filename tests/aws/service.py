"""A stand-in of an AWS service that speaks JSON, on loopback."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.aws.rest_api import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True)
class Request:
    """A request as it came; `target` is path and query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@contextmanager
def serve(answer: Callable[[Request], tuple[int, dict[str, Any] | None]]) -> Iterator[str]:
    """Answer requests, one at a time, with status and document; yields the address.

    `answer` raises Refused for what the service would refuse.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body leave in one write. In two, the second waits for the client's delayed
        # acknowledgement of the first, and on a busy machine the provider now and then gave such a
        # connection up and sent its request again.
        wbufsize = -1

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, self.headers, body)
            headers = {"Content-Type": "application/json"}
            try:
                # Written under the lock: a document may be the stand-in's own, and change.
                with lock:
                    status, document = answer(request)
                    data = _written(document)
            except Refused as refused:
                status, data = refused.status, _written({"message": str(refused)})
                headers["x-amzn-errortype"] = refused.kind
            except Exception as fault:  # noqa: BLE001 - the provider would ask again for minutes
                status, data = 400, _written({"message": f"the stand-in failed: {fault!r}"})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = _answer

        def log_message(self, *_arguments: Any) -> None:
            pass

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _written(document: dict[str, Any] | None) -> bytes:
    if document is None:
        return b""
    return json.dumps({key: each for key, each in document.items() if each is not None}).encode()
