"""Who is admitted, at which hold: exact counts, lowered maxima, contract prices, ceilings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.ledger import FakeAccounts, FakeTenants, FakeUsage
from tests.fakes.token_counts import FakeTokenCounter
from tests.fakes.world import FakeClock, FakeRuntime, app, caller, tenant
from tollgate.domain.errors import (
    BudgetExceededError,
    BudgetHeldError,
    ForbiddenError,
    InvalidRequestError,
    RateExceededError,
)
from tollgate.domain.holds import chat_input_tokens, uncounted_tokens
from tollgate.domain.money import format_usd
from tollgate.domain.prices import ModelCard, PriceBook, TokenUsage
from tollgate.domain.tenants import Budget, InferenceProfile, Limits, Silo, Tenant
from tollgate.entry.http import admission_notices
from tollgate.services.admission import Admission
from tollgate.services.calls import AdmittedCall, Calls
from tollgate.services.ledger import HELD_RETRY_SECONDS, Ledger
from tollgate.services.placement import CROWDED_SECONDS, LARGE_INPUT_BYTES
from tollgate.services.policy import Policies
from tollgate.services.pricing import PriceTerms
from tollgate.services.queued_calls import decode_call, encode_call
from tollgate.services.shapes import ChatCall

if TYPE_CHECKING:
    from tollgate.domain.usage import UsageRow

CLAUDE = "anthropic.claude-plain"
LIMITED = "anthropic.claude-limited"
LONG = "anthropic.claude-long"
ENDLESS = "anthropic.claude-endless"
OSS = "openai.gpt-plain"
PROFILE = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123"
# Picodollars a token: 2 and 10 millionths of a dollar.
INPUT, OUTPUT = 2_000_000, 10_000_000


def model(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    rates = {"input": "2", "output": "10", "cache_write_5m": "3", **fields.pop("rates", {})}
    return {
        "mode": "chat",
        "max_input_tokens": 5000,
        "max_output_tokens": 500,
        "effective": [
            {
                "from": "2026-01-01",
                "to": None,
                "rates": {"in_region": {"default": rates}, "geo/us": {"default": rates}},
            }
        ],
        **fields,
    }


LONGER = {"threshold": 2000, "input": "4", "output": "15", "cache_write_5m": "6"}
BOOK = PriceBook(
    {
        "schema_version": 1,
        "currency": "USD",
        "unit": "1M tokens",
        "version": "list",
        "models": {
            CLAUDE: model(),
            LIMITED: model(priced_up_to_input_tokens=1000),
            LONG: model(rates={"long_context": LONGER}),
            ENDLESS: model(max_output_tokens=None),
            # It caches of its own accord, at the price of what is read.
            OSS: model(rates={"cache_write_5m": "2"}),
            "cohere.embed-v3": model(mode="embedding"),
        },
    }
)
# Unless a test says otherwise nothing is counted.
ANY = {"models": ("*",), "count_tokens": "bytes"}


class World:
    """Admission and settlement over fakes, for one policy."""

    def __init__(self, **policy: Any) -> None:  # noqa: ANN401
        self.counter = FakeTokenCounter(CLAUDE, LIMITED, LONG)
        self.clock = FakeClock()
        self.accounts = FakeAccounts()
        self.usage = FakeUsage()
        self.runtime = FakeRuntime()
        self.tenants = FakeTenants(tenant(**{**ANY, **policy}))
        ledger = Ledger(self.accounts, self.usage)
        shared: dict[str, Any] = {"prices": BOOK, "region": "us-east-1", "clock": self.clock}
        self.admission = Admission(
            policies=Policies(self.tenants, self.clock),
            ledger=ledger,
            counter=self.counter,
            **shared,
        )
        self.calls = Calls(ledger=ledger, runtime=self.runtime, account_id="123456789012", **shared)

    def admit(self, size: int = 4, **changes: Any) -> AdmittedCall:  # noqa: ANN401
        return self.admission.admit(caller(), chat_call(size, **changes), streamed=False)

    def policy(self, **changes: Any) -> Tenant:  # noqa: ANN401
        """Replace the policy, in force at once."""
        self.clock.advance(minutes=1)
        policy = tenant(**{**ANY, **changes})
        self.tenants.tenants["acme"] = policy
        return policy

    @property
    def committed(self) -> int:
        account = self.accounts.get("tenant#acme")
        return 0 if account is None else account.month_committed

    @property
    def row(self) -> UsageRow:
        (row,) = self.usage.rows.values()
        return row


def chat_call(size: int, **changes: Any) -> ChatCall:  # noqa: ANN401
    values: dict[str, Any] = {
        "model": CLAUDE,
        "body": {"messages": [{"role": "user", "content": [{"text": "x" * size}]}]},
        "max_tokens": 100,
        "dialect": "legacy.chat",
        **changes,
    }
    return ChatCall(**values)


def by_bytes(size: int) -> int:
    """Input tokens of `chat_call(size)` by its bytes."""
    card = ModelCard(CLAUDE, "chat", None, None, None)
    return chat_input_tokens(chat_call(size).body, card)


def by_count(size: int) -> int:
    """Input tokens of `chat_call(size)` as the fake counts them."""
    tokens = FakeTokenCounter(CLAUDE).count(CLAUDE, chat_call(size).body)
    assert tokens is not None
    return tokens


def worst(tokens: int, max_tokens: int = 100) -> int:
    return tokens * INPUT + max_tokens * OUTPUT


def test_bytes_that_fit_are_not_counted() -> None:
    world = World(count_tokens="exact", budget=Budget(month=worst(by_bytes(800))))

    admitted = world.admit(800)

    assert admitted.hold.usd == worst(by_bytes(800))
    assert admitted.hold.tokens == by_bytes(800) + 100
    assert admitted.lowered_max_tokens is None
    assert world.counter.asked == []


@pytest.mark.parametrize(("over", "asked"), [(0, []), (1, [CLAUDE])])
def test_a_large_input_is_counted_before_it_takes_the_room_of_others(
    over: int, asked: list[str]
) -> None:
    size = LARGE_INPUT_BYTES - by_bytes(0) + over
    assert by_bytes(size) == LARGE_INPUT_BYTES + over

    world = World(count_tokens="exact")
    tokens = by_count(size) if asked else by_bytes(size)
    assert world.admit(size).hold.usd == worst(tokens)
    assert world.counter.asked == asked
    assert World().admit(size).hold.usd == worst(by_bytes(size))


def test_what_is_not_counted_is_held_beside_the_count() -> None:
    form = {"textFormat": {"structure": {"jsonSchema": {"schema": "x" * 500}}}}
    body = {**chat_call(LARGE_INPUT_BYTES).body, "outputConfig": form}

    admitted = World(count_tokens="exact").admit(body=body)

    tokens = by_count(LARGE_INPUT_BYTES) + uncounted_tokens(body)
    assert admitted.hold.usd == worst(tokens)
    assert uncounted_tokens(body) > 500


@pytest.mark.parametrize("count", ["auto", "exact"])
def test_bytes_that_do_not_fit_are_counted(count: str) -> None:
    world = World(count_tokens=count, budget=Budget(month=worst(by_bytes(800)) - 1))

    admitted = world.admit(800)

    assert admitted.hold.usd == worst(by_count(800)) == world.committed
    assert admitted.hold.tokens == by_count(800) + 100
    assert world.counter.asked == [CLAUDE]


def test_what_fits_is_not_counted_for_its_size_or_for_calls_before_it() -> None:
    large = World(count_tokens="auto")
    large.admit(LARGE_INPUT_BYTES)
    assert large.counter.asked == []

    world = World(count_tokens="auto", budget=Budget(month=worst(by_bytes(800)) - 1))
    world.calls.run(world.admit(800))
    world.policy(count_tokens="auto")
    assert world.admit(800).hold.usd == worst(by_bytes(800))
    assert world.counter.asked == [CLAUDE]


@pytest.mark.parametrize(("room", "asked"), [(worst(0) - 1, []), (worst(0), [CLAUDE])])
def test_what_no_count_makes_fit_is_not_counted(room: int, asked: list[str]) -> None:
    world = World(count_tokens="auto", budget=Budget(month=room))

    with pytest.raises(BudgetExceededError):
        world.admit(800)
    assert world.counter.asked == asked


@pytest.mark.parametrize(("room", "asked"), [(99, []), (100, [CLAUDE])])
def test_a_minute_that_no_count_makes_fit_is_not_counted(room: int, asked: list[str]) -> None:
    world = World(count_tokens="auto", limits=Limits(tokens_per_minute=room))

    with pytest.raises(RateExceededError):
        world.admit(800)
    assert world.counter.asked == asked


def test_a_call_that_may_be_cut_is_counted_where_its_least_answer_fits() -> None:
    room = worst(by_count(800), 16)
    world = World(count_tokens="auto", clamp_max_tokens=True, budget=Budget(month=room))

    assert world.admit(800).lowered_max_tokens == 16
    poor = World(count_tokens="auto", clamp_max_tokens=True, budget=Budget(month=worst(0, 16) - 1))
    with pytest.raises(BudgetExceededError):
        poor.admit(800)
    assert poor.counter.asked == []


def test_a_budget_for_ten_calls_is_enough_for_ten() -> None:
    spent = TokenUsage(input=by_count(40), output=100)
    world = World(count_tokens="auto", budget=Budget(month=10 * worst(by_count(40))))
    world.runtime.usage = spent

    for _ in range(10):
        world.calls.run(world.admit(40))

    assert world.committed == 10 * worst(by_count(40))
    with pytest.raises(BudgetExceededError):
        world.admit(40)


def test_without_the_policy_nothing_is_counted() -> None:
    world = World(budget=Budget(month=worst(by_bytes(800)) - 1))

    with pytest.raises(BudgetExceededError):
        world.admit(800)
    assert world.counter.asked == []


def test_an_exact_count_that_does_not_fit_either_is_refused_with_its_figures() -> None:
    room = worst(by_count(800), 60) + 9_999_999
    world = World(count_tokens="exact", budget=Budget(month=room))

    with pytest.raises(BudgetExceededError) as refused:
        world.admit(800)

    details = refused.value.details
    assert details["affordable_max_tokens"] == 60
    assert details["needed_usd"] == f"{worst(by_count(800)) / 10**12:.6f}".rstrip("0")
    assert (details["spent_usd"], details["held_usd"]) == ("0", "0")
    assert details["resets_at"] == "2026-12-01T00:00:00+00:00"
    assert world.counter.asked == [CLAUDE]
    assert world.admit(800, max_tokens=60).hold.usd == worst(by_count(800), 60)


def test_a_crowded_tenant_is_counted_at_once_for_a_while() -> None:
    world = World(count_tokens="exact", budget=Budget(month=worst(by_bytes(800)) - 1))
    world.calls.run(world.admit(800))
    world.policy(count_tokens="exact")

    assert world.admit(800).hold.usd == worst(by_count(800))
    world.clock.advance(seconds=CROWDED_SECONDS - 61)
    assert world.admit(800).hold.usd == worst(by_count(800))
    world.clock.advance(seconds=1)
    assert world.admit(800).hold.usd == worst(by_bytes(800))
    assert len(world.counter.asked) == 3


def test_a_minute_that_is_full_of_bytes_is_counted() -> None:
    limits = Limits(tokens_per_minute=by_count(800) + 100)
    world = World(count_tokens="exact", limits=limits)

    assert world.admit(800).hold.tokens == by_count(800) + 100


def test_limits_that_no_count_changes_are_not_counted_for() -> None:
    world = World(count_tokens="exact", limits=Limits(concurrent_requests=1))
    world.admit(800)

    with pytest.raises(RateExceededError) as refused:
        world.admit(800)
    assert refused.value.code == "concurrent_requests_exceeded"
    assert "affordable_max_tokens" not in refused.value.details
    assert world.counter.asked == []


def test_a_model_that_cannot_be_counted_is_held_by_its_bytes() -> None:
    world = World(count_tokens="exact", budget=Budget(month=worst(by_bytes(800)) - 1))
    world.counter.models = ()

    with pytest.raises(BudgetExceededError) as refused:
        world.admit(800)

    assert refused.value.details["affordable_max_tokens"] == 99
    assert world.counter.asked == [CLAUDE]


def test_a_count_above_the_bytes_changes_nothing() -> None:
    world = World(count_tokens="exact", budget=Budget(month=worst(by_bytes(4)) - 1))
    world.counter.count = lambda *_: by_bytes(4)  # type: ignore[method-assign]

    with pytest.raises(BudgetExceededError):
        world.admit(4)


def test_a_silos_text_is_counted_with_its_own_role() -> None:
    silo = {"isolation": "silo", "silo": Silo("arn:aws:iam::111122223333:role/t", "x-1")}
    world = World(count_tokens="exact", budget=Budget(month=worst(by_bytes(4)) - 1), **silo)

    call = world.admit(4)

    assert call.request.session is not None
    assert world.counter.sessions == [call.request.session]


def test_media_are_not_counted() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x00"}}}
    body = {"messages": [{"role": "user", "content": [image]}]}
    world = World(count_tokens="exact", budget=Budget(month=1))

    with pytest.raises(BudgetExceededError):
        world.admit(body=body)
    assert world.counter.asked == []


def test_a_profile_is_counted_as_the_model_behind_it() -> None:
    world = World(count_tokens="exact", budget=Budget(month=worst(by_bytes(800)) - 1))

    world.admit(800, model=f"us.{CLAUDE}")

    assert world.counter.asked == [CLAUDE]


def test_input_beyond_what_is_priced_is_counted_before_it_is_refused() -> None:
    exact = World(count_tokens="exact")
    assert exact.admit(3000, model=LIMITED).hold.usd == worst(by_count(3000))
    with pytest.raises(ForbiddenError, match="priced up to 1000 input tokens") as refused:
        exact.admit(8000, model=LIMITED)
    assert refused.value.code == "model_not_priced"

    with pytest.raises(ForbiddenError):
        World().admit(3000, model=LIMITED)
    assert World().admit(4, model=LIMITED).hold.usd == worst(by_bytes(4))


@pytest.mark.parametrize("count", [10**13, 10**14, 10**40])
def test_what_no_usage_row_can_say_is_refused_before_it_is_held(count: int) -> None:
    """The lake's integers have 64 bits."""
    world = World()

    with pytest.raises(InvalidRequestError, match="can cost more than") as refused:
        world.admit(model=ENDLESS, max_tokens=count)
    assert refused.value.code == "unbounded_request"
    assert world.committed == 0


def test_beyond_the_threshold_the_hold_is_at_long_context_prices() -> None:
    size = 2500
    assert World().admit(size, model=LONG).hold.usd == by_bytes(size) * 4_000_000 + 100 * 15_000_000
    exact = World(count_tokens="exact", budget=Budget(month=worst(by_count(size))))
    assert exact.admit(size, model=LONG).hold.usd == worst(by_count(size))


def test_a_clamped_call_gets_what_the_budget_affords() -> None:
    world = World(clamp_max_tokens=True, budget=Budget(month=worst(by_bytes(4), 40) + 1))

    admitted = world.admit()

    assert admitted.lowered_max_tokens == 40
    assert admitted.request.body["inferenceConfig"]["maxTokens"] == 40
    assert admitted.hold.usd == worst(by_bytes(4), 40) == world.committed
    assert admitted.hold.tokens == by_bytes(4) + 40


def test_clamping_is_opt_in() -> None:
    world = World(budget=Budget(month=worst(by_bytes(4), 40)))

    with pytest.raises(BudgetExceededError) as refused:
        world.admit()
    assert refused.value.details["affordable_max_tokens"] == 40


@pytest.mark.parametrize(("affordable", "is_admitted"), [(16, True), (15, False)])
def test_a_call_is_not_clamped_into_uselessness(affordable: int, *, is_admitted: bool) -> None:
    budget = Budget(month=worst(by_bytes(4), affordable))
    world = World(clamp_max_tokens=True, budget=budget)

    if is_admitted:
        assert world.admit().lowered_max_tokens == affordable
    else:
        with pytest.raises(BudgetExceededError) as refused:
            world.admit()
        assert refused.value.details["affordable_max_tokens"] == affordable


def test_a_call_is_not_clamped_below_its_thinking() -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 50}}
    body = {**chat_call(4).body, "additionalModelRequestFields": thinking}
    card = ModelCard(CLAUDE, "chat", None, None, None)
    tokens = chat_input_tokens(body, card)

    enough = World(clamp_max_tokens=True, budget=Budget(month=worst(tokens, 66)))
    assert enough.admit(body=body).lowered_max_tokens == 66
    short = World(clamp_max_tokens=True, budget=Budget(month=worst(tokens, 65)))
    with pytest.raises(BudgetExceededError):
        short.admit(body=body)


def test_an_exact_count_comes_before_a_clamped_answer() -> None:
    budget = Budget(month=worst(by_bytes(800), 50))
    world = World(count_tokens="exact", clamp_max_tokens=True, budget=budget)

    assert world.admit(800).lowered_max_tokens is None
    tight = Budget(month=worst(by_count(800), 50))
    world = World(count_tokens="exact", clamp_max_tokens=True, budget=tight)
    admitted = world.admit(800)
    assert (admitted.lowered_max_tokens, admitted.hold.usd) == (50, worst(by_count(800), 50))


def test_a_call_is_clamped_to_the_tightest_of_its_budgets() -> None:
    limited = app(budget=Budget(month=worst(by_bytes(4), 60), day=worst(by_bytes(4), 50)))
    world = World(
        clamp_max_tokens=True,
        apps={"web": limited},
        budget=Budget(month=worst(by_bytes(4), 40), day=worst(by_bytes(4), 30)),
    )

    assert world.admit().lowered_max_tokens == 30


def test_an_app_counts_each_call_once_however_often_it_was_tried() -> None:
    limited = app(limits=Limits(requests_per_day=2, tokens_per_minute=2 * by_bytes(4) + 200))
    world = World(
        clamp_max_tokens=True,
        apps={"web": limited},
        budget=Budget(month=worst(by_bytes(4), 60), day=worst(by_bytes(4), 40)),
    )

    admitted = world.admit()
    with pytest.raises(BudgetExceededError):
        world.admit()

    account = world.accounts.get("app#acme/web")
    assert account is not None
    assert admitted.lowered_max_tokens == 40
    assert (account.day_requests, account.minute_requests) == (1, 1)
    assert account.minute_tokens == admitted.hold.tokens


def test_a_full_minute_is_waited_for_and_not_clamped() -> None:
    limits = Limits(tokens_per_minute=by_bytes(4) + 70)
    world = World(clamp_max_tokens=True, limits=limits)

    with pytest.raises(RateExceededError) as refused:
        world.admit()

    assert refused.value.code == "tokens_per_minute_exceeded"
    assert refused.value.details["affordable_max_tokens"] == 70
    assert refused.value.retry_after is not None
    assert world.admit(max_tokens=70).hold.tokens == by_bytes(4) + 70


def test_an_apps_refusal_names_the_app_and_what_it_affords() -> None:
    limited = app(budget=Budget(day=worst(by_bytes(4), 20)), limits=Limits(tokens_per_minute=10**6))
    world = World(apps={"web": limited})

    with pytest.raises(BudgetExceededError, match="the app's budget") as refused:
        world.admit()

    details = refused.value.details
    assert (details["scope"], details["limit_name"]) == ("app", "day_usd")
    assert details["affordable_max_tokens"] == 20


def test_an_apps_full_minute_says_what_fits() -> None:
    world = World(apps={"web": app(limits=Limits(tokens_per_minute=by_bytes(4) + 9))})

    with pytest.raises(RateExceededError, match="the app's limit") as refused:
        world.admit()

    assert refused.value.details["affordable_max_tokens"] == 9


@given(st.integers(0, 3 * worst(by_bytes(40))), st.booleans(), st.booleans())
def test_no_hold_exceeds_the_budget(room: int, exact: bool, clamp: bool) -> None:  # noqa: FBT001
    world = World(
        budget=Budget(month=room),
        count_tokens="exact" if exact else "bytes",
        clamp_max_tokens=clamp,
    )

    for _ in range(4):
        try:
            admitted = world.admit(40)
        except (BudgetExceededError, BudgetHeldError):
            continue
        sent = admitted.request.body["inferenceConfig"]["maxTokens"]
        tokens = admitted.hold.tokens - sent
        assert admitted.hold.usd == worst(tokens, sent)
        assert tokens in (by_count(40), by_bytes(40))
        assert sent == (admitted.lowered_max_tokens or 100)
    assert world.committed <= room


def test_a_call_that_only_running_calls_refuse_is_told_to_come_again() -> None:
    world = World(budget=Budget(month=2 * worst(by_bytes(4)) - OUTPUT))
    running = world.admit()

    with pytest.raises(BudgetHeldError) as refused:
        world.admit()

    assert refused.value.retry_after == HELD_RETRY_SECONDS
    assert refused.value.details == {
        "scope": "tenant",
        "limit_name": "month_usd",
        "limit_usd": format_usd(2 * worst(by_bytes(4)) - OUTPUT),
        "spent_usd": "0",
        "held_usd": format_usd(worst(by_bytes(4))),
        "needed_usd": format_usd(worst(by_bytes(4))),
        "affordable_max_tokens": 99,
    }
    world.calls.run(running)
    assert world.admit().hold.usd == worst(by_bytes(4))


def test_a_call_that_is_too_dear_without_running_calls_is_not_told_to_wait() -> None:
    world = World(budget=Budget(month=worst(by_bytes(4)) - 1))
    world.admit(max_tokens=1)

    with pytest.raises(BudgetExceededError):
        world.admit()


def test_all_answers_of_a_call_are_held() -> None:
    body = {**chat_call(4).body, "additionalModelRequestFields": {"n": 3}}

    admitted = World().admit(body=body, model=OSS)

    tokens = chat_input_tokens(body, ModelCard(OSS, "chat", None, None, None))
    assert admitted.hold.usd == worst(tokens, 300)


def test_a_request_without_a_bound_is_refused_before_anything_is_held() -> None:
    world = World()
    fields = {"max_tokens": 10**6}

    with pytest.raises(InvalidRequestError, match="would lift"):
        world.admit(body={**chat_call(4).body, "additionalModelRequestFields": fields})
    assert world.committed == 0


# --- Terms ------------------------------------------------------------------------------------


CONTRACT = {CLAUDE: {"in_region": {"default": {"input": "1", "output": "4"}}}}


def test_contract_prices_are_held_and_booked() -> None:
    world = World(prices=CONTRACT)
    world.runtime.usage = TokenUsage(input=10, output=5)

    admitted = world.admit()
    answer = world.calls.run(admitted)

    assert admitted.hold.usd == by_bytes(4) * 1_000_000 + 100 * 4_000_000
    assert answer.cost.total == 10 * 1_000_000 + 5 * 4_000_000
    assert world.row.price_version == BOOK.with_overrides(CONTRACT).version != "list"
    assert world.row.priced is True


def test_a_call_is_settled_under_the_terms_it_was_admitted_under() -> None:
    world = World(prices=CONTRACT)
    stored = decode_call(encode_call(world.admit()))
    world.policy(prices={})

    assert stored.terms == PriceTerms(prices=CONTRACT)
    assert world.calls.run(stored).cost.total == 10 * 1_000_000 + 5 * 4_000_000


def test_a_lowered_maximum_travels_with_a_stored_call() -> None:
    world = World(clamp_max_tokens=True, budget=Budget(month=worst(by_bytes(4), 40)))
    admitted = world.admit()

    stored = decode_call(encode_call(admitted))

    assert stored.lowered_max_tokens == 40
    assert stored.lease == admitted.lease


def test_an_exceeded_soft_budget_is_admitted_and_told() -> None:
    world = World(budget=Budget(month=1, is_hard=False))

    assert admission_notices(world.admit()) == {"x-tollgate-budget": "exceeded"}


def test_the_caller_is_told_of_a_lowered_maximum() -> None:
    world = World(clamp_max_tokens=True, budget=Budget(month=worst(by_bytes(4), 40)))

    assert admission_notices(world.admit()) == {"x-tollgate-max-tokens": "40"}
    assert admission_notices(World().admit()) == {}


def test_a_tenants_own_arn_has_the_price_and_policy_of_its_model() -> None:
    world = World(models=("us.anthropic.*",), model_arns={PROFILE: f"us.{CLAUDE}"})

    admitted = world.admit(model=PROFILE)
    world.calls.run(admitted)

    assert admitted.request.model_id == PROFILE
    assert admitted.hold.usd == worst(by_bytes(4))
    row = world.row
    assert (row.requested_model, row.model_id, row.routing) == (PROFILE, CLAUDE, "geo")
    assert row.inference_profile_arn == PROFILE
    assert row.total_cost == 10 * INPUT + 5 * OUTPUT


def test_an_arn_is_allowed_only_where_it_is_mapped_and_its_model_allowed() -> None:
    with pytest.raises(ForbiddenError) as unknown:
        World().admit(model=PROFILE)
    assert unknown.value.code == "model_not_allowed"
    with pytest.raises(ForbiddenError) as refused:
        World(models=("amazon.*",), model_arns={PROFILE: CLAUDE}).admit(model=PROFILE)
    assert refused.value.code == "model_not_allowed"


def test_a_call_through_the_apps_own_profile_is_booked_with_it() -> None:
    own = InferenceProfile("chat", f"us.{CLAUDE}", PROFILE, {"project": "p1"})
    world = World(apps={"web": app(inference_profiles={"chat": own})})

    for requested in (f"us.{CLAUDE}", PROFILE):
        admitted = world.admit(model=requested)
        stored = decode_call(encode_call(admitted))
        world.calls.run(stored)

        row = world.usage.rows[admitted.request_id]
        assert admitted.request.model_id == row.inference_profile_arn == PROFILE
        assert admitted.request.metadata == {
            "tenant": "acme",
            "app": "web",
            "request_id": admitted.request_id,
        }
        assert (row.requested_model, row.model_id, row.routing) == (requested, CLAUDE, "geo")
        assert row.tags == {"owner": "search", "env": "t", "project": "p1"}
        assert row.total_cost == 10 * INPUT + 5 * OUTPUT


CEILING = {"input": "7", "output": "30"}


def test_a_model_without_a_price_is_refused_on_every_path() -> None:
    for policy in ({}, {"model_arns": {PROFILE: "anthropic.claude-unknown"}}):
        for name in ("anthropic.claude-unknown", *policy.get("model_arns", ())):
            with pytest.raises(ForbiddenError, match="has no price in us-east-1") as refused:
                World(**policy).admit(model=name)
            assert refused.value.code == "model_not_priced"
            assert refused.value.details == {
                "model_id": "anthropic.claude-unknown",
                "price_version": "list",
            }


def test_a_model_without_a_price_is_held_and_booked_at_the_ceiling() -> None:
    world = World(unpriced=CEILING)

    admitted = world.admit(model="anthropic.claude-unknown")
    answer = world.calls.run(admitted)

    assert admitted.hold.usd == by_bytes(4) * 7_000_000 + 100 * 30_000_000
    assert answer.cost.total == 10 * 7_000_000 + 5 * 30_000_000
    assert world.row.priced is False


def test_a_ceiling_does_not_price_what_has_a_price() -> None:
    world = World(unpriced=CEILING)

    world.calls.run(world.admit())

    assert world.row.total_cost == 10 * INPUT + 5 * OUTPUT
    assert world.row.priced is True


def test_a_model_for_something_else_stays_refused_under_a_ceiling() -> None:
    with pytest.raises(InvalidRequestError, match="is a model for embedding") as refused:
        World(unpriced=CEILING).admit(model="cohere.embed-v3")
    assert refused.value.code == "wrong_operation"
