"""What aggregation relies on, held against the fakes and the AWS adapters alike."""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from scripts.local.ministack import MiniStack
from tests.fakes.lake import FakeLake, FakeOpenHolds, FakeUsageReader, FakeWatermark
from tests.fakes.usage_rows import usage_row
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.lake import S3Lake
from tollgate.adapters.tables import ACCOUNTS, USAGE, TableSpec
from tollgate.adapters.usage import DynamoUsage
from tollgate.adapters.usage_reader import DynamoOpenHolds, DynamoUsageReader, DynamoWatermark
from tollgate.domain.errors import UnavailableError
from tollgate.domain.ids import new_request_id, usage_key
from tollgate.domain.ledger import Account, Hold, Scope, Windows
from tollgate.domain.tenants import Budget, Limits
from tollgate.ports import UnreadableRow
from tollgate_aggregate.files import day_files, hour_key
from tollgate_aggregate.service import Aggregator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tollgate.domain.usage import UsageRow
    from tollgate_aggregate.ports import Lake, OpenHolds, UsageReader, Watermark

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)
REGION = "us-east-1"
BUCKET = "tollgate-test-lake"


@dataclass(frozen=True, slots=True)
class World:
    """The four ports, with how to put usage rows and holds behind them."""

    usage: UsageReader
    watermark: Watermark
    holds: OpenHolds
    lake: Lake
    add_row: Callable[[UsageRow], object]
    place_hold: Callable[[str, str], None]


def fake_world() -> World:
    usage, holds = FakeUsageReader(), FakeOpenHolds()
    return World(
        usage,
        FakeWatermark(),
        holds,
        FakeLake(),
        add_row=usage.add,
        place_hold=lambda _, request_id: holds.open.append(request_id),
    )


def aws_world(**client: Any) -> World:  # noqa: ANN401 - arguments of boto3.client
    objects = boto3.client("s3", region_name=REGION, **client)
    objects.create_bucket(Bucket=BUCKET)
    tables = boto3.client("dynamodb", region_name=REGION, **client)
    return world_of(tables, S3Lake(objects, BUCKET))


def world_of(tables: Any, lake: Lake) -> World:  # noqa: ANN401 - a boto3 client
    for spec in (USAGE, ACCOUNTS):
        create_table(tables, spec)
    accounts = DynamoAccounts(tables, ACCOUNTS.name)

    def place_hold(account_id: str, request_id: str) -> None:
        windows = Windows.at(NOON)
        accounts.create(Account(account_id, windows.month, windows.day, windows.minute))
        hold = Hold(request_id, 1, 1, 2**31, "a.m", "app", "app/key", "converse", streamed=False)
        accounts.admit(Scope(account_id, Budget(), Limits()), hold, windows)

    return World(
        DynamoUsageReader(tables, USAGE.name),
        DynamoWatermark(tables, USAGE.name),
        DynamoOpenHolds(tables, ACCOUNTS.name),
        lake,
        add_row=DynamoUsage(tables, USAGE.name).put,
        place_hold=place_hold,
    )


def create_table(client: Any, spec: TableSpec) -> None:  # noqa: ANN401 - a boto3 client
    keys = [(spec.hash_key, "HASH")] + ([(spec.range_key, "RANGE")] if spec.range_key else [])
    client.create_table(
        TableName=spec.name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in keys],
        KeySchema=[{"AttributeName": n, "KeyType": kind} for n, kind in keys],
    )


@pytest.fixture(params=["fake", "moto", pytest.param("ministack", marks=pytest.mark.stack)])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with ExitStack() as stack:
        if request.param == "fake":
            yield fake_world()
            return
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        if request.param == "moto":
            stack.enter_context(mock_aws())
            yield aws_world()
        else:
            emulator = stack.enter_context(MiniStack())
            yield aws_world(endpoint_url=emulator.endpoint_url)


def test_an_hour_has_exactly_its_own_rows(world: World) -> None:
    inside = [usage_row(started_at=NOON + timedelta(seconds=89 * n)) for n in range(40)]
    outside = [
        usage_row(started_at=NOON - timedelta(milliseconds=1)),
        usage_row(started_at=NOON + HOUR),
    ]
    for row in [*inside, *outside]:
        world.add_row(row)
    found = sorted(world.usage.hour(NOON), key=lambda row: row.request_id)
    assert found == sorted(inside, key=lambda row: row.request_id)
    assert list(world.usage.hour(NOON + 5 * HOUR)) == []


def test_an_hour_larger_than_a_page_is_read_whole(world: World) -> None:
    # Rows of 190 KB, as large as they get, and several to a shard: more than one page of 1 MB.
    wide = "\N{DUCK}"
    tags = {f"{n:03d}{wide * 125}": wide * 256 for n in range(128)}
    rows = [usage_row(tags=tags) for _ in range(120)]
    for row in rows:
        world.add_row(row)
    assert {row.request_id for row in world.usage.hour(NOON)} == {row.request_id for row in rows}


def test_rows_are_deleted_and_others_stay(world: World) -> None:
    rows = [usage_row(started_at=NOON + timedelta(seconds=n)) for n in range(60)]
    for row in rows:
        world.add_row(row)
    unknown = new_request_id(NOON)

    world.usage.delete([unknown, *(row.request_id for row in rows[:55])])

    assert {row.request_id for row in world.usage.hour(NOON)} == {r.request_id for r in rows[55:]}
    world.usage.delete([])


ODD_ITEMS: dict[str, dict[str, Any]] = {
    "another version": {"schema_version": {"N": "2"}},
    "no number": {"total_cost": {"S": "much"}},
    "beyond 64 bits": {"total_cost": {"N": str(2**63)}},
    "too long": {"requested_model": {"S": "m" * 220_000}},
    "no time": {"started_at": {"S": "yesterday"}},
    "no text": {"tenant_id": {"B": b"\xff"}},
    "another's": {"request_id": {"S": new_request_id(NOON)}},
    "incomplete": {},
}


@pytest.mark.parametrize("kind", ODD_ITEMS)
def test_a_row_that_nobody_can_read_is_told_whole(kind: str) -> None:
    with mock_aws():
        tables = boto3.client("dynamodb", region_name=REGION)
        create_table(tables, USAGE)
        good, bad = usage_row(started_at=NOON), usage_row(started_at=NOON)
        for row in (good, bad):
            DynamoUsage(tables, USAGE.name).put(row)
        pk, sk = usage_key(bad.request_id)
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        item = tables.get_item(TableName=USAGE.name, Key=key)["Item"] | ODD_ITEMS[kind]
        if kind == "incomplete":
            del item["app_id"]
        tables.put_item(TableName=USAGE.name, Item=item)

        found = list(DynamoUsageReader(tables, USAGE.name).hour(NOON))

    (told,) = [row for row in found if isinstance(row, UnreadableRow)]
    assert [row for row in found if not isinstance(row, UnreadableRow)] == [good]
    assert told.row_id == bad.request_id
    assert told.reason
    # It is the whole item, as `aws dynamodb put-item` takes it.
    assert json.loads(told.item) == json.loads(
        json.dumps(item, default=lambda value: base64.b64encode(value).decode())
    )


def test_what_a_table_takes_in_part_is_sent_again() -> None:
    class Table:
        def __init__(self) -> None:
            self.asked: list[int] = []

        def batch_write_item(self, RequestItems: Any) -> dict[str, Any]:  # noqa: N803 - boto3's
            (deletes,) = RequestItems.values()
            self.asked.append(len(deletes))
            return {"UnprocessedItems": {"usage": deletes[:4]} if len(deletes) > 4 else {}}

    table: Any = Table()
    ids = [new_request_id(NOON) for _ in range(30)]

    DynamoUsageReader(table, "usage").delete(ids)

    assert table.asked == [25, 4, 5, 4]
    table.batch_write_item = lambda RequestItems: {"UnprocessedItems": RequestItems}  # noqa: N803
    with pytest.raises(UnavailableError, match="does not take all"):
        DynamoUsageReader(table, "usage").delete(ids)


def test_the_watermark_only_moves_forward(world: World) -> None:
    assert world.watermark.get() is None
    world.watermark.set(NOON)
    assert world.watermark.get() == NOON
    world.watermark.set(NOON - HOUR)
    assert world.watermark.get() == NOON
    world.watermark.set(NOON + HOUR)
    assert world.watermark.get() == NOON + HOUR


def test_the_watermark_is_no_usage_row(world: World) -> None:
    world.watermark.set(NOON)
    assert list(world.usage.hour(NOON)) == []


def test_holds_of_all_accounts_are_found(world: World) -> None:
    assert list(world.holds.request_ids()) == []
    first, second = new_request_id(NOON), new_request_id(NOON)
    world.place_hold("tenant#acme", first)
    world.place_hold("app#acme/websearch", first)
    world.place_hold("tenant#beta", second)
    assert set(world.holds.request_ids()) == {first, second}


def content(lake: Lake, key: str) -> bytes | None:
    found = lake.get(key)
    return None if found is None else found.data


def test_objects_are_read_and_listed_by_prefix(world: World) -> None:
    assert world.lake.get("usage/a") is None
    assert list(world.lake.list("usage/")) == []
    assert world.lake.put("usage/b", b"1", None)
    assert world.lake.put("usage/a", b"\x00\xff", None)
    assert world.lake.put("usages/c", b"3", None)
    assert content(world.lake, "usage/a") == b"\x00\xff"
    assert list(world.lake.list("usage/")) == ["usage/a", "usage/b"]


def test_only_the_object_that_was_read_is_replaced(world: World) -> None:
    assert world.lake.put("a", b"1", None)
    first = world.lake.get("a")
    assert not world.lake.put("a", b"2", None)
    assert world.lake.put("a", b"3", first)
    assert not world.lake.put("a", b"4", first)
    assert not world.lake.put("b", b"5", first)
    assert content(world.lake, "a") == b"3"
    assert world.lake.get("b") is None


def test_a_run_carries_rows_from_the_table_to_the_reports(world: World) -> None:
    now = NOON + HOUR + timedelta(minutes=15)
    settled = [usage_row(started_at=NOON + timedelta(minutes=m)) for m in (1, 2)]
    running = usage_row(started_at=NOON + HOUR)
    for row in settled:
        world.add_row(row)
    world.place_hold("tenant#acme", running.request_id)
    aggregator = Aggregator(
        world.usage, world.watermark, world.holds, world.lake, lambda: now, FakeWatermark()
    )
    report = aggregator.run({})
    assert (report.hours, report.rows) == (25, 2)
    assert world.watermark.get() == NOON + HOUR
    file = content(world.lake, hour_key(NOON))
    assert file is not None
    for key, data in day_files(NOON.date(), [file]).items():
        assert content(world.lake, key) == data


@mock_aws
def test_a_dependency_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    tables = boto3.client("dynamodb", region_name=REGION)
    lake = S3Lake(boto3.client("s3", region_name=REGION), "nowhere")
    with pytest.raises(UnavailableError, match="usage table"):
        list(DynamoUsageReader(tables, "nowhere").hour(NOON))
    with pytest.raises(UnavailableError, match="usage table"):
        DynamoWatermark(tables, "nowhere").get()
    with pytest.raises(UnavailableError, match="usage table"):
        DynamoWatermark(tables, "nowhere").set(NOON)
    with pytest.raises(UnavailableError, match="ledger"):
        list(DynamoOpenHolds(tables, "nowhere").request_ids())
    with pytest.raises(UnavailableError, match="usage lake"):
        lake.put("a", b"", None)
    with pytest.raises(UnavailableError, match="usage lake"):
        lake.get("a")
    with pytest.raises(UnavailableError, match="usage lake"):
        list(lake.list("a"))
