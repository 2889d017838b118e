"""In-memory streaming table, payload bucket and queue."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from tollgate.domain.jobs import JOB_EXPIRED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tollgate.domain.jobs import Job, JobPart


class FakeJobs:
    """`tollgate.ports.Jobs` in dicts."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, str], Job] = {}
        self._claims: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def create(self, job: Job) -> None:
        with self._lock:
            self._jobs[job.tenant_id, job.job_id] = job

    def get(self, tenant_id: str, job_id: str) -> Job | None:
        with self._lock:
            return self._jobs.get((tenant_id, job_id))

    def claim(
        self, tenant_id: str, job_id: str, now: datetime, deadline: int, claim_id: str
    ) -> Job | None:
        with self._lock:
            job = self._jobs.get((tenant_id, job_id))
            if job is None:
                return None
            is_ours = job.status == "running" and self._claims[tenant_id, job_id] == claim_id
            is_free = job.status == "queued" and job.deadline >= int(now.timestamp())
            if not (is_free or is_ours):
                return None
            self._claims[tenant_id, job_id] = claim_id
            claimed = replace(job, status="running", claimed=True, deadline=deadline)
            self._jobs[tenant_id, job_id] = claimed
            return claimed

    def abandon(self, tenant_id: str, job_id: str) -> bool:
        with self._lock:
            job = self._jobs.get((tenant_id, job_id))
            if job is None or job.status != "queued":
                return False
            self._jobs[tenant_id, job_id] = replace(job, status="failed", result=JOB_EXPIRED)
            return True

    def finish(self, ended: Job) -> None:
        key = ended.tenant_id, ended.job_id
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and job.status in ("queued", "running"):
                self._jobs[key] = replace(
                    job,
                    status=ended.status,
                    result=ended.result,
                    available_until=ended.available_until,
                )


class FakeJobTexts:
    """`tollgate.ports.JobTexts` in dicts; it seals nothing."""

    def __init__(self) -> None:
        self._chunks: dict[tuple[str, str, str], dict[int, str]] = {}
        self._lock = threading.Lock()

    def append(self, job: Job, index: int, text: str, part: JobPart = "text") -> None:
        with self._lock:
            self._chunks.setdefault((job.tenant_id, job.job_id, part), {})[index] = text

    def chunks(self, job: Job, cursor: int, part: JobPart = "text") -> Sequence[str]:
        with self._lock:
            chunks = sorted(self._chunks.get((job.tenant_id, job.job_id, part), {}).items())
        return [text for index, text in chunks if index >= cursor]


class FakePayloads:
    """`tollgate.ports.Payloads` in a dict; `kms_keys` are the tenants' own that were asked for."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.kms_keys: dict[str, str | None] = {}

    def put(self, tenant_id: str, key: str, document: bytes, kms_key_arn: str | None) -> None:  # noqa: ARG002
        self.documents[key] = document
        self.kms_keys[key] = kms_key_arn

    def get(self, tenant_id: str, key: str) -> bytes | None:  # noqa: ARG002
        return self.documents.get(key)

    def delete(self, tenant_id: str, key: str) -> None:  # noqa: ARG002
        self.documents.pop(key, None)


class FakeQueue:
    """`tollgate.ports.JobQueue` in a list of (tenant id, job id), and pauses by receipt."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.pauses: dict[str, int] = {}

    def send(self, tenant_id: str, job_id: str) -> None:
        self.sent.append((tenant_id, job_id))

    def retry(self, receipt: str, seconds: int) -> None:
        self.pauses[receipt] = seconds
