"""Every path of every function that calls AWS, taken on a local stack."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import uuid4

import requests

from tests.fakes.environments import allow_models, with_silo_and_guardrails
from tests.fakes.stored import change_policy
from tests.fakes.usage_rows import usage_row
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.adapters.jobs import SqsJobQueue
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scripts.local.stack import LocalStack

MODEL = "amazon.nova-lite-v1:0"
# Bedrock counts tokens for some models only.
COUNTED = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

TO_COUNT = {"model": COUNTED, "messages": [{"role": "user", "content": "hello"}]}
ACROSS_REGIONS = "us.amazon.nova-lite-v1:0"
ACROSS_THE_WORLD = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
OWN_MODEL = "arn:aws:bedrock:us-east-1:000000000000:provisioned-model/abcdef012345"
ENDPOINT, COMPONENT = "mistral-7b-instruct", "adapter-1"
ENDPOINTS = ("bge-large", ENDPOINT, "Llama 70B")

# A call that has its hold waits for the test; one that streams has then sent half of its answer.
GATE = "under-way"
WAITS = f"[stub:gate={GATE}]"
STOPS_HALF_WAY = f"[stub:tokens=200] [stub:gate={GATE}@mid-stream]"


def environment(folder: Path) -> Path:
    """The local environment, with whatever makes functions call more of AWS."""
    made = with_silo_and_guardrails(folder)
    theirs = made / "tenants" / "customer2.tfvars"
    allow_models(theirs, ENDPOINT, "Llama*", ACROSS_THE_WORLD)
    silo = made / "tenants" / "silo.tfvars"
    models = f'"amazon.nova-*", "{ACROSS_REGIONS}", "{COUNTED}"'
    silo.write_text(silo.read_text("utf-8").replace('"amazon.nova-*"', models), "utf-8")
    text = theirs.read_text("utf-8")
    theirs.write_text(f'{text}\nmodel_arns = {{ "{OWN_MODEL}" = "{MODEL}" }}\n', "utf-8")
    return made


def exercise(stack: LocalStack) -> None:
    """Take them all, on a stack of that environment."""
    app = Caller(stack, "customer2", "codingbot")
    app.get("/list_foundation_models")
    app.get("/v1/usage")
    app.chat("hello")
    count_exactly(stack, "customer1")
    conversation = [{"role": "user", "content": [{"text": "hello"}]}]
    Caller(stack, "customer1", "codingbot").chat(conversation, messages_api="true")
    race_a_sweep(stack, lambda: app.chat(WAITS))
    job = app.chat("hello", streaming="true").json()[0]["request_id"]
    app.wait_for(job)
    app.get(f"/v1/jobs/{job}?wait=0")
    race_a_sweep(stack, lambda: app.wait_for(app.start(STOPS_HALF_WAY)))
    # Calls that nobody knows the end of.
    app.chat("[stub:cut=mid-stream]")
    app.wait_for(app.start("[stub:cut=mid-stream]"))
    stack.sweep()
    sweep_under_way(stack, lambda: app.chat(WAITS))
    sweep_under_way(stack, lambda: app.wait_for(app.start(WAITS)))
    lose_a_job(stack, job)
    app.poll(job)
    lose_a_job(stack, job)
    app.get(f"/v1/jobs/{job}?wait=0")
    repeat_requests(app)
    withdraw_a_job(app)
    fail_a_message(stack)
    speak_dialects(stack, app)
    call_every_kind_of_model(stack, app)
    guarded = Caller(stack, "guarded", "websearch")
    assert guarded.chat("hello").status_code == 200
    assert guarded.complete("hello").status_code == 200
    guarded.wait_for(guarded.start("hello"))
    silo = Caller(stack, "silo", "websearch")
    # The first call of a tenant makes its account.
    assert silo.complete("hello").status_code == 200
    assert silo.chat("hello").status_code == 200
    assert silo.chat("hello", model=ACROSS_REGIONS).status_code == 200
    assert silo.post("/v1/messages/count_tokens", TO_COUNT).status_code == 200
    silo.wait_for(silo.start("hello"))
    keep_a_row_for_too_long(stack)
    stack.aggregate()


def speak_dialects(stack: LocalStack, app: Caller) -> None:
    """The function `converse`: at once and streamed, repeated, counted, with an end unknown."""
    assert app.complete("hello").status_code == 200
    race_a_sweep(stack, lambda: app.complete(STOPS_HALF_WAY, stream=True))
    for prompt in ("[stub:cut=mid-stream]", "[stub:cut=before-metadata]"):
        app.complete(prompt, stream=prompt.endswith("metadata]"))
        stack.sweep()
    for stream in (False, True):
        key = {"Idempotency-Key": uuid4().hex}
        first = app.complete("hello", stream=stream, **key)
        again = app.complete("hello", stream=stream, **key)
        assert (again.content, again.headers["x-tollgate-replayed"]) == (first.content, "true")
    # A tenant without a key of its own keeps answers under the deployment's.
    kept = {"Idempotency-Key": uuid4().hex}
    without = Caller(stack, "guarded", "websearch")
    assert without.complete("hello", **kept).status_code == 200
    key = {"Idempotency-Key": uuid4().hex}
    assert app.complete("[stub:error=ThrottlingException]", **key).status_code == 429
    assert app.post("/v1/messages/count_tokens", TO_COUNT).status_code == 200
    native = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
    for operation in ("invoke", "invoke-with-response-stream"):
        assert app.post(f"/model/{MODEL}/{operation}", native).status_code == 200
    count_exactly(stack, "customer1")
    Caller(stack, "customer1", "codingbot").complete("hello")


def call_every_kind_of_model(stack: LocalStack, app: Caller) -> None:
    """By each function: over profiles of several regions and all, an app's own, a tenant's own."""
    for model in (ACROSS_REGIONS, ACROSS_THE_WORLD, OWN_MODEL):
        answer = app.chat("hello", model=model)
        assert answer.status_code == 200, answer.text
        app.wait_for(app.start("hello", model=model))
        for stream in (False, True):
            assert app.complete("hello", model=model, stream=stream).status_code == 200
    # Of this model the app has a profile, whose calls are billed under its tags.
    profiled = Caller(stack, "customer2", "websearch")
    for stream in (False, True):
        assert profiled.complete("hello", stream=stream).status_code == 200
    assert profiled.chat("hello").status_code == 200
    profiled.wait_for(profiled.start("hello"))
    for endpoint in ENDPOINTS:
        answer = profiled.chat("hello", model=endpoint)
        assert answer.status_code == 200, answer.text
        profiled.wait_for(profiled.start("hello", model=endpoint))
    for streaming in ("false", "true"):
        answer = profiled.chat("hello", model=ENDPOINT, component=COMPONENT, streaming=streaming)
        assert answer.status_code == 200
        if streaming == "true":
            profiled.wait_for(answer.json()[0]["request_id"])


def repeat_requests(app: Caller) -> None:
    """An answer that is given again, and a key that is free again because nothing was charged."""
    key = {"Idempotency-Key": uuid4().hex}
    assert app.chat("hello", **key).status_code == 200
    assert app.chat("hello", **key).headers["x-tollgate-replayed"] == "true"
    key = {"Idempotency-Key": uuid4().hex}
    assert app.chat("[stub:error=ThrottlingException]", **key).status_code == 429


def withdraw_a_job(app: Caller) -> None:
    """A job whose message cannot be sent."""
    down = UnavailableError("queue down", details={"dependency": "job queue"})
    with patch.object(SqsJobQueue, "send", side_effect=down):
        assert app.chat("hello", streaming="true").status_code == 503


def fail_a_message(stack: LocalStack) -> None:
    """A message that is no job, which its producer delays."""
    delayed = threading.Event()
    retry = SqsJobQueue.retry

    def note(queue: SqsJobQueue, receipt: str, seconds: int) -> None:
        retry(queue, receipt, seconds)
        delayed.set()

    with patch.object(SqsJobQueue, "retry", note):
        stack.client("sqs").send_message(
            QueueUrl=stack.deployment.environment["JOBS_QUEUE_URL"],
            MessageBody="odd",
            MessageGroupId="odd",
        )
        until(delayed.is_set, "a message that its producer has delayed")


class Caller:
    """A tenant's app."""

    def __init__(self, stack: LocalStack, tenant: str, app: str) -> None:
        self._url = stack.url
        self._key = stack.keys[f"{tenant}/{app}/primary"]
        self._tenant = tenant

    def get(self, path: str) -> requests.Response:
        headers = {"x-api-key": self._key, "Authorization": f"Bearer {self._key}"}
        return requests.get(f"{self._url}{path}", headers=headers, timeout=PATIENCE_SECONDS)

    def post(self, path: str, body: object, **headers: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._key}", **headers}
        return requests.post(
            f"{self._url}{path}", json=body, headers=headers, timeout=PATIENCE_SECONDS
        )

    def complete(
        self, prompt: str, *, model: str = MODEL, stream: bool = False, **headers: str
    ) -> requests.Response:
        message = {"role": "user", "content": prompt}
        body = {"model": model, "messages": [message], "max_tokens": 300, "stream": stream}
        return self.post("/v1/chat/completions", body, **headers)

    def chat(
        self, prompt: object, *, model: str = MODEL, component: str | None = None, **headers: str
    ) -> requests.Response:
        named = {} if component is None else {"InferenceComponentName": component}
        size = "max_new_tokens" if model in ENDPOINTS else "maxTokens"
        parameters = {size: 300, **named}
        return requests.post(
            f"{self._url}/invoke_model?model_id={model}",
            json={"inputs": prompt, "parameters": parameters},
            headers={"x-api-key": self._key, "team_id": self._tenant, **headers},
            timeout=PATIENCE_SECONDS,
        )

    def start(self, prompt: str, *, model: str = MODEL) -> str:
        job: str = self.chat(prompt, model=model, streaming="true").json()[0]["request_id"]
        return job

    def poll(self, job: str) -> requests.Response:
        return requests.post(
            f"{self._url}/invoke_model?requestId={job}",
            headers={"x-api-key": self._key, "team_id": self._tenant},
            timeout=PATIENCE_SECONDS,
        )

    def wait_for(self, job: str) -> None:
        def ended() -> bool:
            answer = self.poll(job)
            return answer.status_code != 200 or "generated_text" in answer.json()[0]

        until(ended, "the end of the job")


def holds(stack: LocalStack) -> dict[str, set[str]]:
    """Request ids of open holds by account."""
    items = stack.client("dynamodb").scan(TableName="tollgate-local-accounts")["Items"]
    return {item["account_id"]["S"]: set(item["holds"]["M"]) for item in items}


def open_requests(stack: LocalStack) -> set[str]:
    return set().union(*holds(stack).values())


def count_exactly(stack: LocalStack, tenant: str) -> None:
    """Gives a tenant, before its first call, exact counts and a minute that no call fits."""

    def change(policy: Any) -> None:  # noqa: ANN401 - JSON
        policy["max_tokens"]["count"] = "exact"
        policy["limits"]["tokens_per_minute"] = 1

    change_policy(stack.client("dynamodb"), tenant, change)


def race_a_sweep(stack: LocalStack, call: Callable[[], object]) -> None:
    """Lets a sweep's row stand before the call's own settlement comes."""
    usage = DynamoUsage(stack.client("dynamodb"), "tollgate-local-usage")
    with under_way(stack, call) as new:
        for request_id in new:
            usage.put(usage_row(request_id=request_id, status="orphaned", usage_source="hold"))


def sweep_under_way(stack: LocalStack, call: Callable[[], object]) -> None:
    """Lets a sweep find the hold of a call as if its caller had died."""
    with under_way(stack, call):
        age_everything(stack)
        stack.sweep()


@contextmanager
def under_way(stack: LocalStack, call: Callable[[], object]) -> Iterator[set[str]]:
    """Runs the block while a call stands before its model; gives the request ids of its holds."""
    before = open_requests(stack)
    with stack.stub.gate(GATE) as gate:
        running = threading.Thread(target=call)
        running.start()
        # A job's hold is not enough: its producer extends it shortly after.
        until(lambda: gate.waiting, "the call before its model")
        yield open_requests(stack) - before
    running.join()


def age_everything(stack: LocalStack) -> None:
    """Makes every hold and job look as old as after a crash."""
    database = stack.client("dynamodb")
    for account_id, requests_ in holds(stack).items():
        for request_id in requests_:
            database.update_item(
                TableName="tollgate-local-accounts",
                Key={"account_id": {"S": account_id}},
                UpdateExpression="SET holds.#rid.e = :past",
                ExpressionAttributeNames={"#rid": request_id},
                ExpressionAttributeValues={":past": {"N": "1"}},
            )


def keep_a_row_for_too_long(stack: LocalStack) -> None:
    """A row of the first hours in which `aggregate` looks for some to delete."""
    long_ago = datetime.now(UTC) - timedelta(days=40, hours=-2)
    row = usage_row(started_at=long_ago)
    DynamoUsage(stack.client("dynamodb"), "tollgate-local-usage").put(row)


def lose_a_job(stack: LocalStack, job: str) -> None:
    """Makes a finished job look as if its producer had died."""
    stack.client("dynamodb").update_item(
        TableName="tollgate-local-streams",
        Key={"pk": {"S": f"JOB#customer2#{job}"}, "sk": {"S": "JOB"}},
        UpdateExpression="SET #status = :running, deadline = :past",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":running": {"S": "running"}, ":past": {"N": "1"}},
    )
