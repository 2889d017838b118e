"""`make demo` as a newcomer runs it, and what it does when the books do not agree."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.local.demo import bill
from scripts.local.logs import FUNCTIONS_LOG, REQUESTS_LOG
from scripts.local.screen import PLAIN_WIDTH
from scripts.local.stack import EMULATOR_LOG, STUB_LOG
from scripts.reports.report import ChargebackRow
from tests.e2e import documents
from tests.e2e.outputs import check_output

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.stack
def test_the_demo_ends_well_and_shows_every_step(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.local.demo", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    [shown] = [item for item in documents.examples("README.md") if item.text == "make demo\n"]
    check_output(shown, done.stdout)
    lines = done.stdout.splitlines()
    assert [line[:3] for line in lines if re.match("[0-9]/[0-9]  ", line)] == [
        f"{step}/6" for step in range(1, 7)
    ]
    refused = {
        line.strip().partition(":")[0]: said.strip()
        for line, said in zip(lines, lines[1:], strict=False)
        if re.match("    40[0-9] ", line)
    }
    assert list(refused) == [
        "403 model_not_allowed",
        "403 tenant_mismatch",
        "403 invalid_api_key",
        "402 budget_exceeded",
    ]
    assert all(refused.values())
    bill = lines[lines.index(next(line for line in lines if line.startswith("team, model"))) :]
    assert [line.split()[0] for line in bill[1:9]] == [
        "customer1",
        "amazon.nova-lite-v1:0",
        "amazon.nova-pro-v1:0",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "customer2",
        "amazon.nova-lite-v1:0",
        "amazon.nova-pro-v1:0",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
    ]
    assert "difference 0" in done.stdout
    # For people: no logs, no JSON, no colours where nobody sees them, and nothing too wide.
    assert "{" not in done.stdout
    assert "\x1b" not in done.stdout
    wide = [line for line in lines if len(line) > PLAIN_WIDTH and str(tmp_path) not in line]
    assert wide == []
    logged = (tmp_path / FUNCTIONS_LOG).read_text("utf-8").splitlines()
    assert {"allowed", "denied", "usage"} <= {json.loads(line)["message"] for line in logged}
    for name in (FUNCTIONS_LOG, REQUESTS_LOG, STUB_LOG, EMULATOR_LOG):
        assert name in done.stdout
        assert (tmp_path / name).read_text("utf-8")


@pytest.mark.stack
def test_ctrl_c_stops_the_demo_without_a_traceback(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-u", "-m", "scripts.local.demo", "--folder", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert any("It answers at" in line for line in running.stdout)

    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=900)

    assert running.returncode == 128 + signal.SIGINT
    assert errors.endswith("\nStopped.\n")


CALL: dict[str, Any] = {
    "operation": "converse",
    "status": "ok",
    "modelId": "us.amazon.nova-pro-v1:0",
    "usage": {"inputTokens": 3, "outputTokens": 2},
    "requestMetadata": {"tenant": "acme"},
}
# 0.8 and 3.2 USD per million tokens.
COST = 3 * 800_000 + 2 * 3_200_000
ROW = ChargebackRow("acme", "amazon.nova-pro-v1:0", 3, 2, 1, 2_400_000, 6_400_000, COST)


def test_a_bill_that_is_the_log_passes() -> None:
    failed = {**CALL, "status": "error"}
    counted = {**CALL, "operation": "count-tokens", "requestMetadata": {}}

    bill.check([ROW], [CALL, failed, counted], {})


def test_a_call_of_a_profile_is_billed_as_the_model_behind_it() -> None:
    bill.check([ROW], [{**CALL, "modelId": "arn:x"}], {"arn:x": CALL["modelId"]})


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, total=COST + 1),
        replace(ROW, output_tokens=3),
        replace(ROW, invocations=2),
        replace(ROW, team_id="globex"),
    ],
)
def test_a_bill_that_differs_by_anything_fails(row: ChargebackRow) -> None:
    with pytest.raises(bill.BillError, match="the provider's log"):
        bill.check([row], [CALL], {})


def test_a_call_that_was_not_billed_fails() -> None:
    with pytest.raises(bill.BillError):
        bill.check([], [CALL], {})
