"""The usage rows of calls whose caller could not write them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tollgate.domain.ids import request_time
from tollgate.domain.models import UnsupportedModelId, app_model
from tollgate.domain.prices import Rates
from tollgate.domain.sessions import role_account
from tollgate.domain.usage import is_endpoint_call
from tollgate.services.metering import Attribution, Outcome, held_cost, usage_row
from tollgate.services.policy import call_tags
from tollgate.services.pricing import (
    LIST_PRICES,
    PriceTerms,
    Pricing,
    model_ref,
    with_dearest_cache_writes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tollgate.domain.invocation_logs import LoggedCall
    from tollgate.domain.jobs import Job
    from tollgate.domain.ledger import Hold
    from tollgate.domain.models import ModelRef
    from tollgate.domain.tenants import App, Tenant
    from tollgate.domain.usage import UsageRow
    from tollgate.ports import Tenants

CALLER_LOST = Outcome(status="orphaned", http_status=500, error_code="caller_lost")
JOB_EXPIRED = Outcome(status="error", http_status=504, error_code="job_expired")
# The logs are complete and have no such call: its caller died before it.
NEVER_CALLED = Outcome(status="error", http_status=500, error_code="never_called")
_UPSTREAM_STATUS = 502


@dataclass(slots=True)
class Orphan:
    """A request with an expired hold, and the hold as each account that still has it has it.

    `is_whole` says that the last account has the hold, without which no call is made.
    `job` is the long-poll job that it belongs to, None for a buffered call.
    """

    tenant_id: str
    hold: Hold
    holds: dict[str, Hold] = field(default_factory=dict)
    is_whole: bool = False
    job: Job | None = None


class Rows:
    """Makes rows under the tenant's policy as it is now."""

    def __init__(self, tenants: Tenants, pricing: Pricing, region: str, account_id: str) -> None:
        self._tenants = tenants
        self._pricing = pricing
        self._region = region
        self._account_id = account_id

    def is_logged(self, orphan: Orphan) -> bool:
        """Whether its model call, if made, is in this account's invocation logs.

        A tenant's own account has logs of its own; its calls may be from before it came or went.
        SageMaker's endpoints have none.
        """
        if is_endpoint_call(orphan.hold.dialect):
            return False
        tenant = self._tenants.tenant(orphan.tenant_id)
        return tenant is None or tenant.silo is None

    def at_no_cost(self, orphan: Orphan, outcome: Outcome, now: datetime) -> UsageRow:
        """A row of a call that was never made."""
        return self._row(orphan, self._tenants.tenant(orphan.tenant_id), outcome, now)

    def at_hold(self, orphan: Orphan, now: datetime) -> UsageRow:
        """A row at the most that the call can have cost."""
        cost = held_cost(orphan.hold)
        outcome = replace(_ended(orphan.job), usage_source="hold", cost=cost)
        return self._row(orphan, self._tenants.tenant(orphan.tenant_id), outcome, now)

    def as_logged(self, orphan: Orphan, call: LoggedCall, now: datetime) -> UsageRow:
        """A row of what the model service logged; at the hold where it logged not all figures.

        It logs tokens only, not what a guardrail charged or how many images were made.
        """
        hold, usage = orphan.hold, call.usage
        tenant = self._tenants.tenant(orphan.tenant_id)
        terms = _terms(tenant, _app(tenant, hold))
        started_at = request_time(hold.request_id)
        rates = self._pricing.rates(hold.model, started_at, terms, call.service_tier) or Rates()
        is_guarded = tenant is not None and tenant.guardrail is not None
        if usage is None or rates.units or is_guarded:
            return self.at_hold(orphan, now)
        if not call.split_known:
            usage = with_dearest_cache_writes(rates, usage)
        charged = self._pricing.charge(hold.model, started_at, terms, usage, call.service_tier)
        ended = _ended(orphan.job)
        if call.error_code is not None:
            ended = Outcome("error", _UPSTREAM_STATUS, call.error_code)
        outcome = replace(
            ended,
            stop_reason=call.stop_reason,
            usage=usage,
            usage_source="provider" if call.split_known else "estimated",
            cost=held_cost(hold, priced=False) if charged is None else charged,
            service_tier=call.service_tier,
        )
        if outcome.cost.total > hold.usd:
            # What was logged cannot be: no more was held, and nothing can cost more.
            cost = held_cost(hold, priced=outcome.cost.priced)
            outcome = replace(outcome, usage_source="bound", cost=cost)
        return self._row(orphan, tenant, outcome, now)

    def _row(
        self, orphan: Orphan, tenant: Tenant | None, outcome: Outcome, now: datetime
    ) -> UsageRow:
        hold = orphan.hold
        app = _app(tenant, hold)
        terms = _terms(tenant, app)
        ref = _called(hold, tenant, app)
        attribution = Attribution(
            tenant_id=orphan.tenant_id,
            tier="" if tenant is None else tenant.tier,
            cost_center="" if tenant is None else tenant.cost_center,
            tags=_tags(tenant, app, ref),
            region=self._region,
            account_id=_model_account(tenant, self._account_id),
            price_version=self._pricing.version(terms),
            model_arns=terms.model_arns,
            inference_profile_arn=ref.inference_profile_arn,
            business_unit=hold.business_unit or (None if tenant is None else tenant.business_unit),
        )
        return usage_row(hold, attribution, outcome, now)


def _app(tenant: Tenant | None, hold: Hold) -> App | None:
    return None if tenant is None else tenant.apps.get(hold.app_id)


def _terms(tenant: Tenant | None, app: App | None) -> PriceTerms:
    return LIST_PRICES if tenant is None else PriceTerms.of(tenant, app)


def _called(hold: Hold, tenant: Tenant | None, app: App | None) -> ModelRef:
    """What the hold's call was made with, as far as the policy still tells."""
    if tenant is not None and app is not None:
        with suppress(UnsupportedModelId):
            return app_model(hold.model, tenant, app)
    return model_ref(hold.model, _terms(tenant, app).model_arns)


def _model_account(tenant: Tenant | None, own_account: str) -> str:
    """The AWS account in which the tenant's calls run, as far as the policy still tells."""
    if tenant is None or tenant.silo is None or tenant.isolation != "silo":
        return own_account
    return role_account(tenant.silo.role_arn)


def _tags(tenant: Tenant | None, app: App | None, ref: ModelRef) -> Mapping[str, str]:
    if tenant is None:
        return {}
    return tenant.tags if app is None else call_tags(tenant, app, ref)


def _ended(job: Job | None) -> Outcome:
    """How the call ended for its caller: a job whose producer lived has an error of its own."""
    error = None if job is None else job.result.get("error")
    if error is None:
        return CALLER_LOST
    return Outcome(status="aborted", http_status=error["http_status"], error_code=error["code"])
