"""What finance decides: read whole, and refused by the place that is wrong."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from scripts.statements.inputs import Finance, InputsError, MonthInputs, SharedCost, load
from tests.e2e import documents

if TYPE_CHECKING:
    from pathlib import Path

TENANTS = frozenset({"acme", "globex"})
UNITS = frozenset({"claims"})

WHOLE = """
currency = "EUR"
show_margin = true

[rates]
"2026-01" = "0.92"
"2026-07" = "0.90"

[accounts]
usage = "640100"

[[shared_costs]]
name = "API Gateway, Lambda"
by = "calls"
usd = { "2026-10" = "131.22", "2026-11" = "0" }

[[shared_costs]]
name = "Support plan"
by = "fixed"
month_usd = "100"
from = "2026-10"
to = "2026-11"
shares = { acme = "62.5", globex = "37.5" }

[[discounts]]
name = "Volume"
percent = "5"
business_units = ["claims"]

[[credits]]
month = "2026-10"
tenant = "acme"
usd = "25"
reason = "Incident of 12 October"

[tenants.gone]
markup = "1.5"
"""


def of(text: str, month: str = "2026-10") -> MonthInputs:
    return Finance(tomllib.loads(text), "envs/prod/finance.toml").month(month, TENANTS, UNITS)


def test_a_month_has_the_rate_costs_and_credits_of_its_own() -> None:
    october = of(WHOLE)
    assert (october.currency, october.rate, october.show_margin) == ("EUR", "0.90", True)
    assert october.shared_costs == (
        SharedCost("API Gateway, Lambda", 131_220_000_000_000, "calls", {}),
        SharedCost("Support plan", 10**14, "fixed", {"acme": 625_000, "globex": 375_000}),
    )
    assert [credit.usd for credit in october.credits] == [25 * 10**12]
    assert of(WHOLE, "2026-11").credits == ()
    assert october.accounts["usage"] == "640100"
    assert october.accounts["credit_note"] == "credit_note"


def test_without_a_file_statements_are_in_us_dollars(tmp_path: Path) -> None:
    assert load(tmp_path / "finance.toml", "finance.toml").month("2026-10", TENANTS, UNITS) == (
        MonthInputs()
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('"EUR"', '"euro"'), r"finance.toml: currency: given 'euro'; allowed: three letters"),
        (('"2026-07" = "0.90"', '"7" = "0.90"'), r"rates: given '7'; allowed: a month"),
        (('by = "calls"', 'by = "luck"'), r"shared_costs\[0\].by: given 'luck'; allowed: calls"),
        (('"37.5"', '"37.4"'), r"shared_costs\[1\].shares: .*add up to 100"),
        (('month_usd = "100"', ""), r"shared_costs\[1\]: given neither of month_usd and usd"),
        (('percent = "5"', 'percent = "101"'), r"discounts\[0\].percent: given more than 100"),
        (('percent = "5"', "percent = 5"), r"discounts\[0\].percent: given 5; .*as a string"),
        (("globex =", "nobody ="), r"shared cost 'Support plan': given tenant 'nobody'"),
        (('["claims"]', '["sales"]'), r"discount 'Volume': given business unit 'sales'"),
        (('tenant = "acme"', 'tenant = "x"'), r"credit 'Incident of 12 October': given tenant 'x'"),
        (("[accounts]", "[account]"), r"finance.toml: given 'account'; allowed: .*accounts"),
        (("usage =", "usages ="), r"accounts: given 'usages'; allowed: .*usage"),
        (("reason =", "why ="), r"credits\[0\].reason: given nothing"),
        (('markup = "1.5"', 'markup = "-1"'), r"tenants.gone.markup: given '-1'"),
        (('"2026-10" = "131.22", ', ""), r"shared_costs\[0\].usd: given no amount of 2026-10"),
    ],
)
def test_what_is_wrong_is_refused_by_its_place(change: tuple[str, str], told: str) -> None:
    text = WHOLE.replace(*change)
    assert text != WHOLE
    with pytest.raises(InputsError, match=told):
        of(text)


def test_the_guides_file_is_one_that_is_read() -> None:
    guide = documents.read("scripts/statements/README.md")
    (text,) = re.findall(r"^```toml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    inputs = of(text)
    assert [shared.by for shared in inputs.shared_costs] == ["calls", "fixed"]
    assert (inputs.rate, inputs.markups, len(inputs.discounts)) == ("0.90", {"gone": "1.50"}, 1)


def test_a_currency_needs_a_rate_that_holds() -> None:
    with pytest.raises(
        InputsError, match=r"rates: given none; allowed: what a US dollar is in EUR"
    ):
        of('currency = "EUR"')
    with pytest.raises(InputsError, match=r"none that holds in 2025-12; the first is of 2026-01"):
        of(WHOLE, "2025-12")


def test_text_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "finance.toml").write_text("currency = ", "utf-8")
    with pytest.raises(InputsError, match=r"envs/prod/finance.toml: cannot be read"):
        load(tmp_path / "finance.toml", "envs/prod/finance.toml")
