"""Reads AWS offer files and says where the price book differs. It proposes; people decide.

Amazon Bedrock's prices lie in three offers: `AmazonBedrock` (USD per 1K tokens),
`AmazonBedrockFoundationModels` (the marketplace's models; a unit is 1M tokens) and
`AmazonBedrockService`. None has a model id, and three ways of writing a usage type are in use:

    USE1-NovaMicro-input-tokens-batch
    USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units
    USE1-MP:USE1_cache_write_tokens_1h_global_standard-Units

What is not understood to the last word is passed over and counted: a wrong proposal costs more
than a missing one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.reconcile import usage_types
from scripts.reconcile.usage_types import ModelNames
from tollgate.domain.models import geographies
from tollgate.domain.money import format_usd, usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_TOKENS_PER_UNIT = {
    ("AmazonBedrock", "1k tokens"): 10**3,
    ("AmazonBedrockService", "1k tokens"): 10**3,
    ("AmazonBedrockService", "1m tokens"): 10**6,
    ("AmazonBedrock", "1m tokens"): 10**6,
    ("AmazonBedrockFoundationModels", "units"): 10**6,
    ("AmazonBedrockFoundationModels", "1m tokens"): 10**6,
}


class _PassedOver(Exception):  # noqa: N818 - an outcome of reading a SKU, not a failure
    pass


@dataclass(frozen=True, slots=True)
class Meter:
    """What a usage type counts: class and tier of tokens, the routing, and long context."""

    token_class: str
    tier: str = "default"
    routing: str = "regional"
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    """One SKU's price in picodollars per token, for a model as the offer names it."""

    model: str
    region: str
    meter: Meter
    price: int
    since: str
    sku: str
    usagetype: str


@dataclass(slots=True)
class Offer:
    """The quotes of an offer file, and how many SKUs were passed over, by reason."""

    quotes: list[Quote]
    passed_over: Counter[str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A price that an offer has and the book has not, or not like this."""

    model_id: str
    routing: str
    tier: str
    token_class: str
    book: int | None
    offer: int
    quote: Quote

    def __str__(self) -> str:
        """The line a person reads; prices in USD per 1M tokens."""
        before = "no price" if self.book is None else format_usd(self.book * 10**6)
        return (
            f"{self.model_id} {self.routing} {self.tier} {self.token_class}: "
            f"{before} -> {format_usd(self.offer * 10**6)} "
            f"({self.quote.usagetype}, sku {self.quote.sku}, since {self.quote.since})"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outcome: proposed changes, how many prices agree, and names no model of the book has."""

    proposals: list[Proposal]
    agreeing: int
    unknown_models: list[str]


def read_offer(document: Mapping[str, Any]) -> Offer:
    """Read an offer file (`index.json` of one of the three codes).

    Raises ValueError when it is no offer of Amazon Bedrock.
    """
    code = document.get("offerCode")
    if code not in {name for name, _ in _TOKENS_PER_UNIT}:
        raise ValueError(f"offerCode {code!r}: not an offer of Amazon Bedrock")
    offer = Offer([], Counter())
    for sku, product in document["products"].items():
        terms = document.get("terms", {}).get("OnDemand", {}).get(sku, {})
        try:
            offer.quotes.append(_quote(code, sku, product["attributes"], terms))
        except _PassedOver as reason:
            offer.passed_over[str(reason)] += 1
    return offer


def read_usagetype(usagetype: str) -> tuple[str, str, Meter] | None:
    """Split a usage type into region code, model (or "") and meter; None when not understood."""
    found = usage_types.read(usagetype)
    if found is None or found.kind not in usage_types.TOKEN_KINDS:
        return None
    meter = Meter(found.kind, found.tier, found.routing, found.is_long)
    return found.prefix, found.model, meter


def compare(models: Mapping[str, Any], quotes: Iterable[Quote], day: str) -> Comparison:
    """Compare quotes with the book's prices of a day ("YYYY-MM-DD").

    Of several SKUs for one price the newest counts, of equally new ones the dearest. A regional
    price is compared with what the book has for that region: its own in-region price, else the
    general one, and the profiles of its geography. Where those of one geography disagree between
    regions, the book must not be cheaper than any, so the dearest counts.
    """
    names = ModelNames(models)
    best: dict[tuple[str, str, Meter], Quote] = {}
    unknown = set()
    for quote in quotes:
        model_id = names.find(quote.model)
        if model_id is None:
            unknown.add(quote.model)
            continue
        key = (model_id, quote.region, quote.meter)
        if key not in best or _rank(quote) > _rank(best[key]):
            best[key] = quote
    wanted: dict[tuple[str, str, str, str], Quote] = {}
    for (model_id, region, meter), quote in best.items():
        name = f"long_context {meter.token_class}" if meter.is_long else meter.token_class
        for routing in _routings(_rates(models[model_id], day), region, meter.routing):
            place = (model_id, routing, meter.tier, name)
            if place not in wanted or quote.price > wanted[place].price:
                wanted[place] = quote
    proposals, agreeing = [], 0
    for (model_id, routing, tier, name), quote in sorted(wanted.items(), key=lambda item: item[0]):
        listed = _listed(_rates(models[model_id], day), routing, tier, name)
        if listed == quote.price:
            agreeing += 1
        else:
            proposals.append(Proposal(model_id, routing, tier, name, listed, quote.price, quote))
    return Comparison(proposals, agreeing, sorted(unknown))


def _quote(code: str, sku: str, attributes: Mapping[str, str], terms: Mapping[str, Any]) -> Quote:
    usagetype = attributes.get("usagetype", "")
    parts = read_usagetype(usagetype)
    if parts is None:
        raise _PassedOver("no rate for tokens, or a usage type of unknown form")
    prefix, named, meter = parts
    region = attributes.get("regionCode") or usage_types.table()["regions"].get(prefix)
    model = attributes.get("model") or named or attributes.get("servicename", "")
    if region is None or not model:
        raise _PassedOver("no region or no model")
    since, dimension = _current_dimension(terms)
    tokens = _TOKENS_PER_UNIT.get((code, dimension["unit"].lower()))
    if tokens is None:
        raise _PassedOver(f"unit {dimension['unit']!r}")
    price, rest = divmod(_usd(dimension["pricePerUnit"].get("USD", "")), tokens)
    if rest:
        raise _PassedOver("no whole picodollar per token")
    return Quote(model, region, meter, price, since[:10], sku, usagetype)


def _current_dimension(terms: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    dimensions = [
        (term.get("effectiveDate", ""), dimension)
        for term in terms.values()
        for dimension in term["priceDimensions"].values()
    ]
    if not dimensions:
        raise _PassedOver("no on-demand price")
    since, dimension = max(dimensions, key=lambda dated: str(dated[0]))
    if sum(start == since for start, _ in dimensions) > 1:
        raise _PassedOver("price depends on the quantity")
    return since, dimension


def _usd(text: str) -> int:
    # The files pad with zeros beyond what money holds.
    whole, _, fraction = text.partition(".")
    return usd(f"{whole}.{fraction.rstrip('0') or '0'}")


def _rank(quote: Quote) -> tuple[str, int]:
    return quote.since, quote.price


def _rates(model: Mapping[str, Any], day: str) -> Mapping[str, Any]:
    current = [
        period
        for period in model["effective"]
        if period["from"] <= day and (period.get("to") is None or day < period["to"])
    ]
    latest: Mapping[str, Any] = max(current, key=lambda period: str(period["from"]), default={})
    rates: Mapping[str, Any] = latest.get("rates", {})
    return rates


def _routings(rates: Mapping[str, Any], region: str, routing: str) -> Iterator[str]:
    if routing == "global":
        yield "global"
        return
    geos = [f"geo/{name}" for name in geographies(region) if f"geo/{name}" in rates]
    yield from geos
    if routing == "geo":
        return
    own = f"in_region/{region}"
    if own in rates or (not geos and "in_region" not in rates):
        yield own
    elif "in_region" in rates:
        yield "in_region" if region == "us-east-1" else own


def _listed(rates: Mapping[str, Any], routing: str, tier: str, name: str) -> int | None:
    kind = routing.partition("/")[0]
    by_tier = rates.get(routing, rates.get(kind, {}) if kind == "in_region" else {})
    prices = by_tier.get(tier, {})
    outer, _, inner = name.partition(" ")
    text = prices.get(outer, {}).get(inner) if inner else prices.get(outer)
    return None if text is None else usd(text) // 10**6
