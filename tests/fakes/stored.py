"""What the tables of an emulator hold, read and changed behind the gateway's back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tollgate.adapters.aws import from_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from tollgate.adapters.tables import TableSpec

TENANTS = "tollgate-local-tenants"


def items(client: Any, table: str) -> list[dict[str, Any]]:  # noqa: ANN401 - boto3's
    """All items of a table, as plain values."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [from_values(item) for page in pages for item in page["Items"]]


def change_policy(client: Any, tenant: str, change: Callable[[Any], None]) -> None:  # noqa: ANN401
    """Change a tenant's policy document in place; processes that have read it keep the old one."""
    key = {"pk": {"S": f"TENANT#{tenant}"}}
    item = client.get_item(TableName=TENANTS, Key=key)["Item"]
    policy = json.loads(item["document"]["S"])
    change(policy)
    item["document"]["S"] = json.dumps(policy)
    client.put_item(TableName=TENANTS, Item=item)


def make_table(client: Any, spec: TableSpec) -> str:  # noqa: ANN401 - boto3's
    """Create a table of a test's own; returns its name."""
    name = f"{spec.name}-{uuid4().hex[:8]}"
    keys = [(spec.hash_key, "HASH")] + ([(spec.range_key, "RANGE")] if spec.range_key else [])
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
        KeySchema=[{"AttributeName": key, "KeyType": role} for key, role in keys],
    )
    return name
