"""Idempotency keys with real threads and processes, against the provider's own log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import requests

from scripts.local.ministack import ROOT
from scripts.local.provision import PREFIX
from scripts.local.stack import LocalStack
from tests.fakes.stored import items
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.domain.usage import from_item
from tollgate_invoke.handler import build_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.local.stubs.gates import Gate
    from tollgate.domain.usage import UsageRow

pytestmark = pytest.mark.stack

MODEL = "amazon.nova-lite-v1:0"
TENANT, APP = "customer1", "websearch"
DUPLICATES = 20
# A function's process that is ours to kill: it takes one event from its input.
CHILD = """
import json, sys
from scripts.local.lambda_runtime import LambdaContext
from tollgate_invoke.handler import lambda_handler
lambda_handler(json.load(sys.stdin), LambdaContext("tollgate-local-invoke", 300))
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack() as running:
        yield running


class App:
    """Sends one request, as often as asked, under a key of its own."""

    def __init__(self, stack: LocalStack, prompt: str, **headers: str) -> None:
        self.stack = stack
        self.key = f"key-{uuid4().hex}"
        self.body = json.dumps({"inputs": prompt, "parameters": {"maxTokens": 50}})
        self.headers = {"team_id": TENANT, "Idempotency-Key": self.key, **headers}
        self._calls, self._rows = len(stack.calls()), set(rows(stack))

    def post(self) -> requests.Response:
        return requests.post(
            f"{self.stack.url}/invoke_model",
            params={"model_id": MODEL},
            data=self.body,
            headers={**self.headers, "x-api-key": self.stack.keys[f"{TENANT}/{APP}/primary"]},
            timeout=PATIENCE_SECONDS,
        )

    def post_at_once(self, times: int, *, comes_back: bool = False) -> list[requests.Response]:
        """The answers; `comes_back` sends what may not wait again until it has one."""

        def answer(_: int) -> requests.Response:
            return until(self._answers, "an answer")[0] if comes_back else self.post()

        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(answer, range(times)))

    def _answers(self) -> list[requests.Response]:
        """The answer, or none where another is waited for; `requests` calls a refusal false."""
        answer = self.post()
        return [] if answer.status_code == requests.codes.conflict else [answer]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What the provider bills since this app was made."""
        return self.stack.calls()[self._calls :]

    @property
    def rows(self) -> list[UsageRow]:
        """What the ledger has since this app was made."""
        return [row for key, row in rows(self.stack).items() if key not in self._rows]


def rows(stack: LocalStack) -> dict[str, UsageRow]:
    stored = items(stack.client("dynamodb"), f"{PREFIX}-usage")
    found = [from_item(item) for item in stored if "request_id" in item]
    return {row.request_id: row for row in found}


def shorten_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_service()._idempotency, "_wait_seconds", 0.3)  # noqa: SLF001


def test_twenty_equal_requests_at_once_are_one_call_and_one_waits_for_it(
    stack: LocalStack,
) -> None:
    app = App(stack, "Equal. [stub:gate=equal]")

    with stack.stub.gate("equal") as gate, ThreadPoolExecutor(DUPLICATES) as pool:
        posted = [pool.submit(app.post) for _ in range(DUPLICATES)]
        until(lambda: sum(post.done() for post in posted) == DUPLICATES - 2, "all but two refused")
        refused = [post.result() for post in posted if post.done()]
        gate.open()
        answers = [post.result() for post in posted if post.result() not in refused]
    answers += [app.post() for _ in refused]

    assert {answer.json()["code"] for answer in refused} == {"idempotency_in_progress"}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    (call,) = app.calls
    (row,) = app.rows
    for name, values in {
        "x-request-id": {row.request_id},
        "x-tollgate-cost-usd": {answers[0].headers["x-tollgate-cost-usd"]},
    }.items():
        assert {answer.headers[name] for answer in answers} == values
    assert call["requestMetadata"]["request_id"] == row.request_id
    assert row.output_tokens == call["usage"]["outputTokens"]
    replayed = [answer.headers.get("x-tollgate-replayed") for answer in answers]
    assert sorted(map(str, replayed)) == ["None"] + ["true"] * (DUPLICATES - 1)


def test_who_cannot_wait_long_enough_comes_back(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_the_wait(monkeypatch)
    app = App(stack, "Slow. [stub:gate=slow]")

    with stack.stub.gate("slow") as gate, ThreadPoolExecutor(DUPLICATES) as pool:
        posted = [pool.submit(app.post) for _ in range(DUPLICATES)]
        until(lambda: sum(post.done() for post in posted) == DUPLICATES - 1, "all but one refused")
        refused = [post.result() for post in posted if post.done()]
        gate.open()
        statuses = sorted(post.result().status_code for post in posted)
    again = app.post()

    assert statuses == [200] + [409] * (DUPLICATES - 1)
    assert {answer.status_code for answer in refused} == {409}
    assert {answer.json()["code"] for answer in refused} == {"idempotency_in_progress"}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert again.status_code == 200
    assert again.headers["x-tollgate-replayed"] == "true"
    assert len(app.calls) == len(app.rows) == 1


def test_an_answer_that_came_after_the_gateways_time_is_there_for_a_retry(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(stack, "Too slow for API Gateway. [stub:delay_ms=1500]")

    with monkeypatch.context() as patch:
        patch.setattr(stack._door, "_timeout", 0.5)  # noqa: SLF001
        cut = app.post()
    answer = app.post()

    assert cut.status_code == 504
    assert answer.status_code == 200
    assert answer.headers["x-tollgate-replayed"] == "true"
    assert len(app.calls) == len(app.rows) == 1


def test_equal_starts_at_once_are_one_job(stack: LocalStack) -> None:
    app = App(stack, "A job.", streaming="true")

    answers = app.post_at_once(DUPLICATES, comes_back=True)

    (job_id,) = {answer.json()[0]["request_id"] for answer in answers}
    until(lambda: app.rows, "the job's row")
    assert [row.request_id for row in app.rows] == [job_id]
    assert len(app.calls) == 1


def test_a_call_that_fails_at_no_cost_leaves_the_key_to_the_others(stack: LocalStack) -> None:
    stack.stub.fault(match={"tenant": TENANT}, times=1, error="ThrottlingException", delay_ms=500)
    app = App(stack, "Throttled once.")

    answers = app.post_at_once(5, comes_back=True)

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 429]
    assert [call["status"] for call in app.calls].count("ok") == 1
    assert sorted(row.status for row in app.rows) == ["error", "ok"]


def test_neither_key_nor_text_stands_in_the_table(stack: LocalStack) -> None:
    app = App(stack, "Something private.")

    answer = app.post()

    request_id = answer.headers["x-request-id"]
    items = stack.client("dynamodb").scan(TableName=f"{PREFIX}-streams")["Items"]
    (item,) = [item for item in items if item.get("request_id") == {"S": request_id}]
    text = json.dumps(item)
    assert app.key not in text
    assert "private" not in text
    assert answer.json()[0]["generated_text"][:20] not in text
    bucket = stack.deployment.environment["PAYLOADS_BUCKET"]
    stored = stack.client("s3").get_object(Bucket=bucket, Key=item["payload_key"]["S"])
    assert json.load(stored["Body"])["body"] == answer.text


def test_a_process_that_is_killed_is_accounted_for_and_its_key_comes_free(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_the_wait(monkeypatch)
    app = App(stack, "Killed.")
    stack.stub.fault(match={"tenant": TENANT}, times=1, gate="killed")

    with stack.stub.gate("killed") as gate:
        kill_during_the_call(app, gate)
    early = app.post()
    end_leases(stack)
    late = app.post()
    replayed = app.post()
    stack.sweep()
    until(lambda: len(app.calls) == 2, "the end of the call that nobody waits for")

    assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_progress")
    assert late.status_code == 200
    assert "x-tollgate-replayed" not in late.headers
    assert replayed.headers["x-request-id"] == late.headers["x-request-id"]
    by_status = {row.status: row for row in app.rows}
    assert by_status.keys() == {"ok", "orphaned"}
    assert by_status["ok"].request_id == late.headers["x-request-id"]
    assert by_status["orphaned"].request_id == early.json()["details"]["first_request_id"]
    assert by_status["orphaned"].total_cost == by_status["orphaned"].held > 0
    assert {call["requestMetadata"]["request_id"] for call in app.calls} == {
        row.request_id for row in app.rows
    }


def kill_during_the_call(app: App, gate: Gate) -> None:
    """Run the function in a process of its own, and kill that once the model is called."""
    event = {
        "httpMethod": "POST",
        "resource": "/invoke_model",
        "requestContext": {
            "requestId": "killed",
            "authorizer": {
                "tenant_id": TENANT,
                "app_id": APP,
                "key_id": f"{APP}/primary",
                "tier": "standard",
            },
        },
        "queryStringParameters": {"model_id": MODEL},
        "headers": app.headers,
        "body": app.body,
    }
    paths = [ROOT, ROOT / "functions/shared", ROOT / "functions/invoke"]
    told = app.stack.deployment.functions["invoke"].environment
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **told, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        text=True,
    )
    try:
        assert child.stdin is not None
        child.stdin.write(json.dumps(event))
        child.stdin.close()
        until(lambda: gate.waiting == 1, "the call of the model")
    finally:
        child.kill()
    assert child.wait() == -signal.SIGKILL


def end_leases(stack: LocalStack) -> None:
    """Make all holds and keys as old as if their time had passed."""
    database = stack.client("dynamodb")
    for item in database.scan(TableName=f"{PREFIX}-streams")["Items"]:
        if item["sk"]["S"] == "KEY":
            database.update_item(
                TableName=f"{PREFIX}-streams",
                Key={name: item[name] for name in ("pk", "sk")},
                UpdateExpression="SET lease = :past",
                ExpressionAttributeValues={":past": {"N": "1"}},
            )
    for item in database.scan(TableName=f"{PREFIX}-accounts")["Items"]:
        for request_id in item["holds"]["M"]:
            database.update_item(
                TableName=f"{PREFIX}-accounts",
                Key={"account_id": item["account_id"]},
                UpdateExpression="SET holds.#rid.e = :past",
                ExpressionAttributeNames={"#rid": request_id},
                ExpressionAttributeValues={":past": {"N": "1"}},
            )
