"""Write a month's FOCUS files: the ledger's lines and, once it is closed, the statements' beyond.

    focus/billing_period=2026-11/ledger.parquet
    focus/billing_period=2026-11/statement.parquet

The lines are those of the named queries `focus` and `focus_statement`. A file that is there is
replaced; lines that say what was stated are not, as the record of the month does not change. In
AWS Athena writes them itself, as several files below a folder for each run.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from scripts.reports import checks, periods, queries
from tollgate.domain.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from scripts.reports.engines import DuckDbEngine, Engine
    from scripts.reports.periods import Period
    from scripts.statements.record import Record

FOLDER = "focus"
_PICO = Decimal(10**12)


class FocusError(Exception):
    """The month's files cannot be written; the message says what is in the way."""


class Target(Protocol):
    """Where files go."""

    def write(self, month: str, queries_by_name: Mapping[str, str]) -> str:
        """Replace a month's files by what these queries give; says where they are."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: where it is, its lines' sum in picodollars, and whether it is stated."""

    where: str
    billed: int
    stated: bool


@dataclass(frozen=True, slots=True)
class Writer:
    """What the files are made from. `record` gives the record of a closed month, None if open."""

    engine: Engine
    target: Target
    record: Callable[[str], Record | None]
    clock: Callable[[], datetime]

    def write(self, month: str, grain: str = "day", issuer: str = "Tollgate") -> Written:
        """Write a month ("YYYY-MM", UTC), which need not be over.

        Raises FocusError, RefusedError for a lake with a hole, and EngineError.
        """
        period = self._period(month)
        record = self.record(month)
        given = {"grain": grain, "issuer": issuer}
        if record is not None:
            given |= {"invoiced": "yes", "settled_until": _moment(record.closed_at)}
        named = queries.load()
        sqls = {"ledger": named["focus"].fill(period, given)}
        checks.lake(self.engine, sqls["ledger"], period, self.clock().date())
        billed = billed_by_tenant(self.engine, sqls["ledger"])
        if not billed:
            raise FocusError(f"the lake has no usage in {month}: there is nothing to write")
        if record is not None:
            _check_stated(record, billed)
            sqls["statement"] = named["focus_statement"].fill(period, {"issuer": issuer})
            for tenant, amount in billed_by_tenant(self.engine, sqls["statement"]).items():
                billed[tenant] = billed.get(tenant, 0) + amount
        where = self.target.write(month, sqls)
        return Written(where, sum(billed.values()), record is not None)

    def _period(self, month: str) -> Period:
        try:
            period = periods.month(month)
        except ValueError as error:
            raise FocusError(f"MONTH: given {error}") from None
        if period.start > self.clock().date():
            raise FocusError(f"{month} has not begun: it begins on {period.start} (UTC)")
        return period


def billed_by_tenant(engine: Engine, sql: str) -> dict[str, int]:
    """What a query of FOCUS lines bills each tenant, in picodollars."""
    sums = f"""
        SELECT SubAccountId, CAST(sum(BilledCost) AS decimal(38, 12)) AS billed
        FROM ({sql})
        GROUP BY SubAccountId
        ORDER BY SubAccountId
    """  # noqa: S608 - a named query
    return {tenant: int(billed * _PICO) for tenant, billed in engine.run(sums).rows}


def _check_stated(record: Record, billed: Mapping[str, int]) -> None:
    """Refuse a ledger that is not the one that was stated."""
    stated: dict[str, int] = {}
    for entry in record.usage:
        tenant = entry.cell.tenant_id
        stated[tenant] = stated.get(tenant, 0) + entry.cost
    for tenant in sorted(stated.keys() | billed.keys()):
        if stated.get(tenant, 0) != billed.get(tenant, 0):
            raise FocusError(
                f"{record.month} is closed, and the statement of {tenant} is of "
                f"{format_usd(stated.get(tenant, 0))} USD of usage, the lake of "
                f"{format_usd(billed.get(tenant, 0))} settled before the close; "
                f"make verify STATEMENT={record.month}/tenant/{tenant} names the rows"
            )


def _moment(closed_at: str) -> str:
    """A record's moment as SQL writes one."""
    return closed_at.removesuffix("Z").replace("T", " ")


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """A lake's folder, written by the engine that reads it."""

    engine: DuckDbEngine
    lake: Path

    def write(self, month: str, queries_by_name: Mapping[str, str]) -> str:
        """See Target."""
        folder = self.lake / FOLDER / f"billing_period={month}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, sql in queries_by_name.items():
            self.engine.save(sql, folder / f"{name}.parquet")
        return str(folder)


class Objects(Protocol):
    """Objects of the lake's bucket."""

    def keys(self, prefix: str) -> Iterable[str]:
        """Keys that start with a prefix."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; of those that are not there too."""


@dataclass(frozen=True, slots=True)
class AthenaTarget:
    """The lake's bucket: Athena unloads into a folder of this run, then those of others go.

    Whoever reads between the two finds lines twice, for about a second.
    """

    engine: Engine
    objects: Objects
    bucket: str
    run: str

    def write(self, month: str, queries_by_name: Mapping[str, str]) -> str:
        """See Target. A run that fails takes away what it wrote."""
        prefix = f"{FOLDER}/billing_period={month}/"
        mine = f"{prefix}run={self.run}/"
        try:
            for name, sql in queries_by_name.items():
                self.engine.run(
                    f"UNLOAD (\n{sql})\nTO 's3://{self.bucket}/{mine}{name}/'\n"
                    "WITH (format = 'PARQUET', compression = 'ZSTD')"
                )
        except BaseException:
            self.objects.delete(list(self.objects.keys(mine)))
            raise
        others = [key for key in self.objects.keys(prefix) if not key.startswith(mine)]
        self.objects.delete(others)
        return f"s3://{self.bucket}/{mine}"
