"""Budgets stay whole, and exact counts leave little of them unused."""

from __future__ import annotations

from functools import cache

import pytest

from scripts.bench.starvation import MODES, Result, Turn, main, replay, trace
from tollgate.domain.money import PICO_PER_USD

# Each replay serves several tests, so one worker.
pytestmark = pytest.mark.xdist_group("starvation")

SEEDS = (1, 3)
BUDGETS = (5, 20)
every_budget = pytest.mark.parametrize(("seed", "budget"), [(s, b) for s in SEEDS for b in BUDGETS])


@cache
def turns(seed: int) -> list[Turn]:
    return trace(seed, sessions=24, turns=20, minutes=5)


@cache
def results(seed: int, budget: int) -> dict[str, Result]:
    found = [replay(turns(seed), mode, budget * PICO_PER_USD) for mode in MODES]
    return {result.mode: result for result in found}


@every_budget
def test_no_way_of_holding_overspends(seed: int, budget: int) -> None:
    for result in results(seed, budget).values():
        assert 0 < result.spent <= result.most_committed <= result.budget
        assert 0 < result.admitted < result.calls == 24 * 20


@every_budget
def test_exact_counts_admit_at_least_what_bytes_admit(seed: int, budget: int) -> None:
    found = results(seed, budget)

    assert found["exact"].admitted > found["bytes"].admitted
    assert found["exact"].spent > found["bytes"].spent
    assert found["exact"].spent_at_first_refusal > found["bytes"].spent_at_first_refusal


@every_budget
def test_exact_counts_admit_nearly_what_foresight_admits(seed: int, budget: int) -> None:
    found = results(seed, budget)

    assert found["exact"].admitted >= 0.95 * found["oracle"].admitted
    assert found["exact"].spent >= 0.95 * found["oracle"].spent


@every_budget
def test_clamping_uses_the_budget_up_and_cuts_few_answers(seed: int, budget: int) -> None:
    found = results(seed, budget)["exact, clamped"]

    assert found.spent >= 0.98 * found.budget
    assert found.cut <= 0.05 * found.admitted


def test_bytes_alone_do_not_count() -> None:
    counting = {name for name, result in results(1, 5).items() if result.counts}

    assert counting == {"auto", "auto, clamped", "exact", "exact, clamped"}


def test_a_trace_is_a_coding_agents() -> None:
    made = turns(1)
    first = [turn for turn in made if turn.turn_id.endswith("/0")]
    last = [turn for turn in made if turn.turn_id.endswith("/19")]

    assert made == trace(1, sessions=24, turns=20, minutes=5) != trace(2, 24, 20, 5)
    assert [turn.at for turn in made] == sorted(turn.at for turn in made)
    assert all(5_000 <= turn.context_tokens <= 10_000 for turn in first)
    assert all(turn.context_tokens >= 100_000 for turn in last)
    assert {turn.max_tokens for turn in made} == {4096, 8192}
    assert all(50 <= turn.output_tokens <= 800 for turn in made)
    at_once = max(sum(t.at <= turn.at < t.at + t.seconds for t in made) for turn in made)
    assert at_once >= 8


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sessions", "3", "--turns", "4", "--budgets", "0.5"]) == 0

    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("12 calls in 3 sessions, $")
    assert [line.split(" | ")[1] for line in printed[4:]] == [mode.name for mode in MODES]
