"""The price book: effective-dated list prices and exact costs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tollgate.domain.money import usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tollgate.domain.models import ModelRef

    _TierRates = Mapping[str, Mapping[str, str]]
    _RoutingRates = Mapping[str, _TierRates]

_SCHEMA_VERSION = 1
_TOKENS_PER_UNIT = 10**6


class PriceBookError(ValueError):
    """The price book is not usable; the message names the model and the figure."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices in picodollars per token; None where the class of tokens has no price.

    `input_limit`: the largest total input (cache tokens included) these prices hold for, where
    the provider charges more beyond a threshold that the book has no figures for.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    input_limit: int | None = None


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
        self._models: Mapping[str, Any] = document["models"]
        self._base_ids = {
            alias: model_id
            for model_id, model in self._models.items()
            for alias in model.get("aliases", ())
        }

    @classmethod
    def from_json(cls, text: str) -> PriceBook:
        """Read a price book document; raises PriceBookError or json.JSONDecodeError."""
        return cls(json.loads(text))

    def card(self, model_id: str) -> ModelCard | None:
        """Return the card of a base model id or alias, or None when the book lacks it."""
        base = self._base_ids.get(model_id, model_id)
        model = self._models.get(base)
        if model is None:
            return None
        end = model.get("end_of_life")
        return ModelCard(
            model_id=base,
            mode=model["mode"],
            max_input_tokens=model.get("max_input_tokens"),
            max_output_tokens=model.get("max_output_tokens"),
            end_of_life=date.fromisoformat(end) if end else None,
        )

    def rates(
        self, ref: ModelRef, *, region: str, at: datetime, tier: str = "default"
    ) -> Rates | None:
        """Return the prices of a model on a routing and tier at a moment, or None if unpriced.

        `region` is where the call is made; its own price, where there is one, goes before the
        general in-region price. One routing, region or tier never stands in for another, since
        that would bill a price nobody published. `at` must be timezone-aware.
        """
        base = self._base_ids.get(ref.model_id, ref.model_id)
        model = self._models.get(base)
        period = None if model is None else _period(model, at)
        if model is None or period is None:
            return None
        by_tier = _routing_rates(period["rates"], ref, region)
        prices = None if by_tier is None else by_tier.get(tier)
        if prices is None:
            return None
        return _parse_rates(base, prices, model.get("priced_up_to_input_tokens"))

    def model_ids(self) -> tuple[str, ...]:
        """Return every base model id, sorted."""
        return tuple(sorted(self._models))

    def profile_ids(self) -> tuple[str, ...]:
        """Return every id that can be called, sorted: base ids, geo and global profiles."""
        return tuple(sorted({pid for base in self._models for pid in self._profiles(base)}))

    def _profiles(self, base: str) -> Iterator[str]:
        for period in self._models[base]["effective"]:
            for key in period["rates"]:
                routing, _, place = key.partition("/")
                if routing == "in_region":
                    yield base
                else:
                    yield f"{place or routing}.{base}"


def cost(rates: Rates, usage: TokenUsage) -> Cost:
    """Multiply usage by prices, exactly; see `Cost` for usage that has no price."""
    lines = (
        (rates.input, usage.input),
        (rates.output, usage.output),
        (rates.cache_read, usage.cache_read),
        (rates.cache_write_5m, usage.cache_write_5m),
        (rates.cache_write_1h, usage.cache_write_1h),
    )
    amounts = [(rate or 0) * tokens for rate, tokens in lines]
    within = rates.input_limit is None or usage.total_input <= rates.input_limit
    return Cost(
        input=amounts[0],
        output=amounts[1],
        cache=sum(amounts[2:]),
        other=0,
        priced=within and all(rate is not None or not tokens for rate, tokens in lines),
    )


def dearest_input(rates: Rates) -> int:
    """Return the highest picodollars an input token can cost, whatever its class.

    Raises ValueError when no class of input has a price.
    """
    classes = (rates.input, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h)
    priced = [rate for rate in classes if rate is not None]
    if not priced:
        raise ValueError("no class of input tokens has a price")
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
        for period in model["effective"]
        if period["from"] <= day and (period.get("to") is None or day < period["to"])
    ]
    return max(current, key=lambda period: str(period["from"]), default=None)


def _routing_rates(rates: _RoutingRates, ref: ModelRef, region: str) -> _TierRates | None:
    if ref.routing == "in_region":
        return rates.get(f"in_region/{region}", rates.get("in_region"))
    if ref.routing == "geo":
        return rates.get(f"geo/{ref.geo}")
    return rates.get("global")


def _parse_rates(model_id: str, prices: Mapping[str, str], input_limit: int | None) -> Rates:
    try:
        per_token = {name: _per_token(text) for name, text in prices.items()}
        return Rates(**per_token, input_limit=input_limit)
    except (TypeError, ValueError) as error:
        raise PriceBookError(f"price of {model_id}: {error}") from error


def _per_token(text: str) -> int:
    per_token, remainder = divmod(usd(text), _TOKENS_PER_UNIT)
    if remainder:
        raise ValueError(f"{text!r} per 1M tokens is not a whole picodollar per token")
    return per_token
