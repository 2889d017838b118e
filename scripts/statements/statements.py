"""The statements of a closed month: one for each tenant, cost centre and business unit.

All follow from the month's record alone, byte by byte: JSON for programs, CSV for an ERP. The page
for people is `page`'s.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import quote

from scripts.statements.lines import CENTS, times
from scripts.statements.record import canonical
from tollgate.domain.money import format_usd, round_usd, usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts.statements.lines import Line
    from scripts.statements.record import CellDigest, Record

SCHEMA_VERSION = 1
Scope = Literal["tenant", "cost_center", "business_unit"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
COLUMNS = ("statement", "period", "currency", "cost_center", "account", "net")
_PICO_PER_CENT = 10**10


@dataclass(frozen=True, slots=True)
class Statement:
    """What one tenant, cost centre or business unit is charged for a month.

    `lines` are in order; `digests` those of the cells that its ledger rows are in.
    """

    record: Record
    scope: Scope
    id: str
    lines: Sequence[Line]
    digests: Sequence[CellDigest]

    @property
    def name(self) -> str:
        """What it is called by and asked for: "2026-10/tenant/acme"."""
        return name_of(self.record.month, self.scope, self.id)

    @property
    def title(self) -> str:
        """Whom it is for, in words."""
        if self.scope == "tenant":
            return self.record.tenants[self.id].name
        if self.scope == "business_unit":
            return self.record.business_units.get(self.id, self.id)
        return self.id

    @property
    def net(self) -> int:
        """Its total in cents of its currency, without tax."""
        return sum(line.net for line in self.lines)

    @property
    def cost(self) -> int:
        """What all of it cost, in cents of its currency."""
        exact = times(sum(line.cost for line in self.lines), self.record.inputs.rate)
        return usd(round_usd(exact, CENTS)) // _PICO_PER_CENT

    @property
    def margin(self) -> int:
        """What is charged beyond the cost, in cents of its currency."""
        return self.net - self.cost

    @property
    def rows(self) -> int:
        """Ledger rows behind it."""
        return sum(found.rows for found in self.digests)

    @property
    def ledger_cost(self) -> int:
        """What the ledger rows behind it add up to, in picodollars."""
        return sum(found.cost for found in self.digests)

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of its cells, and with them over its ledger rows."""
        cells = [
            [*_names(found), found.rows, str(found.cost), found.digest] for found in self.digests
        ]
        return hashlib.sha256(canonical(cells)).hexdigest()


def _names(found: CellDigest) -> list[str]:
    return [found.cell.tenant_id, found.cell.cost_center, found.cell.business_unit]


def name_of(month: str, scope: Scope, of: str) -> str:
    """A statement's name, which is part of its key too: any id is one segment of it."""
    return f"{month}/{scope}/{quote(of, safe='')}"


def make(record: Record, lines: Sequence[Line]) -> list[Statement]:
    """All statements of a month, given its lines."""
    statements = []
    for scope in SCOPES:
        attribute = "tenant_id" if scope == "tenant" else scope
        ids = {getattr(line.cell, attribute) for line in lines}
        by_id: dict[str, tuple[list[Line], list[CellDigest]]] = {i: ([], []) for i in sorted(ids)}
        for line in lines:
            by_id[getattr(line.cell, attribute)][0].append(line)
        for found in record.cells:
            by_id[getattr(found.cell, attribute)][1].append(found)
        statements += [Statement(record, scope, of, *found) for of, found in by_id.items()]
    return statements


def to_json(statement: Statement) -> bytes:
    """A statement's canonical bytes. Amounts are strings: exact in US dollars, else with cents."""
    record = statement.record
    document = {
        "schema_version": SCHEMA_VERSION,
        "statement": statement.name,
        "version": 1,
        "scope": statement.scope,
        "id": statement.id,
        "title": statement.title,
        "month": record.month,
        "closed_at": record.closed_at,
        "currency": record.inputs.currency,
        "usd_rate": record.inputs.rate,
        "lines": [_line(line) for line in statement.lines],
        "totals": {
            "net": cents(statement.net),
            "cost": cents(statement.cost),
            "margin": cents(statement.margin),
            "margin_percent": margin_percent(statement),
            "charge_usd": format_usd(sum(line.charge for line in statement.lines)),
            "cost_usd": format_usd(sum(line.cost for line in statement.lines)),
        },
        "ledger": {
            "rows": statement.rows,
            "cost_usd": format_usd(statement.ledger_cost),
            "digest": statement.digest,
        },
    }
    return canonical(document)


def to_csv(statements: Iterable[Statement]) -> bytes:
    """What an ERP books, tax-free: a line per cost centre and account, as `COLUMNS` says."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for statement in statements:
        sums: dict[tuple[str, str], int] = {}
        for line in statement.lines:
            key = line.cell.cost_center, line.account
            sums[key] = sums.get(key, 0) + line.net
        month, currency = statement.record.month, statement.record.inputs.currency
        for (cost_center, account), net in sorted(sums.items()):
            writer.writerow([statement.name, month, currency, cost_center, account, cents(net)])
    return text.getvalue().encode()


def cents(amount: int) -> str:
    """Cents as a decimal with two places."""
    whole, places = divmod(abs(amount), 100)
    return f"{'-' if amount < 0 else ''}{whole}.{places:02d}"


def margin_percent(statement: Statement) -> str | None:
    """The margin's part of what is charged, with one decimal; None where nothing is charged."""
    if statement.net <= 0:
        return None
    return round_usd(usd("100") * statement.margin // statement.net, 1)


def _line(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "tenant_id": line.cell.tenant_id,
        "cost_center": line.cell.cost_center,
        "business_unit": line.cell.business_unit,
        "period": line.period,
        "description": line.description,
        "account": line.account,
        "app_id": line.app_id,
        "model_id": line.model_id,
        "rows": line.rows,
        "calls": line.calls,
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "cost_usd": format_usd(line.cost),
        "charge_usd": format_usd(line.charge),
        "net": cents(line.net),
    }
