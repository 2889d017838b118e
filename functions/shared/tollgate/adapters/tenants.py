"""The tenants table: key records and policies, written by Terraform, and operators' overrides."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from tollgate.adapters.aws import from_values, reaching, to_values
from tollgate.domain.errors import UnavailableError
from tollgate.domain.tenants import (
    BusinessUnit,
    KeyRecord,
    Tenant,
    overridden,
    overridden_unit,
    parse_business_unit,
    parse_tenant,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

_DEPENDENCY = "tenants table"
# A throttled table may answer a batch in part; what is missing is asked for again.
_ATTEMPTS = 5


class DynamoTenants:
    """`tollgate.ports.Tenants` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def key(self, key_hash: str) -> KeyRecord | None:
        """The KEY# item."""
        item = self._item(f"KEY#{key_hash}")
        if item is None:
            return None
        expires = item["expires"]
        return KeyRecord(
            tenant_id=item["tenant_id"],
            app_id=item["app_id"],
            key_id=item["key_id"],
            tier=item["tier"],
            status=item["status"],
            expires=date.fromisoformat(expires) if expires else None,
        )

    def tenant(self, tenant_id: str) -> Tenant | None:
        """The TENANT# item's document."""
        item = self._item(f"TENANT#{tenant_id}")
        return None if item is None else parse_tenant(item["document"])

    def policy(self, tenant_id: str, now: datetime) -> Tenant | None:
        """The documents of the TENANT# and OVERRIDE# items, read together and consistently."""
        pks = (f"TENANT#{tenant_id}", f"OVERRIDE#{tenant_id}")
        items = self._items(pks)
        if pks[0] not in items:
            return None
        tenant = parse_tenant(items[pks[0]]["document"])
        override = items.get(pks[1])
        return tenant if override is None else overridden(tenant, override["document"], now)

    def business_unit(self, unit_id: str, now: datetime) -> BusinessUnit | None:
        """The documents of the BUSINESS_UNIT# item and its override, read together as above."""
        pks = (f"BUSINESS_UNIT#{unit_id}", f"OVERRIDE#BUSINESS_UNIT#{unit_id}")
        items = self._items(pks)
        if pks[0] not in items:
            return None
        unit = parse_business_unit(items[pks[0]]["document"])
        override = items.get(pks[1])
        return unit if override is None else overridden_unit(unit, override["document"], now)

    def _items(self, pks: Sequence[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        missing: Any = {
            self._table: {"Keys": [to_values({"pk": pk}) for pk in pks], "ConsistentRead": True}
        }
        for _ in range(_ATTEMPTS):
            with reaching(_DEPENDENCY):
                answer = self._client.batch_get_item(RequestItems=missing)
            for item in answer["Responses"].get(self._table, []):
                values = from_values(item)
                found[values["pk"]] = values
            missing = answer.get("UnprocessedKeys")
            if not missing:
                return found
        raise UnavailableError(
            f"the gateway cannot read all of its {_DEPENDENCY}; try again",
            details={"dependency": _DEPENDENCY},
            retry_after=1,
        )

    def _item(self, pk: str) -> dict[str, Any] | None:
        with reaching(_DEPENDENCY):
            answer = self._client.get_item(TableName=self._table, Key=to_values({"pk": pk}))
        item = answer.get("Item")
        return None if item is None else from_values(item)
