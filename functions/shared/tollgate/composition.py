"""What the handlers of the request path compose alike."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tollgate.adapters import aws
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.bedrock import BedrockRuntime
from tollgate.adapters.jobs import DynamoJobTexts
from tollgate.adapters.kms import KmsTexts
from tollgate.adapters.sessions import SessionClients, TenantSessions
from tollgate.adapters.tenants import DynamoTenants
from tollgate.adapters.token_counts import BedrockTokenCounter
from tollgate.adapters.usage import DynamoUsage
from tollgate.admission import Admission
from tollgate.clock import utc_now
from tollgate.domain.prices import load_default
from tollgate.ledger import Ledger
from tollgate.pipeline import Calls
from tollgate.policy import Policies

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


# A count stands in front of a model call; one that takes longer is done without.
_COUNT_SECONDS = 2


def build_admission(
    client: DynamoDBClient,
    ledger: Ledger,
    sessions: TenantSessions,
    *,
    region: str,
    tenants_table: str,
    pool_role_arn: str | None,
) -> Admission:
    """Admission on AWS.

    `pool_role_arn` is the role assumed for tenants without an account of their own, if any.
    """
    return Admission(
        policies=Policies(DynamoTenants(client, tenants_table), utc_now),
        ledger=ledger,
        prices=load_default(),
        region=region,
        clock=utc_now,
        counter=BedrockTokenCounter(
            SessionClients(partial(aws.bedrock_runtime, silence_seconds=_COUNT_SECONDS), sessions),
            utc_now,
        ),
        pool_role_arn=pool_role_arn,
    )


def build_calls(
    ledger: Ledger,
    sessions: TenantSessions,
    *,
    region: str,
    silence_seconds: int,
    logged: bool = False,
) -> Calls:
    """Model calls on AWS; a model that sends nothing for `silence_seconds` is given up.

    `logged` tells that sweep reads Bedrock's invocation logs.
    """
    return Calls(
        ledger=ledger,
        runtime=BedrockRuntime(
            SessionClients(partial(aws.bedrock_runtime, silence_seconds=silence_seconds), sessions)
        ),
        prices=load_default(),
        region=region,
        clock=utc_now,
        logged=logged,
    )


def build_sessions() -> TenantSessions:
    """Sessions of tenants' roles on AWS."""
    return TenantSessions(aws.sts, utc_now)


def build_job_texts(
    client: DynamoDBClient, sessions: TenantSessions, streams_table: str
) -> DynamoJobTexts:
    """Texts of jobs on AWS; KMS is connected to when a tenant with a key of its own comes."""
    kms = SessionClients(aws.kms, sessions)
    return DynamoJobTexts(lambda _: client, streams_table, KmsTexts(lambda _: kms(None)))


def build_ledger(client: DynamoDBClient, *, accounts_table: str, usage_table: str) -> Ledger:
    """The ledger on AWS."""
    return Ledger(DynamoAccounts(client, accounts_table), DynamoUsage(client, usage_table))
