"""Each zip under Lambda's own Python runtime, with JSON logs, through a freeze of its process."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local.stack import LocalStack
from tests.aws.processes import LAMBDA_PYTHON, Deployed
from tests.integration.local.clients import NOVA, Books, key_of, write_environment
from tests.waiting import PATIENCE_SECONDS, until_job_ends
from tollgate.adapters.connections import IDLE_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.packaging.builds import Build

MISSING = None if LAMBDA_PYTHON.is_file() else "run `python3 -m scripts.build.environments lambda`"
if MISSING and os.environ.get("CI") == "true":
    raise RuntimeError(MISSING)

pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
    pytest.mark.slow,
    pytest.mark.stack,
    # The zips are those of the tests of packaging.
    pytest.mark.xdist_group("packaging"),
]

MESSAGE = {"role": "user", "content": "hello [stub:tokens=9]"}
CHAT = {"model": NOVA, "max_tokens": 40, "messages": [MESSAGE]}
CONVERSE_MESSAGE = {"role": "user", "content": [{"text": "hello [stub:tokens=9]"}]}
CONVERSE = {"messages": [CONVERSE_MESSAGE], "inferenceConfig": {"maxTokens": 40}}
LEGACY = {"inputs": [CONVERSE_MESSAGE], "parameters": {"maxTokens": 40}}

SCHEDULED = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Tables, queue, tenants and model services; the processes take the jobs."""
    environment = write_environment(tmp_path_factory.mktemp("environment"))
    with LocalStack(environment, delta_seconds=0, job_concurrency=0) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    stack: LocalStack, native_build: Build, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    with Deployed(stack, native_build, tmp_path_factory.mktemp("functions")) as running:
        yield running


@pytest.fixture
def books(stack: LocalStack) -> Iterator[Books]:
    opened = Books(stack)
    yield opened
    opened.balance()


@pytest.fixture
def send(stack: LocalStack, gateway: Deployed) -> Callable[..., requests.Response]:
    def post(path: str, body: Any, **headers: str) -> requests.Response:
        answer = requests.post(
            f"{gateway.url}{path}",
            json=body,
            headers={"Authorization": f"Bearer {key_of(stack)}", **headers},
            timeout=PATIENCE_SECONDS,
        )
        assert answer.ok, answer.text
        return answer

    return post


def test_every_zip_answers_and_its_books_balance(
    stack: LocalStack, gateway: Deployed, books: Books, send: Callable[..., requests.Response]
) -> None:
    key = key_of(stack)
    send("/v1/chat/completions", CHAT)
    streamed = send("/v1/chat/completions", {**CHAT, "stream": True})
    assert streamed.text.endswith("data: [DONE]\n\n")
    legacy(send, key)
    job = send("/v1/jobs", {"model": NOVA, **CONVERSE}).json()
    ended = until_job_ends(lambda: get(gateway, key, f"/v1/jobs/{job['id']}?wait=2"))
    assert ended["status"] == "succeeded"
    assert get(gateway, key, "/v1/models").json()["data"]
    for name in ("aggregate", "sweep"):
        gateway.functions[name].api.call(SCHEDULED)

    assert len(books.calls) == 4
    books.balance()
    for name, function in gateway.functions.items():
        # What libraries tell goes to Lambda's own handler, which names the logger.
        told = [line for line in function.lines() if "logger" in line and line["level"] == "INFO"]
        assert told == [], name


def legacy(send: Callable[..., requests.Response], key: str) -> None:
    headers = {"x-api-key": key, "team_id": "acme", "messages_api": "true"}
    send(f"/invoke_model?model_id={NOVA}", LEGACY, **headers)


def get(gateway: Deployed, key: str, path: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return requests.get(f"{gateway.url}{path}", headers=headers, timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("name", ["converse", "invoke"])
def test_a_call_is_logged_and_measured_once_and_before_the_next(
    stack: LocalStack, gateway: Deployed, send: Callable[..., requests.Response], name: str
) -> None:
    function = gateway.functions[name]
    before = len(function.lines())
    if name == "converse":
        send("/v1/chat/completions", CHAT)
    else:
        legacy(send, key_of(stack))

    # All lines are documents; they are out while the process waits for its next invocation.
    lines = function.lines()[before:]
    (usage,) = [line for line in lines if line.get("message") == "usage"]
    (measured,) = [line for line in lines if "_aws" in line]
    assert usage["status"] == "ok"
    assert measured["Calls"] == [1.0]
    # X-Ray's id of the invocation, as the runtime passes it on.
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", usage["xray_trace_id"])


def test_a_frozen_function_whose_lines_were_cut_goes_on(
    stack: LocalStack, gateway: Deployed, books: Books, send: Callable[..., requests.Response]
) -> None:
    def call() -> None:
        send("/v1/chat/completions", CHAT)
        send(f"/model/{NOVA}/converse", CONVERSE)
        legacy(send, key_of(stack))

    call()
    functions = gateway.functions.values()
    for function in functions:
        # It is not stopped before it asks for its next invocation.
        function.lines()
        function.freeze()
    for line in gateway.lines.values():
        line.forget()
    # A freeze that is as long as it may be is none; one that takes longer than this is one as well.
    time.sleep(IDLE_TIME.total_seconds() + 0.1)
    for function in functions:
        function.thaw()
    call()

    assert [row.status for row in books.rows.values()] == ["ok"] * 6
