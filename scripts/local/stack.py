"""The whole gateway in one process: emulator, Bedrock stub, handlers, queue and front door."""

from __future__ import annotations

import importlib
import inspect
import json
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

from scripts import tfvars
from scripts.local.certificate import make_certificate
from scripts.local.event_source import EventSource
from scripts.local.front_door import FrontDoor
from scripts.local.lake import LakeCopy
from scripts.local.lambda_runtime import TIMEOUT_SECONDS, Functions, Handler
from scripts.local.lifecycle import Startable
from scripts.local.ministack import ACCOUNT_ID, REGION, ROOT, MiniStack
from scripts.local.provision import (
    INVOCATION_LOGS_BUCKET,
    PREFIX,
    Deployment,
    Emulator,
    provision,
)
from scripts.local.runtime_api import RuntimeApi
from scripts.local.stubs.bedrock.catalogue import Catalogue
from scripts.local.stubs.bedrock.invocation_logs import InvocationLogs
from scripts.local.stubs.bedrock.server import BedrockStub
from scripts.local.stubs.model_stub import DEFAULT_DELTA_SECONDS
from scripts.local.stubs.sagemaker.server import SageMakerStub
from scripts.local.usage_plans import UsagePlans
from scripts.tenants.files import ENVIRONMENT_FILE
from tollgate.domain.endpoints import parse_endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

FUNCTIONS = ("authorize", "invoke", "converse", "stream", "models", "aggregate", "sweep")
# Those whose answers are streamed, through a Runtime API.
STREAMING_FUNCTIONS = ("converse",)
ENVIRONMENTS = ROOT / "envs"
STUB_LOG = "bedrock-calls.jsonl"
SAGEMAKER_LOG = "sagemaker-calls.jsonl"
EMULATOR_LOG = "ministack.log"
POOL_SESSION_ROLE_ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/tollgate/{PREFIX}/{PREFIX}-pool-session"


class LocalStack(Startable):
    """A running gateway; use it as a context manager, one at a time in a process.

    While it runs, the process environment is that of the functions.

    Args:
        environment: folder of `envs/` (or any folder like them) whose tenants are loaded.
        port: TCP port of the front door on the loopback interface, 0 for a free one.
        delta_seconds: pause between two pieces of a model's stream.
        authorizer_cache_seconds: how long the front door reuses an authorizer's answer.
        job_concurrency: most jobs that run at once.
        invocation_logs: whether the stub writes Bedrock's invocation logs and `sweep` reads them.
        pool_sessions: whether functions act for tenants in sessions of a role.
        tls: serve https, as the AWS SDKs want it for bearer tokens; see `ca_file`.
        folder: where the stubs' and the emulator's logs lie, and stay, and the certificate, while
            it is needed; None for a temporary one.
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
        self._environment = environment
        self._port = port
        self._delta_seconds = delta_seconds
        self._authorizer_cache_seconds = authorizer_cache_seconds
        self._job_concurrency = job_concurrency
        self._invocation_logs = invocation_logs
        self._pool_sessions = pool_sessions
        self._tls = tls
        self._folder = folder
        self.ca_file: Path | None = None
        """What clients verify the https certificate with (AWS_CA_BUNDLE, SSL_CERT_FILE)."""
        self._cleanup = ExitStack()
        self.stub_log: Path
        self.stub: BedrockStub
        self.sagemaker: SageMakerStub
        self.deployment: Deployment
        self.move_queue_clock: Callable[[float], None]
        """Lets time pass for the queues' messages, in seconds."""
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

    def aggregate(self) -> Any:  # noqa: ANN401
        """Invoke `aggregate` as its schedule does."""
        return self.invoke("aggregate", _scheduled_event("aggregate"))

    def lake_copy(self, folder: Path) -> LakeCopy:
        """Return a copy of the lake in a folder; empty until it is brought up to date."""
        return LakeCopy(self.client("s3"), self.deployment.environment["LAKE_BUCKET"], folder)

    def sweep(self) -> Any:  # noqa: ANN401
        """Invoke `sweep` as its schedule does."""
        return self.invoke("sweep", _scheduled_event("sweep"))

    def start(self) -> None:
        """Start everything; when a part does not start, stop the others.

        Raises:
            MiniStackError: the emulator does not start.
            scripts.tenants.files.TenantFilesError: a tenant file breaks a rule.
        """
        with ExitStack() as cleanup:
            self._start(cleanup)
            self._cleanup = cleanup.pop_all()

    def stop(self) -> None:
        """Stop everything and remove what was written, except to a folder that was named."""
        self._cleanup.close()

    def _deliver_invocation_logs(self) -> Callable[[Mapping[str, Any]], None] | None:
        if not self._invocation_logs:
            return None
        client = self._emulator.client("s3")
        logs = InvocationLogs(client, INVOCATION_LOGS_BUCKET, ACCOUNT_ID, REGION)
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
        emulator = cleanup.enter_context(MiniStack(log=self._folder and folder / EMULATOR_LOG))
        self._emulator = Emulator(emulator.endpoint_url)
        self.move_queue_clock = emulator.move_queue_clock
        self.deployment = provision(
            self._emulator,
            self._environment,
            invocation_logs=self._invocation_logs,
        )
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
        endpoints = _sagemaker_endpoints(self._environment)
        self.sagemaker = cleanup.enter_context(
            SageMakerStub(
                {endpoint.endpoint_name: None for endpoint in parse_endpoints(endpoints).values()},
                log=folder / SAGEMAKER_LOG,
                delta_seconds=self._delta_seconds,
            )
        )
        variables = {
            **emulator.aws_environment,
            **self.deployment.environment,
            **({"POOL_SESSION_ROLE_ARN": POOL_SESSION_ROLE_ARN} if self._pool_sessions else {}),
            "AWS_ENDPOINT_URL_BEDROCK": self.stub.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.stub.url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.sagemaker.url,
            "SAGEMAKER_ENDPOINTS": endpoints,
        }
        _enter_process_environment(cleanup, variables, folder)
        self._functions = _load_functions(cleanup)
        cleanup.enter_context(
            EventSource(
                self._emulator.client("sqs"),
                self.deployment.queue_url,
                self.deployment.queue_arn,
                lambda event: self._functions.invoke("stream", event),
                concurrency=self._job_concurrency,
                timeout_seconds=TIMEOUT_SECONDS["stream"],
            )
        )
        certificate = make_certificate(folder) if self._tls else None
        if certificate is not None:
            # Nobody shall come to trust a key that lies about.
            for file in (certificate.certificate, certificate.key):
                cleanup.callback(file.unlink, missing_ok=True)
        self.ca_file = None if certificate is None else certificate.certificate
        self._door = cleanup.enter_context(
            FrontDoor(
                self._functions,
                streams={
                    name: cleanup.enter_context(
                        RuntimeApi(name, self._functions.handler(name), prefix=PREFIX)
                    )
                    for name in STREAMING_FUNCTIONS
                },
                usage_plans=UsagePlans(self.deployment.usage_plans),
                port=self._port,
                authorizer_cache_seconds=self._authorizer_cache_seconds,
                certificate=certificate,
            )
        )


def _sagemaker_endpoints(environment: Path) -> str:
    """Return the endpoints of an environment as functions read them."""
    settings = tfvars.loads((environment / ENVIRONMENT_FILE).read_text(encoding="utf-8"))
    given = settings.get("sagemaker_endpoints", {})
    return given if isinstance(given, str) else json.dumps(given)


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


def _load_functions(cleanup: ExitStack) -> Functions:
    """Import the handlers and compose them for this environment.

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
    modules = {name: importlib.import_module(f"tollgate_{name}.handler") for name in FUNCTIONS}
    _reset_boto3()
    cleanup.callback(_reset_boto3)
    for module in modules.values():
        for compose in _composers(module):
            compose.cache_clear()
            compose()
            cleanup.callback(compose.cache_clear)
    handlers: dict[str, Handler] = {name: module.lambda_handler for name, module in modules.items()}
    return Functions(handlers, PREFIX)


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


def _scheduled_event(name: str) -> dict[str, object]:
    """Return the event of EventBridge Scheduler."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT_ID,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:schedule/default/{PREFIX}-{name}"],
        "detail": "{}",
    }
