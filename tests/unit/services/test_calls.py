"""Policy, price, hold, call, settle."""

from __future__ import annotations

from collections import UserDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.free_work import FakeFreeCounters
from tests.fakes.ledger import FakeAccounts, FakeTenants, FakeUsage
from tests.fakes.replies import text_piece, tool_piece
from tests.fakes.world import NOVA_LITE, FakeClock, FakeRuntime, app, caller, tenant
from tollgate.domain.errors import (
    BudgetExceededError,
    ForbiddenError,
    InvalidRequestError,
    StreamBrokenError,
    TollgateError,
    UnavailableError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from tollgate.domain.free_work import FreeLimits
from tollgate.domain.money import usd
from tollgate.domain.prices import PriceBook, TokenUsage
from tollgate.domain.tenants import Budget, BusinessUnit, Limits, Silo, Tenant
from tollgate.services.admission import Admission
from tollgate.services.calls import AdmittedCall, Calls
from tollgate.services.free_work import FreeWork
from tollgate.services.ledger import Ledger
from tollgate.services.policy import CACHE_SECONDS, Policies
from tollgate.services.shapes import ChatCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tollgate.domain.usage import UsageRow
    from tollgate.ports import ModelRequest, StreamPiece

# 2 USD per million input tokens is 2,000,000 picodollars a token.
BOOK = PriceBook(
    {
        "schema_version": 1,
        "currency": "USD",
        "unit": "1M tokens",
        "version": "2026-11-01",
        "models": {
            NOVA_LITE: {
                "mode": "chat",
                "max_input_tokens": 1000,
                "max_output_tokens": 500,
                "effective": [
                    {
                        "from": "2026-01-01",
                        "to": None,
                        "rates": {
                            "in_region": {
                                "default": {"input": "2", "output": "10", "cache_read": "0.5"},
                                "priority": {"input": "4", "output": "20"},
                            }
                        },
                    }
                ],
            },
            "amazon.titan-embed-text-v2:0": {
                "mode": "embedding",
                "effective": [
                    {
                        "from": "2026-01-01",
                        "to": None,
                        "rates": {"in_region": {"default": {"input": "0.02", "output": "0"}}},
                    }
                ],
            },
            "anthropic.claude-long": {
                "mode": "chat",
                "max_output_tokens": 500,
                "priced_up_to_input_tokens": 200,
                "effective": [
                    {
                        "from": "2026-01-01",
                        "to": None,
                        "rates": {"in_region": {"default": {"input": "1", "output": "5"}}},
                    }
                ],
            },
        },
    }
)


class World:
    """A pipeline over fakes."""

    def __init__(
        self,
        policy: Tenant | None = None,
        runtime: FakeRuntime | None = None,
        accounts: FakeAccounts | None = None,
    ) -> None:
        self.tenants = FakeTenants(policy or tenant())
        self.accounts = accounts or FakeAccounts()
        self.usage = FakeUsage()
        self.runtime = runtime or FakeRuntime()
        self.clock = FakeClock()
        self.policies = Policies(self.tenants, self.clock)
        self.free_counters = FakeFreeCounters()
        self.free_work = FreeWork(self.free_counters, FreeLimits(), self.clock)
        self.admission = Admission(
            policies=self.policies,
            ledger=Ledger(self.accounts, self.usage),
            prices=BOOK,
            region="us-east-1",
            clock=self.clock,
        )
        self.calls = self.calls_over(self.usage)

    def calls_over(self, usage: FakeUsage, **settings: Any) -> Calls:  # noqa: ANN401
        return Calls(
            ledger=Ledger(self.accounts, usage),
            runtime=self.runtime,
            prices=BOOK,
            region="us-east-1",
            account_id="123456789012",
            clock=self.clock,
            **settings,
        )

    def admit(self, *, streamed: bool = False, **changes: Any) -> AdmittedCall:  # noqa: ANN401
        call = chat_call(**changes)
        return self.admission.admit(caller(), call, streamed=streamed)

    @property
    def row(self) -> UsageRow:
        (row,) = self.usage.rows.values()
        return row

    @property
    def open_holds(self) -> int:
        return sum(len(account.holds) for account in self.accounts.scan())


def chat_call(**changes: Any) -> ChatCall:  # noqa: ANN401
    values: dict[str, Any] = {
        "model": NOVA_LITE,
        "body": {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
        "max_tokens": 100,
        "dialect": "legacy.chat",
        **changes,
    }
    return ChatCall(**values)


def test_a_call_is_sent_with_its_bound_and_its_attribution() -> None:
    world = World()

    admitted = world.admit(body={**chat_call().body, "inferenceConfig": {"temperature": 0.5}})
    world.calls.run(admitted)

    (request,) = world.runtime.requests
    assert request.model_id == NOVA_LITE
    assert request.body["inferenceConfig"] == {"temperature": 0.5, "maxTokens": 100}
    assert request.metadata == {
        "tenant": "acme",
        "app": "web",
        "request_id": admitted.request_id,
    }


def test_a_call_costs_exactly_its_tokens() -> None:
    world = World(runtime=FakeRuntime(TokenUsage(input=7, output=3, cache_read=4)))

    answer = world.calls.run(world.admit())

    assert answer.cost.total == 7 * 2_000_000 + 3 * 10_000_000 + 4 * 500_000
    assert (world.row.input_cost, world.row.output_cost, world.row.cache_cost) == (
        14_000_000,
        30_000_000,
        2_000_000,
    )
    assert world.row.total_cost == answer.cost.total
    assert world.open_holds == 0


def test_the_row_says_who_what_and_when() -> None:
    world = World()
    admitted = world.admit()
    world.clock.advance(milliseconds=250)

    world.calls.run(admitted)

    row = world.row
    assert (row.tenant_id, row.app_id, row.key_id) == ("acme", "web", "web/primary")
    assert (row.cost_center, row.tier, row.region) == ("CC-1", "pro", "us-east-1")
    assert (row.operation, row.dialect, row.streamed) == ("converse", "legacy.chat", False)
    assert (row.status, row.http_status, row.stop_reason) == ("ok", 200, "end_turn")
    assert (row.latency_ms, row.first_token_ms) == (250, None)
    assert (row.priced, row.price_version, row.usage_source) == (True, "2026-11-01", "provider")
    assert row.held == admitted.lease.hold.usd > row.total_cost
    assert row.tags == {"owner": "search", "env": "t"}


def test_the_row_says_of_which_unit_in_which_account_and_for_whom() -> None:
    world = World(tenant(business_unit="retail"))
    world.tenants.units["retail"] = BusinessUnit("retail", "Retail", "Jo", Budget())

    world.calls.run(world.admit(end_user="u-1"))

    row = world.row
    assert (row.business_unit, row.account_id, row.end_user) == ("retail", "123456789012", "u-1")


def test_a_silo_tenants_models_run_in_its_own_account() -> None:
    silo = Silo("arn:aws:iam::999999999999:role/tollgate/tenant", "external")
    world = World(tenant(isolation="silo", silo=silo))

    world.calls.run(world.admit())

    assert (world.row.account_id, world.row.business_unit) == ("999999999999", None)


def test_the_worst_case_is_held_while_the_call_runs() -> None:
    world = World(tenant(budget=Budget(month=usd("1"))))
    seen: list[int] = []

    def look() -> None:
        account = world.accounts.get("tenant#acme")
        assert account is not None
        seen.append(account.month_committed)

    world.runtime.during_call = look
    admitted = world.admit()
    answer = world.calls.run(admitted)

    assert seen == [admitted.lease.hold.usd]
    assert answer.remaining == usd("1") - answer.cost.total


def test_a_budget_that_cannot_cover_the_worst_case_refuses_before_the_call() -> None:
    world = World(tenant(budget=Budget(month=usd("0.001"))))

    with pytest.raises(BudgetExceededError) as refused:
        world.admit()

    assert world.runtime.requests == []
    assert world.usage.rows == {}
    affordable = refused.value.details["affordable_max_tokens"]
    assert 0 < affordable < 100
    world.admit(max_tokens=affordable)


@pytest.mark.parametrize("status", ["suspended"])
def test_a_suspended_tenant_or_app_is_refused(status: str) -> None:
    with pytest.raises(ForbiddenError) as refused:
        World(tenant(status=status)).admit()
    assert refused.value.code == "tenant_suspended"
    with pytest.raises(ForbiddenError) as refused:
        World(tenant(apps={"web": app(status=status)})).admit()
    assert refused.value.code == "app_suspended"


def test_a_model_off_the_list_is_refused_with_the_list() -> None:
    with pytest.raises(ForbiddenError) as refused:
        World(tenant(models=("anthropic.*",))).admit()

    assert refused.value.code == "model_not_allowed"
    assert refused.value.details == {"model_id": NOVA_LITE, "allowed": ["anthropic.*"]}


@pytest.mark.parametrize("model", ["amazon.nova-unknown-v1:0", "us.amazon.nova-lite-v1:0"])
def test_a_model_without_a_price_is_refused(model: str) -> None:
    with pytest.raises(ForbiddenError) as refused:
        World(tenant(models=("*",))).admit(model=model)

    assert refused.value.code == "model_not_priced"


def test_a_malformed_model_id_is_a_bad_request() -> None:
    with pytest.raises(InvalidRequestError, match="'nova lite' is not a model id; did you mean"):
        World().admit(model="nova lite")


def test_a_model_for_something_else_is_a_bad_request() -> None:
    with pytest.raises(InvalidRequestError, match="is a model for embedding"):
        World(tenant(models=("*",))).admit(model="amazon.titan-embed-text-v2:0")


def test_input_beyond_the_priced_threshold_is_refused() -> None:
    world = World()
    long = {"messages": [{"role": "user", "content": [{"text": "x" * 300}]}]}

    world.admit(model="anthropic.claude-long")
    with pytest.raises(ForbiddenError, match="priced up to 200 input tokens"):
        world.admit(model="anthropic.claude-long", body=long)


def test_a_failed_call_costs_nothing_and_leaves_an_error_row() -> None:
    world = World()
    world.runtime.error = UpstreamThrottledError("slow down")

    with pytest.raises(UpstreamThrottledError):
        world.calls.run(world.admit())

    assert (world.row.status, world.row.http_status) == ("error", 429)
    assert (world.row.error_code, world.row.total_cost) == ("upstream_throttled", 0)
    assert world.open_holds == 0


def test_a_lost_answer_is_booked_at_its_hold_at_once() -> None:
    world = World()
    world.runtime.error = UpstreamTimeoutError("gone", may_be_billed=True)
    admitted = world.admit()

    with pytest.raises(UpstreamTimeoutError):
        world.calls.run(admitted)

    row = world.row
    assert (row.status, row.usage_source) == ("orphaned", "hold")
    assert (row.http_status, row.error_code) == (504, "upstream_timeout")
    assert row.total_cost == row.other_cost == admitted.hold.usd
    assert row.output_tokens == admitted.most_output
    assert row.input_tokens == admitted.hold.tokens - admitted.most_output > 0
    assert world.open_holds == 0


@pytest.mark.parametrize("streamed", [False, True])
def test_with_invocation_logs_a_lost_answer_is_left_to_the_sweep(*, streamed: bool) -> None:
    world = World()
    world.runtime.error = StreamBrokenError("cut", may_be_billed=True)
    calls = world.calls_over(world.usage, logged=True)
    admitted = world.admit(streamed=streamed)
    world.clock.advance(seconds=5)

    with pytest.raises(StreamBrokenError):
        if streamed:
            calls.stream(admitted, lambda _: None)
        else:
            calls.run(admitted)

    assert world.usage.rows == {}
    account = world.accounts.get("tenant#acme")
    assert account is not None
    (hold,) = account.holds.values()
    assert hold.usd == admitted.hold.usd
    # The sweep need not wait for the lease to end.
    assert hold.expires_at == int(world.clock().timestamp())


def test_the_caller_gets_the_upstream_error_although_the_ledger_is_down() -> None:
    class Down(FakeAccounts):
        def extend(self, account_id: str, request_id: str, expires_at: int) -> bool:
            raise UnavailableError("down")

    world = World(accounts=Down())
    world.runtime.error = UpstreamTimeoutError("gone", may_be_billed=True)

    with pytest.raises(UpstreamTimeoutError):
        world.calls_over(world.usage, logged=True).run(world.admit())

    assert world.open_holds == 1


def test_the_served_tier_sets_the_price() -> None:
    world = World()
    world.runtime.service_tier = "priority"

    answer = world.calls.run(world.admit())

    assert answer.cost.total == 10 * 4_000_000 + 5 * 20_000_000
    assert world.row.service_tier == "priority"


def test_a_served_tier_without_a_price_is_kept_and_flagged() -> None:
    world = World()
    world.runtime.service_tier = "flex"

    answer = world.calls.run(world.admit())

    assert answer.cost.total == 10 * 2_000_000 + 5 * 10_000_000
    assert world.row.priced is False


def test_a_paid_answer_reaches_the_caller_although_the_ledger_is_down() -> None:
    class Down(FakeUsage):
        def put(self, row: UsageRow) -> UsageRow:
            raise UnavailableError("down")

    world = World()

    answer = world.calls_over(Down()).run(world.admit())

    assert answer.content == [{"text": "hello"}]
    assert answer.remaining is None
    assert world.open_holds == 1


def test_a_stream_hands_out_its_text_and_is_metered() -> None:
    world = World()
    admitted = world.admit(streamed=True)
    world.clock.advance(milliseconds=80)
    texts: list[str] = []

    answer = world.calls.stream(admitted, lambda piece: texts.append(piece.text))

    assert texts == ["hel", "lo"]
    assert answer.content == [{"text": "hello"}]
    assert (world.row.operation, world.row.first_token_ms) == ("converse_stream", 80)
    assert world.row.total_cost == answer.cost.total > 0


@pytest.mark.parametrize("failure", [UnavailableError("table down"), OSError("gone")])
def test_a_stream_whose_consumer_fails_is_still_metered(failure: Exception) -> None:
    world = World()
    calls: list[str] = []

    def fail(piece: StreamPiece) -> None:
        calls.append(piece.text)
        raise failure

    with pytest.raises(type(failure)):
        world.calls.stream(world.admit(streamed=True), fail)

    assert calls == ["hel"]
    assert world.row.status == "ok"
    assert world.row.total_cost > 0


def broken_stream(world: World, *events: Any, **changes: Any) -> UsageRow:  # noqa: ANN401
    """The row of a stream that brought these events and then broke."""
    world.runtime.events = events
    world.runtime.error = StreamBrokenError("cut", may_be_billed=True)
    with pytest.raises(StreamBrokenError):
        world.calls.stream(world.admit(streamed=True, **changes), lambda _: None)
    return world.row


def test_a_broken_stream_is_estimated_from_what_came_and_frees_its_slot() -> None:
    world = World(tenant(limits=Limits(concurrent_requests=1)))

    row = broken_stream(world, text_piece("h\u00e9l"), tool_piece("1234567"), max_tokens=100)

    assert (row.status, row.usage_source) == ("aborted", "estimated")
    assert (row.http_status, row.error_code) == (502, "upstream_stream_broken")
    # The input's bound is what was held besides the output, and a byte is at most a token.
    assert row.output_tokens == len("h\u00e9l".encode()) + 7 == 11
    assert row.held == row.input_tokens * 2_000_000 + 100 * 10_000_000
    assert row.input_cost == row.input_tokens * 2_000_000
    assert row.output_cost == 11 * 10_000_000
    assert row.total_cost == row.input_cost + row.output_cost < row.held
    assert row.priced
    assert world.open_holds == 0
    world.admit()


def test_the_estimate_of_a_broken_stream_never_exceeds_its_hold() -> None:
    row = broken_stream(World(), text_piece("x" * 1000), max_tokens=100)

    assert row.output_tokens == 100
    assert row.total_cost == row.held


def test_a_stream_that_broke_before_any_text_is_charged_its_input() -> None:
    row = broken_stream(World())

    assert row.output_tokens == 0
    assert row.total_cost == row.input_cost > 0
    assert row.first_token_ms is None


CLAUDE = "anthropic.claude-long"
HOUR_CACHE = {"in_region": {"default": {"cache_write_1h": "3"}}}
MARKED = [{"text": "hi"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]


def test_claude_input_is_charged_as_cache_writes_only_where_it_is_marked() -> None:
    policy = tenant(prices={CLAUDE: HOUR_CACHE})
    body = {"messages": [{"role": "user", "content": MARKED}]}

    plain = broken_stream(World(policy), model=CLAUDE)
    marked = broken_stream(World(policy), model=CLAUDE, body=body)

    assert plain.input_cost == plain.input_tokens * 1_000_000 > 0
    assert plain.cache_write_1h_tokens == 0
    assert marked.input_tokens == 0
    assert marked.cache_cost == marked.cache_write_1h_tokens * 3_000_000 > 0


def test_input_of_a_model_that_caches_of_its_own_accord_is_charged_at_the_dearest_class() -> None:
    row = broken_stream(World(tenant(prices={NOVA_LITE: HOUR_CACHE})))

    assert row.input_tokens == 0
    assert row.cache_cost == row.cache_write_1h_tokens * 3_000_000 > 0
    assert row.total_cost <= row.held


def test_a_stream_without_its_end_is_a_broken_one() -> None:
    class Endless(FakeRuntime):
        def stream(self, request: ModelRequest) -> Iterator[StreamPiece]:  # noqa: ARG002
            yield text_piece("hel")

    world = World(runtime=Endless())

    with pytest.raises(StreamBrokenError):
        world.calls.stream(world.admit(streamed=True), lambda _: None)

    assert (world.row.status, world.row.output_tokens) == ("aborted", 3)


@pytest.mark.parametrize(
    ("usage", "is_input_above", "is_output_above"),
    [
        (TokenUsage(input=10**9, output=5), True, False),
        (TokenUsage(input=7, output=101), False, True),
        (TokenUsage(input=1, output=5, cache_read=10**9), True, False),
        (TokenUsage(cache_write_5m=10**9, output=10**12), True, True),
    ],
)
def test_a_count_above_all_that_the_request_can_use_is_booked_at_that_bound(
    usage: TokenUsage, *, is_input_above: bool, is_output_above: bool
) -> None:
    world = World(runtime=FakeRuntime(usage))
    admitted = world.admit(max_tokens=100)
    most_input = admitted.hold.tokens - 100

    answer = world.calls.run(admitted)

    row = world.row
    assert (row.status, row.usage_source, row.priced) == ("ok", "bound", True)
    assert row.input_tokens == (most_input if is_input_above else usage.input)
    assert row.output_tokens == (100 if is_output_above else usage.output)
    assert row.total_cost == row.input_tokens * 2_000_000 + row.output_tokens * 10_000_000
    assert row.total_cost == answer.cost.total <= row.held
    assert answer.usage.output == row.output_tokens
    assert world.open_holds == 0


def test_a_count_that_is_all_of_the_bound_is_the_providers() -> None:
    world = World()
    admitted = world.admit(max_tokens=100)
    world.runtime.usage = TokenUsage(input=admitted.hold.tokens - 100, output=100)

    world.calls.run(admitted)

    assert (world.row.usage_source, world.row.total_cost) == ("provider", world.row.held)


def test_what_costs_more_than_was_held_is_booked_at_the_hold_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(runtime=FakeRuntime(TokenUsage(input=10, output=100)))
    # Served on a dearer tier than anybody asked for.
    world.runtime.service_tier = "priority"

    world.calls.run(world.admit(max_tokens=100))

    row = world.row
    assert (row.usage_source, row.total_cost) == ("bound", row.held)
    assert "counted above the bound" in caplog.text


def test_why_a_call_was_denied_is_in_the_log_with_the_call_and_without_the_prompt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.runtime.error = ForbiddenError("ask the platform team", code="upstream_denied")
    world.runtime.error.upstream_code = "AccessDeniedException"
    world.runtime.error.upstream_message = "arn:aws:iam::111122223333:role/x may not subscribe"
    admitted = world.admit()

    with pytest.raises(ForbiddenError):
        world.calls.run(admitted)

    (record,) = [record for record in caplog.records if record.message == "model call denied"]
    told = {
        "request_id": admitted.request_id,
        "tenant_id": "acme",
        "model_id": admitted.request.model_id,
        "upstream_code": "AccessDeniedException",
        "upstream_message": "arn:aws:iam::111122223333:role/x may not subscribe",
    }
    assert {name: getattr(record, name) for name in told} == told
    (message,) = admitted.request.body["messages"]
    assert message["content"][0]["text"] not in str(record.__dict__)


def test_a_call_is_priced_on_the_terms_of_its_admission() -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123"
    world = World(
        tenant(
            model_arns={arn: NOVA_LITE},
            prices={NOVA_LITE: {"in_region": {"default": {"input": "1"}}}},
        )
    )
    admitted = world.admit()
    admitted = replace(
        admitted,
        lease=replace(admitted.lease, hold=replace(admitted.hold, model=arn)),
        request=replace(admitted.request, model_id=arn),
    )

    answer = world.calls.run(admitted)

    assert answer.cost.total == 10 * 1_000_000 + 5 * 10_000_000
    assert (world.row.model_id, world.row.inference_profile_arn) == (NOVA_LITE, arn)
    assert world.row.price_version.startswith("2026-11-01+")


def test_policy_changes_are_in_force_after_the_cache_time() -> None:
    world = World()
    world.admit()
    world.tenants.tenants["acme"] = tenant(status="suspended")

    world.clock.advance(seconds=CACHE_SECONDS - 1)
    world.admit()
    world.clock.advance(seconds=1)
    with pytest.raises(ForbiddenError):
        world.admit()


def test_concurrency_frees_up_when_a_call_ends() -> None:
    world = World(tenant(limits=Limits(concurrent_requests=1)))
    first = world.admit()

    with pytest.raises(TollgateError) as refused:
        world.admit()
    assert refused.value.code == "concurrent_requests_exceeded"
    world.calls.run(first)
    world.admit()


class Unreadable(UserDict[str, str]):
    """Tags that nobody can read: a fault after the hold is placed and before the call."""

    def keys(self) -> Any:
        raise LookupError("a bug")


def test_a_fault_between_the_hold_and_the_call_takes_the_request_back() -> None:
    world = World(tenant(limits=Limits(requests_per_day=1)))

    with pytest.raises(LookupError):
        world.admit(tags=Unreadable())

    assert world.open_holds == 0
    assert world.usage.rows == {}
    account = world.accounts.get("tenant#acme")
    assert account is not None
    assert (account.month_committed, account.day_requests) == (0, 0)
    world.admit()


def test_a_fault_in_the_second_account_takes_the_first_ones_hold_back() -> None:
    class Faulty(FakeAccounts):
        def admit(self, scope: Any, hold: Any, windows: Any) -> Any:
            if scope.account_id == "tenant#acme":
                raise LookupError("a bug")
            return super().admit(scope, hold, windows)

    limited = app(limits=Limits(requests_per_day=5))
    world = World(tenant(apps={"web": limited}), accounts=Faulty())

    with pytest.raises(LookupError):
        world.admit()

    assert world.open_holds == 0


def test_what_fails_between_admission_and_call_costs_nothing() -> None:
    world = World()
    admitted = world.admit()

    with pytest.raises(TollgateError) as failed, world.calls.unsent(admitted):
        raise LookupError("a bug")

    assert (failed.value.code, failed.value.request_id) == ("internal_error", admitted.request_id)
    assert (world.row.status, world.row.total_cost, world.open_holds) == ("error", 0, 0)


def test_a_failure_after_the_last_piece_of_a_stream_takes_nothing_from_the_answer() -> None:
    class Late(FakeRuntime):
        def stream(self, request: ModelRequest) -> Iterator[Any]:
            yield from super().stream(request)
            raise OSError("reset")

    world = World(runtime=Late())

    answer = world.calls.stream(world.admit(streamed=True), lambda _: None)

    assert answer.content == [{"text": "hello"}]
    assert world.row.status == "ok"
