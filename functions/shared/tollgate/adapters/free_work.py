"""Counters of free work in the streaming table."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tollgate.adapters.aws import conditionally_reaching, from_values, to_values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

_DEPENDENCY = "streaming table"
# What TTL deletes is then of no use to anybody any more.
_KEPT = timedelta(days=1)
# A try is lost where there was nothing yet, and where others went by themselves.
_TRIES = 3


class DynamoFreeCounters:
    """`tollgate.ports.FreeCounters` on DynamoDB.

    Under `FREE#<tenant>#` an item for each kind and minute has the count `n`, and the item
    `WAITING` the map `waits` of what waits until when.
    """

    def __init__(self, client_of: Callable[[str], DynamoDBClient], table: str) -> None:
        """`client_of` gives the client for a tenant's items."""
        self._client_of = client_of
        self._table = table

    def take(self, tenant_id: str, kind: str, minute: str, amount: int, limit: int) -> bool:
        """One conditional write."""
        if amount > limit:
            return False
        ends = datetime.fromisoformat(f"{minute}:00+00:00") + _KEPT
        return self._update(
            tenant_id,
            f"{kind}#{minute}",
            "SET expires_at = :expires_at ADD n :amount",
            "attribute_not_exists(n) OR n <= :most",
            {
                ":amount": amount,
                ":most": limit - amount,
                ":expires_at": int(ends.timestamp()),
            },
        )

    def enter(self, tenant_id: str, name: str, now: int, until: int, most: int) -> bool:
        """One conditional write; more for the first ever, and after processes died in a wait."""
        for _ in range(_TRIES):
            values = {
                ":now": now,
                ":until": until,
                ":most": most,
                ":expires_at": until + int(_KEPT.total_seconds()),
            }
            try:
                with conditionally_reaching(_DEPENDENCY):
                    self._client_of(tenant_id).update_item(
                        TableName=self._table,
                        Key=to_values(_key(tenant_id, "WAITING")),
                        UpdateExpression="SET waits.#name = :until, expires_at = :expires_at",
                        ConditionExpression=(
                            "attribute_exists(waits) AND size(waits) < :most "
                            "AND (attribute_not_exists(waits.#name) OR waits.#name < :now)"
                        ),
                        ExpressionAttributeNames={"#name": name},
                        ExpressionAttributeValues=to_values(values),
                        ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    )
            except ClientError as error:
                item: Any = error.response.get("Item")
            else:
                return True
            if not item:
                self._create(tenant_id, values[":expires_at"])
                continue
            waits: dict[str, int] = from_values(item)["waits"]
            over = {other: end for other, end in waits.items() if end < now}
            if not over:
                return False
            self._remove(tenant_id, over)
        return False

    def leave(self, tenant_id: str, name: str, until: int) -> None:
        """One conditional write."""
        self._remove(tenant_id, {name: until})

    def _create(self, tenant_id: str, expires_at: int) -> None:
        """A name can be set only inside a map that is there."""
        self._update(
            tenant_id,
            "WAITING",
            "SET waits = :nobody, expires_at = :expires_at",
            "attribute_not_exists(waits)",
            {":nobody": {}, ":expires_at": expires_at},
        )

    def _remove(self, tenant_id: str, waits: dict[str, int]) -> None:
        places = [f"waits.#name{index}" for index in range(len(waits))]
        self._update(
            tenant_id,
            "WAITING",
            f"REMOVE {', '.join(places)}",
            " AND ".join(f"{place} = :until{index}" for index, place in enumerate(places)),
            {f":until{index}": until for index, until in enumerate(waits.values())},
            names=list(waits),
        )

    def _update(  # noqa: PLR0913 - what an update is made of
        self,
        tenant_id: str,
        sk: str,
        update: str,
        condition: str,
        values: dict[str, Any],
        *,
        names: Sequence[str] = (),
    ) -> bool:
        """Whether the condition was true."""
        named: Any = {}
        if names:
            written = {f"#name{index}": name for index, name in enumerate(names)}
            named["ExpressionAttributeNames"] = written
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client_of(tenant_id).update_item(
                    TableName=self._table,
                    Key=to_values(_key(tenant_id, sk)),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=to_values(values),
                    **named,
                )
        except ClientError:
            return False
        return True


def _key(tenant_id: str, sk: str) -> dict[str, str]:
    return {"pk": f"FREE#{tenant_id}#", "sk": sk}
