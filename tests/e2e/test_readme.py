"""The README's examples, run as a newcomer would: against the local stack."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.local.stack import LocalStack
from scripts.tenants import files as tenants

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

pytestmark = pytest.mark.stack


def blocks(language: str, section: str) -> list[str]:
    """The fenced blocks of a language in a section."""
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A running gateway."""
    with LocalStack(tls=True) as running:
        yield running


@pytest.fixture(scope="module")
def environment(stack: LocalStack) -> dict[str, str]:
    """The variables the examples use."""
    return {
        **os.environ,
        # Where curl, requests, the AWS SDKs and Python itself look up whom to trust.
        **dict.fromkeys(
            ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"),
            str(stack.ca_file),
        ),
        "TOLLGATE_URL": stack.url,
        "TOLLGATE_KEY": stack.keys["customer1/websearch/primary"],
        "TOLLGATE_TEAM": "customer1",
    }


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CURLS = [block for block in blocks("bash", "Call it") if "curl" in block]
PROGRAMS = blocks("python", "Call it")
PROGRAM_IDS = ["openai", "anthropic", "boto3", "langchain", "prompt", "stream", "retries"]


def test_the_sections_have_their_examples() -> None:
    assert (len(CURLS), len(PROGRAMS)) == (2, 7)


@pytest.mark.parametrize("block", CURLS, ids=["list", "chat"])
def test_curl(block: str, environment: dict[str, str]) -> None:
    (answer,) = json.loads(run(["bash", "-euo", "pipefail", "-c", block], environment))

    assert answer.get("modelSummaries") or answer.get("generated_text")


@pytest.mark.parametrize("program", PROGRAMS, ids=PROGRAM_IDS)
def test_python(program: str, environment: dict[str, str]) -> None:
    printed = run([sys.executable, "-c", program], environment)

    *text, receipt = printed.strip().splitlines()
    assert "".join(text)
    assert re.search(r"0\.000\d+", receipt)


def test_retries_outlast_a_refusal_and_cost_one_call(
    stack: LocalStack, environment: dict[str, str]
) -> None:
    stack.stub.fault(times=1, error="ThrottlingException")
    before = len(stack.calls())

    printed = run([sys.executable, "-c", PROGRAMS[-1]], environment)

    assert printed.splitlines()[-1].startswith("false 0.0000")
    assert [call["http_status"] for call in stack.calls()[before:]] == [429, 200]


def test_the_sample_tenant_is_valid(tmp_path: Path) -> None:
    (sample,) = blocks("hcl", "Onboard a tenant")
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.tfvars").write_text(sample)
    (tmp_path / "env.tfvars").write_text((ROOT / "envs/dev/env.tfvars").read_text())

    assert set(tenants.load_environment(tmp_path)) == {"acme"}


def test_every_make_target_that_is_named_exists() -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)", README))

    assert named <= TARGETS
    assert {"demo", "test", "local", "plan", "apply", "validate-tenants", "report"} <= named


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
