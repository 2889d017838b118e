"""The examples of the guide for those who pay that need a month that is over."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.bench.year import write
from scripts.prices import lake_table
from scripts.reports import report
from scripts.reports.tables import TENANT_COLUMNS
from tests.fakes.usage_rows import usage_row

GUIDE = Path(__file__).resolve().parents[4] / "modules" / "analytics" / "README.md"
MARK = "<!-- run by tests/unit/scripts/reports/test_guide.py -->\n"
EXAMPLES = re.findall(
    re.escape(MARK) + r"```bash\n(.*?)```\n(?:\n```text\n(.*?)```\n)?",
    GUIDE.read_text("utf-8"),
    re.DOTALL,
)
TENANTS = {"acme": ("CC-1001", "retail"), "globex": ("CC-2040", None)}

PROMISED = {
    "name": "A tenant",
    "status": "active",
    "isolation": "pool",
    "subscription_usd": "50",
    "sla_availability": "99.9",
    "sla_latency_p95_ms": 750,
    "models": ["amazon.nova-*", "us.anthropic.claude-*"],
    "keys": ["websearch/primary", "websearch/second"],
    "key_status": {"websearch/primary": "active", "websearch/second": "active"},
    "key_expires": {"websearch/primary": "", "websearch/second": "2026-12-31"},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with October's usage, lists of tenants, units and prices in `lake`."""
    lake = tmp_path / "lake"
    rows = [
        usage_row(
            started_at=datetime(2026, 10, day, tzinfo=UTC),
            tenant_id=tenant,
            cache_read_tokens=10,
            input_cost=7_400_000_000_000,
            output_cost=7_200_000_000_000,
            cache_cost=100_000_000_000,
            total_cost=14_700_000_000_000,
        )
        for day, tenant in ((5, "acme"), (14, "acme"), (20, "globex"))
    ]
    model = "amazon.nova-pro-v1:0"
    november = datetime(2026, 11, 2, tzinfo=UTC)
    rows.append(
        usage_row(
            started_at=november,
            model_id=model,
            requested_model=model,
            input_tokens=2_000_000,
            input_cost=1_600_000_000_000,
            total_cost=1_600_000_000_000,
        )
    )
    lake.mkdir()
    write(rows, lake, 0)
    for kind in ("tenants", "business_units"):
        (lake / kind).mkdir()
    for tenant, (cost_center, unit) in TENANTS.items():
        facts = dict.fromkeys(name for name, _ in TENANT_COLUMNS) | {
            "tenant_id": tenant,
            "cost_center": cost_center,
            "business_unit": unit,
            "tier": "pro",
            "markup": "2.40",
            "month_usd": "20",
            "budget_mode": "soft",
            **PROMISED,
            "compliance": ["HIPAA"] if tenant == "acme" else [],
        }
        (lake / "tenants" / f"{tenant}.json").write_text(json.dumps(facts) + "\n", "utf-8")
    unit = {"id": "retail", "owner": "ann@example.com", "month_usd": "100", "budget_mode": "hard"}
    (lake / "business_units" / "retail.json").write_text(json.dumps(unit) + "\n", "utf-8")
    (lake / "prices").mkdir()
    (lake / "prices" / "book.json").write_bytes(lake_table.OUT.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_guide_has_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize(
    ("commands", "shown"), EXAMPLES, ids=[shlex.split(text)[2][5:] for text, _ in EXAMPLES]
)
def test_examples_print_what_the_guide_shows(
    folder: Path, capsys: pytest.CaptureFixture[str], commands: str, shown: str
) -> None:
    assert (folder / "lake").is_dir()
    for line in commands.splitlines():
        arguments = shlex.split(shlex.split(line)[-1].removeprefix("ARGS="))
        assert report.main(arguments) == 0
        printed = capsys.readouterr().out
        if shown:
            assert printed == shown
