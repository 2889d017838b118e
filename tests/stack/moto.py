"""Terraform's root module against a moto server of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from scripts.deploy import terraform
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

UNAVAILABLE = terraform.unavailable()
REPOSITORY = terraform.REPOSITORY
OVERRIDES = Path(__file__).parent / "overrides"
ENVIRONMENT = "dev"
REGION = "us-east-1"
# What moto takes every caller for.
ACCOUNT_ID = "123456789012"
FUNCTIONS = ("aggregate", "authorize", "converse", "invoke", "models", "stream", "sweep")

_TERRAFORM_SECONDS = 1500
# Most of an apply is the provider waiting for SQS and S3 to be consistent; with Terraform's usual
# ten at once those waits keep everything else from starting.
_PARALLELISM = 60


@dataclass(frozen=True)
class Stack:
    """A copy of the repository's Terraform code, bound to one moto server.

    `options` go to every command that takes variables, after those of the environment.
    """

    folder: Path
    endpoint: str
    environment: str = ENVIRONMENT
    root: str = "terraform"
    options: tuple[str, ...] = ()
    # Services that another server than moto stands in for.
    endpoints: dict[str, str] = field(default_factory=dict)

    def terraform(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Terraform in the root; returns the process with its output captured."""
        program = terraform.executable()
        assert program is not None
        root = self.folder / self.root
        try:
            return subprocess.run(
                [program, *arguments],
                cwd=root,
                env={**terraform.environment(root, self.environment), **self.variables()},
                capture_output=True,
                text=True,
                check=False,
                timeout=_TERRAFORM_SECONDS,
            )
        except subprocess.TimeoutExpired as expired:
            # What it still waits for is in its last lines.
            said = (expired.stdout or b"").decode()[-4000:]
            raise AssertionError(f"terraform {arguments[0]} does not end:\n{said}") from expired

    def planned(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command that takes variables, with those of the environment."""
        return self.terraform(
            command,
            "-no-color",
            f"-parallelism={_PARALLELISM}",
            f"-var-file={self.environment_folder / 'env.tfvars'}",
            f"-var=environment={self.environment}",
            *self.options,
            *arguments,
        )

    @property
    def environment_folder(self) -> Path:
        """The copy of the environment's folder."""
        return self.folder / "envs" / self.environment

    def variables(self) -> dict[str, str]:
        """Where AWS is, for Terraform and for boto3, with credentials that work nowhere else."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            **{f"AWS_ENDPOINT_URL_{name.upper()}": url for name, url in self.endpoints.items()},
        }

    def client(self, service: Any) -> Any:
        """A boto3 client of this stack."""
        return boto3.client(
            service,
            endpoint_url=self.endpoints.get(service, self.endpoint),
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def plan(self, *arguments: str, apply: bool = False) -> dict[str, Any]:
        """A plan as Terraform's JSON, and applied if that is asked for.

        It trusts the state: whether AWS still is as the state says is for other commands to see.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "saved.tfplan")
            self._succeed(self.planned("plan", "-refresh=false", f"-out={file}", *arguments))
            shown = self._succeed(self.terraform("show", "-json", file))
            if apply:
                parallel = f"-parallelism={_PARALLELISM}"
                self._succeed(self.terraform("apply", "-no-color", parallel, file))
        document: dict[str, Any] = json.loads(shown)
        return document

    def set_up(self) -> None:
        """Initialise the root and apply it."""
        self._succeed(self.terraform("init", "-no-color"))
        self._succeed(self.planned("apply", "-auto-approve"))

    @staticmethod
    def _succeed(result: subprocess.CompletedProcess[str]) -> str:
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def state(self) -> dict[str, Any]:
        """What the state says that there is, as Terraform's JSON; keys stand in it in plain."""
        document: dict[str, Any] = json.loads(self._succeed(self.terraform("show", "-json")))
        return document

    def outputs(self) -> dict[str, Any]:
        """The root's outputs by name."""
        found = json.loads(self._succeed(self.terraform("output", "-json")))
        return {name: output["value"] for name, output in found.items()}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_answering(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(  # noqa: S310 - the loopback address from above
                f"{endpoint}/moto-api/data.json"
            ):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise RuntimeError(f"moto did not start:\n{log.read_text(encoding='utf-8')}")


@contextmanager
def serve(log: Path) -> Iterator[str]:
    """Run a moto server on loopback in a process of its own; yields its address.

    Raises RuntimeError with the server's log when it does not answer within a minute.
    """
    port = _free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            # Without it moto knows no policy of AWS's own, such as the one for API Gateway's logs.
            env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_until_answering(process, endpoint, log)
        yield endpoint
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def _copy_artifacts(target: Path) -> None:
    """The zips that `make package` built; without them, stand-ins that Terraform cannot tell apart.

    What is in a zip matters to tests/packaging, not here: nothing runs the functions.
    """
    built = REPOSITORY / "dist"
    if (built / "manifest.json").is_file():
        shutil.copytree(built, target)
        return
    target.mkdir()
    functions = {}
    for name in FUNCTIONS:
        file = target / f"{name}.zip"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"tollgate_{name}/handler.py"), "")
        digest = hashlib.sha256(file.read_bytes()).digest()
        functions[name] = {
            "architecture": "arm64",
            "file": file.name,
            "handler": f"tollgate_{name}.handler.lambda_handler",
            "runtime": "python3.13",
            "sha256_base64": base64.b64encode(digest).decode(),
        }
    manifest = json.dumps({"functions": functions})
    (target / "manifest.json").write_text(manifest, encoding="utf-8")


def copy_code(target: Path, overrides: str = "*.tf") -> None:
    """Copy everything that Terraform reads, with those overrides that match the pattern.

    An override `a__b__moto_override.tf` goes to the folder `a/b`.
    """
    for folder in ("terraform", "modules", "envs"):
        shutil.copytree(
            REPOSITORY / folder,
            target / folder,
            ignore=shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfplan"),
        )
    for override in OVERRIDES.glob(overrides):
        *folders, name = override.name.split("__")
        shutil.copyfile(override, target.joinpath(*folders, name))
    _copy_artifacts(target / "dist")
