"""The file of a new tenant has every option, and is valid once it is filled in."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from scripts.tenants import files as tenants
from scripts.tenants import new as new_tenant
from scripts.tenants import validate
from scripts.tenants.rules import REPOSITORY, SCHEMA
from tests.unit.scripts.tenants.tenant_cases import VALID_LINES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILLED_IN = ("name", "kind", "cost_center", "tier", "models")
ENVIRONMENT = 'prefix = "tollgate-dev"\ntiers = { pro = { budget = { month_usd = "500" } } }\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "envs" / "dev").mkdir(parents=True)
    (tmp_path / "envs" / "dev" / "env.tfvars").write_text(ENVIRONMENT)
    return tmp_path / "envs"


def _filled_in(text: str) -> str:
    for name in FILLED_IN:
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {VALID_LINES[name]}", text)
        assert count == 1, name
    return text.replace("FILL_IN = {", "app = {")


def _with_every_option(text: str) -> str:
    return re.sub(r"(?m)^( *)#(?=\S|  )", r"\1", text)


def _only_tenant(root: Path) -> tenants.Tenant:
    (tenant,) = tenants.load_environment(root / "dev").values()
    return tenant


def test_what_is_to_be_filled_in_is_all_that_is_missing(root: Path) -> None:
    path = new_tenant.write(root, "dev", "acme")

    with pytest.raises(tenants.TenantFilesError) as raised:
        tenants.load_environment(root / "dev")

    missing = sorted([*FILLED_IN, "apps.FILL_IN (name)"])
    assert [line.split(": ")[1] for line in raised.value.errors] == missing
    assert path.read_text().count("# FILL IN: ") == len(missing)

    path.write_text(_filled_in(path.read_text()))
    assert _only_tenant(root).keys.keys() == {"app/primary"}


def test_options_show_their_defaults_or_say_that_they_are_examples(root: Path) -> None:
    path = new_tenant.write(root, "dev", "acme")
    text = _filled_in(path.read_text())
    path.write_text(text)
    plain = _only_tenant(root)
    path.write_text(_with_every_option(text))
    full = _only_tenant(root)

    examples = (
        *("prices", "unpriced", "silo", "guardrail", "system_preamble", "model_arns"),
        *("compliance", "model_limits", "inference_profiles"),
    )
    changed = {name for name in plain.policy if plain.policy[name] != full.policy[name]}
    assert changed == {*examples[:-1], "apps"}
    (before,), (after,) = plain.policy["apps"].values(), full.policy["apps"].values()
    assert {name for name in before if before[name] != after[name]} == {"inference_profiles"}
    assert plain.keys == full.keys
    shown = re.findall(r"(?m)^( *)# Example: .*\n(?:\1# .*\n)*\1#(\w+) =", text)
    assert sorted(name for _, name in shown) == sorted(examples)


def _names(value: Any) -> Iterator[str]:  # noqa: ANN401 - any value of a tenant file
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner)


def test_no_option_is_left_out(root: Path) -> None:
    path = new_tenant.write(root, "dev", "acme")
    names = set(_names(tenants.tfvars.loads(_with_every_option(_filled_in(path.read_text())))))

    shapes = ("tenant", "silo", "guardrail", "budget", "limits", "max_tokens", "unpriced")
    for shape in (*shapes, "app", "key", "inference_profile"):
        assert set(SCHEMA["shapes"][shape]) <= names, shape


def test_every_environment_can_have_a_new_tenant(tmp_path: Path) -> None:
    for folder in tenants.environments(REPOSITORY / "envs"):
        settings = tenants.load_settings(folder)
        text = new_tenant.render("newcomer", folder.name, settings)
        assert f"tollgate/{settings.prefix}/newcomer" in text
        for tier in settings.tiers:
            assert f'"{tier}"' in text


def test_each_silo_gets_an_external_id_of_its_own(root: Path) -> None:
    ids = {
        re.findall(r'external_id = "(\w{32})"', new_tenant.write(root, "dev", name).read_text())[0]
        for name in ("acme", "globex")
    }

    assert len(ids) == 2


@pytest.mark.parametrize(
    ("environment", "tenant_id", "message"),
    [
        ("prod", "acme", 'ENV: given "prod"; allowed: one of dev'),
        ("dev", "Acme", 'TENANT: id: given "Acme"; allowed: 3 to 32 lower-case letters'),
        ("dev", "", 'TENANT: id: given ""; allowed: 3 to 32 lower-case letters'),
        ("dev", "../dev", 'TENANT: id: given "../dev"; allowed: 3 to 32 lower-case letters'),
        (
            "dev",
            "taken",
            'TENANT: given "taken"; allowed: an id without a file; '
            "envs/dev/tenants/taken.tfvars is there\n",
        ),
    ],
)
def test_nothing_is_written_where_it_may_not_be(
    environment: str,
    tenant_id: str,
    message: str,
    root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (root / "dev" / "tenants").mkdir()
    (root / "dev" / "tenants" / "taken.tfvars").write_text("mine")

    assert new_tenant.main(["--env", environment, "--tenant", tenant_id], root=root) == 1

    assert capsys.readouterr().err.startswith(message)
    written = [path.name for path in root.rglob("*.tfvars")]
    assert sorted(written) == ["env.tfvars", "taken.tfvars"]
    assert (root / "dev" / "tenants" / "taken.tfvars").read_text() == "mine"


def test_an_id_of_the_same_unit_is_taken(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "dev-labs" / "tenants").mkdir(parents=True)
    settings = 'parent = { unit = "tollgate-dev" }\ntiers = { lab = {} }\n'
    (root / "dev-labs" / "env.tfvars").write_text(settings)
    (root / "dev-labs" / "tenants" / "umbrella.tfvars").write_text("theirs")

    assert new_tenant.main(["--env", "dev", "--tenant", "umbrella"], root=root) == 1

    assert capsys.readouterr().err == (
        'TENANT: given "umbrella"; allowed: an id without a file; '
        "envs/dev-labs/tenants/umbrella.tfvars is there\n"
    )
    assert not (root / "dev" / "tenants" / "umbrella.tfvars").exists()


COMMANDS = {
    command
    for guide in (REPOSITORY / "README.md", REPOSITORY / "envs" / "README.md")
    if guide.is_file()
    for command in re.findall(r"make new-tenant ENV=(\S+) TENANT=(\S+)", guide.read_text())
}


@pytest.mark.parametrize(("environment", "tenant_id"), sorted(COMMANDS))
def test_the_guides_command_works_in_a_fresh_clone(
    environment: str, tenant_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    envs = tmp_path / "envs"
    shutil.copytree(REPOSITORY / "envs", envs)

    assert new_tenant.main(["--env", environment, "--tenant", tenant_id], root=envs) == 0
    assert validate.main([environment], root=envs) == 1
    refused = capsys.readouterr().err.splitlines()
    assert len(refused) == len(FILLED_IN) + 1
    file = f"envs/{environment}/tenants/{tenant_id}.tfvars"
    assert {line.split(": ")[0] for line in refused} == {file}

    path = tmp_path / file
    tier = sorted(tenants.load_settings(envs / environment).tiers)[0]
    filled = re.sub(r"(?m)^tier = .*$", f'tier = "{tier}"', _filled_in(path.read_text()))
    path.write_text(filled.replace(VALID_LINES["name"], f'"Team {tenant_id}"'))
    assert validate.main([environment], root=envs) == 0
    assert tenant_id not in capsys.readouterr().err


def test_the_guides_name_the_command() -> None:
    assert COMMANDS


def test_an_environment_with_mistakes_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "dev" / "env.tfvars").write_text('prefix = "tollgate-dev"\n')

    assert new_tenant.main(["--env", "dev", "--tenant", "acme"], root=root) == 1

    assert "env.tfvars: tiers: given nothing" in capsys.readouterr().err


def test_the_command_says_what_is_next(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert new_tenant.main(["--env", "dev", "--tenant", "acme"], root=root) == 0

    assert capsys.readouterr().out == (
        "envs/dev/tenants/acme.tfvars: fill in what is marked FILL IN, "
        "then run make validate-tenants\n"
    )
