from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scripts.bench.dynamodb_meter import Meter, item_bytes


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({}, 0),
        ({"pk": {"S": "abc"}}, 2 + 3),
        ({"ü": {"S": "ü"}}, 4),
        ({"n": {"N": "0"}}, 1 + 1),
        ({"n": {"N": "1234"}}, 1 + 3),
        ({"n": {"N": "-1000000"}}, 1 + 2),
        ({"b": {"BOOL": True}, "z": {"NULL": True}}, 4),
        ({"m": {"M": {}}}, 1 + 3),
        ({"m": {"M": {"k": {"S": "v"}}}}, 1 + 3 + 1 + 1 + 1),
        ({"l": {"L": [{"S": "v"}, {"BOOL": False}]}}, 1 + 3 + 2 + 2),
    ],
)
def test_sizes_follow_dynamodbs_rules(item: dict[str, Any], size: int) -> None:
    assert item_bytes(item) == size


class Client:
    """A client that emits what botocore emits around a call."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}
        self.meta = SimpleNamespace(events=self)

    def register(self, event: str, handler: Any) -> None:
        self.handlers[event] = handler

    def call(self, operation: str, parameters: dict[str, Any], answer: dict[str, Any]) -> None:
        context: dict[str, Any] = {}
        self.handlers["before-parameter-build.dynamodb"](params=parameters, context=context)
        self.handlers["after-call.dynamodb"](
            model=SimpleNamespace(name=operation), parsed=answer, context=context
        )


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def client(meter: Meter) -> Client:
    made = Client()
    meter.watch(made)  # type: ignore[arg-type]
    return made


KEY = {"pk": {"S": "k"}}


def item(size: int) -> dict[str, Any]:
    return {**KEY, "x": {"S": "x" * (size - 4)}}


def test_a_write_takes_a_unit_for_each_started_kilobyte_of_the_larger_side(
    meter: Meter, client: Client
) -> None:
    client.call("PutItem", {"TableName": "t", "Item": item(1024)}, {})
    assert meter.write_units == 1
    update = {"TableName": "t", "Key": KEY}
    client.call("UpdateItem", update, {"Attributes": item(2049)})
    assert meter.write_units == 1 + 3
    client.call("UpdateItem", update, {"Attributes": item(100)})
    assert meter.write_units == 1 + 3 + 3
    client.call("DeleteItem", update, {})

    assert (meter.write_units, meter.writes) == (8, 4)
    assert meter.size_of("k") == 0
    assert meter.calls == {"PutItem": 1, "UpdateItem": 2, "DeleteItem": 1}


def test_a_write_takes_at_least_what_its_item_is_and_will_be(meter: Meter, client: Client) -> None:
    update = {"TableName": "t", "Key": KEY}
    assert meter.least_units(update) == 1
    assert meter.least_units({"TableName": "t", "Item": item(2049)}) == 3
    client.call("PutItem", {"TableName": "t", "Item": item(3000)}, {})

    assert meter.least_units(update) == 3
    assert meter.least_units({"TableName": "t", "Item": item(100)}) == 3


def test_a_failed_condition_takes_what_the_write_would(meter: Meter, client: Client) -> None:
    update = {"TableName": "t", "Key": KEY}
    client.call("UpdateItem", update, {"Error": {"Code": "C"}, "Item": item(1500)})
    client.call("UpdateItem", update, {"Error": {"Code": "C"}})

    assert (meter.write_units, meter.size_of("k")) == (3, 0)


def test_a_transaction_takes_twice_the_units(meter: Meter, client: Client) -> None:
    put = {"Put": {"TableName": "t", "Item": item(1025)}}
    delete = {"Delete": {"TableName": "t", "Key": {"pk": {"S": "other"}}}}
    client.call("TransactWriteItems", {"TransactItems": [put, delete]}, {})

    assert (meter.write_units, meter.writes) == (2 * 2 + 2, 2)


def test_reads_take_half_a_unit_unless_they_are_consistent(meter: Meter, client: Client) -> None:
    get = {"TableName": "t", "Key": KEY}
    client.call("GetItem", get, {"Item": item(4097)})
    client.call("GetItem", {**get, "ConsistentRead": True}, {})
    batch = {"RequestItems": {"t": {"Keys": [KEY], "ConsistentRead": True}}}
    client.call("BatchGetItem", batch, {"Responses": {"t": [item(10), item(20)]}})

    assert meter.read_units == 1 + 1 + 2
    meter.reset()
    assert (meter.read_units, meter.writes, dict(meter.calls)) == (0, 0, {})
