"""The command that checks all files: what it prints of errors and of likely mistakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scripts.tenants import validate
from tests.unit.scripts.tenants.tenant_cases import PREFIX, TIERS, VALID, app, text

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, name: str, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.tfvars").write_text(content, encoding="utf-8")


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """The environment `dev` below `tmp_path`, without tenants."""
    settings = f'prefix = "{PREFIX}"\nregion = "us-east-1"\ntiers = {json.dumps(TIERS)}'
    write(tmp_path / "dev", "env", settings)
    return tmp_path / "dev"


def guest(
    root: Path, name: str = "dev-labs", unit: str = PREFIX, region: str = "us-east-1"
) -> Path:
    """An environment that adds tenants to a unit."""
    settings = f'parent = {{ unit = "{unit}" }}\nregion = "{region}"\ntiers = {json.dumps(TIERS)}'
    write(root / name, "env", settings)
    return root / name


def test_the_command_counts_what_is_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "dev", "env", f'prefix = "{PREFIX}"\ntiers = {json.dumps(TIERS)}')
    write(tmp_path / "dev" / "tenants", "least", VALID["least"])

    assert validate.main([], root=tmp_path) == 0

    assert capsys.readouterr().out == "dev: 1 tenant with 1 key is valid\n"


def test_the_command_prints_each_error_with_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "dev", "env", 'region = "us-east-1"\n')
    write(tmp_path / "dev" / "tenants", "acme", text(tier=None))

    assert validate.main(["dev", "absent"], root=tmp_path) == 1

    assert capsys.readouterr().err.splitlines() == [
        "envs/dev/env.tfvars: tiers: given nothing; allowed: an object such as { }",
        "envs/dev/env.tfvars: prefix: given nothing; allowed: 3 to 32 lower-case letters, digits "
        "and hyphens that start with a letter and do not end with a hyphen, no two hyphens in a "
        "row, and nothing that AWS keeps for itself: aws..., ssm..., amzn-s3-demo-..., sg-..., "
        "sthree-..., default, primary",
        "envs/dev/tenants/acme.tfvars: tier: given nothing; "
        "allowed: the name of a tier of the environment",
        "envs/absent/env.tfvars: file: given nothing; allowed: HCL attributes with literal values",
    ]


def test_what_there_is_several_of_is_counted_so(
    tmp_path: Path, dev: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expired = '{ expires = "2001-01-31" }'
    write(dev / "tenants", "acme", app(f"keys = {{ old = {expired}, older = {expired} }}"))

    assert validate.main([], root=tmp_path) == 0
    assert capsys.readouterr().out == (
        "dev: 1 tenant with 2 keys is valid; 2 values look like mistakes\n"
    )


def test_what_looks_like_a_mistake_fails_nothing(
    tmp_path: Path, dev: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(dev / "tenants", "acme", app('keys = { old = { expires = "2001-01-31" } }'))

    assert validate.main([], root=tmp_path) == 0

    printed = capsys.readouterr()
    assert printed.out == ("dev: 1 tenant with 1 key is valid; 1 value looks like a mistake\n")
    assert printed.err.startswith(
        "warning: envs/dev/tenants/acme.tfvars: apps.web.keys.old.expires: "
        'given "2001-01-31"; expected: a day from '
    )


def test_shipped_environments_have_nothing_that_looks_like_a_mistake(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert validate.main([]) == 0

    # A key of the sample rotation ends one day.
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if ".expires: " not in line] == []


def test_contract_prices_that_the_gateway_cannot_read_are_refused(
    tmp_path: Path, dev: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = """{
      "moonshot.kimi-k2-thinking"   = { in_region = { default = { input = "1" } } }
      "moonshotai.kimi-k2-thinking" = { in_region = { default = { input = "2" } } }
    }"""
    write(dev / "tenants", "acme", text(prices=prices))

    assert validate.main([], root=tmp_path) == 1

    printed = capsys.readouterr().err
    assert printed.startswith('envs/dev/tenants/acme.tfvars: prices: given {"moonshot.kimi-k2-thi')
    assert printed.endswith(
        "allowed: prices that fit the price book: "
        "contract prices name a model twice, by its id and by an alias\n"
    )


@pytest.mark.parametrize("other", ["dev-labs", "dev-tools"])
def test_an_id_is_one_tenants_in_the_whole_unit(
    other: str, tmp_path: Path, dev: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(guest(tmp_path) / "tenants", "acme", text())
    write((dev if other == "dev-labs" else guest(tmp_path, other)) / "tenants", "acme", text())
    there = {"dev-labs": "dev", "dev-tools": "dev-tools"}[other]

    assert validate.main(["dev-labs", there], root=tmp_path) == 1

    allowed = "allowed: an id that no environment of the same unit has"
    assert capsys.readouterr().err.splitlines() == [
        f'envs/dev-labs/tenants/acme.tfvars: file name: given "acme"; {allowed}; {there} has it',
        f'envs/{there}/tenants/acme.tfvars: file name: given "acme"; {allowed}; dev-labs has it',
    ]


def test_an_id_of_the_unit_is_told_beside_other_errors(
    tmp_path: Path, dev: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(dev / "tenants", "acme", text())
    write(guest(tmp_path) / "tenants", "acme", text(kind=None))

    assert validate.main(["dev-labs"], root=tmp_path) == 1

    errors = capsys.readouterr().err.splitlines()
    assert [error.split(": ")[1] for error in errors] == ["kind", "file name"]


def test_a_tenant_of_the_unit_is_no_team_wherever_its_file_is(
    tmp_path: Path, dev: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(dev / "tenants", "acme", text(teams='["search", "umbrella"]'))
    write(guest(tmp_path) / "tenants", "umbrella", text())

    assert validate.main([], root=tmp_path) == 1

    assert capsys.readouterr().err == (
        'envs/dev/tenants/acme.tfvars: teams[1]: given "umbrella"; allowed: '
        "a name that is no tenant's id: a tenant's calls come with its own keys\n"
    )


@pytest.mark.parametrize(
    "elsewhere", [{"unit": "tollgate-prod"}, {"region": "eu-west-1"}], ids=lambda found: [*found][0]
)
def test_other_units_may_have_tenants_of_the_same_id(
    elsewhere: dict[str, str], tmp_path: Path, dev: Path
) -> None:
    write(dev / "tenants", "acme", text())
    write(guest(tmp_path, **elsewhere) / "tenants", "acme", text())

    assert validate.main([], root=tmp_path) == 0


def test_units_of_equal_names_may_be_in_different_accounts(tmp_path: Path, dev: Path) -> None:
    write(dev / "tenants", "acme", text())
    write(tmp_path / "other", "env", (dev / "env.tfvars").read_text())
    write(tmp_path / "other" / "tenants", "acme", text())

    assert validate.main([], root=tmp_path) == 0


@pytest.mark.parametrize(("model", "noted"), [("bge-large", False), ("bge-small", True)])
def test_a_guests_patterns_may_name_the_endpoints_of_the_gateway(
    model: str, *, noted: bool, tmp_path: Path, dev: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (dev / "env.tfvars").open("a") as file:
        file.write('\nsagemaker_endpoints = { bge-large = "bge-large-en" }\n')
    write(guest(tmp_path) / "tenants", "umbrella", text(models=f'["{model}"]'))

    assert validate.main(["dev-labs"], root=tmp_path) == 0

    assert ("models[0]" in capsys.readouterr().err) is noted


@pytest.mark.parametrize(("model", "noted"), [("bge-small", False), ("amazon.nvoa-*", True)])
def test_names_of_unknown_endpoints_are_not_judged(
    model: str, *, noted: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        guest(tmp_path, unit="tollgate-elsewhere") / "tenants", "acme", text(models=f'["{model}"]')
    )

    assert validate.main([], root=tmp_path) == 0

    assert ("models[0]" in capsys.readouterr().err) is noted
