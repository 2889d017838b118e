"""Checkov finds nothing in the Terraform code, nor in a plan of it, that is not explained in place.

A plan shows what source code cannot: the values of an environment and every resource that a
`for_each` makes. Both are held to checkov's policies and to our own in the folder `checks`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.stack import moto

CHECKOV = moto.REPOSITORY / ".tools" / "checkov" / "bin" / "checkov"
_MISSING = (
    None if CHECKOV.is_file() else "no checkov; run `python3 -m scripts.build.environments checkov`"
)
if _MISSING and os.environ.get("CI") == "true":
    raise RuntimeError(_MISSING)

_CHECKS = Path(__file__).parent / "checks"
_FIXTURES = Path(__file__).parent / "fixtures"
_SCAN_SECONDS = 1500
# Applied before the plan: of something that does not exist yet, a plan does not know the ARN, and
# checkov takes "encrypted with a key that is not known yet" for "not encrypted".
_TARGETS = (
    "aws_kms_key.this",
    "module.analytics.aws_s3_bucket.athena",
    "module.analytics.aws_s3_bucket.lake",
    "module.analytics.aws_s3_bucket.statements",
    "module.streaming.aws_s3_bucket.payloads",
)
# An account that demands a boundary shows whether every role takes it, and everything that makes
# roles or buckets is switched on.
_OPTIONS = (
    "-var=bill_export={}",
    "-var=permissions_boundary_arn=arn:aws:iam::123456789012:policy/boundary",
    "-var=pool_sessions=true",
    '-var=operator_roles={operator_principals=["arn:aws:iam::123456789012:role/platform"],'
    'tenant_admin_principals=["arn:aws:iam::123456789012:role/teams"]}',
)

pytestmark = [
    pytest.mark.policy,
    pytest.mark.slow,
    pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING)),
    pytest.mark.xdist_group("checkov"),
]


def _scan(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and report of one checkov run."""
    result = subprocess.run(
        [
            str(CHECKOV),
            f"--config-file={moto.REPOSITORY / '.checkov.yaml'}",
            f"--external-checks-dir={_CHECKS}",
            "--output=json",
            *arguments,
        ],
        # It takes a file that it parses for longer than 10 seconds for one that cannot be parsed.
        env={**os.environ, "HCL_PARSE_TIMEOUT_SEC": str(_SCAN_SECONDS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SCAN_SECONDS,
    )
    try:
        report = json.loads(result.stdout)
    except json.JSONDecodeError:
        pytest.fail(f"checkov gave no report:\n{result.stdout}{result.stderr}")
    reports = report if isinstance(report, list) else [report]
    assert len(reports) == 1, f"expected one framework: {[r['check_type'] for r in reports]}"
    return result.returncode, reports[0]


def _findings(report: dict[str, Any]) -> list[str]:
    return [
        f"{check['check_id']} {check['resource']}: {check['check_name']}"
        for check in report["results"]["failed_checks"]
    ]


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Terraform code with its state in a file; no other change, so that skips are found."""
    folder = tmp_path_factory.mktemp("code")
    moto.copy_code(folder, "terraform__*.tf")
    return folder


@pytest.fixture(scope="session")
def plan_file(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of the development environment as JSON."""
    if moto.UNAVAILABLE is not None:
        pytest.skip(moto.UNAVAILABLE)
    folder = tmp_path_factory.mktemp("plan")
    with moto.serve(folder / "moto.log") as endpoint:
        stack = moto.Stack(code, endpoint)
        for result in (
            stack.terraform("init", "-no-color"),
            stack.planned("apply", "-auto-approve", *(f"-target={name}" for name in _TARGETS)),
            stack.planned("plan", "-out=policy.tfplan", *_OPTIONS),
        ):
            assert result.returncode == 0, result.stdout + result.stderr
        shown = stack.terraform("show", "-json", "policy.tfplan")
    assert shown.returncode == 0, shown.stderr
    file = folder / "plan.json"
    file.write_text(shown.stdout, encoding="utf-8")
    return file


def test_the_source_has_no_finding(code: Path) -> None:
    status, report = _scan("--framework=terraform", f"--directory={code}")

    assert _findings(report) == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 0
    assert status == 0


def test_a_plan_has_no_finding(code: Path, plan_file: Path) -> None:
    status, report = _scan(
        "--framework=terraform_plan",
        f"--file={plan_file}",
        f"--repo-root-for-plan-enrichment={code}",
    )

    assert _findings(report) == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 0
    assert status == 0


def test_every_exception_stands_in_the_code_with_a_reason(code: Path) -> None:
    exceptions = [
        (file.relative_to(code), match[1], match[2])
        for file in code.rglob("*.tf")
        for match in re.finditer(r"checkov:skip=([A-Z0-9_]+):?(.*)", file.read_text("utf-8"))
    ]
    configuration = (moto.REPOSITORY / ".checkov.yaml").read_text("utf-8")

    assert exceptions
    assert [found for found in exceptions if len(found[2].split()) < 3] == []
    assert re.findall(r"^(?:skip-check|soft-fail.*|check):", configuration, re.MULTILINE) == []


def test_a_finding_fails_the_scan(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "aws_sqs_queue" "open" {\n  sqs_managed_sse_enabled = false\n}\n',
        encoding="utf-8",
    )

    status, report = _scan("--framework=terraform", f"--directory={tmp_path}")

    assert status == 1
    assert [finding.split()[0] for finding in _findings(report)] == ["CKV_AWS_27"]


def _declared(file: Path) -> list[str]:
    pattern = r"\bid(?:: |=\")(CKV2_TOLLGATE_[0-9]+)"
    return re.findall(pattern, file.read_text(encoding="utf-8"))


def test_every_policy_of_ours_fails_its_failing_fixture_and_no_other() -> None:
    """Fixtures lie in fixtures/<policy>/pass and fail; other findings do not matter."""
    ids = {name for file in _CHECKS.iterdir() if file.is_file() for name in _declared(file)}
    _, report = _scan("--framework=terraform", f"--directory={_FIXTURES}")
    failed = {
        (check["check_id"], check["file_path"].strip("/"))
        for check in report["results"]["failed_checks"]
    }

    assert report["summary"]["parsing_errors"] == 0
    assert ids
    assert ids == {folder.name for folder in _FIXTURES.iterdir()}
    for name in sorted(ids):
        assert (name, f"{name}/fail/main.tf") in failed
        assert (_FIXTURES / name / "pass" / "main.tf").is_file()
        assert (name, f"{name}/pass/main.tf") not in failed
