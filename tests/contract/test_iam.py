"""What each function may do is what its code does: no more, no less.

The local stack runs every path of every function while each AWS call is recorded with the table,
bucket or queue it goes to; the record must equal the statements in terraform/functions.tf.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import uuid4

import pytest
import requests
from botocore.client import BaseClient

from scripts.local import deployment
from scripts.local.lambda_runtime import Functions
from scripts.local.stack import LocalStack
from tests.contract import hcl
from tests.fakes.environments import with_silo_and_guardrails
from tests.fakes.stored import change_policy
from tests.fakes.usage_rows import usage_row
from tests.waiting import PATIENCE_SECONDS, until
from tollgate.adapters.jobs import SqsJobQueue
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# A run of every path serves all tests, so one worker.
pytestmark = pytest.mark.xdist_group("iam")

# Operations whose IAM action has another name.
ACTIONS = {
    "bedrock-runtime:Converse": "bedrock:InvokeModel",
    "bedrock-runtime:ConverseStream": "bedrock:InvokeModelWithResponseStream",
    "bedrock-runtime:CountTokens": "bedrock:CountTokens",
    "bedrock-runtime:InvokeModel": "bedrock:InvokeModel",
    "bedrock-runtime:InvokeModelWithResponseStream": "bedrock:InvokeModelWithResponseStream",
    "sagemaker-runtime:InvokeEndpoint": "sagemaker:InvokeEndpoint",
    "sagemaker-runtime:InvokeEndpointWithResponseStream": (
        "sagemaker:InvokeEndpointWithResponseStream"
    ),
    "s3:ListObjectsV2": "s3:ListBucket",
}
# What the Lambda service does with the function's role, not its code.
EVENT_SOURCE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}

MODEL = "amazon.nova-lite-v1:0"
# Bedrock counts tokens for some models only.
COUNTED = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

# A call that has its hold waits for the test; one that streams has then sent half of its answer.
GATE = "under-way"
WAITS = f"[stub:gate={GATE}]"
STOPS_HALF_WAY = f"[stub:tokens=200] [stub:gate={GATE}@mid-stream]"

# Whose credentials a call was made with, where they were not the function's.
SESSION, SILO = "session", "silo"

Grants = dict[str, set[tuple[str, str]]]


def granted(*, invocation_logs: bool, pool_sessions: bool) -> Grants:
    """(action, resource name) pairs by function, as Terraform grants them; so by `session`."""
    found: Grants = defaultdict(set)
    functions = hcl.functions(invocation_logs=invocation_logs, pool_sessions=pool_sessions)
    statements = {name: function["statements"] for name, function in functions.items()}
    statements[SESSION] = hcl.session_statements() if pool_sessions else []
    for name, allowed in statements.items():
        for statement in allowed:
            # What AWS itself does with the deployment's key is no call of the code.
            if statement.get("effect") == "Deny" or statement["sid"] == "UseKey":
                continue
            # A list that depends on variables stays a reference.
            given = statement["resources"]
            resources = [given] if isinstance(given, str) else given
            for action in set(statement["actions"]) - EVENT_SOURCE:
                found[name] |= {(action, r) for r in map(resource_name, resources)}
    return found


def resource_name(reference: str) -> str:
    """`${module.metering.usage_table_arn}` is the usage table."""
    for noun in ("table", "bucket", "queue"):
        if f"_{noun}_arn" in reference:
            # What a local of ours names begins with an underscore; names in AWS have dashes.
            name = reference.partition(f"_{noun}_arn")[0].rpartition(".")[2]
            return name.removeprefix("_").replace("_", "-")
    if ":kms:" in reference or reference == "${local._tenant_keys}":
        return "tenant keys"
    if ":iam:" in reference:
        return "tenant roles"
    if ":guardrail/" in reference:
        return "guardrails"
    if reference == "${local._endpoint_arns}":
        return "endpoints"
    return "models" if ":bedrock:" in reference or "_app_profiles" in reference else reference


def called_resource(parameters: Mapping[str, Any]) -> str:
    """The same name from a call's parameters."""
    names = [parameters[key] for key in ("TableName", "Bucket", "QueueUrl") if key in parameters]
    for name in (*names, *parameters.get("RequestItems", ())):
        return str(name).rpartition("tollgate-local-")[2].partition("-0000")[0]
    if "modelId" in parameters:
        return "models"
    if "EndpointName" in parameters:
        return "endpoints"
    if "RoleArn" in parameters:
        return "tenant roles"
    return "tenant keys" if "EncryptionContext" in parameters else "*"


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "logs and pool sessions"])
def calls(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bool, Grants]]:
    """(action, resource name) pairs by whose credentials they were made with.

    Before them: whether Bedrock's invocation logs and pool sessions were on.
    """
    environment = with_silo_and_guardrails(tmp_path_factory.mktemp("environments"))
    # By access key id.
    sessions: dict[str, str] = {}
    # Objects under a tenant's own key.
    sealed: set[str] = set()
    made: Grants = defaultdict(set)
    current: ContextVar[str | None] = ContextVar("function", default=None)

    def running() -> str | None:
        # A function whose answers are streamed runs in a thread with its name.
        thread, _, kind = threading.current_thread().name.rpartition(" ")
        return thread if kind == "environment" else current.get()

    pool_session = deployment.described().environment["POOL_SESSION_ROLE_ARN"]
    make_call = BaseClient._make_api_call  # noqa: SLF001 - where every SDK call passes
    invoke = Functions.invoke

    def record(client: BaseClient, operation: str, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401
        function = running()
        if function is not None:
            service = client.meta.service_model.service_name
            name = f"{service}:{operation}"
            credentials = client._request_signer._credentials  # noqa: SLF001 - who signs
            caller = sessions.get(credentials.access_key, function)
            made[caller].add((ACTIONS.get(name, name), called_resource(parameters)))
            # S3 asks KMS in the caller's name.
            if parameters.keys() & {"guardrailConfig", "guardrailIdentifier"}:
                made[caller].add(("bedrock:ApplyGuardrail", "guardrails"))
            if "SSEKMSKeyId" in parameters:
                sealed.add(parameters["Key"])
                made[caller].add(("kms:GenerateDataKey", "tenant keys"))
            elif operation == "GetObject" and parameters["Key"] in sealed:
                made[caller].add(("kms:Decrypt", "tenant keys"))
            if "Tags" in parameters:
                made[caller].add(("sts:TagSession", "tenant roles"))
        answer = make_call(client, operation, parameters)
        if operation == "AssumeRole":
            kind = SESSION if parameters["RoleArn"] == pool_session else SILO
            sessions[answer["Credentials"]["AccessKeyId"]] = kind
        return answer

    def name_function(functions: Functions, name: str, event: Mapping[str, object]) -> Any:  # noqa: ANN401
        token = current.set(name)
        try:
            return invoke(functions, name, event)
        finally:
            current.reset(token)

    with (
        patch.object(BaseClient, "_make_api_call", record),
        patch.object(Functions, "invoke", name_function),
        LocalStack(
            environment, invocation_logs=request.param, pool_sessions=request.param
        ) as stack,
    ):
        exercise(stack)
        yield request.param, made


def exercise(stack: LocalStack) -> None:
    """Every path of every function that calls AWS."""
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
    assert app.chat("hello", model="bge-large").status_code == 200
    app.wait_for(app.start("hello", model="bge-large"))
    guarded = Caller(stack, "guarded", "websearch")
    assert guarded.chat("hello").status_code == 200
    assert guarded.complete("hello").status_code == 200
    guarded.wait_for(guarded.start("hello"))
    silo = Caller(stack, "silo", "websearch")
    # The first call of a tenant makes its account.
    assert silo.complete("hello").status_code == 200
    assert silo.chat("hello").status_code == 200
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
    key = {"Idempotency-Key": uuid4().hex}
    assert app.complete("[stub:error=ThrottlingException]", **key).status_code == 429
    counted = {"model": COUNTED, "messages": [{"role": "user", "content": "hello"}]}
    assert app.post("/v1/messages/count_tokens", counted).status_code == 200
    native = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
    for operation in ("invoke", "invoke-with-response-stream"):
        assert app.post(f"/model/{MODEL}/{operation}", native).status_code == 200
    count_exactly(stack, "customer1")
    Caller(stack, "customer1", "codingbot").complete("hello")


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
            QueueUrl=stack.deployment.queue_url, MessageBody="odd", MessageGroupId="odd"
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

    def complete(self, prompt: str, *, stream: bool = False, **headers: str) -> requests.Response:
        message = {"role": "user", "content": prompt}
        body = {"model": MODEL, "messages": [message], "max_tokens": 300, "stream": stream}
        return self.post("/v1/chat/completions", body, **headers)

    def chat(self, prompt: object, *, model: str = MODEL, **headers: str) -> requests.Response:
        return requests.post(
            f"{self._url}/invoke_model?model_id={model}",
            json={"inputs": prompt, "parameters": {"maxTokens": 300}},
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


@pytest.mark.stack
@pytest.mark.parametrize("caller", [*sorted(hcl.functions()), SESSION])
def test_a_role_may_do_what_its_code_does(calls: tuple[bool, Grants], caller: str) -> None:
    everything, made = calls
    assert made[caller] == granted(invocation_logs=everything, pool_sessions=everything)[caller]


@pytest.mark.stack
def test_a_silos_role_calls_models_and_nothing_else(calls: tuple[bool, Grants]) -> None:
    _, made = calls
    assert made[SILO] == {
        ("bedrock:ApplyGuardrail", "guardrails"),
        ("bedrock:InvokeModel", "models"),
        ("bedrock:InvokeModelWithResponseStream", "models"),
    }


def test_what_tenants_bring_is_told_by_its_alias_or_tag() -> None:
    """Keys and profiles of a tenant are not named in roles, so that none changes with a tenant."""
    alias = {"ForAnyValue:StringLike": {"kms:ResourceAliases": ["alias/${var.prefix}/tenants/*"]}}
    tag = {"StringEquals": {"aws:ResourceTag/tollgate-unit": ["${var.prefix}"]}}
    found = set()
    for name, function in hcl.functions().items():
        for statement in function["statements"]:
            for resource in statement["resources"]:
                for kind, condition in (
                    (":key/*", alias),
                    (":application-inference-profile/*", tag),
                ):
                    if resource.endswith(kind):
                        found.add((name, kind))
                        assert statement["conditions"] == condition
    callers = {"converse", "invoke", "stream"}
    assert {name for name, _ in found} == callers
    assert len(found) == len(callers) * 2


def test_every_function_is_denied_the_unmetered_endpoint() -> None:
    for name, function in hcl.functions().items():
        denied = [s for s in function["statements"] if s.get("effect") == "Deny"]
        calls_models = any("bedrock" in str(s["actions"]) for s in function["statements"])
        assert bool(denied) == calls_models, name
