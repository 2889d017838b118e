"""How many calls of coding agents a budget admits, by the way their worst case is held.

A call is admitted when its worst case fits the budget. Coding agents are the hardest case: their
contexts grow to 150,000 tokens of which most come from a cache, so that a call costs a few cents
while its bytes, at four a token and the price of a cache write, are held at dollars. This replays
one generated trace through the real admission, ledger and settlement on in-memory tables and a
clock of its own, once for each way of holding, and beside them an oracle that knows each call's
cost beforehand and holds just that. An agent whose call is refused stops; one that only has to wait
for running calls asks three times in all, as SDKs do.

Run: python -m scripts.bench.starvation [--seed 7] [--sessions 32] [--budgets 5,10,20,40]
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "functions" / "shared") not in sys.path:
    sys.path.insert(0, str(ROOT / "functions" / "shared"))

from scripts.bench.logs import errors_only  # noqa: E402
from tests.fakes.ledger import FakeAccounts, FakeTenants, FakeUsage  # noqa: E402
from tests.fakes.world import FakeClock, caller, tenant  # noqa: E402
from tollgate.domain.errors import BudgetExceededError, BudgetHeldError  # noqa: E402
from tollgate.domain.ledger import tenant_account_id  # noqa: E402
from tollgate.domain.models import resolve_model  # noqa: E402
from tollgate.domain.money import PICO_PER_USD, usd  # noqa: E402
from tollgate.domain.prices import PriceBook, TokenUsage, cost  # noqa: E402
from tollgate.domain.tenants import Budget, Tenant  # noqa: E402
from tollgate.observability import metrics  # noqa: E402
from tollgate.ports import ModelReply  # noqa: E402
from tollgate.services.admission import Admission  # noqa: E402
from tollgate.services.calls import AdmittedCall, Calls  # noqa: E402
from tollgate.services.ledger import Lease, Ledger  # noqa: E402
from tollgate.services.policy import Policies  # noqa: E402
from tollgate.services.shapes import ChatCall  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tollgate.domain.ledger import Hold, Scope
    from tollgate.domain.sessions import Session
    from tollgate.ports import ModelRequest, StreamPiece

MODEL = "anthropic.claude-agent"
# USD per million tokens: the usual proportions of a large model with a cache.
RATES = {
    "input": "3",
    "output": "15",
    "cache_read": "0.3",
    "cache_write_5m": "3.75",
    "cache_write_1h": "6",
}
CACHE_SECONDS = 300
CONTEXT_TOKENS = (5_000, 150_000)
OUTPUT_TOKENS = (50, 800)
MAX_TOKENS = (4096, 8192)
PAUSE_SECONDS = (8, 180)
TRIES = 3
BOOK = PriceBook(
    {
        "schema_version": 1,
        "currency": "USD",
        "unit": "1M tokens",
        "version": "trace",
        "models": {
            MODEL: {
                "mode": "chat",
                "max_input_tokens": 200_000,
                "max_output_tokens": 64_000,
                "effective": [
                    {"from": "2026-01-01", "to": None, "rates": {"in_region": {"default": RATES}}}
                ],
            }
        },
    }
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of an agent: when it is made, what it reads and what it will write.

    `at` and `seconds` are its start within the trace and its duration.
    """

    turn_id: str
    session: int
    at: float
    seconds: float
    context_tokens: int
    bytes_per_token: float
    output_tokens: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Mode:
    """A way of holding a call."""

    name: str
    count: str = "bytes"
    clamp: bool = False
    foresight: bool = False

    def policy(self, budget: int) -> Tenant:
        """The tenant's policy under it, with a budget in picodollars."""
        return tenant(
            models=("*",),
            budget=Budget(month=budget),
            count_tokens=self.count,
            clamp_max_tokens=self.clamp,
        )


MODES = (
    Mode("bytes"),
    Mode("bytes, clamped", clamp=True),
    Mode("auto", count="auto"),
    Mode("auto, clamped", count="auto", clamp=True),
    Mode("exact", count="exact"),
    Mode("exact, clamped", count="exact", clamp=True),
    Mode("oracle", foresight=True),
)


@dataclass(slots=True)
class Result:
    """What became of a trace: calls by their end, picodollars, and the most that was committed."""

    mode: str
    budget: int
    calls: int
    admitted: int = 0
    cut: int = 0
    counts: int = 0
    spent: int = 0
    most_committed: int = 0
    spent_at_first_refusal: int = sys.maxsize

    @property
    def share(self) -> float:
        """Admitted part of all calls."""
        return self.admitted / self.calls


def trace(seed: int, sessions: int, turns: int, minutes: int) -> list[Turn]:
    """Turns of agents in the order of their start: the same for the same arguments.

    Sessions start at any time within the first `minutes`, so that several are at work at once.
    """
    rng = random.Random(seed)  # noqa: S311 - a trace to be repeated, not a secret
    made = []
    for session in range(sessions):
        at = rng.uniform(0, minutes * 60)
        low, high = CONTEXT_TOKENS
        context = low + rng.uniform(0, 5_000)
        growth = (high - context) / turns
        density = rng.uniform(3.5, 4.5)
        max_tokens = rng.choice(MAX_TOKENS)
        for number in range(turns):
            output = rng.randint(*OUTPUT_TOKENS)
            seconds = 2 + output / 60
            made.append(
                Turn(
                    turn_id=f"{session}/{number}",
                    session=session,
                    at=at,
                    seconds=seconds,
                    context_tokens=int(context),
                    bytes_per_token=density,
                    output_tokens=output,
                    max_tokens=max_tokens,
                )
            )
            context = min(context + growth * rng.uniform(0.5, 1.5), high)
            # Tools run for seconds, and now and then a person reads what was done.
            at += seconds + rng.expovariate(1 / rng.choices(PAUSE_SECONDS, (9, 1))[0])
    return sorted(made, key=lambda turn: (turn.at, turn.turn_id))


class _Caches:
    """The provider's prompt caches: what the last admitted call of a session left there."""

    def __init__(self) -> None:
        self._left: dict[int, tuple[float, int]] = {}

    def usage(self, turn: Turn, output_tokens: int) -> TokenUsage:
        """What the provider will report: the tail of a context is never cached."""
        until, cached = self._left.get(turn.session, (0.0, 0))
        read = cached if turn.at < until else 0
        tail = min(20, turn.context_tokens)
        return TokenUsage(
            input=tail,
            output=output_tokens,
            cache_read=read,
            cache_write_5m=turn.context_tokens - tail - read,
        )

    def keep(self, turn: Turn) -> None:
        """The call was made."""
        self._left[turn.session] = (turn.at + CACHE_SECONDS, turn.context_tokens - 20)


class _Foresight(Ledger):
    """Holds what each call is going to cost."""

    next_cost: int | None = None

    def admit(self, hold: Hold, scopes: Sequence[Scope], now: datetime) -> Lease:
        """Place the hold at the known cost, where there is one."""
        known = hold.usd if self.next_cost is None else self.next_cost
        return super().admit(replace(hold, usd=known), scopes, now)


@dataclass(slots=True)
class _Model:
    """The model service: answers with the usage that stands for the request."""

    usage: TokenUsage = field(default_factory=TokenUsage)

    def prepare(self, request: ModelRequest) -> None:
        """Nothing has to be there before a call."""

    def call(self, request: ModelRequest) -> ModelReply:
        """One answer, cut at what the request allows."""
        allowed = request.body["inferenceConfig"]["maxTokens"]
        served = replace(self.usage, output=min(self.usage.output, allowed))
        return ModelReply({"output": {"message": {"content": []}}}, served, "end_turn")

    def stream(self, request: ModelRequest) -> Iterator[StreamPiece | ModelReply]:
        """Nothing streams here."""
        raise NotImplementedError


@dataclass(slots=True)
class _Counter:
    """CountTokens: knows the turn at hand."""

    tokens: int = 0
    counts: int = 0

    def count(
        self, model_id: str, body: Mapping[str, Any], session: Session | None = None
    ) -> int | None:
        """The exact count."""
        del model_id, body, session
        self.counts += 1
        return self.tokens


class _Replay:
    """One trace under one mode and budget."""

    def __init__(self, mode: Mode, budget: int, calls: int) -> None:
        self._clock = FakeClock()
        self._start = self._clock.now
        self._accounts = FakeAccounts()
        self._ledger = _Foresight(self._accounts, FakeUsage())
        self._counter = _Counter()
        self._model = _Model()
        self._mode = mode
        self._caches = _Caches()
        self.result = Result(mode.name, budget, calls)
        region = "us-east-1"
        self._admission = Admission(
            policies=Policies(FakeTenants(mode.policy(budget)), self._clock),
            ledger=self._ledger,
            prices=BOOK,
            region=region,
            clock=self._clock,
            counter=self._counter,
        )
        self._calls = Calls(
            ledger=self._ledger,
            runtime=self._model,
            prices=BOOK,
            region=region,
            account_id="123456789012",
            clock=self._clock,
        )

    def run(self, turns: Iterable[Turn]) -> Result:
        """Replay, calls ending in between as they do."""
        open_calls: list[tuple[float, str, AdmittedCall, TokenUsage]] = []
        stopped: set[int] = set()
        waiting = [(turn.at, turn.turn_id, 1, turn) for turn in turns]
        heapq.heapify(waiting)
        while waiting:
            at, turn_id, tries, turn = heapq.heappop(waiting)
            if turn.session in stopped:
                continue
            while open_calls and open_calls[0][0] <= at:
                self._end(*heapq.heappop(open_calls))
            self._at(at)
            admitted, again_after = self._admit(turn)
            if admitted is not None:
                usage = self._caches.usage(turn, turn.output_tokens)
                self._caches.keep(turn)
                heapq.heappush(open_calls, (at + turn.seconds, turn_id, admitted, usage))
            elif again_after is not None and tries < TRIES:
                again = replace(turn, at=at + again_after)
                heapq.heappush(waiting, (again.at, turn_id, tries + 1, again))
            else:
                stopped.add(turn.session)
                self.result.spent_at_first_refusal = min(
                    self.result.spent, self.result.spent_at_first_refusal
                )
        while open_calls:
            self._end(*heapq.heappop(open_calls))
        self.result.counts = self._counter.counts
        return self.result

    def _admit(self, turn: Turn) -> tuple[AdmittedCall | None, int | None]:
        """The call, or after how many seconds to ask again, if ever."""
        self._counter.tokens = turn.context_tokens
        if self._mode.foresight:
            rates = self._rates()
            known = cost(rates, self._caches.usage(turn, turn.output_tokens)).total
            self._ledger.next_cost = known
        try:
            admitted = self._admission.admit(caller(), _call(turn), streamed=False)
        except (BudgetExceededError, BudgetHeldError) as error:
            return None, error.retry_after
        self.result.admitted += 1
        lowered = admitted.lowered_max_tokens
        self.result.cut += lowered is not None and lowered < turn.output_tokens
        self._watch()
        return admitted, None

    def _end(self, at: float, turn_id: str, call: AdmittedCall, usage: TokenUsage) -> None:
        del turn_id
        self._at(at)
        self._model.usage = usage
        self.result.spent += self._calls.run(call).cost.total
        metrics.clear_metrics()
        self._watch()

    def _at(self, seconds: float) -> None:
        self._clock.now = self._start + timedelta(seconds=seconds)

    def _rates(self) -> Any:  # noqa: ANN401
        return BOOK.rates(resolve_model(MODEL), region="us-east-1", at=self._clock.now)

    def _watch(self) -> None:
        account = self._accounts.get(tenant_account_id("acme"))
        if account is not None:
            most = max(self.result.most_committed, account.month_committed)
            self.result.most_committed = most


def _call(turn: Turn) -> ChatCall:
    text = "a" * int(turn.context_tokens * turn.bytes_per_token)
    content = [{"text": text}, {"cachePoint": {"type": "default"}}]
    return ChatCall(
        model=MODEL,
        body={"messages": [{"role": "user", "content": content}]},
        max_tokens=turn.max_tokens,
        dialect="legacy.chat",
    )


def replay(turns: Sequence[Turn], mode: Mode, budget: int) -> Result:
    """A trace under one mode and a month's budget in picodollars."""
    with errors_only():
        return _Replay(mode, budget, len(turns)).run(turns)


def table(turns: Sequence[Turn], budgets: Iterable[int]) -> str:
    """All modes at all budgets, as lines of a Markdown table.

    *First refusal* is how much of the budget was spent when a call was first refused, *counted*
    how many CountTokens calls there were for each call, *cut* how many answers a lowered
    `maxTokens` ended early.
    """
    unlimited = replay(turns, MODES[-1], 10**6 * PICO_PER_USD)
    lines = [
        f"{len(turns)} calls in {len({turn.session for turn in turns})} sessions, "
        f"${unlimited.spent / PICO_PER_USD:.2f} in all",
        "",
        "| budget | held | admitted | of oracle | spent | first refusal | counted | cut |",
        "| ---: | :--- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for budget in budgets:
        results = [replay(turns, mode, budget) for mode in MODES]
        lines += [_line(result, results[-1]) for result in results]
    return "\n".join(lines)


def _line(result: Result, oracle: Result) -> str:
    first = "-"
    if result.admitted < result.calls:
        first = f"{result.spent_at_first_refusal / result.budget:.0%}"
    cells = (
        f"${result.budget / PICO_PER_USD:g}",
        result.mode,
        f"{result.share:.1%}",
        f"{result.admitted / oracle.admitted:.1%}",
        f"{result.spent / result.budget:.1%}",
        first,
        f"{result.counts / result.calls:.0%}",
        str(result.cut),
    )
    return f"| {' | '.join(cells)} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--sessions", type=int, default=32)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--budgets", default="5,10,20,40", help="USD, separated by commas")
    parser.add_argument("--minutes", type=int, default=8, help="within which all sessions start")
    given = parser.parse_args(argv)
    turns = trace(given.seed, given.sessions, given.turns, given.minutes)
    print(table(turns, [usd(text) for text in given.budgets.split(",")]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
