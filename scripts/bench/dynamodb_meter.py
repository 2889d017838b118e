"""Count DynamoDB calls and the capacity they take, by DynamoDB's published rules.

A write takes one unit for each started kilobyte of the item, the larger of before and after; in a
transaction twice that. A consistent read takes one unit for each started four kilobytes, another
read half of it. Failed conditions take the units of a write as well.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
ITEM_WRITE_UNITS_PER_SECOND = 1000
"""What DynamoDB takes for one item, or rather for its partition."""
TRANSACTION_FACTOR = 2

_CONTEXT = "tollgate-meter"
_KEYS = ("account_id", "pk", "sk")
_LENGTH_BYTES = 3
WRITES = {"PutItem", "UpdateItem", "DeleteItem"}
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}


@dataclass
class Meter:
    """What the watched clients did: calls by operation, single writes, units."""

    calls: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    write_units: float = 0.0
    read_units: float = 0.0
    _sizes: dict[tuple[str, ...], int] = field(default_factory=dict)

    def watch(self, client: DynamoDBClient) -> None:
        """Count this client's calls from now on."""
        events = client.meta.events
        events.register("before-parameter-build.dynamodb", self._remember)
        events.register("after-call.dynamodb", self._count)

    def stop(self, client: DynamoDBClient) -> None:
        """Count this client's calls no more."""
        events = client.meta.events
        events.unregister("before-parameter-build.dynamodb", self._remember)
        events.unregister("after-call.dynamodb", self._count)

    def size_of(self, hash_key: str) -> int:
        """Bytes of the largest item under a hash key, as last written; 0 when there is none."""
        return max((size for key, size in self._sizes.items() if key[1] == hash_key), default=0)

    def least_units(self, parameters: Mapping[str, Any]) -> int:
        """Units that a write takes at least: for the item as it is, and as it is put."""
        before = self._sizes.get(item_identity(parameters), 0)
        return _units(max(before, item_bytes(parameters.get("Item", {}))), WRITE_UNIT_BYTES)

    def reset(self) -> None:
        """Start from zero; sizes of items stay known."""
        self.calls.clear()
        self.writes, self.write_units, self.read_units = 0, 0.0, 0.0

    @staticmethod
    def _remember(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:
        context[_CONTEXT] = params

    def _count(
        self,
        model: OperationModel,
        parsed: Mapping[str, Any],
        context: Mapping[str, Any],
        **_: object,
    ) -> None:
        self.count(model.name, context[_CONTEXT], parsed)

    def count(
        self, operation: str, parameters: Mapping[str, Any], parsed: Mapping[str, Any]
    ) -> None:
        """Count a call by its parameters and its answer, or the error in its place."""
        self.calls[operation] += 1
        if operation in WRITES:
            self._write(operation, parameters, parsed, factor=1)
        elif operation == "TransactWriteItems":
            for action in parameters["TransactItems"]:
                for kind, written in action.items():
                    self._write(_TRANSACTED[kind], written, {}, factor=TRANSACTION_FACTOR)
        elif operation == "GetItem":
            self._read(item_bytes(parsed.get("Item", {})), parameters)
        elif operation == "BatchGetItem":
            for table, found in parsed.get("Responses", {}).items():
                for item in found:
                    self._read(item_bytes(item), parameters["RequestItems"][table])

    def _write(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        parsed: Mapping[str, Any],
        *,
        factor: int,
    ) -> None:
        key = item_identity(parameters)
        before = self._sizes.get(key, 0)
        if operation == "PutItem":
            after = item_bytes(parameters["Item"])
        elif operation == "DeleteItem":
            after = 0
        else:
            # Without the item in the answer, its size is taken to stay.
            after = item_bytes(parsed.get("Attributes") or parsed.get("Item") or {}) or before
        self.writes += 1
        self.write_units += factor * _units(max(before, after), WRITE_UNIT_BYTES)
        if "Error" not in parsed:
            self._sizes[key] = after

    def _read(self, size: int, parameters: Mapping[str, Any]) -> None:
        factor = 1.0 if parameters.get("ConsistentRead") else 0.5
        self.read_units += factor * _units(size, READ_UNIT_BYTES)


def item_bytes(item: Mapping[str, Any]) -> int:
    """Size of an item of attribute values as DynamoDB counts it."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return (len(content.lstrip("-").strip("0.")) + 1) // 2 + 1
    if kind == "M":
        return _LENGTH_BYTES + sum(1 + size for size in map(_entry_bytes, content.items()))
    if kind == "L":
        return _LENGTH_BYTES + sum(1 + _value_bytes(element) for element in content)
    return 1 if kind in ("BOOL", "NULL") else len(content)


def _entry_bytes(entry: tuple[str, Mapping[str, Any]]) -> int:
    return len(entry[0].encode()) + _value_bytes(entry[1])


def item_identity(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Table and key of the item that a write is about."""
    item = parameters.get("Key") or parameters["Item"]
    return (parameters["TableName"], *(item[key]["S"] for key in _KEYS if key in item))


def _units(size: int, unit: int) -> int:
    return max(-(-size // unit), 1)
