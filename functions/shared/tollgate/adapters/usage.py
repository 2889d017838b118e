"""The usage table: one row per request, written once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tollgate.adapters.aws import (
    conditionally_reaching,
    from_values,
    reaching,
    to_values,
)
from tollgate.domain.ids import usage_key
from tollgate.domain.usage import UsageRow, from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_DEPENDENCY = "usage table"


class DynamoUsage:
    """`tollgate.ports.Usage` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def put(self, row: UsageRow) -> UsageRow:
        """Writes the row, or returns the one that was there first.

        No time of its own ends it: `aggregate` deletes it once the lake has it.
        """
        item = {**_key(row.request_id), **to_item(row)}
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client.put_item(
                    TableName=self._table,
                    Item=to_values(item),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except ClientError:
            standing = self.get(row.request_id)
            if standing is None:
                raise
            return standing
        return row

    def get(self, request_id: str) -> UsageRow | None:
        """One consistent point read."""
        with reaching(_DEPENDENCY):
            answer = self._client.get_item(
                TableName=self._table, Key=to_values(_key(request_id)), ConsistentRead=True
            )
        item = answer.get("Item")
        return None if item is None else from_item(from_values(item))


def _key(request_id: str) -> dict[str, Any]:
    pk, sk = usage_key(request_id)
    return {"pk": pk, "sk": sk}
