"""Finding calls in Bedrock's invocation logs: the fake's contract, held by S3 as well."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import uuid4

import pytest

from tests.fakes.invocation_logs import FakeInvocationLogs, record
from tollgate.adapters.invocation_logs import S3InvocationLogs
from tollgate.domain.errors import UnavailableError
from tollgate.domain.ids import new_request_id
from tollgate.domain.invocation_logs import LoggedCall, hour_folders, log_root, parse_record
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from tollgate.ports import InvocationLogs

REGION = "us-east-1"
ROOT = log_root("", "111122223333")
# Objects carry the emulator's own time.
NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=65)


class Bucket:
    """Where Bedrock would deliver."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.name = f"logs-{uuid4().hex[:8]}"
        client.create_bucket(Bucket=self.name)
        self.logs = S3InvocationLogs(client, self.name, ROOT, REGION)

    def deliver(self, *records: dict[str, Any], at: datetime = NOW, name: str = "") -> str:
        lines = "".join(json.dumps(line) + "\n" for line in records)
        return self.put(gzip.compress(lines.encode()), at, name or f"{uuid4().hex}.json.gz")

    def put(self, data: bytes, at: datetime, name: str) -> str:
        (folder,) = hour_folders(ROOT, REGION, at, at)
        self.client.put_object(Bucket=self.name, Key=folder + name, Body=data)
        return folder + name


@pytest.fixture
def bucket(aws_client: Callable[[str], Any]) -> Bucket:
    return Bucket(aws_client("s3"))


Log = Callable[[str], LoggedCall]


@pytest.fixture(params=["fake", "aws"])
def both(request: pytest.FixtureRequest) -> tuple[InvocationLogs, Log]:
    """The port, and a way to have a request logged."""
    if request.param == "fake":
        fake = FakeInvocationLogs()

        def log(request_id: str) -> LoggedCall:
            call = LoggedCall(request_id, TokenUsage(input=12, output=34), "default", None, None)
            fake.log(call)
            return call

        return fake, log
    bucket: Bucket = request.getfixturevalue("bucket")

    def deliver(request_id: str) -> LoggedCall:
        bucket.deliver(record(new_request_id(NOW)), record(request_id))
        call = parse_record(json.dumps(record(request_id)).encode())
        assert call is not None
        return call

    return bucket.logs, deliver


def test_logged_calls_are_found_and_others_are_not(both: tuple[InvocationLogs, Log]) -> None:
    logs, log = both
    first, second, never = (new_request_id(NOW) for _ in range(3))
    expected = {request_id: log(request_id) for request_id in (first, second)}

    search = logs.find({first: LATER, second: LATER, never: LATER})

    assert search.found == expected
    assert search.complete


def test_looking_for_nothing_finds_nothing(both: tuple[InvocationLogs, Log]) -> None:
    logs, _ = both

    search = logs.find({})

    assert (search.found, search.complete) == ({}, True)


def test_a_record_in_a_later_hour_is_found(bucket: Bucket) -> None:
    request_id = new_request_id(NOW)
    bucket.deliver(record(request_id), at=NOW + timedelta(hours=1))

    assert request_id in bucket.logs.find({request_id: LATER}).found
    assert request_id not in bucket.logs.find({request_id: NOW}).found


def test_each_object_is_read_once_and_bodies_never(bucket: Bucket) -> None:
    ids = [new_request_id(NOW) for _ in range(4)]
    keys = {bucket.deliver(record(request_id)) for request_id in ids}
    bucket.put(b"no gzip", NOW, "data/8fe3c68a_input.json.gz")
    bucket.client.put_object(
        Bucket=bucket.name, Key=f"{ROOT}amazon-bedrock-logs-permission-check", Body=b""
    )
    read: list[str] = []
    get = bucket.client.get_object

    def count(**parameters: str) -> Any:
        read.append(parameters["Key"])
        return get(**parameters)

    with patch.object(bucket.client, "get_object", count):
        search = bucket.logs.find(dict.fromkeys([*ids, new_request_id(NOW)], LATER))

    assert search.found.keys() == set(ids)
    assert sorted(read) == sorted(keys)
    assert search.complete


def test_reading_stops_when_all_are_found(bucket: Bucket) -> None:
    request_id = new_request_id(NOW)
    bucket.deliver(record(request_id), name="a.json.gz")
    bucket.put(b"no gzip", NOW, "b.json.gz")

    search = bucket.logs.find({request_id: LATER})

    assert (search.found.keys(), search.complete) == ({request_id}, True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"no gzip",
        lambda line: gzip.compress(line)[:-9],
        lambda line: gzip.compress(line[:-1]),
    ],
    ids=["another format", "cut off", "a line that is no JSON"],
)
def test_absence_proves_nothing_when_an_object_is_not_readable(
    bucket: Bucket, damage: Callable[[bytes], bytes]
) -> None:
    request_id = new_request_id(NOW)
    bucket.put(damage(json.dumps(record(request_id)).encode()), NOW, "a.json.gz")
    other = new_request_id(NOW)
    bucket.deliver(record(other))

    search = bucket.logs.find({request_id: LATER, other: LATER})

    assert (search.found.keys(), search.complete) == ({other}, False)


def test_absence_proves_nothing_when_nothing_was_ever_delivered(bucket: Bucket) -> None:
    assert not bucket.logs.find({new_request_id(NOW): LATER}).complete


def test_what_was_delivered_before_the_call_is_not_read(bucket: Bucket) -> None:
    tomorrow = NOW + timedelta(days=1)
    request_id = new_request_id(tomorrow)
    bucket.put(b"no gzip", tomorrow, "a.json.gz")

    assert bucket.logs.find({request_id: tomorrow}).complete


def test_a_bucket_that_is_gone_is_a_dependency_that_cannot_be_reached(
    aws_client: Callable[[str], Any],
) -> None:
    logs = S3InvocationLogs(aws_client("s3"), "no-such-bucket", ROOT, REGION)

    with pytest.raises(UnavailableError) as error:
        logs.find({new_request_id(NOW): LATER})
    assert error.value.details == {"dependency": "invocation logs"}
