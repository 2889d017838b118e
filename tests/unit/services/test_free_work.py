"""What no model is called for, by tenant: polls, waits and token counts."""

from __future__ import annotations

import pytest

from tests.fakes.free_work import FakeFreeCounters
from tests.fakes.world import FakeClock, app, caller, tenant
from tollgate.domain.errors import RateExceededError, UnavailableError
from tollgate.domain.free_work import FreeLimits
from tollgate.domain.tenants import Limits
from tollgate.services.free_work import FreeWork
from tollgate.services.policy import Party

POLLS = 6000


class Free:
    """Processes of a function over one table."""

    def __init__(self, **limits: int) -> None:
        self.counters = FakeFreeCounters()
        self.clock = FakeClock()
        self.limits = FreeLimits(**limits)

    def process(self) -> FreeWork:
        return FreeWork(self.counters, self.limits, self.clock)


def answered(process: FreeWork, tenant_id: str = "acme") -> bool:
    try:
        process.poll(tenant_id)
    except RateExceededError:
        return False
    return True


@pytest.mark.parametrize("limit", [1, 2, 7, 150, POLLS])
@pytest.mark.parametrize("processes", [1, 3])
def test_a_minute_has_no_more_polls_than_its_limit(limit: int, processes: int) -> None:
    free = Free(polls_per_minute=limit)
    working = [free.process() for _ in range(processes)]

    told = sum(answered(working[index % processes]) for index in range(2 * limit))

    # What a process has taken and not told is lost to the others, never told twice.
    assert limit / 2 < told <= limit
    free.clock.advance(minutes=1)
    assert answered(working[0])


def test_one_process_may_tell_nearly_all_of_them_at_few_writes() -> None:
    free = Free(polls_per_minute=POLLS)
    process = free.process()

    most = POLLS - POLLS // 100
    assert all(answered(process) for _ in range(most))
    assert free.counters.written < POLLS // 50
    assert most < most + sum(answered(process) for _ in range(100)) <= POLLS


def test_one_tenants_polls_are_not_anothers() -> None:
    free = Free(polls_per_minute=1)
    process = free.process()

    assert [answered(process, name) for name in ("acme", "acme", "globex")] == [True, False, True]


def party(tenants: int | None, apps: int | None) -> Party:
    limited = app(limits=Limits(requests_per_minute=apps))
    policy = tenant(limits=Limits(requests_per_minute=tenants), apps={"web": limited})
    return Party(caller(), policy, limited)


@pytest.mark.parametrize(
    ("tenants", "apps", "deployments", "counted", "scope"),
    [
        (3, None, 600, 3, "tenant"),
        (None, 2, 600, 2, "app"),
        (3, 2, 600, 2, "app"),
        (2, 3, 600, 2, "tenant"),
        (None, None, 4, 4, "tenant"),
        (9, 9, 4, 4, "tenant"),
    ],
)
def test_as_many_tokens_are_counted_as_calls_are_let_in(
    tenants: int | None, apps: int | None, deployments: int, counted: int, scope: str
) -> None:
    free = Free(token_counts_per_minute=deployments)
    working = [free.process() for _ in range(2)]
    asks = party(tenants, apps)
    for index in range(counted):
        working[index % 2].count_tokens(asks)

    with pytest.raises(RateExceededError) as refused:
        working[0].count_tokens(asks)

    assert refused.value.code == "token_counts_per_minute_exceeded"
    assert refused.value.details["scope"] == scope
    assert refused.value.retry_after == 60 - free.clock.now.second
    free.clock.advance(seconds=refused.value.retry_after)
    working[0].count_tokens(asks)


def test_a_place_is_one_of_few_and_free_again_at_the_end() -> None:
    free = Free(waiting_requests=2)
    process, other = free.process(), free.process()

    with (
        process.waiting("acme", "a", 20) as first,
        other.waiting("acme", "b", 20) as second,
        process.waiting("acme", "c", 20) as third,
        process.waiting("globex", "c", 20) as another,
    ):
        assert (first, second, third, another) == (True, True, False, True)
    with process.waiting("acme", "a", 20) as first, other.waiting("acme", "a", 20) as same:
        assert (first, same) == (True, False)


def test_the_place_of_a_process_that_died_is_free_after_its_wait() -> None:
    free = Free(waiting_requests=1)
    died = free.process().waiting("acme", "a", 20)
    died.__enter__()

    free.clock.advance(seconds=29)
    with free.process().waiting("acme", "b", 20) as early:
        free.clock.advance(seconds=2)
        with free.process().waiting("acme", "b", 20) as late:
            assert (early, late) == (False, True)
    # Whoever comes back that late takes nobody else's place away.
    with free.process().waiting("acme", "a", 20) as again:
        died.__exit__(None, None, None)
        assert again
        assert list(free.counters.waits["acme"]) == ["a"]


def test_a_place_that_cannot_be_left_ends_by_itself() -> None:
    free = Free(waiting_requests=1)

    def fail(*_: object) -> None:
        raise UnavailableError("table down")

    leave, free.counters.leave = free.counters.leave, fail  # type: ignore[method-assign]
    with free.process().waiting("acme", "a", 20) as may_wait:
        assert may_wait
    free.counters.leave = leave  # type: ignore[method-assign]
    free.clock.advance(seconds=31)
    with free.process().waiting("acme", "b", 20) as may_wait:
        assert may_wait
