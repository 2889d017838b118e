"""The producer's side of a batch: one message's failure is no other's."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from tests.unit.functions.test_invoke import Gateway
from tollgate.domain.errors import UnavailableError
from tollgate.domain.jobs import queue_message
from tollgate.observability import metrics
from tollgate_stream import handler

CONTEXT: Any = SimpleNamespace(
    function_name="stream",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:111122223333:function:stream",
    aws_request_id="r-1",
)


def record(body: str, message_id: str) -> dict[str, str]:
    return {"messageId": message_id, "receiptHandle": f"r-{message_id}", "body": body}


@pytest.mark.parametrize(
    "body",
    ["", "no JSON", "[]", "7", "{}", '{"tenant_id": "acme"}', '{"tenant_id": "a", "job_id": 7}'],
)
def test_a_message_that_is_none_of_ours_stops_no_other(
    body: str, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway()
    jobs = [gateway.start() for _ in range(2)]
    ours = [record(queue_message("acme", job), f"m-{job}") for job in jobs]

    assert gateway.stream.run([ours[0], record(body, "odd"), ours[1]]) == ["odd"]

    assert [gateway.stored_job(job).status for job in jobs] == ["succeeded"] * 2
    assert gateway.queue.pauses.keys() == {"r-odd"}
    (told,) = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    assert told.__dict__["message_id"] == "odd"


@pytest.mark.parametrize("fault", [UnavailableError("down"), KeyError("call"), ValueError("odd")])
def test_a_job_that_cannot_be_run_stops_no_other_and_is_counted(
    fault: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = Gateway()
    poisoned, other = gateway.start(), gateway.start()
    get = gateway.payloads.get

    def fail(tenant_id: str, key: str) -> bytes | None:
        if poisoned in key:
            raise fault
        return get(tenant_id, key)

    records = [record(queue_message("acme", job), job) for job in (poisoned, other)]
    metrics.clear_metrics()
    with (
        patch.object(gateway.payloads, "get", fail),
        patch.object(handler, "build_service", lambda: gateway.stream),
    ):
        answer = handler.lambda_handler({"Records": records}, CONTEXT)

    assert answer == {"batchItemFailures": [{"itemIdentifier": poisoned}]}
    assert gateway.stored_job(other).status == "succeeded"
    (written,) = [
        json.loads(line)
        for line in capsys.readouterr().out.splitlines()
        if "FailedMessages" in line
    ]
    assert written["FailedMessages"] == [1]
    # It can still be run: nothing of it was lost.
    gateway.runner.run("acme", poisoned)
    assert gateway.stored_job(poisoned).status == "succeeded"
