"""What the handlers of the request path compose alike."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar

from tollgate.adapters import aws
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.bedrock import BedrockRuntime
from tollgate.adapters.free_work import DynamoFreeCounters
from tollgate.adapters.idempotency import DynamoIdempotencyRecords
from tollgate.adapters.jobs import DynamoJobs, DynamoJobTexts, S3Payloads
from tollgate.adapters.kms import KmsTexts
from tollgate.adapters.runtimes import Runtimes
from tollgate.adapters.sagemaker import SageMakerRuntime
from tollgate.adapters.sessions import SessionClients, TenantSessions
from tollgate.adapters.tenants import DynamoTenants
from tollgate.adapters.token_counts import BedrockInputCounter, BedrockTokenCounter
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.endpoints import parse_endpoints
from tollgate.domain.free_work import FreeLimits
from tollgate.domain.prices import load_default
from tollgate.domain.sessions import data_session
from tollgate.entry.clock import utc_now
from tollgate.services.admission import Admission
from tollgate.services.calls import Calls
from tollgate.services.free_work import FreeWork
from tollgate.services.ledger import Ledger
from tollgate.services.policy import Policies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from tollgate.adapters.aws import Credentials
    from tollgate.domain.endpoints import Endpoint

Client = TypeVar("Client")

# A count stands in front of a model call; one that takes longer is done without.
_COUNT_SECONDS = 2
# One that somebody waits for may take the time of a small call.
_ASKED_COUNT_SECONDS = 15

_NO_ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType({})


def build_policies(client: DynamoDBClient, tenants_table: str) -> Policies:
    """Policies on AWS. A process has one, so that all it does follows the same policy."""
    return Policies(DynamoTenants(client, tenants_table), utc_now)


def build_admission(
    ledger: Ledger,
    sessions: TenantSessions,
    policies: Policies,
    *,
    region: str,
    pool_role_arn: str | None,
    endpoints: Mapping[str, Endpoint] = _NO_ENDPOINTS,
) -> Admission:
    """Admission on AWS.

    `pool_role_arn` is the role assumed for tenants without an account of their own, if any;
    `endpoints` are those of `sagemaker_endpoints`.
    """
    return Admission(
        policies=policies,
        ledger=ledger,
        prices=load_default(),
        region=region,
        clock=utc_now,
        counter=BedrockTokenCounter(
            _clients(aws.bedrock_runtime, _COUNT_SECONDS, sessions), utc_now
        ),
        pool_role_arn=pool_role_arn,
        endpoints=endpoints,
    )


def sagemaker_endpoints(text: str | None) -> Mapping[str, Endpoint]:
    """The endpoints of a function's setting, by display name. Raises ValueError."""
    return _NO_ENDPOINTS if text is None else parse_endpoints(text)


def build_calls(
    ledger: Ledger,
    sessions: TenantSessions,
    *,
    region: str,
    account_id: str,
    silence_seconds: int,
    logged: bool = False,
) -> Calls:
    """Model calls on AWS; a model that sends nothing for `silence_seconds` is given up.

    `logged` tells that sweep reads Bedrock's invocation logs.
    """
    return Calls(
        ledger=ledger,
        runtime=Runtimes(
            models=BedrockRuntime(_clients(aws.bedrock_runtime, silence_seconds, sessions)),
            endpoints=SageMakerRuntime(_clients(aws.sagemaker_runtime, silence_seconds, sessions)),
        ),
        prices=load_default(),
        region=region,
        account_id=account_id,
        clock=utc_now,
        logged=logged,
    )


class _FreeSettings(Protocol):
    """The settings of a function that name its tenants' limits of free work."""

    @property
    def streams_table(self) -> str: ...
    @property
    def waiting_requests(self) -> str: ...
    @property
    def polls_per_minute(self) -> str: ...
    @property
    def token_counts_per_minute(self) -> str: ...


def build_free_work(storage: TenantStorage, settings: _FreeSettings) -> FreeWork:
    """The bounds of free work on AWS. Raises ValueError for a setting that is no number."""
    limits = FreeLimits(
        waiting_requests=int(settings.waiting_requests),
        polls_per_minute=int(settings.polls_per_minute),
        token_counts_per_minute=int(settings.token_counts_per_minute),
    )
    return FreeWork(storage.free_counters(settings.streams_table), limits, utc_now)


def build_input_counter(sessions: TenantSessions) -> BedrockInputCounter:
    """Counts for callers on AWS."""
    return BedrockInputCounter(_clients(aws.bedrock_runtime, _ASKED_COUNT_SECONDS, sessions))


def _clients(
    make: Callable[..., Client], silence_seconds: int, sessions: TenantSessions
) -> SessionClients[Client]:
    """The clients of a model service, which is given up once it is silent for so long."""
    return SessionClients(partial(make, silence_seconds=silence_seconds, clock=utc_now), sessions)


def build_sessions() -> TenantSessions:
    """Sessions of tenants' roles on AWS."""
    return TenantSessions(aws.sts, utc_now)


class TenantStorage:
    """The clients that tenants' jobs, payloads and keys are used with.

    They sign as the function, or with pool sessions as a session of the tenant's.
    """

    def __init__(
        self, dynamodb: DynamoDBClient, sessions: TenantSessions, pool_role_arn: str | None
    ) -> None:
        """`dynamodb` is the function's own client."""
        self._dynamodb = dynamodb
        self._sessions = sessions
        self._pool_role_arn = pool_role_arn

    def jobs(self, table: str) -> DynamoJobs:
        """The streaming table's jobs."""
        return DynamoJobs(self._tables(), table)

    def texts(self, table: str) -> DynamoJobTexts:
        """The streaming table's texts. A tenant with a key of its own is the first to need KMS."""
        return DynamoJobTexts(self._tables(), table, KmsTexts(self._of_tenant(aws.kms)))

    def payloads(self, bucket: str, *, brief: bool = False) -> S3Payloads:
        """The payload bucket; a brief one gives up within seconds."""
        return S3Payloads(self._of_tenant(partial(aws.s3, brief=brief)), bucket)

    def idempotency_records(self, table: str) -> DynamoIdempotencyRecords:
        """The streaming table's idempotency records, which give up within seconds."""
        return DynamoIdempotencyRecords(self._of_tenant(partial(aws.dynamodb, brief=True)), table)

    def free_counters(self, table: str) -> DynamoFreeCounters:
        """The streaming table's counters of free work, which give up within seconds."""
        return DynamoFreeCounters(self._of_tenant(partial(aws.dynamodb, brief=True)), table)

    def _tables(self) -> Callable[[str], DynamoDBClient]:
        return self._of_tenant(aws.dynamodb, self._dynamodb)

    def _of_tenant(
        self, build: Callable[[Credentials | None], Client], own: Client | None = None
    ) -> Callable[[str], Client]:
        clients = SessionClients(build, self._sessions, own)
        return lambda tenant_id: clients(data_session(tenant_id, self._pool_role_arn))


def build_ledger(client: DynamoDBClient, *, accounts_table: str, usage_table: str) -> Ledger:
    """The ledger on AWS."""
    return Ledger(DynamoAccounts(client, accounts_table), DynamoUsage(client, usage_table))
