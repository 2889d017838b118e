"""Whose role a call is made with: the function's own, or a session tagged with the tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tollgate.domain.errors import ForbiddenError

if TYPE_CHECKING:
    from tollgate.domain.tenants import Caller, Tenant


@dataclass(frozen=True, slots=True)
class Session:
    """A role assumed for a tenant.

    `app_id` is None for what belongs to the tenant rather than to one of its apps. Only a role in
    a tenant's own account has an `external_id`.
    """

    role_arn: str
    tenant_id: str
    app_id: str | None = None
    external_id: str | None = None

    @property
    def account_id(self) -> str:
        """The AWS account that the role belongs to."""
        return role_account(self.role_arn)

    @property
    def is_silo(self) -> bool:
        """Whether the role lies in the tenant's account, not the gateway's."""
        return self.external_id is not None


def model_session(tenant: Tenant, caller: Caller, pool_role_arn: str | None) -> Session | None:
    """The session that a caller's model calls are made with; None for the function's own role.

    `pool_role_arn` is the role of tenants without an account of their own, None where they have
    none. Raises ForbiddenError for a silo without a role: its calls must not run elsewhere.
    """
    if tenant.isolation == "silo":
        if tenant.silo is None:
            raise role_denied(tenant.tenant_id)
        role = tenant.silo
        return Session(role.role_arn, tenant.tenant_id, caller.app_id, role.external_id)
    if pool_role_arn is None:
        return None
    return Session(pool_role_arn, tenant.tenant_id, caller.app_id)


def data_session(tenant_id: str, pool_role_arn: str | None) -> Session | None:
    """The session that a tenant's jobs, payloads and keys are used with; None as above.

    They lie in the gateway's account whatever the tenant's isolation, and are no app's own.
    """
    return None if pool_role_arn is None else Session(pool_role_arn, tenant_id)


def role_account(role_arn: str) -> str:
    """The AWS account of a role."""
    return role_arn.split(":")[4]


def model_account(session: Session | None, own_account: str) -> str:
    """The AWS account in which a call that is made with a session runs its model."""
    return own_account if session is None else session.account_id


def role_denied(tenant_id: str) -> ForbiddenError:
    """The refusal of a call whose role cannot be assumed."""
    return ForbiddenError(
        f"the gateway may not assume the role of tenant {tenant_id}; nothing was charged, "
        "ask the platform team",
        code="tenant_role_denied",
    )
