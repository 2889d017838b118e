"""What the handlers of the request path compose alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollgate.adapters import aws
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.bedrock import BedrockRuntime
from tollgate.adapters.tenants import DynamoTenants
from tollgate.adapters.usage import DynamoUsage
from tollgate.clock import utc_now
from tollgate.domain.prices import load_default
from tollgate.ledger import Ledger
from tollgate.pipeline import Pipeline
from tollgate.policy import Policies

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def build_pipeline(
    client: DynamoDBClient,
    *,
    region: str,
    tenants_table: str,
    accounts_table: str,
    usage_table: str,
) -> Pipeline:
    """The pipeline on AWS."""
    return Pipeline(
        policies=Policies(DynamoTenants(client, tenants_table), utc_now),
        ledger=Ledger(DynamoAccounts(client, accounts_table), DynamoUsage(client, usage_table)),
        runtime=BedrockRuntime(aws.bedrock_runtime()),
        prices=load_default(),
        region=region,
        clock=utc_now,
    )
