"""Reading policies: the cache, the override in force, and when they were read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.ledger import FakeTenants
from tests.fakes.world import NOVA_LITE, NOW, FakeClock, app, caller, tenant
from tollgate.domain.errors import ForbiddenError, InvalidRequestError
from tollgate.domain.tenants import Budget, InferenceProfile
from tollgate.services.policy import CACHE_SECONDS, Party, Policies, allowed_model, call_tags


def test_a_policy_knows_when_this_process_read_it() -> None:
    clock = FakeClock()
    policies = Policies(FakeTenants(tenant()), clock)

    first = policies.party(caller()).tenant
    clock.advance(seconds=CACHE_SECONDS - 0.001)
    cached = policies.party(caller()).tenant
    clock.advance(seconds=0.001)
    again = policies.party(caller()).tenant

    assert first.read_at == cached.read_at == int(NOW.timestamp() * 1000)
    assert again.read_at == first.read_at + CACHE_SECONDS * 1000


def test_an_override_is_in_force_until_it_expires() -> None:
    clock = FakeClock()
    tenants = FakeTenants(tenant(budget=Budget(month=5)))
    document = {"expires": NOW.timestamp() + 20, "budget": {"month_usd": "0.000000000009"}}
    tenants.overrides["acme"] = json.dumps(document)
    policies = Policies(tenants, clock)

    during = policies.party(caller()).tenant.budget
    clock.advance(seconds=20)
    after = policies.party(caller()).tenant.budget

    assert (during, after) == (Budget(month=9), Budget(month=5))


def test_an_override_can_suspend() -> None:
    tenants = FakeTenants(tenant())
    document = {"expires": NOW.timestamp() + 20, "apps": {"web": {"status": "suspended"}}}
    tenants.overrides["acme"] = json.dumps(document)

    with pytest.raises(ForbiddenError) as refused:
        Policies(tenants, FakeClock()).party(caller())

    assert refused.value.code == "app_suspended"


@pytest.mark.parametrize("status", ["suspended", "offboarded"])
def test_only_an_active_tenant_calls(status: str) -> None:
    policies = Policies(FakeTenants(tenant(status=status)), FakeClock())

    with pytest.raises(ForbiddenError, match=f"acme is {status}") as refused:
        policies.party(caller())

    assert refused.value.code == f"tenant_{status}"


# --- Which models -------------------------------------------------------------------------------

ACCOUNT = "arn:aws:bedrock:us-east-1:111122223333"
OWN = f"{ACCOUNT}:application-inference-profile/own1"
GEO = f"us.{NOVA_LITE}"


def party(model: str = NOVA_LITE, **policy: Any) -> Party:
    """App web with an inference profile of its own; app shop has none."""
    profile = InferenceProfile("search", model, OWN, {"env": "p", "project": "p1"})
    apps = {"web": app(inference_profiles={"search": profile}), "shop": app(app_id="shop")}
    made = tenant(**{"models": ("*",), "apps": apps, **policy})
    return Party(caller(), made, apps["web"])


def test_an_app_calls_its_own_inference_profile_of_a_model() -> None:
    own = party()

    ref = allowed_model(own, NOVA_LITE)

    assert (ref.requested, ref.upstream_id) == (NOVA_LITE, OWN)
    assert (ref.model_id, ref.profile_id, ref.routing) == (NOVA_LITE, NOVA_LITE, "in_region")
    assert ref.inference_profile_arn == OWN
    assert call_tags(own.tenant, own.app, ref) == {"owner": "search", "env": "p", "project": "p1"}


def test_a_profile_of_one_routing_is_not_called_for_another() -> None:
    assert allowed_model(party(), GEO).upstream_id == GEO
    assert allowed_model(party(GEO), NOVA_LITE).upstream_id == NOVA_LITE
    geo = allowed_model(party(GEO), GEO)
    assert (geo.upstream_id, geo.model_id, geo.routing, geo.geo) == (OWN, NOVA_LITE, "geo", "us")


@pytest.mark.parametrize(
    ("requested", "is_own"),
    [
        (f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA_LITE}", True),
        (f"arn:aws:bedrock:eu-west-1::foundation-model/{NOVA_LITE}", False),
    ],
)
def test_an_arn_of_another_region_is_passed_on_as_written(requested: str, *, is_own: bool) -> None:
    assert allowed_model(party(), requested).upstream_id == (OWN if is_own else requested)


@pytest.mark.parametrize(
    ("requested", "is_own"),
    [
        (f"{ACCOUNT}:inference-profile/{GEO}", True),
        (f"arn:aws:bedrock:us-east-1:999999999999:inference-profile/{GEO}", False),
        (f"arn:aws:bedrock:us-east-2:111122223333:inference-profile/{GEO}", False),
    ],
)
def test_a_system_profile_of_another_account_is_passed_on_as_written(
    requested: str, *, is_own: bool
) -> None:
    assert allowed_model(party(GEO), requested).upstream_id == (OWN if is_own else requested)


def test_an_own_profile_can_be_named_by_its_app_alone() -> None:
    own = party()
    other = replace(own, app=own.tenant.apps["shop"])

    assert allowed_model(own, OWN).model_id == NOVA_LITE
    assert allowed_model(other, NOVA_LITE).upstream_id == NOVA_LITE
    with pytest.raises(ForbiddenError) as refused:
        allowed_model(other, OWN)
    assert refused.value.code == "model_not_allowed"


def test_an_arn_that_the_tenant_maps_is_called_itself() -> None:
    mapped = f"{ACCOUNT}:provisioned-model/p1"
    own = party(model_arns={mapped: NOVA_LITE})

    ref = allowed_model(own, mapped)

    assert ref.upstream_id == mapped
    assert call_tags(own.tenant, own.app, ref) == {"owner": "search", "env": "t"}


@pytest.mark.parametrize("requested", [NOVA_LITE, GEO, f"global.{NOVA_LITE}", OWN])
def test_a_denied_model_is_denied_on_every_routing(requested: str) -> None:
    with pytest.raises(ForbiddenError, match="denied are amazon.nova-l") as refused:
        allowed_model(party(denied_models=("amazon.nova-l*",)), requested)

    assert refused.value.code == "model_not_allowed"
    assert refused.value.details["denied"] == ["amazon.nova-l*"]


@pytest.mark.parametrize("prefix", ["il", "us-iso", "xx.yy", "il.us", "a1.b2.c3"])
@pytest.mark.parametrize("shape", ["{}", "arn:aws:bedrock:us-east-1::foundation-model/{}"])
def test_a_denied_model_is_denied_behind_prefixes_that_are_not_known(
    prefix: str, shape: str
) -> None:
    requested = shape.format(f"{prefix}.{NOVA_LITE}")
    own = party(denied_models=("amazon.nova-l*",), unpriced={"input": "1", "output": "1"})

    # Refused in any case: denied, or no id at all.
    with pytest.raises((ForbiddenError, InvalidRequestError)) as refused:
        allowed_model(own, requested)

    assert refused.value.code in ("model_not_allowed", "unsupported_model_id")


def test_a_version_with_a_point_is_no_prefix() -> None:
    own = party(denied_models=("gpt-6*", "1-sol"))
    for requested in ("openai.gpt-6.1-sol", "us.openai.gpt-6.1-sol"):
        assert allowed_model(own, requested).model_id == "openai.gpt-6.1-sol"


def test_a_routing_can_be_denied_alone() -> None:
    own = party(denied_models=("global.*",))

    assert allowed_model(own, GEO).model_id == NOVA_LITE
    with pytest.raises(ForbiddenError):
        allowed_model(own, f"global.{NOVA_LITE}")
