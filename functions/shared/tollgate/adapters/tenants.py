"""The tenants table: key records and tenant policies, written by Terraform."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from tollgate.adapters.aws import from_values, reaching, to_values
from tollgate.domain.tenants import KeyRecord, Tenant, parse_tenant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_DEPENDENCY = "tenants table"


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

    def _item(self, pk: str) -> dict[str, Any] | None:
        with reaching(_DEPENDENCY):
            answer = self._client.get_item(TableName=self._table, Key=to_values({"pk": pk}))
        item = answer.get("Item")
        return None if item is None else from_values(item)
