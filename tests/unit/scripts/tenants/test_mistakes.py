"""What is legal in a tenant file and most likely a mistake."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from scripts.tenants import files as tenants
from scripts.tenants.files import Settings
from scripts.tenants.mistakes import EXPECTED, Judge, load_book
from tests.unit.scripts.tenants.tenant_cases import (
    PREFIX,
    SILO,
    TIERS,
    VALID,
    WARNED_FIXTURES,
    Fixture,
    text,
)

if TYPE_CHECKING:
    from pathlib import Path

BOOK = load_book()
JUDGE = Judge(
    Settings(TIERS, PREFIX, "us-east-1", endpoints=frozenset({"bge-large", "Llama 70B"})),
    BOOK,
    date(2026, 11, 30),
)


def warnings(folder: Path) -> list[str]:
    return list(JUDGE.warnings(tenants.load(folder, TIERS, PREFIX)))


def warnings_of(folder: Path, content: str) -> list[str]:
    (folder / "acme.tfvars").write_text(content, encoding="utf-8")
    return [line.removeprefix("acme.tfvars: ") for line in warnings(folder)]


# What takes two files.
COPIED = {
    "name_own": (
        {"name": '"Acme Search"'},
        'name: given "Acme Search"; expected: a name that no other tenant has; acme has it',
    ),
    "external_id_own": (
        {"silo": SILO},
        'silo.external_id: given "acme:2026/11+a=b@c,d.e_f-g"; '
        "expected: an external id that no other tenant has; acme has it",
    ),
}


def test_every_rule_has_a_file_that_it_warns_of() -> None:
    named = [*COPIED, "unit_shards", *(fixture.rule for fixture in WARNED_FIXTURES)]
    assert sorted(named) == sorted(EXPECTED)


@pytest.mark.parametrize(
    ("budget", "shards", "limits", "expected"),
    [
        ({"month_usd": "9"}, None, (1200, 40), "given 1; expected: 2 or more, for 2400 requests"),
        ({"day_usd": "9"}, 1, (1200, 40), "given 1; expected: 2 or more, for 2400 requests"),
        ({"month_usd": "9"}, 2, (1200, 40), None),
        ({"month_usd": "9"}, 1, (60, 5), None),
        ({"mode": "soft"}, 1, (1200, 40), None),
        ({"month_usd": "9"}, 64, (30_000, 5_000), "given 64; expected: 64 or more"),
    ],
)
def test_a_units_account_must_take_the_calls_of_all_its_tenants(
    budget: dict[str, str],
    shards: int | None,
    limits: tuple[int, int],
    expected: str | None,
    tmp_path: Path,
) -> None:
    unit = {"name": "Retail", "owner": "Jo", "budget": budget, "shards": shards}
    units = {"retail": unit, "web": {**unit, "budget": {"month_usd": "1"}}}
    per_minute, at_once = limits
    given = f"{{ requests_per_minute = {per_minute}, concurrent_requests = {at_once} }}"
    copy(tmp_path, business_unit='"retail"', limits=given, shards="64")
    judge = replace(JUDGE, settings=replace(JUDGE.settings, business_units=units))
    found = tenants.load(tmp_path, TIERS, PREFIX, units)

    told = [line for line in judge.warnings(found) if line.startswith("env.tfvars")]

    assert len(told) == (expected is not None)
    for line in told:
        assert line.startswith(f"env.tfvars: business_units.retail.shards: {expected}")


def test_what_a_tenant_has_no_limit_for_is_not_judged(tmp_path: Path) -> None:
    unit = {"name": "Retail", "owner": "Jo", "budget": {"month_usd": "9"}}
    copy(tmp_path, business_unit='"retail"', tier='"free"')
    judge = replace(JUDGE, settings=replace(JUDGE.settings, business_units={"retail": unit}))

    found = tenants.load(tmp_path, TIERS, PREFIX, {"retail": unit})

    assert not [line for line in judge.warnings(found) if line.startswith("env.tfvars")]


def copy(folder: Path, **lines: str) -> None:
    """Write the file of `acme` and a copy of it, which has only its name for its own."""
    (folder / "acme.tfvars").write_text(text(**lines), encoding="utf-8")
    copied = text(**{"name": '"Globex"', **lines})
    (folder / "globex.tfvars").write_text(copied, encoding="utf-8")


@pytest.mark.parametrize("rule", COPIED)
def test_what_a_copied_file_has_from_another_is_told(rule: str, tmp_path: Path) -> None:
    lines, warning = COPIED[rule]
    copy(tmp_path, **lines)

    assert warnings(tmp_path) == [f"globex.tfvars: {warning}"]


@pytest.mark.parametrize("rule", COPIED)
def test_an_offboarded_tenant_may_have_come_back_under_another_id(
    rule: str, tmp_path: Path
) -> None:
    copy(tmp_path, **COPIED[rule][0])
    with (tmp_path / "acme.tfvars").open("a") as file:
        file.write('status = "offboarded"\n')

    assert warnings(tmp_path) == []


@pytest.mark.parametrize("fixture", WARNED_FIXTURES, ids=lambda fixture: fixture.rule)
def test_a_likely_mistake_is_told_with_what_was_given_and_expected(
    fixture: Fixture, tmp_path: Path
) -> None:
    shutil.copy(fixture.path, tmp_path)

    assert warnings(tmp_path) == [f"{fixture.path.name}: {m}" for m in fixture.messages]


@pytest.mark.parametrize(
    "case",
    ["least", "own-limits", "profiles", "many-apps", "numbers-at-their-bounds", "offboarded"],
)
def test_plain_files_have_no_likely_mistakes(case: str, tmp_path: Path) -> None:
    content = {**VALID, "own-limits": text(limits="{ concurrent_requests = 5 }")}[case]

    assert warnings_of(tmp_path, content) == []


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "amazon.nova-lite-v1:0",
        "us.anthropic.claude-*",
        "global.*",
        "bge-large",
        "Llama*70B",
        "moonshotai.kimi-k2-thinking",
    ],
)
def test_a_pattern_may_match_any_id_that_is_called(pattern: str, tmp_path: Path) -> None:
    assert warnings_of(tmp_path, text(models=f'["{pattern}"]')) == []


@pytest.mark.parametrize(
    "pattern", ["amazon.bedrock-guardrails", "amazon.nova", "Amazon.nova-*", "eu.us.amazon.nova-*"]
)
def test_a_pattern_that_matches_nothing_that_is_called_is_told(
    pattern: str, tmp_path: Path
) -> None:
    (warning,) = warnings_of(tmp_path, text(models=f'["amazon.nova-*", "{pattern}"]'))

    assert warning.startswith(f'models[1]: given "{pattern}"; expected: a model of the price book')


def test_a_model_that_only_the_contract_prices_may_be_called(tmp_path: Path) -> None:
    prices = '{ "newco.model-1" = { in_region = { default = { input = "1", output = "2" } } } }'

    (warning,) = warnings_of(tmp_path, text(models='["newco.*"]', prices=prices))

    assert warning.startswith('prices.newco.model-1 (name): given "newco.model-1"; ')


def test_a_ceiling_admits_models_that_the_book_lacks(tmp_path: Path) -> None:
    content = text(
        models='["newco.*"]',
        deny_models='["newco.large", "amazon.nova-lite-v1:0"]',
        unpriced='{ input = "20", output = "100" }',
        model_arns='{ "arn:aws:bedrock:us-east-1:111122223333:imported-model/a" = "newco.small" }',
    )

    (warning,) = warnings_of(tmp_path, content)

    assert warning.startswith('deny_models[0]: given "newco.large"; expected: ')


def test_an_app_may_exceed_what_a_soft_budget_only_tells(tmp_path: Path) -> None:
    content = text(
        budget='{ month_usd = "10", day_usd = "5", mode = "soft" }',
        alert_thresholds="[100, 150]",
        apps='{ web = { budget = { month_usd = "20", day_usd = "15" } } }',
    )

    assert warnings_of(tmp_path, content) == []


@pytest.mark.parametrize(
    "models", ['["amazon.nova-*", "bge-large"]', '["amazon.nova-*", "us.anthropic.*"]']
)
def test_a_default_that_some_model_reaches_is_none(models: str, tmp_path: Path) -> None:
    content = text(models=models, max_tokens="{ default = 30000, maximum = 30000 }")

    assert [line for line in warnings_of(tmp_path, content) if "max_tokens" in line] == []
