"""The workflows run what was reviewed, with no more rights than they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.build.environments import MINIMUM_PYTHON
from scripts.build.interpreters import VERSIONS

ROOT = Path(__file__).resolve().parents[2]
FILES = {file.name: file for file in sorted((ROOT / ".github" / "workflows").iterdir())}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
EVERY = pytest.mark.parametrize("name", FILES)
# What each may do on GitHub; AWS trusts whoever has an id token.
PERMISSIONS = {
    "apply.yml": {"contents": "read", "id-token": "write"},
    "plan.yml": {"contents": "read", "id-token": "write", "pull-requests": "write"},
    "reconcile.yml": {"contents": "read", "id-token": "write"},
    "soak.yml": {"contents": "read"},
    "test.yml": {"contents": "read"},
}


def workflow(name: str) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(FILES[name].read_text("utf-8"))
    return loaded


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def triggers(name: str) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    found: dict[str, Any] = workflow(name)[True]
    return found


def test_there_is_one_to_test_one_to_soak_one_to_plan_one_to_apply_and_one_to_reconcile() -> None:
    assert sorted(FILES) == sorted(PERMISSIONS)


def test_what_no_merge_waits_for_runs_by_itself() -> None:
    assert triggers("soak.yml")["schedule"]
    assert [step["run"] for step in steps("soak.yml") if "run" in step] == ["make soak"]


def test_usage_is_reconciled_every_day_where_a_role_is_named_for_it() -> None:
    assert triggers("reconcile.yml")["schedule"]
    assert {step["if"] for step in steps("reconcile.yml")} == {"matrix.reconcile_role"}
    (run,) = [step["run"] for step in steps("reconcile.yml") if "run" in step]
    assert run.startswith('make reconcile ENV="$ENVIRONMENT" MONTH=')


@EVERY
def test_actions_are_pinned_to_a_commit_and_say_its_version(name: str) -> None:
    used = re.findall(r"^\s*(?:- )?uses:\s*(.+)$", FILES[name].read_text("utf-8"), re.MULTILINE)

    assert len(used) == len([step for step in steps(name) if "uses" in step]) > 0
    wrong = [
        use
        for use in used
        if not re.fullmatch(r"[\w.-]+/[\w.-]+(?:/[\w.-]+)*@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)
    ]
    assert wrong == []


def test_an_action_has_one_version_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for name in FILES:
        for step in steps(name):
            if "uses" in step:
                action, _, commit = step["uses"].partition("@")
                versions.setdefault(action, set()).add(commit)

    assert {action: commits for action, commits in versions.items() if len(commits) > 1} == {}


@EVERY
def test_permissions_are_declared_and_no_wider_than_needed(name: str) -> None:
    document = workflow(name)
    default = document["permissions"]

    assert default in ({}, {"contents": "read"})
    for job in document["jobs"].values():
        assert {**default, **job.get("permissions", {})} == PERMISSIONS[name]


@EVERY
def test_nothing_from_outside_is_pasted_into_a_script(name: str) -> None:
    assert [step["run"] for step in steps(name) if "${{" in step.get("run", "")] == []


@EVERY
def test_no_checkout_leaves_a_token_and_no_job_runs_for_ever(name: str) -> None:
    checkouts = [
        step for step in steps(name) if step.get("uses", "").startswith("actions/checkout")
    ]

    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert all(job["timeout-minutes"] <= 120 for job in workflow(name)["jobs"].values())


@pytest.mark.parametrize("name", ["apply.yml", "plan.yml", "reconcile.yml"])
def test_a_role_lasts_as_long_as_its_job(name: str) -> None:
    (job,) = workflow(name)["jobs"].values()
    (login,) = [step for step in steps(name) if "configure-aws" in step.get("uses", "")]

    assert login["with"]["role-duration-seconds"] >= 60 * job["timeout-minutes"]


def test_an_apply_has_time_to_change_every_usage_plan_that_a_deployment_may_have() -> None:
    code = {
        file: (ROOT / "terraform" / file).read_text("utf-8")
        for file in ("tenants.tf", "variables.tf")
    }
    seconds = re.search(r"_seconds_per_usage_plan_update = (\d+)", code["tenants.tf"])
    most = re.search(r"most += optional\(number, (\d+)\)", code["variables.tf"])
    assert seconds is not None
    assert most is not None
    (job,) = workflow("apply.yml")["jobs"].values()

    # The other half is for the plan, and for what an apply does besides.
    assert int(seconds[1]) * int(most[1]) <= 60 * job["timeout-minutes"] / 2


@EVERY
def test_they_call_make_targets_that_exist(name: str) -> None:
    scripts = "\n".join(step.get("run", "") for step in steps(name))
    named = set(re.findall(r"\bmake (?:--\S+ )*([a-z-]+)", scripts))

    assert named <= TARGETS
    assert named or ".ci/run" in scripts


def test_credentials_come_from_roles_and_from_nowhere_else() -> None:
    for file in FILES.values():
        text = file.read_text("utf-8")
        assert "secrets." not in text
        assert "aws-access-key-id" not in text
    for name, role in (("plan.yml", "plan_role"), ("apply.yml", "apply_role")):
        (login,) = [step for step in steps(name) if "configure-aws" in step.get("uses", "")]
        assert login["with"]["role-to-assume"] == f"${{{{ matrix.{role} }}}}"


def test_a_fork_gets_no_role() -> None:
    assert "pull_request_target" not in str(triggers("plan.yml"))
    (job,) = workflow("plan.yml")["jobs"].values()
    assert "head.repo.full_name == github.repository" in job["if"]


def test_only_main_is_applied_one_environment_after_the_other() -> None:
    document = workflow("apply.yml")
    (job,) = document["jobs"].values()

    assert triggers("apply.yml")["push"]["branches"] == ["main"]
    assert "github.ref == 'refs/heads/main'" in job["if"]
    assert document["concurrency"] == {"group": "apply", "cancel-in-progress": False}
    assert job["strategy"]["max-parallel"] == 1
    assert job["environment"] == "${{ matrix.environment }}"


@pytest.mark.parametrize("name", ["apply.yml", "plan.yml"])
def test_a_plan_file_never_leaves_the_machine(name: str) -> None:
    assert not [step for step in steps(name) if "artifact" in step.get("uses", "")]


def test_every_workflow_uses_one_terraform() -> None:
    versions = {
        step["with"]["terraform_version"]
        for name in FILES
        for step in steps(name)
        if "setup-terraform" in step.get("uses", "")
    }
    assert len(versions) == 1


def test_tests_run_on_the_python_of_the_functions_and_on_the_oldest() -> None:
    job = workflow("test.yml")["jobs"]["test"]
    oldest = ".".join(map(str, MINIMUM_PYTHON))
    assert job["strategy"]["matrix"]["python"] == [VERSIONS[0], oldest]
    [run] = [step for step in job["steps"] if step.get("run") == ".ci/run"]
    assert run["env"]["PYTHON"] == "python${{ matrix.python }}"
    for name in FILES.keys() - {"test.yml"}:
        for step in steps(name):
            assert step.get("with", {}).get("python-version") in {None, VERSIONS[0]}
