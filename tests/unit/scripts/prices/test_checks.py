from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.prices import book as prices
from scripts.prices.checks import check_book

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {"input": "1", "output": "2"}


def period(
    start: str = "2026-01-01", end: str | None = None, **rates: dict[str, Any]
) -> dict[str, Any]:
    return {"from": start, "to": end, "rates": rates or {"in_region": {"default": GOOD}}}


def document(*periods: dict[str, Any], **fields: object) -> dict[str, Any]:
    model = {"mode": "chat", "aliases": [], "effective": list(periods or [period()]), **fields}
    head = {"schema_version": 1, "currency": "USD", "unit": "1M tokens", "version": "test"}
    return {**head, "models": {"a.m": model}}


def found(book: dict[str, Any]) -> list[str]:
    return [str(finding) for finding in check_book(book)]


def tiers(**by_tier: dict[str, Any]) -> dict[str, Any]:
    return document(period(in_region=by_tier))


def test_the_shipped_book_has_neither_errors_nor_warnings() -> None:
    assert check_book(json.loads(prices.PRICE_BOOK.read_text("utf-8"))) == []


def test_periods_that_follow_each_other_are_in_order() -> None:
    assert found(document(period(end="2026-06-01"), period("2026-06-01"))) == []


@pytest.mark.parametrize(
    ("periods", "message"),
    [
        (
            [period(end="2026-06-01"), period("2026-06-02")],
            "no price from 2026-06-01 to 2026-06-02",
        ),
        (
            [period(end="2026-06-02"), period("2026-06-01")],
            "two periods have a price from 2026-06-01",
        ),
        ([period(), period("2026-06-01")], "two periods have a price from 2026-06-01"),
        ([period(end="2026-01-01")], "the period from 2026-01-01 ends before it begins"),
        ([period("soon")], "a period has no days: Invalid isoformat string: 'soon'"),
    ],
)
def test_gaps_and_overlaps_of_periods_are_errors(
    periods: list[dict[str, Any]], message: str
) -> None:
    assert found(document(*periods)) == [f"error: a.m: {message}"]


def test_a_model_without_periods_is_an_error() -> None:
    book = document()
    book["models"]["a.m"]["effective"] = []
    assert found(book) == ["error: a.m: has no period of prices"]


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ({"input": "0.0000001", "output": "1"}, "is not a whole picodollar per token"),
        ({"input": "-1", "output": "1"}, "is below zero"),
        ({"imput": "1", "output": "1"}, "is no class of tokens"),
        ({**GOOD, "long_context": {"threshold": 5, "input": "1"}}, "has no price for output"),
        ({**GOOD, "units": {"image": "-1"}}, "is below zero"),
    ],
)
def test_amounts_that_cannot_be_billed_are_errors(price: dict[str, Any], message: str) -> None:
    (line,) = found(tiers(default=price))
    assert line.startswith("error: a.m: in_region from 2026-01-01, default: ")
    assert message in line


def test_keys_of_unknown_form_are_errors() -> None:
    assert found(document(period(geo={"default": GOOD}))) == ["error: a.m: 'geo' is no routing"]
    assert found(document(period(**{"geo/mars": {"default": GOOD}}))) == [
        "error: a.m: 'geo/mars' is no routing"
    ]
    assert found(tiers(default=GOOD, fast=GOOD)) == [
        "error: a.m: in_region from 2026-01-01: 'fast' is no tier"
    ]
    assert found(tiers(default={**GOOD, "units": {"film": "1"}})) == [
        "error: a.m: in_region from 2026-01-01, default: 'film' is no unit"
    ]


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ({**GOOD, "cache_read": "1.1"}, "input is cheaper than cache_read"),
        ({**GOOD, "cache_write_5m": "0.9"}, "cache_write_5m is cheaper than input"),
        ({**GOOD, "cache_write_1h": "0.9"}, "cache_write_1h is cheaper than input"),
        (
            {**GOOD, "cache_write_5m": "3", "cache_write_1h": "2"},
            "cache_write_1h is cheaper than cache_write_5m",
        ),
        (
            {**GOOD, "long_context": {"threshold": 5, "input": "0.5", "output": "2"}},
            "input is cheaper in long context",
        ),
        ({"input": "1"}, "no price for both input and output, so it cannot be called"),
        ({"input": "1", "output": "0"}, "free"),
    ],
)
def test_what_is_odd_is_a_warning(price: dict[str, Any], message: str) -> None:
    assert found(tiers(default=price)) == [
        f"warning: a.m: in_region from 2026-01-01, default: {message}"
    ]


def test_tiers_are_compared_with_the_default() -> None:
    where = "warning: a.m: in_region from 2026-01-01"
    dear = {"input": "3", "output": "2"}
    assert found(tiers(default=GOOD, batch=dear)) == [
        f"{where}: input is cheaper on default than on batch"
    ]
    assert found(tiers(default=dear, priority=GOOD)) == [
        f"{where}: input is cheaper on priority than on default"
    ]
    assert found(tiers(flex=GOOD)) == [f"{where}: no default tier, so it cannot be called"]


def test_aliases_must_not_collide() -> None:
    book = document(aliases=["b.m", "c.m"])
    book["models"]["b.m"] = {**book["models"]["a.m"], "aliases": ["c.m"]}
    assert found(book) == [
        "error: b.m: is a model and an alias of a.m",
        "error: c.m: is an alias of a.m and b.m",
    ]


@pytest.mark.parametrize(
    "alias", ["us.a.m", "nonsense", "arn:aws:bedrock:us-east-1::foundation-model/a.m"]
)
def test_aliases_are_base_model_ids(alias: str) -> None:
    assert found(document(aliases=[alias])) == [f"error: a.m: {alias!r} is no base model id"]


@pytest.mark.parametrize("limit", [0, "5", True])
def test_an_input_limit_is_a_number_of_tokens(limit: object) -> None:
    assert found(document(priced_up_to_input_tokens=limit)) == [
        f"error: a.m: priced_up_to_input_tokens is {limit!r}"
    ]


def test_another_document_is_no_price_book() -> None:
    (line,) = found({"schema_version": 2})
    assert line.startswith("error: book: not a price book")


def test_command_fails_on_errors_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "book.json"
    path.write_text(json.dumps(tiers(default={**GOOD, "cache_read": "5"})))
    assert prices.main(["check", str(path)]) == 0
    assert capsys.readouterr().out.endswith("book.json: 0 errors, 1 warnings\n")
    path.write_text(json.dumps(document(period(end="2026-01-01"))))
    assert prices.main(["check", str(path)]) == 1
    assert capsys.readouterr().out.endswith("book.json: 1 errors, 0 warnings\n")
    assert prices.main(["check"]) == 0
