"""What aggregation reads from DynamoDB: usage rows by hour, the watermark and the open holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tollgate.adapters.aws import conditionally_reaching, from_values, reaching, to_values
from tollgate.domain.ids import USAGE_SHARDS, usage_partition
from tollgate.domain.usage import from_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from tollgate.domain.usage import UsageRow

_USAGE = "usage table"
_LEDGER = "ledger"
_WATERMARK = {"pk": "WATERMARK#aggregate", "sk": "-"}


class DynamoUsageReader:
    """The usage table, one hour at a time."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def hour(self, hour: datetime) -> Iterator[UsageRow]:
        """All rows of the requests that started in the UTC hour, read consistently."""
        for shard in range(USAGE_SHARDS):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=to_values({":pk": usage_partition(hour, shard)}),
                ConsistentRead=True,
            )
            with reaching(_USAGE):
                for page in pages:
                    yield from (from_item(from_values(item)) for item in page["Items"])


class DynamoWatermark:
    """The moment before which every hour is closed, as an item of the usage table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self) -> datetime | None:
        """The UTC moment, read consistently; None before the first run."""
        with reaching(_USAGE):
            answer = self._client.get_item(
                TableName=self._table, Key=to_values(_WATERMARK), ConsistentRead=True
            )
        item = answer.get("Item")
        if item is None:
            return None
        return datetime.fromisoformat(from_values(item)["closed_through"])

    def set(self, closed_through: datetime) -> None:
        """Move the moment forward; an earlier one than stands is ignored."""
        text = f"{closed_through.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        try:
            with conditionally_reaching(_USAGE):
                self._client.put_item(
                    TableName=self._table,
                    Item=to_values({**_WATERMARK, "closed_through": text}),
                    ConditionExpression="attribute_not_exists(pk) OR closed_through < :new",
                    ExpressionAttributeValues=to_values({":new": text}),
                )
        except ClientError:
            # Another run has closed as much or more.
            return


class DynamoOpenHolds:
    """The holds of all accounts."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def request_ids(self) -> Iterator[str]:
        """Ids of all requests with a hold, read consistently; one may appear more than once."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table, ProjectionExpression="holds", ConsistentRead=True
        )
        with reaching(_LEDGER):
            for page in pages:
                for item in page["Items"]:
                    yield from from_values(item).get("holds", {})
