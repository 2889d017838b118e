"""Lambda's Runtime API and the part of API Gateway that streams, for functions that need both.

`RuntimeApi` keeps environments of one function: threads that run the same loop as in AWS
(`tollgate.entry.runtime`), each answering one invocation at a time, or processes of somebody
else's. `invoke` hands an event to a free environment, or to a new one, and returns as soon as
status and headers are there; `call` waits for all of an answer that is not streamed.
"""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from scripts.local.lambda_runtime import (
    MAX_PAYLOAD_BYTES,
    FunctionError,
    PayloadTooLargeError,
)
from scripts.local.lifecycle import Startable
from scripts.local.ministack import ACCOUNT_ID, REGION
from tollgate.entry import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts.local.lambda_runtime import Handler

_PREFIX = "/2018-06-01/runtime"
_PRELUDE_END = b"\x00" * 8
_GONE = 410
# Pieces between the function and a slow client, as API Gateway's own buffer is small.
_WAITING_PIECES = 16


def _new_trace_id() -> str:
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=1"


@dataclass
class Invocation:
    """One event on its way through the function, and the answer as it comes.

    `status` and `headers` of a streamed answer, `document` of another, are there once `invoke` has
    returned. `trace_id` is X-Ray's header.
    """

    event: bytes
    deadline: float
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_id: str = field(default_factory=_new_trace_id)
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    document: bytes = b""
    _pieces: queue.Queue[bytes | FunctionError | None] = field(
        default_factory=lambda: queue.Queue(_WAITING_PIECES)
    )
    _begun: queue.Queue[FunctionError | None] = field(default_factory=queue.Queue)
    _abandoned: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Wait for status and headers. Raises FunctionError when there will be none."""
        try:
            failure = self._begun.get(timeout=max(self.deadline - time.time(), 0))
        except queue.Empty:
            failure = FunctionError("timed out")
        if failure is not None:
            raise failure

    def body(self) -> Iterator[bytes]:
        """The pieces of the body. Raises FunctionError when the function breaks it off."""
        while (piece := self._pieces.get()) is not None and not self._abandoned.is_set():
            if isinstance(piece, FunctionError):
                raise piece
            yield piece

    def abandon(self) -> None:
        """Read no further: the client is gone."""
        self._abandoned.set()
        # For a reader that waits; where there is no room, there is a piece that wakes it.
        with contextlib.suppress(queue.Full):
            self._pieces.put_nowait(None)

    def begin(self, prelude: Mapping[str, Any]) -> None:
        """Take status and headers from the function."""
        self.status = int(prelude["statusCode"])
        self.headers = prelude.get("headers") or {}
        self._begun.put(None)

    def complete(self, document: bytes) -> None:
        """Take all of an answer that is not streamed from the function."""
        self.document = document
        self._begun.put(None)

    def take(self, piece: bytes | FunctionError | None) -> bool:
        """Take a piece, a failure or the end from the function; False when nobody reads on."""
        while not self._abandoned.is_set():
            try:
                self._pieces.put(piece, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def fail(self, failure: FunctionError) -> None:
        """Take the failure of a function that has sent nothing."""
        self._begun.put(failure)


class RuntimeApi(Startable):
    """The server and the environments of one function; use it as a context manager.

    Args:
        name: the function's short name, for example `converse`.
        handler: its handler; None where the environments are processes of somebody else.
        prefix: prefix of the function's name in AWS.
        timeout_seconds: how long an invocation may take.
        keep_alive_seconds: pause after which an answer's keep-alive is sent.
        is_streamed: whether the function answers in pieces; it must do as this says.
    """

    def __init__(
        self,
        name: str,
        handler: Handler | None,
        *,
        prefix: str = "tollgate-local",
        timeout_seconds: float = 900,
        keep_alive_seconds: float = runtime.KEEP_ALIVE_SECONDS,
        is_streamed: bool = True,
    ) -> None:
        self.is_streamed = is_streamed
        # One process has one environment for its variables, so that threads share X-Ray's.
        self.is_traced = handler is None
        self._name = name
        self._handler = handler
        self._function_name = f"{prefix}-{name}"
        self._timeout_seconds = timeout_seconds
        self._keep_alive_seconds = keep_alive_seconds
        self._waiting: queue.Queue[Invocation | None] = queue.Queue()
        self._running: dict[str, Invocation] = {}
        self._lock = threading.Lock()
        # Environments that wait, less events that wait for one.
        self._free = 0
        self.environments = 0
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def idle(self) -> int:
        """How many environments wait for an event."""
        with self._lock:
            return max(self._free, 0)

    @property
    def address(self) -> str:
        """Host and port, as AWS_LAMBDA_RUNTIME_API has them."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Send the environments home and stop serving."""
        self._waiting.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def invoke(self, event: Mapping[str, object]) -> Invocation:
        """Hand an event to an environment; returns once status and headers are there.

        Raises:
            PayloadTooLargeError: the event does not fit.
            FunctionError: the function failed before it answered.
        """
        payload = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise PayloadTooLargeError(f"{len(payload)} bytes; at most {MAX_PAYLOAD_BYTES}")
        invocation = Invocation(payload, time.time() + self._timeout_seconds)
        with self._lock:
            self._running[invocation.request_id] = invocation
            all_are_busy = self._free <= 0
            self._free -= 1
        if all_are_busy and self._handler is not None:
            self._add_environment(self._handler)
        self._waiting.put(invocation)
        invocation.wait()
        return invocation

    def call(self, event: Mapping[str, object]) -> Any:  # noqa: ANN401 - any JSON
        """What a function that does not stream answers. Raises as `invoke` does."""
        return json.loads(self.invoke(event).document)

    def next(self) -> Invocation | None:
        """The next invocation for an environment; None when it is to end."""
        with self._lock:
            self._free += 1
        invocation = self._waiting.get()
        if invocation is None:
            # For the next environment that asks.
            self._waiting.put(None)
        return invocation

    def take(self, request_id: str) -> Invocation | None:
        """The invocation that an environment answers now; an id is good for one answer."""
        with self._lock:
            return self._running.pop(request_id, None)

    def fail_all(self, failure: FunctionError) -> None:
        """No environment will answer what is under way."""
        with self._lock:
            running, self._running = self._running, {}
        for invocation in running.values():
            invocation.fail(failure)

    def arn(self) -> str:
        """The function's ARN."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{self._function_name}"

    def _add_environment(self, handler: Handler) -> None:
        self.environments += 1
        loop = runtime.Runtime(
            self.address,
            handler,
            function_name=self._function_name,
            memory_mb="512",
            keep_alive_seconds=self._keep_alive_seconds,
        )

        def run() -> None:
            # The server may stop while an environment still works.
            with contextlib.suppress(OSError, HTTPException):
                loop.run()

        threading.Thread(target=run, name=f"{self._name} environment", daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], api: RuntimeApi) -> None:
        self.api = api
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        # An environment that goes away in the middle is part of what is tested here.
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:  # noqa: N802 - the base class names it
        """`invocation/next`."""
        invocation = self.server.api.next()
        if invocation is None:
            self._reply(_GONE)
            return
        headers = {
            # Lambda's Python runtime dies without it.
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(round(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.server.api.arn(),
            runtime.INVOCATION_ID: invocation.invocation_id,
            **({runtime.TRACE_ID: invocation.trace_id} if self.server.api.is_traced else {}),
        }
        self._reply(200, invocation.event, headers)

    def do_POST(self) -> None:  # noqa: N802 - the base class names it
        """`invocation/<id>/response`, `invocation/<id>/error` and `init/error`."""
        *_, request_id, kind = self.path.removeprefix(_PREFIX).split("/")
        if request_id == "init":
            self.server.api.fail_all(FunctionError(self._error_type()))
            self._reply(202)
            return
        invocation = self.server.api.take(request_id)
        if invocation is None:
            self._reply(403)
            return
        refusal = self._refusal(invocation)
        if refusal is not None:
            invocation.fail(FunctionError(refusal))
            self._reply(400)
            return
        if kind == "error":
            invocation.fail(FunctionError(self._error_type()))
            self._reply(202)
        elif not self.server.api.is_streamed:
            invocation.complete(self._document())
            self._reply(202)
        elif self._read_response(invocation):
            self._reply(202)
        else:
            # As hard as a broken line: the function is to notice, and to go on all the same.
            self.close_connection = True

    def _refusal(self, invocation: Invocation) -> str | None:
        # Lambda takes an answer without it, and would take one that is a try late.
        if self.headers.get(runtime.INVOCATION_ID) != invocation.invocation_id:
            return f"the function does not send {runtime.INVOCATION_ID} back"
        mode = self.headers.get("Lambda-Runtime-Function-Response-Mode")
        if self.path.endswith("/response") and self.server.api.is_streamed != (mode == "streaming"):
            return f"the function {'does not stream' if mode is None else 'streams'}"
        return None

    def _document(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _error_type(self) -> str:
        return str(json.loads(self._document())["errorType"])

    def _read_response(self, invocation: Invocation) -> bool:
        head = b""
        while _PRELUDE_END not in head:
            chunk = self._chunk()
            if not chunk:
                invocation.fail(FunctionError("the function sent no prelude"))
                return True
            head += chunk
        prelude, _, rest = head.partition(_PRELUDE_END)
        invocation.begin(json.loads(prelude))
        piece = rest
        while True:
            if piece and not invocation.take(piece):
                return False
            piece = self._chunk()
            if not piece:
                break
        trailers = self._trailers()
        failure = trailers.get(runtime.ERROR_TYPE.lower())
        if failure is not None:
            invocation.take(FunctionError(failure))
        return invocation.take(None)

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().strip() or b"0", 16)
        data = self.rfile.read(size)
        if size:
            self.rfile.readline()
        return data

    def _trailers(self) -> dict[str, str]:
        found = {}
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            found[name.lower()] = value.strip()
        return found

    def _reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
