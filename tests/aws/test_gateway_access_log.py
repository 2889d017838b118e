"""A line of the access log is JSON, whatever a caller sends."""

from __future__ import annotations

import json
import re

import pytest

from scripts.deploy import terraform
from tests.aws.gateway_body import GATEWAY

# The values that cannot hold a quote, a backslash or a line break, with what they are made of. API
# Gateway fills them in as text: AWS documents neither that it escapes nor a function that does.
SAFE = {
    # Of the authorizer's answer, which has what the tenants table has: ids.
    "authorizer.app_id": r"[a-z0-9-]+",
    "authorizer.key_id": r"[a-z0-9/-]+",
    "authorizer.tenant_id": r"[a-z0-9-]+",
    "authorizer.tier": r"[a-z0-9-]+",
    # Figures.
    "authorizer.latency": r"\d+",
    "authorizer.status": r"\d+",
    "integration.latency": r"\d+",
    "integration.status": r"\d+",
    "requestTimeEpoch": r"\d+",
    "responseLatency": r"\d+",
    "responseLength": r"\d+",
    "status": r"\d+",
    # One of a list.
    "error.responseType": r"[A-Z0-9_]+",
    "httpMethod": r"[A-Z]+",
    "protocol": r"HTTP/[\d.]+",
    "resourcePath": r"/[\w{}+/.-]*",
    # Addresses and ids; API Gateway replaces a request id of a caller's that is no UUID.
    "identity.sourceIp": r"[0-9a-f:.]+",
    "integration.requestId": r"[\w-]+",
    "requestId": r"[\w-]+",
}


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The format of the stage, evaluated by Terraform."""
    reason = terraform.executable() is None and terraform.unavailable()
    if reason:
        pytest.skip(f"NOT CHECKED: {reason}")
    folder = tmp_path_factory.mktemp("logs")
    text = (GATEWAY / "logs.tf").read_text("utf-8")
    fields = re.search(r"locals \{.*?\n\}\n", text, re.DOTALL)
    assert fields is not None
    (folder / "logs.tf").write_text(fields[0], "utf-8")
    output = {"output": {"form": {"value": "${jsonencode(local._access_log_fields)}"}}}
    (folder / "output.tf.json").write_text(json.dumps(output), "utf-8")
    terraform.run(folder, "apply", "-auto-approve", capture=True)
    return terraform.run(folder, "output", "-raw", "form", capture=True).stdout


def test_the_stage_has_this_format() -> None:
    stage = (GATEWAY / "api.tf").read_text("utf-8")
    assert re.search(r"format\s*= jsonencode\(local\._access_log_fields\)", stage)


def test_nothing_is_logged_that_can_break_the_line(form: str) -> None:
    logged = re.findall(r"\$context\.([\w.]+)", form)
    assert set(logged) <= set(SAFE)
    assert "requestId" in logged
    for kind in SAFE.values():
        assert not any(re.fullmatch(kind, character) for character in '"\\\n')


def test_the_format_is_one_line_of_json(form: str) -> None:
    assert "\n" not in form
    assert all(re.fullmatch(r"\$context\.[\w.]+", value) for value in json.loads(form).values())
