"""How the texts of a tenant are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tollgate.domain.tenants import DEFAULT_RETENTION_MINUTES

if TYPE_CHECKING:
    from tollgate.domain.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Custody:
    """For how many seconds texts can be read, and the tenant's own key that they lie under.

    Without a key of its own a tenant's texts lie under the deployment's.
    """

    seconds: int = DEFAULT_RETENTION_MINUTES * 60
    kms_key_arn: str | None = None

    @classmethod
    def of(cls, tenant: Tenant) -> Custody:
        """As the tenant's policy says."""
        return cls(tenant.retention_minutes * 60, tenant.kms_key_arn)
