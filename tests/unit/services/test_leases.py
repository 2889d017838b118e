"""The hold of a call that is being made is renewed, and of one that has ended is not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.fakes.ledger import FakeAccounts
from tests.unit.services.test_calls import World
from tests.waiting import until
from tollgate.domain.errors import StreamBrokenError, TollgateError, UnavailableError
from tollgate.services.leases import LEASE_SECONDS, RENEW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tollgate.services.calls import Calls

OFTEN = 0.005


class Watched(FakeAccounts):
    """Counts renewals; the first ones can fail."""

    def __init__(self, failing: int = 0) -> None:
        super().__init__()
        self.asked = 0
        self._failing = failing

    def extend(self, account_id: str, request_id: str, expires_at: int) -> bool:
        self.asked += 1
        if self.asked <= self._failing:
            raise UnavailableError("down", details={"dependency": "ledger"})
        return super().extend(account_id, request_id, expires_at)


def renewing(world: World, seconds: float) -> Calls:
    return world.calls_over(world.usage, renew_seconds=seconds)


def running_renewals() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "renewal"]


def expiry(world: World) -> int:
    account = world.accounts.get("tenant#acme")
    assert account is not None
    (hold,) = account.holds.values()
    return hold.expires_at


def wait_for_a_renewal(world: World, then: Callable[[], None] = lambda: None) -> None:
    """Time passes in the middle of a call, and its hold is renewed from then."""
    first = expiry(world)
    world.clock.advance(seconds=LEASE_SECONDS + 1)
    until(lambda: expiry(world) > first, "a renewal")
    assert expiry(world) == int(world.clock().timestamp()) + LEASE_SECONDS
    then()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("failing", [0, 2])
def test_a_hold_is_renewed_for_as_long_as_its_call_is_made(*, streamed: bool, failing: int) -> None:
    world = World(accounts=Watched(failing))
    world.runtime.during_call = lambda: wait_for_a_renewal(world)
    admitted = world.admit(streamed=streamed)
    calls = renewing(world, OFTEN)

    answer = calls.stream(admitted, lambda _: None) if streamed else calls.run(admitted)

    assert world.row.total_cost == answer.cost.total
    assert world.open_holds == 0
    until(lambda: not running_renewals(), "the end of renewals")


def test_a_call_that_fails_is_renewed_no_longer() -> None:
    world = World(accounts=Watched())
    world.runtime.during_call = lambda: wait_for_a_renewal(world)
    world.runtime.error = StreamBrokenError("cut", may_be_billed=True)

    with pytest.raises(TollgateError):
        renewing(world, OFTEN).stream(world.admit(streamed=True), lambda _: None)

    until(lambda: not running_renewals(), "the end of renewals")


def test_a_stream_that_nobody_reads_is_renewed_no_longer() -> None:
    world = World(accounts=Watched())

    opened = renewing(world, OFTEN).open(world.admit(streamed=True))
    wait_for_a_renewal(world)
    del opened

    until(lambda: not running_renewals(), "the end of renewals")
    assert world.open_holds == 1


def test_a_hold_that_a_sweep_has_ended_is_renewed_no_longer() -> None:
    world = World(accounts=Watched())
    admitted = world.admit()

    def swept() -> None:
        world.accounts.settle("tenant#acme", admitted.hold, admitted.hold.usd, None)
        until(lambda: not running_renewals(), "the end of renewals")

    world.runtime.during_call = swept

    renewing(world, OFTEN).run(admitted)


def test_a_short_call_costs_no_renewal() -> None:
    accounts = Watched()
    world = World(accounts=accounts)

    renewing(world, RENEW_SECONDS).run(world.admit())

    assert accounts.asked == 0
