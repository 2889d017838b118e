"""Every Terraform directory is formatted, valid, and passes its own `terraform test` cases."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from scripts import terraform

ROOT = Path(__file__).resolve().parents[2]
# Working data of its own, so that a run of these tests does not meet a developer's `make plan`.
ENVIRONMENT = "static-tests"


def _directories(*patterns: str) -> list[Path]:
    files = (file for pattern in patterns for file in ROOT.glob(pattern))
    return sorted({file.parent for file in files})


def _cases(*patterns: str) -> list[object]:
    """Make a test parameter of each directory; those of one directory share a worker."""
    return [
        pytest.param(
            directory,
            id=directory.relative_to(ROOT).as_posix(),
            marks=pytest.mark.xdist_group(f"terraform:{directory.relative_to(ROOT)}"),
        )
        for directory in _directories(*patterns)
    ]


@pytest.fixture(scope="module", autouse=True)
def _terraform_runs_here() -> None:
    # Raises where nothing may be left out (CI=true), so a missing terraform is a failure there.
    reason = terraform.unavailable()
    if reason:
        pytest.skip(f"NOT CHECKED: {reason}")


@functools.cache
def _initialise(directory: Path) -> None:
    terraform.run(directory, "init", "-backend=false", environment_name=ENVIRONMENT, capture=True)


def _run(directory: Path, *arguments: str) -> None:
    _initialise(directory)
    # A TerraformError holds the whole output, which is what a reader of the failure needs.
    terraform.run(directory, *arguments, environment_name=ENVIRONMENT, capture=True)


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
        environment_name=ENVIRONMENT,
        capture=True,
        check=False,
    )
    assert result.returncode == 0, f"run `make fmt`:\n{result.stdout}{result.stderr}"


@pytest.mark.parametrize(
    "directory",
    _cases(
        "terraform/*.tf",
        "terraform/tenants_only/*.tf",
        "modules/*/*.tf",
        "modules/*/examples/*/*.tf",
    ),
)
def test_it_is_valid(directory: Path) -> None:
    _run(directory, "validate", "-no-color")


# The root has some eighty cases, and each of them is a plan.
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "directory", _cases("terraform/*.tf", "terraform/tenants_only/*.tf", "modules/*/*.tf")
)
def test_its_own_cases_pass(directory: Path) -> None:
    # `terraform test` succeeds when it finds nothing to run.
    assert list(directory.glob("tests/*.tftest.hcl"))
    _run(directory, "test", "-no-color")
