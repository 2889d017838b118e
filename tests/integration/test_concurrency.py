"""Real threads against one budget: what fits passes, and not one request more."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.ledger import FakeTenants
from tests.fakes.world import FakeClock, FakeRuntime, caller, tenant
from tests.unit.services.test_calls import BOOK, chat_call
from tollgate.adapters import tables
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.errors import BudgetExceededError, BudgetHeldError
from tollgate.domain.tenants import Budget, Limits
from tollgate.services.admission import Admission
from tollgate.services.calls import AdmittedCall, Calls
from tollgate.services.ledger import Ledger
from tollgate.services.policy import Policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

REQUESTS = 200
AFFORDABLE = 50
THREADS = 32


class Shop:
    """A pipeline over the emulator's tables."""

    def __init__(
        self,
        client: DynamoDBClient,
        accounts_table: str,
        usage_table: str,
        budget: Budget,
        limits: Limits,
    ) -> None:
        self.accounts = DynamoAccounts(client, accounts_table)
        self.usage = DynamoUsage(client, usage_table)
        clock = FakeClock()
        ledger = Ledger(self.accounts, self.usage)
        self.admission = Admission(
            policies=Policies(FakeTenants(tenant(budget=budget, limits=limits)), clock),
            ledger=ledger,
            prices=BOOK,
            region="us-east-1",
            clock=clock,
        )
        self.calls = Calls(
            ledger=ledger,
            runtime=FakeRuntime(),
            prices=BOOK,
            region="us-east-1",
            account_id="123456789012",
            clock=clock,
        )

    def admit(self) -> AdmittedCall:
        return self.admission.admit(caller(), chat_call(), streamed=False)


@pytest.fixture
def open_shop(
    aws_client: Callable[[str], Any], make_table: Callable[[tables.TableSpec], str]
) -> Callable[..., Shop]:
    def open_(budget: Budget | None = None, limits: Limits | None = None) -> Shop:
        return Shop(
            aws_client("dynamodb"),
            make_table(tables.ACCOUNTS),
            make_table(tables.USAGE),
            budget or Budget(),
            limits or Limits(),
        )

    return open_


def price_of_a_hold(shop: Shop) -> int:
    return shop.admit().lease.hold.usd


class Auditor:
    """Reads the account after every call, from the thread that made it, and checks the books."""

    def __init__(self, shop: Shop, limit: int) -> None:
        self._shop = shop
        self._limit = limit
        self.observations = 0
        self.faults: list[str] = []
        self._lock = threading.Lock()

    def look(self) -> None:
        account = self._shop.accounts.get("tenant#acme")
        if account is None:
            return
        with self._lock:
            self.observations += 1
        if account.month_committed != account.month_spent + account.held:
            self.faults.append(f"committed {account.month_committed} is not spent plus held")
        if account.month_committed > self._limit:
            self.faults.append(f"committed {account.month_committed} of {self._limit}")


def run(work: Callable[[], object], auditor: Auditor) -> Counter[str]:
    """The outcomes of REQUESTS calls of `work`, each followed by a look at the books."""

    def attempt(_: int) -> str:
        try:
            work()
        except (BudgetExceededError, BudgetHeldError):
            return "refused"
        finally:
            auditor.look()
        return "admitted"

    with ThreadPoolExecutor(THREADS) as pool:
        return Counter(pool.map(attempt, range(REQUESTS)))


@pytest.mark.parametrize("window", ["month", "day"])
def test_exactly_what_the_budget_covers_is_admitted(
    open_shop: Callable[..., Shop], window: str
) -> None:
    price = price_of_a_hold(open_shop())
    limit = AFFORDABLE * price + price - 1
    shop = open_shop(Budget(**{window: limit}))
    auditor = Auditor(shop, limit)

    outcomes = run(shop.admit, auditor)

    assert outcomes == {"admitted": AFFORDABLE, "refused": REQUESTS - AFFORDABLE}
    account = shop.accounts.get("tenant#acme")
    assert account is not None
    assert len(account.holds) == AFFORDABLE
    assert account.month_committed == account.day_committed == AFFORDABLE * price
    assert auditor.faults == []
    assert auditor.observations == REQUESTS


def test_the_books_balance_at_every_moment_while_calls_come_and_go(
    open_shop: Callable[..., Shop],
) -> None:
    price = price_of_a_hold(open_shop())
    limit = 10 * price
    shop = open_shop(Budget(month=limit))
    auditor = Auditor(shop, limit)
    rows: list[int] = []

    def call() -> None:
        rows.append(shop.calls.run(shop.admit()).cost.total)

    outcomes = run(call, auditor)

    account = shop.accounts.get("tenant#acme")
    assert account is not None
    assert account.holds == {}
    assert account.month_committed == account.month_spent == sum(rows) <= limit
    assert outcomes["admitted"] == len(rows) > 10
    assert auditor.faults == []
    assert auditor.observations == REQUESTS


def test_no_more_calls_run_at_once_than_allowed(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop(limits=Limits(concurrent_requests=7))

    def attempt(_: int) -> bool:
        try:
            shop.admit()
        except Exception as error:  # noqa: BLE001 - any refusal counts, and must be this one
            assert getattr(error, "code", "") == "concurrent_requests_exceeded"
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        admitted = sum(pool.map(attempt, range(60)))

    assert admitted == 7
