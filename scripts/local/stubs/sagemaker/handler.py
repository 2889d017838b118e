"""A stand-in for SageMaker's runtime: InvokeEndpoint and InvokeEndpointWithResponseStream.

Each endpoint runs one container that answers whatever it is sent, by the body's own shape:

    {"inputs": "...", "parameters": {"max_new_tokens": 20, "details": true}}    text
    {"messages": [...], "max_tokens": 20}                                       chat, with `usage`
    {"text_inputs": "..." or ["..."], "mode": "embedding"}                      embeddings

A stream comes in parts that end anywhere, as server-sent events, or with `[stub:lines]` in the
text as lines of JSON; a container that is not asked to stream answers at once. Text, token counts
and directions in brackets are those of `bedrock_stub`, faults too (`POST /_stub/faults`, whose
`match` compares operation and modelId, which is the endpoint's name). Errors have SageMaker's
codes; `error=ContainerError` fails inside the container, with @mid-stream as an event of a stream,
and `error=ContainerTimeout` is a container that took too long. The log has one line per call, with
the component that answered and what endpoints are billed for: tokens, one request, and the
machine's milliseconds.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from scripts.local.ministack import ACCOUNT_ID
from scripts.local.stubs import language
from scripts.local.stubs.bedrock.families import registry
from scripts.local.stubs.bedrock.handler import (
    DEFAULT_DELTA_SECONDS,
    DIRECTIVE,
    SIGNATURE,
    Call,
    CallLog,
    Directions,
    ModelStub,
    Outcome,
    generate_pieces,
)
from scripts.local.stubs.bedrock.requests import ServiceError
from scripts.local.stubs.http import StubHandler, StubServer
from tollgate.dialects.bedrock import eventstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

MAX_BODY_BYTES = 25_000_000
PART_BYTES = 29
"""Size of a part of a stream: no line ends where a part does."""
DEFAULT_MAX_TOKENS = 100
DIMENSIONS = 16

_PATH = re.compile(r"/endpoints/([^/]+)/(invocations|invocations-response-stream)")
_OPERATIONS = {
    "invocations": "InvokeEndpoint",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
_STATUS = {
    "AccessDeniedException": HTTPStatus.FORBIDDEN,
    "InternalDependencyException": 530,
    "InternalFailure": HTTPStatus.INTERNAL_SERVER_ERROR,
    "ModelError": HTTPStatus.FAILED_DEPENDENCY,
    "ModelNotReadyException": HTTPStatus.TOO_MANY_REQUESTS,
    "ServiceUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "ThrottlingException": HTTPStatus.BAD_REQUEST,
    "ValidationError": HTTPStatus.BAD_REQUEST,
}
_STOP_WORDS = {"end_turn": "eos_token", "max_tokens": "length", "stop_sequence": "stop_sequence"}


class SageMakerStub(ModelStub):
    """The server; use it as a context manager.

    Args:
        endpoints: names of endpoints, each with the names of its inference components; one that
            has components answers only to calls that name one. None takes any or none.
        log: file to append the call log to; None keeps it in memory only.
        port: TCP port on the loopback interface, 0 for a free one.
        delta_seconds: pause between two tokens of a stream.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Sequence[str] | None],
        *,
        log: Path | None = None,
        port: int = 0,
        delta_seconds: float = DEFAULT_DELTA_SECONDS,
    ) -> None:
        super().__init__(_Handler, CallLog(log), port=port, delta_seconds=delta_seconds)
        self.endpoints = dict(endpoints)


class _Handler(StubHandler):
    server: StubServer

    @property
    def stub(self) -> SageMakerStub:
        stub = self.server.stub
        assert isinstance(stub, SageMakerStub)  # noqa: S101 - made with one
        return stub

    def dispatch(self, method: str) -> None:
        """Serve one request."""
        path = urlsplit(self.path).path
        body = self.read_body(MAX_BODY_BYTES)
        if body is None:
            self._error(_failure("ValidationError", "the request body is too large"))
            return
        if method == "POST" and (match := _PATH.fullmatch(path)):
            with self.stub.under_way:
                self._invoke(self._call(_OPERATIONS[match[2]], unquote(match[1])), body)
            return
        routes: dict[tuple[str, str], Callable[[], None]] = {
            ("GET", "/_stub/calls"): lambda: self.send_json({"calls": self.stub.calls()}),
            ("DELETE", "/_stub/calls"): lambda: self.control(self.stub.log.clear),
            ("POST", "/_stub/faults"): lambda: self.control(
                lambda: self.stub.faults.add(json.loads(body))
            ),
            ("DELETE", "/_stub/faults"): lambda: self.control(self.stub.faults.clear),
        }
        if action := routes.get((method, path)):
            action()
        else:
            self._error(_failure("ValidationError", f"no {method} {path}"))

    def _call(self, operation: str, endpoint: str) -> Call:
        signature = SIGNATURE.match(self.headers.get("Authorization") or "")
        facts = {
            "component": self.headers.get("X-Amzn-SageMaker-Inference-Component", ""),
            "request_id": self.headers.get("X-Amzn-SageMaker-Inference-Id", ""),
        }
        return Call(
            operation,
            endpoint,
            access_key_id=signature[1] if signature else "",
            request={"requestMetadata": {name: value for name, value in facts.items() if value}},
        )

    def _invoke(self, call: Call, data: bytes) -> None:
        try:
            self._check(call)
            body = _parsed(data)
            container = _container(body)
            text = container.prompt
            call.directions = Directions(
                {**dict(DIRECTIVE.findall(text)), **self.stub.faults.take(call)}
            )
            self.stub.stopping.wait((call.directions.number("delay_ms") or 0) / 1000)
            self.stub.pass_gate(call, mid_stream=False)
            streams = call.operation == _OPERATIONS["invocations-response-stream"]
            if call.directions.error is not None:
                code, mid_stream = call.directions.error
                if not (mid_stream and streams):
                    raise _failure(code, f"{code} asked for by the test")
            call.input_tokens = container.input_tokens
            pieces, reason = container.generate(call)
            if streams:
                self._stream(call, container, pieces, reason)
            else:
                self._answer(call, container, pieces, reason)
        except ServiceError as error:
            self._log(call, Outcome("error", http_status=error.status, error=error.code))
            self._error(error)

    def _check(self, call: Call) -> None:
        if call.model_id not in self.stub.endpoints:
            raise _failure(
                "ValidationError", f"Endpoint {call.model_id} of account {ACCOUNT_ID} not found."
            )
        components = self.stub.endpoints[call.model_id]
        if components is None:
            return
        component = call.metadata.get("component")
        if components and component is None:
            raise _failure("ValidationError", "Inference Component Name header is required")
        if component is not None and component not in components:
            raise _failure("ValidationError", f"Inference Component {component} not found.")

    def _log(self, call: Call, outcome: Outcome) -> None:
        """Write the call down; only what ran is billed, however it ended."""
        if outcome.usage is not None:
            call.units = {"request": 1, "machine_ms": call.latency_ms}
        self.stub.log.write(call, outcome)

    def _answer(self, call: Call, container: _Container, pieces: list[str], reason: str) -> None:
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

    def _stream(self, call: Call, container: _Container, pieces: list[str], reason: str) -> None:
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


class _Container:
    """One request to a container: what it asks for, and how it is answered."""

    def __init__(self, body: Mapping[str, Any], prompt: str, input_tokens: int) -> None:
        self.body = body
        self.prompt = prompt
        self.input_tokens = input_tokens
        self.streams = body.get("stream") is True

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.body

    def generate(self, call: Call) -> tuple[list[str], str]:
        most = self.settings.get("max_tokens", self.settings.get("max_new_tokens"))
        stop = self.settings.get("stop") or ()
        sequences = (stop,) if isinstance(stop, str) else tuple(stop)
        return generate_pieces(call, self.prompt, most or DEFAULT_MAX_TOKENS, sequences)

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        raise NotImplementedError

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        """The lines of a stream, each with its output tokens."""
        raise NotImplementedError

    def event(self, document: Mapping[str, Any]) -> bytes:
        if DIRECTIVE_LINES in self.prompt:
            return json.dumps(document, ensure_ascii=False).encode() + b"\n"
        return b"data:" + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


DIRECTIVE_LINES = "[stub:lines]"


class _Text(_Container):
    @property
    def settings(self) -> Mapping[str, Any]:
        parameters = self.body.get("parameters", {})
        return parameters if isinstance(parameters, dict) else {}

    def _details(self, pieces: Sequence[str], reason: str) -> dict[str, Any]:
        return {
            "finish_reason": _STOP_WORDS[reason],
            "generated_tokens": len(pieces),
            "input_length": self.input_tokens,
            "seed": None,
        }

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        answer: dict[str, Any] = {"generated_text": "".join(pieces)}
        if self.settings.get("details"):
            answer["details"] = self._details(pieces, reason)
        return [answer]

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        for index, piece in enumerate(pieces, start=1):
            is_last = index == len(pieces)
            token = {"id": index, "text": piece, "logprob": -0.5, "special": False}
            document = {
                "index": index,
                "token": token,
                "generated_text": "".join(pieces) if is_last else None,
                "details": self._details(pieces, reason) if is_last else None,
            }
            yield self.event(document), 1


class _Messages(_Container):
    def _usage(self, pieces: Sequence[str]) -> dict[str, int]:
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": len(pieces),
            "total_tokens": self.input_tokens + len(pieces),
        }

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(pieces)},
            "finish_reason": _STOP_WORDS[reason],
        }
        return {
            "object": "chat.completion",
            "model": "stub",
            "choices": [choice],
            "usage": self._usage(pieces),
        }

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        yield b": a comment keeps the connection open\n\n", 0
        for piece in pieces:
            choice = {"index": 0, "delta": {"role": "assistant", "content": piece}}
            yield self.event({"choices": [{**choice, "finish_reason": None}]}), 1
        end = {"index": 0, "delta": {}, "finish_reason": _STOP_WORDS[reason]}
        yield self.event({"choices": [end]}), 0
        if self.body.get("stream_options", {}).get("include_usage"):
            yield self.event({"choices": [], "usage": self._usage(pieces)}), 0
        yield b"data: [DONE]\n\n", 0


class _Embeddings(_Container):
    def generate(self, call: Call) -> tuple[list[str], str]:
        return [], "end_turn"

    def answer(self, pieces: Sequence[str], reason: str) -> object:
        texts = self.body["text_inputs"]
        if isinstance(texts, str):
            return {"embedding": registry.vector(texts, DIMENSIONS)}
        return {"embedding": [registry.vector(text, DIMENSIONS) for text in texts]}

    def events(self, pieces: Sequence[str], reason: str) -> Iterator[tuple[bytes, int]]:
        yield json.dumps(self.answer(pieces, reason)).encode(), 0


def _container(body: Mapping[str, Any]) -> _Container:
    """What reads such a body. Raises ServiceError, as the container does, for a wrong one."""
    if _leaks(body) or _leaks(body.get("parameters")):
        raise _refused("unknown field `InferenceComponentName`")
    messages = body.get("messages")
    if isinstance(messages, list) and messages:
        texts = [message["content"] for message in messages if _is_text(message)]
        if len(texts) < len(messages):
            raise _refused("messages: each has a role and a content that is text")
        tokens = sum(map(language.count_tokens, texts))
        return _Messages(body, texts[-1], tokens + language.TOKENS_PER_MESSAGE * len(texts))
    given = body.get("text_inputs")
    if given and body.get("mode") == "embedding":
        joined = given if isinstance(given, str) else "\n".join(given)
        return _Embeddings(body, joined, language.count_tokens(joined))
    inputs = body.get("inputs")
    if not isinstance(inputs, str) or not inputs:
        raise _refused("missing field `inputs`")
    return _Text(body, inputs, language.count_tokens(inputs))


def _is_text(message: object) -> bool:
    return isinstance(message, dict) and isinstance(message.get("content"), str)


def _leaks(place: object) -> bool:
    return isinstance(place, dict) and "InferenceComponentName" in place


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise _refused(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _refused("the body is not an object")
    return document


def _refused(message: str) -> ServiceError:
    """The container's own refusal, as SageMaker hands it on."""
    return _model_error(HTTPStatus.UNPROCESSABLE_ENTITY, message)


def _model_error(status: int, message: str) -> ServiceError:
    error = ServiceError(
        "ModelError", f"Received client error ({int(status)}) from primary with message: {message}"
    )
    error.status = _STATUS["ModelError"]
    error.details = {
        "OriginalStatusCode": int(status),
        "OriginalMessage": message,
        "LogStreamArn": f"arn:aws:logs:us-east-1:{ACCOUNT_ID}:log-group:/aws/sagemaker/Endpoints/x",
    }
    return error


def _failure(code: str, message: str) -> ServiceError:
    if code in ("ModelError", "ContainerError"):
        return _model_error(HTTPStatus.INTERNAL_SERVER_ERROR, message)
    if code == "ContainerTimeout":
        return _model_error(0, "Your invocation timed out while waiting for a response")
    error = ServiceError(code, message)
    error.status = int(_STATUS.get(code, HTTPStatus.BAD_REQUEST))
    return error


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
