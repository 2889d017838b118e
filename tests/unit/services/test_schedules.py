"""Random schedules over the in-memory tables: a few hundred here, ten thousand in the soak."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fakes.ledger_machine import LedgerMachine

STEPS = 40


def schedules(count: int, *, derandomize: bool) -> settings:
    return settings(
        max_examples=count,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=derandomize,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.slow
def test_the_books_balance_in_every_order() -> None:
    run_state_machine_as_test(LedgerMachine, settings=schedules(250, derandomize=True))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_books_balance_in_ten_thousand_orders() -> None:
    run_state_machine_as_test(LedgerMachine, settings=schedules(10_000, derandomize=False))
