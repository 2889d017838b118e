"""A tenant's share of what an account may ask of a model in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.world import NOVA_LITE, app
from tests.unit.services.test_calls import chat_call
from tests.unit.services.test_shapes import CLAUDE, World
from tollgate.domain.errors import RateExceededError
from tollgate.domain.ledger import is_tenant_account, models_account_id
from tollgate.domain.tenants import Limits

if TYPE_CHECKING:
    from tollgate.services.calls import AdmittedCall

NOVA = "amazon.nova-*"
NOVA_PRO = "amazon.nova-pro-v1:0"
ACCOUNT = models_account_id("acme", NOVA)


def world_of(model_limits: dict[str, Limits], **policy: Any) -> World:  # noqa: ANN401
    return World(model_limits=model_limits, **policy)


def admit(world: World, **call: Any) -> AdmittedCall:  # noqa: ANN401
    return world.admit(chat_call(**call))


def refusal_of(world: World, **call: Any) -> RateExceededError:  # noqa: ANN401
    with pytest.raises(RateExceededError) as refused:
        admit(world, **call)
    return refused.value


def asked(world: World) -> int:
    return admit(world).hold.tokens


def test_calls_of_the_models_share_their_minute() -> None:
    tokens = asked(world_of({}))
    world = world_of({NOVA: Limits(tokens_per_minute=2 * tokens)})
    admit(world)
    admit(world, model=f"us.{NOVA_PRO}")

    refused = refusal_of(world)

    assert refused.code == "tokens_per_minute_exceeded"
    assert refused.details["scope"] == "model"
    assert refused.details["models"] == NOVA
    assert f"{2 * tokens} tokens per minute for {NOVA}" in refused.message
    assert refused.retry_after is not None
    # Other models have room, and the next minute has.
    admit(world, model=CLAUDE)
    world.clock.advance(seconds=refused.retry_after)
    admit(world)


def test_what_a_call_did_not_use_is_given_back() -> None:
    tokens = asked(world_of({}))
    world = world_of({NOVA: Limits(tokens_per_minute=tokens + tokens // 2)})

    for _ in range(3):
        world.calls.run(admit(world))

    account = world.accounts.get(ACCOUNT)
    assert account is not None
    used = world.runtime.usage.input + world.runtime.usage.output
    assert (account.minute_tokens, account.holds) == (3 * used, {})
    assert account.month_spent == sum(row.total_cost for row in world.usage.rows.values())


@pytest.mark.parametrize(
    "refusing",
    [
        {"limits": Limits(requests_per_minute=1)},
        {"apps": {"web": app(limits=Limits(requests_per_minute=1))}},
        {"model_limits": {"*": Limits(requests_per_minute=1), NOVA: Limits(requests_per_day=9)}},
    ],
    ids=["tenant", "app", "another pattern"],
)
def test_what_another_limit_refuses_uses_up_nothing_of_the_models(refusing: dict[str, Any]) -> None:
    world = world_of(**{"model_limits": {NOVA: Limits(requests_per_day=9)}, **refusing})
    admit(world)

    for _ in range(5):
        refusal_of(world)

    account = world.accounts.get(ACCOUNT)
    assert account is not None
    assert (account.day_requests, len(account.holds)) == (1, 1)


@pytest.mark.parametrize(
    ("pattern", "requested", "counts"),
    [
        (NOVA, NOVA_LITE, True),
        (NOVA, f"us.{NOVA_LITE}", True),
        (f"us.{NOVA}", f"us.{NOVA_LITE}", True),
        (f"us.{NOVA}", NOVA_LITE, False),
        (NOVA_LITE, NOVA_PRO, False),
        ("*", NOVA_PRO, True),
    ],
)
def test_a_pattern_is_for_the_base_model_or_for_one_routing(
    pattern: str, requested: str, counts: bool
) -> None:
    world = world_of({pattern: Limits(requests_per_minute=5)})

    admit(world, model=requested)

    assert (world.accounts.get(models_account_id("acme", pattern)) is not None) == counts


def test_a_tenant_without_model_limits_has_its_own_account_alone() -> None:
    world = world_of({})

    admit(world)

    assert [account.account_id for account in world.accounts.scan()] == ["tenant#acme"]
    assert not is_tenant_account(ACCOUNT)


def test_an_account_of_models_is_its_tenants() -> None:
    world = world_of({NOVA: Limits(concurrent_requests=1)})
    call = admit(world)

    refused = refusal_of(world)

    assert (refused.code, refused.retry_after) == ("concurrent_requests_exceeded", 1)
    assert call.lease.scopes[-1].account_id == "tenant#acme"
    assert [scope.account_id for scope in call.lease.scopes] == [ACCOUNT, "tenant#acme"]
