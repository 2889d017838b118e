"""A folder with the lake's layout for tests of what reads one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts.bench.year import write
from scripts.reports.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tollgate.domain.usage import UsageRow


def lake_folder(
    folder: Path,
    rows: Iterable[UsageRow],
    tenants: Iterable[Mapping[str, Any]] = (),
    prices: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write usage, tenants (a file each) and lines of the price table; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write(rows, folder, 0)
    for facts in tenants:
        write_lines(folder, f"tenants/{facts['tenant_id']}.json", [facts])
    if prices:
        write_lines(folder, "prices/book.json", prices)
    return folder


def write_lines(folder: Path, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write a file of JSON lines below the folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def tenant_facts(tenant_id: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """A tenant's line: every column of the table, absent unless given."""
    facts: dict[str, Any] = {name: None for name, _ in TABLES["tenants"].columns}
    return {**facts, "tenant_id": tenant_id, "name": tenant_id.title(), **changes}
