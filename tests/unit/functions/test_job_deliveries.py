"""What becomes of jobs when something fails, at the times that are deployed, on a clock of ours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.deliveries import Died, FakeDeliveries
from tests.fakes.world import caller
from tests.unit.functions.test_invoke import Gateway
from tollgate.domain.errors import UnavailableError
from tollgate.domain.jobs import (
    MAX_RECEIVES,
    QUEUE_SECONDS,
    RETRY_SECONDS,
    RUN_SECONDS,
    VISIBILITY_SECONDS,
)
from tollgate.services.policy import CACHE_SECONDS
from tollgate_stream.service import StreamService

if TYPE_CHECKING:
    from collections.abc import Callable

# The SDK's own tries take so long before a dependency counts as out of reach.
GIVEN_UP_SECONDS = 12
# All that a producer asks for before its call, as an attribute of the world's.
BEFORE_THE_CALL = [
    "jobs.get",
    "payloads.get",
    "tenants.policy",
    "runtime.prepare",
    "jobs.claim",
]


class DeployedGateway(Gateway):
    """Both functions, and the queue between them as it is deployed."""

    def __init__(self) -> None:
        super().__init__()
        self.deliveries = FakeDeliveries(
            self.clock, visibility_seconds=VISIBILITY_SECONDS, max_receives=MAX_RECEIVES
        )
        self.queue = self.deliveries  # type: ignore[assignment]
        self.wire()
        self.repeat()
        self.stream = StreamService(self.runner, self.reader, self.policies, self.queue)

    def hinder(self, place: str, fail: Callable[[], None]) -> None:
        """Let something happen at each call of a method, before it does anything."""
        name, method = place.split(".")
        owner = getattr(self, name)
        call = getattr(owner, method)

        def hindered(*arguments: Any) -> Any:  # noqa: ANN401 - any method's
            fail()
            return call(*arguments)

        setattr(owner, method, hindered)

    def down(self, place: str, seconds: float) -> None:
        """Let a dependency be out of reach for so long from now."""
        until = self.clock() + timedelta(seconds=seconds)

        def fail() -> None:
            if self.clock() < until:
                self.clock.advance(seconds=GIVEN_UP_SECONDS)
                raise UnavailableError("out of reach", details={"dependency": place})

        self.hinder(place, fail)

    def deliver_all(self) -> None:
        self.deliveries.deliver_all(self.stream.run)

    def poll(self, job_id: str) -> tuple[str, str | None]:
        """State and error of a job as its caller sees it."""
        job = self.reader.read(caller(), job_id, cursor=0, wait=0).job
        error = job.result.get("error")
        return job.status, None if error is None else error["code"]

    def start_late(self) -> str:
        """Start a job whose tenant's policy is not cached where it runs."""
        job_id = self.start()
        self.clock.advance(seconds=CACHE_SECONDS)
        return job_id


@pytest.mark.parametrize("place", [*BEFORE_THE_CALL, "accounts.extend"])
@pytest.mark.parametrize("seconds", [1, 300, QUEUE_SECONDS - 60])
def test_a_job_survives_an_outage_that_its_deadline_outlasts(place: str, seconds: int) -> None:
    world = DeployedGateway()
    job_id = world.start_late()
    world.down(place, seconds)

    world.deliver_all()

    assert world.poll(job_id) == ("succeeded", None)
    assert len(world.runtime.requests) == 1
    assert (world.row.status, world.open_holds) == ("ok", 0)
    assert world.deliveries.dead == []


@pytest.mark.parametrize("place", BEFORE_THE_CALL)
def test_a_job_whose_deadline_ends_in_an_outage_is_not_called_later(place: str) -> None:
    world = DeployedGateway()
    job_id = world.start_late()
    world.down(place, QUEUE_SECONDS + 30)

    world.deliver_all()

    assert world.poll(job_id) == ("failed", "job_expired")
    assert world.runtime.requests == []
    assert world.usage.rows == {}
    assert world.deliveries.dead == []


@pytest.mark.parametrize("place", BEFORE_THE_CALL)
def test_a_job_survives_a_process_that_dies_before_its_call(place: str) -> None:
    world = DeployedGateway()
    job_id = world.start_late()
    deaths = iter([True])

    def die() -> None:
        if next(deaths, False):
            raise Died

    world.hinder(place, die)
    began = world.clock()
    world.deliver_all()

    assert world.poll(job_id) == ("succeeded", None)
    assert len(world.runtime.requests) == 1
    assert world.clock() - began == timedelta(seconds=VISIBILITY_SECONDS)


@pytest.mark.parametrize("seconds", [5, VISIBILITY_SECONDS])
def test_a_call_that_may_be_paid_is_never_made_again_when_its_process_dies(seconds: int) -> None:
    world = DeployedGateway()
    job_id = world.start()

    def die() -> None:
        world.clock.advance(seconds=seconds)
        raise Died

    world.runtime.during_call = die
    world.deliver_all()

    assert len(world.runtime.requests) == 1
    assert world.deliveries.messages == world.deliveries.dead == []
    # What it may have cost stays held until the sweep books it.
    assert world.open_holds == 1
    world.clock.advance(seconds=RUN_SECONDS)
    assert world.poll(job_id) == ("failed", "job_expired")


def test_a_paid_job_survives_a_table_that_is_away_for_half_a_minute() -> None:
    world = DeployedGateway()
    job_id = world.start()
    world.down("jobs.finish", 30)

    world.deliver_all()

    assert world.poll(job_id) == ("succeeded", None)
    assert len(world.runtime.requests) == 1


def test_a_paid_job_whose_end_cannot_be_written_is_not_called_again() -> None:
    world = DeployedGateway()
    job_id = world.start()
    world.down("jobs.finish", 300)

    world.deliver_all()

    assert len(world.runtime.requests) == len(world.usage.rows) == 1
    world.clock.advance(seconds=RUN_SECONDS)
    assert world.poll(job_id) == ("failed", "job_expired")


def test_what_failed_together_does_not_come_back_together() -> None:
    world = DeployedGateway()
    jobs = [world.start() for _ in range(40)]
    until = world.clock() + timedelta(seconds=1)

    def fail() -> None:
        if world.clock() < until:
            raise UnavailableError("out of reach")

    world.hinder("payloads.get", fail)
    world.deliver_all()

    assert all(RETRY_SECONDS[0] <= pause <= RETRY_SECONDS[1] for pause in world.deliveries.pauses)
    assert len(world.deliveries.pauses) == len(jobs)
    assert len(set(world.deliveries.pauses)) > 1
    assert {world.poll(job_id) for job_id in jobs} == {("succeeded", None)}


def test_a_queue_that_cannot_be_told_brings_the_job_back_in_time() -> None:
    world = DeployedGateway()
    job_id = world.start()
    world.down("payloads.get", 60)
    world.down("deliveries.retry", 60)
    began = world.clock()

    world.deliver_all()

    assert world.poll(job_id) == ("succeeded", None)
    assert world.clock() - began == timedelta(seconds=VISIBILITY_SECONDS)


@pytest.mark.parametrize("body", ["no JSON", '{"tenant_id": 7}'])
def test_a_message_that_is_no_job_becomes_a_dead_one_and_delays_nobody(body: str) -> None:
    world = DeployedGateway()
    world.deliveries.put(body)
    job_id = world.start()
    ends: list[datetime] = []
    world.runtime.during_call = lambda: ends.append(world.clock())
    began = world.clock()

    world.deliver_all()

    assert world.poll(job_id)[0] == "succeeded"
    assert ends == [began]
    (dead,) = world.deliveries.dead
    assert (dead.body, dead.receives) == (body, MAX_RECEIVES)
