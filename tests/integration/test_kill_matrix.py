"""Whatever a process dies of, the ledger says what the provider bills."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.kill_matrix import MORE, USUAL, Audit, run

pytestmark = pytest.mark.stack

# A process that meets a new minute makes a call or two more, another one then fewer: how many do so
# depends on how many minutes the machine takes.
MOST_UNREACHED = 1 / 40


def check(audit: Audit) -> None:
    report = "\n".join(audit.lines())
    print(report)
    assert audit.differences == [], report
    unreached = sum(not outcome.killed for outcome in audit.outcomes)
    assert unreached <= len(audit.outcomes) * MOST_UNREACHED
    # The two sweeps at once had something to do, the last one had nothing left.
    *_, one, other, last = audit.sweeps
    assert Counter(one) + Counter(other)
    assert not any(last.values())


@pytest.mark.slow
def test_nothing_is_lost_or_billed_twice_wherever_a_process_is_killed() -> None:
    audit = run(USUAL)

    check(audit)
    assert audit.booked_calls == audit.billed_calls > 0
    assert audit.booked_pico == audit.billed_pico > 0


@pytest.mark.soak
def test_the_whole_matrix_has_no_difference() -> None:
    audit = run([*USUAL, *MORE], thorough=True)

    check(audit)
    assert audit.booked_calls == audit.billed_calls
    assert audit.booked_pico == audit.billed_pico


@pytest.mark.soak
def test_without_invocation_logs_nothing_is_booked_below_the_truth() -> None:
    audit = run([*USUAL, *MORE], logged=False)

    check(audit)
    assert audit.booked_pico >= audit.billed_pico
