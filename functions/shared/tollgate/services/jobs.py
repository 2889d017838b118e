"""Long-poll jobs: submitting an admitted call, running it, reading it."""

from __future__ import annotations

import json
import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tollgate.domain.converse import json_blocks
from tollgate.domain.endpoints import Endpoint
from tollgate.domain.errors import (
    ForbiddenError,
    GoneError,
    NotFoundError,
    TollgateError,
    UnavailableError,
    not_called,
)
from tollgate.domain.ids import is_request_id
from tollgate.domain.jobs import (
    CHUNK_BYTES,
    CHUNK_SECONDS,
    CONTENT_BYTES,
    JOB_EXPIRED,
    QUEUE_SECONDS,
    RUN_SECONDS,
    SEALED_CHUNK_SECONDS,
    Job,
    JobView,
)
from tollgate.domain.money import format_usd
from tollgate.observability import logger
from tollgate.services.calls import AdmittedCall, Answer, Calls, foreseen, paid
from tollgate.services.policy import allowed_endpoint, allowed_model
from tollgate.services.queued_calls import decode_call, encode_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tollgate.domain.prices import TokenUsage
    from tollgate.domain.tenants import Caller
    from tollgate.ports import Clock, JobQueue, Jobs, JobTexts, Payloads, StreamPiece
    from tollgate.services.free_work import FreeWork
    from tollgate.services.policy import Policies

# While a job is queued nobody renews its hold, which outlives the job's time in the queue.
SUBMIT_LEASE_SECONDS = QUEUE_SECONDS + 60
_POLL_SECONDS = 0.2
# A job that is paid for is not lost for a table that is out of reach for less than a minute.
_FINISH_PAUSES = (1.0, 5.0, 20.0)


class JobSubmitter:
    """Hands an admitted call to the queue."""

    def __init__(self, calls: Calls, jobs: Jobs, payloads: Payloads, queue: JobQueue) -> None:
        self._calls = calls
        self._jobs = jobs
        self._payloads = payloads
        self._queue = queue

    def submit(self, call: AdmittedCall) -> str:
        """Store and queue the call; returns the job id, which is the request id.

        Where that fails the call is settled at no cost, unless the error says that it may be
        billed: the job could be out there although its answer was lost.
        """
        job_id = call.request_id
        created = call.started_at
        deadline = int(created.timestamp()) + QUEUE_SECONDS
        job = Job(
            job_id=job_id,
            tenant_id=call.caller.tenant_id,
            app_id=call.caller.app_id,
            status="queued",
            created_at=created,
            deadline=deadline,
            available_until=deadline + RUN_SECONDS + call.custody.seconds,
            payload_key=f"jobs/{call.caller.tenant_id}/{job_id}.json",
            custody=call.custody,
        )
        try:
            with foreseen(job_id, not_called):
                self._payloads.put(
                    job.tenant_id, job.payload_key, encode_call(call), call.custody.kms_key_arn
                )
                self._jobs.create(job)
                self._queue.send(job.tenant_id, job_id)
        except TollgateError as error:
            self._withdraw(call, job, error)
            raise
        return job_id

    def _withdraw(self, call: AdmittedCall, job: Job, error: TollgateError) -> None:
        # The message may be out although its answer was lost. A job that a producer has claimed
        # runs and settles itself; only one that nobody took can be settled here.
        try:
            self._jobs.abandon(job.tenant_id, job.job_id)
            standing = self._jobs.get(job.tenant_id, job.job_id)
        except UnavailableError:
            logger.error("job not withdrawn", extra={"request_id": call.request_id})
            error.may_be_billed = True
            return
        if standing is not None and standing.claimed:
            error.may_be_billed = True
            return
        self._calls.fail(call, error)
        _delete_payload(self._payloads, job)


class JobRunner:
    """Runs queued jobs into the streaming table."""

    def __init__(  # noqa: PLR0913 - what a run rests on
        self,
        *,
        calls: Calls,
        jobs: Jobs,
        texts: JobTexts,
        payloads: Payloads,
        policies: Policies,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = calls
        self._jobs = jobs
        self._texts = texts
        self._payloads = payloads
        self._policies = policies
        self._clock = clock
        self._sleep = sleep

    def run(self, tenant_id: str, job_id: str) -> None:
        """Run a job unless another delivery of its message already did.

        A job that the policy in force does not let be called any more fails, at no cost.
        UnavailableError means that a dependency failed; delivering the message again is safe, and
        until the job is claimed, which is the last step before its call, it runs then.
        """
        claimed = self._claim(tenant_id, job_id)
        if claimed is None:
            logger.info("job not claimed", extra={"request_id": job_id})
            return
        job, call, refused = claimed
        self._finish(self._ended(job, call, refused))
        _delete_payload(self._payloads, job)

    def _ended(self, job: Job, call: AdmittedCall, refused: ForbiddenError | None) -> Job:
        """The job once its call is settled. It is ours, so that nobody else runs it any more."""
        try:
            with self._calls.unsent(call):
                if refused is not None:
                    raise refused
                is_held = self._calls.renew(call)
            if is_held:
                return self._run(job, call)
        except TollgateError as error:
            return job.ended("failed", error_result(error), self._clock())
        return job.ended("failed", JOB_EXPIRED, self._clock())

    def _finish(self, ended: Job) -> None:
        """Write the end, with patience: the next delivery finds the job claimed and leaves it."""
        for pause in _FINISH_PAUSES:
            try:
                self._jobs.finish(ended)
            except UnavailableError as error:
                told = {"request_id": ended.job_id, "dependency": error.details}
                logger.warning("job not finished yet", extra=told)
                self._sleep(pause)
            else:
                return
        self._jobs.finish(ended)

    def _claim(
        self, tenant_id: str, job_id: str
    ) -> tuple[Job, AdmittedCall, ForbiddenError | None] | None:
        """The job as ours, its call, and why it may not be made; None where none is to be run."""
        job = self._jobs.get(tenant_id, job_id)
        if job is None or job.status != "queued":
            return None
        document = self._payloads.get(tenant_id, job.payload_key)
        if document is None:
            # It can never run. Its hold, which the document has, is the sweep's to end.
            logger.error("job without payload", extra={"request_id": job_id})
            self._jobs.abandon(tenant_id, job_id)
            return None
        # Before the claim: what cannot be read is not run and costs nothing. Where the policy
        # cannot be read, or the tenant's role cannot be assumed, the message is delivered again.
        call = decode_call(document)
        refused = self._refused(call)
        now = self._clock()
        ours = self._jobs.claim(
            tenant_id, job_id, now, int(now.timestamp()) + RUN_SECONDS, uuid.uuid4().hex
        )
        return None if ours is None else (ours, call, refused)

    def _refused(self, call: AdmittedCall) -> ForbiddenError | None:
        """What stands against a call that was admitted some time ago: policy, or its own role."""
        model, request = call.hold.model, call.request
        try:
            party = self._policies.party(call.caller)
            if request.operation == "invoke_endpoint":
                allowed_endpoint(party, Endpoint(model, request.model_id))
            else:
                allowed_model(party, model)
            self._calls.prepare(call)
        except ForbiddenError as error:
            return error
        return None

    def _run(self, job: Job, call: AdmittedCall) -> Job:
        writer = _ChunkWriter(self._texts, job)
        try:
            with paid(job.job_id):
                answer = self._calls.stream(call, writer.take)
                writer.flush()
                content = _tool_content(call, answer)
                self._keep(job, content)
                result = answer_result(answer)
        except TollgateError as error:
            self._write_rest(job, writer)
            return job.ended("failed", error_result(error), self._clock())
        if content is not None:
            result["has_content"] = True
        return job.ended("succeeded", result, self._clock())

    def _keep(self, job: Job, content: Sequence[Mapping[str, Any]] | None) -> None:
        """Write the blocks of an answer that is more than text."""
        document = "" if content is None else json.dumps(content)
        for index, start in enumerate(range(0, len(document), CONTENT_BYTES)):
            piece = document[start : start + CONTENT_BYTES]
            self._texts.append(job, index, piece, part="content")

    def _write_rest(self, job: Job, writer: _ChunkWriter) -> None:
        try:
            writer.flush()
        except Exception:  # noqa: BLE001
            # The job ends all the same: nobody is to wait for text that cannot be written.
            logger.exception("text not written", extra={"request_id": job.job_id})


class JobReader:
    """Serves polls."""

    def __init__(
        self,
        jobs: Jobs,
        texts: JobTexts,
        free_work: FreeWork,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._jobs = jobs
        self._texts = texts
        self._free_work = free_work
        self._clock = clock
        self._sleep = sleep

    def read(self, caller: Caller, job_id: str, *, cursor: int, wait: float) -> JobView:
        """The job and its text from chunk `cursor` on; waits up to `wait` seconds for news.

        Where as many requests of the tenant wait as may, it does not wait.
        Raises NotFoundError for an unknown job or another app's, GoneError for an expired one, and
        RateExceededError for too many polls.
        """
        self._free_work.poll(caller.tenant_id)
        view = self._view(caller, job_id, cursor)
        if view.has_news or wait <= 0:
            return view
        name = f"poll/{uuid.uuid4().hex}"
        with self._free_work.waiting(caller.tenant_id, name, wait) as may_wait:
            return self._news(caller, job_id, cursor, wait) if may_wait else view

    def _news(self, caller: Caller, job_id: str, cursor: int, wait: float) -> JobView:
        deadline = self._clock() + timedelta(seconds=wait)
        while True:
            self._sleep(_POLL_SECONDS)
            view = self._view(caller, job_id, cursor)
            if view.has_news or self._clock() >= deadline:
                return view

    def _view(self, caller: Caller, job_id: str, cursor: int) -> JobView:
        job = self._job(caller, job_id, self._clock())
        texts = self._texts.chunks(job, cursor)
        return JobView(job, "".join(texts), cursor + len(texts), self._content(job))

    def _content(self, job: Job) -> Sequence[Mapping[str, Any]] | None:
        if not job.result.get("has_content"):
            return None
        blocks: list[dict[str, Any]] = json.loads("".join(self._texts.chunks(job, 0, "content")))
        return blocks

    def _job(self, caller: Caller, job_id: str, now: datetime) -> Job:
        job = self._jobs.get(caller.tenant_id, job_id) if is_request_id(job_id) else None
        if job is None or job.app_id != caller.app_id:
            raise NotFoundError("there is no such job", code="job_not_found")
        if job.is_expired(now):
            raise GoneError("the job's result has expired; start it again", code="job_expired")
        if job.is_lost(now):
            self._jobs.finish(job.ended("failed", JOB_EXPIRED, now))
            return self._jobs.get(caller.tenant_id, job_id) or job
        return job


class _ChunkWriter:
    """Batches deltas into chunk items."""

    def __init__(self, texts: JobTexts, job: Job) -> None:
        self._texts = texts
        self._job = job
        sealed = job.custody.kms_key_arn is not None
        self._most_seconds = SEALED_CHUNK_SECONDS if sealed else CHUNK_SECONDS
        self._index = 0
        self._pending: list[str] = []
        self._size = 0
        self._flushed_at = 0.0

    def take(self, piece: StreamPiece) -> None:
        if piece.text:
            self.write(piece.text)

    def write(self, text: str) -> None:
        self._pending.append(text)
        self._size += len(text.encode())
        age = time.monotonic() - self._flushed_at
        if self._size >= CHUNK_BYTES or age >= self._most_seconds:
            self.flush()

    def flush(self) -> None:
        if not self._pending:
            return
        self._texts.append(self._job, self._index, "".join(self._pending))
        self._index += 1
        self._pending.clear()
        self._size = 0
        self._flushed_at = time.monotonic()


def _delete_payload(payloads: Payloads, job: Job) -> None:
    """Delete a request that nobody runs any more; the bucket's lifecycle deletes what stays."""
    try:
        payloads.delete(job.tenant_id, job.payload_key)
    except UnavailableError as error:
        logger.warning(
            "payload not deleted", extra={"request_id": job.job_id, "dependency": error.details}
        )


def _tool_content(call: AdmittedCall, answer: Answer) -> Sequence[Mapping[str, Any]] | None:
    """The blocks of a chat's answer as JSON where it asks for tools; None where text is all."""
    if call.request.operation != "converse":
        return None
    blocks = json_blocks(answer.content)
    return blocks if any("toolUse" in block for block in blocks) else None


def answer_result(answer: Answer) -> dict[str, Any]:
    """What a succeeded job keeps beside its text."""
    return {
        "stop_reason": answer.stop_reason,
        "usage": usage_counts(answer.usage),
        "cost_usd": format_usd(answer.cost.total),
    }


def error_result(error: TollgateError) -> dict[str, Any]:
    """What a failed job keeps."""
    body = {"code": error.code, "message": error.message, "http_status": error.http_status}
    return {"error": body}


def usage_counts(usage: TokenUsage) -> dict[str, int]:
    """Token counts under the names of the Converse API."""
    counts = {
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.total_input + usage.output,
    }
    if usage.cache_read:
        counts["cacheReadInputTokens"] = usage.cache_read
    if usage.cache_write_5m or usage.cache_write_1h:
        counts["cacheWriteInputTokens"] = usage.cache_write_5m + usage.cache_write_1h
    return counts
