"""A lake and statements in buckets are what they are in folders, and nothing is written twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from scripts.reports.engines import DuckDbEngine
from scripts.statements.closing import Closer
from scripts.statements.inputs import Finance
from scripts.statements.s3 import S3Lake, S3Store
from scripts.statements.storage import FolderLake, FolderStore
from scripts.statements.verifying import Verifier
from tests.fakes.statement_lake import CLOSE, ROWS, StatementLake, plain_pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.statements.storage import LakeFiles, Store

LAKE, STATEMENTS = "lake", "statements"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with October's usage."""
    lake = StatementLake(tmp_path_factory.mktemp("lake"))
    lake.add(*ROWS)
    return lake.folder


@pytest.fixture
def client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """S3 with a copy of that lake, and a bucket that locks."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        made = boto3.client("s3", region_name="us-east-1")
        made.create_bucket(Bucket=LAKE)
        made.create_bucket(Bucket=STATEMENTS, ObjectLockEnabledForBucket=True)
        retention = {"DefaultRetention": {"Mode": "GOVERNANCE", "Years": 10}}
        made.put_object_lock_configuration(
            Bucket=STATEMENTS,
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention},
        )
        for path in folder.rglob("*"):
            if path.is_file():
                made.put_object(
                    Bucket=LAKE, Key=str(path.relative_to(folder)), Body=path.read_bytes()
                )
        yield made


@pytest.fixture(autouse=True)
def _without_charts() -> Iterator[None]:
    with plain_pages():
        yield


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, client: Any, tmp_path: Path) -> Store:  # noqa: ANN401
    """Each place that statements can be in."""
    if request.param == "folder":
        return FolderStore(tmp_path / "new")
    return S3Store(client, STATEMENTS)


def test_what_was_written_stays(store: Store) -> None:
    assert store.get("a/1.json") is None
    assert store.keys("") == []
    assert store.put("a/1.json", b"first")
    assert not store.put("a/1.json", b"second")
    assert store.put("a/2.html", b"")
    assert store.put("b.csv", b"x")
    assert store.get("a/1.json") == b"first"
    assert store.keys("a/") == ["a/1.json", "a/2.html"]


def test_an_object_is_locked_and_a_page_opens_as_one(client: Any) -> None:  # noqa: ANN401
    S3Store(client, STATEMENTS).put("a.html", b"<!doctype html>")
    found = client.head_object(Bucket=STATEMENTS, Key="a.html")
    assert found["ContentType"] == "text/html; charset=utf-8"
    assert found["ObjectLockMode"] == "GOVERNANCE"
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=STATEMENTS, Key="a.html", VersionId=found["VersionId"])


def test_a_write_that_meets_another_is_tried_again(client: Any, monkeypatch: Any) -> None:  # noqa: ANN401
    put, met = client.put_object, []

    def meet_once(**request: Any) -> Any:  # noqa: ANN401
        if not met:
            met.append(request)
            error = {"Error": {"Code": "ConditionalRequestConflict", "Message": ""}}
            raise ClientError(error, "PutObject")  # type: ignore[arg-type]
        return put(**request)

    monkeypatch.setattr(client, "put_object", meet_once)
    assert S3Store(client, STATEMENTS).put("a.json", b"x")


def test_buckets_have_the_days_and_lists_of_folders(client: Any, folder: Path) -> None:  # noqa: ANN401
    ours, theirs = FolderLake(folder), S3Lake(client, LAKE)
    start, end = date(2026, 10, 3), date(2026, 10, 4)
    assert theirs.days(start, end) == ours.days(start, end) != {}
    assert theirs.days(end, start) == {}
    for name in ("tenants", "business_units", "nothing"):
        assert theirs.lists(name) == ours.lists(name)
    with theirs.folder([start]) as copy:
        assert FolderLake(copy).days(start, date(2026, 11, 1)) == ours.days(start, end)
    assert not copy.exists()


def test_a_month_is_closed_and_verified_in_buckets(client: Any, folder: Path) -> None:  # noqa: ANN401
    lake: LakeFiles = S3Lake(client, LAKE)
    store = S3Store(client, STATEMENTS)

    def close(hours: int) -> tuple[bool, int]:
        with DuckDbEngine(folder) as engine:
            closed = Closer(
                lake=lake,
                engine=engine,
                store=store,
                finance=Finance({}),
                clock=lambda: CLOSE + timedelta(hours=hours),
                closed_through=datetime(2026, 11, 1, tzinfo=UTC),
            ).close("2026-10")
        return closed.already, closed.published.written

    assert close(0) == (False, 20)
    assert close(1) == (True, 0)
    versions = client.list_object_versions(Bucket=STATEMENTS)["Versions"]
    assert len(versions) == len({version["Key"] for version in versions}) == 22
    assert Verifier(lake, store).verify("2026-10/tenant/acme").holds
