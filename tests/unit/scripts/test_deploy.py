"""What deploying asks of Terraform, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from scripts import deploy, terraform


class Recorder:
    """Stands in for Terraform: notes the calls and writes the plan file that it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.environments: set[str | None] = set()
        self.fails_at = ""
        self.umask = 0

    def __call__(
        self, cwd: Path, *arguments: str, environment_name: str | None = None, **_: Any
    ) -> None:
        assert cwd == deploy.ROOT_MODULE
        self.calls.append(arguments)
        self.environments.add(environment_name)
        if arguments[0] == self.fails_at:
            raise terraform.TerraformError("terraform failed")
        for argument in arguments:
            if argument.startswith("-out="):
                self.umask = os.umask(0o022)
                os.umask(self.umask)
                Path(argument.removeprefix("-out=")).write_text("a plan", encoding="utf-8")


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(terraform, "run", recorder)
    monkeypatch.setattr(deploy, "ROOT_MODULE", tmp_path / "terraform")
    monkeypatch.delenv("CONFIRM", raising=False)
    for environment in ("dev", "prod"):
        deploy.plan_path(environment).parent.mkdir(parents=True)
    return recorder


def test_environments_have_a_backend_and_variables() -> None:
    assert deploy.deployable() == ["dev", "prod"]


def test_plan_initialises_the_environments_backend_and_saves(calls: Recorder) -> None:
    assert deploy.main(["plan", "--env", "dev"]) == 0
    init, plan = calls.calls
    assert init == (
        "init",
        "-input=false",
        "-reconfigure",
        "-backend-config=../envs/dev/backend.s3.tfbackend",
    )
    assert plan[:2] == ("plan", "-input=false")
    assert "-var-file=../envs/dev/env.tfvars" in plan
    assert "-var=environment=dev" in plan
    assert f"-out={deploy.plan_path('dev')}" in plan
    assert calls.environments == {"dev"}


def test_the_saved_plan_is_for_its_owner_only(calls: Recorder) -> None:
    deploy.plan("dev")
    assert calls.umask == 0o077


@pytest.mark.parametrize("step", ["init", "plan"])
def test_a_failed_plan_leaves_no_older_one(calls: Recorder, step: str) -> None:
    deploy.plan("dev")
    calls.fails_at = step
    assert deploy.main(["plan", "--env", "dev"]) == 1
    assert not deploy.plan_path("dev").exists()


def test_apply_takes_the_saved_plan_only(calls: Recorder) -> None:
    deploy.plan("dev")
    calls.calls.clear()
    assert deploy.main(["apply", "--env", "dev"]) == 0
    assert calls.calls == [
        ("apply", "-input=false", "-lock-timeout=5m", str(deploy.plan_path("dev")))
    ]


def test_apply_refuses_without_a_plan(calls: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["apply", "--env", "dev"]) == 1
    assert "run `make plan ENV=dev`" in capsys.readouterr().err
    assert calls.calls == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_plan_is_applied_once(calls: Recorder, fails: bool) -> None:
    deploy.plan("dev")
    calls.fails_at = "apply" if fails else ""
    assert deploy.main(["apply", "--env", "dev"]) == int(fails)
    assert deploy.main(["apply", "--env", "dev"]) == 1


@pytest.mark.parametrize("confirmation", [None, "yes", "dev"])
def test_production_asks_for_confirmation(
    calls: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    confirmation: str | None,
) -> None:
    deploy.plan("prod")
    if confirmation:
        monkeypatch.setenv("CONFIRM", confirmation)
    assert deploy.main(["apply", "--env", "prod"]) == 1
    assert "set CONFIRM=prod" in capsys.readouterr().err
    assert deploy.plan_path("prod").exists()
    assert [call[0] for call in calls.calls] == ["init", "plan"]


def test_confirmed_production_is_applied(calls: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy.plan("prod")
    monkeypatch.setenv("CONFIRM", "prod")
    assert deploy.main(["apply", "--env", "prod"]) == 0
    assert calls.calls[-1][0] == "apply"


def test_an_unknown_environment_is_refused(calls: Recorder) -> None:
    with pytest.raises(SystemExit):
        deploy.main(["plan", "--env", "local"])
    assert calls.calls == []
