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

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
_REGIONS = {
    "USE1": "us-east-1",
    "USE2": "us-east-2",
    "USW1": "us-west-1",
    "USW2": "us-west-2",
    "UGE1": "us-gov-east-1",
    "UGW1": "us-gov-west-1",
    "CAN1": "ca-central-1",
    "SAE1": "sa-east-1",
    "EU": "eu-west-1",
    "EUW2": "eu-west-2",
    "EUW3": "eu-west-3",
    "EUC1": "eu-central-1",
    "EUC2": "eu-central-2",
    "EUN1": "eu-north-1",
    "EUS1": "eu-south-1",
    "EUS2": "eu-south-2",
    "APN1": "ap-northeast-1",
    "APN2": "ap-northeast-2",
    "APN3": "ap-northeast-3",
    "APS1": "ap-southeast-1",
    "APS2": "ap-southeast-2",
    "APS3": "ap-south-1",
    "APS4": "ap-southeast-3",
    "APS5": "ap-south-2",
    "APS6": "ap-southeast-4",
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Words of a usage type that say what is counted. Anything else makes it somebody else's price.
_NOISE = frozenset(
    {
        "token",
        "tokens",
        "count",
        "units",
        "text",
        "standard",
        "million",
        "cross",
        "region",
        "on",
        "demand",
    }
)
_TIER_WORDS = {"batch": "batch", "flex": "flex", "priority": "priority"}
_NO_MODEL_WORDS = frozenset({"v", "amazon", "bedrock", "edition", "instruct"})


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
    region, _, rest = usagetype.partition("-")
    if rest.startswith("MP:"):
        code, _, rest = rest.removeprefix("MP:").partition("_")
        meter = _meter(rest.removesuffix("-Units"))
        return None if meter is None or code != region else (region, "", meter)
    match = re.match(r"(?P<model>.+?)-(?P<meter>(cache-|input-|output-|text-|million-).*)", rest)
    meter = None if match is None else _meter(match["meter"])
    return None if match is None or meter is None else (region, match["model"], meter)


def compare(models: Mapping[str, Any], quotes: Iterable[Quote], day: str) -> Comparison:
    """Compare quotes with the book's prices of a day ("YYYY-MM-DD").

    Of several SKUs for one price the newest counts, of equally new ones the dearest. A regional
    price is compared with what the book has for that region: its own in-region price, else the
    general one, and the profiles of its geography. Where those of one geography disagree between
    regions, the book must not be cheaper than any, so the dearest counts.
    """
    ids = _ids_by_name(models)
    best: dict[tuple[str, str, Meter], Quote] = {}
    unknown = set()
    for quote in quotes:
        model_id = ids.get(_name(quote.model))
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
    region = attributes.get("regionCode") or _REGIONS.get(prefix)
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


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _meter(text: str) -> Meter | None:
    words = Counter(_words(text.replace("1h", "1-h").replace("30m", "30-m")))
    for pair in (("1", "h"), ("long", "ctx"), ("l", "ctx")):
        if all(words[word] for word in pair):
            words.subtract(pair)
            words["".join(pair)] += 1
    words = Counter({word: n for word, n in words.items() if n and word not in _NOISE})

    def take(word: str) -> bool:
        return bool(words.pop(word, 0))

    tiers = [tier for word, tier in _TIER_WORDS.items() if take(word)]
    is_global, is_geo = take("global"), take("geo")
    is_long = any([take("longctx"), take("lctx")])
    token_class = _token_class(words)
    if token_class is None or len(tiers) > 1 or (is_global and is_geo):
        return None
    routing = "global" if is_global else "geo" if is_geo else "regional"
    return Meter(token_class, tiers[0] if tiers else "default", routing, is_long)


def _token_class(words: Mapping[str, int]) -> str | None:
    return {
        frozenset({"input"}): "input",
        frozenset({"output"}): "output",
        frozenset({"cache", "read"}): "cache_read",
        frozenset({"cache", "read", "input"}): "cache_read",
        frozenset({"cache", "write"}): "cache_write_5m",
        frozenset({"cache", "write", "input"}): "cache_write_5m",
        frozenset({"cache", "write", "1h"}): "cache_write_1h",
        frozenset({"cache", "write", "input", "1h"}): "cache_write_1h",
    }.get(frozenset(words))


def _name(text: str) -> tuple[str, ...]:
    # "Claude Sonnet 4.6 (Amazon Bedrock Edition)", "Claude 4.6 Sonnet" and the id
    # "anthropic.claude-sonnet-4-6" have the same words, whatever their order.
    words = _words(re.sub(r"(?<=[0-9])\.0(?![0-9])", "", text))
    return tuple(sorted(word for word in words if word not in _NO_MODEL_WORDS))


def _ids_by_name(models: Mapping[str, Any]) -> dict[tuple[str, ...], str]:
    owners: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for model_id in models:
        provider, _, rest = model_id.partition(".")
        bare = re.sub(r"(-v[0-9]+|-v?[0-9]+:[0-9]+)$", "", rest)
        undated = re.sub(r"-20[0-9]{6}", "", bare)
        for spelled in {model_id, rest, bare, undated, f"{provider}.{bare}"}:
            owners[_name(spelled)].add(model_id)
    return {name: ids.pop() for name, ids in owners.items() if len(ids) == 1}


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
