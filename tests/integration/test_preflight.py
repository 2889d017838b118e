"""What is said before anything slow starts, against an endpoint that answers as AWS would."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.deploy import environments, preflight, terraform
from tests.contract import hcl

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "111122223333"
QUOTA = "account_concurrency"
SECRET = "a-secret-access-key"
IDENTITY = f"""<GetCallerIdentityResponse><GetCallerIdentityResult>
<Arn>arn:aws:iam::{ACCOUNT}:user/a</Arn><UserId>A</UserId><Account>{ACCOUNT}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
LISTING = "<ListBucketResult></ListBucketResult>"
BACKEND = """
bucket = "{bucket}"
key    = "tollgate/test/terraform.tfstate"
region = "us-east-1"
"""


def sts_error(code: str) -> str:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>as AWS says</Message></Error>"
    return f"<ErrorResponse>{error}</ErrorResponse>"


@dataclass
class Aws:
    """STS, S3 and Lambda on one port: what each answers, and the buckets that were asked for."""

    identity: tuple[int, str] = (200, IDENTITY)
    listing: tuple[int, str] = (200, LISTING)
    settings: tuple[int, str] = (200, '{"AccountLimit": {"ConcurrentExecutions": 1000}}')
    bucket_region: str = "us-east-1"
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(aws: Aws) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(*aws.identity)

        def do_GET(self) -> None:
            if "account-settings" in self.path:
                self._answer(*aws.settings)
                return
            aws.asked.append(self.path)
            self._answer(*aws.listing)

        def _answer(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("x-amz-bucket-region", aws.bucket_region)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is what it expects."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the environment alone, and no instance role."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-access-key-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture
def aws(credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    answers = Aws()
    with serving(answers) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        yield answers


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment `test`, the only one."""
    made = tmp_path / "envs" / "test"
    made.mkdir(parents=True)
    monkeypatch.setattr(environments, "FOLDER", made.parent)
    monkeypatch.setattr(terraform, "executable", lambda: "/usr/bin/terraform")
    write(made)
    return made


def write(
    folder: Path, variables: str = "", bucket: str = "acme-states", region: str = "us-east-1"
) -> None:
    (folder / "env.tfvars").write_text(f'region = "{region}"\n{variables}')
    (folder / "backend.s3.tfbackend").write_text(BACKEND.format(bucket=bucket))


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """What `main` says on standard error when it refuses; no credential is ever in it."""
    assert preflight.main(["--env", "test"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert SECRET not in said.err
    return said.err


def test_it_tells_the_account_and_the_region(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert preflight.main(["--env", "test"]) == 0
    assert capsys.readouterr().out == f"test: account {ACCOUNT}, region us-east-1\n"
    (asked,) = aws.asked
    assert asked.startswith("/acme-states?")
    assert "prefix=tollgate%2Ftest%2Fterraform.tfstate" in asked


@pytest.mark.parametrize(
    ("given", "quota", "told"),
    [
        ("", 10, "account_concurrency: given 1000, but the account may run 10 Lambda functions"),
        ("account_concurrency = 20", 10, "allowed: at most 10. Set account_concurrency = 10,"),
        ("account_concurrency = 10", 10, None),
        ("account_concurrency = 1000", 3000, None),
    ],
)
def test_a_plan_that_counts_on_more_executions_than_the_account_has_is_refused(
    aws: Aws,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    given: str,
    quota: int,
    told: str | None,
) -> None:
    write(folder, given)
    aws.settings = (200, json.dumps({"AccountLimit": {"ConcurrentExecutions": quota}}))

    if told is None:
        assert preflight.main(["--env", "test"]) == 0
    else:
        said = refusal(capsys)
        assert told in said
        assert "envs/test/env.tfvars" in said


def test_who_may_not_ask_for_the_quota_goes_on(aws: Aws) -> None:
    aws.settings = (403, '{"Message": "no"}')

    assert preflight.main(["--env", "test"]) == 0


def test_the_quota_that_is_counted_on_is_terraforms_default() -> None:
    variables = hcl.load("terraform")["variable"]

    (declared,) = [body for block in variables for name, body in block.items() if name == QUOTA]
    assert declared["default"] == environments.ACCOUNT_CONCURRENCY


def test_without_credentials_it_says_which_to_set(
    credentials: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    said = refusal(capsys)
    assert "found no AWS credentials; set AWS_PROFILE" in said
    assert "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" in said


def test_half_of_the_credentials_are_named(
    credentials: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert "missing: AWS_SECRET_ACCESS_KEY; set AWS_PROFILE" in refusal(capsys)


def test_an_unknown_profile_is_told_those_that_exist(
    credentials: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_PROFILE", "wrok")

    assert "AWS_PROFILE: given 'wrok'; allowed: a profile of ~/.aws/config: work" in refusal(capsys)


def test_an_ended_sign_on_is_told_how_to_begin_again(
    credentials: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config").write_text(
        "[profile work]\nsso_session = work\nsso_account_id = 111122223333\nsso_role_name = a\n"
        "[sso-session work]\nsso_region = us-east-1\nsso_start_url = https://acme.example/start\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "work")

    assert "run `aws sso login --profile work`" in refusal(capsys)


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException"])
def test_expired_credentials_are_told_from_wrong_ones(
    aws: Aws, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    aws.identity = (403, sts_error(code))

    said = refusal(capsys)
    assert "the AWS credentials of AWS_ACCESS_KEY_ID have expired; set AWS_PROFILE" in said
    assert "AWS_SESSION_TOKEN" in said


def test_credentials_that_hide_a_profile_are_told_so(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    aws.identity = (403, sts_error("ExpiredToken"))

    assert "unset AWS_ACCESS_KEY_ID, which wins over AWS_PROFILE" in refusal(capsys)


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_aws_refuses_are_named_with_the_reason(
    aws: Aws, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    aws.identity = (403, sts_error(code))

    said = refusal(capsys)
    assert f"refuses the credentials of AWS_ACCESS_KEY_ID ({code}: as AWS says)" in said
    assert 'the region "us-east-1" enabled' in said


def test_a_profile_is_named_as_the_source(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    (tmp_path / "credentials").write_text(
        f"[work]\naws_access_key_id = a\naws_secret_access_key = {SECRET}\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "work")
    aws.identity = (403, sts_error("ExpiredToken"))

    said = refusal(capsys)
    assert 'of profile "work" have expired; run `aws sso login --profile work`' in said


def test_another_account_is_refused(
    aws: Aws, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, 'allowed_account_ids = ["999988887777"]\n')

    said = refusal(capsys)
    assert f"the credentials are for account {ACCOUNT}; allowed: 999988887777" in said
    assert "allowed_account_ids in envs/test/env.tfvars" in said
    assert aws.asked == []


def test_a_missing_bucket_is_made_by_bootstrap(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.listing = (404, "<Error><Code>NoSuchBucket</Code></Error>")

    said = refusal(capsys)
    assert "envs/test/backend.s3.tfbackend: bucket: acme-states does not exist; run" in said
    assert "`make bootstrap ENV=test`" in said


@pytest.mark.parametrize(("status", "code"), [(404, "NoSuchBucket"), (403, "AccessDenied")])
def test_a_name_that_was_never_changed_is_told_so(
    aws: Aws, folder: Path, capsys: pytest.CaptureFixture[str], status: int, code: str
) -> None:
    write(folder, bucket="tollgate-test-terraform-state")
    aws.listing = (status, f"<Error><Code>{code}</Code></Error>")

    said = refusal(capsys)
    assert "envs/test/backend.s3.tfbackend: bucket: tollgate-test-terraform-state" in said
    assert "give it a name of your own" in said
    assert "`make bootstrap ENV=test`" in said


def test_somebody_elses_bucket_is_not_to_be_made(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.listing = (403, "<Error><Code>AccessDenied</Code></Error>")

    said = refusal(capsys)
    assert f"or arn:aws:iam::{ACCOUNT}:user/a may not list it (s3:ListBucket)" in said
    assert "bootstrap" not in said


def test_a_bucket_in_another_region_is_named(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.bucket_region = "eu-west-1"

    said = refusal(capsys)
    assert 'backend.s3.tfbackend: region: given "us-east-1"' in said
    assert 'allowed: "eu-west-1"' in said


def test_a_state_behind_a_role_is_left_to_terraform(
    aws: Aws, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "backend.s3.tfbackend"
    file.write_text(
        file.read_text() + 'assume_role = { role_arn = "arn:aws:iam::999988887777:role/state" }\n'
    )

    assert preflight.main(["--env", "test"]) == 0
    assert aws.asked == []


def test_an_endpoint_that_does_not_answer_is_named(
    credentials: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        # Bound and not listening: it refuses whoever connects, and no one else can take it.
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)

        said = refusal(capsys)
    assert "AWS does not answer: " in said
    assert f"AWS_ENDPOINT_URL is {endpoint}" in said


@pytest.mark.parametrize(
    ("region", "near"), [("us-est-1", "us-east-1"), ("eu west", "eu-west-1"), ("x", "us-east-1")]
)
def test_a_region_that_does_not_exist_is_told_one_like_it(
    credentials: None,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    region: str,
    near: str,
) -> None:
    write(folder, region=region)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")

        said = refusal(capsys)
    assert f'envs/test/env.tfvars: region: given "{region}"' in said
    assert near in said.partition("allowed: ")[2]


def test_without_terraform_nothing_is_asked(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terraform, "executable", lambda: None)
    aws.identity = (403, sts_error("ExpiredToken"))

    assert "terraform is not on PATH" in refusal(capsys)


@pytest.mark.parametrize(
    "target", ["plan", "apply", "drift", "destroy", "bootstrap", "keys", "url", "key"]
)
def test_no_target_starts_without_credentials(
    credentials: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: str
) -> None:
    """Nothing is packaged and Terraform is not called: what stands in for it leaves a trace."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    arguments = "list" if target == "keys" else ""
    # Whose key is meant is asked before that.
    whose = ["TENANT=acme", "APP=websearch"] if target == "key" else []
    trace = tmp_path / "started"
    program = tmp_path / "terraform"
    program.write_text(f"#!/bin/sh\necho terraform >> {trace}\n")
    program.chmod(0o755)
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *scripts.build.package*) echo package >> {trace};; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    outcome = subprocess.run(
        [
            *("make", target, "ENV=dev", *whose),
            *("PYTHON=true", f"RUN_PYTHON={python}", f"ARGS={arguments}"),
        ],
        cwd=ROOT,
        env={**kept, "TERRAFORM": str(program)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert outcome.returncode != 0
    assert outcome.stderr.startswith("error: dev: ")
    assert "set AWS_PROFILE" in outcome.stderr
    assert not trace.exists()
