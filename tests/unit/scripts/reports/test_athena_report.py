"""A report of a deployed environment: the same query, asked of its Athena workgroup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
import requests
from moto import mock_aws

from scripts.reports import report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMES = ("name", "calls", "errors", "input_tokens", "output_tokens", "cost", "percent")
KINDS = ("varchar", "bigint", "bigint", "decimal", "decimal", "decimal", "decimal")
SCALES = (0, 0, 0, 0, 0, 12, 2)
LAKE = "tollgate-dev-lake-123456789012"
DAYS = ["--from", "2026-10-01", "--to", "2026-10-02"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account with the catalogue, the lake's first hours and the workgroup of `dev`."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        session = boto3.Session(region_name="us-east-1")
        session.client("athena").create_work_group(Name="tollgate-dev")
        glue, storage = session.client("glue"), session.client("s3")
        glue.create_database(DatabaseInput={"Name": "tollgate_dev"})
        location = {"Location": f"s3://{LAKE}/usage"}
        glue.create_table(
            DatabaseName="tollgate_dev",
            TableInput={"Name": "usage", "StorageDescriptor": location},
        )
        storage.create_bucket(Bucket=LAKE)
        for name, hours in (("hourly", (0, 1, 3)), ("usage", (0, 1))):
            for hour in hours:
                key = f"{name}/dt=2026-10-01/hour={hour:02d}/file.parquet"
                storage.put_object(Bucket=LAKE, Key=key, Body=b"")
        yield


def answers(*tables: Sequence[Sequence[str]]) -> None:
    """What Athena answers to the next queries, one after the other."""
    columns = [
        {
            **{"Name": name, "Type": kind, "Precision": 38, "Scale": scale},
            **{"CatalogName": "hive", "SchemaName": "", "TableName": "", "Label": name},
            **{"Nullable": "UNKNOWN", "CaseSensitive": False},
        }
        for name, kind, scale in zip(NAMES, KINDS, SCALES, strict=True)
    ]
    results = [
        {
            "rows": [
                {"Data": [{"VarCharValue": cell} for cell in line]} for line in (NAMES, *lines)
            ],
            "column_info": columns,
        }
        for lines in tables
    ]
    answer = requests.post(
        "http://motoapi.amazonaws.com/moto-api/static/athena/query-results",
        json={"results": results},
        timeout=10,
    )
    answer.raise_for_status()


@pytest.mark.usefixtures("aws")
def test_a_report_is_asked_of_athena(capsys: pytest.CaptureFixture[str]) -> None:
    boto3.client("s3", region_name="us-east-1").put_object(
        Bucket=LAKE, Key="usage/dt=2026-10-01/hour=03/file.parquet", Body=b""
    )
    line = ("acme", "2", "0", "30", "4", "1.500000000001", "100.00")
    # No usage is of a later schema; then comes the query itself.
    answers([], [line])
    assert report.main(["costs", "--env", "dev", *DAYS, "--csv"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        ",".join(NAMES),
        "acme,2,0,30,4,1.500000000001,100.00",
    ]
    athena = boto3.client("athena", region_name="us-east-1")
    [first, second] = athena.list_query_executions(WorkGroup="tollgate-dev")["QueryExecutionIds"]
    asked = [
        athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        for query in (first, second)
    ]
    assert {query["QueryExecutionContext"]["Database"] for query in asked} == {"tollgate_dev"}
    assert "schema_version >" in asked[0]["Query"]
    assert "WHERE dt >= DATE '2026-10-01'" in asked[1]["Query"]


@pytest.mark.usefixtures("aws")
def test_a_hole_is_seen_in_the_bucket(capsys: pytest.CaptureFixture[str]) -> None:
    answers([])
    assert report.main(["costs", "--env", "dev", *DAYS]) == 1
    said = capsys.readouterr()
    assert "the lake has a hole: no usage of 2026-10-01 hour 03;" in said.err
    assert said.out == ""
