"""What a past period would have been: through the ledger, from a lake folder and tenant files."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.bench.year import write
from scripts.whatif.__main__ import main
from scripts.whatif.replay import Call, Replay
from scripts.whatif.scenario import Policies, Scenario
from tests.fakes.usage_rows import usage_row
from tollgate.domain.prices import load_default
from tollgate.domain.tenants import App, Budget, Limits, Tenant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tollgate.domain.usage import UsageRow

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)
NOVA_LITE, NOVA_PRO = "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"
USD = 10**12
DAYS = ("--from", "2026-11-15", "--to", "2026-11-17")
ENVIRONMENT = """
prefix = "tollgate-past"
tiers = {
  pro = {
    budget     = { month_usd = "1000" }
    limits     = { requests_per_minute = 100 }
    max_tokens = { default = 1024, maximum = 8192 }
  }
  small = {
    budget     = { month_usd = "0.5" }
    limits     = { requests_per_minute = 1 }
    max_tokens = { default = 512, maximum = 1024 }
  }
}
"""
ACME = """
name = "Acme"
kind = "team"
cost_center = "CC-1001"
tier = "pro"
models = ["amazon.nova-*"]
markup = "2.00"
apps = { websearch = { keys = { primary = {} } } }
"""


@pytest.fixture
def envs(tmp_path: Path) -> Path:
    folder = tmp_path / "envs"
    (folder / "past" / "tenants").mkdir(parents=True)
    (folder / "past" / "env.tfvars").write_text(ENVIRONMENT)
    (folder / "past" / "tenants" / "acme.tfvars").write_text(ACME)
    return folder


def call(minute: float, usd: str, *, held: str | None = None, **changes: Any) -> UsageRow:
    """A call that began so many minutes after noon, cost and held so many dollars."""
    amount, most = round(float(usd) * USD), round(float(held or usd) * USD)
    started = NOON + timedelta(minutes=minute)
    row = usage_row(
        started_at=started,
        settled_at=started + timedelta(seconds=30),
        input_cost=amount,
        output_cost=0,
        total_cost=amount,
        held=most,
    )
    return replace(row, **changes)


def replay(
    rows: Sequence[UsageRow], envs: Path, *options: str, capsys: pytest.CaptureFixture[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Acme's `now` and `then`."""
    lake = envs.parent / "lake"
    write(rows, lake, 0)
    where = ["--lake", str(lake), *DAYS, "--tenants", "past"]
    assert main([*where, *options, "--json"], envs) == 0
    (acme,) = json.loads(capsys.readouterr().out)
    assert acme["tenant_id"] == "acme"
    return acme["now"], acme["then"]


def test_a_lower_budget_refuses_what_does_not_fit_any_more(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [call(minute, "0.4") for minute in range(5)]
    now, then = replay(rows, envs, "--set", "acme.budget.month_usd=1", capsys=capsys)
    assert (now["refused"], now["cost_usd"]) == (0, "2")
    assert (then["refused"], then["cost_usd"], then["refused_usd"]) == (3, "0.8", "1.2")
    assert then["refusals"] == {"tenant's month_usd": 3}
    assert then["first_refused"] == "2026-11-15T12:02:00+00:00"


def test_calls_that_run_at_once_hold_at_once(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # One after the other they fit; the second began while the first held 0.9.
    rows = [call(0, "0.1", held="0.9"), call(0.1, "0.1", held="0.9"), call(2, "0.1", held="0.8")]
    _, then = replay(rows, envs, "--set", "acme.budget.month_usd=1", capsys=capsys)
    assert (then["refused"], then["cost_usd"]) == (1, "0.2")


def test_another_tier_brings_its_budget_and_limits(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [call(0, "0.1"), call(0.6, "0.1"), call(3, "0.1")]
    _, then = replay(rows, envs, "--set", "acme.tier=small", capsys=capsys)
    assert then["refusals"] == {"tenant's requests_per_minute": 1}


def test_another_markup_charges_otherwise_and_refuses_nobody(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now, then = replay([call(0, "1.5")], envs, "--set", "*.markup=1.10", capsys=capsys)
    assert (now["charge_usd"], then["charge_usd"]) == ("3", "1.65")
    assert then["refused"] == 0


def test_another_model_costs_the_same_tokens_at_its_own_price(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 1,000,000 tokens in and 10,000 out: 0.06 and 0.0024 of Lite, 0.80 and 0.032 of Pro.
    row = call(0, "0.832", model_id=NOVA_PRO, requested_model=NOVA_PRO)
    row = replace(row, input_tokens=10**6, output_tokens=10**4)
    now, then = replay([row], envs, "--model", f"{NOVA_PRO}={NOVA_LITE}", capsys=capsys)
    assert (now["cost_usd"], then["cost_usd"]) == ("0.832", "0.0624")


def test_a_business_units_budget_holds_for_its_tenants_together(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    units = 'business_units = { search = { name = "Search", owner = "ann@example.com", budget = '
    units += '{ month_usd = "1" } } }\n'
    (envs / "past" / "env.tfvars").write_text(ENVIRONMENT + units)
    for name in ("acme", "globex"):
        file = envs / "past" / "tenants" / f"{name}.tfvars"
        file.write_text(f'{ACME}business_unit = "search"\n')
    lake = envs.parent / "lake"
    rows = [call(n, "0.4", tenant_id=("acme", "globex")[n % 2]) for n in range(4)]
    write(rows, lake, 0)
    assert main(["--lake", str(lake), *DAYS, "--tenants", "past", "--json"], envs) == 0
    acme, globex = json.loads(capsys.readouterr().out)
    assert (acme["then"]["cost_usd"], globex["then"]["cost_usd"]) == ("0.4", "0.4")
    assert globex["then"]["refusals"] == {"business unit's month_usd": 1}


def test_a_model_that_is_not_allowed_any_more_is_refused(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change = 'acme.models=["amazon.nova-micro-*"]'
    _, then = replay([call(0, "0.1")], envs, "--set", change, capsys=capsys)
    assert then["refusals"] == {"tenant's models": 1}


def test_a_call_costs_what_is_booked_with_its_corrections(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = call(0, "1")
    refund = replace(
        call(0, "-0.25"), operation="reprice", held=0, tags={"corrects": row.request_id}
    )
    now, _ = replay([row, refund], envs, capsys=capsys)
    assert now["cost_usd"] == "0.75"


def test_a_tenant_without_a_file_keeps_what_it_cost(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = envs.parent / "lake"
    write([call(0, "1", tenant_id="gone")], lake, 0)
    where = ["--lake", str(lake), *DAYS, "--tenants", "past"]
    assert main([*where, "--decimals", "2"], envs) == 0
    told = capsys.readouterr().out
    assert "gone: 1 calls cost what is booked, because nothing else prices them" in told


def test_a_pull_request_is_told_whom_its_files_refuse(
    envs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *who, *arguments], cwd=envs, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "as it stands")
    file = envs / "past" / "tenants" / "acme.tfvars"
    file.write_text(f'{ACME}budget = {{ month_usd = "1" }}\n')
    lake = envs.parent / "lake"
    write([call(minute, "0.4") for minute in range(5)], lake, 0)
    where = ["--lake", str(lake), *DAYS, "--tenants", "past"]
    assert main([*where, "--base", "HEAD", "--markdown"], envs) == 0
    told = capsys.readouterr().out
    assert told.startswith("<!-- tollgate what-if past -->\n### What past would have made of")
    assert "| acme | 5 | 0 | 3 | $4.00 | $1.60 |" in told
    assert "3 of 5 calls refused, the first at 2026-11-15 12:02 UTC" in told

    file.write_text(ACME)
    assert main([*where, "--base", "HEAD", "--markdown"], envs) == 0
    assert "The same calls cost the same, and none is refused." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "acme"], "given 'acme'; allowed: <tenant or *>.<key of its file>=<value>"),
        (["--set", "globex.tier=pro"], "given tenant 'globex'; allowed: *, acme"),
        (["--set", "acme.tier=huge"], "acme.tfvars: tier: given \"huge\""),
        (["--set", "acme.budgets.month_usd=1"], "acme.tfvars: budgets"),
        (["--set", "acme.tier.name=pro"], "'tier' of acme holds no keys"),
        (["--model", f"{NOVA_PRO}=arn:nothing"], "allowed: <model id>=<model id>"),
        (["--book", "none.json"], "given none.json, which is no price book"),
        (["--base", "no-such-revision"], "--base: given 'no-such-revision'"),
        (["--tenants", "nowhere"], "environment: given 'nowhere'; allowed: past"),
        (["--from", "2026-11-16"], "no calls in 2026-11-16 to 2026-11-17"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(
    envs: Path, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = envs.parent / "lake"
    write([call(0, "1")], lake, 0)
    where = ["--lake", str(lake), *DAYS, "--tenants", "past"]
    assert main([*where, *options], envs) == 1
    assert told in capsys.readouterr().err


def tenant(budget: Budget) -> Tenant:
    return Tenant(
        tenant_id="acme",
        name="Acme",
        kind="team",
        cost_center="CC-1001",
        tier="pro",
        status="active",
        models=("*",),
        budget=budget,
        limits=Limits(),
        default_max_tokens=None,
        maximum_max_tokens=None,
        tags={},
        apps={"websearch": App("websearch", "active", Budget(), Limits(), {})},
    )


@st.composite
def past(draw: st.DrawFn) -> list[Call]:
    """Calls in the order in which they began; each cost at most what it held."""
    calls = []
    for _ in range(draw(st.integers(1, 20))):
        held = draw(st.integers(0, 100))
        spent = draw(st.integers(0, held))
        started = NOON + timedelta(seconds=draw(st.integers(0, 600)))
        row = usage_row(
            started_at=started,
            settled_at=started + timedelta(seconds=draw(st.integers(0, 300))),
            input_cost=spent,
            output_cost=0,
            total_cost=spent,
            held=held,
        )
        calls.append(Call(row, spent))
    return sorted(calls, key=lambda each: each.row.started_at)


@given(past(), st.integers(0, 300))
@settings(max_examples=60, deadline=None)
def test_a_replay_loses_no_call_and_overspends_no_budget(calls: list[Call], limit: int) -> None:
    scenario = Scenario(Policies({"acme": tenant(Budget(month=limit))}), load_default(), {})
    replayed = Replay(scenario)
    replayed.run(calls)
    outcome = replayed.outcomes["acme"]
    assert outcome.cost + outcome.refused_cost == sum(each.booked for each in calls)
    assert outcome.cost <= limit
    assert (outcome.refused == 0) or sum(each.row.held for each in calls) > limit
