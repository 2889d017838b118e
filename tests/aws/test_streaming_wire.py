"""What the loop of functions that answer in pieces sends, beside what Lambda's Node runtime does.

That runtime is the published one. Its native part, which needs a compiler, fetches invocations; it
has another way for that in JavaScript, which is the one taken here. What sends answers has no
native part.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest

from scripts.build import node_tools
from scripts.build.environments import ROOT
from tests.waiting import PATIENCE_SECONDS
from tollgate.entry.http import StreamedResponse
from tollgate.entry.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

MISSING = node_tools.not_installed(ROOT)
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

NODE_RUNTIME = ROOT / node_tools.FOLDER / "node_modules" / "aws-lambda-ric" / "index.mjs"
HERE = Path(__file__).parent / "node"
# What says nothing of the answer: where it goes, and whether the connection is used again.
CONNECTION = {b"host", b"connection"}
PRELUDE = {
    "statusCode": 200,
    "headers": {"Content-Type": "text/event-stream", "x-request-id": "r1", "quote": '"/\\'},
}


@dataclass
class Sent:
    """A request as it was on the wire."""

    head: bytes
    body: bytes

    @property
    def request(self) -> bytes:
        """Its first line."""
        return self.head.split(b"\r\n")[0]

    @property
    def headers(self) -> list[bytes]:
        """The lines of its headers, less those of the connection."""
        lines = self.head.rstrip().split(b"\r\n")[1:]
        return sorted(line for line in lines if line.split(b":")[0].lower() not in CONNECTION)


@dataclass
class RecordingApi:
    """A Runtime API that hands out one invocation and keeps the answer's bytes."""

    event: dict[str, Any]
    sent: Queue[Sent] = field(default_factory=Queue)
    _handed_out: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """As AWS_LAMBDA_RUNTIME_API has it."""
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            connection, _ = self._server.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # Both runtimes are ended while they wait for another invocation.
        with suppress(ConnectionError), connection, connection.makefile("rb") as file:
            while head := b"".join(_head(file)):
                if head.startswith(b"POST"):
                    self.sent.put(Sent(head, b"".join(_chunked(file))))
                    connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                elif self._handed_out.is_set():
                    return
                else:
                    self._handed_out.set()
                    connection.sendall(self._invocation())

    def _invocation(self) -> bytes:
        event = json.dumps(self.event).encode()
        return (
            b"HTTP/1.1 200 OK\r\n"
            b"Content-Type: application/json\r\n"
            b"Lambda-Runtime-Aws-Request-Id: r-1\r\n"
            b"Lambda-Runtime-Deadline-Ms: 99999999999999\r\n"
            b"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:f"
            b"\r\nContent-Length: %d\r\n\r\n%b" % (len(event), event)
        )


def _head(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a request before its body."""
    while line := file.readline():
        yield line
        if line == b"\r\n":
            return


def _chunked(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a chunked body, trailers included."""
    while line := file.readline():
        yield line
        if int(line, 16) == 0:
            break
        yield file.read(int(line, 16) + 2)
    yield from _head(file)


def from_node(event: dict[str, Any]) -> Sent:
    api = RecordingApi(event)
    process = subprocess.Popen(
        ["node", "--require", str(HERE / "no_native_client.cjs"), str(NODE_RUNTIME)],
        env={
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_GROUP_NAME": "f",
            "AWS_LAMBDA_LOG_STREAM_NAME": "f",
            "AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1": "true",
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "LAMBDA_TASK_ROOT": str(HERE),
            "_HANDLER": "streaming.handler",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return api.sent.get(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()


def from_ours(event: dict[str, Any]) -> Sent:
    def handler(asked: dict[str, Any], _: object) -> StreamedResponse:
        def produce(write: Callable[[bytes], None]) -> None:
            for piece in asked["pieces"]:
                write(piece.encode())
            if asked["fails"]:
                raise LookupError("a prompt")

        prelude = asked["prelude"]
        return StreamedResponse(prelude["statusCode"], prelude["headers"], produce)

    api = RecordingApi(event)
    loop = Runtime(api.address, handler, function_name="f", memory_mb="512")
    threading.Thread(target=loop_until_closed, args=(loop,), daemon=True).start()
    return api.sent.get(timeout=PATIENCE_SECONDS)


def loop_until_closed(loop: Runtime) -> None:
    # The recording API closes the connection that asks for a second invocation.
    with suppress(ConnectionError):
        loop.run()


@pytest.mark.parametrize("pieces", [["one"], ["data: Grüße\n\n", "x" * 70_000, "[DONE]\n\n"]])
def test_an_answer_is_byte_for_byte_that_of_lambdas_node_runtime(pieces: list[str]) -> None:
    event = {"prelude": PRELUDE, "pieces": pieces, "fails": False}
    theirs, ours = from_node(event), from_ours(event)

    assert (ours.request, ours.headers) == (theirs.request, theirs.headers)
    assert ours.body == theirs.body


def test_an_answer_that_breaks_off_ends_as_that_of_lambdas_node_runtime() -> None:
    event = {"prelude": PRELUDE, "pieces": ["begun"], "fails": True}
    theirs, ours = from_node(event), from_ours(event)

    assert ours.headers == theirs.headers
    told = re.compile(rb"(?<=Function-Error-Body: )[\w+/=]+")
    assert told.sub(b"", ours.body) == told.sub(b"", theirs.body)
    # Of what failed only the kind is told: the message could quote a prompt.
    (body,) = told.findall(ours.body)
    document = json.loads(base64.b64decode(body))
    assert (document["errorType"], document["errorMessage"]) == ("LookupError", "")
