"""Where the key of an app lies, what reads it, and that its value goes nowhere else."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import boto3
import jmespath
import pytest
from moto import mock_aws

from scripts.deploy import environments, outputs
from scripts.tenants import handover, keys
from tests.integration.test_keys import PREFIX, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1"
APP = ["--env", "dev", "--tenant", "acme", "--app", "web"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A deployment in moto whose acme has the app `web` with `primary` and, until 2099, `batch`."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    with mock_aws():
        made = World(tmp_path)
        made.publish(api_url=URL)
        yield made


def applied(world: World, store: str, *key_ids: str) -> None:
    """What Terraform would have made of the keys of a tenant's file."""
    world.publish(key_store=store)
    for key_id in key_ids:
        name, value = f"{PREFIX}/tenants/acme/{key_id}", f"value-of-{key_id}"
        if store == "ssm":
            world.client("ssm").put_parameter(Name=f"/{name}", Value=value, Type="SecureString")
        else:
            world.client("secretsmanager").create_secret(Name=name, SecretString=value)


def run_aws(line: str) -> str:
    """What the AWS CLI's command does: call the operation, and pick from its answer."""
    program, service, command, *words = shlex.split(line)
    assert program == "aws"
    flag = "--with-decryption"
    words = [word for word in words if word != flag]
    options = dict(zip(words[::2], words[1::2], strict=True))
    client: Any = boto3.client(service, region_name=options.pop("--region"))  # type: ignore[call-overload]
    assert options.pop("--output") == "text"
    query = options.pop("--query")
    arguments: dict[str, Any] = {
        "".join(part.capitalize() for part in name[2:].split("-")): value
        for name, value in options.items()
    }
    if flag in line:
        arguments["WithDecryption"] = True
    return str(jmespath.search(query, getattr(client, command.replace("-", "_"))(**arguments)))


def test_the_url_is_all_that_is_printed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert outputs.main(["--env", "dev", "api_url"]) == 0
    assert capsys.readouterr().out == f"{URL}\n"


@pytest.mark.parametrize("command", [outputs.main, handover.main])
def test_what_was_never_applied_has_neither(
    world: World, capsys: pytest.CaptureFixture[str], command: Any
) -> None:
    for name in ("api_url", "key_store"):
        world.client("ssm").delete_parameter(Name=f"/{PREFIX}/outputs/{name}")

    assert command(["--env", "dev", "api_url"] if command is outputs.main else APP) == 1
    said = capsys.readouterr().err
    assert f"given a deployment without /{PREFIX}/outputs/" in said
    assert "allowed: one that was applied (make plan, make apply)" in said


@pytest.mark.parametrize("store", ["ssm", "secrets_manager"])
def test_every_key_of_the_app_is_told_with_the_line_that_reads_it(
    world: World, capsys: pytest.CaptureFixture[str], store: str
) -> None:
    applied(world, store, "web/primary", "web/batch", "old/ended")

    assert handover.main(APP) == 0
    said = capsys.readouterr().out
    kind = "SSM parameter /" if store == "ssm" else "Secrets Manager secret "
    first, first_line, second, second_line = said.splitlines()
    assert first == f"web/batch (active until 2099-12-31): {kind}{PREFIX}/tenants/acme/web/batch"
    assert second == f"web/primary (active): {kind}{PREFIX}/tenants/acme/web/primary"
    assert run_aws(first_line) == "value-of-web/batch"
    assert run_aws(second_line) == "value-of-web/primary"
    assert "value-of" not in said


@pytest.mark.parametrize("store", ["ssm", "secrets_manager"])
def test_show_prints_the_value_and_nothing_else(
    world: World, capsys: pytest.CaptureFixture[str], store: str
) -> None:
    applied(world, store, "web/primary", "web/batch")

    assert handover.main([*APP, "--key", "primary", "--show"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("value-of-web/primary\n", "")


def test_the_only_key_needs_no_name(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    applied(world, "ssm", "web/batch")

    assert handover.main([*APP, "--show"]) == 0
    assert capsys.readouterr().out == "value-of-web/batch\n"


def test_one_of_several_must_be_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    applied(world, "ssm", "web/primary", "web/batch")

    assert handover.main([*APP, "--show"]) == 1
    said = capsys.readouterr()
    assert "allowed: --key, of batch, primary" in said.err
    assert said.out == ""


def test_a_key_that_lets_nobody_in_is_not_shown(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    applied(world, "ssm", "old/ended", "old/off")

    assert handover.main(["--env", "dev", "--tenant", "acme", "--app", "old", "--show"]) == 1
    said = capsys.readouterr().err
    assert "old/ended (expired on 2026-01-31)" in said
    assert "old/off (suspended)" in said
    assert "value-of" not in said


@pytest.mark.parametrize("show", [[], ["--show"]])
@pytest.mark.parametrize(
    ("store", "advice"),
    [
        ("ssm", "(declared, not applied): run make plan ENV=dev, then make apply ENV=dev"),
        ("secrets_manager", "(declared, not applied): run make plan ENV=dev"),
        (
            "external",
            "(declared, not issued): run make keys ENV=dev "
            'ARGS="issue --tenant acme --app web --key primary"',
        ),
    ],
)
def test_a_key_without_a_value_is_told_how_it_gets_one(
    world: World, capsys: pytest.CaptureFixture[str], store: str, advice: str, show: list[str]
) -> None:
    world.publish(key_store=store)

    assert handover.main([*APP, *show]) == 1
    said = capsys.readouterr()
    assert f"web/primary {advice}" in said.err
    assert said.out == ""


@pytest.mark.parametrize("store", ["ssm", "secrets_manager"])
def test_an_issued_key_is_found_where_it_was_put(
    world: World, capsys: pytest.CaptureFixture[str], store: str
) -> None:
    one = [*APP, "--key", "primary"]
    assert keys.main(["issue", *one, "--store", store]) == 0
    assert keys.main(["rotate", *one, "--store", store]) == 0
    newest = world.value(world.desk().issued("acme", "web/primary")[-1])
    capsys.readouterr()

    assert handover.main(one) == 0
    told, line = capsys.readouterr().out.splitlines()
    assert told.startswith("web/primary (active): ")
    assert run_aws(line) == newest
    assert handover.main([*APP, "--show"]) == 0
    assert capsys.readouterr().out == f"{newest}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tenant", "acmé", "--app", "web"], 'tenant: given "acmé"; allowed: one with a file in'),
        (["--tenant", "", "--app", "web"], "envs/dev/tenants: acme, globex"),
        (["--tenant", "acme", "--app", ""], 'app: given ""; allowed: an app of acme: old, web'),
        (["--tenant", "acme", "--app", "web", "--key", "x"], '--key: given "x"; allowed: batch,'),
    ],
)
def test_what_does_not_exist_is_told_what_does(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    applied(world, "ssm", "web/primary")

    assert handover.main(["--env", "dev", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_an_app_may_have_no_keys(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    applied(world, "ssm")
    file = world.folder / "dev" / "tenants" / "acme.tfvars"
    file.write_text(file.read_text().replace("apps = {", "apps = {\n  bare = {}", 1))

    assert handover.main(["--env", "dev", "--tenant", "acme", "--app", "bare"]) == 1
    assert "acme/bare: given an app without keys" in capsys.readouterr().err


def test_a_tenant_on_anothers_gateway_is_found_there(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    applied(world, "ssm", "web/primary")
    file = world.folder / "dev" / "env.tfvars"
    parent = f'parent = {{ unit = "{PREFIX}" }}'
    file.write_text(file.read_text().replace(f'prefix    = "{PREFIX}"', parent))

    assert outputs.main(["--env", "dev", "api_url"]) == 0
    assert handover.main([*APP, "--show"]) == 0
    assert capsys.readouterr().out == f"{URL}\nvalue-of-web/primary\n"
