"""What a closed month publishes: all of it follows from the record, and is written once.

| key | what it is |
| --- | --- |
| `issued/2026-10/tenant/acme.json`, `.csv`, `.html` | a statement |
| `issued/2026-10/erp.csv` | what all tenants' statements book |
| `lines/month=2026-10/lines.parquet` | the table `statements`: each line once |
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

from scripts.reports.tables import TABLES, duckdb_type
from scripts.statements import page, statements
from scripts.statements.lines import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts.statements.lines import Line
    from scripts.statements.record import Record
    from scripts.statements.statements import Statement
    from scripts.statements.storage import Store

_PICO_PLACES, _CENT_PLACES = 12, 2


@dataclass(frozen=True, slots=True)
class Published:
    """The statements of a month, and how many objects were written just now."""

    statements: Sequence[Statement]
    written: int


def publish(record: Record, store: Store) -> Published:
    """Write what is not there yet of a month's statements; what is there stays."""
    found = lines(record)
    made = statements.make(record, found)
    month = record.month
    standing = {*store.keys(f"issued/{month}/"), *store.keys(f"lines/month={month}/")}
    written = 0
    for key, render in _objects(record, found, made):
        # Of two who publish at once, the second finds what the first wrote.
        if key not in standing and store.put(key, render()):
            written += 1
    return Published(made, written)


def key_of(statement: str, form: str) -> str:
    """The key of a statement ("2026-10/tenant/acme") as json, csv or html."""
    return f"issued/{statement}.{form}"


def _objects(
    record: Record, found: Sequence[Line], made: Sequence[Statement]
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    tenants = [statement for statement in made if statement.scope == "tenant"]
    yield f"lines/month={record.month}/lines.parquet", partial(_parquet, record, found)
    yield f"issued/{record.month}/erp.csv", partial(statements.to_csv, tenants)
    for statement in made:
        yield key_of(statement.name, "json"), partial(statements.to_json, statement)
        yield key_of(statement.name, "csv"), partial(statements.to_csv, [statement])
        yield key_of(statement.name, "html"), partial(page.render, statement)


def _parquet(record: Record, found: Sequence[Line]) -> bytes:
    columns = TABLES["statements"].columns
    types = ", ".join(f"{name} {duckdb_type(kind)}" for name, kind in columns)
    places = ", ".join("?" * len(columns))
    with TemporaryDirectory() as scratch, duckdb.connect(":memory:") as db:
        path = Path(scratch) / "lines.parquet"
        db.execute("SET threads = 1")
        db.execute(f"CREATE TABLE lines ({types})")
        if found:
            db.executemany(
                f"INSERT INTO lines VALUES ({places})",  # noqa: S608 - question marks
                [_values(record, line) for line in found],
            )
        db.execute(f"COPY lines TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        return path.read_bytes()


def _values(record: Record, line: Line) -> list[Any]:
    return [
        statements.name_of(record.month, "tenant", line.cell.tenant_id),
        line.kind,
        line.period,
        line.cell.tenant_id,
        line.cell.cost_center,
        line.cell.business_unit,
        line.description,
        line.account,
        line.app_id,
        line.model_id,
        line.rows,
        line.calls,
        line.input_tokens,
        line.output_tokens,
        Decimal(line.cost).scaleb(-_PICO_PLACES),
        Decimal(line.charge).scaleb(-_PICO_PLACES),
        record.inputs.currency,
        Decimal(line.net).scaleb(-_CENT_PLACES),
    ]
