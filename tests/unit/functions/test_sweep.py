"""Ending holds whose caller died."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.world import app, tenant
from tests.unit.shared.test_jobs import JobWorld
from tollgate.domain.errors import TollgateError
from tollgate.domain.tenants import Budget
from tollgate_sweep.service import SweepService


class SweepWorld(JobWorld):
    """A gateway and its sweep over the same fakes."""

    def __init__(self) -> None:
        super().__init__()
        self.sweep = SweepService(
            accounts=self.accounts,
            usage=self.usage,
            tenants=self.tenants,
            jobs=self.jobs,
            region="us-east-1",
            price_version="2026-11-01",
            clock=self.clock,
        )

    def check_books(self) -> None:
        for account in self.accounts.scan():
            assert account.month_committed == account.month_spent + account.held
            assert account.month_spent == sum(r.total_cost for r in self.usage.rows.values())


def test_a_live_hold_is_left_alone() -> None:
    world = SweepWorld()
    world.admit()

    assert world.sweep.sweep() == {"settled": 0, "orphaned": 0, "released": 0}
    assert world.open_holds == 1


def test_a_call_whose_caller_died_is_booked_at_its_hold() -> None:
    world = SweepWorld()
    held = world.admit().lease.hold
    world.clock.advance(seconds=301)

    assert world.sweep.sweep() == {"settled": 0, "orphaned": 1, "released": 0}

    row = world.row
    assert (row.status, row.usage_source, row.error_code) == ("orphaned", "hold", "caller_lost")
    assert row.total_cost == row.other_cost == held.usd
    assert (row.tenant_id, row.app_id, row.cost_center) == ("acme", "web", "CC-1")
    assert world.open_holds == 0
    world.check_books()


def test_sweeping_again_changes_nothing() -> None:
    world = SweepWorld()
    world.admit()
    world.clock.advance(seconds=301)
    world.sweep.sweep()

    assert world.sweep.sweep() == {"settled": 0, "orphaned": 0, "released": 0}
    world.check_books()


def test_a_settlement_that_stopped_half_way_is_finished_at_its_row() -> None:
    world = SweepWorld()
    admitted = world.admit()
    hold = admitted.lease.hold
    answer = world.calls.chat(admitted)
    # The row is there; the account still has the hold.
    account = world.accounts.get("tenant#acme")
    assert account is not None
    held = {"month_committed": hold.usd, "day_committed": hold.usd}
    world.accounts.place(
        replace(account, **held, month_spent=0, day_spent=0, holds={hold.request_id: hold})
    )
    world.clock.advance(seconds=301)

    assert world.sweep.sweep() == {"settled": 1, "orphaned": 0, "released": 0}

    swept = world.accounts.get("tenant#acme")
    assert swept is not None
    assert swept.month_spent == swept.month_committed == answer.cost.total
    assert len(world.usage.rows) == 1


def test_a_leaf_hold_without_the_tenants_was_never_called() -> None:
    world = SweepWorld()
    world.tenants.tenants["acme"] = tenant(apps={"web": app(budget=Budget(month=10**15))})
    admitted = world.admit()
    # The process died between the two accounts.
    world.accounts.settle("tenant#acme", admitted.lease.hold, 0, None)
    world.clock.advance(seconds=301)

    assert world.sweep.sweep() == {"settled": 0, "orphaned": 0, "released": 1}
    assert world.usage.rows == {}
    assert world.open_holds == 0


def test_both_scopes_of_a_dead_call_are_booked_once() -> None:
    world = SweepWorld()
    world.tenants.tenants["acme"] = tenant(apps={"web": app(budget=Budget(month=10**15))})
    world.admit()
    world.clock.advance(seconds=301)

    world.sweep.sweep()

    assert len(world.usage.rows) == 1
    assert world.open_holds == 0
    world.check_books()


def test_a_job_that_nobody_claimed_costs_nothing() -> None:
    world = SweepWorld()
    job_id = world.start()
    world.clock.advance(seconds=2000)

    assert world.sweep.sweep() == {"settled": 0, "orphaned": 0, "released": 1}

    assert (world.row.status, world.row.total_cost) == ("error", 0)
    job = world.jobs.get(job_id)
    assert job is not None
    assert job.status == "failed"
    world.runner.run(job_id)
    assert world.runtime.requests == []


def test_a_job_whose_producer_died_is_booked_at_its_hold() -> None:
    world = SweepWorld()
    job_id = world.start()
    world.runtime.error = TollgateError("cut", may_be_billed=True)
    world.runner.run(job_id)
    world.clock.advance(seconds=2000)

    assert world.sweep.sweep()["orphaned"] == 1
    assert world.row.total_cost == world.row.held
    world.check_books()


def test_a_tenant_that_was_removed_is_still_booked() -> None:
    world = SweepWorld()
    world.admit()
    world.tenants.tenants.clear()
    world.clock.advance(seconds=301)

    world.sweep.sweep()

    assert (world.row.tenant_id, world.row.cost_center) == ("acme", "")


def test_a_caller_that_outlives_its_lease_agrees_with_the_sweep() -> None:
    world = SweepWorld()
    admitted = world.admit()
    world.clock.advance(seconds=301)

    def sweep_meanwhile() -> None:
        assert world.sweep.sweep()["orphaned"] == 1

    world.runtime.during_call = sweep_meanwhile

    world.calls.chat(admitted)

    assert world.row.status == "orphaned"
    world.check_books()
