"""Entry point: EventBridge Scheduler."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit

from tollgate.adapters import aws
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.invocation_logs import S3InvocationLogs
from tollgate.adapters.jobs import DynamoJobs
from tollgate.adapters.tenants import DynamoTenants
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.prices import load_default
from tollgate.entry.clock import utc_now
from tollgate.entry.settings import load
from tollgate.observability import logger, measured, metrics
from tollgate.services.pricing import Pricing
from tollgate_sweep.rows import Rows
from tollgate_sweep.service import SweepService
from tollgate_sweep.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tollgate.ports import InvocationLogs


@cache
def build_service() -> SweepService:
    """Composes the function once per process."""
    settings = load(Settings)
    dynamodb = aws.dynamodb()
    rows = Rows(
        DynamoTenants(dynamodb, settings.tenants_table),
        Pricing(load_default(), settings.aws_region),
        settings.aws_region,
        settings.account_id,
    )
    return SweepService(
        accounts=DynamoAccounts(dynamodb, settings.accounts_table),
        usage=DynamoUsage(dynamodb, settings.usage_table),
        jobs=DynamoJobs(lambda _tenant_id: dynamodb, settings.streams_table),
        rows=rows,
        logs=_invocation_logs(settings),
        log_grace=timedelta(minutes=int(settings.log_grace_minutes)),
        clock=utc_now,
    )


def _invocation_logs(settings: Settings) -> InvocationLogs | None:
    bucket, root = settings.invocation_logs_bucket, settings.invocation_logs_root
    if bucket is None or root is None:
        return None
    return S3InvocationLogs(aws.s3(), bucket, root, settings.aws_region)


METRICS = {"orphaned": "OrphanedCalls", "resolved": "ResolvedCalls", "waiting": "WaitingCalls"}
# What an alarm watches: there is a figure of it in runs that failed at something, and in no others.
FAILED_HOLDS = "FailedHolds"
# Of what some failed for, a run tells so many; the log has all.
_MOST_REASONS = 5


class IncompleteError(Exception):
    """A run ended all holds that it could, but not all; the log has the others' ids."""


@logger.inject_lambda_context
@measured
def lambda_handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """One sweep; returns the counts, or raises with them where some holds could not be ended."""
    reasons: set[str] = set()
    ended = build_service().sweep(reasons)
    for name, metric in METRICS.items():
        metrics.add_metric(name=metric, unit=MetricUnit.Count, value=ended[name])
    if ended["failed"]:
        metrics.add_metric(name=FAILED_HOLDS, unit=MetricUnit.Count, value=ended["failed"])
        told = "; ".join([f"holds by how they ended: {ended}", *sorted(reasons)[:_MOST_REASONS]])
        raise IncompleteError(told)
    return ended
