"""The price book: effective-dated list prices, contract prices and exact costs."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tollgate.domain.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tollgate.domain.models import ModelRef

    _Prices = Mapping[str, Any]
    _TierRates = Mapping[str, _Prices]
    _RoutingRates = Mapping[str, _TierRates]

_SCHEMA_VERSION = 1
_TOKENS_PER_UNIT = 10**6
_DEFAULT_TIER = "default"
_UNITS = "units"
_LONG_CONTEXT = "long_context"
_NESTED = (_LONG_CONTEXT, _UNITS)
# Books of tenants with contract prices that a process keeps ready.
_CONTRACTS = 256
# In the order in which `Rates` and `LongContext` have them.
_CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
_ROUTING_KEY = re.compile(r"in_region(/[a-z0-9-]+)?|geo/[a-z-]+|global")
_NOTHING: Mapping[str, int] = MappingProxyType({})


class PriceBookError(ValueError):
    """The price book is not usable; the message names the model and the figure."""


@dataclass(frozen=True, slots=True)
class LongContext:
    """Picodollars per token of a request whose total input exceeds `threshold`, all of it."""

    threshold: int
    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices in picodollars per token; None where the class of tokens has no price.

    `input_limit`: the largest total input (cache tokens included) these prices hold for, where
    the provider charges more beyond a threshold that the book has no figures for.
    `long_context`: the prices beyond such a threshold where the book has them.
    `units`: picodollars per unit of what is not billed by the token: "image" (or
    "image/<size>/<quality>" where it matters), "search", "guardrail_<policy>".
    `published` is False for an operator's ceiling: what is booked at it counts as unpriced.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    input_limit: int | None = None
    long_context: LongContext | None = None
    units: Mapping[str, int] = field(default_factory=dict, hash=False)
    published: bool = True

    def for_input(self, total_input: int) -> Rates | LongContext:
        """The prices of a request with this total input (cache tokens included)."""
        if self.long_context is None or total_input <= self.long_context.threshold:
            return self
        return self.long_context

    def unit_price(self, unit: str) -> int | None:
        """Picodollars for one unit; a price for all sizes stands in for that of one size."""
        exact = self.units.get(unit)
        return self.units.get(unit.partition("/")[0]) if exact is None else exact


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one request by class; `input` excludes the cache classes."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def total_input(self) -> int:
        """Every token that went in, whatever its class."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request cost, in picodollars.

    `priced` is False when part of the usage has no price: the components then hold only what
    is known, and the sum is a lower bound.
    """

    input: int
    output: int
    cache: int
    other: int
    priced: bool

    @property
    def total(self) -> int:
        """The sum of all components in picodollars."""
        return self.input + self.output + self.cache + self.other


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the price book knows about a model besides prices; limits are in tokens."""

    model_id: str
    mode: str
    max_input_tokens: int | None
    max_output_tokens: int | None
    end_of_life: date | None


class PriceBook:
    """List prices by model, routing, service tier and day.

    Amounts stay text until asked for: a cold start pays for one JSON parse, not for
    thousands of numbers.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take a parsed price book document; raises PriceBookError when it is not version 1."""
        given = document.get("schema_version")
        if given != _SCHEMA_VERSION:
            raise PriceBookError(f"price book schema_version {given!r}: only {_SCHEMA_VERSION}")
        if (document.get("currency"), document.get("unit")) != ("USD", "1M tokens"):
            raise PriceBookError("price book must be in USD per 1M tokens")
        self.version: str = document["version"]
        self._document = document
        self._models: Mapping[str, Any] = document["models"]
        self._base_ids: dict[str, str] = {
            alias: model_id
            for model_id, model in self._models.items()
            for alias in model.get("aliases", ())
        }
        self._contract: Mapping[str, _RoutingRates] = {}
        self._contracts: dict[str, PriceBook] = {}

    @classmethod
    def from_json(cls, text: str) -> PriceBook:
        """Read a price book document; raises PriceBookError or json.JSONDecodeError."""
        return cls(json.loads(text))

    def with_overrides(self, prices: Mapping[str, _RoutingRates]) -> PriceBook:
        """Return the book with a tenant's contract prices over the list prices.

        `prices` maps base model id (or alias) to routing key to tier to prices, as in the book. A
        price that is given wins whatever the day; what is not given stays at the list price, so
        a contract never makes anything free by leaving it out. The version names the contract.
        Raises PriceBookError where a contract price cannot be read.
        """
        if not prices:
            return self
        text = json.dumps(prices, sort_keys=True)
        book = self._contracts.get(text)
        if book is None:
            book = self._under_contract(prices, text)
            if len(self._contracts) >= _CONTRACTS:
                self._contracts.pop(next(iter(self._contracts)))
            self._contracts[text] = book
        return book

    def _under_contract(self, prices: Mapping[str, _RoutingRates], text: str) -> PriceBook:
        book = PriceBook(self._document)
        book.version = f"{self.version}+{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        book._contract = {book.base_id(given): rates for given, rates in prices.items()}
        if len(book._contract) < len(prices):
            raise PriceBookError("contract prices name a model twice, by its id and by an alias")
        for base, by_routing in book._contract.items():
            for routing, by_tier in by_routing.items():
                book._check_contract(base, routing, by_tier)
        return book

    def _check_contract(self, base: str, routing: str, by_tier: _TierRates) -> None:
        if _ROUTING_KEY.fullmatch(routing) is None:
            raise PriceBookError(f"contract price of {base}: {routing!r} is no routing of the book")
        periods = self._models.get(base, {}).get("effective", ())
        for listed in [period["rates"].get(routing, {}) for period in periods] or [{}]:
            for tier, contract in by_tier.items():
                _parse_rates(base, _overlay(listed.get(tier), contract), None)

    @staticmethod
    def ceiling(unpriced: Mapping[str, str] | None) -> Rates | None:
        """Return an operator's ceiling (USD per 1M tokens) as rates for what has no price.

        Every input token counts at `input`, whatever its class. None stays None: no ceiling, no
        call. Raises PriceBookError for an amount that cannot be read.
        """
        if unpriced is None:
            return None
        try:
            price_in, price_out = per_token(unpriced["input"]), per_token(unpriced["output"])
        except (KeyError, TypeError, ValueError) as error:
            raise PriceBookError(f"ceiling for models without a price: {error}") from error
        return Rates(price_in, price_out, price_in, price_in, price_in, published=False)

    def base_id(self, model_id: str) -> str:
        """Return the base model id behind an alias, and any other id as it is."""
        return self._base_ids.get(model_id, model_id)

    def card(self, model_id: str) -> ModelCard | None:
        """Return the card of a base model id or alias, or None when the book lacks it.

        Of a model that only a contract prices, its id says what it does, and nothing its limits.
        """
        base = self.base_id(model_id)
        model = self._models.get(base)
        if model is None:
            return unlisted_card(base) if base in self._contract else None
        end = model.get("end_of_life")
        return ModelCard(
            model_id=base,
            mode=model["mode"],
            max_input_tokens=model.get("max_input_tokens"),
            max_output_tokens=model.get("max_output_tokens"),
            end_of_life=date.fromisoformat(end) if end else None,
        )

    def rates(
        self, ref: ModelRef, *, region: str, at: datetime, tier: str = _DEFAULT_TIER
    ) -> Rates | None:
        """Return the prices of a model on a routing and tier at a moment, or None if unpriced.

        `region` is where the call is made; its own price, where there is one, goes before the
        general in-region price. One routing, region or tier never stands in for another, since
        that would bill a price nobody published. `at` must be timezone-aware.
        """
        base = self.base_id(ref.model_id)
        model = self._models.get(base, {})
        period = _period(model, at)
        listed = _routing_rates({} if period is None else period["rates"], ref, region)
        contract = _routing_rates(self._contract.get(base, {}), ref, region)
        limit = model.get("priced_up_to_input_tokens")
        return _parse_rates(base, _overlay(listed.get(tier), contract.get(tier)), limit)

    def model_ids(self) -> tuple[str, ...]:
        """Return every base model id, sorted."""
        return tuple(sorted({*self._models, *self._contract}))

    def profile_ids(self) -> tuple[str, ...]:
        """Return every id that can be called, sorted: base ids, geo and global profiles."""
        return tuple(sorted({pid for base in self.model_ids() for pid in self._profiles(base)}))

    def _profiles(self, base: str) -> Iterator[str]:
        periods = self._models.get(base, {}).get("effective", ())
        for by_routing in (*(period["rates"] for period in periods), self._contract.get(base, {})):
            for key in by_routing:
                routing, _, place = key.partition("/")
                if routing == "in_region":
                    yield base
                else:
                    yield f"{place or routing}.{base}"


def unlisted_card(model_id: str) -> ModelCard:
    """The card of a base model that the book lacks: what it does, as far as its id says."""
    mode = "chat"
    if "embed" in model_id:
        mode = "embedding"
    elif "image" in model_id or model_id.startswith("stability."):
        mode = "image_generation"
    return ModelCard(model_id, mode, None, None, None)


def cost(rates: Rates, usage: TokenUsage, units: Mapping[str, int] = _NOTHING) -> Cost:
    """Multiply usage by prices, exactly; see `Cost` for usage that has no price.

    `units` counts what is not billed by the token, under the names that `Rates` has; it is the
    cost's `other`.
    """
    prices = rates.for_input(usage.total_input)
    lines = (
        (prices.input, usage.input),
        (prices.output, usage.output),
        (prices.cache_read, usage.cache_read),
        (prices.cache_write_5m, usage.cache_write_5m),
        (prices.cache_write_1h, usage.cache_write_1h),
        *((rates.unit_price(unit), count) for unit, count in units.items()),
    )
    amounts = [(rate or 0) * count for rate, count in lines]
    within = rates.input_limit is None or usage.total_input <= rates.input_limit
    complete = all(rate is not None or not count for rate, count in lines)
    return Cost(
        input=amounts[0],
        output=amounts[1],
        cache=sum(amounts[2:5]),
        other=sum(amounts[5:]),
        priced=rates.published and within and complete,
    )


def worst_case(rates: Rates, input_tokens: int) -> tuple[int, int]:
    """Return the highest picodollars per input token, of whatever class, and per output token.

    No request with a total input of at most `input_tokens` costs more per token, on whichever
    side of the long-context threshold it falls. Raises ValueError when no class of input has a
    price. Output without a price counts zero, as it does in `cost`.
    """
    sides = (rates, rates.for_input(input_tokens))
    inputs = [
        rate
        for side in sides
        for rate in (side.input, side.cache_read, side.cache_write_5m, side.cache_write_1h)
        if rate is not None
    ]
    if not inputs:
        raise ValueError("no class of input tokens has a price")
    return max(inputs), max(side.output or 0 for side in sides)


def dearest_unit(rates: Rates, kind: str) -> int:
    """Return the highest picodollars one unit of a kind ("image") can cost, whatever its size.

    Raises ValueError when the kind has no price.
    """
    priced = [rate for unit, rate in rates.units.items() if unit.partition("/")[0] == kind]
    if not priced:
        raise ValueError(f"{kind} has no price per unit")
    return max(priced)


@cache
def load_default() -> PriceBook:
    """Return the price book shipped with the package, read once per process."""
    return PriceBook.from_json(files("tollgate.prices").joinpath("bedrock.json").read_text("utf-8"))


def _period(model: Mapping[str, Any], at: datetime) -> Mapping[str, Any] | None:
    if at.tzinfo is None:
        raise ValueError("prices are looked up at a timezone-aware moment")
    day = at.astimezone(UTC).date().isoformat()
    # ISO dates compare as text; the newest period wins where periods overlap.
    current = [
        period
        for period in model.get("effective", ())
        if period["from"] <= day and (period.get("to") is None or day < period["to"])
    ]
    return max(current, key=lambda period: str(period["from"]), default=None)


def _routing_rates(rates: _RoutingRates, ref: ModelRef, region: str) -> _TierRates:
    if ref.routing == "in_region":
        regional = rates.get(f"in_region/{region}")
        return rates.get("in_region", {}) if regional is None else regional
    return rates.get(f"geo/{ref.geo}" if ref.routing == "geo" else ref.routing, {})


def _overlay(listed: _Prices | None, contract: _Prices | None) -> _Prices | None:
    if listed is None or contract is None:
        return listed if contract is None else _given(contract)
    merged = {**listed, **_given(contract)}
    for name, merge in ((_LONG_CONTEXT, _merge_fields), (_UNITS, _merge_units)):
        if listed.get(name) and contract.get(name):
            merged[name] = merge(listed[name], contract[name])
    return merged


def _given(prices: _Prices) -> _Prices:
    # A tenant's document writes every field; null is what the contract leaves to the list.
    return {name: price for name, price in prices.items() if price is not None}


def _merge_fields(listed: _Prices, contract: _Prices) -> _Prices:
    return {**listed, **_given(contract)}


def _merge_units(listed: _Prices, contract: _Prices) -> _Prices:
    agreed = _given(contract)
    # One contract price for all sizes replaces the list prices of each size.
    kept = {
        name: text for name, text in _unit_lines(listed) if name.partition("/")[0] not in agreed
    }
    return {**kept, **dict(_unit_lines(agreed))}


def _parse_rates(model_id: str, prices: _Prices | None, input_limit: int | None) -> Rates | None:
    if prices is None:
        return None
    try:
        classes = _classes({k: v for k, v in prices.items() if k not in _NESTED})
        longer = _long_context(prices.get(_LONG_CONTEXT), classes)
        token_in, token_out, cache_read, cache_write_5m, cache_write_1h = classes
        return Rates(
            input=token_in,
            output=token_out,
            cache_read=cache_read,
            cache_write_5m=cache_write_5m,
            cache_write_1h=cache_write_1h,
            input_limit=input_limit if longer is None else None,
            long_context=longer,
            units={name: amount(text) for name, text in _unit_lines(prices.get(_UNITS) or {})},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PriceBookError(f"price of {model_id}: {error}") from error


def _classes(prices: _Prices) -> list[int | None]:
    unknown = sorted(set(prices) - set(_CLASSES))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no class of tokens: use {', '.join(_CLASSES)}")
    return [per_token(prices[name]) if name in prices else None for name in _CLASSES]


def _long_context(prices: _Prices | None, below: list[int | None]) -> LongContext | None:
    if prices is None:
        return None
    prices = _given(prices)
    threshold = prices["threshold"]
    if type(threshold) is not int or threshold < 1:
        raise ValueError(f"long context from {threshold!r}: the threshold is a number of tokens")
    beyond = _classes({name: text for name, text in prices.items() if name != "threshold"})
    missing = [
        name
        for name, short, long in zip(_CLASSES, below, beyond, strict=True)
        if short is not None and long is None
    ]
    if missing:
        raise ValueError(f"long context has no price for {', '.join(missing)}")
    return LongContext(threshold, *beyond)


def _unit_lines(units: _Prices) -> Iterator[tuple[str, str]]:
    for name, price in units.items():
        if isinstance(price, str):
            yield name, price
        elif price is not None:
            yield from ((f"{name}/{size}", text) for size, text in price.items())


def per_token(text: str) -> int:
    """Picodollars per token of a price in USD per million tokens; ValueError if not whole."""
    rate, remainder = divmod(amount(text), _TOKENS_PER_UNIT)
    if remainder:
        raise ValueError(f"{text!r} per 1M tokens is not a whole picodollar per token")
    return rate


def amount(text: str) -> int:
    """Picodollars of an amount in USD. Raises ValueError for what is none, or below zero."""
    pico = usd(text)
    if pico < 0:
        raise ValueError(f"{text!r} is below zero")
    return pico
