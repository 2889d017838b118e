"""`make demo` as a newcomer runs it, and what it does when the books do not agree."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.local import demo
from scripts.reports.report import ChargebackRow

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.stack
def test_the_demo_ends_well_and_shows_every_step() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.local.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line for line in done.stdout.splitlines() if line.startswith("== ")]
    assert len(steps) == 7
    for code in ("model_not_allowed", "tenant_mismatch", "invalid_api_key", "budget_exceeded"):
        assert f'"code": "{code}"' in done.stdout
    assert "difference 0" in done.stdout
    assert "customer1  amazon.nova-lite-v1:0" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


CALL: dict[str, Any] = {
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

    demo.check([ROW], [CALL, failed], {})


def test_a_call_of_a_profile_is_billed_as_the_model_behind_it() -> None:
    demo.check([ROW], [{**CALL, "modelId": "arn:x"}], {"arn:x": CALL["modelId"]})


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
    with pytest.raises(demo.DemoError, match="the provider's log"):
        demo.check([row], [CALL], {})


def test_a_call_that_was_not_billed_fails() -> None:
    with pytest.raises(demo.DemoError):
        demo.check([], [CALL], {})
