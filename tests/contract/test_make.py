"""The Makefile, CI's script and the pre-commit hooks name only what exists, and fail clearly."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
ENVIRONMENTS = sorted(folder.name for folder in (ROOT / "envs").iterdir() if folder.is_dir())


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command at the root, with variables changed and none of a make around the tests."""
    inherited = {"ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    kept = {name: value for name, value in os.environ.items() if name not in inherited}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_is_the_default_and_lists_the_documented_targets() -> None:
    assert run("make").stdout == run("make", "help").stdout
    listed = {line.split()[0] for line in run("make").stdout.splitlines()}
    assert listed <= TARGETS
    assert {"setup", "demo", "local", "test", "package", "plan", "apply"} <= listed


def test_no_target_can_be_hidden_by_a_file() -> None:
    assert set(re.findall(r"^\.PHONY: ([a-z-]+)$", MAKEFILE, re.MULTILINE)) == TARGETS


@pytest.mark.parametrize("module", sorted(set(re.findall(r"-m (scripts(?:\.\w+)+)", MAKEFILE))))
def test_the_scripts_exist(module: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    if spec.submodule_search_locations:
        assert importlib.util.find_spec(f"{module}.__main__") is not None


@pytest.mark.parametrize("target", ["plan", "apply"])
@pytest.mark.parametrize("environment", ["", "nowhere"])
def test_an_environment_must_exist(target: str, environment: str) -> None:
    outcome = run("make", target, f"ENV={environment}")
    assert outcome.returncode != 0
    wanted = f"ENV is '{environment}'; call make {target} ENV=<one of: "
    assert wanted in outcome.stderr
    said = outcome.stderr.partition(wanted)[2].partition(">")[0]
    assert sorted(said.split()) == ENVIRONMENTS


def test_ci_names_every_missing_tool() -> None:
    outcome = run(".ci/run", TERRAFORM="no-terraform", PYTHON="no-python")
    assert outcome.returncode == 1
    assert outcome.stderr == "ci: not on PATH: no-python no-terraform\n"


def test_hooks_are_local_and_call_existing_targets() -> None:
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert {source["repo"] for source in configuration["repos"]} == {"local"}
    entries = [
        hook["entry"].split() for source in configuration["repos"] for hook in source["hooks"]
    ]
    assert {words[0] for words in entries} == {"make", "terraform"}
    assert {words[1] for words in entries if words[0] == "make"} <= TARGETS
