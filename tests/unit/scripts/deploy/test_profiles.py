"""After an apply one command tells a tenant's API, URL and inference-profile ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from scripts.deploy import environments, outputs, profiles

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://abcde12345.execute-api.eu-west-1.amazonaws.com/v1"
ACME = {"websearch/nova-lite": {"id": "abc123def456", "model": "amazon.nova-lite-v1:0"}}


@pytest.fixture(autouse=True)
def _applied(_empty_account: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    folder = tmp_path / "test"
    folder.mkdir()
    (folder / environments.BACKEND_FILE).write_text("")
    (folder / environments.VARIABLES_FILE).write_text('region = "eu-west-1"\nprefix = "toll"\n')
    ssm = boto3.client("ssm", region_name="eu-west-1")

    def publish(name: str, value: str) -> None:
        ssm.put_parameter(Name=f"/toll/outputs/{name}", Value=value, Type="String")

    publish("api_url", URL)
    for tenant_id, own in {"acme": ACME, "globex": {}}.items():
        told = {"api_url": URL, "rest_api_id": "abcde12345", "inference_profiles": own}
        publish(f"tenants/{tenant_id}", json.dumps(told))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert profiles.main(["--env", "test", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_tenants_profiles_are_printed_with_its_api(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "--tenant", "acme") == [
        f"acme: {URL} (REST API abcde12345)",
        "  websearch/nova-lite: abc123def456 for amazon.nova-lite-v1:0",
    ]


def test_without_a_tenant_those_of_all_are(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "--tenant", "")

    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == [
        "acme",
        "globex",
    ]
    assert "no inference profiles" in lines[-1]


def test_a_tenant_that_is_none_is_refused_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert profiles.main(["--env", "test", "--tenant", "initech"]) == 1

    assert 'TENANT: given "initech"; allowed: acme, globex' in capsys.readouterr().err


def test_what_is_told_of_tenants_is_none_of_the_deployments_own_outputs() -> None:
    ssm: Any = boto3.client("ssm", region_name="eu-west-1")
    found = outputs.read(ssm, environments.load("test"), ["api_url"])

    assert dict(found.values) == {"api_url": URL}
