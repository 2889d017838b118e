"""Entry point: EventBridge Scheduler."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit

from tollgate.adapters import aws
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.jobs import DynamoJobs
from tollgate.adapters.tenants import DynamoTenants
from tollgate.adapters.usage import DynamoUsage
from tollgate.clock import utc_now
from tollgate.config import load
from tollgate.domain.prices import load_default
from tollgate.observability import logger, metrics
from tollgate_sweep.service import SweepService
from tollgate_sweep.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def build_service() -> SweepService:
    """Composes the function once per process."""
    settings = load(Settings)
    dynamodb = aws.dynamodb()
    return SweepService(
        accounts=DynamoAccounts(dynamodb, settings.accounts_table),
        usage=DynamoUsage(dynamodb, settings.usage_table),
        tenants=DynamoTenants(dynamodb, settings.tenants_table),
        jobs=DynamoJobs(dynamodb, settings.streams_table),
        region=settings.aws_region,
        price_version=load_default().version,
        clock=utc_now,
    )


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """One sweep; returns the counts."""
    ended = build_service().sweep()
    metrics.add_metric(name="OrphanedCalls", unit=MetricUnit.Count, value=ended["orphaned"])
    return ended
