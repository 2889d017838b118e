"""In-memory accounts, usage and tenants tables."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from scripts.whatif.accounts import MemoryAccounts
from tollgate.domain.tenants import overridden, overridden_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from tollgate.domain.ledger import Account
    from tollgate.domain.tenants import BusinessUnit, KeyRecord, Tenant
    from tollgate.domain.usage import UsageRow
    from tollgate.ports import Unreadable


class FakeAccounts(MemoryAccounts):
    """Accounts in memory that a test sets up, some of them not readable."""

    def __init__(self) -> None:
        super().__init__()
        # What a scan tells beside the accounts that can be read.
        self.unreadable: list[Unreadable] = []

    def place(self, account: Account) -> None:
        """Sets an account up as a crash left it."""
        with self._lock:
            self._accounts[account.account_id] = account

    def scan(self, unreadable: Callable[[Unreadable], None] | None = None) -> Iterator[Account]:
        yield from super().scan()
        if unreadable is not None:
            for item in self.unreadable:
                unreadable(item)


class FakeUsage:
    """`tollgate.ports.Usage` in a dict."""

    def __init__(self) -> None:
        self.rows: dict[str, UsageRow] = {}
        self._lock = threading.Lock()

    def put(self, row: UsageRow) -> UsageRow:
        with self._lock:
            return self.rows.setdefault(row.request_id, row)

    def get(self, request_id: str) -> UsageRow | None:
        with self._lock:
            return self.rows.get(request_id)


class FakeTenants:
    """`tollgate.ports.Tenants` in dicts; overrides are documents by tenant."""

    def __init__(self, *tenants: Tenant, keys: dict[str, KeyRecord] | None = None) -> None:
        self.tenants = {tenant.tenant_id: tenant for tenant in tenants}
        self.keys = keys or {}
        self.overrides: dict[str, str] = {}
        self.units: dict[str, BusinessUnit] = {}
        self.unit_overrides: dict[str, str] = {}

    def key(self, key_hash: str) -> KeyRecord | None:
        return self.keys.get(key_hash)

    def tenant(self, tenant_id: str) -> Tenant | None:
        return self.tenants.get(tenant_id)

    def policy(self, tenant_id: str, now: datetime) -> Tenant | None:
        tenant = self.tenants.get(tenant_id)
        override = self.overrides.get(tenant_id)
        return tenant if tenant is None or override is None else overridden(tenant, override, now)

    def business_unit(self, unit_id: str, now: datetime) -> BusinessUnit | None:
        unit = self.units.get(unit_id)
        override = self.unit_overrides.get(unit_id)
        return unit if unit is None or override is None else overridden_unit(unit, override, now)
