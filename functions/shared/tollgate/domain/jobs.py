"""Long-poll jobs: a streamed call that runs in the background, and the text it has so far."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tollgate.domain.custody import Custody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

JobStatus = Literal["queued", "running", "succeeded", "failed"]
# The two series of texts that a job keeps: what it says as it goes on, and, where tools are to be
# used, all blocks of its answer as JSON at its end.
JobPart = Literal["text", "content"]

# The times of a job and of its message are one relation, which tests/contract/test_job_times.py
# holds against what Terraform plans:
#
#   the producer's timeout <= VISIBILITY_SECONDS     Lambda takes no queue whose is shorter
#   2 * VISIBILITY_SECONDS <= QUEUE_SECONDS          a process that dies costs a job one delivery
#   QUEUE_SECONDS <= MAX_RECEIVES * RETRY_SECONDS[0] the deadline ends a job, no count of tries
#   the producer's timeout < RUN_SECONDS             a claimed job is lost once nobody runs it
#
# A message that a producer took and did not say a word about comes back after so many seconds.
VISIBILITY_SECONDS = 900
# One whose job could not be run comes back within these bounds, at random, so that those of an
# outage do not come back together.
RETRY_SECONDS = (10, 30)
# A job that no producer claims within this time fails. Its hold lasts a little longer.
QUEUE_SECONDS = 1_800
# A message that was received so often, and is still there, becomes a dead one.
MAX_RECEIVES = 180
# What a claimed job may take: the producer's Lambda timeout and a margin.
RUN_SECONDS = 930
# How long a job is still known when its text can be read no more: a poll can tell "expired" from
# "unknown".
MEMORY_SECONDS = 86_400

# Text reaches the table in chunks of about this size or age, so that a poller sees it grow at
# a bounded number of writes.
CHUNK_SECONDS = 0.15
# Under a tenant's own key every chunk costs calls of KMS: one when it is written, and one at each
# poll that reads it. Clients of the first seed system read from the beginning every time.
SEALED_CHUNK_SECONDS = 1.0
CHUNK_BYTES = 4096
# Far below what an item can hold, and sixteen pieces for a tenant's own key.
CONTENT_BYTES = 65_536
# The last chunk that a poll can ask for: chunk keys have six digits.
MAX_CURSOR = 999_999

# The result of a job whose producer never came or died.
JOB_EXPIRED: Mapping[str, Any] = {
    "error": {
        "code": "job_expired",
        "message": "the job did not finish in time; start it again",
        "http_status": 504,
    }
}


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `deadline` and `available_until` are epoch seconds.

    `available_until` is the last moment its text can be read: the latest possible one while it
    is not finished, `custody.seconds` after its end then. `claimed` says that a producer took it,
    so that its model call may have gone out. `result` holds stop_reason, usage and cost_usd of a
    finished job, or its error; and whether it `has_content` beside its text.
    """

    job_id: str
    tenant_id: str
    app_id: str
    status: JobStatus
    created_at: datetime
    deadline: int
    available_until: int
    payload_key: str
    claimed: bool = False
    result: Mapping[str, Any] = field(default_factory=dict)
    custody: Custody = field(default_factory=Custody)

    def ended(self, status: JobStatus, result: Mapping[str, Any], now: datetime) -> Job:
        """The job as it ends now."""
        until = min(self.available_until, int(now.timestamp()) + self.custody.seconds)
        return replace(self, status=status, result=result, available_until=until)

    def is_lost(self, now: datetime) -> bool:
        """Past its deadline and not finished: nobody works on it any more."""
        return self.status in ("queued", "running") and now.timestamp() > self.deadline

    def is_expired(self, now: datetime) -> bool:
        """Too old to be polled."""
        return now.timestamp() > self.available_until


def queue_message(tenant_id: str, job_id: str) -> str:
    """What the queue carries of a job: where to find it."""
    return json.dumps({"tenant_id": tenant_id, "job_id": job_id})


def parse_queue_message(body: str) -> tuple[str, str]:
    """Tenant and job of a message. Raises ValueError where it is not one of ours."""
    data = json.loads(body)
    named = data if isinstance(data, dict) else {}
    tenant_id, job_id = named.get("tenant_id"), named.get("job_id")
    if not isinstance(tenant_id, str) or not isinstance(job_id, str):
        raise ValueError("the message names no tenant and job")
    return tenant_id, job_id


@dataclass(frozen=True, slots=True)
class JobView:
    """What a poll sees: the job and the text chunks from the asked cursor on.

    `content` are all blocks of the answer where tools are to be used, as JSON; None otherwise.
    """

    job: Job
    text: str
    cursor: int
    content: Sequence[Mapping[str, Any]] | None = None

    @property
    def has_news(self) -> bool:
        """Whether there is anything to tell beyond that the job goes on."""
        return bool(self.text) or self.job.status in ("succeeded", "failed")

    @property
    def result(self) -> Mapping[str, Any]:
        """What a caller is told of the end."""
        return {name: value for name, value in self.job.result.items() if name != "has_content"}
