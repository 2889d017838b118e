"""The bill must be the provider's own log: both to the picodollar, row by row."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.reports.report import ChargebackRow

PRICES = Path(__file__).resolve().parents[2] / "prices" / "data" / "bedrock_prices.csv"
PICO_PER_USD = 10**12


class BillError(Exception):
    """The bill and the provider's log differ; the message says where."""


@dataclass(frozen=True)
class Agreement:
    """What bill and log agree on: rows, calls and picodollars."""

    rows: int
    calls: int
    cost: int


def over_months(rows: Sequence[ChargebackRow]) -> list[ChargebackRow]:
    """The bills of several months as one: a row for each team and model."""
    found: dict[tuple[str, str], ChargebackRow] = {}
    for row in rows:
        key = (row.team_id, row.model_id)
        before = found.get(key)
        found[key] = row if before is None else replace(row, **_sums(before, row))
    return [found[key] for key in sorted(found)]


def _sums(one: ChargebackRow, other: ChargebackRow) -> dict[str, Any]:
    given = ((field.name, getattr(one, field.name)) for field in fields(one))
    return {name: value + getattr(other, name) for name, value in given if isinstance(value, int)}


def ground_truth(
    calls: Sequence[Mapping[str, Any]], models_by_profile_arn: Mapping[str, str]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """What the provider's own log says, priced from the published table.

    Shares no code with the gateway: tokens from the stub, prices per token from the CSV. Calls of
    an app's inference profile are priced as the model behind it.
    Returns input tokens, output tokens, calls and picodollars by tenant and base model.
    """
    with PRICES.open() as file:
        prices = {
            row["key"]: (
                Decimal(row["input_cost_per_token"]),
                Decimal(row["output_cost_per_token"]),
            )
            for row in csv.DictReader(file)
            if row["input_cost_per_token"] and row["output_cost_per_token"]
        }
    totals: dict[tuple[str, str], Counter[str]] = {}
    for call in calls:
        if call["status"] != "ok" or call["operation"] == "count-tokens":
            continue
        model_id = models_by_profile_arn.get(call["modelId"], call["modelId"])
        price_in, price_out = prices[model_id]
        tokens_in, tokens_out = call["usage"]["inputTokens"], call["usage"]["outputTokens"]
        cost = (price_in * tokens_in + price_out * tokens_out) * PICO_PER_USD
        if cost != int(cost):
            raise BillError(f"{model_id} costs a fraction of a picodollar: {cost}")
        key = (call["requestMetadata"]["tenant"], model_id.removeprefix("us."))
        total = totals.setdefault(key, Counter())
        total.update(input=tokens_in, output=tokens_out, calls=1, cost=int(cost))
    return {
        key: (total["input"], total["output"], total["calls"], total["cost"])
        for key, total in totals.items()
    }


def check(
    rows: Sequence[ChargebackRow],
    calls: Sequence[Mapping[str, Any]],
    models_by_profile_arn: Mapping[str, str],
) -> Agreement:
    """Compare the bill with the provider's log.

    Raises:
        BillError: they differ in a row, a token, a call or a picodollar.
    """
    billed = {
        (row.team_id, row.model_id): (
            row.input_tokens,
            row.output_tokens,
            row.invocations,
            row.total,
        )
        for row in rows
    }
    truth = ground_truth(calls, models_by_profile_arn)
    for key in sorted(billed.keys() | truth.keys()):
        if billed.get(key) != truth.get(key):
            raise BillError(f"{key}: billed {billed.get(key)}, the provider's log {truth.get(key)}")
    return Agreement(
        rows=len(rows),
        calls=sum(figures[2] for figures in truth.values()),
        cost=sum(figures[-1] for figures in truth.values()),
    )
