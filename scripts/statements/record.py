"""What a closed month is made of: one canonical JSON object, from which all statements follow.

Amounts are whole picodollars. The same record always has the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.statements.inputs import Credit, Discount, MonthInputs, SharedCost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA_VERSION = 1
# Business unit of a call whose row and tenant name none.
UNASSIGNED = "unassigned"


class RecordError(Exception):
    """A record cannot be read; the message says why."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """Whom a cost belongs to; every ledger row is of one, and every statement is made of some."""

    tenant_id: str
    cost_center: str
    business_unit: str


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """What was known of a tenant at the close; it pays `subscription_usd` beside its usage."""

    name: str
    kind: str
    tier: str
    markup: str
    cost_center: str
    business_unit: str
    subscription_usd: str = "0"


@dataclass(frozen=True, slots=True)
class UsageSum:
    """The month's usage of an app and model in a cell: rows of the ledger, and what they sum to."""

    cell: Cell
    app_id: str
    model_id: str
    rows: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost: int


@dataclass(frozen=True, slots=True)
class DaySum:
    """What a cell's calls of a day (ISO) cost."""

    cell: Cell
    day: str
    cost: int


@dataclass(frozen=True, slots=True)
class LateSum:
    """Rows of a closed month that came after its close, and the terms of that month's statement.

    `percent` is the sum of its discounts, in ten-thousandths of a percent.
    """

    cell: Cell
    period: str
    rows: int
    cost: int
    markup: str
    percent: int
    rate: str


@dataclass(frozen=True, slots=True)
class CellDigest:
    """A cell's ledger rows: how many, their cost, and the digest over their digests by hour."""

    cell: Cell
    rows: int
    cost: int
    digest: str


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file of row digests: its key beside the record, its rows and the SHA-256 of its bytes."""

    key: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A closed month ("YYYY-MM", UTC). `closed_at` is the moment of the close, ISO 8601."""

    schema_version: int = SCHEMA_VERSION
    month: str
    closed_at: str
    inputs: MonthInputs
    tenants: Mapping[str, TenantFacts]
    business_units: Mapping[str, str] = field(default_factory=dict)
    usage: Sequence[UsageSum]
    days: Sequence[DaySum]
    late: Sequence[LateSum] = ()
    cells: Sequence[CellDigest]
    row_files: Sequence[RowFile]


def canonical(value: object) -> bytes:
    """JSON with sorted keys, no spaces and a newline at its end, as UTF-8."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return f"{text}\n".encode()


def to_bytes(record: Record) -> bytes:
    """The record's canonical bytes."""
    return canonical(asdict(record))


def from_bytes(data: bytes) -> Record:
    """Read a record back. Raises RecordError, for one of a later release too."""
    try:
        document = json.loads(data)
        version = document["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"no record of a closed month: {error!r}") from error
    if version != SCHEMA_VERSION:
        raise RecordError(
            f"schema_version: given {version}; allowed: {SCHEMA_VERSION}; a later release closed it"
        )
    return Record(
        month=document["month"],
        closed_at=document["closed_at"],
        inputs=_inputs(document["inputs"]),
        tenants={name: TenantFacts(**facts) for name, facts in document["tenants"].items()},
        business_units=document["business_units"],
        usage=_of_cells(UsageSum, document["usage"]),
        days=_of_cells(DaySum, document["days"]),
        late=_of_cells(LateSum, document["late"]),
        cells=_of_cells(CellDigest, document["cells"]),
        row_files=tuple(RowFile(**entry) for entry in document["row_files"]),
    )


def _inputs(document: Mapping[str, Any]) -> MonthInputs:
    discounts = [
        {
            **entry,
            "tenants": tuple(entry["tenants"]),
            "business_units": tuple(entry["business_units"]),
        }
        for entry in document["discounts"]
    ]
    return MonthInputs(
        **{
            **document,
            "shared_costs": tuple(SharedCost(**entry) for entry in document["shared_costs"]),
            "discounts": tuple(Discount(**entry) for entry in discounts),
            "credits": tuple(Credit(**entry) for entry in document["credits"]),
        }
    )


def _of_cells(kind: Any, entries: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:  # noqa: ANN401
    return tuple(kind(**{**entry, "cell": Cell(**entry["cell"])}) for entry in entries)
