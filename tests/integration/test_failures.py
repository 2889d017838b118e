"""The failure policy in functions/shared/README.md, line by line, against the local stack.

Faults are injected where the SDK sends a request, so that its own timeouts, retries and error
parsing take part. What the table says of the answer, of the ledger and of the money is what is
compared; a line without a test fails, and so does a test without a line.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import uuid4

import botocore.endpoint
import pytest
import requests
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

import tollgate_authorize.handler
import tollgate_invoke.handler
import tollgate_stream.handler
from scripts.local.lambda_runtime import TIMEOUT_SECONDS, FunctionError
from scripts.local.stack import LocalStack
from tests.fakes.environments import with_silo
from tests.waiting import PATIENCE_SECONDS, until_job_ends
from tollgate.adapters import aws
from tollgate.adapters.aws import from_values
from tollgate.domain.models import resolve_model
from tollgate.domain.prices import TokenUsage, cost, load_default
from tollgate.domain.usage import UsageRow, from_item
from tollgate.entry.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest

README = Path(__file__).parents[2] / "functions" / "shared" / "README.md"
MODEL = "amazon.nova-lite-v1:0"
TENANT_WITH_KEY = "customer2"
HANDLERS = (tollgate_authorize.handler, tollgate_invoke.handler, tollgate_stream.handler)
API_GATEWAY_SECONDS = 29
MOMENT_SECONDS = 20


# --- Faults -----------------------------------------------------------------------------------


@dataclass
class Fault:
    """Requests to a service that hold all of `words` fail as `how` says, the first `times`."""

    service: str
    words: tuple[str, ...]
    how: Callable[[AWSPreparedRequest, Callable[[], AWSResponse]], AWSResponse]
    times: int | None = None
    hits: int = field(default=0, init=False)

    def strikes(self, service: str, text: str) -> bool:
        if service != self.service or not all(word in text for word in self.words):
            return False
        self.hits += 1
        return self.times is None or self.hits <= self.times


def refused(code: str, status: int = 400) -> Any:
    """An error answer of the service."""

    def how(request: AWSPreparedRequest, _: Callable[[], AWSResponse]) -> AWSResponse:
        document = json.dumps({"__type": code, "message": "injected"}).encode()
        if "X-Amz-Target" not in request.headers:  # S3 and STS speak XML
            error = f"<Error><Code>{code}</Code><Message>injected</Message></Error>"
            if "Action=" in str(request.body):
                error = f"<ErrorResponse>{error}</ErrorResponse>"
            document = error.encode()
        raw = SimpleNamespace(stream=lambda: iter([document]), read=lambda: document)
        return AWSResponse(request.url, status, {}, raw)

    return how


def unreachable(request: AWSPreparedRequest, _: Callable[[], AWSResponse]) -> AWSResponse:
    """Nobody listens."""
    raise EndpointConnectionError(endpoint_url=request.url)


def silent(request: AWSPreparedRequest, _: Callable[[], AWSResponse]) -> AWSResponse:
    """The request never arrives, and no answer comes before the read timeout."""
    raise ReadTimeoutError(endpoint_url=request.url)


def answer_lost(request: AWSPreparedRequest, send: Callable[[], AWSResponse]) -> AWSResponse:
    """The request takes effect, but its answer comes after the read timeout."""
    send()
    raise ReadTimeoutError(endpoint_url=request.url)


def answer_cut(request: AWSPreparedRequest, send: Callable[[], AWSResponse]) -> AWSResponse:
    """The request takes effect, and the connection breaks before the answer."""
    send()
    raise ConnectionClosedError(endpoint_url=request.url)


@contextmanager
def faults(*injected: Fault, unmet: bool = False) -> Iterator[None]:
    """The SDK's requests meet these faults; pauses between its tries are not waited for.

    `unmet` says that no request is to meet them, because none is made.
    """
    send = botocore.endpoint.Endpoint._send  # noqa: SLF001 - the last step before the network

    def meet(endpoint: Any, request: AWSPreparedRequest) -> AWSResponse:
        text = description(request)
        for fault in injected:
            if fault.strikes(endpoint._endpoint_prefix, text):  # noqa: SLF001
                return fault.how(request, lambda: send(endpoint, request))
        return send(endpoint, request)

    with (
        patch.object(botocore.endpoint.Endpoint, "_send", meet),
        patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None)),
    ):
        yield
    for fault in injected:
        assert bool(fault.hits) != unmet, f"{fault.hits} requests met {fault.words}"


def description(request: AWSPreparedRequest) -> str:
    """What a fault's words are looked for in: operation or method, URL and body."""
    target = request.headers.get("X-Amz-Target", b"")
    operation = target.decode() if isinstance(target, bytes) else target
    body = request.body if isinstance(request.body, bytes | str) else ""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    return f"{operation} {request.method} {request.url} {text}"


def in_table(table: str, how: Any, *words: str, times: int | None = None) -> Fault:
    return Fault("dynamodb", (f"tollgate-local-{table}", *words), how, times)


def at_bucket(bucket: str, how: Any, *words: str, times: int | None = None) -> Fault:
    return Fault("s3", (f"tollgate-local-{bucket}", *words), how, times)


# --- What the gateway does --------------------------------------------------------------------


@dataclass
class Scene:
    """The gateway with one caller, whose books are read before and after."""

    stack: LocalStack
    database: Any
    known_rows: frozenset[str] = frozenset()
    tenant: str = "customer1"

    @property
    def key(self) -> str:
        return self.stack.keys[f"{self.tenant}/websearch/primary"]

    def chat(self, prompt: str = "hello [stub:tokens=9]", **headers: str) -> str:
        """The answer as the table writes it: status, and the code of an error."""
        return said(self.post(prompt, **headers))

    def post(self, prompt: str, **headers: str) -> requests.Response:
        return requests.post(
            f"{self.stack.url}/invoke_model?model_id={MODEL}",
            json={
                "inputs": [{"role": "user", "content": [{"text": prompt}]}],
                "parameters": {"maxTokens": 40},
            },
            headers={
                "x-api-key": self.key,
                "team_id": self.tenant,
                "messages_api": "true",
                **headers,
            },
            timeout=PATIENCE_SECONDS,
        )

    def start(self, prompt: str = "hello [stub:tokens=9]") -> str:
        return str(self.post(prompt, streaming="true").json()[0]["request_id"])

    def job(self, job_id: str) -> str:
        """How a job ended, as the table writes it."""
        view = until_job_ends(lambda: self.poll(job_id))
        return "200" if view["status"] == "succeeded" else f"job failed `{view['error']['code']}`"

    def poll(self, job_id: str) -> requests.Response:
        return requests.get(
            f"{self.stack.url}/v1/jobs/{job_id}?wait=2",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=PATIENCE_SECONDS,
        )

    def begin(self) -> None:
        """Forgets what was before."""
        self.known_rows = frozenset()
        self.known_rows = frozenset(row.request_id for row in self.rows())
        self.stack.stub.log.clear()

    def enter_a_minute(self) -> None:
        """Lets the account be in a minute that lasts, so that its next write takes effect."""
        left = 60 - time.time() % 60
        if left < MOMENT_SECONDS:
            time.sleep(left)
        assert self.chat() == "200"
        self.begin()

    def rows(self) -> list[UsageRow]:
        """The rows that are new since the scene began."""
        found = [item for item in self._items("usage") if "request_id" in item]
        return [from_item(item) for item in found if item["request_id"] not in self.known_rows]

    def holds(self) -> dict[str, tuple[str, int]]:
        """Account and picodollars of each open hold by request."""
        return {
            request_id: (item["account_id"], hold["u"])
            for item in self._items("accounts")
            for request_id, hold in item["holds"].items()
        }

    def _items(self, table: str) -> list[dict[str, Any]]:
        name = f"tollgate-local-{table}"
        pages = self.database.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
        return [from_values(item) for page in pages for item in page["Items"]]

    def expire_holds(self) -> None:
        """Ends the lease of every open hold now."""
        past = str(int(time.time()) - 1)
        for request_id, (account_id, _) in self.holds().items():
            self.database.update_item(
                TableName="tollgate-local-accounts",
                Key={"account_id": {"S": account_id}},
                UpdateExpression="SET holds.#rid.e = :past",
                ExpressionAttributeNames={"#rid": request_id},
                ExpressionAttributeValues={":past": {"N": past}},
            )

    def billed(self) -> int:
        """What the provider bills for the calls since the scene began, in picodollars."""
        rates = load_default().rates(resolve_model(MODEL), region="us-east-1", at=utc_now())
        assert rates is not None
        bills = (call["usage"] for call in self.stack.calls())
        return sum(
            cost(rates, TokenUsage(usage["inputTokens"], usage["outputTokens"])).total
            for usage in bills
        )

    def ledger(self) -> str:
        """What the ledger says of the calls, as the table writes it."""
        states = []
        for row in self.rows():
            if row.total_cost == 0:
                states.append("row at 0")
            else:
                source = {"provider": "cost", "estimated": "estimate"}.get(row.usage_source, "hold")
                states.append(f"row at the {source}")
        if self.holds():
            states.append("hold")
        return ", ".join(dict.fromkeys(states)) or "nothing"


def said(response: requests.Response) -> str:
    if response.status_code == requests.codes.ok:
        return "200"
    code = response.json().get("code")
    return f"{response.status_code} `{code}`" if code else str(response.status_code)


CASES: dict[tuple[str, str], Callable[[Scene], str]] = {}
LOGGED: set[tuple[str, str]] = set()
POOLED: set[tuple[str, str]] = set()


def case(
    dependency: str, fault: str, *, logs: bool = False, pool: bool = False
) -> Callable[[Callable[[Scene], str]], None]:
    """Registers the test of a line of the table; it returns the caller's answer.

    `logs` says whether Bedrock's invocation logs are on, `pool` whether there are pool sessions.
    """

    def register(run: Callable[[Scene], str]) -> None:
        assert (dependency, fault) not in CASES
        CASES[dependency, fault] = run
        if logs:
            LOGGED.add((dependency, fault))
        if pool:
            POOLED.add((dependency, fault))

    return register


# --- Tenants, accounts, usage -----------------------------------------------------------------


@case("tenants table", "down, key not cached")
def _(scene: Scene) -> str:
    with faults(in_table("tenants", unreachable, "KEY#")):
        return scene.chat()


@case("tenants table", "down, policy not cached")
def _(scene: Scene) -> str:
    with faults(in_table("tenants", unreachable, "TENANT#")):
        return scene.chat()


@case("tenants table", "slow, policy not cached")
def _(scene: Scene) -> str:
    with faults(in_table("tenants", silent, "TENANT#")):
        return scene.chat()


@case("tenants table", "down, policy cached")
def _(scene: Scene) -> str:
    assert scene.chat() == "200"
    with faults(in_table("tenants", unreachable, "TENANT#"), unmet=True):
        return scene.chat()


@case("accounts table", "down")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", unreachable)):
        return scene.chat()


@case("accounts table", "throttled")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", refused("ProvisionedThroughputExceededException"))):
        return scene.chat()


@case("accounts table", "slow: one answer lost")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", answer_lost, "#holds.#rid = :hold", times=1)):
        return scene.chat()


@case("accounts table", "slow: all answers lost at admission")
def _(scene: Scene) -> str:
    scene.enter_a_minute()
    with faults(
        in_table("accounts", answer_lost, "#holds.#rid = :hold"),
        in_table("accounts", silent, "REMOVE #holds.#rid"),
    ):
        return scene.chat()


@case("accounts table", "down at settlement")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", refused("InternalServerError", 500), "REMOVE #holds.#rid")):
        return scene.chat()


@case("usage table", "down")
def _(scene: Scene) -> str:
    with faults(in_table("usage", refused("InternalServerError", 500))):
        return scene.chat()


@case("usage table", "slow: one answer lost")
def _(scene: Scene) -> str:
    with faults(in_table("usage", answer_lost, "PutItem", times=1)):
        return scene.chat()


# --- Bedrock ----------------------------------------------------------------------------------


@case("Bedrock", "throttled")
def _(scene: Scene) -> str:
    return scene.chat("[stub:error=ThrottlingException]")


@case("Bedrock", "fails")
def _(scene: Scene) -> str:
    return scene.chat("[stub:error=InternalServerException]")


@case("Bedrock", "down")
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), unreachable)):
        return scene.chat()


@case("Bedrock", "slow: no answer in time")
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_lost)):
        return scene.chat()


@case("Bedrock", "answer cut off")
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_cut)):
        return scene.chat()


@case("Bedrock", "stream cut off")
def _(scene: Scene) -> str:
    return scene.job(scene.start("[stub:tokens=20] [stub:cut=mid-stream]"))


@case("Bedrock", "answer cut off, invocation logs on", logs=True)
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_cut)):
        return scene.chat()


@case("Bedrock", "stream cut off, invocation logs on", logs=True)
def _(scene: Scene) -> str:
    return scene.job(scene.start("[stub:tokens=20] [stub:cut=mid-stream]"))


@case("usage table", "down, invocation logs on", logs=True)
def _(scene: Scene) -> str:
    with faults(in_table("usage", refused("InternalServerError", 500))):
        return scene.chat()


@case("invocation logs", "down, then back", logs=True)
def _(scene: Scene) -> str:
    with faults(Fault("bedrock-runtime", ("/converse",), answer_cut)):
        answer = scene.chat()
    scene.expire_holds()
    with (
        faults(at_bucket("invocation-logs", unreachable)),
        pytest.raises(FunctionError, match="cannot reach its invocation logs"),
    ):
        scene.stack.sweep()
    return answer


# --- Jobs and keys of requests ----------------------------------------------------------------


@case("streams table", "down at submission")
def _(scene: Scene) -> str:
    with faults(in_table("streams", unreachable)):
        return scene.chat(streaming="true")


@case("streams table", "down while the text arrives")
def _(scene: Scene) -> str:
    with faults(in_table("streams", unreachable, "PutItem", "CHUNK#")):
        return scene.job(scene.start())


@case("streams table", "down at a poll")
def _(scene: Scene) -> str:
    job_id = scene.start()
    assert scene.job(job_id) == "200"
    with faults(in_table("streams", unreachable)):
        return said(scene.poll(job_id))


@case("streams table", "down, request with an Idempotency-Key")
def _(scene: Scene) -> str:
    with faults(in_table("streams", unreachable)):
        return scene.chat(**{"Idempotency-Key": uuid4().hex})


@case("S3 payloads", "down at submission")
def _(scene: Scene) -> str:
    with faults(at_bucket("payloads", unreachable, "PUT")):
        return scene.chat(streaming="true")


@case("S3 payloads", "down at the producer, then back")
def _(scene: Scene) -> str:
    with faults(at_bucket("payloads", refused("InternalError", 500), "GET", times=3)):
        return scene.job(scene.start())


@case("S3 payloads", "down, request with an Idempotency-Key")
def _(scene: Scene) -> str:
    key = {"Idempotency-Key": uuid4().hex}
    with faults(at_bucket("payloads", unreachable, "PUT")):
        first = scene.chat(**key)
    return f"{first}, again: {scene.chat(**key)}"


@case("SQS", "down")
def _(scene: Scene) -> str:
    with faults(Fault("sqs", ("SendMessage",), unreachable)):
        return scene.chat(streaming="true")


@case("SQS", "slow: all answers lost")
def _(scene: Scene) -> str:
    with faults(Fault("sqs", ("SendMessage",), answer_lost)):
        return scene.chat(streaming="true")


# --- Keys, lake, roles ------------------------------------------------------------------------


@case("KMS", "key disabled: tables")
def _(scene: Scene) -> str:
    with faults(in_table("accounts", refused("AccessDeniedException"))):
        return scene.chat()


@case("KMS", "key disabled: payloads")
def _(scene: Scene) -> str:
    with faults(at_bucket("payloads", refused("KMS.DisabledException"), "PUT")):
        return scene.chat(streaming="true")


@case("KMS", "key disabled: queue")
def _(scene: Scene) -> str:
    with faults(Fault("sqs", ("SendMessage",), refused("KmsDisabled"))):
        return scene.chat(streaming="true")


@case("KMS", "tenant's key disabled at submission")
def _(scene: Scene) -> str:
    scene.tenant = TENANT_WITH_KEY
    with faults(at_bucket("payloads", refused("KMS.DisabledException"), "PUT")):
        return scene.chat(streaming="true")


@case("KMS", "tenant's key disabled, request with an Idempotency-Key")
def _(scene: Scene) -> str:
    scene.tenant = TENANT_WITH_KEY
    key = {"Idempotency-Key": uuid4().hex}
    with faults(at_bucket("payloads", refused("KMS.DisabledException"), "PUT")):
        first = scene.chat(**key)
    return f"{first}, again: {scene.chat(**key)}"


@case("KMS", "tenant's key disabled while the text arrives")
def _(scene: Scene) -> str:
    scene.tenant = TENANT_WITH_KEY
    with faults(Fault("kms", ("TrentService.Encrypt ",), refused("DisabledException"))):
        return scene.job(scene.start())


@case("KMS", "down at a poll of a tenant with a key of its own")
def _(scene: Scene) -> str:
    scene.tenant = TENANT_WITH_KEY
    job_id = scene.start()
    assert scene.job(job_id) == "200"
    with faults(Fault("kms", ("TrentService.Decrypt ",), unreachable)):
        return said(scene.poll(job_id))


@case("S3 lake", "down")
def _(scene: Scene) -> str:
    assert scene.chat() == "200"
    with faults(at_bucket("lake", unreachable)), pytest.raises(FunctionError):
        scene.stack.aggregate()
    # The rows and the watermark are where they were: the next run writes what this one did not.
    assert scene.stack.aggregate()["rows"] >= 1
    return "—"


@case("STS", "down, tenant with an account of its own")
def _(scene: Scene) -> str:
    scene.tenant = "silo"
    with faults(Fault("sts", ("AssumeRole",), unreachable)):
        return scene.chat()


@case("STS", "down at the producer, tenant with an account of its own")
def _(scene: Scene) -> str:
    scene.tenant = "silo"
    with faults(Fault("sts", ("AssumeRole",), unreachable)):
        return scene.job(scene.start())


@case("STS", "the tenant's account refuses its role")
def _(scene: Scene) -> str:
    scene.tenant = "silo"
    with faults(Fault("sts", ("AssumeRole", "silo"), refused("AccessDenied", 403))):
        return scene.chat()


@case("STS", "down, pool sessions", pool=True)
def _(scene: Scene) -> str:
    with faults(Fault("sts", ("AssumeRole",), unreachable)):
        return scene.chat()


@case("STS", "down at submission, pool sessions", pool=True)
def _(scene: Scene) -> str:
    with faults(Fault("sts", ("AssumeRole",), unreachable)):
        return scene.chat(streaming="true")


# --- The table --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    dependency: str
    fault: str
    answer: str
    at_once: str
    after_sweep: str
    exposure: str


def policy() -> dict[tuple[str, str], Line]:
    section = README.read_text("utf-8").partition("## When a dependency fails")[2]
    table = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    return {(line[0], line[1]): Line(*line) for line in cells}


@pytest.fixture(scope="class")
def database(stack: LocalStack) -> Any:
    return stack.client("dynamodb")


@pytest.fixture
def scene(stack: LocalStack, database: Any) -> Scene:
    """Functions composed anew: with cold caches, and none of the SDK's retries spent."""
    for handler in HANDLERS:
        handler.build_service.cache_clear()
    scene = Scene(stack, database)
    scene.begin()
    assert scene.holds() == {}
    return scene


def test_every_line_has_a_test_and_every_test_a_line() -> None:
    assert set(CASES) == set(policy())


def lines(*, logs: bool = False, pool: bool = False) -> Any:
    chosen = [line for line in CASES if (line in LOGGED, line in POOLED) == (logs, pool)]
    names = [re.sub(r"[^A-Za-z0-9]+", "-", " ".join(line)) for line in chosen]
    return pytest.mark.parametrize(("dependency", "fault"), chosen, ids=names)


@pytest.mark.stack
@pytest.mark.xdist_group("failures")
class TestWithoutInvocationLogs:
    """A class per stack, because one process runs one local stack at a time."""

    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
        environment = with_silo(tmp_path_factory.mktemp("environments"))
        with LocalStack(environment, visibility_seconds=1, delta_seconds=0.001) as running:
            yield running

    @lines()
    def test_a_failure_has_its_lines_outcome(
        self, scene: Scene, dependency: str, fault: str
    ) -> None:
        check(scene, dependency, fault)


@pytest.mark.stack
@pytest.mark.xdist_group("failures-logged")
class TestWithInvocationLogs:
    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls) -> Iterator[LocalStack]:
        with LocalStack(visibility_seconds=1, delta_seconds=0.001, invocation_logs=True) as running:
            yield running

    @lines(logs=True)
    def test_a_failure_has_its_lines_outcome(
        self, scene: Scene, dependency: str, fault: str
    ) -> None:
        check(scene, dependency, fault)


@pytest.mark.stack
@pytest.mark.xdist_group("failures-pool")
class TestWithPoolSessions:
    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls) -> Iterator[LocalStack]:
        with LocalStack(visibility_seconds=1, delta_seconds=0.001, pool_sessions=True) as running:
            yield running

    @lines(pool=True)
    def test_a_failure_has_its_lines_outcome(
        self, scene: Scene, dependency: str, fault: str
    ) -> None:
        check(scene, dependency, fault)


def check(scene: Scene, dependency: str, fault: str) -> None:
    line = policy()[dependency, fault]

    answer = CASES[dependency, fault](scene)
    at_once = scene.ledger()
    held = sum(picodollars for _, picodollars in scene.holds().values())
    held += sum(row.held for row in scene.rows())
    scene.expire_holds()
    scene.stack.sweep()

    booked = sum(row.total_cost for row in scene.rows())
    known = {"hold": held, "estimate": booked, "cost": scene.billed(), "0": 0}
    assert (answer, at_once) == (line.answer, line.at_once)
    assert scene.ledger() == (line.at_once if line.after_sweep == "—" else line.after_sweep)
    above, _, below = line.exposure.partition(" − ")
    assert booked - known["cost"] == known[above] - known[below or "0"]
    assert booked >= known["cost"], "the provider bills what the ledger does not know"


# --- Time -------------------------------------------------------------------------------------


def test_a_hung_dependency_is_given_up_before_api_gateway_gives_the_caller_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for client in (aws.dynamodb(), aws.kms(), aws.s3(), aws.sqs(), aws.sts()):
        config = client.meta.config
        tries = config.retries["total_max_attempts"]
        # The standard mode pauses for up to 1, 2, 4 ... seconds before it tries again.
        longest = tries * config.read_timeout + sum(2**n for n in range(tries - 1))
        # A failed admission and its withdrawal.
        assert 2 * longest < API_GATEWAY_SECONDS


def test_a_silent_model_is_given_up_before_the_function_ends() -> None:
    assert TIMEOUT_SECONDS["invoke"] > tollgate_invoke.handler.MODEL_SECONDS
    assert TIMEOUT_SECONDS["stream"] > tollgate_stream.handler.MODEL_SECONDS
