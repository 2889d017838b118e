"""What deploying asks of Terraform, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.deploy import adopt, environments, plans, preflight, terraform
from scripts.deploy import commands as deploy
from scripts.deploy.redaction import redact

LAKE = "module.analytics.aws_s3_bucket.lake"
USAGE = 'module.metering.aws_dynamodb_table.this["usage"]'
STATE = (
    "data.aws_caller_identity.this",
    "aws_kms_alias.this",
    "aws_kms_key.this",
    "aws_ssm_parameter.output",
    "module.analytics.aws_athena_workgroup.this",
    LAKE,
    'module.function["invoke"].data.aws_partition.this',
    'module.function["invoke"].aws_lambda_function.this',
    'module.function["stream"].aws_lambda_function.this',
    'module.metering.aws_dynamodb_table.this["accounts"]',
    'module.metering.aws_dynamodb_table.this["tenants"]',
    USAGE,
    "module.streaming.aws_dynamodb_table.streams",
    "module.streaming.aws_s3_bucket.payloads",
    "module.audit.aws_cloudtrail.this[0]",
    "module.audit.aws_s3_bucket.audit[0]",
    "module.audit.aws_s3_bucket_policy.audit[0]",
    "module.waf[0].aws_wafv2_web_acl.this",
    "terraform_data.tenant_quotas",
    'module.tenant["acme"].aws_api_gateway_api_key.this["web/old"]',
    'module.tenant["acme"].aws_api_gateway_api_key.this["web/primary"]',
    'module.tenant["acme"].aws_s3_object.dimension',
    'module.tenant["acme"].module.usage_plan[0].aws_api_gateway_usage_plan.this',
)


class Recorder:
    """Stands in for Terraform: notes the calls and writes the plan file that it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.environments: set[str | None] = set()
        self.folders: set[Path] = set()
        self.fails_at = ""
        self.umask = 0
        self.state = STATE
        self.deleted: list[str] = []
        self.drifted: list[str] = []
        self.refused = ""
        self.applyable = True

    def preflight(self, environment: environments.Environment, *, state: bool) -> preflight.Caller:
        """Stands in for the questions to AWS."""
        assert state
        if self.refused:
            raise preflight.PreflightError(f"{environment.name}: {self.refused}")
        return preflight.Caller(account="111122223333", arn="arn:aws:iam::111122223333:user/a")

    def __call__(
        self, cwd: Path, *arguments: str, environment_name: str | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        # Whatever Terraform prints goes through here, or nowhere.
        assert options["capture"] or options["shown"] is redact
        self.folders.add(cwd)
        self.calls.append(arguments)
        self.environments.add(environment_name)
        if arguments[0] == self.fails_at:
            raise terraform.TerraformError("terraform failed")
        for argument in arguments:
            if argument.startswith("-out="):
                self.umask = os.umask(0o022)
                os.umask(self.umask)
                Path(argument.removeprefix("-out=")).write_text("a plan", encoding="utf-8")
        return subprocess.CompletedProcess(arguments, 0, self._answer(arguments), "")

    def _answer(self, arguments: tuple[str, ...]) -> str:
        if arguments[:2] == ("state", "list"):
            return "".join(f"{address}\n" for address in self.state)
        if arguments[0] == "show":
            changes = [
                {"address": address, "change": {"actions": ["delete", "create"]}}
                for address in self.deleted
            ]
            drift = [{"address": address} for address in self.drifted]
            return json.dumps(
                {
                    "applyable": self.applyable,
                    "resource_changes": changes,
                    "resource_drift": drift,
                }
            )
        return ""

    def named(self, *words: str) -> list[tuple[str, ...]]:
        """The calls that hold all of these words."""
        return [call for call in self.calls if set(words) <= set(call)]


def saved(environment: str) -> Path:
    return plans.saved_path(environments.load(environment))


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(terraform, "run", recorder)
    monkeypatch.setattr(preflight, "check", recorder.preflight)
    monkeypatch.setattr(environments, "GATEWAY_MODULE", tmp_path / "terraform")
    monkeypatch.setattr(environments, "TENANTS_ONLY_MODULE", tmp_path / "terraform/tenants_only")
    for name in ("ADOPT", "CONFIRM", "FORCE"):
        monkeypatch.delenv(name, raising=False)
    for environment in ("dev", "dev-labs", "prod"):
        saved(environment).parent.mkdir(parents=True)
    return recorder


def test_environments_have_a_backend_and_variables() -> None:
    assert {"dev", "dev-labs", "prod"} <= set(environments.deployable())
    assert "local" not in environments.deployable()


@pytest.mark.parametrize(
    ("environment", "command"),
    [("dev", "make apply ENV=dev"), ("prod", "make apply ENV=prod CONFIRM=prod")],
)
def test_a_plan_ends_with_what_it_changes_and_the_next_command(
    calls: Recorder, capsys: pytest.CaptureFixture[str], environment: str, command: str
) -> None:
    calls.deleted = ["module.gateway.aws_api_gateway_stage.this", 'module.tenant["acme"].a.b["c"]']
    assert deploy.main(["plan", "--env", environment]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "",
        f"Plan for {environment}: 2 to replace",
        "  tenant acme: 1 to replace",
        "  outside of the tenants: 1 to replace",
        "       1 aws_api_gateway_stage",
        f"next: {command}",
    ]


def test_a_plan_tells_what_looks_like_a_mistake_in_tenant_files(
    calls: Recorder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(environments.FOLDER, tmp_path / "envs")
    monkeypatch.setattr(environments, "FOLDER", tmp_path / "envs")
    file = tmp_path / "envs" / "dev" / "tenants" / "acme.tfvars"
    file.write_text(file.read_text().replace('"amazon.nova-*"', '"amazon.nova-*", "amazon.nvoa-*"'))

    assert deploy.main(["plan", "--env", "dev"]) == 0

    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "acme" in line] == [
        "warning: envs/dev/tenants/acme.tfvars: models[1]: "
        'given "amazon.nvoa-*"; expected: a model of the price book or a SageMaker endpoint; '
        "nearest: amazon.nova-pro-v1:0, amazon.nova-lite-v1:0, amazon.nova-micro-v1:0"
    ]


def test_a_plan_that_changes_nothing_names_no_next_command(
    calls: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.applyable = False
    assert deploy.main(["plan", "--env", "dev"]) == 0
    assert capsys.readouterr().out == "\nPlan for dev: nothing changes\n"


@pytest.mark.parametrize(
    ("environment", "tenant", "app"), [("dev", "acme", "ranker"), ("dev-labs", "umbrella", "")]
)
def test_an_apply_ends_with_the_url_and_a_key_that_exists(
    calls: Recorder,
    capsys: pytest.CaptureFixture[str],
    environment: str,
    tenant: str,
    app: str,
) -> None:
    saved(environment).write_text("a plan")
    assert deploy.main(["apply", "--env", environment]) == 0
    _, url, key = capsys.readouterr().out.splitlines()
    assert url == f"next: make url ENV={environment}"
    assert key.strip().startswith(f"make key ENV={environment} TENANT={tenant} APP={app}")


@pytest.mark.parametrize("action", sorted(deploy.ACTIONS))
def test_nothing_starts_where_aws_does_not_answer(
    calls: Recorder, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    calls.refused = "found no AWS credentials"
    saved("dev").write_text("a plan")

    assert deploy.main([action, "--env", "dev"]) == 1
    assert capsys.readouterr().err == "error: dev: found no AWS credentials\n"
    assert calls.calls == []
    assert saved("dev").exists()


def test_plan_initialises_the_environments_backend_and_saves(
    calls: Recorder, tmp_path: Path
) -> None:
    assert deploy.main(["plan", "--env", "dev"]) == 0
    init, plan, _ = calls.calls
    folder = os.path.relpath(environments.FOLDER / "dev", tmp_path / "terraform")
    assert init == (
        "init",
        "-input=false",
        "-reconfigure",
        f"-backend-config={folder}/backend.s3.tfbackend",
    )
    assert plan[:2] == ("plan", "-input=false")
    assert f"-var-file={folder}/env.tfvars" in plan
    assert "-var=environment=dev" in plan
    assert f"-out={saved('dev')}" in plan
    assert calls.environments == {"dev"}
    assert calls.folders == {tmp_path / "terraform"}


def test_an_environment_with_a_parent_has_a_root_of_its_own(
    calls: Recorder, tmp_path: Path
) -> None:
    assert deploy.main(["plan", "--env", "dev-labs"]) == 0
    assert calls.folders == {tmp_path / "terraform" / "tenants_only"}


def test_the_saved_plan_is_for_its_owner_only(calls: Recorder) -> None:
    deploy.main(["plan", "--env", "dev"])
    assert calls.umask == 0o077


@pytest.mark.parametrize("step", ["init", "plan"])
def test_a_failed_plan_leaves_no_older_one(calls: Recorder, step: str) -> None:
    deploy.main(["plan", "--env", "dev"])
    calls.fails_at = step
    assert deploy.main(["plan", "--env", "dev"]) == 1
    assert not saved("dev").exists()


@pytest.mark.parametrize("address", [*deploy.RECORDS, f'{USAGE.partition("[")[0]}["accounts"]'])
def test_a_plan_that_loses_billing_data_is_refused_and_forgotten(
    calls: Recorder, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    calls.deleted = ["module.gateway.aws_api_gateway_stage.this", address]
    assert deploy.main(["plan", "--env", "dev"]) == 1
    assert f"would lose billing data: {address};" in capsys.readouterr().err
    assert not saved("dev").exists()


@pytest.mark.parametrize(
    "address",
    ['module.analytics.aws_athena_named_query.this["chargeback"]', 'aws_kms_key.this_too["x"]'],
)
def test_what_is_no_record_may_be_replaced(calls: Recorder, address: str) -> None:
    calls.deleted = [address]
    assert deploy.main(["plan", "--env", "dev"]) == 0


def test_force_lets_a_plan_lose_billing_data(
    calls: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE", "1")
    calls.deleted = [LAKE]
    assert deploy.main(["plan", "--env", "dev"]) == 0
    assert saved("dev").exists()


def test_a_switch_is_on_or_off(
    calls: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE", "yes")
    assert deploy.main(["plan", "--env", "dev"]) == 1
    assert "FORCE: given 'yes'; allowed: 1, 0 or nothing" in capsys.readouterr().err


def test_adopted_resources_are_imported_by_the_plan_only(
    calls: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Found:
        def __init__(self, environment: environments.Environment) -> None:
            assert environment.prefix == "tollgate-dev"

        def by_address(self) -> dict[str, str]:
            return {USAGE: "tollgate-dev-usage"}

    seen: list[str] = []
    file = tmp_path / "terraform" / adopt.FILE

    def run(cwd: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        if arguments[0] == "plan":
            seen.append(file.read_text())
        return calls(cwd, *arguments, **options)

    monkeypatch.setattr(adopt, "Leftovers", Found)
    monkeypatch.setattr(terraform, "run", run)
    monkeypatch.setenv("ADOPT", "1")

    assert deploy.main(["plan", "--env", "dev"]) == 0
    assert seen == [f'import {{\n  to = {USAGE}\n  id = "tollgate-dev-usage"\n}}\n']
    assert not file.exists()


def test_apply_takes_the_saved_plan_only(calls: Recorder) -> None:
    deploy.main(["plan", "--env", "dev"])
    calls.calls.clear()
    assert deploy.main(["apply", "--env", "dev"]) == 0
    applied, settled = calls.calls
    assert applied == ("apply", "-input=false", "-lock-timeout=5m", str(saved("dev")))
    assert {"apply", "-refresh-only", "-auto-approve"} <= set(settled)


def test_apply_refuses_without_a_plan(calls: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["apply", "--env", "dev"]) == 1
    assert "run `make plan ENV=dev`" in capsys.readouterr().err
    assert calls.calls == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_plan_is_applied_once(calls: Recorder, fails: bool) -> None:
    deploy.main(["plan", "--env", "dev"])
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
    deploy.main(["plan", "--env", "prod"])
    if confirmation:
        monkeypatch.setenv("CONFIRM", confirmation)
    assert deploy.main(["apply", "--env", "prod"]) == 1
    assert "set CONFIRM=prod" in capsys.readouterr().err
    assert saved("prod").exists()
    assert not calls.named("apply")


def test_confirmed_production_is_applied(calls: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy.main(["plan", "--env", "prod"])
    monkeypatch.setenv("CONFIRM", "prod")
    assert deploy.main(["apply", "--env", "prod"]) == 0
    assert calls.calls[-1][0] == "apply"


@pytest.mark.parametrize("confirmation", ["", "1", "prod"])
def test_destroy_shows_what_would_go_until_it_is_confirmed(
    calls: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    confirmation: str,
) -> None:
    monkeypatch.setenv("CONFIRM", confirmation)
    assert deploy.main(["destroy", "--env", "dev"]) == 1
    assert "set CONFIRM=dev to destroy" in capsys.readouterr().err
    assert calls.named("plan", "-destroy")
    assert not calls.named("apply")


def test_destroy_names_what_goes_and_leaves_billing_data(
    calls: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONFIRM", "dev")
    assert deploy.main(["destroy", "--env", "dev"]) == 0
    (plan,) = calls.named("plan")
    assert {word for word in plan if word.startswith("-target=")} == {
        "-target=aws_ssm_parameter.output",
        "-target=module.audit.aws_cloudtrail.this",
        "-target=module.function",
        '-target=module.metering.aws_dynamodb_table.this["tenants"]',
        "-target=module.streaming",
        '-target=module.tenant["acme"].aws_api_gateway_api_key.this',
        '-target=module.tenant["acme"].module.usage_plan[0].aws_api_gateway_usage_plan.this',
        "-target=module.waf",
    }
    assert calls.calls[-1] == ("apply", "-input=false", "-lock-timeout=5m", str(saved("dev")))
    assert not saved("dev").exists()
    kept = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kept: ")]
    assert f"kept: {LAKE}" in kept
    assert len(kept) == 9


def test_destroy_lifts_the_guards_of_what_goes_only(
    calls: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIRM", "dev")
    deploy.main(["destroy", "--env", "dev"])
    (lifted,) = calls.named("apply", "-auto-approve")
    assert set(lifted) >= {"-var=deletion_protection=false", "-var=force_destroy=true"}
    assert {word for word in lifted if word.startswith("-target=")} == {
        '-target=module.metering.aws_dynamodb_table.this["tenants"]',
        "-target=module.streaming.aws_dynamodb_table.streams",
        "-target=module.streaming.aws_s3_bucket.payloads",
    }


def test_a_destroy_that_would_take_billing_data_along_stops(
    calls: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIRM", "dev")
    calls.deleted = ["module.analytics.aws_athena_workgroup.this"]
    assert deploy.main(["destroy", "--env", "dev"]) == 1
    assert calls.calls[-1][0] == "show"
    assert not saved("dev").exists()


def test_a_forced_destroy_takes_everything(
    calls: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIRM", "dev")
    monkeypatch.setenv("FORCE", "1")
    calls.deleted = [LAKE]
    assert deploy.main(["destroy", "--env", "dev"]) == 0
    (plan,) = calls.named("plan")
    assert not [word for word in plan if word.startswith("-target=")]
    (lifted,) = calls.named("apply", "-auto-approve")
    assert f"-target={LAKE}" in lifted
    assert f"-target={USAGE}" in lifted
    assert "-target=module.analytics.aws_athena_workgroup.this" in lifted
    assert "-target=module.audit.aws_s3_bucket_policy.audit[0]" in lifted


def test_nothing_is_destroyed_twice(
    calls: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONFIRM", "dev")
    calls.state = ("data.aws_partition.this", "terraform_data.artifacts", LAKE, USAGE)
    assert deploy.main(["destroy", "--env", "dev"]) == 0
    assert "nothing to destroy; 2 resources of billing data are kept" in capsys.readouterr().out
    assert not calls.named("apply")


@pytest.mark.parametrize(("drifted", "status"), [([], 0), ([USAGE], 2)])
def test_drift_tells_by_its_status(
    calls: Recorder, capsys: pytest.CaptureFixture[str], drifted: list[str], status: int
) -> None:
    deploy.main(["plan", "--env", "dev"])
    calls.drifted = drifted
    assert deploy.main(["drift", "--env", "dev"]) == status
    assert calls.named("plan", "-refresh-only")
    assert not calls.named("apply")
    assert [path.name for path in saved("dev").parent.iterdir()] == [plans.PLAN_FILE]
    assert (f"differs from the state: {USAGE}." in capsys.readouterr().err) == bool(drifted)


def test_drift_that_cannot_be_told_is_an_error(calls: Recorder) -> None:
    calls.fails_at = "plan"
    assert deploy.main(["drift", "--env", "dev"]) == 1


@pytest.mark.parametrize("action", ["plan", "destroy"])
def test_an_unknown_environment_is_refused(calls: Recorder, action: str) -> None:
    with pytest.raises(SystemExit):
        deploy.main([action, "--env", "local"])
    assert calls.calls == []
