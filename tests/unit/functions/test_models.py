"""The model list."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.ledger import FakeTenants
from tests.fakes.world import NOVA_LITE, FakeClock, app, caller, tenant
from tests.unit.services.test_calls import BOOK
from tollgate.domain.endpoints import Endpoint
from tollgate.domain.errors import ForbiddenError, NotFoundError
from tollgate.domain.prices import PriceBook
from tollgate.domain.tenants import InferenceProfile
from tollgate.entry.http import Request
from tollgate.services.policy import Policies
from tollgate_models.service import CATALOGUE_SECONDS, ModelsService

REQUEST = Request("gw-1", caller(), {}, {}, {}, b"")
SUMMARY = {
    "modelId": NOVA_LITE,
    "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA_LITE}",
    "modelName": "Nova Lite",
    "providerName": "Amazon",
    "inputModalities": ["TEXT"],
    "outputModalities": ["TEXT"],
    "modelLifecycle": {"status": "ACTIVE", "startOfLifeTime": datetime(2024, 12, 3, tzinfo=UTC)},
}
UNPRICED = {**SUMMARY, "modelId": "amazon.nova-sonic-v1:0"}
ODD = {**SUMMARY, "modelId": "amazon.nova lite"}
PROFILE = {
    "inferenceProfileId": f"us.{NOVA_LITE}",
    "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:1:inference-profile/us.{NOVA_LITE}",
    "inferenceProfileName": "US Nova Lite",
}


class FakeCatalogue:
    """A catalogue of fixed summaries that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def foundation_models(self) -> list[dict[str, Any]]:
        self.asked += 1
        return [SUMMARY, UNPRICED, ODD]

    def inference_profiles(self) -> list[dict[str, Any]]:
        return [
            PROFILE,
            {**PROFILE, "inferenceProfileId": "us.meta.llama9"},
            {**PROFILE, "inferenceProfileId": "??"},
        ]


def book() -> PriceBook:
    rates = {"default": {"input": "2", "output": "10"}}
    period = {"from": "2026-01-01", "to": None, "rates": {"in_region": rates, "geo/us": rates}}
    return PriceBook(
        {
            "schema_version": 1,
            "currency": "USD",
            "unit": "1M tokens",
            "version": "v",
            "models": {NOVA_LITE: {"mode": "chat", "effective": [period]}},
        }
    )


def service(
    *models: str,
    prices: PriceBook | None = None,
    clock: FakeClock | None = None,
    endpoints: tuple[Endpoint, ...] = (),
    **policy: Any,  # noqa: ANN401
) -> tuple[ModelsService, FakeCatalogue]:
    clock = clock or FakeClock()
    catalogue = FakeCatalogue()
    policies = Policies(FakeTenants(tenant(models=models, **policy)), clock)
    made = ModelsService(
        policies=policies,
        catalogue=catalogue,
        prices=prices or book(),
        region="us-east-1",
        clock=clock,
        endpoints={endpoint.name: endpoint for endpoint in endpoints},
    )
    return made, catalogue


def listed(made: ModelsService) -> list[str]:
    response = made.list(REQUEST)
    (page,) = json.loads(response["body"])
    return [summary["modelId"] for summary in page["modelSummaries"]]


def test_allowed_and_priced_models_and_profiles_are_listed() -> None:
    assert listed(service("*")[0]) == [NOVA_LITE, f"us.{NOVA_LITE}"]


def test_the_allow_list_filters() -> None:
    assert listed(service("us.*")[0]) == [f"us.{NOVA_LITE}"]
    assert listed(service("meta.*")[0]) == []


def test_denied_models_are_not_listed() -> None:
    assert listed(service("*", denied_models=("us.*",))[0]) == [NOVA_LITE]
    assert listed(service("*", denied_models=("amazon.*",))[0]) == []


@pytest.mark.parametrize("odd", [{}, {"modelId": None}, {"inferenceProfileId": 7}])
def test_an_entry_that_cannot_be_read_keeps_no_other_from_the_list(odd: dict[str, Any]) -> None:
    clock = FakeClock()
    made, catalogue = service("*", clock=clock)
    whole = json.loads(made.list(REQUEST)["body"])
    models, profiles = catalogue.foundation_models(), catalogue.inference_profiles()
    catalogue.foundation_models = lambda: [odd, *models]  # type: ignore[method-assign]
    catalogue.inference_profiles = lambda: [odd, *profiles]  # type: ignore[method-assign]
    clock.advance(seconds=CATALOGUE_SECONDS)

    assert json.loads(made.list(REQUEST)["body"]) == whole


def test_a_model_of_an_unknown_age_is_listed() -> None:
    made, catalogue = service("*")
    catalogue.foundation_models = lambda: [{**SUMMARY, "modelLifecycle": "ACTIVE"}]  # type: ignore[method-assign]

    assert {
        model["created"] for model in json.loads(made.list_models(REQUEST)["body"])["data"]
    } == {0}


def test_the_apps_own_inference_profiles_are_listed() -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/own"
    profiles = {
        "geo": InferenceProfile("geo", f"us.{NOVA_LITE}", f"{arn}1", {}),
        "gone": InferenceProfile("gone", "amazon.nova-gone-v1:0", f"{arn}2", {}),
        "plain": InferenceProfile("plain", NOVA_LITE, f"{arn}3", {}),
    }
    apps = {"web": app(inference_profiles=profiles), "shop": app(app_id="shop")}
    made, _ = service("us.*", apps=apps)

    (page,) = json.loads(made.list(REQUEST)["body"])
    (geo, own) = page["modelSummaries"]

    # The plain one stands for a model that the tenant may not call.
    assert own == {**geo, "modelId": f"{arn}1", "modelArn": f"{arn}1", "modelName": "geo"}
    other = replace(REQUEST, caller=caller(app_id="shop"))
    (page,) = json.loads(made.list(other)["body"])
    assert page["modelSummaries"] == [geo]


def test_a_profile_without_a_price_is_not_listed() -> None:
    assert listed(service("*", prices=BOOK)[0]) == [NOVA_LITE]


def test_a_profile_looks_like_its_model() -> None:
    response = service("us.*")[0].list(REQUEST)
    (page,) = json.loads(response["body"])

    assert page["modelSummaries"] == [
        {
            **SUMMARY,
            "modelId": f"us.{NOVA_LITE}",
            "modelArn": PROFILE["inferenceProfileArn"],
            "modelName": "US Nova Lite",
            "modelLifecycle": {"status": "ACTIVE", "startOfLifeTime": "2024-12-03T00:00:00+00:00"},
        }
    ]
    assert response["headers"]["x-tenant-id"] == "acme"


def test_the_catalogue_is_asked_again_after_its_time() -> None:
    clock = FakeClock()
    made, catalogue = service("*", clock=clock)

    listed(made)
    clock.advance(seconds=CATALOGUE_SECONDS - 1)
    listed(made)
    assert catalogue.asked == 1
    clock.advance(seconds=1)
    listed(made)
    assert catalogue.asked == 2


def test_a_suspended_tenant_gets_no_list() -> None:
    clock = FakeClock()
    made = ModelsService(
        policies=Policies(FakeTenants(tenant(status="suspended")), clock),
        catalogue=FakeCatalogue(),
        prices=book(),
        region="us-east-1",
        clock=clock,
        endpoints={},
    )
    with pytest.raises(ForbiddenError):
        made.list(REQUEST)


ENDPOINT_PRICE = {"per_request": "0.002"}


def test_models_are_listed_in_openais_shape() -> None:
    response = service("*")[0].list_models(REQUEST)

    assert json.loads(response["body"]) == {
        "object": "list",
        "data": [
            {"id": model_id, "object": "model", "created": 1733184000, "owned_by": "Amazon"}
            for model_id in (NOVA_LITE, f"us.{NOVA_LITE}")
        ],
    }


def test_one_model_is_found_under_its_encoded_id() -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/own"
    profile = InferenceProfile("own", NOVA_LITE, arn, {})
    made, _ = service("*", apps={"web": app(inference_profiles={"own": profile})})
    encoded = replace(REQUEST, path={"model": arn.replace(":", "%3A").replace("/", "%2F")})

    assert json.loads(made.model(encoded)["body"])["id"] == arn


@pytest.mark.parametrize("model", ["us.amazon.nova-lite-v1:0", "no.such-model", "??"])
def test_what_is_not_allowed_is_as_unknown_as_what_is_not_there(model: str) -> None:
    made, _ = service("amazon.*")

    with pytest.raises(NotFoundError) as caught:
        made.model(replace(REQUEST, path={"model": model}))
    assert caught.value.code == "model_not_found"
    assert model not in caught.value.message


def test_the_nearest_of_the_list_are_named_for_one_that_is_not_on_it() -> None:
    made, _ = service("*")

    with pytest.raises(
        NotFoundError, match=f"did you mean {NOVA_LITE} or us.{NOVA_LITE}"
    ) as caught:
        made.model(replace(REQUEST, path={"model": "amazon.nova-lite"}))
    assert caught.value.details == {"nearest": [NOVA_LITE, f"us.{NOVA_LITE}"]}
    with pytest.raises(NotFoundError, match="GET /v1/models lists") as caught:
        made.model(replace(REQUEST, path={"model": "gpt-4o"}))
    assert caught.value.details == {}


def test_the_tenants_own_arns_are_listed() -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/abc"
    made, _ = service("amazon.*", model_arns={arn: NOVA_LITE, f"{arn}2": "meta.gone-v1:0"})

    assert listed(made) == [NOVA_LITE, arn]


def test_endpoints_are_listed_where_allowed_and_priced() -> None:
    endpoints = (
        Endpoint("llama", "ep-1", ENDPOINT_PRICE),
        Endpoint("mistral", "ep-2", ENDPOINT_PRICE),
        Endpoint("llama-free", "ep-3"),
    )

    assert listed(service("llama*", endpoints=endpoints)[0]) == ["llama"]
    ceiling = {"input": "5", "output": "5"}
    unpriced, _ = service("llama*", endpoints=endpoints, unpriced=ceiling)
    assert listed(unpriced) == ["llama", "llama-free"]


def test_a_ceiling_makes_a_model_without_a_price_callable() -> None:
    made, _ = service("*", unpriced={"input": "5", "output": "5"})

    assert UNPRICED["modelId"] in listed(made)


def test_a_contract_price_makes_a_model_callable() -> None:
    model_id = str(UNPRICED["modelId"])
    rates = {"in_region": {"default": {"input": "1", "output": "2"}}}
    clock = FakeClock()
    made = ModelsService(
        policies=Policies(FakeTenants(tenant(models=("*",), prices={model_id: rates})), clock),
        catalogue=FakeCatalogue(),
        prices=book(),
        region="us-east-1",
        clock=clock,
        endpoints={},
    )

    assert model_id in listed(made)


def test_what_has_no_price_for_its_output_is_not_listed() -> None:
    period = {"from": "2026-01-01", "to": None, "rates": {"in_region": {"default": {"input": "2"}}}}
    prices = PriceBook(
        {
            "schema_version": 1,
            "currency": "USD",
            "unit": "1M tokens",
            "version": "v",
            "models": {NOVA_LITE: {"mode": "chat", "effective": [period]}},
        }
    )

    assert listed(service("*", prices=prices)[0]) == []
