"""Every line that `make local` prints is run as it is printed, and answers well."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scripts.local import __main__ as program
from scripts.local import contract
from scripts.local.examples import lines
from scripts.local.ministack import CLOCK_VARIABLES
from scripts.local.stack import ENVIRONMENTS, LocalStack
from scripts.reports import report
from scripts.tenants.files import Tenant, TenantFilesError, load_environment
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENT = contract.read()
OPERATIONS = {
    operation["operationId"]: operation
    for item in DOCUMENT["paths"].values()
    for operation in item.values()
}
TENANTS = load_environment(ENVIRONMENTS / "local")
# Each line's statuses go to stderr, after those of the lines before.
SHELL = """
set -euo pipefail
curl() { command curl -w '%{stderr}%{http_code} ' "$@"; }
"""


def test_every_operation_and_every_example_of_the_contract_has_a_line() -> None:
    shown = {(line.operation, line.example) for line in lines()}
    assert {operation for operation, _ in shown} == set(OPERATIONS)
    for name, operation in OPERATIONS.items():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}):
            assert (name, example) in shown


def test_lines_whose_answers_are_streamed_are_not_buffered() -> None:
    for line in lines():
        is_streamed = '"stream":true' in line.command or "stream" in line.operation.lower()
        assert ("curl -sSN " in line.command) is is_streamed, line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[LocalStack]:
    with LocalStack(tls=True, folder=folder) as running:
        yield running
    assert not list(folder.glob("*.pem"))


@pytest.fixture(scope="module")
def printed(stack: LocalStack, folder: Path) -> list[str]:
    return program.describe(stack, TENANTS, folder, 20).splitlines()


@pytest.mark.stack
def test_every_printed_line_answers_well_and_is_in_the_bill(
    stack: LocalStack,
    folder: Path,
    printed: list[str],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "scripts.local.front_door")
    exports = [line for line in printed if line.startswith("export ")]
    assert printed[-len(exports) :] == exports
    calls = [line for line in printed if re.match("(TOLLGATE_JOB=[$][(])?curl ", line)]
    commands = [*exports, *calls]
    profile = program.choose_caller(TENANTS, stack.keys).profile
    assert profile is not None
    wanted = lines(parameters={"inference-profile-id": profile})
    assert calls == [line.command for line in wanted]
    began = datetime.now(UTC)

    done = subprocess.run(
        ["bash", "-c", SHELL + "".join(f"{command}\necho >&2\n" for command in commands)],
        env={
            name: os.environ[name]
            for name in ("PATH", "HOME", *CLOCK_VARIABLES)
            if name in os.environ
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

    statuses = [line.strip() for line in done.stderr.splitlines()][-len(calls) :]
    wrong = [
        (command, status)
        for command, status in zip(calls, statuses, strict=True)
        if not re.fullmatch("2[0-9]{2}", status)
    ]
    assert wrong == [], done.stdout
    assert done.returncode == 0, done.stderr
    # Streamed answers are logged once they are sent, which may be after their client has them.
    until(lambda: _logged_requests(caplog) == len(calls), "a line in the log for every request")
    stack.aggregate()
    stack.lake_copy(folder / "lake").update()
    reports = [line.strip() for line in printed if line.strip().startswith("make report")]
    assert len(reports) == 2
    # A month may have ended meanwhile; then each has its part of the calls, or one has all.
    months = {f"{at:%Y-%m}" for at in (began, datetime.now(UTC))}
    for line in reports:
        arguments = shlex.split(shlex.split(line.partition("ARGS=")[2])[0])
        assert 0 in [report.main([*arguments, "--month", month]) for month in months]
    shown = capsys.readouterr().out
    assert "customer1  amazon.titan-embed-text-v2:0" in shown
    assert re.search("^customer +1 ", shown, re.MULTILINE)


def _logged_requests(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.name == "scripts.local.front_door" for record in caplog.records)


@pytest.mark.stack
def test_the_copy_of_the_lake_follows_the_bucket(stack: LocalStack, tmp_path: Path) -> None:
    copy = stack.lake_copy(tmp_path / "lake")
    storage, bucket = stack.client("s3"), stack.deployment.environment["LAKE_BUCKET"]
    stale = tmp_path / "lake" / "usage" / "of-another-run.parquet"
    stale.parent.mkdir(parents=True)
    stale.touch()
    storage.put_object(Bucket=bucket, Key="usage/probe", Body=b"one")
    copy.update()
    probe = tmp_path / "lake" / "usage" / "probe"
    assert probe.read_bytes() == b"one"
    assert not stale.exists()
    storage.put_object(Bucket=bucket, Key="usage/probe", Body=b"two")
    copy.update()
    assert probe.read_bytes() == b"two"
    storage.delete_object(Bucket=bucket, Key="usage/probe")
    copy.update()
    assert not probe.exists()


def test_the_app_whose_budget_is_soon_used_up_is_not_the_one_to_call_as() -> None:
    keys = {f"customer2/{app}/primary": app for app in ("codingbot", "websearch")}
    assert program.choose_caller(TENANTS, keys).app == "websearch"
    keys = {f"customer1/{app}/primary": app for app in ("codingbot", "websearch")}
    suited = program.choose_caller(TENANTS, keys)
    assert (suited.app, suited.profile) == ("websearch", program.EXAMPLE_PROFILE)
    assert any(f": {program.EXAMPLE_PROFILE}'" in line.command for line in lines())
    assert program.choose_caller(TENANTS, {"customer2/codingbot/primary": "k"}).app == "codingbot"
    with pytest.raises(TenantFilesError, match="no tenant of the environment has an app"):
        program.choose_caller(TENANTS, {})


def test_a_profile_is_one_that_the_app_has() -> None:
    caller = program.choose_caller(TENANTS, {"customer1/codingbot/primary": "k"})
    assert caller.profile == "claude-haiku"
    assert any(
        "'inference-profile-id: claude-haiku'" in line.command
        for line in lines(parameters={"inference-profile-id": "claude-haiku"})
    )
    bare = Tenant(
        {**TENANTS["customer1"].policy, "apps": {"app": {"budget": _NO, "inference_profiles": {}}}},
        {},
    )
    assert program.choose_caller({"customer1": bare}, {"customer1/app/k": "k"}).profile is None


_NO = {"month_usd": None, "day_usd": None}
