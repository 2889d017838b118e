"""What the local stack is started from is what the Terraform code makes now."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

import pytest

from scripts.deploy import terraform
from scripts.local import deployment, describe, provision
from scripts.local.stack import ENVIRONMENTS
from tollgate.adapters import tables

if TYPE_CHECKING:
    from pathlib import Path

UNAVAILABLE = terraform.unavailable()


@pytest.mark.skipif(UNAVAILABLE is not None, reason=str(UNAVAILABLE))
def test_the_description_is_what_terraform_makes_now() -> None:
    written = deployment.DESCRIPTION.read_text("utf-8").splitlines()
    rendered = deployment.text(describe.render()).splitlines()

    difference = difflib.unified_diff(written, rendered, "deployment.json", "Terraform", n=1)
    if lines := "\n".join(difference):
        pytest.fail(f"{lines}\nIf this is wanted: make describe", pytrace=False)


def test_every_variable_of_a_function_is_told_and_is_its_own() -> None:
    described = deployment.described()

    for name, function in described.functions.items():
        assert function.settings.items() <= described.environment.items(), name
        assert function.handler == f"tollgate_{name}.handler.lambda_handler"
        assert function.package == f"{name}.zip"


def test_tables_are_those_that_the_adapters_use() -> None:
    found = {
        name: (table.hash_key, table.range_key, table.ttl)
        for name, table in deployment.described().tables.items()
    }

    assert found == {s.name: (s.hash_key, s.range_key, s.ttl) for s in tables.TABLES}


def test_endpoints_are_told_as_terraform_tells_them() -> None:
    told = provision.sagemaker_endpoints(ENVIRONMENTS / "local")

    assert json.loads(told) == json.loads(deployment.described().environment["SAGEMAKER_ENDPOINTS"])


def test_what_is_written_is_what_is_read() -> None:
    assert deployment.text(deployment.described()) == deployment.DESCRIPTION.read_text("utf-8")


def test_without_terraform_it_is_said_that_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERRAFORM", str(tmp_path / "terraform"))

    assert describe.main() == 1
    assert "terraform is not on PATH; install it or set TERRAFORM" in capsys.readouterr().err
