"""Tenant policy: what a tenant and its apps may do, as the tenants table stores it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tollgate.domain.money import format_usd, usd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

POLICY_SCHEMA_VERSION = 1

DEFAULT_RETENTION_MINUTES = 1440

TokenCount = Literal["auto", "bytes", "exact"]
Isolation = Literal["pool", "silo"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the authorizer established it from the credential."""

    tenant_id: str
    app_id: str
    key_id: str
    tier: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Budgets in picodollars; None is unlimited.

    A hard budget refuses what does not fit; a soft one admits it and tells. An observed one is
    judged as a hard one, and so are the limits beside it; what they would have refused is
    admitted and recorded.
    """

    month: int | None = None
    day: int | None = None
    is_hard: bool = True
    is_observed: bool = False

    @property
    def mode(self) -> str:
        """As policies write it: hard, soft or observe."""
        if self.is_observed:
            return "observe"
        return "hard" if self.is_hard else "soft"


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts; None is unlimited."""

    requests_per_minute: int | None = None
    requests_per_day: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None


@dataclass(frozen=True, slots=True)
class Silo:
    """The role in the tenant's own account that its calls are made with, and how it is assumed."""

    role_arn: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Guardrail:
    """The guardrail of every call; `id` is its id or ARN, `version` a number or DRAFT."""

    id: str
    version: str


@dataclass(frozen=True, slots=True)
class InferenceProfile:
    """An application inference profile: called by its ARN, priced as the model behind it.

    `model` is a foundation model or a system profile.
    """

    name: str
    model: str
    arn: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class App:
    """One application of a tenant, with limits of its own where it has any."""

    app_id: str
    status: str
    budget: Budget
    limits: Limits
    tags: Mapping[str, str]
    inference_profiles: Mapping[str, InferenceProfile] = field(default_factory=dict)

    @property
    def is_limited(self) -> bool:
        """Whether the app needs an account of its own."""
        budget = self.budget
        return budget.month is not None or budget.day is not None or self.limits != Limits()


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant's policy, tier defaults already merged in.

    `shards` is over how many accounts the tenant's limits are spread. `clamp_max_tokens` lowers
    `maxTokens` to what is affordable instead of refusing, `count_tokens` is how input is bounded
    before a call. `model_arns` maps ARNs that the tenant may call to the model or system profile
    behind them. `prices` are contract prices as the price book writes rates: by base model,
    routing and tier. `unpriced` is the ceiling in USD per million tokens (`input`, `output`) at
    which a model without a price is booked; None refuses such a model. `denied_models` are
    patterns that win over `models`. `silo` may be set while `isolation` is still pool: a migration
    in preparation. `retention_minutes` is how long texts of jobs and repeatable answers stay
    readable. `kms_key_arn` is the tenant's own key, None where the deployment's serves.
    `system_preamble` is said to the model before everything that a caller says. `teams` are names
    that a caller may give beside the tenant's id to say which part of it calls. `allow_fields` are
    members that native bodies and additional model fields may hold beyond the families' tables, at
    the operator's risk: `a.b`, or `anthropic_beta:<beta>` or `tools:<type>`. `model_limits` are
    limits of the calls of those models that a pattern matches, together.
    `business_unit` is the unit of the company that the tenant belongs to, if any.
    `read_at` is when this process read the policy, in epoch milliseconds.
    """

    tenant_id: str
    name: str
    kind: str
    cost_center: str
    tier: str
    status: str
    models: tuple[str, ...]
    budget: Budget
    limits: Limits
    default_max_tokens: int | None
    maximum_max_tokens: int | None
    tags: Mapping[str, str]
    apps: Mapping[str, App] = field(default_factory=dict)
    shards: int = 1
    clamp_max_tokens: bool = False
    count_tokens: TokenCount = "auto"
    model_arns: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, Any] = field(default_factory=dict)
    unpriced: Mapping[str, str] | None = None
    isolation: Isolation = "pool"
    silo: Silo | None = None
    denied_models: tuple[str, ...] = ()
    guardrail: Guardrail | None = None
    retention_minutes: int = DEFAULT_RETENTION_MINUTES
    kms_key_arn: str | None = None
    system_preamble: str | None = None
    teams: tuple[str, ...] = ()
    allow_fields: tuple[str, ...] = ()
    model_limits: Mapping[str, Limits] = field(default_factory=dict)
    business_unit: str | None = None
    read_at: int = 0


@dataclass(frozen=True, slots=True)
class BusinessUnit:
    """A unit of the company, whose budget holds for all of its tenants together.

    `shards` is over how many accounts it is spread. `read_at` is when this process read it, in
    epoch milliseconds.
    """

    unit_id: str
    name: str
    owner: str
    budget: Budget
    shards: int = 1
    read_at: int = 0

    @property
    def is_limited(self) -> bool:
        """Whether calls of its tenants are held on an account of its own."""
        return self.budget.month is not None or self.budget.day is not None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What the tenants table knows of a key; never the key itself."""

    tenant_id: str
    app_id: str
    key_id: str
    tier: str
    status: str
    expires: date | None

    def is_usable(self, now: datetime) -> bool:
        """Active, and not past its last day (UTC, inclusive)."""
        return self.status == "active" and (self.expires is None or now.date() <= self.expires)


def parse_tenant(document: str) -> Tenant:
    """A tenant from the JSON document of its TENANT# item.

    Raises ValueError or KeyError when the document is not one that this version wrote.
    """
    data: dict[str, Any] = json.loads(document)
    _check_version(data)
    return Tenant(
        tenant_id=data["tenant_id"],
        name=data["name"],
        kind=data["kind"],
        cost_center=data["cost_center"],
        tier=data["tier"],
        status=data["status"],
        models=tuple(data["models"]),
        budget=_budget(data["budget"]),
        limits=Limits(**data["limits"]),
        default_max_tokens=data["max_tokens"]["default"],
        maximum_max_tokens=data["max_tokens"]["maximum"],
        tags=data["tags"],
        apps={
            app_id: App(
                app_id=app_id,
                status=app["status"],
                budget=_budget(app["budget"]),
                limits=Limits(**app["limits"]),
                tags=app["tags"],
                inference_profiles={
                    name: InferenceProfile(
                        name=name,
                        model=profile["model"],
                        arn=profile["arn"],
                        tags=profile["tags"],
                    )
                    for name, profile in app.get("inference_profiles", {}).items()
                },
            )
            for app_id, app in data["apps"].items()
        },
        # A policy from before these fields existed is read until the next deployment writes it.
        shards=data.get("shards", 1),
        clamp_max_tokens=data["max_tokens"].get("clamp", False),
        count_tokens=data["max_tokens"].get("count", "auto"),
        model_arns=data.get("model_arns", {}),
        prices=data.get("prices", {}),
        unpriced=data.get("unpriced"),
        isolation=data.get("isolation", "pool"),
        silo=None if data.get("silo") is None else Silo(**data["silo"]),
        denied_models=tuple(data.get("deny_models", ())),
        guardrail=None if data.get("guardrail") is None else Guardrail(**data["guardrail"]),
        retention_minutes=data.get("retention_minutes", DEFAULT_RETENTION_MINUTES),
        kms_key_arn=data.get("kms_key_arn"),
        system_preamble=data.get("system_preamble"),
        teams=tuple(data.get("teams", ())),
        allow_fields=tuple(data.get("allow_fields", ())),
        model_limits={
            pattern: Limits(**limits) for pattern, limits in data.get("model_limits", {}).items()
        },
        business_unit=data.get("business_unit"),
    )


def parse_business_unit(document: str) -> BusinessUnit:
    """A business unit from the JSON document of its BUSINESS_UNIT# item.

    Raises ValueError or KeyError when the document is not one that this version wrote.
    """
    data: dict[str, Any] = json.loads(document)
    _check_version(data)
    return BusinessUnit(
        unit_id=data["id"],
        name=data["name"],
        owner=data["owner"],
        budget=_budget(data["budget"]),
        shards=data["shards"],
    )


def overridden_unit(unit: BusinessUnit, document: str, now: datetime) -> BusinessUnit:
    """The unit with the budget that the JSON document of its override gives it until it expires.

    Raises as `overridden` does.
    """
    data: dict[str, Any] = json.loads(document)
    if data["expires"] <= now.timestamp():
        return unit
    return replace(unit, budget=_changed_budget(unit.budget, data))


def overridden(tenant: Tenant, document: str, now: datetime) -> Tenant:
    """The tenant as the JSON document of its OVERRIDE# item changes it until the override expires.

    A field that the document has takes the place of the policy's, null included, which lifts a
    limit; apps that the policy does not have are left out. Raises ValueError, KeyError or
    TypeError when the document is not an override.
    """
    data: dict[str, Any] = json.loads(document)
    if data["expires"] <= now.timestamp():
        return tenant
    changes = data.get("apps", {})
    apps = {
        app_id: replace(app, **_changes(app, changes.get(app_id, {})))
        for app_id, app in tenant.apps.items()
    }
    return replace(tenant, **_changes(tenant, data), apps=apps)


def _check_version(data: Mapping[str, Any]) -> None:
    if data["schema_version"] != POLICY_SCHEMA_VERSION:
        raise ValueError(f"policy schema version {data['schema_version']!r} is not supported")


def _changed_budget(standing: Budget, data: Mapping[str, Any]) -> Budget:
    budget = {
        "month_usd": _amount(standing.month),
        "day_usd": _amount(standing.day),
        "mode": standing.mode,
    }
    return _budget({**budget, **data.get("budget", {})})


def _changes(standing: Tenant | App, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": data.get("status", standing.status),
        "budget": _changed_budget(standing.budget, data),
        "limits": replace(standing.limits, **data.get("limits", {})),
    }


def _amount(pico: int | None) -> str | None:
    return None if pico is None else format_usd(pico)


def _budget(data: Mapping[str, str | None]) -> Budget:
    month, day = data["month_usd"], data["day_usd"]
    return Budget(
        month=None if month is None else usd(month),
        day=None if day is None else usd(day),
        is_hard=data["mode"] != "soft",
        is_observed=data["mode"] == "observe",
    )
