"""What a tenant file may say, and most likely does so by mistake.

These rules need the price book or today's date, or have exceptions that only people know: a model
that is newer than the book, a limit that an override is going to raise. So they warn, in Python
alone, and what a plan refuses does not depend on the day. `EXPECTED` has the words.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from scripts.tenants.files import ENVIRONMENT_FILE, SUFFIX
from scripts.tenants.loads import MAX_SHARDS, load_together
from scripts.tenants.rules import (
    REPOSITORY,
    SCHEMA,
    message,
    number,
    section,
    terraform_json,
    without_routing,
)

_SHARED = REPOSITORY / "functions" / "shared"
if str(_SHARED) not in sys.path:
    sys.path.insert(0, str(_SHARED))

from tollgate.domain.models import GEO_PREFIXES, denies, matches  # noqa: E402
from tollgate.domain.prices import PriceBook, PriceBookError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from scripts.tenants.files import Settings, Tenant

EXPECTED: Mapping[str, str] = {
    "model_known": "a model of the price book or a SageMaker endpoint{}",
    "model_left": "a pattern of which deny_models leave something",
    "model_allowed": "a model that models allow and deny_models do not",
    "model_of_book": "a model of the price book{}",
    "price_used": "a model that the tenant may call",
    "routing_used": "{}, which calls are routed by",
    "default_reached": "at most {}, the longest answer of any model that the tenant may call",
    "key_usable": "a day from {} on; nobody gets in with this key",
    "day_within_month": "at least {}, the tier's day_usd, which would bound nothing",
    "minute_within_day": "at least {}, the tier's requests_per_minute, which would bound nothing",
    "app_within_tenant": "at most {}, the tenant's {}",
    "filled_in": "what the template's words ask for, not the words themselves",
    "name_own": "a name that no other tenant has; {} has it",
    "external_id_own": "an external id that no other tenant has; {} has it",
    "unit_shards": "{} or more, for {} requests a minute and {} at once of all its tenants",
    "threshold_reached": "at most 100; a hard budget refuses what exceeds it",
}
"""What a file is expected to say instead, by the name of each rule."""

_BOOK_FILE = _SHARED / "tollgate" / "prices" / "bedrock.json"
# Priced, but nothing that a caller calls.
_UNCALLED_MODE = "guardrail"
_NEAREST = 3
_LEAST_LIKENESS = 0.5
_WHOLE = 100
# What the template says where a value is to be written, and the free texts among those.
_TO_FILL_IN = re.compile(r"FILL.IN")
_FREE_TEXTS = ("name", "cost_center")
_INHERITED = {"budget": "day_within_month", "limits": "minute_within_day"}


class Book:
    """The price book and the ids that it knows, aliases among them.

    `model_ids` are those of models, `called_ids` those that a caller may name for a price.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take a parsed price book document."""
        self.prices = PriceBook(document)
        self._models: Mapping[str, Any] = document["models"]
        self.model_ids = frozenset(name for base in self._models for name in self._names(base))
        self.called_ids = self.called(self.prices)

    def called(self, prices: PriceBook) -> frozenset[str]:
        """The ids that a caller may name for a price of this book or of a contract over it."""
        return frozenset(
            f"{profile_id.removesuffix(base)}{name}"
            for profile_id in prices.profile_ids()
            for base in [without_routing(profile_id)]
            if self._models.get(base, {}).get("mode") != _UNCALLED_MODE
            for name in self._names(base)
        )

    def _names(self, base: str) -> tuple[str, ...]:
        return (base, *self._models.get(base, {}).get("aliases", ()))


def load_book() -> Book:
    """The book that is shipped with the functions."""
    return Book(json.loads(_BOOK_FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges valid tenants of an environment by its settings, the price book and today's date."""

    settings: Settings
    book: Book
    today: date

    def errors(self, tenants: Mapping[str, Tenant]) -> Iterator[str]:
        """Contract prices that the gateway cannot read, so that every call would fail."""
        for tenant_id, tenant in tenants.items():
            prices = tenant.policy["prices"]
            try:
                self.book.prices.with_overrides(prices)
            except PriceBookError as error:
                allowed = f"prices that fit the price book: {error}"
                yield message(f"{tenant_id}{SUFFIX}", "prices", prices, allowed)

    def warnings(self, tenants: Mapping[str, Tenant]) -> Iterator[str]:
        """A line for each likely mistake of tenants without errors: file, key, given, expected."""
        for tenant in tenants.values():
            yield from sorted(_Mistakes(tenant, self).all())
        served = {
            tenant_id: tenant.policy
            for tenant_id, tenant in tenants.items()
            if tenant.policy["status"] != "offboarded"
        }
        names = {tenant_id: policy["name"] for tenant_id, policy in served.items()}
        yield from _repeated("name", names, "name_own")
        external_ids = {
            tenant_id: policy["silo"]["external_id"]
            for tenant_id, policy in served.items()
            if policy["silo"] is not None
        }
        yield from _repeated("silo.external_id", external_ids, "external_id_own")
        yield from self._unit_loads(served)

    def _unit_loads(self, served: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """Units whose account has to take more of their tenants' calls than it can be written for.

        A unit without a budget has none, and what its tenants have no limit for nobody knows.
        """
        for unit_id, unit in sorted(self.settings.business_units.items()):
            budget = section(unit, "budget")
            if budget.get("month_usd") is None and budget.get("day_usd") is None:
                continue
            load = load_together(
                policy for policy in served.values() if policy["business_unit"] == unit_id
            )
            shards = unit.get("shards") or 1
            if load is not None and not load.fits(shards):
                least = load.least_shards() or MAX_SHARDS
                expected = EXPECTED["unit_shards"].format(least, load.per_minute, load.at_once)
                path = f"business_units.{unit_id}.shards"
                yield f"{ENVIRONMENT_FILE}: {path}: given {shards}; expected: {expected}"


def _repeated(path: str, given: Mapping[str, str], rule: str) -> Iterator[str]:
    """Warn of values that a copied file has from another; `given` is by tenant id."""
    first_by_value: dict[str, str] = {}
    for tenant_id, value in given.items():
        first = first_by_value.setdefault(value, tenant_id)
        if first != tenant_id:
            yield _warning(tenant_id, path, value, rule, first)


def _warning(tenant_id: str, path: str, given: Any, rule: str, *details: object) -> str:  # noqa: ANN401
    expected = EXPECTED[rule].format(*details)
    return f"{tenant_id}{SUFFIX}: {path}: given {terraform_json(given)}; expected: {expected}"


class _Mistakes:
    """The likely mistakes of one tenant."""

    def __init__(self, tenant: Tenant, judge: Judge) -> None:
        self._policy = tenant.policy
        self._keys = tenant.keys
        self._judge = judge
        self._tier = section(judge.settings.tiers, tenant.policy["tier"])
        self._endpoints = judge.settings.endpoints
        self._admits_unpriced = self._policy["unpriced"] is not None
        book = judge.book
        # With a price of the book or of the contract; then with the unit's endpoints.
        self._priced = book.called(book.prices.with_overrides(self._policy["prices"]))
        self._ids = self._priced | (self._endpoints or frozenset())
        self._allowed = frozenset(name for name in self._ids if self._may_call(name))

    def all(self) -> Iterator[str]:
        yield from self._template_words()
        yield from self._patterns()
        yield from self._named_models()
        yield from self._prices()
        yield from self._default_tokens()
        yield from self._expired_keys()
        yield from self._inherited_numbers()
        yield from self._apps()
        yield from self._thresholds()

    def _warning(self, path: str, given: Any, rule: str, *details: object) -> str:  # noqa: ANN401
        return _warning(self._policy["tenant_id"], path, given, rule, *details)

    def _may_call(self, model: str) -> bool:
        policy = self._policy
        return matches(policy["models"], model) and not denies(policy["deny_models"], model)

    def _template_words(self) -> Iterator[str]:
        for path in _FREE_TEXTS:
            given = self._policy[path]
            if _TO_FILL_IN.search(given):
                yield self._warning(path, given, "filled_in")

    def _patterns(self) -> Iterator[str]:
        for index, pattern in enumerate(self._policy["models"]):
            path = f"models[{index}]"
            found = {name for name in self._ids if matches([pattern], name)}
            if found and not found & self._allowed:
                yield self._warning(path, pattern, "model_left")
            # A ceiling admits what the book lacks.
            elif not found and not self._admits_unpriced and self._is_judged(pattern):
                yield self._warning(path, pattern, "model_known", _nearest(pattern, self._ids))
        # Under its own id a model is denied on every routing, so those count as well.
        ids = self._ids | self._judge.book.model_ids
        for index, pattern in enumerate(self._policy["deny_models"]):
            if self._is_judged(pattern) and not any(matches([pattern], name) for name in ids):
                path = f"deny_models[{index}]"
                yield self._warning(path, pattern, "model_known", _nearest(pattern, ids))

    def _is_judged(self, pattern: str) -> bool:
        """Not where the unit's endpoints are unknown, and it may be the name of one."""
        return self._endpoints is not None or "." in pattern

    def _named_models(self) -> Iterator[str]:
        """Models behind ARNs and inference profiles."""
        named = {f"model_arns.{arn}": name for arn, name in self._policy["model_arns"].items()}
        for app_id, app in self._policy["apps"].items():
            for profile, settings in app["inference_profiles"].items():
                named[f"apps.{app_id}.inference_profiles.{profile}.model"] = settings["model"]
        known = self._judge.book.called_ids
        for path, model in named.items():
            if model not in self._priced and not self._admits_unpriced:
                yield self._warning(path, model, "model_of_book", _nearest(model, known))
            elif not self._may_call(model):
                yield self._warning(path, model, "model_allowed")

    def _prices(self) -> Iterator[str]:
        known = self._judge.book.model_ids
        called = {without_routing(name) for name in self._judge.book.called_ids}
        allowed = {without_routing(name) for name in self._allowed}
        region = self._judge.settings.region
        for model, by_routing in self._policy["prices"].items():
            for routing in by_routing:
                if not _is_routed(routing, region):
                    path = f"prices.{model}.{routing} (name)"
                    yield self._warning(path, routing, "routing_used", _routings(region))
            path = f"prices.{model} (name)"
            if model not in known:
                yield self._warning(path, model, "model_of_book", _nearest(model, known))
            elif model in called - allowed:
                yield self._warning(path, model, "price_used")

    def _default_tokens(self) -> Iterator[str]:
        default = self._policy["max_tokens"]["default"]
        inherited = section(self._tier, "max_tokens").get("default")
        if default in (None, inherited) or self._admits_unpriced:
            return
        cards = [self._judge.book.prices.card(without_routing(name)) for name in self._allowed]
        longest = [
            None if card is None else card.max_output_tokens
            for card in cards
            if card is None or card.mode == "chat"
        ]
        known = [tokens for tokens in longest if tokens is not None]
        if known and len(known) == len(longest) and default > max(known):
            yield self._warning("max_tokens.default", default, "default_reached", max(known))

    def _expired_keys(self) -> Iterator[str]:
        today = self._judge.today.isoformat()
        for key in self._keys.values():
            # ISO dates compare as text.
            if key.expires and key.expires < today:
                path = f"apps.{key.app_id}.keys.{key.key_name}.expires"
                yield self._warning(path, key.expires, "key_usable", today)

    def _inherited_numbers(self) -> Iterator[str]:
        for order in SCHEMA["orders"]:
            if order["section"] not in _INHERITED:
                continue
            values = self._policy[order["section"]]
            lower, upper = number(order, "lower", values), number(order, "upper", values)
            # A file that gives the lower number itself is refused.
            if lower is not None and upper is not None and Decimal(lower) > Decimal(upper):
                path = f"{order['section']}.{order['upper']}"
                rule = _INHERITED[order["section"]]
                yield self._warning(path, values[order["upper"]], rule, lower)

    def _apps(self) -> Iterator[str]:
        """Budgets and limits of apps that those of the tenant stop before."""
        for app_id, app in self._policy["apps"].items():
            for name in ("budget", "limits"):
                # A soft budget stops nothing, so that an app's own may be the higher one.
                if name == "budget" and self._policy["budget"]["mode"] != "hard":
                    continue
                for field, given in app[name].items():
                    most = self._policy[name][field]
                    if field != "mode" and _exceeds(given, most):
                        path = f"apps.{app_id}.{name}.{field}"
                        yield self._warning(path, given, "app_within_tenant", most, field)

    def _thresholds(self) -> Iterator[str]:
        percents = self._policy["alert_thresholds"]
        is_hard = self._policy["budget"]["mode"] == "hard"
        if not is_hard or percents == self._tier.get("alert_thresholds"):
            return
        for index, percent in enumerate(percents):
            if percent > _WHOLE:
                yield self._warning(f"alert_thresholds[{index}]", percent, "threshold_reached")


def _is_routed(routing: str, region: str | None) -> bool:
    """Whether a call from a region may have the routing; from None, an unknown one, any region."""
    kind, _, place = routing.partition("/")
    if kind == "geo":
        return place in GEO_PREFIXES
    return kind != "in_region" or place in ("", region) or region is None


def _routings(region: str | None) -> str:
    areas = ", ".join(f"geo/{prefix}" for prefix in GEO_PREFIXES)
    return f"in_region, in_region/{region or '<region>'}, global or one of {areas}"


def _exceeds(given: Any, most: Any) -> bool:  # noqa: ANN401 - numbers or decimal texts
    return given is not None and most is not None and Decimal(given) > Decimal(most)


def _nearest(pattern: str, ids: Iterable[str]) -> str:
    """The ids that look most like a pattern, as the end of a message; empty where none does."""
    text = pattern.replace("*", "")
    found = difflib.get_close_matches(text, sorted(ids), _NEAREST, _LEAST_LIKENESS)
    return f"; nearest: {', '.join(found)}" if found else ""
