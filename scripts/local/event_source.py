"""Feed a function from a queue, as Lambda's SQS event source does with a batch size of one."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from scripts.local.lifecycle import Startable
from scripts.local.ministack import REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_sqs import SQSClient

WAIT_SECONDS = 1
RETRY_SECONDS = 0.5
DRAIN_SECONDS = 2.0

log = logging.getLogger(__name__)


class EventSourceError(Exception):
    """Lambda would not take the queue; the message says why."""


class EventSource(Startable):
    """Receives messages and invokes the function; use it as a context manager.

    A message is deleted when the function succeeds and does not report it as failed. Otherwise it
    stays away until its visibility timeout ends, which the function may change, and the queue's
    redrive policy counts the try.

    Args:
        queues: an SQS client; it is used by several threads.
        queue_url: the queue.
        queue_arn: its ARN, as events name it.
        invoke: calls the function with an event and returns its response.
        concurrency: most invocations at once.
        timeout_seconds: what the function may take; Lambda takes no queue whose messages come back
            sooner.
        reports_failures: whether the function names failed messages in its response.
    """

    def __init__(
        self,
        queues: SQSClient,
        queue_url: str,
        queue_arn: str,
        invoke: Callable[[dict[str, Any]], object],
        *,
        concurrency: int = 8,
        timeout_seconds: int,
        reports_failures: bool = True,
    ) -> None:
        self._queues = queues
        self._queue_url = queue_url
        self._queue_arn = queue_arn
        self._invoke = invoke
        self._reports_failures = reports_failures
        self._slots = threading.BoundedSemaphore(concurrency)
        self._concurrency = concurrency
        self._timeout_seconds = timeout_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._receive_until_stopped, daemon=True)

    def start(self) -> None:
        """Begin to receive.

        Raises:
            EventSourceError: the queue's visibility timeout is shorter than the function's timeout.
        """
        attributes = self._queues.get_queue_attributes(
            QueueUrl=self._queue_url, AttributeNames=["VisibilityTimeout"]
        )["Attributes"]
        visibility = int(attributes["VisibilityTimeout"])
        if visibility < self._timeout_seconds:
            raise EventSourceError(
                f"Queue visibility timeout: {visibility} seconds is less than "
                f"Function timeout: {self._timeout_seconds} seconds"
            )
        self._thread.start()

    def stop(self) -> None:
        """Receive no more; gives invocations that still run a moment to end."""
        self._stopping.set()
        self._thread.join()
        deadline = time.monotonic() + DRAIN_SECONDS
        for _ in range(self._concurrency):
            self._slots.acquire(timeout=max(0.0, deadline - time.monotonic()))

    def _receive_until_stopped(self) -> None:
        while not self._stopping.is_set():
            if not self._slots.acquire(timeout=WAIT_SECONDS):
                continue
            message = self._receive()
            if message is None:
                self._slots.release()
                continue
            threading.Thread(target=self._process, args=(message,), daemon=True).start()

    def _receive(self) -> Mapping[str, Any] | None:
        try:
            answer = self._queues.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except Exception:
            # The emulator may be restarting; Lambda's pollers do not give up either.
            if not self._stopping.is_set():
                log.exception("cannot receive from %s", self._queue_url)
            self._stopping.wait(RETRY_SECONDS)
            return None
        messages = answer.get("Messages", [])
        return messages[0] if messages else None

    def _process(self, message: Mapping[str, Any]) -> None:
        try:
            response = self._invoke({"Records": [self._record(message)]})
            if not self._reports_failures or succeeded(response, message["MessageId"]):
                self._queues.delete_message(
                    QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        except Exception as error:
            # After the stop the emulator may be gone; what that breaks is nobody's concern.
            if not self._stopping.is_set():
                log.error(
                    "message %s not done: %s", message["MessageId"], error, exc_info=error.__cause__
                )
        finally:
            self._slots.release()

    def _record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        attributes = message.get("MessageAttributes", {})
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {
                name: {"stringValue": value.get("StringValue"), "dataType": value["DataType"]}
                for name, value in attributes.items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue_arn,
            "awsRegion": REGION,
        }


def succeeded(response: object, message_id: str) -> bool:
    """Return whether a response to a batch of this one message means success.

    No answer or an empty list does. A list that names another message, or nothing readable, is a
    failure of the whole batch.
    """
    if response is None or response == {}:
        return True
    failures = response.get("batchItemFailures") if isinstance(response, dict) else None
    if failures is not None and failures != []:
        log.warning("message %s failed: %s", message_id, failures)
    return failures is None or failures == []
