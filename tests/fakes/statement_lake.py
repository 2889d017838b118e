"""A small lake and its statements: two tenants, four calls in October 2026."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scripts.bench.year import write
from scripts.reports.engines import DuckDbEngine
from scripts.statements import page
from scripts.statements.closing import Closer
from scripts.statements.inputs import Finance
from scripts.statements.storage import FolderLake, FolderStore
from scripts.statements.verifying import Verdict, Verifier
from tests.fakes.usage_rows import usage_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.statements.closing import Closed
    from tollgate.domain.usage import UsageRow

SEPTEMBER = datetime(2026, 9, 10, 9, 5, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 3, 14, 30, 0, 123456, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 5, 8, tzinfo=UTC)
CLOSE = datetime(2026, 12, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
TENANTS = (
    ("acme", "1.20", "CC-1001", "claims"),
    ("globex", "4", "CC/2 000", None),
)


def row(started: datetime, cost: int, **changes: Any) -> UsageRow:  # noqa: ANN401 - fields
    """A call of acme."""
    amounts = {"input_cost": cost, "output_cost": 0, "total_cost": cost}
    return usage_row(**{"started_at": started, "tags": {"b": "2", "a": "1"}, **amounts, **changes})


def globex(started: datetime, cost: int, **changes: Any) -> UsageRow:  # noqa: ANN401 - fields
    """A call of globex."""
    return row(started, cost, tenant_id="globex", cost_center="CC/2 000", **changes)


ROWS = [
    row(OCTOBER, 1_234_567_890_123),
    row(OCTOBER + HOUR, 3_000_000_000),
    row(OCTOBER + 30 * HOUR, 0, status="error", http_status=503, error_code="upstream"),
    globex(OCTOBER + 5 * HOUR, 250_000_000_000, model_id="amazon.titan-embed-text-v2:0"),
]


@contextmanager
def plain_pages() -> Iterator[None]:
    """Pages without charts, whose drawing takes longest; tests/browser looks at the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "render", lambda statement: statement.name.encode())
        yield


class StatementLake:
    """A lake in a folder, and its statements."""

    def __init__(self, folder: Path) -> None:
        """Write the lists of tenants and units; usage is for `add`."""
        self.folder = folder
        self.store = FolderStore(folder / "statements")
        self.parts = 0
        for name, markup, center, unit in TENANTS:
            facts = {"kind": "team", "tier": "pro", "name": name.title(), "markup": markup}
            line = {"tenant_id": name, "cost_center": center, "business_unit": unit, **facts}
            path = folder / "tenants" / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(line) + "\n", "utf-8")
        (folder / "business_units").mkdir()
        unit_line = {"id": "claims", "name": "Claims", "owner": "x@example.com"}
        (folder / "business_units" / "claims.json").write_text(json.dumps(unit_line), "utf-8")

    def add(self, *rows: UsageRow) -> None:
        """Add rows as another part of their hours."""
        write(rows, self.folder, self.parts)
        self.parts += 1

    def close(self, month: str = "2026-10", **changes: Any) -> Closed:  # noqa: ANN401 - a Closer's
        """Close a month; `changes` are of the Closer."""
        with DuckDbEngine(self.folder) as engine:
            return Closer(
                **{
                    "lake": FolderLake(self.folder),
                    "engine": engine,
                    "store": self.store,
                    "finance": Finance({}),
                    "clock": lambda: CLOSE,
                    **changes,
                }
            ).close(month)

    def verify(self, name: str) -> Verdict:
        """Hold a statement against the lake."""
        return Verifier(FolderLake(self.folder), self.store).verify(name)

    def issued(self, name: str) -> dict[str, Any]:
        """What a statement's JSON says."""
        data = self.store.get(f"issued/{name}.json")
        assert data is not None
        found: dict[str, Any] = json.loads(data)
        return found

    def objects(self) -> dict[str, bytes | None]:
        """All that was written."""
        return {key: self.store.get(key) for key in self.store.keys("")}
