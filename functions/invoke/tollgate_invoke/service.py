"""One request of `POST /invoke_model`, `POST /invoke` or `POST /v1/jobs`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tollgate.dialects.jobs import answer as job_answer
from tollgate.dialects.jobs import request as job_request
from tollgate.dialects.legacy import answer as legacy_answer
from tollgate.dialects.legacy import request as legacy_request
from tollgate.dialects.profiles import answer as profile_answer
from tollgate.dialects.profiles import request as profile_request
from tollgate.domain.errors import ForbiddenError, TollgateError
from tollgate.domain.jobs import MAX_CURSOR
from tollgate.domain.money import usd
from tollgate.entry.http import Request, Response, admission_notices, json_response
from tollgate.entry.idempotency import FirstAnswer
from tollgate.services.calls import paid
from tollgate.services.jobs import SUBMIT_LEASE_SECONDS, JobReader, JobSubmitter
from tollgate.services.policy import allowed_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tollgate.domain.jobs import JobView
    from tollgate.entry.idempotency import Idempotency
    from tollgate.services.admission import Admission
    from tollgate.services.calls import AdmittedCall, Answer, Calls
    from tollgate.services.shapes import Call

# Above the function's timeout: how long a call can take, and a key wait for its answer.
MOST_SECONDS = 360

# A poll returns at once, as its clients expect; they wait between polls themselves.
_POLL_WAIT_SECONDS = 0


@dataclass(frozen=True, slots=True)
class _Start:
    """A job to start: its call, and the answer that names it."""

    call: Call
    body: Callable[[str], object]
    status: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Calls to make, one after the other, and the body of their answers."""

    calls: Sequence[Call]
    body: Callable[[Sequence[Answer]], object]


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
        if request.route == "POST /v1/jobs":
            start = _Start(job_request.parse_chat(request).call, job_answer.started_body, 202)
            return self._once(request, start, job_request.HEADERS)
        if request.route == "POST /invoke":
            return self._through_profile(request)
        return self._legacy(request)

    def _through_profile(self, request: Request) -> Response:
        profile = profile_request.choose(request, self._admission.party(request.caller))
        parsed = profile_request.parse_chat(request, profile)
        work = _Run([parsed.call], lambda answers: profile_answer.chat_body(parsed, answers[0]))
        return self._once(request, work, profile_request.HEADERS)

    def _legacy(self, request: Request) -> Response:
        tags = self._team_tags(request)
        job_id = request.query.get("requestId")
        if job_id is not None:
            return self._poll(request, job_id)
        ask = legacy_request.parse(request, self._target(request), tags)
        work: _Run | _Start = _Run(ask.calls, ask.body)
        if legacy_request.is_streaming(request):
            (call,) = ask.calls
            work = _Start(call, legacy_answer.started_body, 200)
        return self._once(request, work, legacy_request.HEADERS)

    def _team_tags(self, request: Request) -> Mapping[str, str]:
        """What the `team_id` header adds to the usage row: it names the key's tenant, or a team."""
        team = legacy_request.team_of(request)
        if team == request.caller.tenant_id:
            return {}
        if team in self._admission.party(request.caller).tenant.teams:
            return {"team": team}
        raise ForbiddenError(
            "team_id names neither the tenant that this key belongs to nor one of its teams; "
            "send the key's own tenant id",
            code="tenant_mismatch",
        )

    def _target(self, request: Request) -> legacy_request.Target:
        name, arn = legacy_request.named_model(request)
        party = self._admission.party(request.caller)
        if arn is not None:
            return legacy_request.Target(arn, allowed_arn(party, arn, name).model_id)
        if name is not None and self._admission.is_endpoint(name):
            return legacy_request.Target(name, None)
        ref = self._admission.model(party, name or "")
        return legacy_request.Target(ref.requested, ref.model_id)

    def _once(self, request: Request, work: _Run | _Start, headers: Sequence[str]) -> Response:
        if isinstance(work, _Start):
            respond, lease_seconds = partial(self._start, request, work), SUBMIT_LEASE_SECONDS
        else:
            respond, lease_seconds = partial(self._run, request, work), MOST_SECONDS
        return self._idempotency.once(
            request, respond, headers=headers, lease_seconds=lease_seconds
        )

    def _run(self, request: Request, work: _Run, request_id: str) -> FirstAnswer:
        answers: list[Answer] = []
        for call in work.calls:
            try:
                with paid(request_id) if answers else nullcontext():
                    admitted = self._admit(request, call, None if answers else request_id)
                    answers.append(self._calls.run(admitted))
            except TollgateError as error:
                # What was answered before is paid for, although nobody gets it.
                error.may_be_billed = error.may_be_billed or bool(answers)
                raise
        with paid(answers[0].request_id):
            response = json_response(
                request,
                work.body(answers),
                request_id=answers[0].request_id,
                cost=sum(answer.cost.total for answer in answers),
                remaining=answers[-1].remaining,
                notices=admission_notices(admitted),
            )
        return FirstAnswer(response, admitted.custody)

    def _admit(self, request: Request, call: Call, request_id: str | None) -> AdmittedCall:
        return self._admission.admit(
            request.caller,
            call,
            most_seconds=MOST_SECONDS,
            streamed=False,
            request_id=request_id,
        )

    def _start(self, request: Request, work: _Start, request_id: str) -> FirstAnswer:
        admitted = self._admission.admit(
            request.caller,
            work.call,
            lease_seconds=SUBMIT_LEASE_SECONDS,
            streamed=True,
            request_id=request_id,
        )
        job_id = self._submitter.submit(admitted)
        response = json_response(
            request,
            work.body(job_id),
            status=work.status,
            request_id=job_id,
            notices=admission_notices(admitted),
        )
        return FirstAnswer(response, admitted.custody)

    def _poll(self, request: Request, job_id: str) -> Response:
        cursor = request.number("cursor", default=0, maximum=MAX_CURSOR)
        self._admission.party(request.caller)
        view = self._reader.read(request.caller, job_id, cursor=cursor, wait=_POLL_WAIT_SECONDS)
        if view.job.status == "failed":
            return _failed(request, view)
        cost = view.job.result.get("cost_usd")
        return json_response(
            request,
            legacy_answer.job_body(view),
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
