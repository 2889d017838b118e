"""What a call costs: the price book under the terms that the tenant's policy sets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tollgate.domain import guardrails
from tollgate.domain.endpoints import endpoint_rates
from tollgate.domain.models import (
    ModelRef,
    UnsupportedModelId,
    app_model_arns,
    resolve_model,
)
from tollgate.domain.prices import Cost, PriceBook, Rates, TokenUsage, cost

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tollgate.domain.tenants import App, Tenant


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """The part of a tenant's policy that prices an app's calls; see `Tenant` for the fields.

    `model_arns` has the app's own inference profiles too. `endpoint` is the price of the SageMaker
    endpoint that is called, None for a model. `is_guarded` tells that a guardrail's prices count
    as well.
    """

    prices: Mapping[str, Any] = field(default_factory=dict)
    model_arns: Mapping[str, str] = field(default_factory=dict)
    unpriced: Mapping[str, str] | None = None
    endpoint: Mapping[str, Any] | None = None
    is_guarded: bool = False

    @classmethod
    def of(cls, tenant: Tenant, app: App | None) -> PriceTerms:
        """The terms of an app, or of one that the tenant has no more."""
        arns = tenant.model_arns if app is None else app_model_arns(tenant, app)
        return cls(tenant.prices, arns, tenant.unpriced)


LIST_PRICES = PriceTerms()
_NO_UNITS: Mapping[str, int] = MappingProxyType({})
# The prices per token without which a call of a kind of model cannot be bounded; what is billed by
# the unit is checked unit by unit.
_TOKEN_PRICES = {"chat": ("input", "output"), "embedding": ("input",)}


def has_token_prices(mode: str, rates: Rates) -> bool:
    """Whether rates have the prices per token that a call of a kind of model is bounded by."""
    return all(getattr(rates, name) is not None for name in _TOKEN_PRICES.get(mode, ()))


def bounds(mode: str, rates: Rates) -> bool:
    """Whether rates bound the cost of what a kind of model does; false for a kind not known."""
    if mode in _TOKEN_PRICES:
        return has_token_prices(mode, rates)
    return mode == "image_generation" and bool(rates.units)


class Pricing:
    """Prices calls of one region."""

    def __init__(self, book: PriceBook, region: str) -> None:
        self._book = book
        self._region = region

    def version(self, terms: PriceTerms) -> str:
        """The version that rows are stamped with: the book's, and the contract's if any."""
        if terms.endpoint is not None:
            text = json.dumps(terms.endpoint, sort_keys=True)
            return f"endpoint+{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        return self._book.with_overrides(terms.prices).version

    def rates(
        self, model: str, at: datetime, terms: PriceTerms, tier: str = "default"
    ) -> Rates | None:
        """The prices of a model id on a service tier, else the operator's ceiling, else None.

        A ceiling is one for models: a guardrail has its own prices, and without them none of its
        calls has any.
        """
        listed = self._listed(model, at, terms, tier)
        if listed is None:
            listed = PriceBook.ceiling(terms.unpriced)
        return self._guarded(listed, at, terms)

    def charge(  # noqa: PLR0913 - a call is priced by all of these
        self,
        model: str,
        at: datetime,
        terms: PriceTerms,
        usage: TokenUsage,
        tier: str,
        units: Mapping[str, int] = _NO_UNITS,
    ) -> Cost | None:
        """The exact cost of a call that `tier` served; None for a model without any price.

        A tier without a price is booked at the price that the call was held at, and flagged for
        re-pricing.
        """
        served = self._guarded(self._listed(model, at, terms, tier), at, terms)
        if served is not None:
            return cost(served, usage, units)
        held_at = self.rates(model, at, terms)
        return None if held_at is None else replace(cost(held_at, usage, units), priced=False)

    def _listed(self, model: str, at: datetime, terms: PriceTerms, tier: str) -> Rates | None:
        if terms.endpoint is not None:
            return endpoint_rates(terms.endpoint)
        book = self._book.with_overrides(terms.prices)
        ref = model_ref(model, terms.model_arns)
        return book.rates(ref, region=self._region, at=at, tier=tier)

    def _guarded(self, rates: Rates | None, at: datetime, terms: PriceTerms) -> Rates | None:
        """The rates with those of the tenant's guardrail, None where one of the two is missing."""
        if rates is None or not terms.is_guarded:
            return rates
        guardrail = ModelRef(guardrails.MODEL_ID, guardrails.MODEL_ID, "in_region", None, "")
        book = self._book.with_overrides(terms.prices)
        extra = book.rates(guardrail, region=self._region, at=at)
        return None if extra is None else replace(rates, units={**rates.units, **extra.units})


def model_ref(model: str, model_arns: Mapping[str, str]) -> ModelRef:
    """What an admitted model id stands for, even if its mapping has been removed since."""
    try:
        return resolve_model(model, model_arns)
    except UnsupportedModelId:
        return ModelRef(model, model, "in_region", None, model)


def dearest_usage(rates: Rates, input_tokens: int, output_tokens: int) -> TokenUsage:
    """The dearest usage with these counts: what is known when the provider's own never came.

    `rates` are those that apply to the request, see `tollgate.domain.holds.applicable_rates`.
    """
    prices = rates.for_input(input_tokens)
    by_class = {
        "input": prices.input,
        "cache_write_5m": prices.cache_write_5m,
        "cache_write_1h": prices.cache_write_1h,
    }
    dearest = max(by_class, key=lambda name: by_class[name] or 0)
    return replace(TokenUsage(output=output_tokens), **{dearest: input_tokens})


def with_dearest_cache_writes(rates: Rates, usage: TokenUsage) -> TokenUsage:
    """The usage with all cache writes, whose lifetime is not known, in the dearer class."""
    prices = rates.for_input(usage.total_input)
    if (prices.cache_write_1h or 0) <= (prices.cache_write_5m or 0):
        return usage
    return replace(
        usage, cache_write_5m=0, cache_write_1h=usage.cache_write_5m + usage.cache_write_1h
    )
