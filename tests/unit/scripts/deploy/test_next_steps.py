"""The next command runs as it is printed: what it names exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.deploy import environments, next_steps

if TYPE_CHECKING:
    from pathlib import Path

TENANT = """
name        = "Acme"
kind        = "team"
cost_center = "CC-1"
tier        = "free"
models      = ["amazon.nova-*"]
apps        = {{ web = {{ keys = {{ {keys} }} }} }}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment `test` without tenants."""
    made = tmp_path / "test"
    (made / "tenants").mkdir(parents=True)
    (made / "env.tfvars").write_text('prefix = "tollgate-test"\ntiers = { free = {} }\n')
    (made / "backend.s3.tfbackend").write_text("")
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    return made


def after_apply() -> list[str]:
    text = next_steps.after_apply(environments.load("test"))
    return [line.removeprefix("next:").strip() for line in text.splitlines()]


def write(folder: Path, tenant_id: str, keys: str) -> None:
    (folder / "tenants" / f"{tenant_id}.tfvars").write_text(TENANT.format(keys=keys))


def test_the_first_key_that_lets_its_caller_in_is_named(folder: Path) -> None:
    write(folder, "acme", 'old = { status = "suspended" }')
    write(folder, "globex", 'old = { status = "suspended" }, primary = {}')

    assert after_apply() == ["make url ENV=test", "make key ENV=test TENANT=globex APP=web"]


def test_a_key_outside_terraform_is_issued_first(folder: Path) -> None:
    write(folder, "acme", "primary = {}")
    file = folder / "env.tfvars"
    file.write_text(f'{file.read_text()}key_store = "external"\n')

    assert after_apply() == [
        "make url ENV=test",
        'make keys ENV=test ARGS="issue --tenant acme --app web --key primary"',
        "make key ENV=test TENANT=acme APP=web",
    ]


@pytest.mark.parametrize("keys", [None, "", "no HCL"])
def test_without_such_a_key_there_is_the_url(folder: Path, keys: str | None) -> None:
    if keys is not None:
        write(folder, "acme", keys)

    assert after_apply() == ["make url ENV=test"]
