"""In-memory streaming table, payload bucket and queue."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tollgate.domain.jobs import JOB_EXPIRED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tollgate.domain.jobs import Job, JobStatus


class FakeJobs:
    """`tollgate.ports.Jobs` in dicts."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, str], Job] = {}
        self._chunks: dict[tuple[str, str], dict[int, str]] = {}
        self._lock = threading.Lock()

    def create(self, job: Job) -> None:
        with self._lock:
            self._jobs[job.tenant_id, job.job_id] = job

    def get(self, tenant_id: str, job_id: str) -> Job | None:
        with self._lock:
            return self._jobs.get((tenant_id, job_id))

    def claim(self, tenant_id: str, job_id: str, now: datetime, deadline: int) -> Job | None:
        with self._lock:
            job = self._jobs.get((tenant_id, job_id))
            if job is None or job.status != "queued" or job.deadline < int(now.timestamp()):
                return None
            claimed = replace(job, status="running", claimed=True, deadline=deadline)
            self._jobs[tenant_id, job_id] = claimed
            return claimed

    def abandon(self, tenant_id: str, job_id: str) -> bool:
        return self._end(tenant_id, job_id, "failed", JOB_EXPIRED, ("queued",))

    def append(
        self,
        tenant_id: str,
        job_id: str,
        index: int,
        text: str,
        expires_at: int,  # noqa: ARG002
    ) -> None:
        with self._lock:
            self._chunks.setdefault((tenant_id, job_id), {})[index] = text

    def finish(
        self, tenant_id: str, job_id: str, status: JobStatus, result: Mapping[str, Any]
    ) -> None:
        self._end(tenant_id, job_id, status, result, ("queued", "running"))

    def chunks(self, tenant_id: str, job_id: str, cursor: int) -> Sequence[str]:
        with self._lock:
            chunks = sorted(self._chunks.get((tenant_id, job_id), {}).items())
        return [text for index, text in chunks if index >= cursor]

    def _end(
        self,
        tenant_id: str,
        job_id: str,
        status: JobStatus,
        result: Mapping[str, Any],
        states: Sequence[str],
    ) -> bool:
        with self._lock:
            job = self._jobs.get((tenant_id, job_id))
            if job is None or job.status not in states:
                return False
            self._jobs[tenant_id, job_id] = replace(job, status=status, result=result)
            return True


class FakePayloads:
    """`tollgate.ports.Payloads` in a dict."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}

    def put(self, key: str, document: bytes) -> None:
        self.documents[key] = document

    def get(self, key: str) -> bytes | None:
        return self.documents.get(key)


class FakeQueue:
    """`tollgate.ports.JobQueue` in a list of (tenant id, job id)."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, tenant_id: str, job_id: str) -> None:
        self.sent.append((tenant_id, job_id))
