"""Idempotency records in the streaming table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tollgate.adapters.aws import conditionally_reaching, from_values, to_values
from tollgate.domain.idempotency import IdempotencyRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

_DEPENDENCY = "streaming table"
# As `IdempotencyRecord.is_in_force`, the other way round.
_FREE = "attribute_not_exists(pk) OR expires_at < :now OR (#status <> :done AND lease < :now)"


class DynamoIdempotencyRecords:
    """`tollgate.ports.IdempotencyRecords` on DynamoDB: `IDEMPOTENCY#<tenant>#<id>`, `KEY`."""

    def __init__(self, client_of: Callable[[str], DynamoDBClient], table: str) -> None:
        """`client_of` gives the client for a tenant's items."""
        self._client_of = client_of
        self._table = table

    def claim(self, record: IdempotencyRecord, now: datetime) -> IdempotencyRecord | None:
        """One conditional write."""
        item = {
            **_key(record),
            "body_hash": record.body_hash,
            "request_id": record.request_id,
            "status": record.status,
            "lease": record.lease,
            "expires_at": record.expires_at,
        }
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client_of(record.tenant_id).put_item(
                    TableName=self._table,
                    Item=to_values(item),
                    ConditionExpression=_FREE,
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues=to_values(
                        {":now": int(now.timestamp()), ":done": "done"}
                    ),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            # The types leave the item out, which a false condition of ours always comes with.
            found: Any = error.response.get("Item")
            standing = _record(record, from_values(found))
            # The SDK sends a write again when its first answer was lost.
            return None if standing.request_id == record.request_id else standing
        return None

    def finish(self, record: IdempotencyRecord) -> bool:
        """One conditional write; sent twice it succeeds twice."""
        changes: dict[str, Any] = {
            ":status": record.status,
            ":lease": record.lease,
            ":expires_at": record.expires_at,
            ":payload_key": record.payload_key,
        }
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client_of(record.tenant_id).update_item(
                    TableName=self._table,
                    Key=to_values(_key(record)),
                    UpdateExpression=(
                        "SET #status = :status, lease = :lease, expires_at = :expires_at, "
                        "payload_key = :payload_key"
                    ),
                    ConditionExpression="request_id = :ours AND #status IN (:running, :status)",
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues=to_values(
                        {**changes, ":ours": record.request_id, ":running": "running"}
                    ),
                )
        except ClientError:
            return False
        return True

    def release(self, record: IdempotencyRecord) -> None:
        """One conditional delete."""
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client_of(record.tenant_id).delete_item(
                    TableName=self._table,
                    Key=to_values(_key(record)),
                    ConditionExpression="request_id = :ours AND #status = :running",
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues=to_values(
                        {":ours": record.request_id, ":running": "running"}
                    ),
                )
        except ClientError:
            # Gone already, or another request's by now.
            return


def _key(record: IdempotencyRecord) -> dict[str, str]:
    return {"pk": f"IDEMPOTENCY#{record.tenant_id}#{record.record_id}", "sk": "KEY"}


def _record(ours: IdempotencyRecord, item: Mapping[str, Any]) -> IdempotencyRecord:
    return IdempotencyRecord(
        tenant_id=ours.tenant_id,
        record_id=ours.record_id,
        body_hash=item["body_hash"],
        request_id=item["request_id"],
        status=item["status"],
        lease=item["lease"],
        expires_at=item["expires_at"],
        payload_key=item.get("payload_key"),
    )
