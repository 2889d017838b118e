"""Reads tenant policy and applies it: who may call what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tollgate.domain.errors import ForbiddenError, InvalidRequestError, UnavailableError
from tollgate.domain.models import (
    ModelRef,
    UnsupportedModelId,
    app_model,
    app_model_arns,
    called_profile,
    is_allowed,
    is_denied,
    is_tenant_arn,
    matches,
    shown_id,
)
from tollgate.observability import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollgate.domain.endpoints import Endpoint
    from tollgate.domain.tenants import App, BusinessUnit, Caller, Tenant
    from tollgate.ports import Clock, Tenants

# How stale a policy may be: a suspension or a new limit is in force after this time.
CACHE_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Party:
    """The tenant and app behind a caller, both active, and the tenant's business unit."""

    caller: Caller
    tenant: Tenant
    app: App
    business_unit: BusinessUnit | None = None


class Policies:
    """Tenant policies with a short cache per process."""

    def __init__(self, tenants: Tenants, clock: Clock) -> None:
        self._tenants = tenants
        self._clock = clock
        self._cache: dict[str, tuple[datetime, Tenant | None]] = {}
        self._units: dict[str, tuple[datetime, BusinessUnit]] = {}

    def party(self, caller: Caller) -> Party:
        """The caller's tenant and app. Raises ForbiddenError unless both are active.

        UnavailableError where the tenant's business unit is not there: its budget is unknown.
        """
        tenant = self._tenant(caller.tenant_id)
        status = "suspended" if tenant is None else tenant.status
        if tenant is None or status != "active":
            raise ForbiddenError(
                f"tenant {caller.tenant_id} is {status}; ask the platform team",
                code=f"tenant_{status}",
            )
        app = tenant.apps.get(caller.app_id)
        if app is None or app.status != "active":
            raise ForbiddenError(
                f"app {caller.app_id} of tenant {caller.tenant_id} is suspended; "
                "ask the platform team",
                code="app_suspended",
            )
        unit_id = tenant.business_unit
        return Party(caller, tenant, app, None if unit_id is None else self._unit(unit_id))

    def _tenant(self, tenant_id: str) -> Tenant | None:
        now = self._clock()
        cached = self._cache.get(tenant_id)
        if cached is not None and now - cached[0] < timedelta(seconds=CACHE_SECONDS):
            return cached[1]
        tenant = self._tenants.policy(tenant_id, now)
        if tenant is not None:
            tenant = replace(tenant, read_at=int(now.timestamp() * 1000))
        self._cache[tenant_id] = (now, tenant)
        return tenant

    def _unit(self, unit_id: str) -> BusinessUnit:
        now = self._clock()
        cached = self._units.get(unit_id)
        if cached is not None and now - cached[0] < timedelta(seconds=CACHE_SECONDS):
            return cached[1]
        unit = self._tenants.business_unit(unit_id, now)
        if unit is None:
            logger.error("business unit not found", extra={"business_unit": unit_id})
            raise UnavailableError(
                f"the gateway does not know business unit {unit_id}, which this tenant belongs "
                "to; nothing was charged, ask the platform team",
                details={"dependency": "tenants table"},
            )
        unit = replace(unit, read_at=int(now.timestamp() * 1000))
        self._units[unit_id] = (now, unit)
        return unit


def allowed_model(party: Party, requested: str) -> ModelRef:
    """The model behind a requested id, as the app calls it.

    Raises where the id or the tenant's lists do not permit it; what is denied stays denied
    whatever else is allowed.
    """
    tenant = party.tenant
    try:
        ref = app_model(requested, tenant, party.app)
    except UnsupportedModelId as error:
        if is_tenant_arn(requested):
            # Another's is refused like one that is not there.
            raise ForbiddenError(
                f"tenant {tenant.tenant_id} may not call this ARN; allowed are the tenant's "
                "model_arns and the app's own inference profiles",
                code="model_not_allowed",
            ) from error
        raise InvalidRequestError(
            f"{shown_id(requested)!r} is not a model id", code="unsupported_model_id"
        ) from error
    if is_denied(ref, tenant):
        raise ForbiddenError(
            f"tenant {tenant.tenant_id} may not call {shown_id(ref.profile_id)}; "
            f"denied are {', '.join(tenant.denied_models)}",
            code="model_not_allowed",
            details={"model_id": shown_id(ref.profile_id), "denied": list(tenant.denied_models)},
        )
    if not matches(tenant.models, ref.profile_id):
        raise ForbiddenError(
            f"tenant {tenant.tenant_id} may not call {shown_id(ref.profile_id)}; "
            f"allowed are {', '.join(tenant.models) or 'none'}",
            code="model_not_allowed",
            details={"model_id": shown_id(ref.profile_id), "allowed": list(tenant.models)},
        )
    return ref


def allowed_arn(party: Party, arn: str, named: str | None) -> ModelRef:
    """The model behind an ARN that the app may name, and be charged as.

    `named` is what the caller says the model is: it must be that model, whatever its routing.
    Raises for any other ARN, as `allowed_model` does, and where the two do not agree.
    """
    if arn not in app_model_arns(party.tenant, party.app):
        raise ForbiddenError(
            "model_arn is none that this app may call; allowed are the tenant's model_arns and "
            "the app's own inference profiles",
            code="model_not_allowed",
        )
    ref = allowed_model(party, arn)
    if named is not None and _base_model(party, named) != ref.model_id:
        raise InvalidRequestError(
            f"model_arn is a model of {ref.model_id}, which model_id does not name; "
            "leave model_id out or send that"
        )
    return ref


def _base_model(party: Party, requested: str) -> str | None:
    try:
        return app_model(requested, party.tenant, party.app).model_id
    except UnsupportedModelId:
        return None


def allowed_endpoint(party: Party, endpoint: Endpoint) -> ModelRef:
    """A SageMaker endpoint as a model. Raises where the tenant's lists do not permit it."""
    tenant = party.tenant
    ref = ModelRef(endpoint.name, endpoint.name, "in_region", None, endpoint.endpoint_name)
    if not is_allowed(ref, tenant):
        raise ForbiddenError(
            f"tenant {tenant.tenant_id} may not call {endpoint.name}; "
            f"allowed are {', '.join(tenant.models) or 'none'}",
            code="model_not_allowed",
            details={"model_id": endpoint.name, "allowed": list(tenant.models)},
        )
    return ref


def call_tags(tenant: Tenant, app: App, ref: ModelRef) -> Mapping[str, str]:
    """The tags of a call's usage row: the nearer to the call, the more they count."""
    profile = called_profile(ref, app)
    return {**tenant.tags, **app.tags, **({} if profile is None else profile.tags)}
