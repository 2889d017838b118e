"""Whatever a model service answers: its call is settled by what it says, once, and nobody is told
to make it again. Every dialect, at once, streamed and as a job, through boto3 and the adapters.
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.mutations import NO_JSON, mutated, mutated_chunks, mutated_events
from tests.fakes.upstream import Upstream, chunk
from tests.fakes.world import NOVA_LITE
from tests.unit.functions.test_converse import (
    ANTHROPIC_BODY,
    AUTHORIZER,
    CHAT,
    CONVERSE,
    CONVERSE_BODY,
    CONVERSE_STREAM,
    EMBEDDINGS,
    INVOKE,
    INVOKE_STREAM,
    MESSAGES,
    NATIVE_BODY,
    OPENAI_BODY,
    FakeCounter,
)
from tests.unit.functions.test_invoke import Gateway as Invoke
from tests.unit.services.test_calls import BOOK
from tollgate.domain.endpoints import Endpoint
from tollgate.domain.jobs import queue_message
from tollgate.entry.http import StreamedResponse, answer
from tollgate.services.admission import Admission
from tollgate.services.ledger import Ledger
from tollgate_converse.routes import Gateway
from tollgate_converse.service import ConverseService
from tollgate_stream.service import StreamService

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import DrawFn

    from tollgate.domain.usage import UsageRow

LEGACY, JOBS = "/invoke_model", "/v1/jobs"
TITAN = "amazon.titan-embed-text-v2:0"
ENDPOINT = "my model"
PER_TOKEN = {"per_1m_input": "2", "per_1m_output": "10"}
LEGACY_CHAT = {"inputs": CONVERSE_BODY["messages"]}

USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
TOOL = {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"city": "Oslo", "at": [1, 2.5]}}}
DOCUMENT: dict[str, Any] = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}},
                {"reasoningContent": {"redactedContent": "AAE="}},
                {"text": "Hello"},
                {"citationsContent": {"content": [{"text": "cited"}], "citations": []}},
                TOOL,
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {**USAGE, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 0},
    "metrics": {"latencyMs": 7},
    "serviceTier": {"type": "default"},
    "additionalModelResponseFields": {"stop_sequence": None},
}
EVENTS: list[tuple[str, Any]] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "H"}}}),
    (
        "contentBlockDelta",
        {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}},
    ),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hello"}}),
    ("contentBlockStop", {"contentBlockIndex": 1}),
    (
        "contentBlockStart",
        {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "look"}}},
    ),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a"'}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": ":1}"}}}),
    ("contentBlockStop", {"contentBlockIndex": 2}),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 7}}),
]
NATIVE: dict[str, Any] = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 10, "outputTokens": 5},
}
METRICS = {"inputTokenCount": 10, "outputTokenCount": 5, "invocationLatency": 7}
CHUNKS: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Hello"}}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": USAGE}, "amazon-bedrock-invocationMetrics": METRICS},
]
CONTAINER: list[dict[str, Any]] = [
    {"generated_text": "Hello", "details": {"input_length": 10, "generated_tokens": 5}}
]
PARTS: list[dict[str, Any]] = [
    {"token": {"text": "Hel"}},
    {"token": {"text": "lo"}, "details": {"input_length": 10, "generated_tokens": 5}},
]
VECTOR: dict[str, Any] = {"embedding": [0.5, -1], "inputTextTokenCount": 5}

# A route, its body and headers; what answers it; whether that is a stream.
Way = tuple[str, dict[str, Any], dict[str, str], str]
CALLS: list[Way] = [
    (CHAT, OPENAI_BODY, {}, "document"),
    (MESSAGES, ANTHROPIC_BODY, {}, "document"),
    (CONVERSE, CONVERSE_BODY, {}, "document"),
    (LEGACY, LEGACY_CHAT, {"messages_api": "true"}, "document"),
    (INVOKE, NATIVE_BODY, {}, "native"),
    (LEGACY, {"inputs": "hello"}, {}, "native"),
    (EMBEDDINGS, {"model": TITAN, "input": "a"}, {}, "vector"),
    (LEGACY, {"inputs": "a"}, {"type": "embeddings"}, "vector"),
    (LEGACY, {"inputs": "hello"}, {}, "container"),
]
STREAMS: list[Way] = [
    (CHAT, {**OPENAI_BODY, "stream": True}, {}, "events"),
    (MESSAGES, {**ANTHROPIC_BODY, "stream": True}, {}, "events"),
    (CONVERSE_STREAM, CONVERSE_BODY, {}, "events"),
    (LEGACY, LEGACY_CHAT, {"messages_api": "true", "streaming": "true"}, "events"),
    (JOBS, {"model": NOVA_LITE, **CONVERSE_BODY}, {}, "events"),
    (INVOKE_STREAM, NATIVE_BODY, {}, "chunks"),
    (LEGACY, {"inputs": "hello"}, {"streaming": "true"}, "chunks"),
    (LEGACY, {"inputs": "hello"}, {"streaming": "true"}, "parts"),
]


@cache
def upstream() -> Upstream:
    return Upstream()


class Told:
    """What a caller was told: HTTP's status and headers, and the body, of a job its last poll's."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Paid(Invoke):
    """All functions of the request path over boto3, whose answers are made up."""

    def __init__(self) -> None:
        super().__init__()
        upstream().forget()
        everything = replace(self.tenants.tenants["acme"], models=("*",))
        self.tenants.tenants["acme"] = everything
        self.upstream = upstream()
        self.admission = Admission(
            policies=self.policies,
            ledger=Ledger(self.accounts, self.usage),
            prices=BOOK,
            region="us-east-1",
            clock=self.clock,
            endpoints={ENDPOINT: Endpoint(ENDPOINT, "llm", PER_TOKEN, 100)},
        )
        self.runtime = self.upstream.runtime  # type: ignore[assignment]
        self.calls = self.calls_over(self.usage)
        self.wire()
        self.repeat()
        self.stream = StreamService(self.runner, self.reader, self.policies, self.queue)
        self.converse = ConverseService(
            Gateway(self.admission, self.calls, FakeCounter(), self.free_work, self.idempotency)
        )

    def ask(self, way: Way, key: str | None) -> Told:
        """One request, and where it starts a job, that job's run and end."""
        route, body, headers, kind = way
        model = TITAN if "embeddings" in headers.values() else NOVA_LITE
        if kind in ("container", "parts"):
            model = ENDPOINT
        event: dict[str, Any] = {
            "httpMethod": "POST",
            "resource": route,
            "requestContext": {"requestId": "gw-1", "authorizer": AUTHORIZER},
            "pathParameters": {"modelId": model} if "{" in route else None,
            "queryStringParameters": {"model_id": model} if route == LEGACY else None,
            "headers": {"team_id": "acme", **headers, **({"Idempotency-Key": key} if key else {})},
            "body": json.dumps(body),
        }
        if route not in (LEGACY, JOBS):
            return told(self.converse.answer(event))
        started = told(answer(event, self.invoke.handle))
        if started.status not in (200, 202) or not (
            route == JOBS or headers.get("streaming") == "true"
        ):
            return started
        return self._run(event, started)

    def _run(self, event: dict[str, Any], started: Told) -> Told:
        (job_id,) = {sent for _, sent in self.queue.sent}
        assert job_id.encode() in started.body
        assert self.stream.run([{"messageId": "m", "body": queue_message("acme", job_id)}]) == []
        if event["resource"] == LEGACY:
            poll = {**event, "queryStringParameters": {"requestId": job_id}}
            return told(answer(poll, self.invoke.handle))
        poll = {**event, "pathParameters": {"id": job_id}, "queryStringParameters": {"wait": "0"}}
        return told(answer(poll, self.stream.poll))


def told(response: Any) -> Told:
    """A response as Lambda sends it: what has no encoding fails here."""
    if isinstance(response, StreamedResponse):
        pieces: list[bytes] = []
        response.produce(pieces.append)
        return Told(response.status, response.headers, b"".join(pieces))
    sent = json.loads(json.dumps(response, ensure_ascii=False).encode())
    body = b64decode(sent["body"]) if sent.get("isBase64Encoded") else sent["body"].encode()
    return Told(sent["statusCode"], sent["headers"], body)


# --- Examples ---------------------------------------------------------------------------------


def test_every_way_is_answered_and_booked_as_counted() -> None:
    for way in (*CALLS, *STREAMS):
        world = Paid()
        respond(world.upstream, way[3], ANSWERS[way[3]])

        said = world.ask(way, None)

        assert said.status == 200, (way, said.body)
        assert b'"error"' not in said.body, way
        assert world.row.usage_source == "provider", way
        assert (world.row.status, world.row.output_tokens) == ("ok", 0 if way[3] == "vector" else 5)


HALF = "hel\ud800lo"
HALVES: list[tuple[Way, Any]] = [
    *(
        (way, {**DOCUMENT, "output": {"message": {"content": [{"text": HALF}]}}})
        for way in CALLS[:4]
    ),
    *(
        (
            way,
            {
                **DOCUMENT,
                "output": {
                    "message": {"content": [{"toolUse": {**TOOL["toolUse"], "input": {"a": HALF}}}]}
                },
            },
        )
        for way in CALLS[:4]
    ),
    *(
        (way, {**NATIVE, "output": {"message": {"content": [{"text": HALF}]}}})
        for way in CALLS[4:6]
    ),
    *(
        (
            way,
            [
                *EVENTS[:4],
                ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": HALF}}),
                *EVENTS[5:],
            ],
        )
        for way in STREAMS[:5]
    ),
    # The input of a tool is JSON within JSON: its half of a character shows once it is read.
    *(
        (
            way,
            [
                *EVENTS[:7],
                (
                    "contentBlockDelta",
                    {
                        "contentBlockIndex": 2,
                        "delta": {"toolUse": {"input": json.dumps({"a": HALF})}},
                    },
                ),
                *EVENTS[9:],
            ],
        )
        for way in STREAMS[:5]
    ),
    *(
        (way, [CHUNKS[0], {"contentBlockDelta": {"delta": {"text": HALF}}}, *CHUNKS[2:]])
        for way in STREAMS[5:]
    ),
]


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize(("way", "said"), HALVES)
def test_half_a_character_is_replaced_and_the_answer_is_whole(
    way: Way, said: Any, key: str | None
) -> None:
    world = Paid()
    respond(world.upstream, way[3], said)

    first = world.ask(way, key)
    again = world.ask(way, key) if key else first

    assert first.status == again.status == 200
    assert first.body == again.body
    # Chunks of a native stream are handed on as they came, in base64.
    forms = ("hel\ufffdlo", r"hel\ufffdlo", r"hel\\ud800lo")
    assert way[0] == INVOKE_STREAM or any(form.encode() in first.body for form in forms)
    assert world.upstream.calls == 1
    assert world.row.status == "ok"
    assert world.open_holds == 0


@pytest.mark.parametrize("way", [*CALLS, *STREAMS])
def test_half_a_character_in_a_refusal_is_replaced(way: Way) -> None:
    world = Paid()
    world.upstream.status = 400
    world.upstream.says({"message": f"the model says {HALF}", "__type": "ValidationException"})

    said = world.ask(way, "k")

    assert "hel\ufffdlo" in said.body.decode()
    assert (world.row.status, world.row.total_cost, world.open_holds) == ("error", 0, 0)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"text"', b"\xff", b'{"__type": [1]}'])
@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_a_refusal_that_cannot_be_read_costs_nothing(status: int, body: bytes) -> None:
    for way in (CALLS[2], CALLS[4], STREAMS[2]):
        world = Paid()
        world.upstream.status = status
        world.upstream.says(body)

        said = world.ask(way, "k")

        assert said.status >= 400
        assert "x-should-retry" not in said.headers
        assert (world.row.status, world.row.total_cost, world.open_holds) == ("error", 0, 0)


@pytest.mark.parametrize("way", STREAMS[:5])
def test_a_stream_without_its_stop_is_an_error_that_is_charged_as_counted(way: Way) -> None:
    world = Paid()
    respond(world.upstream, "events", [event for event in EVENTS if event[0] != "messageStop"])

    said = world.ask(way, "k")

    assert b"upstream_unreadable" in said.body or b"internalServerException" in said.body
    assert (world.row.status, world.row.error_code) == ("error", "upstream_unreadable")
    assert (world.row.usage_source, world.row.output_tokens) == ("provider", 5)
    assert world.row.total_cost == 10 * 2_000_000 + 5 * 10_000_000


# --- Whatever comes -----------------------------------------------------------------------------

ANSWERS: dict[str, Any] = {
    "document": DOCUMENT,
    "native": NATIVE,
    "vector": VECTOR,
    "events": EVENTS,
    "chunks": CHUNKS,
    "container": CONTAINER,
    "parts": PARTS,
}


def respond(upstream: Upstream, kind: str, said: Any) -> None:
    """Let the model service say this."""
    if kind == "events":
        upstream.streams(said)
    elif kind == "chunks":
        upstream.streams([chunk(document) for document in said])
    elif kind == "parts":
        upstream.streams(
            [("PayloadPart", b"data:" + line + b"\n\n") for line in map(as_json, said)]
        )
    elif kind in {"container", "document"}:
        upstream.says(said)
    else:
        counts = {"input_token_count": "5" if kind == "vector" else "10"}
        upstream.says(said, **counts, output_token_count="0" if kind == "vector" else "5")


def as_json(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode()


SAID: dict[str, Any] = {
    "document": st.one_of(mutated(DOCUMENT), NO_JSON),
    "native": st.one_of(mutated(NATIVE), NO_JSON),
    "vector": st.one_of(mutated(VECTOR), NO_JSON),
    "events": mutated_events(EVENTS),
    "chunks": mutated_chunks(CHUNKS),
    "parts": mutated_chunks(PARTS),
    "container": st.one_of(mutated(CONTAINER), NO_JSON),
}


@st.composite
def happenings(draw: DrawFn) -> tuple[Way, Any, bool, bool]:
    """A way, what is said, whether the connection breaks at its end, whether there is a key."""
    way = draw(st.sampled_from([*CALLS, *STREAMS]))
    breaks = draw(st.sampled_from([False, False, False, True]))
    return way, draw(SAID[way[3]]), breaks, draw(st.booleans())


NOT_COUNTED = (-1, -1, -1, -1)


def counts_in(usage: Any) -> tuple[int, ...] | None:
    """What a `usage` counts, read by other means than the gateway's.

    NOT_COUNTED where a count is none, None where boto3 makes a number of something else.
    """
    if not isinstance(usage, dict):
        return NOT_COUNTED
    given = [usage.get(name) for name in ("inputTokens", "outputTokens")]
    cached = [usage.get(f"cache{way}InputTokens") for way in ("Read", "Write")]
    counts = [*given, *(0 if count is None else count for count in cached)]
    if any(type(count) in (bool, float, str) for count in counts):
        return None
    if any(type(count) is not int or not 0 <= count <= 10**12 for count in counts):
        return NOT_COUNTED
    return tuple(counts)


def booked(row: UsageRow) -> tuple[int, int, int, int]:
    written = row.cache_write_5m_tokens + row.cache_write_1h_tokens
    return row.input_tokens, row.output_tokens, row.cache_read_tokens, written


def check(happening: tuple[Way, Any, bool, bool]) -> None:
    """What must hold whatever a model service answers."""
    way, said, breaks, has_key = happening
    world = Paid()
    respond(world.upstream, way[3], said)
    if breaks:
        world.upstream.broken = ConnectionResetError("gone")
    key = "k" if has_key else None

    first = world.ask(way, key)

    row = world.row
    assert world.open_holds == 0
    assert 0 <= row.total_cost <= row.held
    assert min(booked(row)) >= 0
    account = world.accounts.get("tenant#acme")
    assert account is not None
    assert account.month_spent == account.month_committed == row.total_cost
    assert b"internal_error" not in first.body
    if first.status >= 400 and row.total_cost and way[0] != JOBS and "streaming" not in way[2]:
        assert first.headers["x-should-retry"] == "false"
        assert b"upstream_" in first.body
    if way[3] == "document" and not breaks and isinstance(said, dict):
        counted = counts_in(said.get("usage"))
        if counted == NOT_COUNTED:
            assert row.usage_source in ("estimated", "hold")
        elif counted is not None and row.usage_source == "provider":
            assert booked(row) == counted
        elif counted is not None:
            assert row.usage_source == "bound"
    if key is not None and row.total_cost:
        again = world.ask(way, key)
        assert world.upstream.calls == 1
        assert len(world.usage.rows) == 1
        assert again.body == first.body or again.status == 409


SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(SETTINGS, max_examples=250)
@given(happenings())
def test_whatever_comes_is_settled_once_and_never_asked_for_again(
    happening: tuple[Way, Any, bool, bool],
) -> None:
    check(happening)


@pytest.mark.soak
@settings(SETTINGS, max_examples=10_000)
@given(happenings())
def test_ten_thousand_answers_are_settled_once_and_never_asked_for_again(
    happening: tuple[Way, Any, bool, bool],
) -> None:
    check(happening)
