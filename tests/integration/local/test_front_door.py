"""The front door answers, refuses and translates as the REST API does, shown with fake handlers."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local import deployment
from scripts.local.front_door import FrontDoor
from scripts.local.lambda_runtime import Functions
from scripts.local.runtime_api import RuntimeApi
from scripts.local.usage_plans import UsagePlan, UsagePlans
from tests.waiting import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEPLOYMENT = deployment.described()
# Declared for the functions whose answers are streamed; they run where a test calls them.
NO_STREAMS = {"converse": RuntimeApi("converse", None)}
KEY = "k" * 40
WITH_KEY = {"x-api-key": KEY}
POST = {**WITH_KEY, "team_id": "acme"}


@dataclass
class Calls:
    """Fake handlers that record their events."""

    events: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"authorize": [], "invoke": [], "stream": [], "models": []}
    )
    contexts: list[Any] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], object] = lambda _: {"statusCode": 200, "body": "{}"}
    effect: str = "Allow"
    advice: str | None = "Do this."
    broken_authorizer: bool = False

    def authorize(self, event: dict[str, Any], _context: object) -> object:
        self.events["authorize"].append(event)
        if self.broken_authorizer:
            raise RuntimeError("table is gone")
        resource = event["methodArn"].split("/")[0] + "/v1/*"
        statement = {"Action": "execute-api:Invoke", "Effect": self.effect, "Resource": resource}
        key = event["headers"].get("x-api-key") or event["headers"]["authorization"].split()[-1]
        return {
            "principalId": "websearch/primary",
            "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            "context": {
                "tenant_id": "acme",
                "app_id": "websearch",
                **({} if self.advice is None else {"advice": self.advice}),
            },
            "usageIdentifierKey": key,
        }

    def respond(self, name: str) -> Callable[[dict[str, Any], object], object]:
        def handler(event: dict[str, Any], context: object) -> object:
            self.events[name].append(event)
            self.contexts.append(context)
            return self.answer(event)

        return handler

    @property
    def functions(self) -> Functions:
        names = ("invoke", "stream", "models")
        handlers = {"authorize": self.authorize, **{name: self.respond(name) for name in names}}
        return Functions(handlers, DEPLOYMENT.functions)


def fronted(calls: Calls, **settings: Any) -> FrontDoor:
    """A front door of the deployed API before fake handlers, which asks who calls each time."""
    given = {"streams": NO_STREAMS, "authorizer_cache_seconds": 0, **settings}
    return FrontDoor(calls.functions, DEPLOYMENT, **given)


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[FrontDoor, Calls]]:
    """One server for most tests: stopping one takes a fifth of a second."""
    calls = Calls()
    with fronted(calls) as running:
        yield running, calls


@pytest.fixture
def calls(shared: tuple[FrontDoor, Calls]) -> Calls:
    _, used = shared
    vars(used).update(vars(Calls()))
    return used


@pytest.fixture
def door(shared: tuple[FrontDoor, Calls], calls: Calls) -> FrontDoor:
    del calls  # asked for, so that a test never sees another one's events
    return shared[0]


def gateway_error(
    response: requests.Response, status: int, message: str, code: str
) -> dict[str, Any]:
    """Assert that the gateway answered by itself."""
    body: dict[str, Any] = response.json()
    assert body["type"] == "error"
    assert (body["error"]["message"], body["error"]["code"]) == (message, code)
    assert (response.status_code, body["message"], body["code"]) == (status, message, code)
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def test_proxy_event(door: FrontDoor, calls: Calls) -> None:
    response = requests.post(
        f"{door.url}/invoke_model?model_id=a%3Ab&cursor=1&cursor=2",
        data='{"inputs": "¿Qué?"}'.encode(),
        headers={**POST, "Content-Type": "application/json", "User-Agent": "probe"},
        timeout=PATIENCE_SECONDS,
    )
    assert response.status_code == 200
    [event] = calls.events["invoke"]
    assert (event["resource"], event["path"], event["httpMethod"]) == (
        "/invoke_model",
        "/invoke_model",
        "POST",
    )
    assert event["headers"]["team_id"] == "acme"
    assert event["multiValueHeaders"]["team_id"] == ["acme"]
    assert event["queryStringParameters"] == {"model_id": "a:b", "cursor": "2"}
    assert event["multiValueQueryStringParameters"]["cursor"] == ["1", "2"]
    assert event["pathParameters"] is None
    assert (event["body"], event["isBase64Encoded"]) == ('{"inputs": "¿Qué?"}', False)
    context = event["requestContext"]
    assert context["authorizer"]["tenant_id"] == "acme"
    assert context["authorizer"]["principalId"] == "websearch/primary"
    assert (context["stage"], context["resourcePath"]) == ("v1", "/invoke_model")
    assert context["path"] == "/v1/invoke_model"
    assert context["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "probe"}
    assert KEY not in json.dumps(context)
    assert response.headers["x-amzn-requestid"] == context["requestId"]
    [lambda_context] = calls.contexts
    assert lambda_context.function_name == "tollgate-local-invoke"
    assert 299_000 < lambda_context.get_remaining_time_in_millis() <= 300_000
    assert lambda_context.invoked_function_arn.endswith(":function:tollgate-local-invoke")


def test_authorizer_event(door: FrontDoor, calls: Calls) -> None:
    requests.get(
        f"{door.url}/v1/jobs/a%20b?wait=1",
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=PATIENCE_SECONDS,
    )
    [event] = calls.events["authorize"]
    assert event["type"] == "REQUEST"
    assert event["methodArn"] == (
        "arn:aws:execute-api:us-east-1:000000000000:local/v1/GET/v1/jobs/a%20b"
    )
    assert event["pathParameters"] == {"id": "a%20b"}
    assert event["queryStringParameters"] == {"wait": "1"}
    assert "body" not in event
    assert calls.events["stream"][0]["pathParameters"] == {"id": "a%20b"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("GET", "/invoke_model"),
        ("GET", "/v1/jobs"),
        ("POST", "/v1/jobs/a/b"),
        ("POST", "/v1"),
        ("OPTIONS", "/v1/usage"),
        ("GET", "/"),
    ],
)
def test_what_no_operation_takes_is_caught(
    door: FrontDoor, calls: Calls, method: str, path: str
) -> None:
    """As on AWS, where a path and its method are looked for together."""
    for headers in (WITH_KEY, {"Authorization": f"Bearer {KEY}"}):
        response = requests.request(
            method, door.url + path, headers=headers, timeout=PATIENCE_SECONDS
        )
        assert response.status_code == 200
    asked, event = calls.events["authorize"][-1], calls.events["models"][-1]
    resource = "/" if path == "/" else "/{proxy+}"
    assert asked["resource"] == event["resource"] == resource
    assert (event["httpMethod"], event["path"]) == (method, path)
    assert event["pathParameters"] == (None if path == "/" else {"proxy": path[1:]})


def test_what_no_operation_takes_needs_a_key_and_counts(calls: Calls) -> None:
    plans = UsagePlans({KEY: UsagePlan(rate_per_second=1, burst=1)}, clock=lambda: 0.0)
    with fronted(calls, usage_plans=plans) as door:
        assert requests.get(f"{door.url}/nothing", headers=WITH_KEY, timeout=PATIENCE_SECONDS).ok
        throttled = requests.get(f"{door.url}/nothing", headers=WITH_KEY, timeout=PATIENCE_SECONDS)
        gateway_error(throttled, 429, "Too Many Requests", "rate_exceeded")
        calls.effect = "Deny"
        refused = requests.get(f"{door.url}/nothing", headers=WITH_KEY, timeout=PATIENCE_SECONDS)
        gateway_error(refused, 403, "Forbidden. Do this.", "invalid_api_key")
    assert len(calls.events["models"]) == 1


def test_a_slash_at_the_end_does_not_matter(door: FrontDoor, calls: Calls) -> None:
    response = requests.get(
        f"{door.url}/list_foundation_models/", headers=WITH_KEY, timeout=PATIENCE_SECONDS
    )

    assert response.status_code == 200
    [event] = calls.events["models"]
    assert event["resource"] == "/list_foundation_models"
    assert event["path"] == "/list_foundation_models/"


def test_a_method_that_any_does_not_stand_for(door: FrontDoor, calls: Calls) -> None:
    response = requests.request(
        "TRACE", f"{door.url}/v1/usage", headers=WITH_KEY, timeout=PATIENCE_SECONDS
    )
    gateway_error(response, 405, "No route takes this method", "method_not_allowed")
    assert not calls.events["authorize"]


@pytest.mark.parametrize("headers", [{}, {"x-api-key": ""}, {"Authorization": f"Bearer {KEY}"}])
def test_missing_identity(door: FrontDoor, calls: Calls, headers: dict[str, str]) -> None:
    response = requests.get(
        f"{door.url}/list_foundation_models", headers=headers, timeout=PATIENCE_SECONDS
    )
    body = response.json()
    gateway_error(response, 403, body["message"], "invalid_api_key")
    assert "as x-api-key: <key> on /list_foundation_models" in body["message"]
    assert not calls.events["authorize"]


def test_denied(door: FrontDoor, calls: Calls) -> None:
    calls.effect = "Deny"
    response = requests.get(
        f"{door.url}/list_foundation_models", headers=WITH_KEY, timeout=PATIENCE_SECONDS
    )
    gateway_error(response, 403, "Forbidden. Do this.", "invalid_api_key")
    assert not calls.events["models"]


def test_denied_without_advice(door: FrontDoor, calls: Calls) -> None:
    """As where the policy of the API refuses a request, before the authorizer is asked."""
    calls.effect, calls.advice = "Deny", None
    response = requests.get(
        f"{door.url}/list_foundation_models", headers=WITH_KEY, timeout=PATIENCE_SECONDS
    )
    gateway_error(response, 403, "Forbidden. ", "invalid_api_key")


def test_broken_authorizer(door: FrontDoor, calls: Calls) -> None:
    calls.broken_authorizer = True
    response = requests.get(
        f"{door.url}/list_foundation_models", headers=WITH_KEY, timeout=PATIENCE_SECONDS
    )
    gateway_error(response, 503, "The key cannot be checked at the moment", "unavailable")
    assert response.headers["retry-after"] == "5"
    assert "table is gone" not in response.text


@pytest.mark.parametrize("team", [None, ""])
def test_missing_parameter(door: FrontDoor, calls: Calls, team: str | None) -> None:
    headers = WITH_KEY if team is None else {**WITH_KEY, "team_id": team}
    response = requests.post(f"{door.url}/invoke_model", headers=headers, timeout=PATIENCE_SECONDS)
    gateway_error(
        response, 400, "Missing required request parameters: [team_id]", "invalid_request"
    )
    assert not calls.events["invoke"]


def test_request_too_large(door: FrontDoor, calls: Calls) -> None:
    body = b"x" * (10 * 1024 * 1024 + 1)
    response = requests.post(
        f"{door.url}/invoke_model", data=body, headers=POST, timeout=PATIENCE_SECONDS
    )
    refusal = gateway_error(response, 413, "Request Too Long", "payload_too_large")
    assert "POST /v1/jobs" in refusal["details"]["advice"]
    # Within API Gateway's limit, but more than the function takes.
    response = requests.post(
        f"{door.url}/invoke_model",
        data=b"x" * (7 * 1024 * 1024),
        headers=POST,
        timeout=PATIENCE_SECONDS,
    )
    gateway_error(response, 413, "Request Too Long", "payload_too_large")
    assert not calls.events["invoke"]


def test_headers_too_large(door: FrontDoor) -> None:
    response = requests.get(
        f"{door.url}/list_foundation_models",
        headers={**WITH_KEY, "x-big": "y" * 10_240},
        timeout=PATIENCE_SECONDS,
    )
    body = gateway_error(response, 400, "Request Header Fields Too Large", "invalid_request")
    assert "10,240 bytes" in body["details"]["advice"]


@pytest.mark.parametrize(
    "answer",
    [
        {"foo": 1},
        {"statusCode": "abc"},
        {"statusCode": True},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "body": "%%", "isBase64Encoded": True},
        {"statusCode": 200, "extra": 1},
        None,
        ["statusCode"],
        {"statusCode": 200, "body": "x" * (6 * 1024 * 1024)},
        {"statusCode": 200, "body": object()},
    ],
)
def test_malformed_answer(door: FrontDoor, calls: Calls, answer: object) -> None:
    calls.answer = lambda _: answer
    response = requests.get(
        f"{door.url}/list_foundation_models", headers=WITH_KEY, timeout=PATIENCE_SECONDS
    )
    gateway_error(response, 502, "The function gave no valid answer", "internal_error")


def test_failing_handler_shows_nothing_of_its_error(door: FrontDoor, calls: Calls) -> None:
    def fail(_: dict[str, Any]) -> object:
        raise ValueError("secret")

    calls.answer = fail
    response = requests.get(
        f"{door.url}/list_foundation_models", headers=WITH_KEY, timeout=PATIENCE_SECONDS
    )
    gateway_error(response, 502, "The function gave no valid answer", "internal_error")
    assert "secret" not in response.text


def test_timeout_leaves_the_function_running(calls: Calls) -> None:
    may_end, finished = threading.Event(), threading.Event()

    def slow(_: dict[str, Any]) -> object:
        may_end.wait(PATIENCE_SECONDS)
        finished.set()
        return {"statusCode": 200}

    calls.answer = slow
    with fronted(calls, integration_timeout=0.5) as door:
        url = f"{door.url}/list_foundation_models"
        response = requests.get(url, headers=WITH_KEY, timeout=PATIENCE_SECONDS)
    body = gateway_error(response, 504, "Endpoint request timed out", "upstream_timeout")
    assert "converse-stream" in body["details"]["advice"]
    assert "POST /v1/jobs" in body["details"]["advice"]
    # No SDK makes the call twice, which goes on.
    assert response.headers["x-should-retry"] == "false"
    assert not finished.is_set()
    may_end.set()
    assert finished.wait(PATIENCE_SECONDS)


def test_answer_with_headers_and_binary(door: FrontDoor, calls: Calls) -> None:
    calls.answer = lambda _: {
        "statusCode": "207",
        "headers": {"X-One": "1", "content-type": "image/png"},
        "multiValueHeaders": {"x-two": ["a", "b"]},
        "body": base64.b64encode(b"\x00\xff").decode(),
        "isBase64Encoded": True,
    }
    response = requests.get(
        f"{door.url}/list_foundation_models", headers=WITH_KEY, timeout=PATIENCE_SECONDS
    )
    assert (response.status_code, response.content) == (207, b"\x00\xff")
    assert response.headers["x-one"] == "1"
    assert response.headers["x-two"] == "a, b"
    assert response.headers["content-type"] == "image/png"


def test_authorizer_answers_are_cached_per_header(calls: Calls) -> None:
    with fronted(calls, authorizer_cache_seconds=None) as door:
        session = requests.Session()
        for key in (KEY, KEY, "other" * 8, KEY):
            session.get(
                f"{door.url}/list_foundation_models",
                headers={"x-api-key": key},
                timeout=PATIENCE_SECONDS,
            )
        session.get(
            f"{door.url}/v1/jobs/x",
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=PATIENCE_SECONDS,
        )
        assert len(calls.events["authorize"]) == 3
        assert len(calls.events["models"]) == 4


def test_usage_plan(calls: Calls) -> None:
    now = [1_700_000_000.0]
    plans = UsagePlans(
        {KEY: UsagePlan(rate_per_second=1, burst=2, requests_per_day=4)}, clock=lambda: now[0]
    )
    with fronted(calls, usage_plans=plans) as door:

        def call(key: str = KEY) -> requests.Response:
            return requests.get(
                f"{door.url}/list_foundation_models",
                headers={"x-api-key": key},
                timeout=PATIENCE_SECONDS,
            )

        gateway_error(call("unknown-key-of-nobody"), 403, "Forbidden", "invalid_api_key")
        assert [call().status_code for _ in range(2)] == [200, 200]
        throttled = call()
        gateway_error(throttled, 429, "Too Many Requests", "rate_exceeded")
        assert throttled.headers["retry-after"] == "1"
        now[0] += 10
        assert [call().status_code for _ in range(2)] == [200, 200]
        now[0] += 10
        gateway_error(call(), 429, "Limit Exceeded", "quota_exceeded")
        now[0] += 86_400
        assert call().status_code == 200


def test_many_at_once(calls: Calls) -> None:
    together = threading.Barrier(20)

    def meet(_: dict[str, Any]) -> object:
        together.wait(PATIENCE_SECONDS)
        return {"statusCode": 200}

    calls.answer = meet
    with fronted(calls) as door, ThreadPoolExecutor(20) as pool:

        def call(_: int) -> int:
            return requests.get(
                f"{door.url}/list_foundation_models", headers=WITH_KEY, timeout=PATIENCE_SECONDS
            ).status_code

        assert list(pool.map(call, range(20))) == [200] * 20


def test_stop_does_not_wait_for_functions(calls: Calls) -> None:
    release, finished = threading.Event(), threading.Event()

    def hang(_: dict[str, Any]) -> object:
        release.wait(PATIENCE_SECONDS)
        finished.set()
        return {"statusCode": 200}

    calls.answer = hang
    door = fronted(calls)
    door.start()
    port = int(door.url.rpartition(":")[2])
    request = f"GET /list_foundation_models HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request.encode())
        until(lambda: calls.events["models"], "the function's event")
        door.stop()
        assert not finished.is_set()
        assert connection.recv(4_096).startswith(b"HTTP/1.1 500")
    release.set()


def test_every_function_needs_a_handler(calls: Calls) -> None:
    with pytest.raises(ValueError, match="no handler for authorize, converse, models, stream"):
        FrontDoor(Functions({"invoke": calls.respond("invoke")}, DEPLOYMENT.functions), DEPLOYMENT)


def test_no_response_waits_for_an_acknowledgement(door: FrontDoor) -> None:
    session = requests.Session()

    def is_quick() -> bool:
        started = time.monotonic()
        session.get(
            f"{door.url}/list_foundation_models", headers=WITH_KEY, timeout=PATIENCE_SECONDS
        )
        # A client's system acknowledges after 40 ms; a busy machine is quick now and then.
        return time.monotonic() - started < 0.03

    until(is_quick, "an answer sooner than an acknowledgement")
