"""The accounts table: one conditional write admits a request, one ends it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tollgate.adapters.aws import conditionally_reaching, from_values, reaching, to_values
from tollgate.domain.ids import request_time
from tollgate.domain.ledger import Account, Hold, Layout, Scope, Windows
from tollgate.domain.tenants import Budget
from tollgate.observability import logger
from tollgate.ports import Admitted, Rejected, TokenRefund, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

_DEPENDENCY = "ledger"
_COUNTERS = (
    "month_committed",
    "month_spent",
    "day_committed",
    "day_spent",
    "day_requests",
    "minute_requests",
    "minute_tokens",
    "rev",
)
_WINDOWS = ("month", "day", "minute")
# Only accounts that follow a change of layout have these.
_CARRIED = ("month_carried", "day_carried")
# Short names inside a hold: the item's size is what each write of it costs.
_HOLD_NAMES = {
    "usd": "u",
    "tokens": "t",
    "expires_at": "e",
    "model": "m",
    "app_id": "a",
    "key_id": "k",
    "dialect": "d",
    "streamed": "s",
}
# Only a hold has it that counts in another minute than the one in its request's id.
_HOLD_MINUTE = "w"
# Only a hold has it whose call generates tokens.
_HOLD_OUTPUT = "o"
# Only a hold has it whose client named an end user.
_HOLD_USER = "n"
# Only a hold has them that a business unit's account has as well.
_HOLD_BUSINESS_UNIT = "b"
_HOLD_TENANT = "c"
# What reading an item of another shape ends in.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
# The last second of the year 9999.
_LAST_SECOND = 253_402_300_799


class DynamoAccounts:
    """`tollgate.ports.Accounts` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def admit(self, scope: Scope, hold: Hold, windows: Windows) -> Admitted | Rejected:
        """One UpdateItem checks every limit and places the hold."""
        conditions = [
            # Its month and day follow from the minute: windows move together.
            "#minute = :minute",
            "attribute_not_exists(#holds.#rid)",
            "attribute_not_exists(#frozen)",
        ]
        values: dict[str, Any] = {
            ":minute": windows.minute,
            ":hold": _hold_item(replace(hold, minute=windows.minute)),
            ":usd": hold.usd,
            ":tokens": hold.tokens,
            ":one": 1,
        }
        budget = scope.budget if scope.budget.is_hard else Budget()
        # The room is computed here because a condition cannot hold arithmetic.
        ceilings = (
            ("month_committed", budget.month, hold.usd),
            ("day_committed", budget.day, hold.usd),
            ("day_requests", scope.limits.requests_per_day, 1),
            ("minute_requests", scope.limits.requests_per_minute, 1),
            ("minute_tokens", scope.limits.tokens_per_minute, hold.tokens),
        )
        for counter, limit, asked in ceilings:
            if limit is not None:
                conditions.append(f"{counter} <= :max_{counter}")
                values[f":max_{counter}"] = limit - asked
        if scope.limits.concurrent_requests is not None:
            conditions.append("size(#holds) < :concurrent")
            values[":concurrent"] = scope.limits.concurrent_requests
        try:
            with conditionally_reaching(_DEPENDENCY):
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=to_values({"account_id": scope.account_id}),
                    UpdateExpression=(
                        "SET #holds.#rid = :hold ADD month_committed :usd, day_committed :usd, "
                        "day_requests :one, minute_requests :one, minute_tokens :tokens, rev :one"
                    ),
                    ConditionExpression=" AND ".join(conditions),
                    ExpressionAttributeNames={
                        "#minute": "minute",
                        "#holds": "holds",
                        "#rid": hold.request_id,
                        "#frozen": "frozen",
                    },
                    ExpressionAttributeValues=to_values(values),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            item: Any = error.response.get("Item")
            return Rejected(_account(from_values(item)) if item else None)
        return Admitted(_account(from_values(answer["Attributes"])))

    def create(self, account: Account) -> bool:
        """The item must exist before a hold can be set inside its map."""
        item = {name: getattr(account, name) for name in (*_WINDOWS, *_COUNTERS)}
        item |= {name: getattr(account, name) for name in _CARRIED if getattr(account, name)}
        item |= {"account_id": account.account_id, "holds": {}}
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client.put_item(
                    TableName=self._table,
                    Item=to_values(item),
                    ConditionExpression="attribute_not_exists(account_id)",
                )
        except ClientError:
            return False
        return True

    def replace(self, before: Account, after: Account) -> bool:
        """Compare-and-set on the revision that every write moves."""
        changed = [name for name in _CARRIED if getattr(before, name) != getattr(after, name)]
        names = (*_WINDOWS, *_COUNTERS, *changed)
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client.update_item(
                    TableName=self._table,
                    Key=to_values({"account_id": before.account_id}),
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in names),
                    ConditionExpression="#rev = :before",
                    ExpressionAttributeNames={f"#{name}": name for name in names},
                    ExpressionAttributeValues=to_values(
                        {f":{name}": getattr(after, name) for name in names}
                        | {":before": before.rev}
                    ),
                )
        except ClientError:
            return False
        return True

    def settle(
        self, account_id: str, hold: Hold, spent: int, refund: TokenRefund | None
    ) -> Account | None:
        """Removes the hold and books what was spent, at most once."""
        money = {
            "month_committed": spent - hold.usd,
            "day_committed": spent - hold.usd,
            "month_spent": spent,
            "day_spent": spent,
        }
        if refund is not None:
            tokens = {"minute_tokens": -refund.tokens}
            settled = self._end(account_id, hold, money | tokens, {"minute": refund.minute})
            if settled is not None:
                return settled
        # Either there is nothing to refund, or the minute has passed, or the hold is gone.
        return self._end(account_id, hold, money, {})

    def withdraw(self, account_id: str, hold: Hold) -> None:
        """Removes the hold and takes back what it counted, at most once."""
        money = {"month_committed": -hold.usd, "day_committed": -hold.usd}
        of_day = {"day_requests": -1}
        of_minute = {"minute_requests": -1, "minute_tokens": -hold.tokens}
        # Windows never come back, so whichever write finds its own is the right one.
        for counted, window in (
            (money | of_day | of_minute, {"minute": hold.minute}),
            (money | of_day, {"day": hold.day}),
            (money, {}),
        ):
            if self._end(account_id, hold, counted, window) is not None:
                return

    def _end(
        self, account_id: str, hold: Hold, changes: Mapping[str, int], window: Mapping[str, str]
    ) -> Account | None:
        """Remove the hold and add the changes, if it is there and the window is the account's.

        A request that did not fit is tried again with a smaller hold. What was sent for an earlier
        try, and comes late, must not end it.
        """
        added = {**changes, "rev": 1}
        conditions = [
            "#holds.#rid.#usd = :held_usd",
            "#holds.#rid.#tokens = :held_tokens",
            *(f"#{name} = :{name}" for name in window),
        ]
        values: dict[str, Any] = {":held_usd": hold.usd, ":held_tokens": hold.tokens}
        values |= {f":{name}": value for name, value in {**added, **window}.items()}
        try:
            with conditionally_reaching(_DEPENDENCY):
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=to_values({"account_id": account_id}),
                    UpdateExpression="REMOVE #holds.#rid ADD "
                    + ", ".join(f"{name} :{name}" for name in added),
                    ConditionExpression=" AND ".join(conditions),
                    ExpressionAttributeNames={
                        "#holds": "holds",
                        "#rid": hold.request_id,
                        "#usd": _HOLD_NAMES["usd"],
                        "#tokens": _HOLD_NAMES["tokens"],
                        **{f"#{name}": name for name in window},
                    },
                    ExpressionAttributeValues=to_values(values),
                    ReturnValues="ALL_NEW",
                )
        except ClientError:
            return None
        return _account(from_values(answer["Attributes"]))

    def extend(self, account_id: str, request_id: str, expires_at: int) -> bool:
        """Moves the lease of a hold that is still there."""
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client.update_item(
                    TableName=self._table,
                    Key=to_values({"account_id": account_id}),
                    UpdateExpression="SET #holds.#rid.#expires = :expires ADD rev :one",
                    ConditionExpression="attribute_exists(#holds.#rid)",
                    ExpressionAttributeNames={
                        "#holds": "holds",
                        "#rid": request_id,
                        "#expires": _HOLD_NAMES["expires_at"],
                    },
                    ExpressionAttributeValues=to_values({":expires": expires_at, ":one": 1}),
                )
        except ClientError:
            return False
        return True

    def freeze(self, account_id: str) -> Account | None:
        """Sets a mark that every admission asks for."""
        try:
            with conditionally_reaching(_DEPENDENCY):
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=to_values({"account_id": account_id}),
                    UpdateExpression="SET #frozen = :true ADD rev :one",
                    ConditionExpression="attribute_exists(account_id)",
                    ExpressionAttributeNames={"#frozen": "frozen"},
                    ExpressionAttributeValues=to_values({":true": True, ":one": 1}),
                    ReturnValues="ALL_NEW",
                )
        except ClientError:
            return None
        return _account(from_values(answer["Attributes"]))

    def lay_out(self, account_id: str, before: int, layout: Layout) -> bool:
        """Compare-and-set on the layout's generation."""
        item = _layout_item(layout)
        values = {f":{name}": value for name, value in item.items()} | {":one": 1}
        stands = "attribute_not_exists(layout_generation)"
        if before:
            stands = "layout_generation = :before"
            values[":before"] = before
        try:
            with conditionally_reaching(_DEPENDENCY):
                self._client.update_item(
                    TableName=self._table,
                    Key=to_values({"account_id": account_id}),
                    UpdateExpression="SET "
                    + ", ".join(f"{name} = :{name}" for name in item)
                    + " ADD rev :one",
                    ConditionExpression=f"attribute_exists(#frozen) AND {stands}",
                    ExpressionAttributeNames={"#frozen": "frozen"},
                    ExpressionAttributeValues=to_values(values),
                )
        except ClientError:
            return False
        return True

    def get(self, account_id: str) -> Account | None:
        """One consistent read."""
        with reaching(_DEPENDENCY):
            answer = self._client.get_item(
                TableName=self._table,
                Key=to_values({"account_id": account_id}),
                ConsistentRead=True,
            )
        item = answer.get("Item")
        return _account(from_values(item)) if item else None

    def scan(self, unreadable: Callable[[Unreadable], None] | None = None) -> Iterator[Account]:
        """All accounts, page by page, read consistently."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table, ConsistentRead=True
        )
        with reaching(_DEPENDENCY):
            for page in pages:
                for item in page["Items"]:
                    if unreadable is None:
                        yield _account(from_values(item))
                    else:
                        yield from _readable(from_values(item), unreadable)


def _readable(
    item: Mapping[str, Any], unreadable: Callable[[Unreadable], None]
) -> Iterator[Account]:
    """The account of an item, as far as it can be read; none where nothing of it can be."""
    try:
        account = _account(item, unreadable)
    except _UNREADABLE as error:
        unreadable(Unreadable(str(item["account_id"]), None, _reason(error)))
    else:
        yield account


def _check(hold: Hold) -> None:
    """Raise for what no process of ours has written, which the types of a hold do not allow."""
    texts: tuple[Any, ...] = (hold.model, hold.app_id, hold.key_id, hold.dialect)
    named = (hold.end_user, hold.business_unit, hold.tenant_id)
    texts += tuple(text for text in named if text is not None)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text of the hold is none")
    if (hold.business_unit is None) != (hold.tenant_id is None):
        raise ValueError("the hold names one of business unit and tenant")
    numbers: tuple[Any, ...] = (hold.usd, hold.tokens, hold.output_tokens, hold.expires_at)
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise TypeError("a number of the hold is none")
    if hold.expires_at > _LAST_SECOND:
        raise ValueError("the hold has no end")


def _tell(item: Unreadable) -> None:
    logger.error("account not readable", extra=asdict(item))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _hold_item(hold: Hold) -> dict[str, Any]:
    item = {short: getattr(hold, name) for name, short in _HOLD_NAMES.items()}
    if hold.minute != _minute_of(hold.request_id):
        item[_HOLD_MINUTE] = hold.minute
    if hold.output_tokens:
        item[_HOLD_OUTPUT] = hold.output_tokens
    if hold.end_user is not None:
        item[_HOLD_USER] = hold.end_user
    if hold.business_unit is not None:
        item |= {_HOLD_BUSINESS_UNIT: hold.business_unit, _HOLD_TENANT: hold.tenant_id}
    return item


def _hold(request_id: str, item: Mapping[str, Any]) -> Hold:
    # Of an id that is none of ours nothing could be booked.
    minute = _minute_of(request_id)
    return Hold(
        request_id,
        **{name: item[short] for name, short in _HOLD_NAMES.items()},
        minute=item.get(_HOLD_MINUTE) or minute,
        output_tokens=item.get(_HOLD_OUTPUT, 0),
        end_user=item.get(_HOLD_USER),
        business_unit=item.get(_HOLD_BUSINESS_UNIT),
        tenant_id=item.get(_HOLD_TENANT),
    )


def _minute_of(request_id: str) -> str:
    return Windows.at(request_time(request_id)).minute


def _layout_item(layout: Layout) -> dict[str, Any]:
    budget, opening = layout.budget, layout.opening
    # Only a layout has it that is made for an observed budget.
    observed = {"is_observed": True} if budget.is_observed else {}
    return {
        "layout_generation": layout.generation,
        "layout_shards": layout.shards,
        "layout_at": layout.at,
        "layout_budget": {
            "month": budget.month,
            "day": budget.day,
            "is_hard": budget.is_hard,
            **observed,
        },
        "layout_opening": {
            name: getattr(opening, name) for name in (*_WINDOWS, *_COUNTERS, *_CARRIED)
        },
    }


def _layout(item: Mapping[str, Any]) -> Layout | None:
    if "layout_generation" not in item:
        return None
    return Layout(
        item["layout_generation"],
        item["layout_shards"],
        item["layout_at"],
        Budget(**item["layout_budget"]),
        Account(item["account_id"], **item["layout_opening"]),
    )


def _account(item: Mapping[str, Any], unreadable: Callable[[Unreadable], None] = _tell) -> Account:
    """The account of an item. A hold that nobody can read is told, and counts in no limit more.

    It would fail every other call of its tenant, after the model has answered.
    """
    holds = {}
    for request_id, given in item["holds"].items():
        try:
            hold = _hold(request_id, given)
            _check(hold)
        except _UNREADABLE as error:
            unreadable(Unreadable(item["account_id"], request_id, _reason(error)))
        else:
            holds[request_id] = hold
    return Account(
        account_id=item["account_id"],
        holds=holds,
        **{name: item[name] for name in (*_WINDOWS, *_COUNTERS)},
        **{name: item.get(name, 0) for name in _CARRIED},
        frozen=item.get("frozen", False),
        layout=_layout(item),
    )
