"""The state bucket is made once, protected every time, and never somebody else's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from scripts.deploy import bootstrap, environments

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("_empty_account")

BUCKET = "acme-terraform-state"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write the files of an environment."""
    monkeypatch.setattr(environments, "FOLDER", tmp_path)

    def files(backend: str = "", variables: str = "", region: str = "eu-west-1") -> None:
        folder = tmp_path / "test"
        folder.mkdir(exist_ok=True)
        text = f'bucket = "{BUCKET}"\nkey = "state"\nregion = "{region}"\n{backend}'
        (folder / environments.BACKEND_FILE).write_text(text)
        (folder / environments.VARIABLES_FILE).write_text(f'region = "{region}"\n{variables}')

    files()
    return files


def s3() -> Any:
    return boto3.client("s3", region_name="eu-west-1")


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_the_bucket_is_made_where_the_backend_says(write: Any, region: str) -> None:
    write(region=region)

    assert bootstrap.main(["--env", "test"]) == 0
    location = s3().get_bucket_location(Bucket=BUCKET)["LocationConstraint"]
    assert (location or "us-east-1") == region


def test_states_are_kept_private_encrypted_and_for_a_while(write: Any) -> None:
    bootstrap.main(["--env", "test"])

    client = s3()
    assert client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    block = client.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert len(block) == 4
    assert all(block.values())
    (rule,) = client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90
    assert "Expiration" not in rule
    (denial,) = json.loads(client.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert denial["Effect"] == "Deny"
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denial["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("", {"SSEAlgorithm": "AES256"}),
        (
            'kms_key_id = "alias/states"',
            {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/states"},
        ),
    ],
)
def test_the_key_is_the_backends(write: Any, backend: str, expected: dict[str, str]) -> None:
    write(backend)
    bootstrap.main(["--env", "test"])

    configuration = s3().get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]
    (rule,) = configuration["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == expected


def test_a_second_run_puts_back_what_drifted(
    write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap.main(["--env", "test"])
    s3().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})

    assert bootstrap.main(["--env", "test"]) == 0
    assert s3().get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    first, *_, second, following = capsys.readouterr().out.splitlines()
    assert first.endswith(f"{BUCKET} made")
    assert second.endswith(f"{BUCKET} was there already; set up")
    assert following == "next: make plan ENV=test"


def test_somebody_elses_bucket_is_refused(
    write: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Foreign:
        def head_bucket(self, **_: str) -> None:
            answer: Any = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(answer, "HeadBucket")

    monkeypatch.setattr(boto3, "client", lambda *_, **__: Foreign())

    assert bootstrap.main(["--env", "test"]) == 1
    assert (
        f"backend.s3.tfbackend: bucket: {BUCKET}: 403; it is somebody else's"
        in capsys.readouterr().err
    )


def test_credentials_for_another_account_make_nothing(
    write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write(variables='allowed_account_ids = ["999988887777"]')

    assert bootstrap.main(["--env", "test"]) == 1
    assert "are for account 123456789012; allowed: 999988887777" in capsys.readouterr().err
    assert s3().list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('bucket = "a"\nregion = "b"\n', "key: given None; allowed: a text"),
        ("bucket = var.x\n", "something other than a literal value"),
    ],
)
def test_a_wrong_backend_file_is_named(
    write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "test" / environments.BACKEND_FILE).write_text(text)

    assert bootstrap.main(["--env", "test"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: envs/test/backend.s3.tfbackend: ")
    assert message in error
