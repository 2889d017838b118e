"""A tenant that queues a thousand jobs does not delay the few of another's.

SQS keeps a standard queue fair where messages name a group, and needs nothing else for it. The
emulator's queues are made to do what SQS says that it does (scripts/local/ministack_child.py).
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from scripts.local.provision import Emulator
from tests.contract import hcl
from tollgate.adapters.jobs import SqsJobQueue
from tollgate.domain.jobs import VISIBILITY_SECONDS, parse_queue_message, queue_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.local.ministack import MiniStack

NOISY, QUIET = "noisy", "quiet"
# As many jobs as run at once.
AT_ONCE = 10


@pytest.fixture
def sqs(ministack: MiniStack) -> Any:
    return Emulator(ministack.endpoint_url).client("sqs")


@pytest.fixture
def queue_url(sqs: Any) -> str:
    attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
    made = sqs.create_queue(QueueName=f"fair-{uuid4().hex[:8]}", Attributes=attributes)
    return str(made["QueueUrl"])


def served(
    sqs: Any,
    queue_url: str,
    send: Callable[[str, str], None],
    backlogs: dict[str, int],
    latecomers: dict[str, int],
) -> list[str]:
    """The tenants in the order in which their jobs are taken, so many at once.

    The latecomers' jobs are queued when all places are taken by the first ones.
    """
    order: list[str] = []
    running: deque[str] = deque()

    def take() -> bool:
        messages = sqs.receive_message(QueueUrl=queue_url).get("Messages", [])
        for message in messages:
            order.append(parse_queue_message(message["Body"])[0])
            running.append(message["ReceiptHandle"])
        return bool(messages)

    def queue(jobs: dict[str, int]) -> None:
        for tenant_id, number in jobs.items():
            for job in range(number):
                send(tenant_id, f"job-{job}")

    queue(backlogs)
    while len(running) < AT_ONCE and take():
        pass
    queue(latecomers)
    while running:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=running.popleft())
        take()
    return order


@pytest.mark.stack
def test_a_quiet_tenants_jobs_are_taken_before_a_noisy_tenants_backlog(
    sqs: Any, queue_url: str
) -> None:
    send = SqsJobQueue(lambda: sqs, queue_url).send

    order = served(sqs, queue_url, send, {NOISY: 100}, {QUIET: 3})

    assert Counter(order) == {NOISY: 100, QUIET: 3}
    # The next three places that become free.
    assert order[AT_ONCE : AT_ONCE + 3] == [QUIET] * 3


@pytest.mark.stack
def test_without_their_tenant_they_would_wait_behind_all_of_it(sqs: Any, queue_url: str) -> None:
    def send(tenant_id: str, job_id: str) -> None:
        sqs.send_message(QueueUrl=queue_url, MessageBody=queue_message(tenant_id, job_id))

    order = served(sqs, queue_url, send, {NOISY: 100}, {QUIET: 3})

    assert order[-3:] == [QUIET] * 3


@pytest.mark.stack
@pytest.mark.soak
def test_a_noisy_tenant_has_one_place_of_ten_while_others_wait(sqs: Any, queue_url: str) -> None:
    send = SqsJobQueue(lambda: sqs, queue_url).send
    quiet = {f"tenant-{number}": 1 for number in range(200)}

    order = served(sqs, queue_url, send, {NOISY: 300}, quiet)

    assert Counter(order) == {NOISY: 300, **quiet}
    last = max(place for place, tenant_id in enumerate(order) if tenant_id != NOISY)
    among = order[AT_ONCE : last + 1]
    print(f"200 quiet tenants within {len(among)} deliveries, {among.count(NOISY)} of them noisy")
    assert among.count(NOISY) <= len(among) // AT_ONCE + 1


def test_the_deployed_queue_is_one_that_sqs_keeps_fair() -> None:
    (queue,) = [
        block["aws_sqs_queue"]["jobs"]
        for block in hcl.load("modules/streaming")["resource"]
        if "jobs" in block.get("aws_sqs_queue", {})
    ]
    # Not a FIFO queue, whose groups are taken one message at a time.
    assert "fifo_queue" not in queue
    assert "${var.prefix}-jobs" in queue["name"]


def test_the_pinned_sdk_knows_groups_on_standard_queues() -> None:
    service = ServiceModel(Loader().load_service_model("sqs", "service-2"))
    member = service.operation_model("SendMessage").input_shape.members["MessageGroupId"]

    assert "fair queues" in member.documentation
