"""What must hold of a price book before it ships, and what deserves a second look."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from tollgate.domain.models import GEO_PREFIXES, UnsupportedModelId, resolve_model
from tollgate.domain.prices import PriceBook, PriceBookError, Rates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIERS = ("default", "batch", "flex", "priority")
_REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]"
_ROUTING = re.compile(rf"in_region(/{_REGION})?|geo/({'|'.join(GEO_PREFIXES)})|global")
_UNIT = re.compile(r"(image|search|guardrail_[a-z_]+)(/[a-z0-9_-]+(/[a-z0-9_-]+)?)?")
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
# What is priced at most or at least like what, as published everywhere so far: (dear, cheap).
_USUAL_ORDER = (
    ("input", "cache_read"),
    ("cache_write_5m", "input"),
    ("cache_write_1h", "input"),
    ("cache_write_1h", "cache_write_5m"),
)
_USUAL_TIERS = (("default", "batch"), ("default", "flex"), ("priority", "default"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a book. Errors must be corrected; warnings may be as published."""

    level: Literal["error", "warning"]
    model_id: str
    message: str

    def __str__(self) -> str:
        """The line a person reads."""
        return f"{self.level}: {self.model_id}: {self.message}"


def check_book(document: Mapping[str, Any]) -> list[Finding]:
    """Return what is wrong with or odd about a price book document, by model id."""
    try:
        PriceBook(document)
    except (PriceBookError, KeyError, TypeError, AttributeError) as error:
        return [Finding("error", "book", f"not a price book: {error!r}")]
    models = document["models"]
    return [
        *_aliases(models),
        *(
            finding
            for model_id, model in sorted(models.items())
            for finding in (
                *_identity(model_id, model),
                *_periods(model_id, model),
                *_prices(model_id, model),
            )
        ),
    ]


def _aliases(models: Mapping[str, Any]) -> Iterator[Finding]:
    owners = defaultdict(set)
    for model_id, model in models.items():
        for alias in model.get("aliases", ()):
            owners[alias].add(model_id)
    for alias, ids in sorted(owners.items()):
        if alias in models:
            yield Finding("error", alias, f"is a model and an alias of {', '.join(sorted(ids))}")
        if len(ids) > 1:
            yield Finding("error", alias, f"is an alias of {' and '.join(sorted(ids))}")


def _identity(model_id: str, model: Mapping[str, Any]) -> Iterator[Finding]:
    for spelled in (model_id, *model.get("aliases", ())):
        try:
            routing = resolve_model(spelled).routing
        except UnsupportedModelId:
            routing = "global"
        if routing != "in_region" or spelled.startswith("arn:"):
            yield Finding("error", model_id, f"{spelled!r} is no base model id")
    limit = model.get("priced_up_to_input_tokens")
    if limit is not None and (type(limit) is not int or limit < 1):
        yield Finding("error", model_id, f"priced_up_to_input_tokens is {limit!r}")


def _periods(model_id: str, model: Mapping[str, Any]) -> Iterator[Finding]:
    periods = []
    for period in model["effective"]:
        try:
            start = date.fromisoformat(period["from"])
            end = date.fromisoformat(period["to"]) if period.get("to") else date.max
        except (KeyError, TypeError, ValueError) as error:
            yield Finding("error", model_id, f"a period has no days: {error}")
            return
        periods.append((start, end))
        if end <= start:
            yield Finding("error", model_id, f"the period from {start} ends before it begins")
    if not periods:
        yield Finding("error", model_id, "has no period of prices")
    for (_, end), (start, _) in pairwise(sorted(periods)):
        if start < end:
            yield Finding("error", model_id, f"two periods have a price from {start}")
        if start > end:
            yield Finding("error", model_id, f"no price from {end} to {start}")


def _prices(model_id: str, model: Mapping[str, Any]) -> Iterator[Finding]:
    for period in model["effective"]:
        for routing, by_tier in period["rates"].items():
            where = f"{routing} from {period.get('from')}"
            if _ROUTING.fullmatch(routing) is None:
                yield Finding("error", model_id, f"{routing!r} is no routing")
                continue
            found: dict[str, Rates] = {}
            for tier, prices in by_tier.items():
                if tier not in TIERS:
                    yield Finding("error", model_id, f"{where}: {tier!r} is no tier")
                    continue
                try:
                    found[tier] = read_rates(routing, prices)
                except PriceBookError as error:
                    yield Finding("error", model_id, f"{where}, {tier}: {error}")
                    continue
                yield from _sanity(model_id, model["mode"], f"{where}, {tier}", found[tier])
            yield from _compare_tiers(model_id, where, found)


def read_rates(routing: str, prices: Mapping[str, Any]) -> Rates:
    """Read one tier's prices as the book would. Raises PriceBookError where it would."""
    period = {"from": "0001-01-01", "to": None, "rates": {routing: {"default": prices}}}
    book = PriceBook(
        {
            "schema_version": 1,
            "currency": "USD",
            "unit": "1M tokens",
            "version": "",
            "models": {"a.m": {"mode": "chat", "effective": [period]}},
        }
    )
    kind, _, place = routing.partition("/")
    prefix = place if kind == "geo" else "global"
    ref = resolve_model("a.m" if kind == "in_region" else f"{prefix}.a.m")
    rates = book.rates(ref, region=place, at=_LONG_AGO)
    if rates is None:
        raise PriceBookError("has no prices")
    return rates


def _sanity(model_id: str, mode: str, where: str, rates: Rates) -> Iterator[Finding]:
    def warning(message: str) -> Finding:
        return Finding("warning", model_id, f"{where}: {message}")

    if mode == "chat" and (rates.input is None or rates.output is None):
        yield warning("no price for both input and output, so it cannot be called")
    if rates.input == 0 or (mode == "chat" and rates.output == 0):
        yield warning("free")
    for dear, cheap in _USUAL_ORDER:
        above, below = getattr(rates, dear), getattr(rates, cheap)
        # Some caches are written to for nothing.
        is_free_write = dear.startswith("cache_write") and above == 0
        if above is not None and below is not None and above < below and not is_free_write:
            yield warning(f"{dear} is cheaper than {cheap}")
        longer = getattr(rates.long_context, dear, None)
        if longer is not None and longer < (above or 0):
            yield warning(f"{dear} is cheaper in long context")
    for unit in rates.units:
        if _UNIT.fullmatch(unit) is None:
            yield Finding("error", model_id, f"{where}: {unit!r} is no unit")


def _compare_tiers(model_id: str, where: str, found: Mapping[str, Rates]) -> Iterator[Finding]:
    if found and "default" not in found:
        yield Finding("warning", model_id, f"{where}: no default tier, so it cannot be called")
    for dear, cheap in _USUAL_TIERS:
        if dear not in found or cheap not in found:
            continue
        for name in ("input", "output"):
            above, below = getattr(found[dear], name), getattr(found[cheap], name)
            if above is not None and below is not None and above < below:
                yield Finding(
                    "warning", model_id, f"{where}: {name} is cheaper on {dear} than on {cheap}"
                )
