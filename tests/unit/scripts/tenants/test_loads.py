"""What an account's limits allow fits what DynamoDB writes for one item."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil
from typing import Any

import pytest

from scripts.bench.dynamodb_meter import item_bytes
from scripts.tenants import files, loads
from scripts.tenants.loads import MAX_SHARDS, Load
from scripts.tenants.rules import REPOSITORY, fits
from tests.unit.scripts.tenants.tenant_cases import LOADED_MESSAGES, LOADED_TIERS
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.domain.ids import new_request_id
from tollgate.domain.ledger import Hold, Scope, Windows, new_account
from tollgate.domain.money import PICO_PER_USD
from tollgate.domain.tenants import Budget, Limits
from tollgate.services.leases import RENEW_SECONDS


def units_a_second(load: Load, shards: int) -> Fraction:
    """The formula as it is written down."""
    writes = (Fraction(2 * load.per_minute, 60) + Fraction(load.at_once, 24)) / shards
    return writes * ceil(Fraction(256 + Fraction(192 * load.at_once, shards), 1024))


@pytest.mark.parametrize("per_minute", [1, 59, 60, 600, 3000, 20_000])
@pytest.mark.parametrize("at_once", [1, 4, 50, 200, 999, 5000])
def test_the_formula_is_what_is_reckoned(per_minute: int, at_once: int) -> None:
    load = Load(per_minute, at_once)

    for shards in range(1, MAX_SHARDS + 1):
        assert load.fits(shards) == (units_a_second(load, shards) <= 500)
    least = load.least_shards()
    assert least is None or load.fits(least)
    assert not any(load.fits(fewer) for fewer in range(1, least or MAX_SHARDS + 1))


def test_no_more_shards_than_a_tenant_can_have() -> None:
    assert fits(MAX_SHARDS, "shards")
    assert not fits(MAX_SHARDS + 1, "shards")


class Table:
    """Keeps the item that the adapter's writes make."""

    def __init__(self) -> None:
        self.item: dict[str, Any] = {}

    def put_item(self, **request: Any) -> None:  # noqa: ANN401 - of the SDK
        self.item = request["Item"]

    def update_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - of the SDK
        request_id = request["ExpressionAttributeNames"]["#rid"]
        hold = request["ExpressionAttributeValues"][":hold"]
        self.item["holds"]["M"][request_id] = hold
        return {"Attributes": self.item}


@pytest.mark.parametrize("running", [0, 1, 10, 100])
def test_an_account_with_long_names_is_no_larger_than_reckoned(running: int) -> None:
    table, now = Table(), datetime.now(UTC)
    accounts, windows = DynamoAccounts(table, "accounts"), Windows.at(now)  # type: ignore[arg-type]
    scope = Scope("tenant#document-services#12.63", Budget(), Limits())
    busy = 10**6 * PICO_PER_USD
    account = new_account(scope.account_id, windows)
    accounts.create(replace(account, month_committed=busy, month_spent=busy, month_carried=busy))
    for _ in range(running):
        hold = Hold(
            new_request_id(now),
            123_456_789_012,
            200_000,
            int(now.timestamp()),
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "document-extraction",
            "document-extraction/primary",
            "anthropic.messages",
            streamed=True,
            output_tokens=16_384,
        )
        accounts.admit(scope, hold, windows)

    assert item_bytes(table.item) <= 256 + 192 * running


def test_a_call_is_renewed_no_more_often_than_reckoned() -> None:
    # A running call is written 1/40 times a second for its lease, 1/60 for the minutes that end.
    assert Fraction(1, int(RENEW_SECONDS)) + Fraction(1, 60) <= Fraction(1, 24)


def test_tiers_that_dynamodb_cannot_write_are_refused() -> None:
    found = loads.tier_load_errors(files.ENVIRONMENT_FILE, LOADED_TIERS)

    assert list(found) == LOADED_MESSAGES


@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        ({}, False),
        ({"requests_per_minute": 3000}, True),
        ({"concurrent_requests": 300}, False),
        ({"requests_per_minute": 10, "concurrent_requests": 900_000_000}, False),
        ({"requests_per_minute": "3000"}, False),
        ({"requests_per_minute": 900, "concurrent_requests": 50}, False),
        ({"requests_per_minute": 900, "concurrent_requests": 500}, True),
    ],
)
def test_a_tenant_answers_for_numbers_of_its_own(limits: dict[str, Any], refused: bool) -> None:
    found = list(loads.tenant_load_errors("a.tfvars", {"limits": limits, "tier": "t"}, {"t": {}}))

    assert bool(found) == refused


def test_a_tenants_own_shards_serve_its_tiers_rate() -> None:
    tiers = {"t": {"limits": {"requests_per_minute": 3000, "concurrent_requests": 200}}}
    content: dict[str, Any] = {"tier": "t"}

    assert list(loads.tenant_load_errors("a.tfvars", content, tiers)) == []
    assert list(loads.tenant_load_errors("a.tfvars", content | {"shards": 3}, tiers)) == []
    (refused,) = loads.tenant_load_errors("a.tfvars", content | {"shards": 2}, tiers)
    assert refused.startswith("a.tfvars: shards: given 2; allowed: 3 or more, for 3000 requests")


def test_the_example_tiers_are_served_with_room() -> None:
    for folder in files.environments(REPOSITORY / "envs"):
        for name, tier in files.load_settings(folder).tiers.items():
            assert list(loads.tier_load_errors("env.tfvars", {name: tier})) == []
    enterprise = files.load_settings(REPOSITORY / "envs" / "prod").tiers["enterprise"]
    limits = enterprise["limits"]
    load = Load(limits["requests_per_minute"], limits["concurrent_requests"])
    assert not load.fits(1)
    assert load.fits(enterprise["shards"])
