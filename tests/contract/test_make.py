"""The Makefile, CI's script and the pre-commit hooks name only what exists, and fail clearly."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from scripts.build.environments import ENVIRONMENTS as PYTHON_ENVIRONMENTS

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


@pytest.mark.parametrize(
    "target", ["plan", "apply", "drift", "destroy", "bootstrap", "keys", "url", "key", "reconcile"]
)
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


# Imports modules where packages that a lock does not bring look as if they were not installed.
IMPORT_WITH = """
import importlib, importlib.metadata, re, sys

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

lock, *modules = sys.argv[1:]
locked = {plain(line.partition("==")[0]) for line in open(lock) if "==" in line}
owners = importlib.metadata.packages_distributions()

class Missing:
    def find_spec(self, name, path=None, target=None):
        owner = owners.get(name)
        if owner is not None and locked.isdisjoint(map(plain, owner)):
            raise ModuleNotFoundError(f"{name} is not in {lock}", name=name)

sys.meta_path.insert(0, Missing())
for module in modules:
    importlib.import_module(module)
"""


def test_what_runs_without_the_test_tools_imports_only_what_its_lock_brings() -> None:
    modules = sorted(set(re.findall(r"\$\(RUN_PYTHON\) -m (\S+)", MAKEFILE)))
    assert "scripts.local.demo" in modules
    handlers = sorted((ROOT / "functions").glob("*/tollgate_*/handler.py"))
    lock = PYTHON_ENVIRONMENTS["run"].lock
    outcome = subprocess.run(
        [
            *(sys.executable, "-c", IMPORT_WITH, lock, *modules),
            *(f"{handler.parent.name}.handler" for handler in handlers),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr


def test_make_names_the_python_of_the_environment_that_a_target_sets_up() -> None:
    needs = {
        "$(RUN_PYTHON)": {"setup-run", "setup-local", "setup-focus", "setup", "package"},
        "$(VENV_PYTHON)": {"setup-dev", "setup-stack-tests", "setup"},
    }
    rules = re.findall(r"^([a-z-]+):([^\n#]*)[^\n]*\n((?:\t[^\n]*\n)*)", MAKEFILE, re.MULTILINE)
    checked = 0
    for target, prerequisites, recipe in rules:
        for python, setups in needs.items():
            if python in recipe:
                assert setups & set(prerequisites.split()), f"{target} does not set up {python}"
                checked += 1
    assert checked > 20


def test_no_source_is_left_out_of_lint_and_types() -> None:
    tracked = set(run("git", "ls-files", "*.py").stdout.split())
    linted = run(sys.executable, "-m", "ruff", "check", "--show-files").stdout.split()
    assert tracked <= {os.path.relpath(file, ROOT) for file in linted}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    ours = [file for file in tracked if file.startswith(("functions/", "scripts/"))]
    for pattern in settings["exclude"]:
        assert [file for file in ours if re.search(pattern, file)] == []
