"""Usage rows for tests: a plausible row, any field of which can be replaced."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tollgate.domain.ids import new_request_id
from tollgate.domain.usage import UsageRow

STARTED = datetime(2026, 11, 15, 12, 30, 0, 250_000, tzinfo=UTC)


def usage_row(**changes: Any) -> UsageRow:  # noqa: ANN401 - fields of a row, of any type
    """Return a settled, priced request; its id and settling time follow `started_at`."""
    started = changes.get("started_at", STARTED)
    row = UsageRow(
        request_id=new_request_id(started),
        tenant_id="acme",
        app_id="websearch",
        key_id="websearch/primary",
        cost_center="CC-1001",
        tier="pro",
        region="us-east-1",
        dialect="converse",
        operation="chat",
        requested_model="amazon.nova-lite-v1:0",
        model_id="amazon.nova-lite-v1:0",
        routing="in_region",
        service_tier="default",
        streamed=False,
        status="ok",
        http_status=200,
        started_at=started,
        settled_at=started + timedelta(milliseconds=800),
        latency_ms=800,
        input_tokens=100,
        output_tokens=20,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        images=0,
        usage_source="provider",
        priced=True,
        price_version="2026-11-01",
        input_cost=6_000_000,
        output_cost=4_800_000,
        cache_cost=0,
        other_cost=0,
        total_cost=10_800_000,
        held=20_000_000,
        tags={},
    )
    return replace(row, **changes)
