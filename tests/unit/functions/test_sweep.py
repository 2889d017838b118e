"""Ending holds whose caller died."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.invocation_logs import FakeInvocationLogs
from tests.fakes.world import NOVA_LITE, app, caller, tenant
from tests.unit.services.test_calls import BOOK
from tests.unit.services.test_jobs import JobWorld
from tollgate.domain.errors import StreamBrokenError, UnavailableError, UpstreamTimeoutError
from tollgate.domain.invocation_logs import LoggedCall
from tollgate.domain.ledger import Windows
from tollgate.domain.prices import TokenUsage
from tollgate.domain.tenants import Budget, BusinessUnit, Guardrail, InferenceProfile, Limits, Silo
from tollgate.ports import Unreadable
from tollgate.services.leases import LEASE_SECONDS
from tollgate.services.policy import CACHE_SECONDS
from tollgate.services.pricing import Pricing
from tollgate_sweep.rows import Rows
from tollgate_sweep.service import SweepService


class SweepWorld(JobWorld):
    """A gateway and its sweep over the same fakes."""

    def __init__(self, *, logged: bool = False) -> None:
        super().__init__()
        self.logs = FakeInvocationLogs()
        self.calls = self.calls_over(self.usage, logged=logged)
        self.wire()
        self.sweep = SweepService(
            accounts=self.accounts,
            usage=self.usage,
            jobs=self.jobs,
            rows=Rows(self.tenants, Pricing(BOOK, "us-east-1"), "us-east-1", "123456789012"),
            logs=self.logs if logged else None,
            log_grace=timedelta(minutes=65),
            clock=self.clock,
        )

    def check_books(self) -> None:
        for account in self.accounts.scan():
            assert account.month_committed == account.month_spent + account.held
            assert account.month_spent == sum(r.total_cost for r in self.usage.rows.values())

    def log(self, request_id: str, **changes: Any) -> None:  # noqa: ANN401
        """Have a call of 10 input and 5 output tokens logged."""
        call = LoggedCall(request_id, TokenUsage(input=10, output=5), "default", None, None)
        self.logs.log(replace(call, **changes))


def counts(**changed: int) -> dict[str, int]:
    names = ("settled", "resolved", "orphaned", "released", "waiting", "failed")
    return {**dict.fromkeys(names, 0), **changed}


def test_a_live_hold_is_left_alone() -> None:
    world = SweepWorld()
    world.admit()

    assert world.sweep.sweep() == counts()
    assert world.open_holds == 1


def test_a_call_whose_caller_died_is_booked_at_its_hold() -> None:
    world = SweepWorld()
    held = world.admit().lease.hold
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(orphaned=1)

    row = world.row
    assert (row.status, row.usage_source, row.error_code) == ("orphaned", "hold", "caller_lost")
    assert row.total_cost == row.other_cost == held.usd
    assert (row.input_tokens, row.output_tokens) == (held.tokens - 100, 100)
    assert (row.tenant_id, row.app_id, row.cost_center) == ("acme", "web", "CC-1")
    assert world.open_holds == 0
    world.check_books()


def test_a_lost_call_is_booked_to_its_end_user_unit_and_account() -> None:
    world = SweepWorld()
    silo = Silo("arn:aws:iam::999999999999:role/tollgate/tenant", "external")
    world.tenants.units["retail"] = BusinessUnit("retail", "Retail", "Jo", Budget())
    for isolation, account_id in (("pool", "123456789012"), ("silo", "999999999999")):
        world.usage.rows.clear()
        world.tenants.tenants["acme"] = tenant(
            business_unit="retail", isolation=isolation, silo=silo
        )
        world.clock.advance(seconds=CACHE_SECONDS)
        world.admit(end_user="u-1")
        world.clock.advance(seconds=LEASE_SECONDS + 1)

        assert world.sweep.sweep() == counts(orphaned=1)

        row = world.row
        assert (row.end_user, row.business_unit, row.account_id) == ("u-1", "retail", account_id)


def test_sweeping_again_changes_nothing() -> None:
    world = SweepWorld()
    world.admit()
    world.clock.advance(seconds=LEASE_SECONDS + 1)
    world.sweep.sweep()

    assert world.sweep.sweep() == counts()
    world.check_books()


def test_a_settlement_that_stopped_half_way_is_finished_at_its_row() -> None:
    world = SweepWorld()
    admitted = world.admit()
    hold = admitted.lease.hold
    answer = world.calls.run(admitted)
    # The row is there; the account still has the hold.
    account = world.accounts.get("tenant#acme")
    assert account is not None
    held = {"month_committed": hold.usd, "day_committed": hold.usd}
    world.accounts.place(
        replace(account, **held, month_spent=0, day_spent=0, holds={hold.request_id: hold})
    )
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(settled=1)

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
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(released=1)
    assert world.usage.rows == {}
    assert world.open_holds == 0


@pytest.mark.parametrize(("span", "requests"), [(LEASE_SECONDS + 1, 0), (86400, 1)])
def test_a_call_that_died_before_its_tenants_hold_counts_nowhere(span: int, requests: int) -> None:
    world = SweepWorld()
    limited = app(limits=Limits(requests_per_day=2))
    world.tenants.tenants["acme"] = tenant(apps={"web": limited}, limits=Limits(requests_per_day=1))
    world.calls.run(world.admit())
    withdraw = world.accounts.withdraw
    world.accounts.withdraw = lambda *_: die()  # type: ignore[method-assign]
    with pytest.raises(Died):
        world.admit()
    world.accounts.withdraw = withdraw  # type: ignore[method-assign]
    assert figures(world) == (2, 2)
    world.clock.advance(seconds=span)
    if span == 86400:
        world.calls.run(world.admit())  # of the next day, which owes the dead call nothing

    assert world.sweep.sweep() == counts(released=1)
    assert world.sweep.sweep() == counts()

    assert figures(world) == (1, 1)
    assert world.open_holds == 0
    assert len(world.usage.rows) == 1 + requests
    world.check_books()


def figures(world: SweepWorld) -> tuple[int, int]:
    """What the app counts of this day and minute."""
    account = world.accounts.get("app#acme/web")
    assert account is not None
    return account.day_requests, account.minute_requests


def unit_world() -> SweepWorld:
    """A gateway whose tenant belongs to a business unit with a budget."""
    world = SweepWorld()
    world.tenants.units["retail"] = BusinessUnit("retail", "Retail", "Jo", Budget(month=10**15))
    world.tenants.tenants["acme"] = tenant(
        business_unit="retail", limits=Limits(requests_per_day=1), apps={"web": app()}
    )
    return world


def test_a_dead_call_is_booked_on_its_business_units_account_too() -> None:
    world = unit_world()
    held = world.admit().lease.hold
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(orphaned=1)

    assert (world.row.tenant_id, world.row.business_unit) == ("acme", "retail")
    unit = world.accounts.get("business_unit#retail")
    assert unit is not None
    assert (unit.month_spent, unit.month_committed, unit.holds) == (held.usd, held.usd, {})
    world.check_books()


def test_a_row_keeps_the_business_unit_whose_budget_held_its_call() -> None:
    world = unit_world()
    world.admit()
    policy = world.tenants.tenants["acme"]
    world.tenants.tenants["acme"] = replace(policy, business_unit=None)
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(orphaned=1)
    assert world.row.business_unit == "retail"


def test_a_call_that_died_before_its_business_units_hold_was_never_made() -> None:
    world = unit_world()
    hold = world.admit().lease.hold
    # The process died between the tenant's account and the unit's.
    world.accounts.withdraw("business_unit#retail", replace(hold, minute=minute_of(world)))
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(released=1)

    assert world.usage.rows == {}
    assert world.open_holds == 0
    tenants = world.accounts.get("tenant#acme")
    assert tenants is not None
    assert (tenants.month_committed, tenants.day_requests) == (0, 0)


def test_a_settlement_that_died_before_the_business_units_account_is_finished() -> None:
    world = unit_world()
    admitted = world.admit()
    answer = world.calls.run(admitted)
    unit = world.accounts.get("business_unit#retail")
    assert unit is not None
    held = admitted.lease.hold
    open_again = {"month_committed": held.usd, "day_committed": held.usd}
    world.accounts.place(
        replace(unit, **open_again, month_spent=0, day_spent=0, holds={held.request_id: held})
    )
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(settled=1)

    swept = world.accounts.get("business_unit#retail")
    assert swept is not None
    assert swept.month_spent == swept.month_committed == answer.cost.total


@pytest.mark.parametrize("request_known", [True, False])
@pytest.mark.parametrize(
    ("account_id", "is_kept"),
    [("business_unit#retail", True), ("business_unit#other", False), ("tenant#acme", False)],
)
def test_what_a_business_units_account_may_hold_is_not_withdrawn(
    account_id: str, is_kept: bool, request_known: bool
) -> None:
    world = unit_world()
    hold = world.admit().lease.hold
    world.accounts.withdraw("business_unit#retail", replace(hold, minute=minute_of(world)))
    world.clock.advance(seconds=LEASE_SECONDS + 1)
    request_id = hold.request_id if request_known else None
    world.accounts.unreadable = [Unreadable(account_id, request_id, "no number")]
    is_kept = is_kept or (request_known and account_id.startswith("business_unit#"))

    assert world.sweep.sweep() == counts(released=int(not is_kept), failed=1)
    assert world.open_holds == int(is_kept)


def minute_of(world: SweepWorld) -> str:
    return Windows.at(world.clock()).minute


def test_both_scopes_of_a_dead_call_are_booked_once() -> None:
    world = SweepWorld()
    world.tenants.tenants["acme"] = tenant(apps={"web": app(budget=Budget(month=10**15))})
    world.admit()
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    world.sweep.sweep()

    assert len(world.usage.rows) == 1
    assert world.open_holds == 0
    world.check_books()


def test_a_job_that_nobody_claimed_costs_nothing() -> None:
    world = SweepWorld()
    job_id = world.start()
    world.clock.advance(seconds=2000)

    assert world.sweep.sweep() == counts(released=1)

    assert (world.row.status, world.row.total_cost) == ("error", 0)
    job = world.jobs.get("acme", job_id)
    assert job is not None
    assert job.status == "failed"
    world.runner.run("acme", job_id)
    assert world.runtime.requests == []


class Died(BaseException):
    """The process is gone: nothing after this line runs."""


def die() -> None:
    raise Died


def test_a_job_whose_producer_died_is_booked_at_its_hold_and_fails() -> None:
    world = SweepWorld()
    job_id = world.start()
    world.runtime.during_call = die
    with pytest.raises(Died):
        world.runner.run("acme", job_id)
    world.clock.advance(seconds=2000)

    assert world.sweep.sweep() == counts(orphaned=1)

    assert (world.row.status, world.row.usage_source) == ("orphaned", "hold")
    assert world.row.total_cost == world.row.held
    job = world.jobs.get("acme", job_id)
    assert job is not None
    assert (job.status, job.result["error"]["code"]) == ("failed", "job_expired")
    world.check_books()


def test_a_job_whose_producer_died_after_its_row_fails_at_what_it_cost() -> None:
    world = SweepWorld()
    job_id = world.start()
    settle = world.accounts.settle
    world.accounts.settle = lambda *_: die()  # type: ignore[method-assign]
    with pytest.raises(Died):
        world.runner.run("acme", job_id)
    world.accounts.settle = settle  # type: ignore[method-assign]
    world.clock.advance(seconds=2000)

    assert world.sweep.sweep() == counts(settled=1)

    assert world.row.status == "ok"
    job = world.jobs.get("acme", job_id)
    assert job is not None
    assert job.status == "failed"
    world.check_books()


def test_a_tenant_that_was_removed_is_still_booked() -> None:
    world = SweepWorld()
    world.admit()
    world.tenants.tenants.clear()
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    world.sweep.sweep()

    assert (world.row.tenant_id, world.row.cost_center) == ("acme", "")


def test_a_caller_that_outlives_its_lease_agrees_with_the_sweep() -> None:
    world = SweepWorld()
    admitted = world.admit()
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    def sweep_meanwhile() -> None:
        assert world.sweep.sweep()["orphaned"] == 1

    world.runtime.during_call = sweep_meanwhile

    world.calls.run(admitted)

    assert world.row.status == "orphaned"
    world.check_books()


# --- With invocation logs -----------------------------------------------------------------------


def test_a_logged_call_is_booked_at_what_it_used() -> None:
    world = SweepWorld(logged=True)
    admitted = world.admit()
    world.log(admitted.request_id, stop_reason="end_turn")
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(resolved=1)

    row = world.row
    assert (row.status, row.usage_source, row.error_code) == ("orphaned", "provider", "caller_lost")
    assert (row.input_tokens, row.output_tokens, row.stop_reason) == (10, 5, "end_turn")
    assert row.total_cost == 10 * 2_000_000 + 5 * 10_000_000
    assert (row.price_version, row.priced) == ("2026-11-01", True)
    assert world.open_holds == 0
    world.check_books()


def test_a_call_waits_for_its_log_and_is_then_taken_as_never_made() -> None:
    world = SweepWorld(logged=True)
    world.admit()
    world.clock.advance(seconds=LEASE_SECONDS - 1 + 65 * 60)

    assert world.sweep.sweep() == counts(waiting=1)
    assert world.open_holds == 1
    world.clock.advance(seconds=2)
    assert world.sweep.sweep() == counts(released=1)

    assert (world.row.status, world.row.error_code) == ("error", "never_called")
    assert world.row.total_cost == 0
    assert world.open_holds == 0
    world.check_books()


@pytest.mark.parametrize("isolation", ["pool", "silo"])
def test_what_another_accounts_logs_may_have_is_booked_at_its_hold(isolation: str) -> None:
    silo = Silo("arn:aws:iam::111122223333:role/tollgate/t/acme", "x-1")
    world = SweepWorld(logged=True)
    world.tenants.tenants["acme"] = tenant(isolation=isolation, silo=silo)
    world.admit()
    world.clock.advance(hours=2)

    assert world.sweep.sweep() == counts(orphaned=1)
    assert (world.row.usage_source, world.row.total_cost) == ("hold", world.row.held)


def test_what_incomplete_logs_lack_is_booked_at_its_hold() -> None:
    world = SweepWorld(logged=True)
    world.admit()
    world.logs.complete = False
    world.clock.advance(seconds=LEASE_SECONDS + 1)
    assert world.sweep.sweep() == counts(waiting=1)
    world.clock.advance(minutes=65)

    assert world.sweep.sweep() == counts(orphaned=1)

    assert (world.row.usage_source, world.row.total_cost) == ("hold", world.row.held)
    world.check_books()


def test_a_log_is_looked_for_every_five_minutes_and_at_the_end() -> None:
    world = SweepWorld(logged=True)
    first = world.admit().request_id
    world.clock.advance(seconds=LEASE_SECONDS + 1)
    for _ in range(10):
        assert world.sweep.sweep() == counts(waiting=1)
        world.clock.advance(minutes=1)
    assert [len(search) for search in world.logs.searches] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]

    second = world.admit().request_id
    world.clock.advance(seconds=LEASE_SECONDS + 1)
    world.sweep.sweep()
    assert world.logs.searches[-1] == {first, second}
    world.clock.advance(minutes=3)
    world.sweep.sweep()
    assert world.logs.searches[-1] == set()
    # The first one's time is over, whenever it was looked for.
    world.clock.advance(minutes=49)
    world.sweep.sweep()
    world.log(first)
    world.clock.advance(minutes=2)
    assert world.sweep.sweep() == counts(resolved=1, waiting=1)
    assert world.logs.searches[-1] == {first}


def test_a_lost_answer_is_resolved_by_the_next_sweep() -> None:
    world = SweepWorld(logged=True)
    world.runtime.error = UpstreamTimeoutError("gone", may_be_billed=True)
    admitted = world.admit()
    with pytest.raises(UpstreamTimeoutError):
        world.calls.run(admitted)
    world.log(admitted.request_id)
    world.clock.advance(seconds=1)

    assert world.sweep.sweep() == counts(resolved=1)
    assert world.open_holds == 0


def test_a_broken_stream_of_a_live_producer_is_an_aborted_call() -> None:
    world = SweepWorld(logged=True)
    world.runtime.error = StreamBrokenError("cut", may_be_billed=True)
    job_id = world.start()
    world.runner.run("acme", job_id)
    world.log(job_id)
    world.clock.advance(seconds=1)

    assert world.sweep.sweep() == counts(resolved=1)

    row = world.row
    assert (row.status, row.error_code) == ("aborted", "upstream_stream_broken")
    assert (row.http_status, row.usage_source) == (502, "provider")
    assert world.reader.read(caller(), job_id, cursor=0, wait=0).job.result["error"]["code"] == (
        "upstream_stream_broken"
    )


def test_a_call_that_failed_upstream_costs_what_was_logged() -> None:
    world = SweepWorld(logged=True)
    first, second = world.admit(), world.admit()
    world.log(first.request_id, error_code="ThrottlingException", usage=TokenUsage())
    world.log(second.request_id, error_code="ModelStreamErrorException")
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(resolved=2)

    rows = world.usage.rows
    throttled, broken = rows[first.request_id], rows[second.request_id]
    assert (throttled.status, throttled.http_status, throttled.total_cost) == ("error", 502, 0)
    assert throttled.error_code == "ThrottlingException"
    assert (broken.status, broken.total_cost) == ("error", 10 * 2_000_000 + 5 * 10_000_000)
    world.check_books()


def test_what_was_logged_above_the_bound_is_booked_at_the_bound_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SweepWorld(logged=True)
    admitted = world.admit()
    world.log(admitted.request_id, usage=TokenUsage(input=10**9, output=5))
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(resolved=1)

    assert (world.row.usage_source, world.row.total_cost) == ("bound", admitted.hold.usd)
    assert "counted above the bound" in caplog.text
    world.check_books()


def test_a_success_that_was_logged_without_figures_is_booked_at_its_hold() -> None:
    world = SweepWorld(logged=True)
    world.log(world.admit().request_id, usage=None)
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    world.sweep.sweep()

    assert (world.row.usage_source, world.row.total_cost) == ("hold", world.row.held)


def test_cache_writes_of_unknown_lifetime_count_as_the_dearer() -> None:
    world = SweepWorld(logged=True)
    rates = {"cache_write_5m": "3", "cache_write_1h": "4"}
    world.tenants.tenants["acme"] = tenant(prices={NOVA_LITE: {"in_region": {"default": rates}}})
    usage = TokenUsage(input=10, output=5, cache_write_5m=7)
    world.log(world.admit().request_id, usage=usage, split_known=False)
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    world.sweep.sweep()

    row = world.row
    assert (row.cache_write_5m_tokens, row.cache_write_1h_tokens) == (0, 7)
    assert (row.cache_cost, row.usage_source) == (7 * 4_000_000, "estimated")
    assert row.price_version.startswith("2026-11-01+")


def test_a_model_that_lost_its_price_is_booked_at_its_hold_and_flagged() -> None:
    world = SweepWorld(logged=True)
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123"
    admitted = world.admit()
    account = world.accounts.get("tenant#acme")
    assert account is not None
    hold = replace(admitted.hold, model=arn)
    world.accounts.place(replace(account, holds={hold.request_id: hold}))
    world.log(hold.request_id)
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    world.sweep.sweep()

    assert (world.row.model_id, world.row.priced) == (arn, False)
    assert (world.row.input_tokens, world.row.total_cost) == (10, hold.usd)


def test_all_unknown_calls_are_looked_for_at_once() -> None:
    world = SweepWorld(logged=True)
    ids = {world.admit().request_id for _ in range(3)}
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    world.sweep.sweep()

    assert world.logs.searches == [ids]


def test_jobs_and_settlements_end_although_the_logs_are_down() -> None:
    class Down(FakeInvocationLogs):
        def find(self, requests: object) -> Any:  # noqa: ANN401, ARG002
            raise UnavailableError("bucket down")

    world = SweepWorld(logged=True)
    world.start()
    waiting = world.admit()
    sweep = SweepService(
        accounts=world.accounts,
        usage=world.usage,
        jobs=world.jobs,
        rows=Rows(world.tenants, Pricing(BOOK, "us-east-1"), "us-east-1", "123456789012"),
        logs=Down(),
        log_grace=timedelta(minutes=65),
        clock=world.clock,
    )
    world.clock.advance(seconds=2000)

    assert sweep.sweep() == counts(released=1, failed=1)

    account = world.accounts.get("tenant#acme")
    assert account is not None
    assert set(account.holds) == {waiting.request_id}
    assert world.sweep.sweep() == counts(waiting=1)


def test_a_lost_call_through_the_apps_own_profile_is_booked_with_it() -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/own1"
    own = InferenceProfile("chat", NOVA_LITE, arn, {"project": "p1"})
    world = SweepWorld()
    acme = tenant(apps={"web": app(inference_profiles={"chat": own})})
    world.tenants.tenants["acme"] = acme
    world.admit()
    world.clock.advance(hours=1)

    world.sweep.sweep()

    assert (world.row.inference_profile_arn, world.row.model_id) == (arn, NOVA_LITE)
    assert world.row.tags == {"owner": "search", "env": "t", "project": "p1"}


def test_a_lost_call_whose_app_is_gone_is_booked_all_the_same() -> None:
    world = SweepWorld()
    world.admit()
    world.tenants.tenants["acme"] = tenant(apps={})
    world.clock.advance(hours=1)

    world.sweep.sweep()

    assert (world.row.inference_profile_arn, world.row.model_id) == (None, NOVA_LITE)
    assert world.row.tags == {"owner": "search"}


def test_a_stream_on_the_open_connection_is_no_job() -> None:
    world = SweepWorld()
    held = world.admit(streamed=True, dialect="openai.chat").lease.hold
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    # Nobody polls it, so that there is no job; the call may have been made all the same.
    assert world.sweep.sweep() == counts(orphaned=1)
    assert world.row.total_cost == held.usd
    world.check_books()


def test_a_lost_endpoint_call_is_booked_at_its_hold_whatever_the_logs_say() -> None:
    world = SweepWorld(logged=True)
    held = world.admit(dialect="legacy.endpoint").lease.hold
    world.clock.advance(hours=3)

    assert world.sweep.sweep() == counts(orphaned=1)
    assert world.row.total_cost == held.usd


def test_a_guarded_call_is_booked_at_its_hold_as_logs_have_tokens_only() -> None:
    world = SweepWorld(logged=True)
    held = world.admit().lease.hold
    world.tenants.tenants["acme"] = tenant(guardrail=Guardrail("gr-1", "1"))
    world.log(held.request_id)
    world.clock.advance(seconds=LEASE_SECONDS + 1)

    assert world.sweep.sweep() == counts(resolved=1)
    assert world.row.total_cost == held.usd
