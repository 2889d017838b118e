"""What the stubs of model services share: the server, and what a test asks of it."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, cast

from scripts.local.lifecycle import Startable
from scripts.local.stubs.calls import UnderWay
from scripts.local.stubs.directions import Directions, Faults, directions_in
from scripts.local.stubs.errors import invalid
from scripts.local.stubs.gates import Gates
from scripts.local.stubs.http import StubHandler, StubServer, json_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from scripts.local.stubs.calls import Call, CallLog
    from scripts.local.stubs.gates import Gate

DEFAULT_DELTA_SECONDS = 0.01
MAX_BODY_BYTES = 25_000_000
_SIGNATURE = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/")


class ModelStub(Startable):
    """A model service that keeps a log of its calls; use it as a context manager."""

    def __init__(
        self, handler: type[StubHandler], log: CallLog, *, port: int, delta_seconds: float
    ) -> None:
        """`delta_seconds` is the pause between two pieces of a stream."""
        self.log = log
        self.faults = Faults()
        self.gates = Gates()
        self.delta_seconds = delta_seconds
        self.under_way = UnderWay()
        self.stopping = threading.Event()
        self._server = StubServer(("127.0.0.1", port), handler, self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        """Base URL, for the AWS_ENDPOINT_URL_<SERVICE> of the services that it stands for."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def calls(self) -> list[dict[str, Any]]:
        """Return the call log."""
        return self.log.calls()

    def fault(self, **document: object) -> None:
        """Direct later calls, as `POST /_stub/faults` does; raises ValueError."""
        self.faults.add(document)

    def gate(self, name: str) -> AbstractContextManager[Gate]:
        """A gate for calls that are directed to it, closed until it is opened or the block ends."""
        return self.gates.closed(name)

    def direct(self, call: Call, text: str) -> None:
        """Read how a call is to go: as its text says and, before that, as a fault does."""
        call.directions = Directions({**directions_in(text), **self.faults.take(call.facts)})

    def wait(self, call: Call) -> None:
        """Wait before the first byte as directed; raises ServiceError as `pass_gate` does."""
        self.stopping.wait((call.directions.number("delay_ms") or 0) / 1000)
        self.pass_gate(call, mid_stream=False)

    def pass_gate(self, call: Call, *, mid_stream: bool) -> None:
        """Wait at the gate that the call is directed to, if it stands here.

        Raises:
            ServiceError: there is no gate of that name.
        """
        if call.directions.gate is None or call.directions.gate[1] != mid_stream:
            return
        name, _ = call.directions.gate
        try:
            gate = self.gates.find(name)
        except KeyError:
            raise invalid(f"[stub:gate={name}] is no gate") from None
        gate.wait(self.stopping)

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and drop every open connection."""
        self.stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.drop_connections()
        self.log.close()


class ModelHandler(StubHandler):
    """Serves one connection of a `ModelStub`."""

    server: StubServer

    @property
    def stub(self) -> ModelStub:
        """What it serves."""
        return cast("ModelStub", self.server.stub)

    def access_key_id(self) -> str:
        """Return the access key id that signed the request, empty where none did."""
        signature = _SIGNATURE.match(self.headers.get("Authorization") or "")
        return signature[1] if signature else ""

    def serve_test(self, method: str, path: str, body: bytes) -> bool:
        """Serve what tests ask of the stub itself; False where a request is no such thing."""
        routes: dict[tuple[str, str], Callable[[], None]] = {
            ("GET", "/_stub/calls"): lambda: self.send_json({"calls": self.stub.calls()}),
            ("DELETE", "/_stub/calls"): lambda: self.control(self.stub.log.clear),
            ("POST", "/_stub/faults"): lambda: self.control(
                lambda: self.stub.faults.add(json_object(body))
            ),
            ("DELETE", "/_stub/faults"): lambda: self.control(self.stub.faults.clear),
        }
        action = routes.get((method, path))
        if action is not None:
            action()
        return action is not None
