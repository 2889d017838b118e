"""A budget above the tenants: several of them spend one business unit's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.ledger import FakeAccounts
from tests.fakes.world import NOW, app, caller, tenant
from tests.unit.services.test_calls import World, chat_call
from tollgate.domain.errors import BudgetExceededError, BudgetHeldError, UnavailableError
from tollgate.domain.money import format_usd, usd
from tollgate.domain.tenants import Budget, BusinessUnit
from tollgate.entry.http import Request
from tollgate.services.policy import CACHE_SECONDS
from tollgate_models.usage import UsageService

if TYPE_CHECKING:
    from tollgate.domain.ledger import Account, Hold, Scope, Windows
    from tollgate.ports import Admitted, Rejected
    from tollgate.services.calls import AdmittedCall

UNIT = "business_unit#retail"


class Writing(FakeAccounts):
    """Counts the writes of each account."""

    def __init__(self) -> None:
        super().__init__()
        self.admitted: list[str] = []

    def admit(self, scope: Scope, hold: Hold, windows: Windows) -> Admitted | Rejected:
        self.admitted.append(scope.account_id)
        return super().admit(scope, hold, windows)


class Retail(World):
    """Tenants acme and globex belong to the business unit retail, hooli to none."""

    def __init__(self, budget: Budget, shards: int = 1) -> None:
        accounts = Writing()
        super().__init__(accounts=accounts)
        self.writes = accounts.admitted
        self.tenants.units["retail"] = BusinessUnit("retail", "Retail", "Jo", budget, shards)
        for tenant_id, unit in (("acme", "retail"), ("globex", "retail"), ("hooli", None)):
            self.tenants.tenants[tenant_id] = tenant(
                tenant_id=tenant_id, business_unit=unit, apps={"web": app()}
            )

    def admit_for(self, tenant_id: str, **changes: Any) -> AdmittedCall:
        return self.admission.admit(caller(tenant_id), chat_call(**changes), streamed=False)

    def account(self, account_id: str) -> Account:
        account = self.accounts.get(account_id)
        assert account is not None
        return account


def price() -> int:
    """What one call holds."""
    return Retail(Budget()).admit_for("hooli").hold.usd


def test_all_tenants_of_a_unit_spend_its_budget() -> None:
    world = Retail(Budget(month=2 * price() + 1))

    first, second = world.admit_for("acme"), world.admit_for("globex")
    for tenant_id in ("acme", "globex"):
        with pytest.raises(BudgetHeldError) as refused:
            world.admit_for(tenant_id)
        assert refused.value.details["scope"] == "business_unit"
        assert refused.value.details["limit_name"] == "month_usd"
    world.admit_for("hooli")

    assert world.account(UNIT).held == first.hold.usd + second.hold.usd
    # What the unit refused counts nowhere.
    for tenant_id in ("acme", "globex"):
        standing = world.account(f"tenant#{tenant_id}")
        assert (standing.month_committed, standing.day_requests) == (first.hold.usd, 1)


def test_a_refusal_says_whose_budget_with_its_figures() -> None:
    limit = 2 * price()
    world = Retail(Budget(day=limit))
    answers = [world.calls.run(world.admit_for(name)) for name in ("acme", "globex")]
    spent = sum(answer.cost.total for answer in answers)

    with pytest.raises(BudgetExceededError) as refused:
        world.admit_for("acme", max_tokens=500)

    error = refused.value
    asked = error.details.pop("needed_usd")
    fitting = error.details.pop("affordable_max_tokens")
    assert error.details == {
        "scope": "business_unit",
        "limit_name": "day_usd",
        "limit_usd": format_usd(limit),
        "spent_usd": format_usd(spent),
        "held_usd": "0",
        "resets_at": "2026-11-23T00:00:00+00:00",
    }
    assert usd(str(asked)) + spent > limit
    assert error.message.startswith(
        f"the business unit's budget of ${format_usd(limit)} a day cannot cover this call: "
        f"${format_usd(spent)} spent, $0 held by running calls, up to ${asked} needed; "
        f"maxTokens of {fitting} or less would fit"
    )
    world.admit_for("acme", max_tokens=fitting)


def test_settling_books_the_cost_on_the_unit_and_tells_what_it_has_left() -> None:
    limit = 5 * price()
    world = Retail(Budget(month=limit))

    answer = world.calls.run(world.admit_for("acme"))

    unit = world.account(UNIT)
    assert (unit.month_spent, unit.month_committed) == (answer.cost.total, answer.cost.total)
    assert answer.remaining == limit - answer.cost.total
    assert world.row.business_unit == "retail"


def test_only_tenants_of_a_unit_with_a_budget_take_a_write_more() -> None:
    with_budget, without = Retail(Budget(month=10**15)), Retail(Budget())
    for world in (with_budget, without):
        # Each account is made at its first use.
        for name in ("acme", "hooli", "acme", "hooli"):
            world.admit_for(name)

    assert with_budget.writes[-3:] == ["tenant#acme", UNIT, "tenant#hooli"]
    assert without.writes[-2:] == ["tenant#acme", "tenant#hooli"]
    assert without.accounts.get(UNIT) is None


def test_a_soft_budget_of_a_unit_tells_and_admits() -> None:
    world = Retail(Budget(month=price(), is_hard=False))

    leases = [world.admit_for(name).lease for name in ("acme", "globex")]

    assert [lease.over_budget for lease in leases] == [False, True]


def test_a_units_budget_is_spread_over_shards_and_spent_to_the_last_call() -> None:
    world = Retail(Budget(month=8 * price()), shards=4)

    for number in range(8):
        world.admit_for(("acme", "globex")[number % 2])
    with pytest.raises(BudgetHeldError):
        world.admit_for("acme")

    shards = [a for a in world.accounts.scan() if a.account_id.startswith(f"{UNIT}#")]
    assert [shard.month_committed for shard in shards] == [2 * price()] * 4


def test_an_override_changes_a_units_budget_until_it_expires() -> None:
    world = Retail(Budget(month=price()))
    world.admit_for("acme")
    expires = int(world.clock().timestamp()) + 600
    document = {"expires": expires, "budget": {"month_usd": None}}
    world.tenants.unit_overrides["retail"] = json.dumps(document)

    with pytest.raises(BudgetHeldError):
        world.admit_for("globex")
    world.clock.advance(seconds=CACHE_SECONDS)
    # A unit without any budget holds nothing.
    assert len(world.admit_for("globex").lease.scopes) == 1
    world.clock.advance(seconds=600)
    with pytest.raises(BudgetHeldError):
        world.admit_for("globex")


def test_a_unit_that_is_not_there_admits_nothing() -> None:
    world = Retail(Budget())
    del world.tenants.units["retail"]

    with pytest.raises(UnavailableError, match="does not know business unit retail"):
        world.admit_for("acme")

    world.admit_for("hooli")
    assert world.accounts.get("tenant#acme") is None


def test_usage_shows_the_unit_as_a_scope() -> None:
    world = Retail(Budget(month=usd("9")))
    world.calls.run(world.admit_for("globex"))
    service = UsageService(policies=world.policies, accounts=world.accounts, clock=world.clock)

    def shown(tenant_id: str) -> list[dict[str, Any]]:
        answer = service.show(Request("gw-1", caller(tenant_id), {}, {}, {}, b""))
        scopes: list[dict[str, Any]] = json.loads(answer["body"])["scopes"]
        return scopes

    *_, of_unit = shown("acme")
    assert of_unit["scope"] == "business_unit"
    assert of_unit["budget"]["month"]["limit_usd"] == "9"
    assert usd(of_unit["budget"]["month"]["spent_usd"]) == world.row.total_cost
    assert [scope["scope"] for scope in shown("hooli")] == ["tenant"]


def test_a_job_settles_on_the_unit_that_it_was_held_on() -> None:
    world = Retail(Budget(month=10**15))
    admitted = world.admit_for("acme")
    world.tenants.units["retail"] = BusinessUnit("retail", "Retail", "Jo", Budget())
    world.clock.advance(seconds=CACHE_SECONDS)

    answer = world.calls.run(admitted)

    assert world.account(UNIT).month_spent == answer.cost.total
    assert world.account(UNIT).month == f"{NOW:%Y-%m}"
