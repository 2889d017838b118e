"""The SageMaker stub's routes, and how a call of an endpoint goes.

A stream comes in parts that end anywhere.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from scripts.local.ministack import ACCOUNT_ID
from scripts.local.stubs.calls import Call, Outcome
from scripts.local.stubs.errors import ServiceError
from scripts.local.stubs.language import count_tokens, most_tokens
from scripts.local.stubs.model_stub import MAX_BODY_BYTES, ModelHandler
from scripts.local.stubs.sagemaker.containers import container_for
from scripts.local.stubs.sagemaker.errors import failure, refused
from scripts.local.stubs.service_model.requests import Request, check, operation
from tollgate.dialects.bedrock import eventstream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.local.stubs.sagemaker.containers import Container
    from scripts.local.stubs.sagemaker.server import SageMakerStub

PART_BYTES = 29
"""Size of a part of a stream: no line ends where a part does."""
_PATH = re.compile(r"/endpoints/([^/]+)/(invocations|invocations-response-stream)")
_OPERATIONS = {
    "invocations": "InvokeEndpoint",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}


class Handler(ModelHandler):
    """Serves one connection of the stub."""

    @property
    def stub(self) -> SageMakerStub:
        """What it serves."""
        return cast("SageMakerStub", self.server.stub)

    def dispatch(self, method: str) -> None:
        """Serve one request."""
        path = urlsplit(self.path).path
        body = self.read_body(MAX_BODY_BYTES)
        if body is None:
            self._error(failure("ValidationError", "the request body is too large"))
            return
        if method == "POST" and (match := _PATH.fullmatch(path)):
            with self.stub.under_way:
                self._invoke(self._call(_OPERATIONS[match[2]], unquote(match[1])), body)
            return
        if not self.serve_test(method, path, body):
            self._error(failure("ValidationError", f"no {method} {path}"))

    def _call(self, operation: str, endpoint: str) -> Call:
        facts = {
            "component": self.headers.get("X-Amzn-SageMaker-Inference-Component", ""),
            "request_id": self.headers.get("X-Amzn-SageMaker-Inference-Id", ""),
        }
        return Call(
            operation,
            endpoint,
            access_key_id=self.access_key_id(),
            request={"requestMetadata": {name: value for name, value in facts.items() if value}},
        )

    def _invoke(self, call: Call, data: bytes) -> None:
        try:
            self._read(call, data)
            self._check(call)
            worst_case = self.stub.worst_case
            container = container_for(_parsed(data), most_tokens if worst_case else count_tokens)
            self.stub.direct(call, container.prompt)
            self.stub.wait(call)
            streams = call.operation == _OPERATIONS["invocations-response-stream"]
            if call.directions.error is not None:
                code, mid_stream = call.directions.error
                if not (mid_stream and streams):
                    raise failure(code, f"{code} asked for by the test")
            call.input_tokens = container.input_tokens
            call.answers = container.answers
            if worst_case:
                pieces, reason = container.generate_most()
                call.most_output = container.made(pieces) // container.answers
            else:
                pieces, reason = container.generate(call.directions)
            if streams:
                self._stream(call, container, pieces, reason)
            else:
                self._answer(call, container, pieces, reason)
        except ServiceError as error:
            self._log(call, Outcome.of_error(error))
            self._error(error)

    def _read(self, call: Call, data: bytes) -> None:
        """Refuse what the service model does not allow."""
        request = Request(
            path={"EndpointName": call.model_id}, headers=dict(self.headers.items()), body=data
        )
        try:
            check(operation("sagemaker-runtime", call.operation), request, {})
        except ValueError as error:
            raise failure("ValidationError", str(error)) from error

    def _check(self, call: Call) -> None:
        if call.model_id not in self.stub.endpoints:
            raise failure(
                "ValidationError", f"Endpoint {call.model_id} of account {ACCOUNT_ID} not found."
            )
        components = self.stub.endpoints[call.model_id]
        if components is None:
            return
        component = call.metadata.get("component")
        if components and component is None:
            raise failure("ValidationError", "Inference Component Name header is required")
        if component is not None and component not in components:
            raise failure("ValidationError", f"Inference Component {component} not found.")

    def _log(self, call: Call, outcome: Outcome) -> None:
        """Write the call down; only what ran is billed, however it ended."""
        if outcome.usage is not None:
            call.units = {"request": 1, "machine_ms": call.latency_ms}
        self.stub.log.write(call, outcome)

    def _answer(self, call: Call, container: Container, pieces: list[str], reason: str) -> None:
        cut = call.directions.cut is not None
        usage = call.usage(len(pieces))
        self._log(call, Outcome("cut" if cut else "ok", usage=usage, stop_reason=reason))
        if cut:
            self.drop()
            return
        if container.streams:
            lines = b"".join(line for line, _ in container.events(pieces, reason))
            self._send_bytes(lines, "text/event-stream")
            return
        self.send_json(container.answer(pieces, reason))

    def _send_bytes(self, payload: bytes, content_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _stream(self, call: Call, container: Container, pieces: list[str], reason: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", eventstream.CONTENT_TYPE)
        self.send_header("X-Amzn-SageMaker-Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        events = list(container.events(pieces, reason))
        if not container.streams:
            # A container that is not asked to stream answers at once, all the same.
            events = [(json.dumps(container.answer(pieces, reason)).encode(), len(pieces))]
        billed = 0
        try:
            for index, (event, tokens) in enumerate(events):
                if index == len(events) // 2:
                    self.wfile.flush()
                    self.stub.pass_gate(call, mid_stream=True)
                    if self._break_off(call, billed):
                        return
                for start in range(0, len(event), PART_BYTES):
                    self.send_chunk(_part(event[start : start + PART_BYTES]))
                billed += tokens
                self.wfile.flush()
                self.stub.stopping.wait(self._pause(call))
        except ConnectionError:
            self._log(call, Outcome("cut", usage=call.usage(billed)))
            self.close_connection = True
            return
        self._log(call, Outcome("ok", usage=call.usage(billed), stop_reason=reason))
        self.send_last_chunk(b"")

    def _pause(self, call: Call) -> float:
        directed = call.directions.number("delta_ms")
        return self.stub.delta_seconds if directed is None else directed / 1000

    def _break_off(self, call: Call, billed: int) -> bool:
        """End the stream half way where that is directed; whether it did."""
        usage = call.usage(billed)
        if call.directions.cut is not None:
            self._log(call, Outcome("cut", usage=usage))
            self.drop()
            return True
        if call.directions.error is None:
            return False
        code = call.directions.error[0]
        self._log(call, Outcome("error", usage=usage, error=code))
        if code == "ContainerError":
            failed = (
                b'data:{"error":"Request failed during generation","error_type":"generation"}\n\n'
            )
            self.send_last_chunk(_part(failed))
        else:
            self.send_last_chunk(_exception(code))
        return True

    def _error(self, error: ServiceError) -> None:
        self.send_json({"Message": str(error), **error.details}, error.status, error.code)


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise refused(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise refused("the body is not an object")
    return document


def _part(data: bytes) -> bytes:
    return eventstream.frame(
        {
            ":event-type": "PayloadPart",
            ":content-type": "application/octet-stream",
            ":message-type": "event",
        },
        data,
    )


def _exception(code: str) -> bytes:
    return eventstream.frame(
        {
            ":exception-type": code,
            ":content-type": "application/json",
            ":message-type": "exception",
        },
        json.dumps({"Message": f"{code} asked for by the test", "ErrorCode": code}).encode(),
    )
