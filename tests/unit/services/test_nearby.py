"""What an error says of the models that may have been meant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.world import app, caller, tenant
from tollgate.domain.errors import ForbiddenError, TollgateError
from tollgate.domain.prices import PriceBook
from tollgate.services.nearby import MOST, Nearby
from tollgate.services.policy import Party

AT = datetime(2026, 11, 30, tzinfo=UTC)
LITE = "amazon.nova-lite-v1:0"
RATES = {"default": {"input": "1", "output": "2"}}
LIST = "GET /v1/models lists the models that this key may call"


def model(*routings: str, mode: str = "chat", **more: Any) -> dict[str, Any]:
    period = {"from": "2026-01-01", "to": None, "rates": dict.fromkeys(routings, RATES)}
    return {"mode": mode, "effective": [period], **more}


BOOK = PriceBook(
    {
        "schema_version": 1,
        "currency": "USD",
        "unit": "1M tokens",
        "version": "v",
        "models": {
            LITE: model("in_region", "geo/us", "geo/eu", "global"),
            "amazon.nova-micro-v1:0": model("in_region/eu-west-1"),
            "amazon.nova-reel-v1:0": model("in_region", mode="image_generation"),
            "amazon.nova-pro-v1:0": model("in_region", end_of_life="2026-11-30"),
            "amazon.titan-embed-text-v2:0": model("in_region", mode="embedding"),
            "anthropic.claude-3-5-sonnet-20241022-v2:0": model("geo/us"),
        },
    }
)


def advised(
    requested: str, region: str = "us-east-1", code: str = "model_not_allowed", **policy: Any
) -> TollgateError:
    party = Party(caller(), tenant(**{"models": ("*",), **policy}), app())
    error = ForbiddenError("No", code=code, details={"model_id": "m"})
    return Nearby(BOOK, region).advised(error, party, requested, AT)


def named(requested: str, region: str = "us-east-1", **policy: Any) -> list[str]:
    nearest: list[str] = advised(requested, region, **policy).details.get("nearest", [])
    return nearest


def test_the_error_stays_what_it_was_and_names_the_nearest() -> None:
    error = advised("amazon.nova-lite")

    assert (type(error), error.code) == (ForbiddenError, "model_not_allowed")
    assert error.details == {
        "model_id": "m",
        "nearest": [LITE, f"us.{LITE}", f"global.{LITE}"],
    }
    assert error.message == (
        f"No; the nearest that may be called: {LITE}, us.{LITE}, global.{LITE}"
    )


def test_at_most_three_are_named() -> None:
    book_has = [model for model in BOOK.profile_ids() if LITE in model]

    assert len(named("nova-lite")) == MOST < len(book_has)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"models": ("us.*",)}, [f"us.{LITE}"]),
        ({"models": ("anthropic.*",)}, []),
        ({"models": ()}, []),
        ({"denied_models": ("global.*", "us.*")}, [LITE]),
        # Under its base id a model is denied on every routing.
        ({"denied_models": ("amazon.*",)}, []),
    ],
)
def test_only_what_the_tenant_may_call_is_named(
    policy: dict[str, Any], expected: list[str]
) -> None:
    assert named("amazon.nova-lite", **policy) == expected


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("us-east-1", [LITE, f"us.{LITE}", f"global.{LITE}"]),
        ("eu-central-1", [LITE, f"eu.{LITE}", f"global.{LITE}"]),
        ("ap-east-1", [LITE, f"global.{LITE}"]),
    ],
)
def test_only_what_the_region_has_is_named(region: str, expected: list[str]) -> None:
    assert named("amazon.nova-lite", region) == expected


@pytest.mark.parametrize(
    "requested",
    # No price here, no price of its kind.
    ["amazon.nova-micro", "amazon.nova-reel"],
)
def test_what_could_not_be_called_is_never_named(requested: str) -> None:
    assert f"{requested}-v1:0" not in named(requested)


def test_what_is_beyond_the_end_that_was_announced_is_served_until_it_is_gone() -> None:
    assert named("amazon.nova-pro") == ["amazon.nova-pro-v1:0"]


def test_a_contract_adds_its_own_models_for_its_tenant_alone() -> None:
    own = {"acme.nova-own-v1:0": {"in_region": RATES}}

    assert named("acme.nova-own", prices=own) == ["acme.nova-own-v1:0"]
    assert "acme.nova-own-v1:0" not in named("acme.nova-own")


@pytest.mark.parametrize("requested", ["", "gpt-4o", "text-embedding-3-small", "\n", "x" * 10**6])
def test_where_nothing_is_near_the_way_to_the_list_is_told(requested: str) -> None:
    error = advised(requested)

    assert error.message == f"No; {LIST}"
    assert "nearest" not in error.details


@pytest.mark.parametrize(
    ("requested", "kind"),
    [
        ("gpt-4o", "amazon.nova-"),
        ("", "amazon.nova-"),
        ("x" * 10**6, "amazon.nova-"),
        ("text-embedding-3-small", "amazon.titan-embed-"),
    ],
)
def test_who_sends_no_model_id_at_all_gets_examples_of_its_kind(requested: str, kind: str) -> None:
    error = advised(requested, code="unsupported_model_id", models=("amazon.*",))

    models = error.details["nearest"]
    assert 0 < len(models) <= MOST
    assert all(model.startswith(kind) for model in models)
    assert error.message.startswith("No; this key may call ")
    assert error.message.endswith(", for example; GET /v1/models lists all")
    assert all(model in error.message for model in models)


def test_where_nothing_may_be_called_there_are_no_examples() -> None:
    error = advised("gpt-4o", code="unsupported_model_id", models=())

    assert error.message == f"No; {LIST}"
    assert "nearest" not in error.details


def test_an_arn_of_the_accounts_own_says_nothing_of_a_model() -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/amazon.nova-lite"

    assert advised(arn).message == "No"
