"""Compare the ledger with AWS's bill over a period, on either engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.reconcile import classify, export, sides
from scripts.reconcile.usage_types import ModelNames
from scripts.reports import checks, queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from scripts.reconcile.classify import Difference
    from scripts.reconcile.sides import Tenants
    from scripts.reports.engines import Engine
    from scripts.reports.periods import Period
    from tollgate.domain.prices import PriceBook

_SILOS = """
SELECT account_id, min(tenant_id) AS tenant_id
FROM tenants
WHERE isolation = 'silo' AND account_id IS NOT NULL
GROUP BY account_id
HAVING count(*) = 1
"""


class LedgerError(Exception):
    """The ledger's side cannot be compared; the message says why and what to give."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was compared and how it differs; amounts in picodollars.

    `booked` and `billed` are all of the ledger and of the bill in the accounts compared; the
    differences add up to `billed - booked`. `unread` are usage types that nobody reads, `elsewhere`
    what other accounts of the bill pay for models, both with what they cost. `home` is the account
    of rows that name none, `model_ids` are the ledger's, as its rows spell them, `tenants` those
    that the bill tells apart.
    """

    period: Period
    now: datetime
    accounts: tuple[str, ...]
    booked: int
    billed: int
    differences: tuple[Difference, ...]
    unread: Mapping[str, int]
    elsewhere: Mapping[str, int]
    home: str | None
    model_ids: tuple[str, ...]
    tenants: Tenants

    def by_class(self) -> dict[str, int]:
        """What each class of differences comes to, in the order of `classify.CLASSES`."""
        sums = dict.fromkeys(classify.CLASSES, 0)
        for difference in self.differences:
            sums[difference.why] += difference.amount
        return sums

    def unexplained(self) -> int:
        """The sum of what somebody has to look into, each difference without its sign."""
        return sum(
            abs(difference.amount)
            for difference in self.differences
            if difference.why not in classify.EXPECTED
        )


def reconcile(
    engine: Engine,
    period: Period,
    book: PriceBook,
    now: datetime,
    *,
    account: str | None = None,
    more_accounts: Sequence[str] = (),
) -> Reconciliation:
    """Compare all usage of a period with what AWS bills for it.

    `account` is that of rows from before they named one, `more_accounts` those in which the
    ledger has nothing and the bill may have something. Raises ExportError, LedgerError,
    RefusedError and EngineError.
    """
    known = queries.load()
    first = export.billing_periods(period)[0]
    read = {"first_period": first, "last_period": export.last_billing_period(period)}
    export.check_state(engine.run(known["bill_state"].fill(period, read)).records(), period, now)
    lines = engine.run(known["bill_lines"].fill(period, read)).records()
    booked = known["bill_ledger"].fill(period)
    checks.lake(engine, booked, period, now.date())
    rows = _named(engine.run(booked).records(), account)
    accounts = {row["account_id"] for row in rows} | set(more_accounts)
    if account is not None:
        accounts.add(account)
    tenants = sides.Tenants.of(lines, _silos(engine))
    ledger = sides.booked(rows, book, tenants)
    bill = sides.billed(lines, ModelNames(book.model_ids()), tenants, frozenset(accounts))
    return Reconciliation(
        period=period,
        now=now,
        accounts=tuple(sorted(accounts)),
        booked=sum(cell.cost for cell in ledger.values()),
        billed=sum(cell.cost for cell in bill.cells.values())
        + sum(charge.cost for charge in bill.charges),
        differences=tuple(classify.explain(ledger, bill.cells, bill.charges, now)),
        unread=bill.unread,
        elsewhere=bill.elsewhere,
        home=account,
        model_ids=tuple(sorted({row["model_id"] for row in rows})),
        tenants=tenants,
    )


def _named(rows: list[dict[str, Any]], account: str | None) -> list[dict[str, Any]]:
    if not rows and account is None:
        raise LedgerError(
            "the ledger has no usage in this period: give --account, whose bill is to be looked at"
        )
    for row in rows:
        row["account_id"] = row["account_id"] or account
        if row["account_id"] is None:
            raise LedgerError(
                f"usage of {row['dt']} names no AWS account: give --account, the one that the "
                "gateway's models ran in"
            )
    return rows


def _silos(engine: Engine) -> dict[str, str]:
    # A copy of the lake may be without the list of tenants.
    if not engine.has("tenants"):
        return {}
    found = engine.run(_SILOS).records()
    return {record["account_id"]: record["tenant_id"] for record in found}
