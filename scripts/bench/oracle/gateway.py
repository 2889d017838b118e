"""The gateway's functions in this process, over tables in memory and stand-ins at their worst.

Every request gets tables of its own, so that one that fails comes again whatever came before it.
"""

from __future__ import annotations

import json
import logging
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from scripts.local.ministack import ACCOUNT_ID, REGION
from scripts.local.stubs.bedrock.catalogue import DEFAULT_TIERS, Catalogue, Model
from scripts.local.stubs.bedrock.server import BedrockStub
from scripts.local.stubs.sagemaker.containers import DEFAULT_MAX_TOKENS
from scripts.local.stubs.sagemaker.server import SageMakerStub
from tests.fakes.free_work import FakeFreeCounters
from tests.fakes.idempotency import FakeIdempotencyRecords
from tests.fakes.jobs import FakeJobs, FakeJobTexts, FakePayloads, FakeQueue
from tests.fakes.ledger import FakeAccounts, FakeTenants, FakeUsage
from tests.fakes.world import FakeClock, app, tenant
from tollgate.adapters.bedrock import BedrockRuntime
from tollgate.adapters.runtimes import Runtimes
from tollgate.adapters.sagemaker import SageMakerRuntime
from tollgate.adapters.token_counts import BedrockInputCounter, BedrockTokenCounter
from tollgate.domain.endpoints import parse_endpoints
from tollgate.domain.free_work import FreeLimits
from tollgate.domain.money import usd
from tollgate.domain.prices import load_default
from tollgate.domain.tenants import Budget, Guardrail, InferenceProfile
from tollgate.entry.http import StreamedResponse, answer
from tollgate.entry.idempotency import Idempotency
from tollgate.observability import logger, metrics
from tollgate.services.admission import Admission
from tollgate.services.calls import Calls
from tollgate.services.free_work import FreeWork
from tollgate.services.jobs import JobReader, JobRunner, JobSubmitter
from tollgate.services.ledger import Ledger
from tollgate.services.policy import Policies
from tollgate_converse.routes import Gateway as Services
from tollgate_converse.service import ConverseService
from tollgate_invoke.service import InvokeService
from tollgate_stream.service import StreamService

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from tollgate.domain.sessions import Session
    from tollgate.domain.usage import UsageRow
    from tollgate.entry.http import Response

PROFILE_ARN = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:application-inference-profile/oracle"
PROFILED_MODEL = "us.amazon.nova-lite-v1:0"
PREAMBLE = "Speak as the company does."
ENDPOINTS: Mapping[str, Mapping[str, Any]] = {
    "by-token": {"per_1m_input": "2", "per_1m_output": "8"},
    "by-request": {"per_request": "0.01"},
    "by-machine": {"instance_hour_usd": "3.5", "instances": 2},
}
TENANTS = ("open", "guarded", "counted", "clamped")
# Models that the price book lacks, which these tenants may call up to a price.
UNPRICED = ("anthropic.claude-unheard-v1:0", "openai.unheard", "amazon.nova-unheard-v1:0")
UNPRICED_TENANTS = ("unpriced", "unpriced-guarded")
CEILING = {"input": "20", "output": "100"}
_UNPRICED_TOKENS = 100_000
_INVOKE = ("POST /v1/jobs", "POST /invoke_model", "POST /invoke")
_STREAMED_JOBS = ("queued", "running")


@dataclass(frozen=True)
class Asked:
    """A request: `route` is method and path template, `body` a JSON value."""

    route: str
    model: str
    tenant: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a request.

    `status` is that of the answer, or of the job that it started; `rows` are the usage rows by
    request id, `models` and `endpoints` the entries of the stubs' logs, `held` the ids of holds
    that are left.
    """

    status: int
    text: str
    rows: Mapping[str, UsageRow]
    models: Sequence[Mapping[str, Any]]
    endpoints: Sequence[Mapping[str, Any]]
    held: Sequence[str]


class Gateway:
    """Sends requests; use it as a context manager."""

    def __init__(self) -> None:
        profiles = {PROFILE_ARN: PROFILED_MODEL}
        tiers = {"in_region": DEFAULT_TIERS}
        unpriced = [Model(name, "chat", _UNPRICED_TOKENS, None, None, tiers) for name in UNPRICED]
        self.catalogue = Catalogue.from_price_book(application_profiles=profiles, beside=unpriced)
        self._bedrock = BedrockStub(catalogue=self.catalogue, delta_seconds=0, worst_case=True)
        self._sagemaker = SageMakerStub(dict.fromkeys(ENDPOINTS), delta_seconds=0, worst_case=True)
        self._stack = ExitStack()
        self.prices = load_default()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._bedrock)
        self._stack.enter_context(self._sagemaker)
        self._runtime = _client("bedrock-runtime", self._bedrock.url)
        self._endpoints = _client("sagemaker-runtime", self._sagemaker.url)
        # A line for each call would bury the report; what fails is told by it.
        self._level = logger.log_level
        logger.setLevel(logging.CRITICAL)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        logger.setLevel(self._level)
        self._stack.close()

    def send(self, asked: Asked) -> Outcome:
        """Send a request, run the job that it starts, and tell what is left of it."""
        self._bedrock.log.clear()
        self._sagemaker.log.clear()
        world = _World(self)
        status, text = _read(world.answer(asked.route, _event(asked)))
        for tenant_id, job_id in world.queue.sent:
            status, text = world.run_job(tenant_id, job_id) or (status, text)
        metrics.clear_metrics()
        return Outcome(
            status,
            text,
            world.usage.rows,
            self._bedrock.calls(),
            self._sagemaker.calls(),
            [held for account in world.accounts.scan() for held in account.holds],
        )

    def models(self, _: Session | None) -> Any:  # noqa: ANN401 - a client of boto3
        """The client of the models, whoever signs."""
        return self._runtime

    def endpoints(self, _: Session | None) -> Any:  # noqa: ANN401 - a client of boto3
        """The client of the endpoints, whoever signs."""
        return self._endpoints


class _World:
    """The functions over tables of one request."""

    def __init__(self, gateway: Gateway) -> None:
        clock = FakeClock()
        self.accounts, self.usage, self.queue = FakeAccounts(), FakeUsage(), FakeQueue()
        self.jobs, texts, payloads = FakeJobs(), FakeJobTexts(), FakePayloads()
        ledger = Ledger(self.accounts, self.usage)
        policies = Policies(_tenants(), clock)
        free_work = FreeWork(FakeFreeCounters(), FreeLimits(), clock)
        admission = Admission(
            policies=policies,
            ledger=ledger,
            prices=gateway.prices,
            region=REGION,
            clock=clock,
            counter=BedrockTokenCounter(gateway.models, clock),
            endpoints=parse_endpoints(json.dumps(_endpoints())),
        )
        calls = Calls(
            ledger=ledger,
            runtime=Runtimes(
                models=BedrockRuntime(gateway.models),
                endpoints=SageMakerRuntime(gateway.endpoints),
            ),
            prices=gateway.prices,
            region=REGION,
            account_id="123456789012",
            clock=clock,
        )
        idempotency = Idempotency(
            FakeIdempotencyRecords(), FakePayloads(), policies, free_work, clock
        )
        reader = JobReader(self.jobs, texts, free_work, clock)
        self.converse = ConverseService(
            Services(
                admission=admission,
                calls=calls,
                counter=BedrockInputCounter(gateway.models),
                free_work=free_work,
                idempotency=idempotency,
            )
        )
        submitter = JobSubmitter(calls, self.jobs, payloads, self.queue)
        self.invoke = InvokeService(admission, calls, submitter, reader, idempotency)
        runner = JobRunner(
            calls=calls,
            jobs=self.jobs,
            texts=texts,
            payloads=payloads,
            policies=policies,
            clock=clock,
        )
        self._stream = StreamService(runner, reader, policies, self.queue)

    def answer(self, route: str, event: dict[str, Any]) -> Response | StreamedResponse:
        """The answer to a proxy event, by the function that has its route."""
        if route in _INVOKE:
            return answer(event, self.invoke.handle)
        return self.converse.answer(event)

    def run_job(self, tenant_id: str, job_id: str) -> tuple[int, str] | None:
        """Run a job; the status and text of its failure, if it failed."""
        message = json.dumps({"tenant_id": tenant_id, "job_id": job_id})
        failed = self._stream.run([{"messageId": "m", "receiptHandle": "r", "body": message}])
        job = self.jobs.get(tenant_id, job_id)
        if failed or job is None or job.status in _STREAMED_JOBS:
            return 500, "the job was not run"
        error = job.result.get("error")
        return None if error is None else (error["http_status"], json.dumps(error))


def _tenants() -> FakeTenants:
    profile = InferenceProfile("oracle", PROFILED_MODEL, PROFILE_ARN, {})
    apps = {"web": app(inference_profiles={"oracle": profile})}
    base = tenant(models=("*",), apps=apps)
    guarded = {"guardrail": Guardrail("gr1234567890", "1"), "system_preamble": PREAMBLE}
    changes: Mapping[str, Mapping[str, Any]] = {
        "open": {"count_tokens": "bytes"},
        "guarded": guarded,
        "unpriced": {"unpriced": CEILING},
        "unpriced-guarded": {"unpriced": CEILING, **guarded},
        "counted": {"count_tokens": "exact"},
        "clamped": {"clamp_max_tokens": True, "budget": Budget(month=usd("0.05"))},
    }
    return FakeTenants(
        *(tenant(**{**_fields(base), **change}, tenant_id=name) for name, change in changes.items())
    )


def _fields(base: Any) -> dict[str, Any]:  # noqa: ANN401 - a tenant
    return {"models": base.models, "apps": base.apps}


def _endpoints() -> dict[str, Any]:
    return {
        name: {"endpoint": name, "price": price, "max_tokens": DEFAULT_MAX_TOKENS}
        for name, price in ENDPOINTS.items()
    }


def _client(service: str, url: str) -> Any:  # noqa: ANN401 - a client of boto3
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="x",
        aws_secret_access_key="y",  # noqa: S106 - a stub takes any
        config=Config(retries={"total_max_attempts": 1}, signature_version="v4"),
    )


def _event(asked: Asked) -> dict[str, Any]:
    method, _, resource = asked.route.partition(" ")
    identity = {
        "tenant_id": asked.tenant,
        "app_id": "web",
        "key_id": "web/primary",
        "tier": "pro",
    }
    return {
        "httpMethod": method,
        "resource": resource,
        "requestContext": {"requestId": str(uuid.uuid4()), "authorizer": identity},
        "pathParameters": {"modelId": asked.model} if "{modelId}" in resource else None,
        "queryStringParameters": {"model_id": asked.model},
        "headers": {"team_id": asked.tenant, **asked.headers},
        "body": json.dumps(asked.body),
    }


def _read(response: Response | StreamedResponse) -> tuple[int, str]:
    """Status and text of an answer; what it tells of a failure while it is streamed is its end."""
    if not isinstance(response, StreamedResponse):
        return response["statusCode"], response["body"]
    written: list[bytes] = []
    response.produce(written.append)
    return response.status, b"".join(written).decode(errors="replace")
