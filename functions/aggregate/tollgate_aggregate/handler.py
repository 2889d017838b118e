"""Lambda entry point: builds the adapters once and runs the service."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit

from tollgate.adapters.aws import dynamodb, s3
from tollgate.adapters.lake import S3Lake
from tollgate.adapters.usage_reader import DynamoOpenHolds, DynamoUsageReader, DynamoWatermark
from tollgate.entry.clock import utc_now
from tollgate.entry.settings import load
from tollgate.observability import logger, measured, metrics
from tollgate_aggregate.service import Aggregator
from tollgate_aggregate.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def build_service() -> Aggregator:
    """Compose the function once per process."""
    settings = load(Settings)
    client = dynamodb()
    return Aggregator(
        usage=DynamoUsageReader(client, settings.usage_table),
        watermark=DynamoWatermark(client, settings.usage_table),
        holds=DynamoOpenHolds(client, settings.accounts_table),
        lake=S3Lake(s3(), settings.lake_bucket),
        clock=utc_now,
        deleted=DynamoWatermark(client, settings.usage_table, "deleted"),
    )


class IncompleteError(Exception):
    """A run wrote all hours and days that it could, but not all; the message has the summary."""


@logger.inject_lambda_context
@measured
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Aggregate open hours, or those the event names; returns what the run did.

    Raises with it where hours or days could not be written.
    """
    report = build_service().run(event)
    metrics.add_metric("AggregatedHours", MetricUnit.Count, report.hours)
    metrics.add_metric("AggregatedRows", MetricUnit.Count, report.rows)
    metrics.add_metric("UnpricedRows", MetricUnit.Count, report.unpriced)
    if report.open_hours is not None:
        metrics.add_metric("OpenHours", MetricUnit.Count, report.open_hours)
    # Alarms watch these: there is a figure of them where something failed, and nowhere else.
    if report.quarantined:
        metrics.add_metric("QuarantinedRows", MetricUnit.Count, report.quarantined)
    if report.failed:
        metrics.add_metric("FailedPeriods", MetricUnit.Count, len(report.failed))
    summary = {
        "hours": report.hours,
        "rows": report.rows,
        "unpriced": report.unpriced,
        "days": [day.isoformat() for day in report.days],
        "closed_through": report.closed_through and report.closed_through.isoformat(),
        "quarantined": report.quarantined,
        "failed": report.failed,
        "expired": report.expired,
    }
    logger.info("aggregated", extra=summary)
    if report.failed:
        raise IncompleteError(f"not all was aggregated: {summary}")
    return summary
