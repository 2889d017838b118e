"""Every Terraform directory is formatted, valid, and passes its own `terraform test` cases."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.deploy import terraform
from tests import provider as provider_process

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
# Working data of its own for each worker: these tests meet neither a developer's `make plan` nor
# one another.
ENVIRONMENT = f"static-tests-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
_START_SECONDS = 60
MODULES = ("terraform/*.tf", "terraform/tenants_only/*.tf", "modules/*/*.tf")


def _directories(*patterns: str) -> list[Path]:
    files = (file for pattern in patterns for file in ROOT.glob(pattern))
    return sorted({file.parent for file in files})


def _case_files() -> list[object]:
    """Every file of cases; those of one directory are spread over the workers."""
    return [
        pytest.param(file, id=_name(file), marks=_group(_name(file if number else directory)))
        for directory in _directories(*MODULES)
        for number, file in enumerate(sorted(directory.glob("tests/*.tftest.hcl")))
    ]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _group(name: str) -> pytest.MarkDecorator:
    return pytest.mark.xdist_group(f"terraform:{name}")


@pytest.fixture(scope="module", autouse=True)
def _terraform_runs_here() -> None:
    # Raises where nothing may be left out (CI=true), so a missing terraform is a failure there.
    reason = terraform.unavailable()
    if reason:
        pytest.skip(f"NOT CHECKED: {reason}")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One process of the AWS provider, which serves all of a worker's cases.

    The cases ask it for its schema only, because their provider is a mock; nothing is ever
    configured in it.
    """
    root = ROOT / "terraform"
    _initialise(root)
    printed = tmp_path_factory.mktemp("provider") / "stdout"
    with provider_process.serve(root, ENVIRONMENT, printed) as variables:
        yield variables


@functools.cache
def _initialise(directory: Path) -> None:
    terraform.run(directory, "init", "-backend=false", environment_name=ENVIRONMENT, capture=True)


def _run(directory: Path, provider: dict[str, str], *arguments: str) -> str:
    _initialise(directory)
    # A TerraformError holds the whole output, which is what a reader of the failure needs.
    return terraform.run(
        directory, *arguments, environment_name=ENVIRONMENT, variables=provider, capture=True
    ).stdout


def test_the_directories_are_found() -> None:
    assert _directories("modules/*/*.tf")
    assert _directories("terraform/*.tf")


def test_everything_is_formatted() -> None:
    result = terraform.run(
        ROOT,
        "fmt",
        "-check",
        "-diff",
        "-recursive",
        # Not `.`: what was generated under build is nobody's to format.
        *("envs", "modules", "terraform", "tests"),
        environment_name=ENVIRONMENT,
        capture=True,
        check=False,
    )
    assert result.returncode == 0, f"run `make fmt`:\n{result.stdout}{result.stderr}"


def test_the_examples_are_valid(provider: dict[str, str]) -> None:
    # The modules themselves are validated by each of their cases.
    examples = _directories("modules/*/examples/*/*.tf")
    assert {example.parents[1] for example in examples} == set(_directories("modules/*/*.tf"))
    together = ROOT / ".terraform" / ENVIRONMENT / "examples"
    together.mkdir(parents=True, exist_ok=True)
    blocks = [
        f'module "example_{number}" {{\n  source = "{os.path.relpath(example, together)}"\n}}\n'
        for number, example in enumerate(examples)
    ]
    (together / "main.tf").write_text("\n".join(blocks), "utf-8")

    _run(together, provider, "validate", "-no-color")


@pytest.mark.parametrize("directory", _directories(*MODULES), ids=_name)
def test_it_has_cases(directory: Path) -> None:
    assert list(directory.glob("tests/*.tftest.hcl"))


@pytest.mark.parametrize("file", _case_files())
def test_its_own_cases_pass(provider: dict[str, str], file: Path) -> None:
    output = _run(file.parents[1], provider, "test", "-no-color", f"-filter=tests/{file.name}")

    # `terraform test` succeeds when it finds nothing to run.
    passed = re.search(r"Success! (\d+) passed, 0 failed", output)
    assert passed is not None, output
    assert int(passed[1]) == len(re.findall(r'^run "', file.read_text("utf-8"), re.MULTILINE))
