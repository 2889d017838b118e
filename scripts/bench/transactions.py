"""The ledger's plain alternative, for `scripts.bench.ledger`: two transactions a request.

Counters, hold and idempotency record are items of their own. Admission writes all three in one
transaction, settlement changes the counters, deletes the hold and puts the usage row in another.
It checks what the real ledger checks but for concurrency, which would need a counter more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tollgate.adapters.aws import to_values
from tollgate.domain.ids import usage_key
from tollgate.domain.usage import UsageRow, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from tollgate.domain.ledger import Hold, Scope, Windows

_ZERO = (
    "month_committed",
    "month_spent",
    "day_committed",
    "day_spent",
    "day_requests",
    "minute_requests",
    "minute_tokens",
)


@dataclass(frozen=True)
class Tables:
    """Names of the tables; all three kinds of live items share one."""

    live: str
    usage: str


class TransactionLedger:
    """Admits and settles one request by one transaction each."""

    def __init__(self, client: DynamoDBClient, tables: Tables) -> None:
        self._client = client
        self._tables = tables

    def create(self, account_id: str, windows: Windows) -> None:
        """Write the counters of an account."""
        item = {"account_id": account_id, "month": windows.month, "day": windows.day}
        counters = {"minute": windows.minute, **dict.fromkeys(_ZERO, 0)}
        self._client.put_item(TableName=self._tables.live, Item=to_values(item | counters))

    def admit(self, scope: Scope, hold: Hold, windows: Windows) -> None:
        """Place the hold; raises TransactionCanceledException where it does not fit."""
        ceilings = {
            "month_committed": (scope.budget.month, hold.usd),
            "day_committed": (scope.budget.day, hold.usd),
            "day_requests": (scope.limits.requests_per_day, 1),
            "minute_requests": (scope.limits.requests_per_minute, 1),
            "minute_tokens": (scope.limits.tokens_per_minute, hold.tokens),
        }
        limits = {
            name: limit - asked for name, (limit, asked) in ceilings.items() if limit is not None
        }
        counters = self._update(
            scope.account_id,
            "ADD month_committed :usd, day_committed :usd, day_requests :one, "
            "minute_requests :one, minute_tokens :tokens",
            {":usd": hold.usd, ":tokens": hold.tokens, ":one": 1},
        )
        counters["ConditionExpression"] = " AND ".join(
            ["#month >= :month", "#day >= :day", *(f"{name} <= :max_{name}" for name in limits)]
        )
        counters["ExpressionAttributeNames"] = {"#month": "month", "#day": "day"}
        counters["ExpressionAttributeValues"] |= to_values(
            {
                ":month": windows.month,
                ":day": windows.day,
                **{f":max_{name}": limit for name, limit in limits.items()},
            }
        )
        hold_item = {
            "account_id": _hold_id(hold),
            "u": hold.usd,
            "t": hold.tokens,
            "e": hold.expires_at,
            "m": hold.model,
            "a": hold.app_id,
            "k": hold.key_id,
            "d": hold.dialect,
            "s": hold.streamed,
        }
        key = {"account_id": f"key#{hold.request_id}", "expires_at": hold.expires_at}
        self._transact(
            {"Update": counters},
            {"Put": self._put(self._tables.live, hold_item, "account_id")},
            {"Put": self._put(self._tables.live, key, "account_id")},
        )

    def settle(self, scope: Scope, hold: Hold, row: UsageRow) -> None:
        """End the hold and write the row."""
        counters = self._update(
            scope.account_id,
            "ADD month_committed :delta, day_committed :delta, month_spent :spent, "
            "day_spent :spent",
            {":delta": row.total_cost - hold.usd, ":spent": row.total_cost},
        )
        pk, sk = usage_key(row.request_id)
        self._transact(
            {"Update": counters},
            {
                "Delete": {
                    "TableName": self._tables.live,
                    "Key": to_values({"account_id": _hold_id(hold)}),
                    "ConditionExpression": "attribute_exists(account_id)",
                }
            },
            {"Put": self._put(self._tables.usage, {"pk": pk, "sk": sk, **to_item(row)}, "pk")},
        )

    def _update(self, account_id: str, expression: str, values: dict[str, Any]) -> Any:  # noqa: ANN401
        return {
            "TableName": self._tables.live,
            "Key": to_values({"account_id": account_id}),
            "UpdateExpression": expression,
            "ExpressionAttributeValues": to_values(values),
        }

    @staticmethod
    def _put(table: str, item: dict[str, Any], key: str) -> Any:  # noqa: ANN401
        return {
            "TableName": table,
            "Item": to_values(item),
            "ConditionExpression": f"attribute_not_exists({key})",
        }

    def _transact(self, *items: TransactWriteItemTypeDef) -> None:
        self._client.transact_write_items(TransactItems=items)


def _hold_id(hold: Hold) -> str:
    return f"hold#{hold.request_id}"
