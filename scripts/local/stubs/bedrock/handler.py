"""A stand-in for Amazon Bedrock: its HTTP API, a log of what it would bill, and faults on demand.

Serves `converse`, `converse-stream`, `invoke`, `invoke-with-response-stream` and `count-tokens` of
the runtime and the two listings of the control plane, in the exact form that boto3 reads. Text and
token counts are deterministic (see `bedrock_text`). Each call is one line of JSON in the log, with
the access key id that signed it, written before the last byte of the response leaves: whatever a
client was told, the log knows first. A failed call bills nothing; a call whose connection broke
bills what had been generated.

The last user message may direct its own call with words in brackets:

    [stub:tokens=300]        output tokens (then cut to maxTokens like any answer)
    [stub:delay_ms=2000]     wait before the first byte
    [stub:gate=name]         wait before the first byte until a test opens the gate (see `gates`);
                             with @mid-stream, wait half way
    [stub:delta_ms=50]       wait between two pieces of a stream; [stub:slow] waits 250 ms
    [stub:cache_read=100]    count that many of the input tokens as read from the cache;
                             likewise cache_write_5m and cache_write_1h
    [stub:tier=default]      the service tier that served, whatever was asked for
    [stub:tool=get_weather]  call this tool of the request's toolConfig; several with commas
    [stub:think=20]          think for so many tokens first, which a request that turns on
                             thinking gets by itself; [stub:redacted] thinks unreadably
    [stub:error=ThrottlingException]             fail; with @mid-stream, fail half way
    [stub:cut=mid-stream]    drop the connection half way; cut=before-metadata drops it after
                             the text; a buffered call is dropped without any response

`POST /_stub/faults` makes later calls do the same without touching their text:
`{"match": {"modelId": ..., "operation": ..., "tenant": ...}, "times": 2, "error": ...}`, where
`match` (optional) compares operation, modelId and the entries of requestMetadata, and every other
key is a direction. `DELETE /_stub/faults` forgets them. `GET /_stub/calls` returns the log,
`DELETE /_stub/calls` empties the list but not the file.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from scripts.local.lifecycle import Startable
from scripts.local.stubs import language
from scripts.local.stubs.bedrock import guardrail
from scripts.local.stubs.bedrock.catalogue import Catalogue, Target
from scripts.local.stubs.bedrock.families import registry
from scripts.local.stubs.bedrock.requests import (
    ServiceError,
    check_messages,
    invalid,
    resolve,
    schema_of,
    validate,
)
from scripts.local.stubs.gates import Gates
from scripts.local.stubs.http import StubHandler, StubServer
from tollgate.dialects.bedrock import eventstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scripts.local.stubs.bedrock.guardrail import Guardrail
    from scripts.local.stubs.gates import Gate

DEFAULT_DELTA_SECONDS = 0.01
SLOW_DELTA_SECONDS = 0.25
TOKENS_PER_DELTA = 4
MAX_BODY_BYTES = 25_000_000
NO_USAGE = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}

DIRECTIVE = re.compile(r"\[stub:(\w+)(?:=([^\]\s]+))?\]")
_DIRECTIONS = frozenset(
    ("tokens", "delay_ms", "delta_ms", "slow", "gate", "tier", "tool", "think", "redacted")
    + ("error", "cut")
    + ("cache_read", "cache_write_5m", "cache_write_1h")
)
_MODEL_PATH = re.compile(
    r"/model/([^/]+)/(converse|converse-stream|count-tokens|invoke|invoke-with-response-stream)"
)
_STREAMS = ("converse-stream", "invoke-with-response-stream")
# AI21's answers say what they count themselves.
_WITHOUT_COUNT_HEADERS = "ai21."
SIGNATURE = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/")
_DEFAULT_THOUGHT_TOKENS = 8
_STOP_SEQUENCE_PATH = "/stop_sequence"
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class Directions:
    """How one call is to go; see the module's text."""

    values: Mapping[str, str]

    def number(self, name: str) -> int | None:
        """Return a direction as a number, None when it was not given.

        Raises:
            ServiceError: it is not a whole number of at least 0.
        """
        value = self.values.get(name)
        if value is None:
            return None
        if not value.isdigit():
            raise ServiceError("ValidationException", f"[stub:{name}={value}] is not a number")
        return int(value)

    @property
    def error(self) -> tuple[str, bool] | None:
        """The error's code and whether it comes in mid-stream."""
        value = self.values.get("error")
        if value is None:
            return None
        code, _, place = value.partition("@")
        return code, place == "mid-stream"

    @property
    def gate(self) -> tuple[str, bool] | None:
        """The gate's name and whether it stands in mid-stream."""
        value = self.values.get("gate")
        if value is None:
            return None
        name, _, place = value.partition("@")
        return name, place == "mid-stream"

    @property
    def cut(self) -> str | None:
        """Where the connection is dropped: `mid-stream` or `before-metadata`."""
        return self.values.get("cut")


@dataclass
class Fault:
    """A direction for later calls, from the control endpoint."""

    match: Mapping[str, str]
    times: int
    values: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What the model said: thoughts and text in pieces of one token each, then tool calls.

    `signature` is what Claude signs its thoughts with, `redacted` thoughts that only it can read;
    `stop_sequence` is where it stopped, told if the request asks for it.
    """

    pieces: Sequence[str]
    stop_reason: str
    tools: Sequence[Mapping[str, Any]] = ()
    thoughts: Sequence[str] = ()
    signature: str | None = None
    redacted: bytes | None = None
    stop_sequence: Mapping[str, Any] | None = None

    @property
    def output_tokens(self) -> int:
        """All tokens of the answer."""
        return len(self.thoughts) + len(self.pieces) + sum(map(_tool_tokens, self.tools))

    @property
    def content(self) -> list[dict[str, Any]]:
        """The content blocks of a buffered response."""
        blocks: list[dict[str, Any]] = []
        if self.redacted is not None:
            data = base64.b64encode(self.redacted).decode()
            blocks.append({"reasoningContent": {"redactedContent": data}})
        elif self.thoughts:
            text = {"text": "".join(self.thoughts)}
            if self.signature is not None:
                text["signature"] = self.signature
            blocks.append({"reasoningContent": {"reasoningText": text}})
        if self.pieces:
            blocks.append({"text": "".join(self.pieces)})
        return blocks + [{"toolUse": dict(tool)} for tool in self.tools]

    @property
    def end(self) -> dict[str, Any]:
        """Why it stopped, and what else the request wants to know about that."""
        end: dict[str, Any] = {"stopReason": self.stop_reason}
        if self.stop_sequence is not None:
            end["additionalModelResponseFields"] = dict(self.stop_sequence)
        return end


def _tool_tokens(tool: Mapping[str, Any]) -> int:
    return language.count_tokens(f"{tool['name']} {json.dumps(tool['input'])}")


@dataclass
class Call:
    """One call on its way: what was asked and what the log will say about it."""

    operation: str
    model_id: str
    access_key_id: str = ""
    started: float = field(default_factory=time.time)
    request: Mapping[str, Any] = field(default_factory=dict)
    directions: Directions = field(default_factory=lambda: Directions({}))
    tier: str = "default"
    input_tokens: int | None = None
    units: Mapping[str, int] = field(default_factory=dict)
    guardrail: Guardrail | None = None

    @property
    def metadata(self) -> Mapping[str, str]:
        """The request's `requestMetadata`."""
        metadata = self.request.get("requestMetadata")
        return metadata if isinstance(metadata, dict) else {}

    @property
    def latency_ms(self) -> int:
        """Milliseconds since the call arrived."""
        return round((time.time() - self.started) * 1000)

    def usage(self, output_tokens: int) -> dict[str, Any]:
        """Return the `usage` of a response; the cache's tokens come out of the input's."""
        left = self.input_tokens
        if left is None:
            left = language.request_tokens(self.request)
        taken: dict[str, int] = {}
        for name in ("cache_read", "cache_write_5m", "cache_write_1h"):
            taken[name] = min(self.directions.number(name) or 0, left)
            left -= taken[name]
        written = taken["cache_write_5m"] + taken["cache_write_1h"]
        usage: dict[str, Any] = {
            "inputTokens": left,
            "outputTokens": output_tokens,
            "totalTokens": left + output_tokens + taken["cache_read"] + written,
        }
        if taken["cache_read"] or written:
            usage["cacheReadInputTokens"] = taken["cache_read"]
            usage["cacheWriteInputTokens"] = written
        if written:
            usage["cacheDetails"] = [
                {"ttl": ttl, "inputTokens": taken[f"cache_write_{ttl}"]}
                for ttl in ("5m", "1h")
                if taken[f"cache_write_{ttl}"]
            ]
        return usage


@dataclass(frozen=True)
class Outcome:
    """How a call ended; `usage` is what it bills, None for nothing."""

    status: str
    http_status: int = HTTPStatus.OK
    usage: Mapping[str, Any] | None = None
    stop_reason: str | None = None
    error: str | None = None


class CallLog:
    """The append-only log of billed and failed calls; `publish` gets each entry as well."""

    def __init__(
        self, path: Path | None, publish: Callable[[Mapping[str, Any]], None] | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._publish = publish
        self._calls: list[dict[str, Any]] = []
        self._sequence = 0
        self._file = path.open("a", encoding="utf-8") if path is not None else None

    def write(self, call: Call, outcome: Outcome) -> None:
        """Append one call."""
        with self._lock:
            self._sequence += 1
            entry: dict[str, Any] = {
                "sequence": self._sequence,
                "started_at": _timestamp(call.started),
                "ended_at": _timestamp(time.time()),
                "operation": call.operation,
                "modelId": call.model_id,
                "accessKeyId": call.access_key_id,
                "requestMetadata": dict(call.metadata),
                "status": outcome.status,
                "http_status": int(outcome.http_status),
                "error": outcome.error,
                "usage": dict(outcome.usage or NO_USAGE),
                "units": dict(call.units),
                "service_tier": call.tier,
                "stop_reason": outcome.stop_reason,
            }
            self._calls.append(entry)
            if self._file is not None:
                self._file.write(json.dumps(entry) + "\n")
                self._file.flush()
        if self._publish is not None:
            self._publish(entry)

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls since the start or the last `clear`."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Empty the list; the file and the sequence go on."""
        with self._lock:
            self._calls.clear()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


class Faults:
    """Directions for calls to come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, document: Mapping[str, Any]) -> None:
        """Add a fault as the control endpoint takes it.

        Raises:
            ValueError: a direction is unknown, or there is none.
        """
        match = document.get("match", {})
        values = {k: str(v) for k, v in document.items() if k not in {"match", "times"}}
        if unknown := sorted(set(values) - _DIRECTIONS):
            raise ValueError(f"unknown direction {unknown[0]!r}; known: {sorted(_DIRECTIONS)}")
        if not values or not isinstance(match, dict):
            raise ValueError("a fault needs a direction, and `match` must be an object")
        with self._lock:
            self._faults.append(Fault(match, int(document.get("times", 1)), values))

    def take(self, call: Call) -> Mapping[str, str]:
        """Return the directions of the first fault that matches, and use it up once."""
        facts = {"operation": call.operation, "modelId": call.model_id, **call.metadata}
        with self._lock:
            for fault in self._faults:
                if all(facts.get(name) == wanted for name, wanted in fault.match.items()):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault.values
        return {}

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()


class UnderWay:
    """Counts calls that have begun and are not in the log yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls = 0

    def __enter__(self) -> None:
        with self._changed:
            self._calls += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._calls -= 1
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> bool:
        """Wait until no call is under way; False when one still is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._calls == 0, seconds)


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
            raise ServiceError("ValidationException", f"[stub:gate={name}] is no gate") from None
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


class BedrockStub(ModelStub):
    """The server; use it as a context manager.

    Args:
        log: file to append the call log to; None keeps it in memory only.
        port: TCP port on the loopback interface, 0 for a free one.
        catalogue: the models it offers; the price book's by default.
        delta_seconds: pause between two pieces of a stream.
        publish: gets each entry of the call log once it is written, such as
            `invocation_logs.InvocationLogs.write`.
    """

    def __init__(
        self,
        *,
        log: Path | None = None,
        port: int = 0,
        catalogue: Catalogue | None = None,
        delta_seconds: float = DEFAULT_DELTA_SECONDS,
        publish: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        super().__init__(_Handler, CallLog(log, publish), port=port, delta_seconds=delta_seconds)
        self.catalogue = catalogue if catalogue is not None else Catalogue.from_price_book()


class _Handler(StubHandler):
    server: StubServer

    @property
    def stub(self) -> BedrockStub:
        stub = self.server.stub
        assert isinstance(stub, BedrockStub)  # noqa: S101 - made with one
        return stub

    def dispatch(self, method: str) -> None:
        """Serve one request."""
        target = urlsplit(self.path)
        body = self.read_body(MAX_BODY_BYTES)
        if body is None:
            self._error(ServiceError("ValidationException", "the request body is too large"))
            return
        if method == "POST" and (match := _MODEL_PATH.fullmatch(target.path)):
            with self.stub.under_way:
                self._model_call(self._call(match.group(2), unquote(match.group(1))), body)
            return
        routes: dict[tuple[str, str], Callable[[], None]] = {
            ("GET", "/foundation-models"): lambda: self.send_json(
                {"modelSummaries": self.stub.catalogue.foundation_models(_query(target.query))}
            ),
            ("GET", "/inference-profiles"): lambda: self._profiles(_query(target.query)),
            ("GET", "/_stub/calls"): lambda: self.send_json({"calls": self.stub.calls()}),
            ("DELETE", "/_stub/calls"): lambda: self.control(self.stub.log.clear),
            ("POST", "/_stub/faults"): lambda: self.control(
                lambda: self.stub.faults.add(_json_object(body))
            ),
            ("DELETE", "/_stub/faults"): lambda: self.control(self.stub.faults.clear),
        }
        if action := routes.get((method, target.path)):
            action()
        else:
            self._error(ServiceError("UnknownOperationException", f"no {method} {target.path}"))

    def _call(self, operation: str, model_id: str) -> Call:
        signature = SIGNATURE.match(self.headers.get("Authorization") or "")
        return Call(operation, model_id, access_key_id=signature[1] if signature else "")

    def _profiles(self, query: Mapping[str, str]) -> None:
        profiles = self.stub.catalogue.inference_profiles()
        if query.get("type", "SYSTEM_DEFINED") != "SYSTEM_DEFINED":
            profiles = []
        start = int(query.get("nextToken", "0"))
        end = start + int(query.get("maxResults", "1000"))
        page: dict[str, Any] = {"inferenceProfileSummaries": profiles[start:end]}
        if end < len(profiles):
            page["nextToken"] = str(end)
        self.send_json(page)

    def _model_call(self, call: Call, body: bytes) -> None:
        try:
            if call.operation == "count-tokens":
                self._count_tokens(call, _parsed(body))
                return
            if call.operation.startswith("invoke"):
                self._native_call(call, body)
                return
            target = self._accept(call, body)
            answer = _answer(call, target)
            if call.operation == "converse":
                self._converse(call, answer)
            else:
                self._stream(call, answer)
        except ServiceError as error:
            self.stub.log.write(call, Outcome("error", http_status=error.status, error=error.code))
            self._error(error)

    def _accept(self, call: Call, body: bytes) -> Target:
        """Check the request, wait as directed and fail as directed."""
        call.request = _parsed(body)
        target = resolve(self.stub.catalogue, call.model_id)
        validate(call.request, target)
        call.guardrail = guardrail.of_converse(call.request)
        call.tier = call.request.get("serviceTier", {}).get("type", "default")
        self._direct(call, language.last_user_text(call.request))
        return target

    def _direct(self, call: Call, text: str) -> None:
        """Read the directions of a call, wait as directed and fail as directed."""
        values = dict(DIRECTIVE.findall(text))
        call.directions = Directions({**values, **self.stub.faults.take(call)})
        call.tier = call.directions.values.get("tier", call.tier)
        self.stub.stopping.wait((call.directions.number("delay_ms") or 0) / 1000)
        self.stub.pass_gate(call, mid_stream=False)
        if call.directions.error is not None:
            code, mid_stream = call.directions.error
            if not (mid_stream and call.operation in _STREAMS):
                raise ServiceError(code, f"{code} asked for by the test")

    def _native_call(self, call: Call, body: bytes) -> None:
        document = _parsed(body)
        metadata = self.headers.get("X-Amzn-Bedrock-Request-Metadata")
        call.request = {"requestMetadata": json.loads(metadata)} if metadata else {}
        call.tier = self.headers.get("X-Amzn-Bedrock-Service-Tier", "default")
        target = resolve(self.stub.catalogue, call.model_id)
        if target.model.mode == "chat":
            self._native_text(call, target, document)
        elif call.operation in _STREAMS:
            raise invalid("The model is unsupported for streaming")
        elif target.model.mode == "embedding":
            self._direct(call, json.dumps(document))
            answer, call.input_tokens, images = registry.embed(target.model.model_id, document)
            call.units = {"image": images} if images else {}
            self._native_answer(call, target, answer, output_tokens=0)
        else:
            self._direct(call, json.dumps(document))
            answer, units = registry.draw(target.model.model_id, document)
            call.units = {f"image/{kind}": count for kind, count in units.items()}
            call.input_tokens = 0
            self._native_answer(call, target, answer, output_tokens=0)

    def _native_text(self, call: Call, target: Target, document: Mapping[str, Any]) -> None:
        try:
            prompt = registry.read_prompt(target.model.model_id, document)
        except (AttributeError, KeyError, TypeError) as error:
            # The readers take what has the right form; anything else ends in one of these.
            raise invalid(f"Malformed input request: {error}") from error
        family = registry.family_of(target.model.model_id)
        call.input_tokens = prompt.input_tokens
        call.guardrail = guardrail.of_headers(self.headers)
        self._direct(call, prompt.text)
        pieces, reason = generate_pieces(
            call,
            prompt.text,
            prompt.max_tokens or target.model.max_output_tokens,
            prompt.stop_sequences,
        )
        said = registry.Said(pieces, reason, prompt.input_tokens)
        traces: list[dict[str, Any]] = [{}, {}]
        if call.guardrail is not None:
            call.units = guardrail.charged(prompt.text, said.text)
            traces = [
                call.guardrail.native_input(prompt.text),
                call.guardrail.native_output(said.text),
            ]
        if call.operation == "invoke":
            answer = _with_traces(family.answer(said), traces)
            self._native_answer(call, target, answer, output_tokens=len(pieces), reason=reason)
            return
        groups = [
            pieces[start : start + TOKENS_PER_DELTA]
            for start in range(0, len(pieces), TOKENS_PER_DELTA)
        ]
        chunks = list(family.chunks(said, ["".join(group) for group in groups]))
        metrics = _invocation_metrics(call, call.usage(len(pieces)))
        chunks[0] = {**chunks[0], **traces[0]}
        chunks[-1] = {**chunks[-1], **traces[1], "amazon-bedrock-invocationMetrics": metrics}
        tokens = [*[0] * family.lead, *map(len, groups), *[0] * len(chunks)]
        frames = [
            (_padded("chunk", {"bytes": _base64(chunk)}), count)
            for chunk, count in zip(chunks, tokens, strict=False)
        ]
        self._stream_frames(call, frames, reason, last=None)

    def _native_answer(
        self,
        call: Call,
        target: Target,
        answer: Mapping[str, Any],
        *,
        output_tokens: int,
        reason: str | None = None,
    ) -> None:
        usage = call.usage(output_tokens)
        cut = call.directions.cut is not None
        outcome = Outcome("cut" if cut else "ok", usage=usage, stop_reason=reason)
        self.stub.log.write(call, outcome)
        if cut:
            self.drop()
            return
        headers = {"X-Amzn-Bedrock-Invocation-Latency": str(call.latency_ms)}
        if not target.model.model_id.startswith(_WITHOUT_COUNT_HEADERS):
            headers |= {
                "X-Amzn-Bedrock-Input-Token-Count": str(usage["inputTokens"]),
                "X-Amzn-Bedrock-Output-Token-Count": str(usage["outputTokens"]),
            }
        if "cacheReadInputTokens" in usage:
            headers |= {
                "X-Amzn-Bedrock-Cache-Read-Input-Token-Count": str(usage["cacheReadInputTokens"]),
                "X-Amzn-Bedrock-Cache-Write-Input-Token-Count": str(usage["cacheWriteInputTokens"]),
            }
        if "X-Amzn-Bedrock-Service-Tier" in self.headers or "tier" in call.directions.values:
            headers["X-Amzn-Bedrock-Service-Tier"] = call.tier
        self.send_json(answer, headers=headers)

    def _count_tokens(self, call: Call, request: Mapping[str, Any]) -> None:
        target = resolve(self.stub.catalogue, call.model_id, on_demand=False)
        given = request.get("input", {})
        if "invokeModel" in given:
            document = _parsed(base64.b64decode(given["invokeModel"]["body"]))
            tokens = registry.read_prompt(target.model.model_id, document).input_tokens
        elif isinstance(given.get("converse"), dict):
            check_messages(given["converse"].get("messages"))
            tokens = language.request_tokens(given["converse"])
        else:
            raise invalid("input.converse or input.invokeModel is required")
        self.stub.log.write(call, Outcome("ok"))
        self.send_json({"inputTokens": tokens})

    def _converse(self, call: Call, answer: Answer) -> None:
        trace = _guarded(call, answer)
        usage = call.usage(answer.output_tokens)
        cut = call.directions.cut is not None
        status = "cut" if cut else "ok"
        self.stub.log.write(call, Outcome(status, usage=usage, stop_reason=answer.stop_reason))
        if cut:
            self.drop()
            return
        response: dict[str, Any] = {
            "output": {"message": {"role": "assistant", "content": answer.content}},
            **answer.end,
            "usage": usage,
            "metrics": {"latencyMs": call.latency_ms},
        }
        self.send_json(response | _served_tier(call) | trace)

    def _stream(self, call: Call, answer: Answer) -> None:
        trace = _guarded(call, answer)

        def metadata(usage: Mapping[str, Any]) -> bytes:
            facts = {"usage": usage, "metrics": {"latencyMs": call.latency_ms}}
            return eventstream.event("metadata", facts | _served_tier(call) | trace)

        self._stream_frames(call, list(_frames(answer)), answer.stop_reason, last=metadata)

    def _stream_frames(
        self,
        call: Call,
        frames: Sequence[tuple[bytes, int]],
        stop_reason: str,
        last: Callable[[Mapping[str, Any]], bytes] | None,
    ) -> None:
        """Send frames with the output tokens of each; `last` makes one more of the usage."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", eventstream.CONTENT_TYPE)
        if last is None:
            self.send_header("X-Amzn-Bedrock-Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        billed = 0
        try:
            for frame, tokens in self._paced(call, frames):
                billed += tokens
                self.send_chunk(frame)
        except ConnectionError:
            self._log_cut(call, billed)
            self.close_connection = True
            return
        except _MidStreamError as failure:
            self.stub.log.write(call, Outcome("error", error=failure.error.code))
            member = failure.error.code[:1].lower() + failure.error.code[1:]
            self.send_last_chunk(eventstream.exception(member, str(failure.error)))
            return
        except _CutError:
            self._log_cut(call, billed)
            self.drop()
            return
        usage = call.usage(billed)
        self.stub.log.write(call, Outcome("ok", usage=usage, stop_reason=stop_reason))
        self.send_last_chunk(b"" if last is None else last(usage))

    def _log_cut(self, call: Call, billed: int) -> None:
        usage = call.usage(billed)
        self.stub.log.write(call, Outcome("cut", usage=usage))

    def _paced(
        self, call: Call, frames: Sequence[tuple[bytes, int]]
    ) -> Iterator[tuple[bytes, int]]:
        """Yield the frames at the directed pace.

        Raises:
            _MidStreamError, _CutError: as directed.
        """
        pause = self.stub.delta_seconds
        if "slow" in call.directions.values:
            pause = SLOW_DELTA_SECONDS
        if (directed := call.directions.number("delta_ms")) is not None:
            pause = directed / 1000
        middle = len(frames) // 2
        for index, (frame, tokens) in enumerate(frames):
            if index == middle:
                self.wfile.flush()
                self.stub.pass_gate(call, mid_stream=True)
                _break_off(call)
            yield frame, tokens
            if tokens:
                self.wfile.flush()
                self.stub.stopping.wait(pause)
        if call.directions.cut == "before-metadata":
            raise _CutError

    def _error(self, error: ServiceError) -> None:
        self.send_json({"message": str(error), **error.details}, error.status, error.code)


class _MidStreamError(Exception):
    def __init__(self, error: ServiceError) -> None:
        super().__init__(str(error))
        self.error = error


class _CutError(Exception):
    pass


def _break_off(call: Call) -> None:
    if call.directions.error is not None:
        code = call.directions.error[0]
        raise _MidStreamError(ServiceError(code, f"{code} asked for by the test"))
    if call.directions.cut == "mid-stream":
        raise _CutError


def _answer(call: Call, target: Target) -> Answer:
    """Generate the answer within maxTokens, up to a stop sequence."""
    text = language.last_user_text(call.request)
    inference = call.request.get("inferenceConfig", {})
    limit = inference.get("maxTokens") or target.model.max_output_tokens
    thoughts = language.generate(f"thoughts about {_seed(text)}", _thought_tokens(call, limit))
    left = None if limit is None else limit - len(thoughts)
    schema = schema_of(call.request)
    if left == 0:
        pieces, reason = [], "max_tokens"
    elif schema is not None:
        said = language.pieces_of(json.dumps(_example(schema, schema)))
        pieces, reason = said[:left], "end_turn" if said[:left] == said else "max_tokens"
    else:
        pieces, reason = generate_pieces(call, text, left, inference.get("stopSequences", ()))
    is_claude = target.model.model_id.startswith("anthropic.")
    tools = [] if reason in ("stop_sequence", "max_tokens") else _tool_uses(call, _seed(text))
    if tools and limit is not None:
        size = len(thoughts) + len(pieces) + sum(map(_tool_tokens, tools))
        tools, reason = (tools, reason) if size <= limit else ([], "max_tokens")
    return Answer(
        pieces,
        "tool_use" if tools else reason,
        tools,
        thoughts,
        signature=uuid.uuid5(uuid.NAMESPACE_OID, "".join(thoughts)).hex if is_claude else None,
        redacted="".join(thoughts).encode() if "redacted" in call.directions.values else None,
        stop_sequence=_told_stop_sequence(call.request, pieces, reason) if is_claude else None,
    )


def _thought_tokens(call: Call, limit: int | None) -> int:
    """How many tokens to think for: as directed, or a few where the request turns thinking on."""
    wanted = call.directions.number("think")
    if wanted is None:
        fields = call.request.get("additionalModelRequestFields") or {}
        thinks = any(
            isinstance(fields.get(name), str)
            or fields.get(name, {}).get("type") in ("enabled", "adaptive")
            for name in ("thinking", "reasoningConfig", "reasoning_effort")
        )
        wanted = _DEFAULT_THOUGHT_TOKENS if thinks or "redacted" in call.directions.values else 0
    return wanted if limit is None else min(wanted, limit)


def _told_stop_sequence(
    request: Mapping[str, Any], pieces: Sequence[str], reason: str
) -> Mapping[str, Any] | None:
    if _STOP_SEQUENCE_PATH not in request.get("additionalModelResponseFieldPaths", ()):
        return None
    if reason != "stop_sequence":
        return {"stop_sequence": None}
    text = "".join(pieces)
    sequences = request["inferenceConfig"]["stopSequences"]
    return {"stop_sequence": next(sequence for sequence in sequences if sequence in text)}


def _seed(text: str) -> str:
    return DIRECTIVE.sub("", text).strip()


def generate_pieces(
    call: Call, text: str, limit: int | None, stop_sequences: Sequence[str]
) -> tuple[list[str], str]:
    """Generate an answer to `text` within a limit, up to a stop sequence, and why it ends."""
    seed = _seed(text)
    wanted = call.directions.number("tokens")
    if wanted is None:
        wanted = language.default_length(seed)
    limit = limit or wanted
    pieces = language.generate(seed, min(wanted, limit))
    if stopped := _up_to_stop_sequence(pieces, stop_sequences):
        return stopped, "stop_sequence"
    return pieces, "max_tokens" if wanted > limit else "end_turn"


def _invocation_metrics(call: Call, usage: Mapping[str, Any]) -> dict[str, int]:
    """What the last chunk of a native stream says of the call."""
    metrics = {
        "inputTokenCount": usage["inputTokens"],
        "outputTokenCount": usage["outputTokens"],
        "invocationLatency": call.latency_ms,
        "firstByteLatency": 1,
    }
    if "cacheReadInputTokens" in usage:
        metrics["cacheReadInputTokenCount"] = usage["cacheReadInputTokens"]
        metrics["cacheWriteInputTokenCount"] = usage["cacheWriteInputTokens"]
    return metrics


def _base64(document: Mapping[str, Any]) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def _up_to_stop_sequence(pieces: Sequence[str], sequences: Sequence[str]) -> list[str] | None:
    text = ""
    for index, piece in enumerate(pieces):
        text += piece
        for sequence in sequences:
            if sequence in text:
                return list(pieces[: index + 1])
    return None


def _tool_uses(call: Call, seed: str) -> list[Mapping[str, Any]]:
    """Return the tool calls that were directed or that the request demands."""
    config = call.request.get("toolConfig") or {}
    specs = {
        tool["toolSpec"]["name"]: tool["toolSpec"]
        for tool in config.get("tools", ())
        if "toolSpec" in tool
    }
    choice = config.get("toolChoice", {})
    directed = call.directions.values.get("tool") or choice.get("tool", {}).get("name")
    names = [] if directed is None else directed.split(",")
    if not names and "any" in choice:
        names = list(specs)[:1]
    return [
        _tool_use(name, specs[name], f"{number}:{seed}")
        for number, name in enumerate(names)
        if name in specs
    ]


def _tool_use(name: str, spec: Mapping[str, Any], seed: str) -> Mapping[str, Any]:
    schema = spec.get("inputSchema", {}).get("json", {})
    identifier = uuid.uuid5(uuid.NAMESPACE_OID, f"{name}:{seed}").hex[:22]
    arguments = _example({"type": "object", **schema}, schema)
    return {"toolUseId": f"tooluse_{identifier}", "name": name, "input": arguments}


def _example(schema: Mapping[str, Any], root: Mapping[str, Any]) -> object:
    """Return a value that fits a JSON schema; references lead into the definitions of `root`."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return _example({**root.get("$defs", {}), **root.get("definitions", {})}[name], root)
    if options := schema.get("anyOf"):
        return _example(options[0], root)
    if choices := schema.get("enum"):
        first: object = choices[0]
        return first
    if schema.get("type") == "object":
        properties: Mapping[str, Any] = schema.get("properties", {})
        return {
            name: _example(properties.get(name, {}), root)
            for name in schema.get("required", properties)
        }
    examples: dict[str, object] = {"integer": 1, "number": 1.5, "boolean": True, "array": []}
    return examples.get(str(schema.get("type")), "example")


def _frames(answer: Answer) -> Iterator[tuple[bytes, int]]:
    """Yield the frames of an answer up to messageStop, with the output tokens of each."""
    yield _padded("messageStart", {"role": "assistant"}), 0
    for index, block in enumerate(_streamed_blocks(answer)):
        start, deltas = block
        if start is not None:
            yield _padded("contentBlockStart", {"start": start, "contentBlockIndex": index}), 0
        for delta, tokens in deltas:
            yield _padded("contentBlockDelta", {"delta": delta, "contentBlockIndex": index}), tokens
        yield _padded("contentBlockStop", {"contentBlockIndex": index}), 0
    yield _padded("messageStop", answer.end), 0


_Deltas = list[tuple[dict[str, Any], int]]


def _streamed_blocks(answer: Answer) -> Iterator[tuple[dict[str, Any] | None, _Deltas]]:
    """Yield what each block begins with, if it says so, and its deltas with their tokens."""
    if answer.redacted is not None:
        data = base64.b64encode(answer.redacted).decode()
        yield None, [({"reasoningContent": {"redactedContent": data}}, len(answer.thoughts))]
    elif answer.thoughts:
        thoughts: _Deltas = [
            ({"reasoningContent": {"text": text}}, tokens)
            for text, tokens in _grouped(answer.thoughts)
        ]
        if answer.signature is not None:
            thoughts.append(({"reasoningContent": {"signature": answer.signature}}, 0))
        yield None, thoughts
    if answer.pieces:
        yield None, [({"text": text}, tokens) for text, tokens in _grouped(answer.pieces)]
    for tool in answer.tools:
        named = {key: tool[key] for key in ("toolUseId", "name")}
        delta = {"toolUse": {"input": json.dumps(tool["input"])}}
        yield {"toolUse": named}, [(delta, _tool_tokens(tool))]


def _grouped(pieces: Sequence[str]) -> Iterator[tuple[str, int]]:
    for start in range(0, len(pieces), TOKENS_PER_DELTA):
        group = pieces[start : start + TOKENS_PER_DELTA]
        yield "".join(group), len(group)


def _padded(kind: str, payload: dict[str, Any]) -> bytes:
    """Return an event with the meaningless member `p` that the service pads its events with."""
    padding = _PADDING[: 1 + len(json.dumps(payload)) % len(_PADDING)]
    return eventstream.event(kind, {**payload, "p": padding})


def _guarded(call: Call, answer: Answer) -> dict[str, Any]:
    """Charge a chat for its guardrail; returns the trace, empty without either."""
    if call.guardrail is None:
        return {}
    messages: Sequence[Mapping[str, Any]] = call.request.get("messages", ())
    blocks = [block for message in messages for block in message["content"]]
    given = "\n".join(block["text"] for block in blocks if "text" in block)
    made = "".join(block["text"] for block in answer.content if "text" in block)
    call.units = guardrail.charged(given, made)
    return call.guardrail.converse_trace(given, made)


def _with_traces(
    document: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a native answer with what its guardrail says of the input and of the output."""
    merged: dict[str, Any] = {}
    for trace in traces:
        merged |= trace.get("amazon-bedrock-trace", {}).get("guardrail", {})
    whole = {**document, **traces[0]}
    return {**whole, "amazon-bedrock-trace": {"guardrail": merged}} if merged else whole


def _served_tier(call: Call) -> dict[str, Any]:
    """Return the `serviceTier` member, which only calls that name a tier are answered with."""
    if "serviceTier" in call.request or "tier" in call.directions.values:
        return {"serviceTier": {"type": call.tier}}
    return {}


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        return _json_object(body)
    except ValueError as error:
        raise ServiceError("ValidationException", f"the request body is not JSON: {error}") from (
            error
        )


def _json_object(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("a JSON object is expected")
    return document


def _query(text: str) -> dict[str, str]:
    return dict(parse_qsl(text))


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
