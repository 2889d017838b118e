"""What a lost state leaves in AWS is found by name, and only what is there is imported."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from scripts.deploy import adopt, environments
from scripts.deploy import commands as deploy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("_empty_account")

ACCOUNT = "123456789012"
PREFIX = "tollgate-dev"


def client(service: Any) -> Any:
    return boto3.client(service, region_name="us-east-1")


def found() -> dict[str, str]:
    return adopt.Leftovers(environments.load("dev")).by_address()


def make_key() -> str:
    key: str = client("kms").create_key()["KeyMetadata"]["KeyId"]
    client("kms").create_alias(AliasName=f"alias/{PREFIX}", TargetKeyId=key)
    return key


def make_table(name: str) -> None:
    client("dynamodb").create_table(
        TableName=f"{PREFIX}-{name}",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )


def test_nothing_is_found_in_an_empty_account() -> None:
    assert found() == {}


def test_everything_that_a_destroy_keeps_is_found() -> None:
    key = make_key()
    for table in ("accounts", "tenants", "usage"):
        make_table(table)
    for bucket in ("athena", "lake", "payloads", "statements"):
        client("s3").create_bucket(Bucket=f"{PREFIX}-{bucket}-{ACCOUNT}")
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "tollgate_dev"})
    for table in ("usage", "somebody_elses"):
        glue.create_table(DatabaseName="tollgate_dev", TableInput={"Name": table})
    athena = client("athena")
    athena.create_work_group(Name=PREFIX)
    query = athena.create_named_query(
        Name="chargeback", Database="tollgate_dev", QueryString="SELECT 1", WorkGroup=PREFIX
    )["NamedQueryId"]

    assert found() == {
        "aws_kms_alias.this": f"alias/{PREFIX}",
        "aws_kms_key.this": key,
        'module.analytics.aws_athena_named_query.this["chargeback"]': query,
        "module.analytics.aws_athena_workgroup.this": PREFIX,
        "module.analytics.aws_glue_catalog_database.this": f"{ACCOUNT}:tollgate_dev",
        "module.analytics.aws_glue_catalog_table.usage": f"{ACCOUNT}:tollgate_dev:usage",
        "module.analytics.aws_s3_bucket.athena": f"{PREFIX}-athena-{ACCOUNT}",
        "module.analytics.aws_s3_bucket.lake": f"{PREFIX}-lake-{ACCOUNT}",
        "module.analytics.aws_s3_bucket.statements": f"{PREFIX}-statements-{ACCOUNT}",
        'module.metering.aws_dynamodb_table.this["accounts"]': f"{PREFIX}-accounts",
        'module.metering.aws_dynamodb_table.this["usage"]': f"{PREFIX}-usage",
    }
    assert set(deploy.RECORDS) <= set(found())
    assert [name for name in found() if not deploy.is_among(name, deploy.RETAINED)] == []


def test_a_key_that_is_about_to_be_deleted_is_not_taken() -> None:
    client("kms").schedule_key_deletion(KeyId=make_key())

    assert found() == {}


@pytest.mark.parametrize("fails", [False, True])
def test_import_blocks_are_there_while_a_plan_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr(environments, "GATEWAY_MODULE", tmp_path)
    make_table("usage")
    file = tmp_path / adopt.FILE

    def use() -> None:
        with adopt.imports(environments.load("dev"), wanted=True):
            assert file.read_text() == (
                'import {\n  to = module.metering.aws_dynamodb_table.this["usage"]\n'
                '  id = "tollgate-dev-usage"\n}\n'
            )
            if fails:
                raise ValueError("no plan")

    with pytest.raises(ValueError, match="no plan") if fails else nullcontext():
        use()
    assert not file.exists()


def test_what_a_killed_plan_left_behind_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "GATEWAY_MODULE", tmp_path)
    file = tmp_path / adopt.FILE
    file.write_text("import {}")

    with adopt.imports(environments.load("dev"), wanted=False):
        assert not file.exists()


def test_an_aws_that_does_not_answer_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://sts.us-east-1.amazonaws.com")

    monkeypatch.setattr(environments, "GATEWAY_MODULE", tmp_path)
    monkeypatch.setattr(boto3, "client", refuse)

    with (
        pytest.raises(adopt.AdoptError, match="did not answer"),
        adopt.imports(environments.load("dev"), wanted=True),
    ):
        pass
