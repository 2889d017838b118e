"""The months that are closed: their records, and what they say of the ledger's rows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from scripts.reports import periods, queries
from scripts.reports.periods import Period
from scripts.statements.record import LateSum, RecordError, from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from scripts.reports.engines import Engine
    from scripts.statements.record import Record, RowFile, UsageSum
    from scripts.statements.storage import Store

_FOLDER = "records/"


def key(month: str) -> str:
    """The key of a month's record."""
    return f"{_FOLDER}{month}.json"


def months(store: Store) -> list[str]:
    """The months that are closed, in order."""
    return [name.removeprefix(_FOLDER).removesuffix(".json") for name in store.keys(_FOLDER)]


def read(store: Store, month: str) -> Record | None:
    """A month's record; None where it is not closed. Raises RecordError."""
    data = store.get(key(month))
    return None if data is None else from_bytes(data)


def require(store: Store, month: str) -> Record:
    """The record of a closed month. Raises RecordError where there is none."""
    record = read(store, month)
    if record is None:
        closed = ", ".join(months(store)) or "none"
        raise RecordError(f"{month} is not closed; closed months: {closed}")
    return record


def changed(records: Sequence[Record], engine: Engine) -> list[str]:
    """The closed months of which the lake has other rows or costs now than all records state."""
    if not records:
        return []
    first, last = (periods.month(records[n].month) for n in (0, -1))
    text = queries.load()["ledger_months"].fill(Period(first.start, last.end))
    found = {
        (f"{row['month']:%Y-%m}", row["tenant_id"]): (row["ledger_rows"], row["cost"])
        for row in engine.run(text).records()
    }
    stated: dict[tuple[str, str], tuple[int, int]] = {}
    for record in records:
        entries: tuple[UsageSum | LateSum, ...] = (*record.usage, *record.late)
        for entry in entries:
            month = entry.period if isinstance(entry, LateSum) else record.month
            rows, cost = stated.get((month, entry.cell.tenant_id), (0, 0))
            stated[month, entry.cell.tenant_id] = rows + entry.rows, cost + entry.cost
    closed = {record.month for record in records}
    differing = {at for at in found.keys() | stated.keys() if found.get(at) != stated.get(at)}
    return sorted({month for month, _ in differing} & closed)


def row_files(records: Iterable[Record], month: str) -> list[RowFile]:
    """The files of row digests that say what was stated of a month, at its close and later."""
    return [
        file
        for record in records
        for file in record.row_files
        if record.month == month or (record.month > month and "/late-" in file.key)
    ]


def fetch_rows(store: Store, files: Iterable[RowFile], scratch: Path) -> list[Path]:
    """Copies of files of row digests. Raises RecordError for one that is gone or was changed."""
    paths = []
    for file in files:
        data = store.get(file.key)
        if data is None or hashlib.sha256(data).hexdigest() != file.sha256:
            what = "is gone" if data is None else "was changed since the close"
            raise RecordError(f"{file.key} {what}")
        path = scratch / file.key.replace("/", "-")
        path.write_bytes(data)
        paths.append(path)
    return paths
