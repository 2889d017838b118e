"""What a provider charges for a call, from the stub's own log and the published prices alone.

Shares nothing with the gateway's way of pricing: it reads the list as it stands in the file, in
decimals, and knows what the list has no price for. An amount is whole picodollars.
"""

from __future__ import annotations

import json
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.catalogue import PRICE_BOOK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

PICODOLLARS = 10**12
TOKENS_PER_PRICE = 10**6
# What the list does not have: a use of a provider's tool, a token of speech as so many of text,
# fast mode and a tier that has no price of its own as so many times the usual price.
TOOL_USE_USD = Decimal("0.01")
TOKENS_OF_SPEECH = 8
FAST = 6
OTHER_TIER = Decimal("1.75")
MS_PER_HOUR = 3_600_000

_GUARDRAIL = "amazon.bedrock-guardrails"
_GUARDRAIL_UNITS = {
    "automatedReasoningPolicyUnits": "guardrail_automated_reasoning",
    "contentPolicyImageUnits": "guardrail_content_image",
    "contentPolicyUnits": "guardrail_content",
    "contextualGroundingPolicyUnits": "guardrail_contextual_grounding",
    "sensitiveInformationPolicyFreeUnits": "guardrail_sensitive_information_free",
    "sensitiveInformationPolicyUnits": "guardrail_sensitive_information",
    "topicPolicyUnits": "guardrail_topic",
    "wordPolicyUnits": "guardrail_word",
}
_CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


class PriceList:
    """The published prices of one region on one day.

    `profiles` are models behind ARNs, `others` the prices of models that have none published.
    """

    def __init__(
        self,
        region: str,
        day: date,
        profiles: Mapping[str, str] = MappingProxyType({}),
        others: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        book: dict[str, Any] = json.loads(PRICE_BOOK.read_text("utf-8"))
        self._models: Mapping[str, Any] = book["models"]
        self._ids = {alias: base for base, m in self._models.items() for alias in m["aliases"]}
        self._profiles = profiles
        self._others = others
        self._region = region
        self._day = day.isoformat()

    def charged(self, entry: Mapping[str, Any]) -> int:
        """Picodollars of an entry of the Bedrock stub's log."""
        prices, factor = self._prices(entry["modelId"], entry["service_tier"])
        if entry["speed"] == "fast":
            factor *= FAST
        usage = entry["usage"]
        rounds: Sequence[Mapping[str, Any]] = usage.get("iterations", [usage])
        tokens = sum((_tokens_usd(one, prices) for one in rounds), Decimal(0))
        units = sum(
            (self._unit_usd(unit, prices) * count for unit, count in entry["units"].items()),
            Decimal(0),
        )
        return _picodollars(tokens * factor + units)

    def _prices(self, called: str, tier: str) -> tuple[Mapping[str, Any], Decimal]:
        """The prices of what was called on a tier, and how many times they are charged."""
        if called in self._others:
            return self._others[called], Decimal(1)
        called = self._profiles.get(called, called)
        place, _, base = called.partition(".")
        if base in self._models or base in self._ids:
            key = place if place == "global" else f"geo/{place}"
        else:
            base, key = called, "in_region"
        by_routing = self._rates(self._ids.get(base, base))
        by_tier = by_routing.get(f"{key}/{self._region}") or by_routing[key]
        if tier in by_tier:
            return by_tier[tier], Decimal(1)
        return by_tier["default"], OTHER_TIER

    def _rates(self, base: str) -> Mapping[str, Any]:
        current = [
            period
            for period in self._models[base]["effective"]
            if period["from"] <= self._day and self._day < (period["to"] or "9999")
        ]
        newest: Mapping[str, Any] = max(current, key=lambda period: str(period["from"]))["rates"]
        return newest

    def _unit_usd(self, unit: str, prices: Mapping[str, Any]) -> Decimal:
        if unit in _GUARDRAIL_UNITS:
            listed = self._rates(_GUARDRAIL)["in_region"]["default"]["units"]
            return Decimal(listed[_GUARDRAIL_UNITS[unit]])
        if unit == "audio_token":
            return Decimal(prices["output"]) * TOKENS_OF_SPEECH / TOKENS_PER_PRICE
        kind, _, size = unit.partition("/")
        if kind != "image":
            return TOOL_USE_USD
        listed = prices["units"][kind]
        return Decimal(listed if isinstance(listed, str) else listed[size])


def endpoint_charged(entry: Mapping[str, Any], price: Mapping[str, Any]) -> int:
    """Picodollars of an entry of the SageMaker stub's log, at the price of its endpoint."""
    usage, units = entry["usage"], entry["units"]
    if "per_request" in price:
        return _picodollars(Decimal(price["per_request"]) * units.get("request", 0))
    if "instance_hour_usd" in price:
        hours = Decimal(units.get("machine_ms", 0)) / MS_PER_HOUR
        return _picodollars(Decimal(price["instance_hour_usd"]) * price.get("instances", 1) * hours)
    given = Decimal(price["per_1m_input"]) * usage["inputTokens"]
    made = Decimal(price["per_1m_output"]) * usage["outputTokens"]
    return _picodollars((given + made) / TOKENS_PER_PRICE)


def _tokens_usd(usage: Mapping[str, Any], prices: Mapping[str, Any]) -> Decimal:
    written = {detail["ttl"]: detail["inputTokens"] for detail in usage.get("cacheDetails", ())}
    counts = {
        "input": usage["inputTokens"],
        "output": usage["outputTokens"],
        "cache_read": usage.get("cacheReadInputTokens", 0),
        "cache_write_5m": written.get("5m", 0),
        "cache_write_1h": written.get("1h", 0),
    }
    longer = prices.get("long_context")
    given = sum(count for name, count in counts.items() if name != "output")
    if longer is not None and given > longer["threshold"]:
        prices = longer
    return (
        sum(
            # Of some models what is written to the cache has no price, as it costs nothing.
            (Decimal(prices.get(name) or 0) * counts[name] for name in _CLASSES),
            Decimal(0),
        )
        / TOKENS_PER_PRICE
    )


def _picodollars(usd: Decimal) -> int:
    whole = usd * PICODOLLARS
    return int(whole.to_integral_value(rounding="ROUND_CEILING"))
