"""Messages reach the function as SQS events, and come back unless it succeeds."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.event_source import EventSource, EventSourceError, succeeded
from scripts.local.lambda_runtime import FunctionError
from scripts.local.ministack import MiniStack
from scripts.local.provision import Emulator
from tests.waiting import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sqs import SQSClient


@pytest.fixture(scope="module")
def emulator() -> Iterator[MiniStack]:
    with MiniStack() as running:
        yield running


@pytest.fixture
def queues(emulator: MiniStack) -> SQSClient:
    client: SQSClient = Emulator(emulator.endpoint_url).client("sqs")
    return client


@pytest.fixture
def queue_url(queues: SQSClient, emulator: MiniStack) -> str:
    emulator.reset()
    queues.create_queue(QueueName="dead")
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}
    return queues.create_queue(
        QueueName="jobs",
        Attributes={
            # A message that a slow machine still works at must not come a second time.
            "VisibilityTimeout": str(PATIENCE_SECONDS),
            "RedrivePolicy": json.dumps({**redrive, "maxReceiveCount": 2}),
        },
    )["QueueUrl"]


def waiting(queues: SQSClient, queue_url: str) -> int:
    attributes = queues.get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return sum(int(value) for value in attributes.values())


def source(
    queues: SQSClient,
    queue_url: str,
    invoke: Callable[[dict[str, Any]], object],
    *,
    concurrency: int = 8,
    timeout_seconds: int = 1,
    reports_failures: bool = True,
) -> EventSource:
    return EventSource(
        queues,
        queue_url,
        "arn:aws:sqs:us-east-1:000000000000:jobs",
        invoke,
        concurrency=concurrency,
        timeout_seconds=timeout_seconds,
        reports_failures=reports_failures,
    )


@pytest.mark.stack
def test_event_and_deletion(queues: SQSClient, queue_url: str) -> None:
    events: list[dict[str, Any]] = []
    with source(queues, queue_url, events.append):
        queues.send_message(QueueUrl=queue_url, MessageBody="job-1", MessageGroupId="acme")
        until(lambda: bool(events) and not waiting(queues, queue_url), "the message's deletion")
    [record] = events[0]["Records"]
    assert record["body"] == "job-1"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == "arn:aws:sqs:us-east-1:000000000000:jobs"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["MessageGroupId"] == "acme"
    assert len(events) == 1


@pytest.mark.stack
def test_a_function_that_is_not_to_report_failures_has_done_what_it_answers(
    queues: SQSClient, queue_url: str
) -> None:
    calls: list[str] = []

    def invoke(event: dict[str, Any]) -> object:
        [record] = event["Records"]
        calls.append(record["messageId"])
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}

    with source(queues, queue_url, invoke, reports_failures=False):
        queues.send_message(QueueUrl=queue_url, MessageBody="job-1")
        until(lambda: bool(calls) and not waiting(queues, queue_url), "the message's deletion")
    assert len(calls) == 1


@pytest.mark.stack
@pytest.mark.parametrize("fails", ["reported", "raised"])
def test_failed_message_comes_back_and_ends_in_the_dead_letters(
    queues: SQSClient, queue_url: str, fails: str
) -> None:
    counts: list[str] = []

    def invoke(event: dict[str, Any]) -> object:
        [record] = event["Records"]
        counts.append(record["attributes"]["ApproximateReceiveCount"])
        if fails == "raised":
            raise FunctionError("stream: ValueError")
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}

    dead = queues.get_queue_url(QueueName="dead")["QueueUrl"]
    queues.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    with source(queues, queue_url, invoke):
        queues.send_message(QueueUrl=queue_url, MessageBody="job-1")
        until(lambda: waiting(queues, dead) == 1, "a dead letter")
    assert counts == ["1", "2"]


@pytest.mark.stack
def test_a_queue_whose_messages_come_back_before_the_function_ends_is_refused(
    queues: SQSClient, queue_url: str
) -> None:
    queues.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "899"})

    with (
        pytest.raises(EventSourceError, match="899 seconds is less than Function timeout: 900"),
        source(queues, queue_url, lambda _: None, timeout_seconds=900),
    ):
        pass


@pytest.mark.stack
def test_a_message_that_the_function_delays_comes_when_its_time_has_passed(
    queues: SQSClient, queue_url: str, emulator: MiniStack
) -> None:
    delayed = threading.Event()
    counts: list[str] = []

    def invoke(event: dict[str, Any]) -> object:
        [record] = event["Records"]
        counts.append(record["attributes"]["ApproximateReceiveCount"])
        if len(counts) > 1:
            return None
        queues.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=3_000
        )
        delayed.set()
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}

    with source(queues, queue_url, invoke):
        queues.send_message(QueueUrl=queue_url, MessageBody="job-1")
        until(delayed.is_set, "a message that its function has delayed")
        emulator.move_queue_clock(3_000)
        until(lambda: not waiting(queues, queue_url), "the message's deletion")
    assert counts == ["1", "2"]


@pytest.mark.stack
def test_concurrency_is_bounded(queues: SQSClient, queue_url: str) -> None:
    lock = threading.Lock()
    together = threading.Barrier(3, timeout=PATIENCE_SECONDS)
    now, most, done = 0, 0, 0

    def invoke(_: dict[str, Any]) -> None:
        nonlocal now, most, done
        with lock:
            now += 1
            most = max(most, now)
        # Three have to be under way for any of them to end.
        together.wait()
        with lock:
            now -= 1
            done += 1

    for number in range(9):
        queues.send_message(QueueUrl=queue_url, MessageBody=str(number))
    with source(queues, queue_url, invoke, concurrency=3):
        until(lambda: done == 9, "the end of all jobs")
    assert most == 3


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (None, True),
        ({}, True),
        ({"batchItemFailures": []}, True),
        ({"batchItemFailures": None}, True),
        ({"batchItemFailures": [{"itemIdentifier": "m-1"}]}, False),
        ({"batchItemFailures": [{"itemIdentifier": "another"}]}, False),
        ({"batchItemFailures": [{}]}, False),
    ],
)
def test_responses(response: object, expected: bool) -> None:
    assert succeeded(response, "m-1") is expected
