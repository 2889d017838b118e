"""`POST /invoke_model` and `GET /v1/jobs/{id}` over fakes, from proxy event to response."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.idempotency import FakeIdempotencyRecords
from tests.fakes.jobs import FakePayloads
from tests.fakes.world import NOVA_LITE, tenant
from tests.unit.shared.test_jobs import JobWorld
from tollgate.domain.errors import UnavailableError, UpstreamThrottledError
from tollgate.domain.jobs import queue_message
from tollgate.domain.money import usd
from tollgate.domain.tenants import Budget
from tollgate.http import Response, answer
from tollgate.idempotency import Idempotency
from tollgate_invoke.service import InvokeService
from tollgate_stream.service import StreamService

AUTHORIZER = {"tenant_id": "acme", "app_id": "web", "key_id": "web/primary", "tier": "pro"}


class Gateway(JobWorld):
    """Both functions of the request path."""

    def __init__(self) -> None:
        super().__init__()
        self.records = FakeIdempotencyRecords()
        self.answers = FakePayloads()
        self.idempotency = Idempotency(
            self.records, self.answers, self.clock, lambda s: self.clock.advance(seconds=s)
        )
        self.compose()
        self.stream = StreamService(self.runner, self.reader)

    def compose(self) -> None:
        """The function over what stands in the attributes."""
        self.invoke = InvokeService(
            self.admission, self.calls, self.submitter, self.reader, self.idempotency
        )

    def post(
        self,
        body: object = None,
        *,
        query: dict[str, str] | None = None,
        authorizer: dict[str, str] | None = None,
        **headers: str,
    ) -> Response:
        text = body if isinstance(body, str) else json.dumps(body or {"inputs": "hello"})
        event = self.event(query or {"model_id": NOVA_LITE}, authorizer or AUTHORIZER)
        event |= {"headers": {"team_id": "acme", **headers}, "body": text}
        return answer(event, self.invoke.handle)

    def job(self, job_id: str, **query: str) -> Response:
        event = self.event(query, AUTHORIZER) | {"pathParameters": {"id": job_id}}
        return answer(event, self.stream.poll)

    def event(self, query: dict[str, str], authorizer: dict[str, str]) -> dict[str, Any]:
        context = {"requestId": "gw-1", "authorizer": authorizer}
        return {
            "httpMethod": "POST",
            "resource": "/invoke_model",
            "requestContext": context,
            "queryStringParameters": query,
            "headers": {},
        }


def body_of(response: Response) -> Any:  # noqa: ANN401
    return json.loads(response["body"])


def test_an_answer_carries_its_receipt() -> None:
    gateway = Gateway()
    gateway.tenants.tenants["acme"] = tenant(budget=Budget(month=usd("1")))

    response = gateway.post()

    assert response["statusCode"] == 200
    (body,) = body_of(response)
    assert body["generated_text"] == "hello"
    assert response["headers"] == {
        "Content-Type": "application/json",
        "x-request-id": gateway.row.request_id,
        "x-tenant-id": "acme",
        "x-tollgate-cost-usd": "0.00007",
        "x-tollgate-remaining-usd": "0.99993",
    }


@pytest.mark.parametrize("streaming", ["false", "true"])
def test_a_soft_budget_that_is_exceeded_is_told(streaming: str) -> None:
    gateway = Gateway()
    gateway.tenants.tenants["acme"] = tenant(budget=Budget(month=1, is_hard=False))

    response = gateway.post(streaming=streaming)

    assert response["statusCode"] == 200
    assert response["headers"]["x-tollgate-budget"] == "exceeded"


def test_a_job_is_started_polled_while_it_runs_and_read_at_its_end() -> None:
    gateway = Gateway()

    started = gateway.post(streaming="true")
    (body,) = body_of(started)
    job_id = body["request_id"]
    assert body == {"request_id": job_id}

    pending = gateway.post("{}", query={"requestId": job_id})
    assert body_of(pending) == [
        {"request_id": job_id, "status": "queued", "partial_text": "", "cursor": 0}
    ]
    records = [{"messageId": "m1", "body": queue_message("acme", job_id)}]
    assert gateway.stream.run(records) == []
    done = gateway.post("{}", query={"requestId": job_id})
    again = gateway.post("{}", query={"requestId": job_id})
    assert body_of(done)[0]["generated_text"] == "hello"
    assert done == again
    assert done["headers"]["x-tollgate-cost-usd"] == "0.00007"
    assert len(gateway.usage.rows) == 1


def test_the_job_route_tells_the_same() -> None:
    gateway = Gateway()
    job_id = body_of(gateway.post(streaming="true"))[0]["request_id"]
    gateway.runner.run("acme", job_id)

    assert body_of(gateway.job(job_id, wait="0")) == {
        "id": job_id,
        "status": "succeeded",
        "text": "hello",
        "cursor": 1 if len(gateway.texts.chunks(gateway.stored_job(job_id), 0)) == 1 else 2,
        "stop_reason": "end_turn",
        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
        "cost_usd": "0.00007",
    }


def test_a_failed_job_answers_with_its_error() -> None:
    gateway = Gateway()
    gateway.runtime.error = UpstreamThrottledError("slow down")
    job_id = body_of(gateway.post(streaming="true"))[0]["request_id"]
    gateway.runner.run("acme", job_id)

    legacy = gateway.post("{}", query={"requestId": job_id})
    assert legacy["statusCode"] == 429
    assert body_of(legacy)["code"] == "upstream_throttled"
    job = body_of(gateway.job(job_id))
    assert (job["status"], job["error"]["code"]) == ("failed", "upstream_throttled")


def test_a_poll_with_another_team_id_is_refused() -> None:
    gateway = Gateway()
    job_id = body_of(gateway.post(streaming="true"))[0]["request_id"]

    response = gateway.post("{}", query={"requestId": job_id}, team_id="globex")

    assert response["statusCode"] == 403


def test_a_job_of_another_tenant_does_not_exist() -> None:
    gateway = Gateway()
    job_id = body_of(gateway.post(streaming="true"))[0]["request_id"]

    response = gateway.post(
        "{}",
        query={"requestId": job_id},
        authorizer={**AUTHORIZER, "tenant_id": "globex"},
        team_id="globex",
    )

    assert response["statusCode"] == 404
    assert body_of(response)["code"] == "job_not_found"


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "9" * 30, "²"])
def test_a_bad_cursor_or_wait_is_named(value: str) -> None:
    gateway = Gateway()
    job_id = body_of(gateway.post(streaming="true"))[0]["request_id"]

    assert gateway.job(job_id, cursor=value)["statusCode"] == 400
    response = gateway.job(job_id, wait=value)
    assert response["statusCode"] == 400
    assert "allowed is a whole number from 0 to 25" in body_of(response)["message"]


def test_an_upstream_throttle_says_when_to_retry() -> None:
    gateway = Gateway()
    gateway.runtime.error = UpstreamThrottledError("slow down", retry_after=2)

    response = gateway.post()

    assert response["statusCode"] == 429
    assert response["headers"]["Retry-After"] == "2"
    assert response["headers"]["x-tenant-id"] == "acme"
    assert body_of(response) == {
        "message": "slow down",
        "code": "upstream_throttled",
        "request_id": gateway.row.request_id,
    }


def test_a_refusal_before_the_call_is_named_by_the_gateways_id() -> None:
    gateway = Gateway()

    response = gateway.post(team_id="globex")

    assert (response["statusCode"], body_of(response)["request_id"]) == (403, "gw-1")
    assert response["headers"]["x-tenant-id"] == "acme"


def test_a_request_without_the_authorizers_context_is_forbidden() -> None:
    gateway = Gateway()

    event = gateway.event({"model_id": NOVA_LITE}, {})

    assert answer(event, gateway.invoke.handle)["statusCode"] == 403


def test_a_bug_is_a_500_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway()

    def bug() -> None:
        raise KeyError("secret detail")

    gateway.runtime.during_call = bug
    response = gateway.post()

    assert response["statusCode"] == 500
    assert "secret" not in response["body"]
    assert "Traceback" not in response["body"]
    assert "unexpected failure" in caplog.text


def test_prompts_and_answers_never_reach_the_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = Gateway()
    gateway.runtime.content = [{"text": "the answer is classified-output"}]

    gateway.post({"inputs": "classified-input"})
    gateway.post({"inputs": "classified-input"}, streaming="maybe")

    logged = caplog.text + "".join(capsys.readouterr())
    assert "classified" not in logged
    assert "classified" not in repr(gateway.usage.rows)


def test_a_queued_job_whose_dependency_is_down_is_delivered_again() -> None:
    gateway = Gateway()
    job_id = body_of(gateway.post(streaming="true"))[0]["request_id"]

    def down(_tenant_id: str, _key: str) -> None:
        raise UnavailableError("bucket down")

    gateway.payloads.get = down  # type: ignore[method-assign, assignment]

    records = [{"messageId": "m1", "body": queue_message("acme", job_id)}]
    assert gateway.stream.run(records) == ["m1"]


def test_a_base64_body_is_decoded() -> None:
    gateway = Gateway()
    event = gateway.event({"model_id": NOVA_LITE}, AUTHORIZER)
    event |= {
        "headers": {"Team_ID": "acme"},
        "body": "eyJpbnB1dHMiOiJoaSJ9",
        "isBase64Encoded": True,
    }

    assert answer(event, gateway.invoke.handle)["statusCode"] == 200
