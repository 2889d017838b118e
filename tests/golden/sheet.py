"""What calls must cost, worked out the way one would in a spreadsheet.

This shares nothing with the gateway: it takes the amounts per token from the list-price table and
its supplement as they stand there, multiplies in decimals and writes `usage_costs.csv`, which is
checked in so that a change of any amount shows in a review.

    python -m tests.golden.sheet            write the file anew
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GOLDEN = Path(__file__).with_name("usage_costs.csv")
DATA = Path(__file__).resolve().parents[2] / "scripts" / "prices" / "data"
PICODOLLARS = Decimal(10) ** 12

CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
COLUMNS = {
    "default": (
        "input_cost_per_token",
        "output_cost_per_token",
        "cache_read_input_token_cost",
        "cache_creation_input_token_cost",
        "cache_creation_input_token_cost_above_1hr",
    ),
    "batch": ("input_cost_per_token_batches", "output_cost_per_token_batches"),
    "flex": ("input_cost_per_token_flex", "output_cost_per_token_flex"),
    "priority": ("input_cost_per_token_priority", "output_cost_per_token_priority"),
}
HEADER = (
    "case",
    "model",
    "region",
    "tier",
    *(f"{name}_tokens" for name in CLASSES),
    "unit",
    "units",
    "input_cost",
    "output_cost",
    "cache_cost",
    "other_cost",
    "total_cost",
    "total_usd",
    "priced",
)

# Rows of the table by their key. A key is either what Bedrock is called with, or the region and
# what it is called with there.
KEYS = (
    "ai21.jamba-1-5-large-v1:0",
    "amazon.nova-lite-v1:0",
    "amazon.nova-micro-v1:0",
    "amazon.nova-premier-v1:0",
    "amazon.nova-pro-v1:0",
    "amazon.titan-embed-text-v2:0",
    "apac.amazon.nova-lite-v1:0",
    "bedrock/ap-northeast-1/anthropic.claude-v2:1",
    "bedrock/ap-south-1/meta.llama3-70b-instruct-v1:0",
    "bedrock/eu-west-1/meta.llama3-8b-instruct-v1:0",
    "bedrock/eu-west-3/mistral.mistral-large-2402-v1:0",
    "bedrock/us-gov-west-1/amazon.nova-pro-v1:0",
    "bedrock/us-gov-west-1/anthropic.claude-opus-5-5",
    "cohere.embed-english-v3",
    "cohere.embed-v4:0",
    "deepseek.v3.2",
    "eu.amazon.nova-pro-v1:0",
    "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
    "eu.anthropic.claude-sonnet-4-6",
    "global.amazon.nova-2-lite-v1:0",
    "global.anthropic.claude-haiku-4-5-20251001-v1:0",
    "global.anthropic.claude-haiku-5-5",
    "global.anthropic.claude-opus-4-6-v1",
    "global.anthropic.claude-sonnet-4-6",
    "global.openai.gpt-5.4",
    "global.openai.gpt-6-luna",
    "jp.anthropic.claude-haiku-4-5-20251001-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "mistral.ministral-3-8b-instruct",
    "mistral.mistral-large-3-675b-instruct",
    "moonshotai.kimi-k2.5",
    "openai.gpt-oss-120b-1:0",
    "openai.gpt-oss-20b-1:0",
    "qwen.qwen3-235b-a22b-2507-v1:0",
    "us.amazon.nova-2-lite-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "us.anthropic.claude-haiku-5-5",
    "us.anthropic.claude-opus-4-6-v1",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "us.anthropic.claude-sonnet-4-6",
    "us.deepseek.r1-v1:0",
    "us.meta.llama4-maverick-17b-instruct-v1:0",
    "us.meta.llama4-scout-17b-instruct-v1:0",
    "us.moonshotai.kimi-k3",
    "us.openai.gpt-5.4",
    "us.openai.gpt-6.1-sol",
    "us.zai.glm-5.3",
    "writer.palmyra-x5-v1:0",
)

# Tokens by class, in the order of CLASSES. Odd counts, so that a rounding anywhere would show.
PLAIN_CALLS = {
    "one of each": (1, 1, 0, 0, 0),
    "chat": (1_237, 563, 0, 0, 0),
    "agent": (48_611, 7_919, 0, 0, 0),
}
CACHE_CALLS = {
    "cache read": (17, 389, 90_001, 0, 0),
    "cache written": (23, 641, 3_001, 12_007, 0),
    "cache written for an hour": (29, 701, 0, 1_009, 40_009),
}
OTHER_TIER_CALLS = {"chat": PLAIN_CALLS["chat"], "cache read": CACHE_CALLS["cache read"]}
CALLS_OF_NOTHING = {"failed": (0, 0, 0, 0, 0)}

# Calls around a threshold of input, as what they have more than it: nothing, one token, or one
# token in each class of the cache.
LONG_CALLS = {
    "up to the threshold": (0, 977, 0, 0, 0),
    "a token beyond": (1, 977, 0, 0, 0),
    "beyond by the cache": (-7, 1_009, 1, 3, 5),
}
# Above this many input tokens these cost more, and nobody publishes how much.
UNPUBLISHED_BEYOND = {"global.openai.gpt-5.5": 272_000, "us.openai.gpt-5.6-sol": 272_000}
UNIT_COUNTS = (1, 7)


@dataclass(frozen=True)
class Line:
    """One line of the sheet: a call and what it costs."""

    case: str
    model: str
    region: str
    tier: str
    tokens: tuple[int, ...]
    prices: tuple[str, ...]
    is_published: bool = True
    unit: str = ""
    units: int = 0
    unit_price: str = "0"

    def cells(self) -> tuple[str, ...]:
        """The line as text, in the order of HEADER."""
        with localcontext() as context:
            context.prec = 60
            known = [Decimal(price) if price else Decimal(0) for price in self.prices]
            amounts = [price * count for price, count in zip(known, self.tokens, strict=True)]
            other = Decimal(self.unit_price) * self.units
            total = sum(amounts, other)
            costs = (amounts[0], amounts[1], sum(amounts[2:], Decimal(0)), other, total)
            priced = self.is_published and all(
                price or not count for price, count in zip(self.prices, self.tokens, strict=True)
            )
            return (
                self.case,
                self.model,
                self.region,
                self.tier,
                *(str(count) for count in self.tokens),
                self.unit,
                str(self.units or ""),
                *(_whole(cost * PICODOLLARS) for cost in costs),
                f"{total:f}".rstrip("0").rstrip(".") if total else "0",
                "yes" if priced else "no",
            )


def lines() -> Iterator[Line]:
    """All lines, always in the same order."""
    with (DATA / "bedrock_prices.csv").open(newline="", encoding="utf-8") as text:
        table = {row["key"]: row for row in csv.DictReader(text)}
    supplement = json.loads((DATA / "bedrock_supplement.json").read_text("utf-8"))
    for entry in supplement["cache_writes"]:
        _add_writes(table, entry)
    for key in KEYS:
        yield from _lines_of(key, table[key])
    for longer in supplement["long_context"]:
        for key in KEYS:
            if any(key.endswith(f".{model}") for model in longer["models"]):
                yield from _long_lines(key, table[key], longer)
    for key, threshold in UNPUBLISHED_BEYOND.items():
        for case, tokens, is_beyond in _long_calls(threshold):
            prices = tuple(table[key][name] for name in COLUMNS["default"])
            yield Line(case, key, "us-east-1", "default", tokens, prices, not is_beyond)
    for entry in supplement["units"]:
        yield from _unit_lines(entry)


def _add_writes(table: Mapping[str, dict[str, str]], entry: Mapping[str, Any]) -> None:
    for key, row in table.items():
        if key.endswith(tuple(entry["models"])) and row["cache_read_input_token_cost"]:
            row["cache_creation_input_token_cost"] = entry["cache_write_5m"]


def _lines_of(key: str, row: Mapping[str, str]) -> Iterator[Line]:
    model = key.rpartition("/")[2]
    region = key.split("/")[1] if "/" in key else "us-east-1"
    for tier, columns in COLUMNS.items():
        prices = tuple(row[name] for name in columns) + ("",) * (len(CLASSES) - len(columns))
        if not prices[0]:
            continue
        for case, tokens in _calls(tier, prices).items():
            yield Line(case, model, region, tier, tokens, prices)


def _long_lines(key: str, row: Mapping[str, str], longer: Mapping[str, Any]) -> Iterator[Line]:
    below = tuple(row[name] for name in COLUMNS["default"])
    factors = (longer["input_factor"], longer["output_factor"], *[longer["input_factor"]] * 3)
    above = tuple(
        price and str(Decimal(price) * Decimal(factor))
        for price, factor in zip(below, factors, strict=True)
    )
    for case, tokens, is_beyond in _long_calls(longer["threshold"]):
        yield Line(case, key, "us-east-1", "default", tokens, above if is_beyond else below)


def _long_calls(threshold: int) -> Iterator[tuple[str, tuple[int, ...], bool]]:
    for case, (more, output, *cache) in LONG_CALLS.items():
        yield case, (threshold + more, output, *cache), more + sum(cache) > 0


def _unit_lines(entry: Mapping[str, Any]) -> Iterator[Line]:
    for name, given in entry["units"].items():
        sizes = given if isinstance(given, dict) else {"": given}
        for size, price in sizes.items():
            unit = f"{name}/{size}" if size else name
            for count in UNIT_COUNTS:
                yield Line(
                    case="by the unit",
                    model=entry["model"],
                    region="us-east-1",
                    tier="default",
                    tokens=(0,) * len(CLASSES),
                    prices=("",) * len(CLASSES),
                    unit=unit,
                    units=count,
                    unit_price=price,
                )


def _calls(tier: str, prices: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    if tier != "default":
        return OTHER_TIER_CALLS
    if not any(prices[2:]):
        return PLAIN_CALLS
    # A class of tokens without a price counts as nothing, and the call as not fully priced.
    return PLAIN_CALLS | CACHE_CALLS | CALLS_OF_NOTHING


def _whole(picodollars: Decimal) -> str:
    if picodollars != picodollars.to_integral_value():
        raise ValueError(f"{picodollars} is not a whole number of picodollars")
    return str(int(picodollars))


def render() -> str:
    """The file's text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(line.cells() for line in lines())
    return out.getvalue()


if __name__ == "__main__":
    GOLDEN.write_text(render(), "utf-8")
