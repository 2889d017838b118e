"""Turns the end of a call into its one usage row."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit

from tollgate.domain.ids import request_time
from tollgate.domain.prices import Cost, TokenUsage
from tollgate.domain.usage import Status, UsageRow, UsageSource, operation_of
from tollgate.observability import logger, metrics
from tollgate.services.pricing import model_ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.ledger import Hold

NO_USAGE = TokenUsage()
NO_COST = Cost(input=0, output=0, cache=0, other=0, priced=True)


@dataclass(frozen=True, slots=True)
class Attribution:
    """To whom and at which prices a call is booked.

    `account_id` is the AWS account in which the model runs; `business_unit` the tenant's, if any.
    `model_arns` are those of the price terms; `inference_profile_arn` is what it is called by.
    """

    tenant_id: str
    tier: str
    cost_center: str
    tags: Mapping[str, str]
    region: str
    account_id: str
    price_version: str
    model_arns: Mapping[str, str] = field(default_factory=dict)
    inference_profile_arn: str | None = None
    business_unit: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. A failed call has no usage and no cost.

    Where the source of the usage is the hold, the row has the tokens of the hold: the most that
    the call can have used.
    """

    status: Status
    http_status: int
    error_code: str | None = None
    stop_reason: str | None = None
    usage: TokenUsage = NO_USAGE
    units: Mapping[str, int] = field(default_factory=dict)
    usage_source: UsageSource = "provider"
    cost: Cost = NO_COST
    service_tier: str = "default"
    first_token_at: datetime | None = None


def held_cost(hold: Hold, *, priced: bool = True) -> Cost:
    """The whole hold as a cost: what is charged when nothing better is known."""
    return Cost(input=0, output=0, cache=0, other=hold.usd, priced=priced)


def usage_row(
    hold: Hold, attribution: Attribution, outcome: Outcome, settled_at: datetime
) -> UsageRow:
    """The usage row of a call. Its start is the time inside the request id."""
    ref = model_ref(hold.model, attribution.model_arns)
    started_at = request_time(hold.request_id)
    usage = outcome.usage
    if outcome.usage_source == "hold":
        usage = TokenUsage(input=hold.input_tokens, output=hold.output_tokens)
    first_token_ms = None
    if outcome.first_token_at is not None:
        first_token_ms = _millis(outcome.first_token_at - started_at)
    return UsageRow.fitted(
        request_id=hold.request_id,
        tenant_id=attribution.tenant_id,
        app_id=hold.app_id,
        key_id=hold.key_id,
        cost_center=attribution.cost_center,
        tier=attribution.tier,
        region=attribution.region,
        dialect=hold.dialect,
        operation=operation_of(hold.dialect, streamed=hold.streamed),
        requested_model=hold.model,
        model_id=ref.model_id,
        routing=ref.routing,
        inference_profile_arn=attribution.inference_profile_arn,
        service_tier=outcome.service_tier,
        streamed=hold.streamed,
        status=outcome.status,
        http_status=outcome.http_status,
        error_code=outcome.error_code,
        stop_reason=outcome.stop_reason,
        started_at=started_at,
        settled_at=settled_at,
        latency_ms=_millis(settled_at - started_at),
        first_token_ms=first_token_ms,
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_5m_tokens=usage.cache_write_5m,
        cache_write_1h_tokens=usage.cache_write_1h,
        images=sum(n for unit, n in outcome.units.items() if unit.partition("/")[0] == "image"),
        usage_source=outcome.usage_source,
        priced=outcome.cost.priced,
        price_version=attribution.price_version,
        input_cost=outcome.cost.input,
        output_cost=outcome.cost.output,
        cache_cost=outcome.cost.cache,
        other_cost=outcome.cost.other,
        total_cost=outcome.cost.total,
        held=hold.usd,
        tags=dict(attribution.tags),
        business_unit=attribution.business_unit,
        account_id=attribution.account_id,
        end_user=hold.end_user,
    )


def log_usage(row: UsageRow) -> None:
    """One structured line per metered call, and the metrics that alarms need."""
    logger.info(
        "usage",
        extra={
            "schema_version": row.schema_version,
            "request_id": row.request_id,
            "tenant_id": row.tenant_id,
            "app_id": row.app_id,
            "model_id": row.model_id,
            "status": row.status,
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
            "total_cost": row.total_cost,
            "latency_ms": row.latency_ms,
        },
    )
    metrics.add_metric(name="Calls", unit=MetricUnit.Count, value=1)
    if not row.priced:
        metrics.add_metric(name="UnpricedCalls", unit=MetricUnit.Count, value=1)
    if row.usage_source == "bound":
        logger.error("counted above the bound", extra={"request_id": row.request_id})
        metrics.add_metric(name="CallsAboveBound", unit=MetricUnit.Count, value=1)


def _millis(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
