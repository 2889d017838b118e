"""`POST /invoke_model` and `GET /v1/jobs/{id}` over fakes, from proxy event to response."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.idempotency import FakeIdempotencyRecords
from tests.fakes.jobs import FakePayloads
from tests.fakes.world import NOVA_LITE, app, tenant
from tests.unit.services.test_jobs import JobWorld
from tollgate.domain.errors import UnavailableError, UpstreamThrottledError
from tollgate.domain.jobs import queue_message
from tollgate.domain.money import format_usd, usd
from tollgate.domain.prices import TokenUsage
from tollgate.domain.tenants import Budget, InferenceProfile, Limits
from tollgate.entry.http import Response, answer
from tollgate.entry.idempotency import Idempotency
from tollgate.ports import ModelReply
from tollgate_invoke.service import InvokeService
from tollgate_stream.service import StreamService

if TYPE_CHECKING:
    from collections.abc import Callable

AUTHORIZER = {"tenant_id": "acme", "app_id": "web", "key_id": "web/primary", "tier": "pro"}


class Gateway(JobWorld):
    """Both functions of the request path."""

    def __init__(self) -> None:
        super().__init__()
        self.records = FakeIdempotencyRecords()
        self.answers = FakePayloads()
        self.while_waiting: Callable[[], None] = lambda: None
        self.repeat()
        self.stream = StreamService(self.runner, self.reader, self.policies, self.queue)

    def send(self, resource: str, body: object, **headers: str) -> Response:
        """A request of a route other than `/invoke_model`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        event = self.event({}, AUTHORIZER) | {"resource": resource, "headers": named}
        return answer(event | {"body": json.dumps(body)}, self.invoke.handle)

    def pause(self, seconds: float) -> None:
        """What a wait is made of."""
        self.clock.advance(seconds=seconds)
        self.while_waiting()

    def repeat(self) -> None:
        """The function with repeats over what stands in the attributes."""
        self.idempotency = Idempotency(
            self.records,
            self.answers,
            self.policies,
            self.free_work,
            self.clock,
            self.pause,
        )
        self.compose()

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


@pytest.mark.parametrize(
    ("body", "headers", "place"),
    [
        ({"inputs": "hi", "parameters": {"topQ": 1}}, {}, "topQ"),
        ({"inputs": "hi", "parameters": {"topQ": 1}}, {"streaming": "true"}, "topQ"),
        (
            {
                "inputs": [{"role": "user", "content": [{"text": "hi"}]}],
                "additional_model_fields": {"topQ": 1},
            },
            {"messages_api": "true"},
            "additionalModelRequestFields.topQ",
        ),
    ],
)
def test_a_setting_that_the_models_family_has_not_is_named(
    body: dict[str, Any], headers: dict[str, str], place: str
) -> None:
    gateway = Gateway()

    response = gateway.post(body, **headers)

    assert response["statusCode"] == 400
    assert f"{place} is not known for models of Nova; allowed are " in response["body"]
    assert (gateway.runtime.requests, gateway.usage.rows) == ([], {})


@pytest.mark.parametrize("streaming", ["false", "true"])
def test_a_soft_budget_that_is_exceeded_is_told(streaming: str) -> None:
    gateway = Gateway()
    gateway.tenants.tenants["acme"] = tenant(budget=Budget(month=1, is_hard=False))

    response = gateway.post(streaming=streaming)

    assert response["statusCode"] == 200
    assert response["headers"]["x-tollgate-budget"] == "exceeded"


@pytest.mark.parametrize("streaming", ["false", "true"])
def test_what_the_tenant_refuses_uses_up_nothing_of_the_app(streaming: str) -> None:
    gateway = Gateway()
    limited = app(limits=Limits(requests_per_day=20))
    gateway.tenants.tenants["acme"] = tenant(
        limits=Limits(requests_per_minute=5), apps={"web": limited}
    )
    served = []
    for _ in range(4):
        answers = [gateway.post(streaming=streaming) for _ in range(10)]
        served.append([answer["statusCode"] for answer in answers])
        gateway.clock.advance(minutes=1)

    assert served == [[200] * 5 + [429] * 5] * 4
    refused = gateway.post(streaming=streaming)
    assert refused["statusCode"] == 429
    assert body_of(refused)["code"] == "requests_per_day_exceeded"
    assert body_of(refused)["details"]["scope"] == "app"


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
    body = queue_message("acme", job_id)
    records = [{"messageId": "m1", "receiptHandle": "r1", "body": body}]
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
    gateway.tenants.tenants["globex"] = tenant(tenant_id="globex")
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


@pytest.mark.parametrize(("is_called", "status"), [(False, 500), (True, 502)])
def test_a_bug_is_told_without_a_traceback(
    caplog: pytest.LogCaptureFixture, *, is_called: bool, status: int
) -> None:
    gateway = Gateway()

    def bug(*_: object) -> None:
        raise KeyError("secret detail")

    if is_called:
        gateway.runtime.during_call = bug
    else:
        gateway.accounts.admit = bug  # type: ignore[method-assign, assignment]
    response = gateway.post()

    assert response["statusCode"] == status
    assert response["headers"].get("x-should-retry") == ("false" if is_called else None)
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

    body = queue_message("acme", job_id)
    records = [{"messageId": "m1", "receiptHandle": "r1", "body": body}]
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


# --- Teams, ARNs, endpoints -------------------------------------------------------------------

TITAN_EMBED = "amazon.titan-embed-text-v2:0"
PROVISIONED = "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/p1"
PROFILE = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1"
SEARCH = InferenceProfile(name="search", model=NOVA_LITE, arn=PROFILE, tags={"Stage": "live"})


def gateway_of(**policy: Any) -> Gateway:  # noqa: ANN401
    gateway = Gateway()
    gateway.tenants.tenants["acme"] = tenant(**policy)
    return gateway


def test_a_team_of_the_tenant_is_written_into_the_row() -> None:
    gateway = gateway_of(teams=("search", "support"))

    assert gateway.post(team_id="support")["statusCode"] == 200
    assert gateway.row.tags["team"] == "support"


def test_the_tenant_itself_is_no_team_and_a_foreign_team_is_refused() -> None:
    gateway = gateway_of(teams=("search",))

    refused = gateway.post(team_id="globex-search")
    assert (refused["statusCode"], body_of(refused)["code"]) == (403, "tenant_mismatch")
    assert gateway.runtime.requests == []
    gateway.post()
    assert "team" not in gateway.row.tags


def test_a_team_polls_the_job_that_it_started() -> None:
    gateway = gateway_of(teams=("search",))
    job_id = body_of(gateway.post(streaming="true", team_id="search"))[0]["request_id"]
    gateway.runner.run("acme", job_id)

    polled = gateway.post("{}", query={"requestId": job_id}, team_id="search")
    assert body_of(polled)[0]["generated_text"] == "hello"
    assert gateway.row.tags["team"] == "search"
    other = gateway.post("{}", query={"requestId": job_id}, team_id="support")
    assert other["statusCode"] == 403


@pytest.mark.parametrize("named", [{}, {"model_id": NOVA_LITE}, {"model_id": f"us.{NOVA_LITE}"}])
@pytest.mark.parametrize("arn", [PROVISIONED, PROFILE])
def test_an_arn_of_the_apps_own_is_called_and_priced_as_its_model(
    named: dict[str, str], arn: str
) -> None:
    own = app(inference_profiles={"search": SEARCH})
    gateway = gateway_of(model_arns={PROVISIONED: NOVA_LITE}, apps={"web": own})

    response = gateway.post(query={**named, "model_arn": arn})

    assert response["statusCode"] == 200
    assert gateway.runtime.requests[0].model_id == arn
    assert (gateway.row.requested_model, gateway.row.model_id) == (arn, NOVA_LITE)
    assert gateway.row.total_cost > 0


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"model_arn": PROFILE}, 403, "model_not_allowed"),
        ({"model_arn": PROVISIONED + "x"}, 403, "model_not_allowed"),
        ({"model_arn": NOVA_LITE}, 403, "model_not_allowed"),
        ({"model_arn": PROVISIONED, "model_id": "amazon.nova-pro-v1:0"}, 400, "invalid_request"),
        ({"model_arn": PROVISIONED, "model_id": "my endpoint"}, 400, "invalid_request"),
        ({"model_id": "my endpoint"}, 400, "unsupported_model_id"),
    ],
)
def test_an_arn_that_is_not_the_apps_or_not_the_model_named_is_refused(
    query: dict[str, str], status: int, code: str
) -> None:
    gateway = gateway_of(model_arns={PROVISIONED: NOVA_LITE})

    response = gateway.post(query=query)

    assert (response["statusCode"], body_of(response)["code"]) == (status, code)
    assert gateway.runtime.requests == []


def test_models_that_may_be_meant_are_named() -> None:
    response = gateway_of().post(query={"model_id": "nova-lite"})

    assert response["statusCode"] == 400
    assert (
        body_of(response)["message"] == f"'nova-lite' is not a model id; did you mean {NOVA_LITE}?"
    )
    assert body_of(response)["details"] == {"nearest": [NOVA_LITE]}


def test_an_arn_of_a_denied_model_is_refused() -> None:
    gateway = gateway_of(model_arns={PROVISIONED: NOVA_LITE}, denied_models=("*nova-lite*",))

    response = gateway.post(query={"model_arn": PROVISIONED})

    assert (response["statusCode"], body_of(response)["code"]) == (403, "model_not_allowed")


def test_texts_that_are_embedded_one_by_one_are_one_answer_and_one_receipt() -> None:
    gateway = gateway_of(models=("amazon.titan-*",), budget=Budget(month=usd("1")))
    gateway.runtime.reply = ModelReply({"embedding": [0.5]}, TokenUsage(input=10))

    query = {"model_id": TITAN_EMBED}
    response = gateway.post({"inputs": ["a", "b", "c"]}, query=query, type="embeddings")

    (body,) = body_of(response)
    assert body["embeddings"] == [[0.5]] * 3
    assert body["usage"]["inputTokens"] == 30
    assert [request.body for request in gateway.runtime.requests] == [
        {"inputText": text} for text in "abc"
    ]
    rows = list(gateway.usage.rows.values())
    assert len(rows) == 3
    assert response["headers"]["x-request-id"] in {row.request_id for row in rows}
    assert response["headers"]["x-tollgate-cost-usd"] == format_usd(
        sum(row.total_cost for row in rows)
    )
    spent = usd("1") - usd(response["headers"]["x-tollgate-remaining-usd"])
    assert spent == sum(row.total_cost for row in rows)


def test_a_batch_that_breaks_off_does_not_free_its_idempotency_key() -> None:
    gateway = gateway_of(models=("amazon.titan-*",))
    gateway.runtime.reply = ModelReply({"embedding": [0.5]}, TokenUsage(input=5))

    def throttle_the_second() -> None:
        if len(gateway.runtime.requests) == 2:
            gateway.runtime.error = UpstreamThrottledError("slow down")

    gateway.runtime.during_call = throttle_the_second
    send = partial(
        gateway.post,
        {"inputs": ["a", "b"]},
        query={"model_id": TITAN_EMBED},
        type="embeddings",
        **{"Idempotency-Key": "k1"},
    )
    assert send()["statusCode"] == 429
    gateway.runtime.error = None
    again = send()

    assert (again["statusCode"], body_of(again)["code"]) == (409, "idempotency_unknown")
    assert len(gateway.runtime.requests) == 2


def test_an_answer_that_cannot_be_read_is_charged_and_named_by_its_call() -> None:
    gateway = gateway_of(models=("amazon.titan-*",))
    gateway.runtime.reply = ModelReply({"vector": []}, TokenUsage(input=5))

    query = {"model_id": TITAN_EMBED}
    response = gateway.post({"inputs": "a"}, query=query, type="embeddings")

    assert (response["statusCode"], body_of(response)["code"]) == (502, "upstream_unreadable")
    assert body_of(response)["request_id"] == gateway.row.request_id
    assert gateway.row.status == "ok"


# --- Profiles and jobs ------------------------------------------------------------------------

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


@pytest.mark.parametrize(
    "headers", [{"inference_profile_id": "search"}, {"tags": '{"Stage": "live"}'}]
)
def test_a_call_through_a_profile_gets_the_output_of_converse(headers: dict[str, str]) -> None:
    own = app(inference_profiles={"search": SEARCH})
    gateway = gateway_of(apps={"web": own})

    response = gateway.send("/invoke", HELLO, region="x", s3_bucket_name="y", **headers)

    assert response["statusCode"] == 200
    assert body_of(response) == {"message": {"role": "assistant", "content": [{"text": "hello"}]}}
    assert gateway.row.inference_profile_arn == PROFILE
    assert gateway.row.dialect == "profiles.chat"
    assert gateway.row.tags["Stage"] == "live"
    assert response["headers"]["x-tollgate-cost-usd"] == "0.00007"


def test_a_profile_that_is_not_the_apps_calls_nothing() -> None:
    gateway = gateway_of()

    response = gateway.send("/invoke", HELLO, inference_profile_id=PROFILE)

    assert (response["statusCode"], body_of(response)["code"]) == (403, "profile_not_allowed")
    assert gateway.runtime.requests == []
    assert gateway.usage.rows == {}


def test_a_job_is_started_by_a_converse_request_with_its_model() -> None:
    gateway = Gateway()
    use = {"toolUse": {"toolUseId": "t", "name": "look", "input": {}}}
    gateway.runtime.content = [{"text": "hello"}, use]
    body = {
        "model": NOVA_LITE,
        "messages": HELLO,
        "system": "Be brief.",
        "inferenceConfig": {"maxTokens": 50},
        "toolConfig": {"tools": [{"toolSpec": {"name": "look"}}]},
    }

    started = gateway.send("/v1/jobs", body)

    job_id = body_of(started)["id"]
    assert (started["statusCode"], body_of(started)) == (202, {"id": job_id, "status": "queued"})
    gateway.runner.run("acme", job_id)
    ended = body_of(gateway.job(job_id))
    assert (ended["status"], ended["content"]) == ("succeeded", [{"text": "hello"}, use])
    assert "has_content" not in ended
    polled = gateway.post("{}", query={"requestId": job_id})
    assert body_of(polled)[0]["generated_text"] == [{"text": "hello"}, use]
    assert gateway.row.dialect == "jobs.chat"
    assert gateway.runtime.requests[0].body["system"] == [{"text": "Be brief."}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": HELLO}, "model is null; allowed is a string"),
        ({"messages": HELLO, "model": ""}, "model is empty"),
        ({"model": NOVA_LITE}, "messages is null"),
        ({"model": NOVA_LITE, "messages": HELLO, "stream": True}, "unknown key 'stream'"),
        ([], "the body is an array"),
    ],
)
def test_a_job_that_cannot_be_read_is_refused(body: object, message: str) -> None:
    response = Gateway().send("/v1/jobs", body)

    assert response["statusCode"] == 400
    assert message in body_of(response)["message"]


def test_a_job_under_an_idempotency_key_is_started_once() -> None:
    gateway = Gateway()
    body = {"model": NOVA_LITE, "messages": HELLO}

    first = gateway.send("/v1/jobs", body, Idempotency_Key="k1")
    second = gateway.send("/v1/jobs", body, Idempotency_Key="k1")

    assert body_of(first) == body_of(second)
    assert second["statusCode"] == 202
    assert len(gateway.queue.sent) == 1
