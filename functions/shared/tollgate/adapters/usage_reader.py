"""What aggregation reads from DynamoDB: usage rows by hour, the watermark and the open holds."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tollgate.adapters.aws import conditionally_reaching, from_values, reaching, to_values
from tollgate.domain.errors import UnavailableError
from tollgate.domain.ids import USAGE_SHARDS, usage_key, usage_partition
from tollgate.domain.usage import UsageRow, from_item
from tollgate.ports import UnreadableRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

_USAGE = "usage table"
_LEDGER = "ledger"
# What one call takes, and how often what it left is asked for again.
_BATCH = 25
_ATTEMPTS = 8


class DynamoUsageReader:
    """The usage table, one hour at a time."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def hour(self, hour: datetime) -> Iterator[UsageRow | UnreadableRow]:
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
                    yield from (_row(item) for item in page["Items"])

    def delete(self, request_ids: Iterable[str]) -> None:
        """Delete rows, in batches; one that is not there is no failure."""
        remaining = iter(request_ids)
        while ids := list(islice(remaining, _BATCH)):
            asked: Any = {
                self._table: [
                    {"DeleteRequest": {"Key": to_values({"pk": pk, "sk": sk})}}
                    for pk, sk in map(usage_key, ids)
                ]
            }
            self._write_all(asked)

    def _write_all(self, asked: Any) -> None:  # noqa: ANN401 - boto3's own form
        for _ in range(_ATTEMPTS):
            with reaching(_USAGE):
                asked = self._client.batch_write_item(RequestItems=asked).get("UnprocessedItems")
            if not asked:
                return
        raise UnavailableError(
            f"the {_USAGE} does not take all that is deleted", details={"dependency": _USAGE}
        )


def _row(item: Mapping[str, Any]) -> UsageRow | UnreadableRow:
    sk = item["sk"].get("S", "")
    try:
        row = from_item(from_values(item))
        if row.request_id != sk:
            raise ValueError(f"usage row {sk} is of request {row.request_id}")
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return UnreadableRow(sk, json.dumps(item, default=_base64, sort_keys=True), str(error))
    return row


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


class DynamoWatermark:
    """How far something has come, as an item of the usage table: hours are closed, or deleted."""

    def __init__(self, client: DynamoDBClient, table: str, name: str = "aggregate") -> None:
        self._client = client
        self._table = table
        self._key = {"pk": f"WATERMARK#{name}", "sk": "-"}

    def get(self) -> datetime | None:
        """The UTC moment, read consistently; None before the first run."""
        with reaching(_USAGE):
            answer = self._client.get_item(
                TableName=self._table, Key=to_values(self._key), ConsistentRead=True
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
                    Item=to_values({**self._key, "closed_through": text}),
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
                    holds = from_values(item).get("holds")
                    yield from holds if isinstance(holds, dict) else ()
