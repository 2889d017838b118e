"""The routes of `converse` over fakes, from proxy event to the bytes of the body."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.idempotency import FakeIdempotencyRecords
from tests.fakes.jobs import FakePayloads
from tests.fakes.replies import event_piece, text_piece
from tests.fakes.world import NOVA_LITE, app, tenant
from tests.unit.services.test_calls import World
from tollgate.domain.errors import (
    StreamBrokenError,
    TollgateError,
    UnavailableError,
    UpstreamFailedError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from tollgate.domain.ledger import Hold, Scope
from tollgate.domain.money import usd
from tollgate.domain.prices import TokenUsage
from tollgate.domain.tenants import Budget, Limits
from tollgate.entry.http import StreamedResponse
from tollgate.entry.idempotency import Idempotency
from tollgate.ports import CountRequest, ModelReply, StreamPiece
from tollgate.services.ledger import HELD_RETRY_SECONDS, Ledger
from tollgate_converse.routes import MOST_NOTES, Gateway, note_headers
from tollgate_converse.service import ROUTES, ConverseService

if TYPE_CHECKING:
    from collections.abc import Callable

    from tollgate.entry.http import Response

AUTHORIZER = {"tenant_id": "acme", "app_id": "web", "key_id": "web/primary", "tier": "pro"}
CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
MESSAGES, COUNT_MESSAGE = "/v1/messages", "/v1/messages/count_tokens"
CONVERSE, CONVERSE_STREAM = "/model/{modelId}/converse", "/model/{modelId}/converse-stream"
UNLIMITED = Scope("tenant#acme", Budget(), Limits())
INVOKE = "/model/{modelId}/invoke"
INVOKE_STREAM = "/model/{modelId}/invoke-with-response-stream"
COUNT = "/model/{modelId}/count-tokens"

OPENAI_BODY = {"model": NOVA_LITE, "messages": [{"role": "user", "content": "hi"}]}
ANTHROPIC_BODY = {**OPENAI_BODY, "max_tokens": 100}
CONVERSE_BODY = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
NATIVE_BODY = {**CONVERSE_BODY, "inferenceConfig": {"maxTokens": 50}}
BODIES = {
    CHAT: OPENAI_BODY,
    MESSAGES: ANTHROPIC_BODY,
    CONVERSE: CONVERSE_BODY,
    CONVERSE_STREAM: CONVERSE_BODY,
    INVOKE: NATIVE_BODY,
    INVOKE_STREAM: NATIVE_BODY,
}
USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
METADATA = {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 7}}}
METRICS = json.dumps({"amazon-bedrock-invocationMetrics": {"inputTokenCount": 10}}).encode()

streams = pytest.mark.parametrize("route", [CHAT, MESSAGES, CONVERSE_STREAM, INVOKE_STREAM])
calls = pytest.mark.parametrize("route", sorted(BODIES))


class FakeCounter:
    """`tollgate.ports.InputCounter` that counts seven and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[CountRequest] = []
        self.error: TollgateError | None = None

    def input_tokens(self, request: CountRequest) -> int:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return 7


class Converse(World):
    """The function over fakes."""

    def __init__(self) -> None:
        super().__init__(tenant(models=("amazon.*", "cohere.*"), budget=Budget(month=usd("1"))))
        self.counter = FakeCounter()
        self.records = FakeIdempotencyRecords()
        self.answers = FakePayloads()
        idempotency = Idempotency(
            self.records,
            self.answers,
            self.policies,
            self.free_work,
            self.clock,
            lambda s: self.clock.advance(seconds=s),
        )
        self.service = ConverseService(
            Gateway(self.admission, self.calls, self.counter, self.free_work, idempotency)
        )
        self.runtime.events = (
            event_piece({"messageStart": {"role": "assistant"}}),
            text_piece("hel"),
            text_piece("lo"),
            event_piece({"contentBlockStop": {"contentBlockIndex": 0}}),
            event_piece({"messageStop": {"stopReason": "end_turn"}}),
            StreamPiece(METADATA),
        )

    def stream_chunks(self) -> None:
        """Let the model answer in chunks of a native body."""
        self.runtime.events = (
            StreamPiece({"chunk": {"bytes": b'{"a": 1}'}}, "hel", 3),
            StreamPiece({"chunk": {"bytes": METRICS}}),
        )

    def post(
        self,
        route: str,
        body: object = None,
        *,
        model: str = NOVA_LITE,
        authorizer: dict[str, str] | None = None,
        **headers: str,
    ) -> Response | StreamedResponse:
        given = BODIES[route] if body is None else body
        event = {
            "httpMethod": "POST",
            "resource": route,
            "requestContext": {
                "requestId": "gw-1",
                "authorizer": AUTHORIZER if authorizer is None else authorizer,
            },
            "pathParameters": {"modelId": model} if "{" in route else None,
            "headers": headers,
            "body": given if isinstance(given, str) else json.dumps(given),
        }
        return self.service.answer(event)

    def answer(self, route: str, body: object = None, **given: Any) -> Response:
        response = self.post(route, body, **given)
        assert not isinstance(response, StreamedResponse)
        return response

    def stream(
        self, route: str, write: Callable[[bytes], None] | None = None, **given: Any
    ) -> tuple[StreamedResponse, bytes]:
        if route == INVOKE_STREAM:
            self.stream_chunks()
        body = {**BODIES[route], "stream": True} if route in (CHAT, MESSAGES) else None
        response = self.post(route, body, **given)
        assert isinstance(response, StreamedResponse)
        pieces: list[bytes] = []
        response.produce(pieces.append if write is None else write)
        return response, b"".join(pieces)


def body_of(response: Response) -> Any:
    return json.loads(response["body"])


# --- Answers at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("route", [CHAT, MESSAGES, CONVERSE, INVOKE])
def test_an_answer_carries_its_receipt(route: str) -> None:
    world = Converse()

    response = world.answer(route)

    assert response["statusCode"] == 200
    assert response["headers"]["x-request-id"] == world.row.request_id
    assert response["headers"]["x-tenant-id"] == "acme"
    assert response["headers"]["x-tollgate-cost-usd"] == "0.00007"
    assert response["headers"]["x-tollgate-remaining-usd"] == "0.99993"
    assert "hello" in response["body"]


def test_each_dialect_answers_in_its_own_form() -> None:
    world = Converse()

    completion = body_of(world.answer(CHAT))
    message = body_of(world.answer(MESSAGES))
    converse = body_of(world.answer(CONVERSE))

    assert completion["id"].startswith("chatcmpl-")
    assert completion["created"] == int(world.clock().timestamp())
    assert completion["choices"][0]["message"]["content"] == "hello"
    assert message["content"] == [{"type": "text", "text": "hello"}]
    assert converse["output"]["message"]["content"] == [{"text": "hello"}]
    assert [row.dialect for row in world.usage.rows.values()] == [
        "openai.chat",
        "anthropic.chat",
        "bedrock.chat",
    ]


def test_a_native_answer_keeps_what_bedrock_counted() -> None:
    world = Converse()
    counts = {"x-amzn-bedrock-input-token-count": "10"}
    world.runtime.reply = ModelReply({"a": "Ü"}, TokenUsage(input=10, output=5), headers=counts)

    response = world.answer(INVOKE)

    assert body_of(response) == {"a": "Ü"}
    assert response["headers"]["x-amzn-bedrock-input-token-count"] == "10"
    assert world.row.operation == "invoke_model"


@pytest.mark.parametrize("encoded", ["amazon.nova-lite-v1%3A0", NOVA_LITE])
def test_a_model_in_the_path_may_be_encoded(encoded: str) -> None:
    world = Converse()

    assert world.answer(CONVERSE, model=encoded)["statusCode"] == 200
    assert world.row.requested_model == NOVA_LITE


def test_an_arn_in_the_path_is_one_segment() -> None:
    world = Converse()
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA_LITE}"

    assert world.answer(CONVERSE, model=arn.replace("/", "%2F"))["statusCode"] == 200
    assert world.runtime.requests[0].model_id == arn


def test_what_is_ignored_is_noted() -> None:
    world = Converse()

    response = world.answer(CHAT, {**OPENAI_BODY, "seed": 1, "store": True})

    assert response["headers"]["x-tollgate-notes"] == "seed is ignored; store is ignored"
    assert "x-tollgate-notes" not in world.answer(CHAT)["headers"]


def test_notes_are_told_once_for_each_kind_and_do_not_grow_with_the_request() -> None:
    schema = {"type": "object"}
    tools = [
        {"name": f"t{n}", "input_schema": schema, "input_examples": [{}], "description": "d"}
        for n in range(500)
    ]
    headers = Converse().answer(MESSAGES, {**BODIES[MESSAGES], "tools": tools})["headers"]

    assert headers["x-tollgate-notes"] == "tools[].input_examples is ignored"
    notes = note_headers([f"member {n} is ignored" for n in range(500)])["x-tollgate-notes"]
    assert len(notes) == MOST_NOTES
    assert notes.endswith(" ...")


def test_anthropics_clients_find_the_id_under_their_name() -> None:
    world = Converse()
    assert world.answer(MESSAGES)["headers"]["request-id"] == world.row.request_id


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"Accept": "image/png"}, "accept"),
        ({"X-Amzn-Bedrock-GuardrailIdentifier": "g"}, "guardrail"),
        ({"X-Amzn-Bedrock-PerformanceConfig-Latency": "optimized"}, "performanceConfigLatency"),
        ({"X-Amzn-Bedrock-Service-Tier": "gold"}, "service tier"),
    ],
)
def test_settings_of_a_native_call_that_cannot_be_kept_are_refused(
    headers: dict[str, str], word: str
) -> None:
    response = Converse().answer(INVOKE, **headers)

    assert response["statusCode"] == 400
    assert word in body_of(response)["message"]


def counted(body: dict[str, Any]) -> dict[str, Any]:
    data = b64encode(json.dumps(body).encode()).decode()
    return {"input": {"invokeModel": {"body": data}}}


FIELDS = {"additionalModelRequestFields": {"topQ": 1}}


@pytest.mark.parametrize(
    ("route", "body", "place"),
    [
        (INVOKE, {**NATIVE_BODY, "topQ": 1}, "topQ"),
        (INVOKE, {**NATIVE_BODY, "inferenceConfig": {"topQ": 1}}, "inferenceConfig.topQ"),
        (INVOKE_STREAM, {**NATIVE_BODY, "topQ": 1}, "topQ"),
        (CONVERSE, {**CONVERSE_BODY, **FIELDS}, "additionalModelRequestFields.topQ"),
        (CONVERSE_STREAM, {**CONVERSE_BODY, **FIELDS}, "additionalModelRequestFields.topQ"),
        (COUNT, counted({**NATIVE_BODY, "topQ": 1}), "topQ"),
        (COUNT, {"input": {"converse": {**CONVERSE_BODY, **FIELDS}}}, "topQ"),
    ],
)
def test_a_member_that_the_models_family_has_not_is_named(
    route: str, body: dict[str, Any], place: str
) -> None:
    world = Converse()

    response = world.answer(route, body)

    assert response["statusCode"] == 400
    assert f"{place} is not known for models of Nova; allowed are " in body_of(response)["message"]
    assert (world.runtime.requests, world.counter.requests) == ([], [])
    assert (world.usage.rows, world.open_holds) == ({}, 0)


# --- Streams ------------------------------------------------------------------------------------


@streams
def test_a_stream_ends_with_its_receipt(route: str) -> None:
    world = Converse()

    response, body = world.stream(route)

    assert response.status == 200
    assert response.headers["x-request-id"] == world.row.request_id
    assert response.headers["x-tenant-id"] == "acme"
    assert b'"tollgate"' in body
    assert b'"cost_usd": "0.00007"' in body
    assert b'"remaining_usd": "0.99993"' in body
    assert world.row.streamed
    assert world.open_holds == 0


@streams
def test_pieces_are_written_while_the_model_still_speaks(route: str) -> None:
    world = Converse()
    written: list[bytes] = []
    ends = 0

    def end() -> None:
        nonlocal ends
        ends = len(written)

    world.runtime.during_call = end
    world.stream(route, written.append)

    assert 0 < sum(map(bool, written[:ends])) < sum(map(bool, written))


@pytest.mark.parametrize(
    ("route", "kind", "keep_alive"),
    [
        (CHAT, "text/event-stream", b": still working\n\n"),
        (MESSAGES, "text/event-stream", b'event: ping\ndata: {"type": "ping"}\n\n'),
        (CONVERSE_STREAM, "application/vnd.amazon.eventstream", b""),
        (INVOKE_STREAM, "application/vnd.amazon.eventstream", b""),
    ],
)
def test_each_stream_is_of_its_kind(route: str, kind: str, keep_alive: bytes) -> None:
    response, _ = Converse().stream(route)

    assert response.headers["Content-Type"] == kind
    assert response.keep_alive == keep_alive


@streams
def test_what_fails_before_the_first_byte_has_a_status(route: str) -> None:
    world = Converse()
    world.runtime.events = ()
    world.runtime.error = UpstreamThrottledError("slow down", retry_after=2)
    body = {**BODIES[route], "stream": True} if route in (CHAT, MESSAGES) else None

    response = world.answer(route, body)

    assert response["statusCode"] == 429
    assert response["headers"]["Retry-After"] == "2"
    assert world.open_holds == 0


@pytest.mark.parametrize(
    ("route", "told"),
    [
        (CHAT, b'data: {"error": {"message": "it broke"'),
        (MESSAGES, b'event: error\ndata: {"type": "error", "error": {"type": "api_error"'),
        (CONVERSE_STREAM, b"modelStreamErrorException"),
    ],
)
def test_what_fails_after_it_is_told_in_the_body(route: str, told: bytes) -> None:
    world = Converse()
    world.runtime.events = world.runtime.events[:3]
    world.runtime.error = StreamBrokenError("it broke", may_be_billed=True)

    _, body = world.stream(route)

    assert b"hel" in body
    assert told in body
    assert world.row.status == "aborted"
    assert world.open_holds == 0


@streams
def test_a_writer_that_fails_does_not_stop_the_settlement(route: str) -> None:
    world = Converse()
    told: list[bytes] = []

    def write(piece: bytes) -> None:
        told.append(piece)
        if len(told) == 1:
            raise LookupError("secret")

    world.stream(route, write)

    assert world.row.status == "ok"
    assert world.open_holds == 0
    assert "secret" not in str(told[-1])


def test_an_event_after_the_one_with_the_metrics_comes_after_it() -> None:
    """A model may say the word that the last event is told by."""
    world = Converse()
    chunks = [b'{"text": "amazon-bedrock-invocationMetrics"}', b'{"b": 2}', METRICS]
    world.runtime.events = [StreamPiece({"chunk": {"bytes": chunk}}) for chunk in chunks]
    response = world.post(INVOKE_STREAM)
    assert isinstance(response, StreamedResponse)
    pieces: list[bytes] = []

    response.produce(pieces.append)

    frames = [piece for piece in pieces if piece]
    assert len(frames) == 2
    assert frames[0].count(b":event-type") == 2
    assert b"tollgate" not in frames[0]
    assert b"tollgate" in frames[1]


# --- Errors -------------------------------------------------------------------------------------


@calls
@pytest.mark.parametrize("body", ["{", "[]", '"text"'])
def test_a_bad_body_is_refused_in_the_routes_dialect(route: str, body: str) -> None:
    world = Converse()

    response = world.answer(route, body)

    assert response["statusCode"] == 400
    told = body_of(response)
    if route == CHAT:
        assert told["error"]["type"] == "invalid_request_error"
    elif route == MESSAGES:
        assert (told["type"], told["error"]["type"]) == ("error", "invalid_request_error")
    else:
        assert told["__type"] == "ValidationException"
        assert response["headers"]["x-amzn-errortype"] == "ValidationException"
    assert response["headers"]["x-request-id"] == "gw-1"
    assert response["headers"]["x-tenant-id"] == "acme"
    assert world.usage.rows == {}


@pytest.mark.parametrize(
    ("error", "of_openai", "of_anthropic", "of_bedrock"),
    [
        (
            UpstreamThrottledError("x"),
            (429, "rate_limit_error"),
            (429, "rate_limit_error"),
            (429, "ThrottlingException"),
        ),
        (
            UpstreamFailedError("x"),
            (502, "server_error"),
            (502, "api_error"),
            (500, "InternalServerException"),
        ),
        (
            UpstreamFailedError("x", may_be_billed=True),
            (502, "server_error"),
            (502, "api_error"),
            (424, "ModelErrorException"),
        ),
        (
            UpstreamTimeoutError("x", may_be_billed=True),
            (504, "server_error"),
            (504, "timeout_error"),
            (408, "ModelTimeoutException"),
        ),
        (
            UnavailableError("x"),
            (503, "server_error"),
            (503, "overloaded_error"),
            (503, "ServiceUnavailableException"),
        ),
    ],
)
def test_a_failure_of_the_model_in_each_dialect(
    error: TollgateError,
    of_openai: tuple[int, str],
    of_anthropic: tuple[int, str],
    of_bedrock: tuple[int, str],
) -> None:
    world = Converse()
    world.runtime.error = error

    chat, message, converse = (world.answer(route) for route in (CHAT, MESSAGES, CONVERSE))

    assert (chat["statusCode"], body_of(chat)["error"]["type"]) == of_openai
    assert (message["statusCode"], body_of(message)["error"]["type"]) == of_anthropic
    assert (converse["statusCode"], body_of(converse)["__type"]) == of_bedrock
    for response in (chat, message, converse):
        may_retry = response["headers"].get("x-should-retry") is None
        assert may_retry != error.may_be_billed


def test_a_call_over_budget_is_402_in_each_dialect() -> None:
    world = Converse()
    world.tenants.tenants["acme"] = tenant(budget=Budget(month=1))

    chat, message, converse = (world.answer(route) for route in (CHAT, MESSAGES, CONVERSE))

    assert chat["statusCode"] == message["statusCode"] == converse["statusCode"] == 402
    assert body_of(chat)["error"]["type"] == "insufficient_quota"
    assert body_of(chat)["error"]["code"] == "budget_exceeded"
    assert body_of(message)["error"]["type"] == "billing_error"
    assert body_of(converse)["__type"] == "ServiceQuotaExceededException"
    for response in (body_of(chat)["error"], body_of(message)["error"], body_of(converse)):
        assert "affordable_max_tokens" in response["details"]


def test_a_call_that_only_running_calls_refuse_is_429_in_each_dialect() -> None:
    world = Converse()
    running = Hold("r-1", usd("1"), 1, 0, NOVA_LITE, "web", "web/k", "openai.chat", streamed=False)
    Ledger(world.accounts, world.usage).admit(running, [UNLIMITED], world.clock())

    chat, message, converse = (world.answer(route) for route in (CHAT, MESSAGES, CONVERSE))

    assert chat["statusCode"] == message["statusCode"] == converse["statusCode"] == 429
    assert body_of(chat)["error"]["type"] == "rate_limit_error"
    assert body_of(message)["error"]["type"] == "rate_limit_error"
    assert body_of(converse)["__type"] == "ThrottlingException"
    for response in (chat, message, converse):
        assert response["headers"]["Retry-After"] == str(HELD_RETRY_SECONDS)
        assert "x-should-retry" not in response["headers"]
    for body in (body_of(chat)["error"], body_of(message)["error"], body_of(converse)):
        assert body["code"] == "budget_held"
        assert body["details"]["affordable_max_tokens"] == 0


MISNAMED = [
    ("nova-lite", 400, "unsupported_model_id", [NOVA_LITE]),
    ("bedrock/converse/amazon.nova-lit-v1:0", 400, "unsupported_model_id", [NOVA_LITE]),
    ("us.amazon.nova-lite", 403, "model_not_allowed", [NOVA_LITE]),
    ("us.anthropic.claude-x", 403, "model_not_allowed", None),
    ("gpt-4o", 400, "unsupported_model_id", [NOVA_LITE]),
    ("x" * 10**5, 400, "unsupported_model_id", [NOVA_LITE]),
    ("meta." + "x" * 10**5, 400, "unsupported_model_id", [NOVA_LITE]),
    ("meta." + "x" * 60, 403, "model_not_allowed", None),
]
# Counting needs no price.
UNPRICED = [
    ("amazon.nova-lite", 403, "model_not_priced", [NOVA_LITE]),
    ("amazon." + "x" * 60, 403, "model_not_priced", None),
]


@pytest.mark.parametrize(
    ("route", "model", "status", "code", "near"),
    [
        pytest.param(route, *misnamed, id=f"{route} {misnamed[0][:24]}")
        for route in (CHAT, EMBEDDINGS, MESSAGES, COUNT_MESSAGE, CONVERSE, INVOKE, COUNT)
        for misnamed in (
            *MISNAMED,
            *(UNPRICED if route not in (COUNT, COUNT_MESSAGE, EMBEDDINGS) else ()),
        )
        # What has the form of an id must be one for embeddings.
        if route != EMBEDDINGS or misnamed[2] == "unsupported_model_id"
    ],
)
def test_models_that_may_be_meant_are_named_in_each_dialect(
    route: str, model: str, status: int, code: str, near: list[str] | None
) -> None:
    world = Converse()
    more: dict[str, Any] = {
        EMBEDDINGS: {"input": "a"},
        COUNT_MESSAGE: OPENAI_BODY,
        COUNT: {"input": {"converse": CONVERSE_BODY}},
    }
    body = {**more, **BODIES}[route]
    if not route.startswith("/model/"):
        body = {**body, "model": model}

    response = world.answer(route, body, model=model)

    error = body_of(response)
    error = error.get("error", error)
    assert (response["statusCode"], error["code"]) == (status, code)
    assert error.get("details", {}).get("nearest") == near
    assert (NOVA_LITE if near else "GET /v1/models") in error["message"]
    assert len(error["message"]) < 400
    assert world.runtime.requests == []


@pytest.mark.parametrize(
    ("route", "body"),
    [
        (CHAT, {**OPENAI_BODY, "reasoning_effort": "low"}),
        (MESSAGES, {**ANTHROPIC_BODY, "top_k": 5, "thinking": {"type": "adaptive"}}),
    ],
)
def test_a_model_that_is_none_is_named_before_what_it_could_not_do(
    route: str, body: dict[str, Any]
) -> None:
    response = Converse().answer(route, {**body, "model": "nova-lite"})

    error = body_of(response)["error"]
    assert error["code"] == "unsupported_model_id"
    assert error["details"] == {"nearest": [NOVA_LITE]}


@calls
def test_without_an_identity_nothing_is_called(route: str) -> None:
    world = Converse()

    response = world.answer(route, authorizer={})

    assert response["statusCode"] == 403
    assert world.runtime.requests == []


@calls
def test_a_fault_of_the_gateway_tells_nothing(route: str) -> None:
    world = Converse()

    def fault(*_: object) -> None:
        raise LookupError("secret prompt")

    world.accounts.admit = fault  # type: ignore[method-assign, assignment]
    response = world.post(route)

    assert not isinstance(response, StreamedResponse)
    assert response["statusCode"] == 500
    assert "secret" not in response["body"]
    assert "x-should-retry" not in response["headers"]


@calls
def test_a_fault_after_the_call_was_made_is_the_answers_and_is_no_reason_to_make_it_again(
    route: str,
) -> None:
    world = Converse()
    world.runtime.events = ()

    def fault() -> None:
        raise LookupError("secret prompt")

    world.runtime.during_call = fault
    response = world.post(route, **{"Idempotency-Key": "k"})
    again = world.post(route, **{"Idempotency-Key": "k"})

    assert not isinstance(response, StreamedResponse)
    assert response["statusCode"] == (424 if "modelId" in route else 502)
    assert response["headers"]["x-should-retry"] == "false"
    assert "upstream_unreadable" in response["body"]
    assert "secret" not in response["body"]
    assert world.row.total_cost == world.row.held > 0
    assert world.open_holds == 0
    assert not isinstance(again, StreamedResponse)
    assert again["statusCode"] == 409
    assert len(world.runtime.requests) == 1


def test_every_route_of_the_contract_is_served() -> None:
    assert set(ROUTES) == {f"POST {route}" for route in (*BODIES, EMBEDDINGS, COUNT_MESSAGE, COUNT)}


# --- Idempotency --------------------------------------------------------------------------------


@streams
def test_a_stream_that_comes_again_is_repeated_and_charged_once(route: str) -> None:
    world = Converse()
    first, body = world.stream(route, **{"Idempotency-Key": "k"})
    body_again = {**BODIES[route], "stream": True} if route in (CHAT, MESSAGES) else None

    again = world.answer(route, body_again, **{"Idempotency-Key": "k"})

    assert b64decode(again["body"]) == body
    assert again["headers"] == {**first.headers, "x-tollgate-replayed": "true"}
    assert len(world.usage.rows) == len(world.runtime.requests) == 1


def test_a_stream_whose_client_goes_is_kept_whole() -> None:
    world = Converse()
    world.stream(CHAT, lambda _: None, **{"Idempotency-Key": "k"})

    again = world.answer(CHAT, {**OPENAI_BODY, "stream": True}, **{"Idempotency-Key": "k"})

    assert again["statusCode"] == 200
    assert again["isBase64Encoded"]


def test_a_broken_stream_is_not_repeated() -> None:
    world = Converse()
    world.runtime.events = world.runtime.events[:3]
    world.runtime.error = StreamBrokenError("it broke", may_be_billed=True)
    world.stream(CHAT, **{"Idempotency-Key": "k"})

    again = world.answer(CHAT, {**OPENAI_BODY, "stream": True}, **{"Idempotency-Key": "k"})

    assert (again["statusCode"], body_of(again)["error"]["code"]) == (409, "idempotency_unknown")
    assert len(world.runtime.requests) == 1


def test_a_stream_that_cost_nothing_frees_its_key() -> None:
    world = Converse()
    world.runtime.events = world.runtime.events[:1]
    world.runtime.error = UpstreamThrottledError("slow down")
    world.stream(CHAT, **{"Idempotency-Key": "k"})
    world.runtime.error = None

    world.stream(CHAT, **{"Idempotency-Key": "k"})

    assert [row.status for row in world.usage.rows.values()] == ["error", "ok"]


def test_a_key_is_for_one_model() -> None:
    world = Converse()
    world.answer(CONVERSE, **{"Idempotency-Key": "k"})

    other = world.answer(CONVERSE, model="amazon.nova-pro-v1:0", **{"Idempotency-Key": "k"})

    assert (other["statusCode"], body_of(other)["code"]) == (422, "idempotency_mismatch")


# --- Embeddings ---------------------------------------------------------------------------------

TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-english-v3"


def test_titan_texts_are_calls_of_their_own_with_one_receipt() -> None:
    world = Converse()
    world.runtime.reply = ModelReply({"embedding": [0.5, -1.0]}, TokenUsage(input=5))

    response = world.answer(EMBEDDINGS, {"model": TITAN, "input": ["a", "b"]})

    assert [request.body for request in world.runtime.requests] == [
        {"inputText": "a"},
        {"inputText": "b"},
    ]
    assert body_of(response)["data"] == [
        {"object": "embedding", "index": index, "embedding": [0.5, -1.0]} for index in (0, 1)
    ]
    assert body_of(response)["usage"] == {"prompt_tokens": 10, "total_tokens": 10}
    rows = list(world.usage.rows.values())
    assert usd(response["headers"]["x-tollgate-cost-usd"]) == sum(row.total_cost for row in rows)
    assert response["headers"]["x-request-id"] == rows[0].request_id
    assert {row.dialect for row in rows} == {"openai.embeddings"}


def test_texts_embedded_before_a_failure_stay_charged() -> None:
    world = Converse()
    world.runtime.reply = ModelReply({"embedding": [0.5]}, TokenUsage(input=50))

    def fail_the_second() -> None:
        if len(world.runtime.requests) == 2:
            raise UpstreamThrottledError("slow down")

    world.runtime.during_call = fail_the_second
    response = world.answer(
        EMBEDDINGS, {"model": TITAN, "input": ["a", "b"]}, **{"Idempotency-Key": "k"}
    )

    assert response["statusCode"] == 429
    assert response["headers"]["x-should-retry"] == "false"
    assert [row.status for row in world.usage.rows.values()] == ["ok", "error"]
    assert world.open_holds == 0


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"model": TITAN, "input": [[1, 2]]}, "array of tokens"),
        ({"model": TITAN, "input": [1, 2]}, "array of tokens"),
        ({"model": TITAN, "input": []}, "input is empty"),
        ({"model": TITAN, "input": ""}, "is empty"),
        ({"model": TITAN, "input": ["a"] * 2049}, "2049 entries"),
        ({"model": TITAN, "input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"model": TITAN, "input": "a", "input_type": "search_query"}, "input_type"),
        ({"model": COHERE, "input": "a", "dimensions": 256}, "dimensions"),
        ({"model": COHERE, "input": "a", "input_type": "poem"}, "input_type"),
        ({"model": NOVA_LITE, "input": "a"}, "/v1/embeddings"),
        ({"model": TITAN, "input": "a", "truncate": True}, "truncate"),
    ],
)
def test_what_cannot_be_embedded_is_refused(body: dict[str, Any], word: str) -> None:
    world = Converse()

    response = world.answer(EMBEDDINGS, body)

    assert response["statusCode"] == 400
    assert word in body_of(response)["error"]["message"]
    assert world.runtime.requests == []


# --- Counts -------------------------------------------------------------------------------------


def test_a_count_is_of_what_would_be_sent_and_holds_nothing() -> None:
    world = Converse()
    world.tenants.tenants["acme"] = tenant(system_preamble="Be kind.")

    response = world.answer(COUNT_MESSAGE, ANTHROPIC_BODY | {"system": "Be brief."})

    assert body_of(response) == {"input_tokens": 7}
    (request,) = world.counter.requests
    assert request.model_id == NOVA_LITE
    assert request.given["converse"]["system"] == [{"text": "Be kind."}, {"text": "Be brief."}]
    assert request.given["converse"].keys() == {"messages", "system"}
    assert world.usage.rows == {}
    assert world.open_holds == 0


def test_a_count_of_a_native_body() -> None:
    world = Converse()
    native = "eyJtZXNzYWdlcyI6W3sicm9sZSI6InVzZXIiLCJjb250ZW50IjpbeyJ0ZXh0IjoiaGkifV19XX0="

    response = world.answer(COUNT, {"input": {"invokeModel": {"body": native}}})

    assert body_of(response) == {"inputTokens": 7}
    (request,) = world.counter.requests
    sent = json.loads(request.given["invokeModel"]["body"])
    assert sent["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]


@pytest.mark.parametrize("model", ["meta.llama3-3-70b-instruct-v1:0", TITAN])
def test_a_count_asks_the_policy(model: str) -> None:
    world = Converse()

    response = world.answer(COUNT, {"input": {"converse": CONVERSE_BODY}}, model=model)

    assert response["statusCode"] in (400, 403)
    assert world.counter.requests == []


@pytest.mark.parametrize("scope", ["tenant", "app"])
def test_tokens_are_counted_as_often_a_minute_as_models_are_called(scope: str) -> None:
    limited = Limits(requests_per_minute=2)
    world = Converse()
    world.tenants.tenants["acme"] = (
        tenant(limits=limited) if scope == "tenant" else tenant(apps={"web": app(limits=limited)})
    )
    converse = {"input": {"converse": CONVERSE_BODY}}
    asked = [(COUNT_MESSAGE, ANTHROPIC_BODY), (COUNT, converse), (COUNT_MESSAGE, ANTHROPIC_BODY)]

    *counted, refused = [world.answer(route, body) for route, body in asked]

    assert [response["statusCode"] for response in counted] == [200, 200]
    assert refused["statusCode"] == 429
    assert int(refused["headers"]["Retry-After"]) > 0
    assert f"the {scope}'s limit of 2 token counts per minute" in refused["body"]
    assert len(world.counter.requests) == 2
    # Calls are counted apart.
    assert world.answer(MESSAGES, ANTHROPIC_BODY)["statusCode"] == 200


def test_a_model_that_does_not_count_says_so() -> None:
    world = Converse()
    world.counter.error = UnavailableError("cannot be reached", retry_after=2)

    response = world.answer(COUNT, {"input": {"converse": CONVERSE_BODY}})

    assert response["statusCode"] == 503
    assert body_of(response)["__type"] == "ServiceUnavailableException"
