"""One of several processes that spend one tenant's budget; imported where a test starts them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from tests.fakes.usage_rows import usage_row
from tests.fakes.world import NOVA_LITE, NOW, app, tenant
from tests.waiting import PATIENCE_SECONDS
from tollgate.adapters.accounts import DynamoAccounts
from tollgate.adapters.usage import DynamoUsage
from tollgate.domain.ids import new_request_id
from tollgate.domain.ledger import Hold, scopes_of
from tollgate.domain.tenants import Budget, BusinessUnit
from tollgate.services.ledger import Ledger, RefusedError

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier


TOKENS = 10  # of each hold


@dataclass(frozen=True)
class Spree:
    """What a process is to do: `requests` calls by `threads` threads, when all processes can.

    A call holds `price` picodollars; it costs `cost` of them, or stays open where that is None.
    """

    endpoint: str
    accounts_table: str
    usage_table: str
    budget: Budget
    app_budget: Budget
    unit_budget: Budget
    shards: int
    price: int
    cost: int | None
    requests: int
    threads: int


_together: list[Barrier] = []


def meet_at(together: Barrier) -> None:
    """Make the processes of a pool begin each spree together; the pool's initializer."""
    _together.append(together)


def spend(spree: Spree) -> Counter[str]:
    """The outcomes: admitted, or the limit and the scope that refused."""
    client = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=spree.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(max_pool_connections=spree.threads, retries={"total_max_attempts": 2}),
    )
    accounts = DynamoAccounts(client, spree.accounts_table)
    ledger = Ledger(accounts, DynamoUsage(client, spree.usage_table))
    policy = tenant(
        budget=spree.budget, shards=spree.shards, apps={"web": app(budget=spree.app_budget)}
    )
    unit = BusinessUnit("retail", "Retail", "Jo", spree.unit_budget, spree.shards)
    scopes = scopes_of(policy, policy.apps["web"], (), unit)

    def call(_: int) -> str:
        request_id = new_request_id(NOW)
        hold = Hold(
            request_id, spree.price, TOKENS, 9**10, NOVA_LITE, "web", "web/k", "d", streamed=False
        )
        try:
            lease = ledger.admit(hold, scopes, NOW)
        except RefusedError as error:
            return f"{error.refusal.limit_name} of {error.refusal.account_id}"
        if spree.cost is not None:
            ledger.settle(lease, usage_row(request_id=request_id, total_cost=spree.cost))
        return "admitted"

    _together[0].wait(PATIENCE_SECONDS)
    with ThreadPoolExecutor(spree.threads) as pool:
        return Counter(pool.map(call, range(spree.requests)))
