"""Run MiniStack until it is told to stop or the process that started it is gone.

What differs from AWS in a way that hides faults is mended here: its queues are not fair to message
groups and have a clock that cannot be moved, and its S3 tells everybody what there is not.

`scripts.local.ministack` starts this file with MiniStack's own interpreter, which has nothing of
this repository on its path: only the standard library and `ministack` may be imported here.
Standard input is a pipe whose other end the parent holds and never writes to. It reaches its end
when the parent closes it or dies in any way, SIGKILL included.
"""

from __future__ import annotations

import os
import runpy
import signal
import threading
import time
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.services import s3, sqs  # type: ignore[import-not-found]

GRACE_SECONDS = 3
# Seconds that the queues' clock is ahead, in digits; scripts.local.ministack writes it.
QUEUE_CLOCK = Path("queue-clock")
# Who reads these buckets may not list them: their objects' names would tell of other tenants.
UNLISTED = "payloads"
NOT_LISTED = (
    "User: arn:aws:sts::000000000000:assumed-role/local/local is not authorized to perform: "
    's3:ListBucket on resource: "arn:aws:s3:::{}" because no identity-based policy allows the '
    "s3:ListBucket action"
)


def exit_with_parent() -> None:
    """Wait for the end of standard input, then stop this process, by force if need be."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def queue_time() -> float:
    """Return the time as queues see it."""
    try:
        ahead = float(QUEUE_CLOCK.read_text("utf-8"))
    except FileNotFoundError:
        ahead = 0.0
    return time.time() + ahead


def receive(queue: dict[str, Any], most: int, visibility_seconds: int) -> list[dict[str, Any]]:
    """Take messages of a standard queue as a fair one hands them out.

    Those of the groups with the fewest messages in flight come first, and of one group the oldest.
    """
    for message in queue["messages"]:
        sqs._ensure_msg_fields(message)
    now = queue_time()
    in_flight = Counter(
        message["group_id"]
        for message in queue["messages"]
        if message["visible_at"] > now and message["receive_count"]
    )
    visible = [message for message in queue["messages"] if message["visible_at"] <= now]
    taken: list[dict[str, Any]] = []
    while visible and len(taken) < most:
        message = min(visible, key=lambda message: in_flight[message["group_id"]])
        visible.remove(message)
        in_flight[message["group_id"]] += 1
        message["receipt_handle"] = sqs.new_uuid()
        message["visible_at"] = now + visibility_seconds
        message["receive_count"] += 1
        message["first_receive_at"] = message.get("first_receive_at") or now
        taken.append(message)
    return taken


def mend_queues() -> None:
    """Make MiniStack's queues fair, and their clock one that can be moved."""
    collect = sqs._collect_msgs

    def fairly(queue: dict[str, Any], most: int, visibility_seconds: int) -> list[dict[str, Any]]:
        take = collect if queue["is_fifo"] else receive
        return take(queue, most, visibility_seconds)

    sqs.time = SimpleNamespace(time=queue_time)
    sqs._collect_msgs = fairly


def hide_what_is_absent() -> None:
    """Answer for an object that there is not as S3 answers whoever may not list its bucket."""
    read = s3._get_object

    def get_object(bucket: str, *arguments: Any) -> Any:  # noqa: ANN401 - as MiniStack answers
        answer = read(bucket, *arguments)
        is_absent = answer[0] == HTTPStatus.NOT_FOUND and b"<Code>NoSuchKey<" in answer[2]
        if is_absent and UNLISTED in bucket:
            return s3._error("AccessDenied", NOT_LISTED.format(bucket), HTTPStatus.FORBIDDEN)
        return answer

    s3._get_object = get_object


def main() -> None:
    """Serve; returns when MiniStack was stopped."""
    threading.Thread(target=exit_with_parent, daemon=True).start()
    mend_queues()
    hide_what_is_absent()
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
