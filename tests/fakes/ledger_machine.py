"""Every order in which calls, crashes, sweeps and changes of policy can meet in the ledger.

A state machine for Hypothesis: its rules start calls and sweeps, let them make a step each, crash
them or lose an answer, move the clock and change the tenant's policy. After every step the books
must balance, and an account must count the calls that it holds or that have a row, and no other; in
the end, every call has one row and every account equals its rows.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.fakes.jobs import FakeJobs
from tests.fakes.ledger import FakeAccounts, FakeTenants, FakeUsage
from tests.fakes.schedules import DISTURBANCES, Actor, Command, Stepping
from tests.fakes.usage_rows import usage_row
from tests.fakes.world import NOVA_LITE, NOW, FakeClock, app, caller, tenant
from tests.unit.services.test_calls import BOOK
from tollgate.domain.errors import ForbiddenError, UnavailableError
from tollgate.domain.ledger import (
    Account,
    Hold,
    Scope,
    is_business_unit_account,
    is_tenant_account,
    scopes_of,
)
from tollgate.domain.shards import layout_of
from tollgate.domain.tenants import Budget, BusinessUnit, Limits
from tollgate.ports import Accounts, Admitted, Usage
from tollgate.services.ledger import Ledger, RefusedError
from tollgate.services.policy import Policies
from tollgate.services.pricing import Pricing
from tollgate_sweep.rows import Rows
from tollgate_sweep.service import SweepService

if TYPE_CHECKING:
    from tollgate.domain.usage import UsageRow

TENANT = "tenant#acme"
UNIT = "business_unit#retail"
LEASE_SECONDS = 300
PROCESSES = 3
SPANS = (1, 16, 16, 60, 299, 301, 301, 86400, 31 * 86400)

# Small numbers, so that limits are met exactly and missed by one.
amounts = st.integers(0, 12)
budgets = st.builds(
    Budget,
    month=st.none() | st.integers(0, 40),
    day=st.none() | st.integers(0, 30),
    is_hard=st.sampled_from((True, True, False)),
    is_observed=st.sampled_from((False, False, False, True)),
)
limits = st.just(Limits()) | st.builds(
    Limits,
    requests_per_minute=st.none() | st.integers(1, 6),
    requests_per_day=st.none() | st.integers(1, 12),
    tokens_per_minute=st.none() | st.integers(1, 40),
    concurrent_requests=st.none() | st.integers(1, 5),
)
# Two patterns that the called model matches and one that it does not.
PATTERNS = ("*", "amazon.nova-*", "anthropic.*")
model_limits = st.just({}) | st.dictionaries(st.sampled_from(PATTERNS), limits, max_size=3)
shard_counts = st.sampled_from((1, 2, 2, 3, 5))
processes = st.integers(0, PROCESSES - 1)
apps = st.sampled_from(("web", "bot"))
percents = st.integers(0, 100)
picks = st.integers(0, 59)


@dataclass
class Call:
    """A call of the gateway on its way."""

    request_id: str
    actor: Actor | None = None
    admitted: bool = False
    # The tenant's and its unit's, by the policy that its process knew.
    scopes: dict[str, Scope] = field(default_factory=dict)


@dataclass
class Counted:
    """What a call was counted as when an account admitted it."""

    minute: str
    tokens: int
    refunded: int = 0


class LedgerMachine(RuleBasedStateMachine):
    """The ledger, three processes that use it, and everything that can go wrong."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.quiet = patch("tollgate_sweep.service.log_usage")
        self.quiet.start()
        self.clock = FakeClock()
        self.accounts, self.usage = self.stores()
        self.tenants = FakeTenants(
            tenant(business_unit="retail", apps={"web": app(), "bot": app(app_id="bot")})
        )
        self.tenants.units["retail"] = BusinessUnit("retail", "Retail", "Jo", Budget())
        accounts: Any = Stepping(self.accounts, self.seen)
        usage: Any = Stepping(self.usage, self.seen)
        self.provider = Stepping(self, self.seen, once=frozenset({"bill"}))
        self.ledgers = [Ledger(accounts, usage) for _ in range(PROCESSES)]
        self.policies = [Policies(self.tenants, self.clock) for _ in range(PROCESSES)]
        self.stepping_sweep = self.sweep_over(accounts, usage)
        self.calls: list[Call] = []
        self.sweeps: list[Actor] = []
        self.billed: dict[str, int] = {}
        self.held_at: dict[str, set[str]] = defaultdict(set)
        self.booked: dict[tuple[str, str], int] = {}
        self.opened: dict[str, Account] = {}
        self.counted: dict[str, dict[str, Counted]] = defaultdict(dict)
        self.rows: set[str] = set()
        self.made = 0

    def stores(self) -> tuple[Accounts, Usage]:
        """The tables."""
        return FakeAccounts(), FakeUsage()

    def sweep_over(self, accounts: Accounts, usage: Usage) -> SweepService:
        return SweepService(
            accounts=accounts,
            usage=usage,
            jobs=FakeJobs(),
            rows=Rows(self.tenants, Pricing(BOOK, "us-east-1"), "us-east-1", "123456789012"),
            logs=None,
            log_grace=timedelta(minutes=65),
            clock=self.clock,
        )

    # --- What happens -----------------------------------------------------------------------

    @initialize(
        budget=budgets,
        limits=limits,
        models=model_limits,
        shards=shard_counts,
        web=budgets,
        web_limits=limits,
        unit=st.just(Budget()) | budgets,
    )
    def deploy(  # noqa: PLR0913 - what a policy is made of
        self,
        budget: Budget,
        limits: Limits,
        models: dict[str, Limits],
        shards: int,
        web: Budget,
        web_limits: Limits,
        unit: Budget,
    ) -> None:
        self.set_policy(budget=budget, limits=limits, model_limits=models, shards=shards)
        self.set_web(budget=web, limits=web_limits)
        self.set_unit(budget=unit)

    # Hypothesis leaves rules out of a run at random, so what every run needs is one rule.
    @rule(
        orders=st.lists(st.tuples(processes, apps, amounts, amounts, percents), max_size=4),
        turns=st.lists(picks, max_size=25),
    )
    def work_on(self, orders: list[tuple[int, str, int, int, int]], turns: list[int]) -> None:
        for process, app_id, usd, tokens, percent in orders:
            self.start_call(process, app_id, usd, tokens, usd * percent // 100)
        for turn in turns:
            running = self.running()
            if running:
                running[turn % len(running)].step()

    def start_call(self, process: int, app_id: str, usd: int, tokens: int, cost: int) -> None:
        call = Call(self.request_id())
        hold = Hold(
            call.request_id,
            usd,
            tokens,
            int(self.clock().timestamp()) + LEASE_SECONDS,
            NOVA_LITE,
            app_id,
            f"{app_id}/primary",
            "legacy.chat",
            streamed=False,
        )
        call.actor = Actor(lambda: self.work(call, process, hold, cost))
        self.calls.append(call)

    def work(self, call: Call, process: int, hold: Hold, cost: int) -> None:
        """What a function does with a call."""
        ledger = self.ledgers[process]
        try:
            party = self.policies[process].party(caller(app_id=hold.app_id))
            scopes = scopes_of(party.tenant, party.app, (NOVA_LITE,), party.business_unit)
            call.scopes = {scope.account_id: scope for scope in scopes}
            try:
                lease = ledger.admit(hold, scopes, self.clock())
            except RefusedError as error:
                if error.refusal.is_observed:
                    scopes = tuple(scope.lifted() for scope in scopes)
                # Where less will do, an admission asks again for the same request.
                hold, cost = replace(hold, usd=hold.usd // 2, tokens=hold.tokens // 2), cost // 2
                lease = ledger.admit(hold, scopes, self.clock())
        except (ForbiddenError, RefusedError, UnavailableError):
            return
        call.admitted = True
        try:
            if hold.tokens % 3 == 0 and not ledger.extend(lease, hold.expires_at + LEASE_SECONDS):
                return
            self.provider.bill(hold.request_id, cost)
            if hold.tokens % 5 == 0:
                # A call that takes long: its hold is renewed, unless a sweep has ended it.
                ledger.extend(lease, int(self.clock().timestamp()) + LEASE_SECONDS)
            ledger.settle(lease, self.row(hold, cost))
        except UnavailableError:
            return

    def bill(self, request_id: str, cost: int) -> None:
        """The model service's own record of a call."""
        assert request_id not in self.billed
        self.billed[request_id] = cost

    def row(self, hold: Hold, cost: int) -> UsageRow:
        used = {"input_tokens": hold.tokens // 3, "output_tokens": hold.tokens // 5}
        return usage_row(
            request_id=hold.request_id,
            app_id=hold.app_id,
            total_cost=cost,
            held=hold.usd,
            **used,
        )

    def request_id(self) -> str:
        """A valid id that is the same in every replay."""
        self.made += 1
        milliseconds = f"{int(self.clock().timestamp() * 1000):012x}"
        return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-{self.made * 7919:012x}"

    @rule(steps=st.sampled_from((0, 1, 100)))
    def start_sweep(self, steps: int) -> None:
        self.start_sweep_for(steps)

    def start_sweep_for(self, steps: int) -> None:
        actor = Actor(self.run_sweep)
        self.sweeps.append(actor)
        for _ in range(steps):
            if not actor.is_done:
                actor.step()

    def run_sweep(self) -> None:
        try:
            self.stepping_sweep.sweep()
        except UnavailableError:
            return

    @precondition(lambda self: self.running())
    @rule(pick=picks, commands=st.lists(st.sampled_from(DISTURBANCES), min_size=1, max_size=3))
    def disturb(self, pick: int, commands: list[Command]) -> None:
        running = self.running()
        actor = running[pick % len(running)]
        for command in commands:
            if not actor.is_done:
                actor.step(command)

    @rule(latest_first=st.booleans())
    def run_on(self, latest_first: bool) -> None:  # noqa: FBT001
        running = self.running()
        for actor in reversed(running) if latest_first else running:
            self.finish(actor)

    @rule(seconds=st.sampled_from(SPANS), sweep=st.sampled_from((0, 0, 3, 4, 100)))
    def wait(self, seconds: int, sweep: int) -> None:
        self.clock.advance(seconds=seconds)
        # A function that takes longer than its lease to be admitted has been ended by Lambda.
        for call in self.calls:
            age = self.clock() - datetime.fromtimestamp(self.started(call), tz=NOW.tzinfo)
            if (
                call.actor is not None
                and not call.admitted
                and age >= timedelta(seconds=LEASE_SECONDS)
            ):
                self.finish(call.actor, "crash before")

    @rule(
        changes=st.fixed_dictionaries(
            {},
            optional={
                "budget": budgets,
                "limits": limits,
                "model_limits": model_limits,
                "shards": shard_counts,
            },
        )
    )
    def change_policy(self, changes: dict[str, Any]) -> None:
        self.set_policy(**changes)

    @rule(budget=budgets, limits=limits)
    def change_app(self, budget: Budget, limits: Limits) -> None:
        self.set_web(budget=budget, limits=limits)

    @rule(
        budget=st.just(Budget()) | budgets,
        shards=shard_counts,
        is_member=st.sampled_from((True, True, True, False)),
    )
    def change_unit(self, budget: Budget, shards: int, is_member: bool) -> None:  # noqa: FBT001
        self.set_unit(budget=budget, shards=shards)
        self.set_policy(business_unit="retail" if is_member else None)

    @rule(seconds=st.integers(1, 120), month=st.none() | st.integers(0, 40), hard=st.booleans())
    def override(self, seconds: int, month: int | None, hard: bool) -> None:  # noqa: FBT001
        budget = {
            "month_usd": None if month is None else f"0.{month:012}",
            "mode": "hard" if hard else "soft",
        }
        document = {"expires": self.clock().timestamp() + seconds, "budget": budget}
        self.tenants.overrides["acme"] = json.dumps(document)

    def set_policy(self, **changes: Any) -> None:
        self.tenants.tenants["acme"] = replace(self.tenants.tenants["acme"], **changes)

    def set_unit(self, **changes: Any) -> None:
        self.tenants.units["retail"] = replace(self.tenants.units["retail"], **changes)

    def set_web(self, **changes: Any) -> None:
        apps = self.tenants.tenants["acme"].apps
        self.set_policy(apps={**apps, "web": replace(apps["web"], **changes)})

    # --- Turns ------------------------------------------------------------------------------

    def actors(self) -> list[Actor]:
        calls = [call.actor for call in self.calls if call.actor is not None]
        return [*calls, *self.sweeps]

    def running(self) -> list[Actor]:
        return [actor for actor in self.actors() if not actor.is_done]

    def finish(self, actor: Actor, command: Command = "go") -> None:
        while not actor.is_done:
            actor.step(command)

    def started(self, call: Call) -> float:
        return int(call.request_id.replace("-", "")[:12], 16) / 1000

    # --- What must hold -----------------------------------------------------------------------

    def seen(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:
        """Called after every call of a port."""
        if name == "create" and result:
            (account,) = arguments
            self.opened[account.account_id] = account
        if name == "put":
            self.rows.add(result.request_id)
        if name == "admit" and isinstance(result, Admitted):
            scope, hold, _ = arguments
            self.held_at[scope.account_id].add(hold.request_id)
            self.forget_withdrawn(scope.account_id, hold.request_id)
            self.counted[scope.account_id][hold.request_id] = Counted(
                result.account.minute, hold.tokens
            )
            self.check_admission(scope, hold, result.account)
        if name == "settle" and result is not None:
            account_id, hold, _, refund = arguments
            counted = self.counted[account_id][hold.request_id]
            if refund is not None and counted.minute == result.minute:
                counted.refunded = refund.tokens
        if name not in ("scan", "get", "bill"):
            self.check_books()

    def forget_withdrawn(self, account_id: str, request_id: str) -> None:
        """A call that asks again may be counted on another account of its scope than before."""
        whole = account_id.split("#")[:2]
        for other, counted in self.counted.items():
            if other != account_id and other.split("#")[:2] == whole and request_id in counted:
                standing = self.accounts.get(other)
                if standing is not None and request_id not in standing.holds:
                    del counted[request_id]
                    self.held_at[other].discard(request_id)

    def check_books(self) -> None:
        held_by: dict[tuple[bool, str], str] = {}
        for account in self.accounts.scan():
            held = account.held
            assert account.month_committed == account.month_spent + held, account
            assert account.day_committed == account.day_spent + held, account
            assert 0 <= account.month_carried <= account.month_spent, account
            assert 0 <= account.day_carried <= account.day_spent, account
            assert min(account.minute_tokens, account.minute_requests, account.day_requests) >= 0
            self.check_counts(account)
            key = (account.account_id, account.month)
            self.booked[key] = account.month_spent - account.month_carried
            is_unit = is_business_unit_account(account.account_id)
            if is_unit or is_tenant_account(account.account_id):
                for request_id in account.holds:
                    key_of_hold = (is_unit, request_id)
                    assert key_of_hold not in held_by, (account, held_by[key_of_hold])
                    held_by[key_of_hold] = account.account_id

    def check_counts(self, account: Account) -> None:
        """Requests and tokens are those of calls under way or with a row, in their own windows.

        A call that was refused after all has neither hold nor row, and counts nowhere.
        """
        opened = self.opened[account.account_id]
        counted = [
            call
            for request_id, call in self.counted[account.account_id].items()
            if request_id in account.holds or request_id in self.rows
        ]
        today = [call for call in counted if call.minute[:10] == account.day]
        now = [call for call in counted if call.minute == account.minute]
        carried = opened.day_requests if opened.day == account.day else 0
        assert account.day_requests == carried + len(today), account
        is_opening = opened.minute == account.minute
        carried = opened.minute_requests if is_opening else 0
        assert account.minute_requests == carried + len(now), account
        carried = opened.minute_tokens if is_opening else 0
        used = sum(call.tokens - call.refunded for call in now)
        assert account.minute_tokens == carried + used, account

    def check_admission(self, scope: Scope, hold: Hold, account: Account) -> None:
        """No admission goes beyond the limits that it was made under."""
        # Of a call that an observed scope would have refused, it is asked for nothing.
        shared, counted = scope.budget, scope.limits
        assert not account.frozen
        for used, limit in (
            (account.minute_requests, counted.requests_per_minute),
            (account.day_requests, counted.requests_per_day),
            (account.minute_tokens, counted.tokens_per_minute),
            (len(account.holds), counted.concurrent_requests),
        ):
            assert limit is None or used <= limit
        if shared.is_hard:
            assert shared.month is None or account.month_committed <= shared.month
            assert shared.day is None or account.day_committed <= shared.day
        for whole in (TENANT, UNIT):
            if scope.account_id.startswith(whole):
                self.check_whole(whole, scope, hold, account)

    def check_whole(self, whole: str, scope: Scope, hold: Hold, account: Account) -> None:
        """The same for all accounts that the tenant or unit ever had, each counted once."""
        directory = self.accounts.get(whole)
        assert directory is not None
        layout = layout_of(directory)
        shard = scope.account_id.removeprefix(whole)
        assert shard.partition(".")[0] == (f"#{layout.generation}" if layout.generation else "")
        (known,) = (call.scopes[whole] for call in self.calls if call.request_id == hold.request_id)
        budget = known.budget
        if known.policy_at <= layout.at and layout.shards > 1:
            # The layout was decided by a policy that is newer than what this process knows.
            budget = layout.budget
        if not budget.is_hard or budget.is_observed or known.is_observed or hold.usd == 0:
            return
        all_accounts = [a for a in self.accounts.scan() if a.account_id.startswith(whole)]
        month = sum(
            other.month_committed - other.month_carried
            for other in all_accounts
            if other.month == account.month
        )
        day = sum(
            other.day_committed - other.day_carried
            for other in all_accounts
            if other.day == account.day
        )
        assert budget.month is None or month <= budget.month, (month, budget)
        assert budget.day is None or day <= budget.day, (day, budget)

    def teardown(self) -> None:
        try:
            self.come_to_rest()
            self.check_the_end()
        finally:
            for actor in self.actors():
                self.finish(actor, "crash before")
            self.quiet.stop()
            logging.disable(logging.NOTSET)

    def come_to_rest(self) -> None:
        for actor in self.actors():
            self.finish(actor)
        self.clock.advance(seconds=3 * LEASE_SECONDS)
        self.sweep_over(self.accounts, self.usage).sweep()
        for call in self.calls:
            if self.usage.get(call.request_id) is not None:
                self.rows.add(call.request_id)
        self.check_books()

    def check_the_end(self) -> None:
        rows = {}
        for call in self.calls:
            row = self.usage.get(call.request_id)
            if row is not None:
                rows[call.request_id] = row
        assert set(self.billed) <= set(rows)
        for request_id, row in rows.items():
            if row.status == "ok":
                assert row.total_cost == self.billed[request_id]
            else:
                assert (row.status, row.usage_source) == ("orphaned", "hold")
                assert row.total_cost == row.held >= self.billed.get(request_id, 0)
        for account in self.accounts.scan():
            assert account.holds == {}, account
        by_account: dict[str, int] = defaultdict(int)
        for (account_id, _), amount in self.booked.items():
            by_account[account_id] += amount
        for account_id, amount in by_account.items():
            held = self.held_at[account_id]
            assert amount == sum(rows[rid].total_cost for rid in held & set(rows)), account_id
        booked = sum(n for account_id, n in by_account.items() if is_tenant_account(account_id))
        assert booked == sum(row.total_cost for row in rows.values())
