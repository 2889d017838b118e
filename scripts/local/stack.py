"""The whole gateway in one process: emulator, Bedrock stub, handlers, queues and front door.

`Gateway` runs a deployment, wherever it was made; `LocalStack` makes one in an emulator first.
"""

from __future__ import annotations

import importlib
import inspect
import os
import shutil
import tempfile
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from scripts.local.certificate import make_certificate
from scripts.local.event_source import EventSource
from scripts.local.front_door import FrontDoor
from scripts.local.lake import LakeCopy
from scripts.local.lambda_runtime import Functions, Handler
from scripts.local.lifecycle import Startable
from scripts.local.ministack import ACCOUNT_ID, REGION, ROOT, MiniStack
from scripts.local.provision import Emulator, provision
from scripts.local.rest_api import Contract
from scripts.local.runtime_api import RuntimeApi
from scripts.local.stubs.bedrock.catalogue import Catalogue
from scripts.local.stubs.bedrock.invocation_logs import InvocationLogs
from scripts.local.stubs.bedrock.server import BedrockStub
from scripts.local.stubs.model_stub import DEFAULT_DELTA_SECONDS
from scripts.local.stubs.sagemaker.server import SageMakerStub
from scripts.local.usage_plans import UsagePlans
from tollgate.domain.endpoints import parse_endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from scripts.local.deployment import Deployment, Function, Trigger

ENVIRONMENTS = ROOT / "envs"
STUB_LOG = "bedrock-calls.jsonl"
SAGEMAKER_LOG = "sagemaker-calls.jsonl"
EMULATOR_LOG = "ministack.log"


class Gateway(Startable):
    """A running deployment; use it as a context manager, one at a time in a process.

    Each function has its own settings. What Lambda and Powertools read, a log level for example,
    is the process's, whose environment is the functions' while the gateway runs.

    Args:
        deploy: returns where AWS is and what was made there; given the folder below and what is to
            be closed in the end.
        port: TCP port of the front door on the loopback interface, 0 for a free one.
        delta_seconds: pause between two pieces of a model's stream.
        authorizer_cache_seconds: how long the front door reuses an authorizer's answer; None for as
            long as the deployment says.
        job_concurrency: most jobs that run at once.
        tls: serve https, as the AWS SDKs want it for bearer tokens; see `ca_file`.
        folder: where the stubs' logs lie, and stay, and the certificate, while it is needed; None
            for a temporary one.
    """

    def __init__(  # noqa: PLR0913 - one argument per setting
        self,
        deploy: Callable[[Path, ExitStack], tuple[Emulator, Deployment]],
        *,
        port: int = 0,
        delta_seconds: float = DEFAULT_DELTA_SECONDS,
        authorizer_cache_seconds: float | None = None,
        job_concurrency: int = 32,
        tls: bool = False,
        folder: Path | None = None,
    ) -> None:
        self._deploy = deploy
        self._port = port
        self._delta_seconds = delta_seconds
        self._authorizer_cache_seconds = authorizer_cache_seconds
        self._job_concurrency = job_concurrency
        self._tls = tls
        self._folder = folder
        self.ca_file: Path | None = None
        """What clients verify the https certificate with (AWS_CA_BUNDLE, SSL_CERT_FILE)."""
        self._cleanup = ExitStack()
        self.stub_log: Path
        self.stub: BedrockStub
        self.sagemaker: SageMakerStub
        self.deployment: Deployment
        self.usage_plans: UsagePlans
        self._emulator: Emulator
        self._functions: Functions
        self._door: FrontDoor

    @property
    def url(self) -> str:
        """Base URL of the gateway."""
        return self._door.url

    @property
    def keys(self) -> Mapping[str, str]:
        """API keys by `<tenant>/<app>/<key name>`."""
        return self.deployment.keys

    def calls(self) -> list[dict[str, Any]]:
        """Return the Bedrock stub's log: what the provider would bill."""
        return self.stub.calls()

    def client(self, service: str) -> Any:  # noqa: ANN401 - the type depends on the service
        """Return a boto3 client of the emulator."""
        return self._emulator.client(service)

    def invoke(self, function: str, event: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Invoke a function with an event and return its response."""
        return self._functions.invoke(function, event)

    def cold_start(self) -> None:
        """Compose the functions anew: nothing is cached, and none of an SDK's retries is spent.

        Call it while no function runs.
        """
        _compose(self.deployment.functions)

    def run_schedule(self, function: str) -> Any:  # noqa: ANN401
        """Invoke a function as its schedule does.

        Raises:
            ValueError: it has none.
        """
        if function not in self.deployment.schedules:
            allowed = ", ".join(sorted(self.deployment.schedules))
            raise ValueError(f"schedule: got {function}; allowed: {allowed}")
        return self.invoke(function, _scheduled_event(self.deployment.functions[function]))

    def aggregate(self) -> Any:  # noqa: ANN401
        """Invoke `aggregate` as its schedule does."""
        return self.run_schedule("aggregate")

    def sweep(self) -> Any:  # noqa: ANN401
        """Invoke `sweep` as its schedule does."""
        return self.run_schedule("sweep")

    def lake_copy(self, folder: Path) -> LakeCopy:
        """Return a copy of the lake in a folder; empty until it is brought up to date."""
        return LakeCopy(self.client("s3"), self.deployment.environment["LAKE_BUCKET"], folder)

    def start(self) -> None:
        """Start everything; when a part does not start, stop the others.

        Raises:
            Exception: whatever `deploy` raises.
            OSError: the port is in use.
        """
        with ExitStack() as cleanup:
            self._start(cleanup)
            self._cleanup = cleanup.pop_all()

    def stop(self) -> None:
        """Stop everything and remove what was written, except to a folder that was named."""
        self._cleanup.close()

    def _deliver_invocation_logs(self) -> Callable[[Mapping[str, Any]], None] | None:
        bucket = self.deployment.environment.get("INVOCATION_LOGS_BUCKET")
        if bucket is None:
            return None
        logs = InvocationLogs(self._emulator.client("s3"), bucket, ACCOUNT_ID, REGION)
        logs.start()
        return logs.write

    def _prepared_folder(self, cleanup: ExitStack) -> Path:
        if self._folder is None:
            folder = Path(tempfile.mkdtemp(prefix="tollgate-local-"))
            cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
            return folder
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in (STUB_LOG, SAGEMAKER_LOG):
            (self._folder / name).unlink(missing_ok=True)
        return self._folder.resolve()

    def _start(self, cleanup: ExitStack) -> None:
        folder = self._prepared_folder(cleanup)
        self._emulator, self.deployment = self._deploy(folder, cleanup)
        self._start_stubs(cleanup, folder)
        variables = {
            **self._emulator.environment,
            "AWS_ENDPOINT_URL_BEDROCK": self.stub.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.stub.url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.sagemaker.url,
        }
        _enter_process_environment(cleanup, variables, folder)
        self._functions = _load_functions(cleanup, self.deployment.functions)
        for trigger in self.deployment.triggers:
            cleanup.enter_context(self._event_source(trigger))
        self._start_front_door(cleanup, folder)

    def _start_stubs(self, cleanup: ExitStack, folder: Path) -> None:
        self.stub_log = folder / STUB_LOG
        self.stub = cleanup.enter_context(
            BedrockStub(
                log=self.stub_log,
                catalogue=Catalogue.from_price_book(
                    application_profiles=self.deployment.models_by_profile_arn
                ),
                delta_seconds=self._delta_seconds,
                publish=self._deliver_invocation_logs(),
            )
        )
        endpoints = self.deployment.environment.get("SAGEMAKER_ENDPOINTS", "{}")
        self.sagemaker = cleanup.enter_context(
            SageMakerStub(
                {endpoint.endpoint_name: None for endpoint in parse_endpoints(endpoints).values()},
                log=folder / SAGEMAKER_LOG,
                delta_seconds=self._delta_seconds,
            )
        )

    def _event_source(self, trigger: Trigger) -> EventSource:
        [queue] = [q for q in self.deployment.queues.values() if q.arn == trigger.queue_arn]
        if trigger.batch_size != 1:
            raise ValueError(f"{trigger.function}: got batches of {trigger.batch_size}; allowed: 1")
        return EventSource(
            self._emulator.client("sqs"),
            queue.url,
            queue.arn,
            lambda event: self._functions.invoke(trigger.function, event),
            concurrency=min(self._job_concurrency, trigger.concurrency or self._job_concurrency),
            timeout_seconds=self.deployment.functions[trigger.function].timeout_seconds,
            reports_failures=trigger.reports_failures,
        )

    def _start_front_door(self, cleanup: ExitStack, folder: Path) -> None:
        self.usage_plans = UsagePlans(self.deployment.usage_plans)
        certificate = make_certificate(folder) if self._tls else None
        if certificate is not None:
            # Nobody shall come to trust a key that lies about.
            for file in (certificate.certificate, certificate.key):
                cleanup.callback(file.unlink, missing_ok=True)
        self.ca_file = None if certificate is None else certificate.certificate
        self._door = cleanup.enter_context(
            FrontDoor(
                self._functions,
                self.deployment,
                streams={
                    name: cleanup.enter_context(self._runtime_api(name))
                    for name in Contract(self.deployment).streaming_functions
                },
                usage_plans=self.usage_plans,
                port=self._port,
                authorizer_cache_seconds=self._authorizer_cache_seconds,
                certificate=certificate,
            )
        )

    def _runtime_api(self, name: str) -> RuntimeApi:
        return RuntimeApi(
            name,
            self._functions.handler(name),
            prefix=self.deployment.prefix,
            timeout_seconds=self.deployment.functions[name].timeout_seconds,
        )


class LocalStack(Gateway):
    """A gateway with an emulator of its own, made of the tenants of an environment.

    Args:
        environment: folder of `envs/` (or any folder like them) whose tenants are loaded.
        authorizer_cache_seconds: how long the front door reuses an authorizer's answer.
        invocation_logs: whether the stub writes Bedrock's invocation logs and `sweep` reads them.
        pool_sessions: whether functions act for tenants in sessions of a role.
        folder: where all logs lie, the emulator's, too; see `Gateway` for this and the others.
    """

    def __init__(  # noqa: PLR0913 - one argument per setting
        self,
        environment: Path = ENVIRONMENTS / "local",
        *,
        port: int = 0,
        delta_seconds: float = DEFAULT_DELTA_SECONDS,
        authorizer_cache_seconds: float = 0.0,
        job_concurrency: int = 32,
        invocation_logs: bool = False,
        pool_sessions: bool = False,
        tls: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.move_queue_clock: Callable[[float], None]
        """Lets time pass for the queues' messages, in seconds."""

        def deploy(logs: Path, cleanup: ExitStack) -> tuple[Emulator, Deployment]:
            running = cleanup.enter_context(MiniStack(log=folder and logs / EMULATOR_LOG))
            self.move_queue_clock = running.move_queue_clock
            emulator = Emulator(running.endpoint_url)
            made = provision(
                emulator,
                environment,
                invocation_logs=invocation_logs,
                pool_sessions=pool_sessions,
            )
            return emulator, made

        super().__init__(
            deploy,
            port=port,
            delta_seconds=delta_seconds,
            authorizer_cache_seconds=authorizer_cache_seconds,
            job_concurrency=job_concurrency,
            tls=tls,
            folder=folder,
        )


def _enter_process_environment(
    cleanup: ExitStack, variables: Mapping[str, str], folder: Path
) -> None:
    """Give the process the functions' environment, and nothing of the user's own AWS settings."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ours = {
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "POWERTOOLS_SERVICE_NAME": "tollgate",
        "POWERTOOLS_LOG_LEVEL": os.environ.get("POWERTOOLS_LOG_LEVEL", "WARNING"),
    }
    cleanup.enter_context(patch.dict(os.environ, {**foreign, **ours, **variables}, clear=True))


def _load_functions(cleanup: ExitStack, deployed: Mapping[str, Function]) -> Functions:
    """Import the handlers and compose each with its own environment.

    A Lambda environment handles one request at a time; here many threads share the process. So
    what handlers compose on first use is composed before the threads come, and Powertools'
    metrics, which collect in one place for the whole process, are left out.
    """
    cleanup.enter_context(
        patch.multiple(
            AmazonCloudWatchEMFProvider,
            add_metric=_ignore,
            add_dimension=_ignore,
            add_metadata=_ignore,
            flush_metrics=_ignore,
        )
    )
    handlers: dict[str, Handler] = {}
    _reset_boto3()
    cleanup.callback(_reset_boto3)
    for name, function in deployed.items():
        path, _, attribute = function.handler.rpartition(".")
        module = importlib.import_module(path)
        handlers[name] = getattr(module, attribute)
        for compose in _composers(module):
            cleanup.callback(compose.cache_clear)
    _compose(deployed)
    return Functions(handlers, deployed)


def _compose(deployed: Mapping[str, Function]) -> None:
    """Compose each function anew, with its own environment."""
    for function in deployed.values():
        module = importlib.import_module(function.handler.rpartition(".")[0])
        for compose in _composers(module):
            compose.cache_clear()
            with patch.dict(os.environ, function.settings):
                compose()


def _composers(module: ModuleType) -> Iterator[Any]:
    """Yield the module's own cached functions without parameters: those that compose it."""
    for value in vars(module).values():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if hasattr(value, "cache_clear") and not inspect.signature(value).parameters:
            yield value


def _reset_boto3() -> None:
    """Forget boto3's default session, which keeps what it once read from the environment."""
    boto3.DEFAULT_SESSION = None


def _ignore(*_: object, **__: object) -> None:
    """Do nothing."""


def _scheduled_event(function: Function) -> dict[str, object]:
    """Return the event of EventBridge Scheduler."""
    *_, region, account_id, _, name = function.arn.split(":")
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": account_id,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:scheduler:{region}:{account_id}:schedule/default/{name}"],
        "detail": "{}",
    }
