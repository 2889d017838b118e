"""What must hold for every request, whatever it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scripts.bench.oracle.bill import endpoint_charged
from scripts.bench.oracle.gateway import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from scripts.bench.oracle.bill import PriceList
    from scripts.bench.oracle.gateway import Outcome
    from tollgate.domain.usage import UsageRow

_FAILED = 500
_SHOWN = 300


class Fault(NamedTuple):
    """What does not hold: its kind, and the figures."""

    kind: str
    text: str


def faults(outcome: Outcome, prices: PriceList) -> Iterator[Fault]:
    """What does not hold of a request."""
    if outcome.status >= _FAILED:
        yield Fault("failed", f"{outcome.status}: {outcome.text[:_SHOWN]}")
    if outcome.held:
        yield Fault("hold left", ", ".join(outcome.held))
    called = set()
    for entry in outcome.models:
        if entry["operation"] != "count-tokens":
            called.add(entry["requestMetadata"].get("request_id"))
            yield from _call_faults(entry, prices.charged(entry), outcome.rows)
    for entry in outcome.endpoints:
        called.add(entry["requestMetadata"].get("request_id"))
        price = ENDPOINTS[entry["modelId"]]
        yield from _call_faults(entry, endpoint_charged(entry, price), outcome.rows)
    for request_id, row in outcome.rows.items():
        if row.total_cost and request_id not in called:
            yield Fault("booked, not called", f"booked {row.total_cost}")


def _call_faults(
    entry: Mapping[str, Any], billed: int, rows: Mapping[str, UsageRow]
) -> Iterator[Fault]:
    if entry["unknown_member"] is not None:
        yield Fault("unknown member passed", entry["unknown_member"])
    if entry["is_narrowed"]:
        yield Fault("guardrail narrowed", "the body says what the guardrail reads")
    row = rows.get(entry["requestMetadata"].get("request_id", ""))
    if row is not None and row.http_status >= _FAILED:
        yield Fault("failed", f"{row.http_status} in the row: {row.error_code}")
    if row is None:
        if billed:
            yield Fault("billed, no row", f"billed {billed}")
        return
    yield from _money_faults(entry, billed, row)


def _money_faults(entry: Mapping[str, Any], billed: int, row: UsageRow) -> Iterator[Fault]:
    figures = f"held {row.held}, booked {row.total_cost}, billed {billed}"
    if row.held < billed:
        yield Fault("held < billed", figures)
    if row.total_cost > row.held:
        yield Fault("booked > held", figures)
    if "instance_hour_usd" in ENDPOINTS.get(entry["modelId"], {}):
        # The machine's time is the clock's, which stands still here.
        return
    if row.usage_source == "provider" and row.total_cost != billed:
        yield Fault("booked != billed", figures)
    elif row.total_cost < billed:
        # Some containers count nothing: what they made is estimated.
        yield Fault("booked < billed", figures)
