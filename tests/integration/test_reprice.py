"""Corrections written to DynamoDB and back into the lake."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from scripts.prices import reprice
from scripts.reports import report
from tests.fakes.lake import FakeLake, FakeOpenHolds, FakeWatermark
from tests.fakes.usage_rows import usage_row
from tests.fakes.world import tenant
from tollgate.adapters.tables import USAGE
from tollgate.adapters.usage import DynamoUsage
from tollgate.adapters.usage_reader import DynamoUsageReader
from tollgate_aggregate.service import Aggregator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient

NOV = datetime(2026, 11, 15, 12, 30, tzinfo=UTC)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="tollgate-test-usage",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"}
                for name in (USAGE.hash_key, str(USAGE.range_key))
            ],
            KeySchema=[
                {"AttributeName": USAGE.hash_key, "KeyType": "HASH"},
                {"AttributeName": str(USAGE.range_key), "KeyType": "RANGE"},
            ],
        )
        yield client


def test_applied_corrections_reach_the_chargeback_once(
    table: DynamoDBClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(reprice, "load_policies", lambda _: {"acme": tenant()})
    usage = DynamoUsage(table, "tollgate-test-usage")
    nothing = {"input_cost": 0, "output_cost": 0, "total_cost": 0}
    usage.put(usage_row(started_at=NOV, priced=False, price_version="old", **nothing))
    lake = FakeLake()
    aggregator = Aggregator(
        DynamoUsageReader(table, "tollgate-test-usage"),
        FakeWatermark(NOV),
        FakeOpenHolds(),
        lake,
        lambda: datetime(2026, 12, 3, tzinfo=UTC),
        FakeWatermark(),
    )

    def aggregate() -> list[tuple[int, int]]:
        aggregator.run({"date": "2026-11-15"})
        for key, data in lake.objects.items():
            (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / key).write_bytes(data)
        return [(row.invocations, row.total) for row in report.chargeback(tmp_path, "2026-11")]

    assert aggregate() == [(1, 0)]
    days = ["--from", "2026-11-15", "--to", "2026-11-16"]
    arguments = ["--lake", str(tmp_path), *days, "--env", "dev"]
    arguments += ["--apply", "--table", "tollgate-test-usage"]
    assert reprice.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "1 written to tollgate-test-usage, 0 were there" in printed
    assert 'aggregate: {"date": "2026-11-15"}' in printed

    # The copy of the lake is older than the table now; the command sees that.
    assert reprice.main(arguments) == 0
    assert "0 written to tollgate-test-usage, 0 were there" in capsys.readouterr().out
    assert aggregate() == [(1, 10_800_000)]
    assert reprice.main(arguments) == 0
    assert capsys.readouterr().out.startswith("0 corrections, 0 USD in all")
    assert aggregate() == [(1, 10_800_000)]


def test_a_table_that_cannot_be_reached_is_named(
    table: DynamoDBClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del table
    folder = tmp_path / "usage/dt=2026-11-15/hour=12"
    folder.mkdir(parents=True)
    reprice.write(folder / "part-00.parquet", [usage_row(started_at=NOV)])
    days = ["--from", "2026-11-15", "--to", "2026-11-16"]
    arguments = ["--lake", str(tmp_path), *days, "--env", "dev", "--apply", "--table", "none"]
    assert reprice.main(arguments) == 1
    printed = capsys.readouterr()
    assert (printed.out, "usage table" in printed.err) == ("", True)
