"""Lambda's Runtime API for functions that answer in pieces.

Lambda's own Python runtime sends an answer only once it is complete. A function with the wrapper
script `bootstrap` (AWS_LAMBDA_EXEC_WRAPPER) runs this loop in its place, from its `__main__`: it
takes one invocation after the other and sends each answer as API Gateway reads it in STREAM mode: a
JSON prelude with status and headers, eight NULs, then the body as it comes.

An answer is made to its end even when nobody listens any more: a call that has begun is billed to
its end, and must be settled.
"""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tollgate.entry.http import StreamedResponse
from tollgate.entry.settings import load, pass_trace_on
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Handler = Callable[[dict[str, Any], Any], Any]

_PATH = "/2018-06-01/runtime"
_PRELUDE_END = b"\x00" * 8
CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
INVOCATION_ID = "Lambda-Runtime-Invocation-Id"
TRACE_ID = "Lambda-Runtime-Trace-Id"
# API Gateway gives up a connection that is silent for five minutes, proxies in between sooner.
KEEP_ALIVE_SECONDS = 15.0
# Pieces that wait for a slow client; after that its model's stream waits as well.
_WAITING_PIECES = 64
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Settings:
    """What Lambda tells every function's process."""

    aws_lambda_runtime_api: str
    aws_lambda_function_name: str
    aws_lambda_function_memory_size: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler is told about its invocation; the names are Lambda's."""

    aws_request_id: str
    invoked_function_arn: str
    deadline_ms: int
    function_name: str
    memory_limit_in_mb: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        return max(self.deadline_ms - time.time_ns() // 1_000_000, 0)


@dataclass(frozen=True, slots=True)
class _Invocation:
    """What the Runtime API hands out.

    `echo` is what it wants back with the answer, by which it tells this try of a request from an
    earlier one that it gave up. `trace_id` is X-Ray's, None where it sent none.
    """

    event: dict[str, Any]
    context: Context
    echo: Mapping[str, str]
    trace_id: str | None


class Runtime:
    """Takes invocations from the Runtime API at `address` (host:port) and answers them."""

    def __init__(
        self,
        address: str,
        handler: Handler,
        *,
        function_name: str,
        memory_mb: str,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        self._address = address
        self._handler = handler
        self._function_name = function_name
        self._memory_mb = memory_mb
        self._keep_alive_seconds = keep_alive_seconds

    def run(self) -> None:
        """Answer invocations until the Runtime API says that there are no more."""
        while True:
            invocation = self._next()
            if invocation is None:
                return
            pass_trace_on(invocation.trace_id)
            self._answer(invocation)

    def _next(self) -> _Invocation | None:
        # No timeout: Lambda freezes the process while there is nothing to do.
        connection = HTTPConnection(self._address)
        try:
            connection.request("GET", f"{_PATH}/invocation/next")
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:  # noqa: PLR2004 - HTTP's own number
            return None
        context = Context(
            aws_request_id=response.headers["Lambda-Runtime-Aws-Request-Id"],
            invoked_function_arn=response.headers["Lambda-Runtime-Invoked-Function-Arn"],
            deadline_ms=int(response.headers["Lambda-Runtime-Deadline-Ms"]),
            function_name=self._function_name,
            memory_limit_in_mb=self._memory_mb,
        )
        invocation_id = response.headers.get(INVOCATION_ID)
        return _Invocation(
            json.loads(body),
            context,
            echo={} if invocation_id is None else {INVOCATION_ID: invocation_id},
            trace_id=response.headers.get(TRACE_ID),
        )

    def _answer(self, invocation: _Invocation) -> None:
        try:
            response = _streamed(self._handler(invocation.event, invocation.context))
        except Exception as error:  # noqa: BLE001 - the boundary: Lambda is told of every failure
            logger.exception("unexpected failure")
            self._fail(invocation, error)
            return
        sender = _Sender(self._address, invocation, response, self._keep_alive_seconds)
        sender.start()
        try:
            response.produce(sender.write)
        except Exception as error:  # noqa: BLE001 - as above
            logger.exception("unexpected failure in a stream")
            sender.finish(error)
        else:
            sender.finish(None)

    def _fail(self, invocation: _Invocation, error: Exception) -> None:
        request_id = invocation.context.aws_request_id
        report_error(self._address, f"/invocation/{request_id}/error", error, invocation.echo)


class _Sender(threading.Thread):
    """Sends the pieces of one answer while the next ones are made."""

    def __init__(
        self,
        address: str,
        invocation: _Invocation,
        response: StreamedResponse,
        keep_alive_seconds: float,
    ) -> None:
        super().__init__(name="sender", daemon=True)
        self._connection = HTTPConnection(address)
        self._path = f"{_PATH}/invocation/{invocation.context.aws_request_id}/response"
        self._echo = invocation.echo
        self._response = response
        self._keep_alive_seconds = keep_alive_seconds
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_WAITING_PIECES)
        self._error: Exception | None = None
        self._is_connected = True

    def write(self, piece: bytes) -> None:
        """Hand over a piece; waits while too many are on their way."""
        if piece:
            self._pieces.put(piece)

    def finish(self, error: Exception | None) -> None:
        """End the answer, with an error where it broke, and wait until it is sent."""
        self._error = error
        self._pieces.put(None)
        self.join()

    def run(self) -> None:
        """Send the prelude, then pieces until the end."""
        self._attempt(self._begin)
        while True:
            try:
                piece = self._pieces.get(timeout=self._keep_alive_seconds)
            except queue.Empty:
                piece = self._response.keep_alive
            if piece is None:
                break
            if piece:
                self._attempt(partial(self._chunk, piece))
        self._attempt(self._end)
        self._connection.close()

    def _attempt(self, send: Callable[[], None]) -> None:
        """Send unless the other side is gone; then the pieces that still come go nowhere."""
        if not self._is_connected:
            return
        try:
            send()
        except (OSError, HTTPException):
            logger.warning("the caller is gone")
            self._is_connected = False
        except Exception:
            # Whoever makes the pieces would wait for this thread for ever.
            logger.exception("answer not sent")
            self._is_connected = False

    def _begin(self) -> None:
        # As Lambda's Node.js runtime does it, header by header (tests/aws/test_streaming_wire.py).
        self._connection.putrequest("POST", self._path, skip_accept_encoding=True)
        for name, value in (
            ("Lambda-Runtime-Function-Response-Mode", "streaming"),
            ("Trailer", ERROR_TYPE),
            ("Trailer", ERROR_BODY),
            ("Content-Type", CONTENT_TYPE),
            ("Transfer-Encoding", "chunked"),
            *self._echo.items(),
        ):
            self._connection.putheader(name, value)
        self._connection.endheaders()
        prelude = {"statusCode": self._response.status, "headers": dict(self._response.headers)}
        self._chunk(json.dumps(prelude, separators=(",", ":")).encode())
        self._chunk(_PRELUDE_END)

    def _chunk(self, data: bytes) -> None:
        self._connection.send(b"%x\r\n%b\r\n" % (len(data), data))

    def _end(self) -> None:
        self._connection.send(b"0\r\n" + _trailers(self._error) + b"\r\n")
        self._connection.getresponse().read()


def _trailers(error: Exception | None) -> bytes:
    if error is None:
        return b""
    body = base64.b64encode(json.dumps(_error_body(error)).encode()).decode()
    return f"{ERROR_TYPE}: {type(error).__name__}\r\n{ERROR_BODY}: {body}\r\n".encode()


def _error_body(error: Exception) -> dict[str, Any]:
    # The message could quote a caller's text, and Lambda logs what it is told here.
    return {"errorType": type(error).__name__, "errorMessage": "", "stackTrace": []}


def report_error(
    address: str, path: str, error: Exception, echo: Mapping[str, str] = _NOTHING
) -> None:
    """Tell the Runtime API that an invocation, or the start of the function, failed.

    `echo` is what it wants back with it.
    """
    connection = HTTPConnection(address)
    try:
        connection.request(
            "POST",
            f"{_PATH}{path}",
            json.dumps(_error_body(error)),
            {ERROR_TYPE: type(error).__name__, "Content-Type": "application/json", **echo},
        )
        connection.getresponse().read()
    finally:
        connection.close()


def _streamed(response: StreamedResponse | Mapping[str, Any]) -> StreamedResponse:
    """The answer of a handler; one that is complete becomes a stream of one piece."""
    if isinstance(response, StreamedResponse):
        return response
    text: str = response["body"]
    body = base64.b64decode(text) if response.get("isBase64Encoded") else _utf8(text)
    return StreamedResponse(
        status=response["statusCode"],
        headers=response["headers"],
        produce=lambda write: write(body),
    )


def _utf8(text: str) -> bytes:
    # A model's text may hold half a surrogate pair; the answer is paid for all the same.
    return text.encode(errors="surrogatepass")


def main(load_handler: Callable[[], Handler]) -> int:
    """Load the function's handler and run."""
    settings = load(Settings)
    address = settings.aws_lambda_runtime_api
    try:
        handler = load_handler()
    except Exception as error:  # noqa: BLE001 - Lambda is told why the function did not start
        logger.exception("the function did not start")
        report_error(address, "/init/error", error)
        return 1
    runtime = Runtime(
        address,
        handler,
        function_name=settings.aws_lambda_function_name,
        memory_mb=settings.aws_lambda_function_memory_size,
    )
    runtime.run()
    return 0
