"""Four processes with sixteen threads each against one budget: nothing is spent twice."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.spender import TOKENS, Spree, meet_at, spend
from tollgate.adapters import tables
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.domain.ledger import Account, is_business_unit_account, is_tenant_account
from tollgate.domain.tenants import Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts.local.ministack import MiniStack

pytestmark = pytest.mark.slow

PROCESSES = 4
THREADS = 16
REQUESTS = 48  # of each process
PRICE = 1_000_003
AFFORDABLE = 64  # a third of all requests
SHARDS = 8
SLACK = PRICE - 1  # too little for one more


NOTHING = Budget()


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(PROCESSES)
    with ProcessPoolExecutor(
        PROCESSES, mp_context=context, initializer=meet_at, initargs=(together,)
    ) as executor:
        yield executor


class Mall:
    """One tenant's accounts, and the processes that spend from them."""

    def __init__(
        self, pool: ProcessPoolExecutor, endpoint: str, accounts_table: str, usage_table: str
    ) -> None:
        self._pool = pool
        self._places = (endpoint, accounts_table, usage_table)

    def open(
        self,
        budget: Budget,
        app_budget: Budget,
        shards: int,
        cost: int | None,
        unit_budget: Budget = NOTHING,
    ) -> Counter[str]:
        spree = Spree(
            *self._places,
            budget=budget,
            app_budget=app_budget,
            unit_budget=unit_budget,
            shards=shards,
            price=PRICE,
            cost=cost,
            requests=REQUESTS,
            threads=THREADS,
        )
        return sum(self._pool.map(spend, [spree] * PROCESSES), Counter())


@pytest.fixture
def mall(
    pool: ProcessPoolExecutor,
    ministack: MiniStack,
    make_table: Callable[[tables.TableSpec], str],
) -> Mall:
    names = (make_table(tables.ACCOUNTS), make_table(tables.USAGE))
    return Mall(pool, ministack.endpoint_url, *names)


@pytest.fixture
def accounts_of(aws_client: Callable[[str], Any]) -> Callable[[Mall], dict[str, Account]]:
    def read(mall: Mall) -> dict[str, Account]:
        _, table, _ = mall._places  # noqa: SLF001
        accounts = DynamoAccounts(aws_client("dynamodb"), table).scan()
        return {account.account_id: account for account in accounts}

    return read


# With shards, the limit is AFFORDABLE prices and so each share is AFFORDABLE / SHARDS of them:
# what one shard refuses another takes, and all are used up exactly.
CASES = {
    "month": (Budget(month=AFFORDABLE * PRICE + SLACK), NOTHING, 1, "month_usd of tenant#acme"),
    "day": (Budget(day=AFFORDABLE * PRICE + SLACK), NOTHING, 1, "day_usd of tenant#acme"),
    "app": (NOTHING, Budget(month=AFFORDABLE * PRICE + SLACK), 1, "month_usd of app#acme/web"),
    "shards": (Budget(month=AFFORDABLE * PRICE), NOTHING, SHARDS, "month_usd of tenant#acme"),
    "app-shards": (
        Budget(day=AFFORDABLE * PRICE),
        Budget(month=2 * AFFORDABLE * PRICE),
        SHARDS,
        "day_usd of tenant#acme",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_exactly_what_the_budget_covers_is_admitted(
    case: str, mall: Mall, accounts_of: Callable[[Mall], dict[str, Account]]
) -> None:
    budget, app_budget, shards, refused = CASES[case]

    outcomes = mall.open(budget, app_budget, shards, cost=None)

    assert outcomes == {"admitted": AFFORDABLE, refused: PROCESSES * REQUESTS - AFFORDABLE}
    accounts = accounts_of(mall)
    tenants = [account for name, account in accounts.items() if is_tenant_account(name)]
    assert sum(account.month_committed for account in tenants) == AFFORDABLE * PRICE
    assert sum(account.day_committed for account in tenants) == AFFORDABLE * PRICE
    held = [request_id for account in tenants for request_id in account.holds]
    assert len(held) == len(set(held)) == AFFORDABLE
    for account in accounts.values():
        assert account.month_committed == account.month_spent + account.held
        assert account.day_committed == account.day_spent + account.held
    # Whoever refused, what the refused calls had counted elsewhere is given back.
    assert sum(account.day_requests for account in tenants) == AFFORDABLE
    if app_budget != NOTHING:
        app = accounts["app#acme/web"]
        assert set(app.holds) == set(held)
        assert app.day_requests == app.minute_requests == AFFORDABLE
        assert app.minute_tokens == AFFORDABLE * TOKENS


@pytest.mark.parametrize("shards", [1, SHARDS])
def test_a_business_units_budget_is_not_spent_twice_either(
    shards: int, mall: Mall, accounts_of: Callable[[Mall], dict[str, Account]]
) -> None:
    limit = AFFORDABLE * PRICE
    roomy = Budget(month=3 * limit)

    outcomes = mall.open(roomy, NOTHING, shards, cost=None, unit_budget=Budget(day=limit))

    refused = PROCESSES * REQUESTS - AFFORDABLE
    assert outcomes == {"admitted": AFFORDABLE, "day_usd of business_unit#retail": refused}
    accounts = accounts_of(mall)
    for is_whole in (is_tenant_account, is_business_unit_account):
        of_whole = [account for name, account in accounts.items() if is_whole(name)]
        assert sum(account.month_committed for account in of_whole) == limit
        assert sum(account.day_committed for account in of_whole) == limit
        # What the unit refused, the tenant has given back.
        assert sum(account.day_requests for account in of_whole) == AFFORDABLE
        held = [hold for account in of_whole for hold in account.holds.values()]
        assert len({hold.request_id for hold in held}) == len(held) == AFFORDABLE
        assert {(hold.business_unit, hold.tenant_id) for hold in held} == {("retail", "acme")}


def test_calls_that_settle_make_room_and_spend_no_more_than_the_budget(
    mall: Mall,
    accounts_of: Callable[[Mall], dict[str, Account]],
    aws_client: Callable[[str], Any],
) -> None:
    limit, cost = AFFORDABLE * PRICE, 900_000

    outcomes = mall.open(Budget(month=limit), NOTHING, SHARDS, cost=cost)

    accounts = accounts_of(mall).values()
    spent = sum(account.month_spent for account in accounts)
    rows = aws_client("dynamodb").scan(TableName=mall._places[2], Select="COUNT")["Count"]  # noqa: SLF001
    assert spent == outcomes["admitted"] * cost == rows * cost <= limit
    # Each shard is used up: what is left of its share is less than one hold.
    shards = [account for account in accounts if not account.frozen]
    assert len(shards) == SHARDS
    for account in shards:
        assert account.holds == {}
        assert account.month_committed == account.month_spent
        assert 0 <= limit // SHARDS - account.month_spent < PRICE
