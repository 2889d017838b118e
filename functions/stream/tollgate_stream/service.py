"""Runs queued jobs and serves polls."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import UnavailableError
from tollgate.domain.jobs import MAX_CURSOR, RETRY_SECONDS, parse_queue_message
from tollgate.entry.http import Request, Response, json_response
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tollgate.ports import JobQueue
    from tollgate.services.jobs import JobReader, JobRunner
    from tollgate.services.policy import Policies

DEFAULT_WAIT_SECONDS = 20
MAX_WAIT_SECONDS = 25


class StreamService:
    """Both sides of a job."""

    def __init__(
        self, runner: JobRunner, reader: JobReader, policies: Policies, queue: JobQueue
    ) -> None:
        self._runner = runner
        self._reader = reader
        self._policies = policies
        self._queue = queue

    def run(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Run the jobs of SQS records; returns the message ids to deliver again.

        One that fails, whatever is wrong with it, stops no other. It comes again within half a
        minute, and after many times lies in the queue of dead messages; its hold is the sweep's.
        """
        failed = [record for record in records if not self._is_run(record)]
        for record in failed:
            self._retry(record)
        return [record["messageId"] for record in failed]

    def _retry(self, record: Mapping[str, Any]) -> None:
        least, most = RETRY_SECONDS
        try:
            self._queue.retry(record["receiptHandle"], least + secrets.randbelow(most - least + 1))
        except UnavailableError as error:
            # It comes again all the same, once it has been away for as long as any message.
            told = {"message_id": record["messageId"], "dependency": error.details}
            logger.warning("message not delayed", extra=told)

    def _is_run(self, record: Mapping[str, Any]) -> bool:
        told: dict[str, Any] = {"message_id": record["messageId"]}
        try:
            tenant_id, job_id = parse_queue_message(record["body"])
            told |= {"tenant_id": tenant_id, "request_id": job_id}
            self._runner.run(tenant_id, job_id)
        except UnavailableError as error:
            logger.error("job not run", extra={**told, "dependency": error.details})
            return False
        except Exception:  # noqa: BLE001 - one message's failure is no other's
            logger.exception("job not run", extra=told)
            return False
        return True

    def poll(self, request: Request) -> Response:
        """The state of a job. Raises the errors of `tollgate.domain.errors`."""
        job_id = request.path["id"]
        self._policies.party(request.caller)
        view = self._reader.read(
            request.caller,
            job_id,
            cursor=request.number("cursor", default=0, maximum=MAX_CURSOR),
            wait=request.number("wait", default=DEFAULT_WAIT_SECONDS, maximum=MAX_WAIT_SECONDS),
        )
        body: dict[str, Any] = {
            "id": job_id,
            "status": view.job.status,
            "text": view.text,
            "cursor": view.cursor,
            **view.result,
        }
        if view.content is not None:
            body["content"] = view.content
        error = view.job.result.get("error")
        if error is not None:
            body["error"] = {
                "message": error["message"],
                "code": error["code"],
                "request_id": job_id,
            }
        return json_response(request, body, request_id=job_id)
