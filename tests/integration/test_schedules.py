"""A few random schedules over the real adapters: DynamoDB's conditions do what the fakes' do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fakes.ledger_machine import LedgerMachine
from tollgate.adapters import tables
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.usage import DynamoUsage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tollgate.ports import Accounts, Usage

SCHEDULES = 12
STEPS = 25


def test_the_books_balance_in_every_order_on_the_emulator(
    aws_client: Callable[[str], Any], make_table: Callable[[tables.TableSpec], str]
) -> None:
    client = aws_client("dynamodb")

    class Machine(LedgerMachine):
        def stores(self) -> tuple[Accounts, Usage]:
            return (
                DynamoAccounts(client, make_table(tables.ACCOUNTS)),
                DynamoUsage(client, make_table(tables.USAGE)),
            )

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=SCHEDULES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
