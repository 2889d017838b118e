"""One request of `POST /invoke_model`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tollgate.dialects import legacy
from tollgate.domain.jobs import MAX_CURSOR
from tollgate.domain.money import usd
from tollgate.http import Request, Response, admission_notices, json_response
from tollgate.idempotency import FirstAnswer
from tollgate.jobs import SUBMIT_LEASE_SECONDS, JobReader, JobSubmitter

if TYPE_CHECKING:
    from tollgate.admission import Admission
    from tollgate.calls import ChatCall
    from tollgate.domain.jobs import JobView
    from tollgate.idempotency import Idempotency
    from tollgate.pipeline import Calls

# Above the function's timeout: as long as this process can still settle, no sweep may.
LEASE_SECONDS = 360

# A poll returns at once, as its clients expect; they wait between polls themselves.
_POLL_WAIT_SECONDS = 0


class InvokeService:
    """Answers, starts or polls."""

    def __init__(
        self,
        admission: Admission,
        calls: Calls,
        submitter: JobSubmitter,
        reader: JobReader,
        idempotency: Idempotency,
    ) -> None:
        self._admission = admission
        self._calls = calls
        self._submitter = submitter
        self._reader = reader
        self._idempotency = idempotency

    def handle(self, request: Request) -> Response:
        """The response to a request. Raises the errors of `tollgate.domain.errors`."""
        legacy.check_team(request)
        job_id = request.query.get("requestId")
        if job_id is not None:
            return self._poll(request, job_id)
        call = legacy.parse_call(request)
        starts_job = legacy.is_streaming(request)
        return self._idempotency.once(
            request,
            partial(self._start if starts_job else self._answer, request, call),
            headers=legacy.HEADERS,
            lease_seconds=SUBMIT_LEASE_SECONDS if starts_job else LEASE_SECONDS,
        )

    def _answer(self, request: Request, call: ChatCall, request_id: str) -> FirstAnswer:
        admitted = self._admission.admit(
            request.caller,
            call,
            lease_seconds=LEASE_SECONDS,
            streamed=False,
            request_id=request_id,
        )
        answer = self._calls.run(admitted)
        response = json_response(
            request,
            legacy.answer_body(answer),
            request_id=answer.request_id,
            cost=answer.cost.total,
            remaining=answer.remaining,
            notices=admission_notices(admitted),
        )
        return FirstAnswer(response, admitted.custody)

    def _start(self, request: Request, call: ChatCall, request_id: str) -> FirstAnswer:
        admitted = self._admission.admit(
            request.caller,
            call,
            lease_seconds=SUBMIT_LEASE_SECONDS,
            streamed=True,
            request_id=request_id,
        )
        job_id = self._submitter.submit(admitted)
        response = json_response(
            request,
            legacy.started_body(job_id),
            request_id=job_id,
            notices=admission_notices(admitted),
        )
        return FirstAnswer(response, admitted.custody)

    def _poll(self, request: Request, job_id: str) -> Response:
        cursor = request.number("cursor", default=0, maximum=MAX_CURSOR)
        view = self._reader.read(request.caller, job_id, cursor=cursor, wait=_POLL_WAIT_SECONDS)
        if view.job.status == "failed":
            return _failed(request, view)
        cost = view.job.result.get("cost_usd")
        return json_response(
            request,
            legacy.job_body(view),
            request_id=job_id,
            cost=None if cost is None else usd(cost),
        )


def _failed(request: Request, view: JobView) -> Response:
    error = view.job.result["error"]
    return json_response(
        request,
        {"message": error["message"], "code": error["code"], "request_id": view.job.job_id},
        status=error["http_status"],
        request_id=view.job.job_id,
    )
