"""Thousands of broken requests on every route: each is refused with words, and leaves nothing.

The handlers are called in this process with the events that API Gateway makes, so that most of the
time goes into the inputs; what the gateway itself refuses goes over HTTP. The generator is seeded:
a failure names the input and comes again.
"""

from __future__ import annotations

import copy
import importlib
import json
import random
import uuid
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local import contract
from scripts.local.apigateway import (
    Authorization,
    HttpRequest,
    authorizer_event,
    proxy_event,
)
from scripts.local.lambda_runtime import LambdaContext
from scripts.local.rest_api import Contract
from scripts.local.stack import LocalStack
from tests.integration.local.clients import (
    key_of,
)
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.entry.http import StreamedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.slow]

# A body has more to get wrong than a path.
INPUTS_OF_A_BODY = 365
INPUTS_OF_A_PATH = 150
MODEL = "amazon.nova-lite-v1:0"
APP = """
apps = {
  search = {
    keys               = { primary = {} }
    inference_profiles = { search = { model = "amazon.nova-lite-v1:0" } }
  }
}
"""
DOCUMENT = contract.read()
# What makes an example of the document a right call, beside its body: the model, and headers.
PROFILE = {"inference-profile-id": "search"}
CALLS = {
    ("/invoke", "messages"): (MODEL, PROFILE),
    ("/invoke", "request"): (MODEL, PROFILE),
    ("/invoke_model", "chat"): (MODEL, {"messages_api": "true"}),
    ("/invoke_model", "embeddings"): ("amazon.titan-embed-text-v2:0", {"type": "embeddings"}),
    ("/invoke_model", "image"): ("amazon.nova-canvas-v1:0", {"type": "image"}),
}
JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1e308,
    10**40,
    "",
    " ",
    "\x00",
    "\ud800",
    "a" * 5000,
    [],
    {},
    [[]],
    [None],
    {"": {}},
    [{}] * 50,
    {"type": "nothing"},
]
BROKEN_TEXTS = [
    "",
    " ",
    "null",
    "true",
    "17",
    '"text"',
    "[]",
    "{",
    "}",
    "{]",
    '{"a":}',
    '{"a" 1}',
    "{'a': 1}",
    '{"a": 1}}',
    '{"a": NaN}',
    '{"inputs": "\\ud800"',
    "\ufeff{}",
    "\x00",
    "\ufffd\ufffd{",
    "<xml/>",
    "[" * 100_000,
    '{"a":' * 50_000,
    "[" * 2_000 + "]" * 2_000,
    '{"model": ' * 1_000 + "1" + "}" * 1_000,
    "1" * 10_000,
    '{"inputs": ' + "9" * 6_000 + "}",
    "x" * 1_000_000,
]
HEADERS = {
    "idempotency-key": ["", " ", "é", "k" * 9_000, "\x01"],
    "team_id": ["", "other", "x" * 9_000, "../poor", "é"],
    "messages_api": ["maybe", "1"],
    "streaming": ["perhaps"],
    "type": ["nothing", "x" * 9_000],
    "anthropic-version": ["never"],
    "x-amzn-bedrock-guardrailidentifier": ["gr1234567890"],
    "x-amzn-bedrock-trace": ["MAYBE"],
    "inference-profile-id": ["nothing", "arn:aws:bedrock:::x", "x" * 9_000],
    "tags": ["{", "[]", '{"a": 1}', "x" * 9_000],
    "content-type": ["text/plain", "multipart/form-data"],
}
VALUES = ["", "%", "%00", "..", "a" * 3_000, "-1", "1e9", "é", "arn:aws:bedrock:us-east-1::x/y"]


@dataclass(frozen=True)
class Call:
    """A right call of a route: what the document shows, and what goes with it."""

    method: str
    path: str
    model: str = MODEL
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None

    def request(
        self,
        body: bytes | None = None,
        *,
        value: str | None = None,
        query: str = "",
        header: tuple[str, str] | None = None,
    ) -> HttpRequest:
        """The call with something else in its body, path, query string or headers."""
        path = self.path
        for name in ("{modelId}", "{id}", "{model}"):
            path = path.replace(name, self.model if value is None else value)
        if body is None:
            body = b"" if self.body is None else json.dumps(self.body).encode()
        headers = [*self.headers, *([header] if header else [])]
        return HttpRequest(self.method, path, f"model_id={self.model}{query}", headers, body)


def calls_of(method: str, path: str, operation: dict[str, Any]) -> list[Call]:
    """The route's calls, one for each example of its body."""
    if "requestBody" not in operation:
        return [Call(method, path)]
    content = operation["requestBody"]["content"]["application/json"]
    calls = []
    for name, example in content.get(
        "examples", {"only": {"value": content.get("example")}}
    ).items():
        model, headers = CALLS.get((path, name), (MODEL, {}))
        calls.append(Call(method, path, model, tuple(headers.items()), example["value"]))
    return calls


ROUTES = {
    f"{method.upper()} {path}": calls_of(method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


# --- Inputs -----------------------------------------------------------------------------------


def has_body(route: str) -> bool:
    return ROUTES[route][0].body is not None


def inputs(route: str) -> Iterator[HttpRequest]:
    """Requests for a route, the same ones every time."""
    chance = random.Random(route)  # noqa: S311 - it only has to be the same every time
    calls = ROUTES[route]
    count = INPUTS_OF_A_BODY if has_body(route) else INPUTS_OF_A_PATH
    around = (broken_around(chance.choice(calls), chance) for _ in range(count))
    if not has_body(route):
        return islice(around, count)
    texts = (calls[0].request(text.encode(errors="surrogatepass")) for text in BROKEN_TEXTS)
    places = [junk for call in calls for junk in junk_in(call)]
    chance.shuffle(places)
    noise = (noisy(chance.choice(calls), chance) for _ in range(count))
    return islice(
        chain(texts, islice(places, count // 2), islice(around, count // 10), noise), count
    )


def broken_around(call: Call, chance: random.Random) -> HttpRequest:
    """A request with something wrong in its path, query string or headers."""
    value = chance.choice(VALUES)
    kind = chance.randrange(3)
    if kind == 0 and "{" in call.path:
        return call.request(value=value.replace("..", "x") or "x")
    if kind == 1:
        name = chance.choice(["cursor", "wait", "requestId", "model_arn", "model_id"])
        return call.request(query=f"&{name}={value}")
    name = chance.choice(list(HEADERS))
    return call.request(header=(name, chance.choice(HEADERS[name])))


def junk_in(call: Call) -> Iterator[HttpRequest]:
    """Requests with a value of another kind at each place of the body."""
    for number in range(len(list(places(call.body)))):
        for junk in JUNK:
            body = copy.deepcopy(call.body)
            container, key = list(places(body))[number]
            container[key] = junk
            yield replace(call, body=body).request()


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in list(items):
        yield value, key
        if isinstance(child, dict | list):
            yield from places(child)


def noisy(call: Call, chance: random.Random) -> HttpRequest:
    """A request whose body is cut, overwritten in part, or noise."""
    whole = json.dumps(call.body).encode()
    cut = chance.randrange(1, len(whole))
    kind = chance.randrange(3)
    if kind == 0:
        return call.request(whole[:cut])
    if kind == 1:
        return call.request(whole[:cut] + chance.randbytes(chance.randrange(1, 20)) + whole[cut:])
    return call.request(chance.randbytes(chance.randrange(1, 500)))


# --- Calls ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack(environment: Path) -> Iterator[LocalStack]:
    tenant = environment / "tenants" / "acme.tfvars"
    tenant.write_text(tenant.read_text().partition("apps")[0] + APP)
    with LocalStack(environment, delta_seconds=0) as running:
        yield running


class Caller:
    """Calls a route's handler as API Gateway does."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._contract = Contract(stack.deployment)
        self._context: dict[str, Any] = {}

    def call(self, request: HttpRequest) -> tuple[int, str]:
        """Status and text of the answer."""
        key = key_of(self._stack)
        credentials = [("x-api-key", key), ("authorization", f"Bearer {key}")]
        request = HttpRequest(
            request.method,
            request.path,
            request.query,
            [*credentials, ("team_id", "acme"), *request.headers],
            request.body,
            request_id=str(uuid.uuid4()),
        )
        operation, parameters = self._contract.route(request)
        if operation.resource not in self._context:
            said = self._stack.invoke("authorize", authorizer_event(operation, request, parameters))
            self._context[operation.resource] = Authorization.parse(said).context
        event = proxy_event(operation, request, parameters, self._context[operation.resource])
        handler = importlib.import_module(f"tollgate_{operation.function}.handler").lambda_handler
        answer = handler(event, LambdaContext(operation.function, 300))
        if isinstance(answer, StreamedResponse):
            written: list[bytes] = []
            answer.produce(written.append)
            return answer.status, b"".join(written).decode(errors="replace")
        return answer["statusCode"], answer["body"]


def no_job_runs(stack: LocalStack) -> bool:
    items = stack.client("dynamodb").scan(TableName="tollgate-local-streams")["Items"]
    return not [i for i in items if i.get("status", {}).get("S") in ("queued", "running")]


def test_there_are_enough_inputs() -> None:
    assert sum(len(list(inputs(route))) for route in ROUTES) >= 5_000


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("route", ROUTES)
def test_broken_requests_are_refused(
    stack: LocalStack, capfd: pytest.CaptureFixture[str], route: str
) -> None:
    caller = Caller(stack)
    refused = 0
    for request in inputs(route):
        status, text = caller.call(request)
        shown = (status, request.path[:80], request.query[:80], request.headers, request.body[:200])
        assert 200 <= status < 500, (*shown, text)
        if status >= 400:
            refused += 1
            assert len(json.dumps(json.loads(text))) > 20, shown

    logged = "".join(capfd.readouterr())
    assert "Traceback" not in logged, logged[-3000:]
    if has_body(route):
        # What is almost right may be right: those calls are answered.
        assert refused > INPUTS_OF_A_BODY / 2
    until(lambda: no_job_runs(stack), "the end of every job")


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("size", [3_000, 9_000, 30_000])
def test_header_bombs_are_refused_by_the_gateway(stack: LocalStack, size: int) -> None:
    headers = {f"x-bomb-{number}": "x" * size for number in range(4)}

    answer = requests.post(
        f"{stack.url}/v1/chat/completions", headers=headers, timeout=PATIENCE_SECONDS
    )

    assert 400 <= answer.status_code < 500
    assert answer.json()["message"]


@pytest.mark.usefixtures("books")
def test_bodies_that_nothing_takes_are_refused_by_the_gateway(stack: LocalStack) -> None:
    for size in (7_000_000, 11_000_000):
        answer = requests.post(
            f"{stack.url}/v1/chat/completions",
            data=b"x" * size,
            headers={"Authorization": f"Bearer {key_of(stack)}"},
            timeout=PATIENCE_SECONDS,
        )
        assert answer.status_code == 413
        assert answer.json()["message"]
