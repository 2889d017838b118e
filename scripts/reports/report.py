"""Print reports from the usage lake's Parquet files with the SQL that Athena runs.

    python -m scripts.reports.report chargeback --lake .local/lake --month 2026-11
    python -m scripts.reports.report usage-by-kind --lake .local/lake

`--lake` is a folder with the bucket's layout (`usage/dt=…/hour=…/*.parquet`, `tenants/*.json`): the
local stack's, or a copy made with `aws s3 sync s3://<lake bucket> <folder>`.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from dataclasses import astuple, dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import sqlglot
from sqlglot import exp

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "functions" / "shared"))

from scripts.reports.footing import apportion  # noqa: E402
from tollgate.domain.money import format_usd, round_usd, usd  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from typing import Any

QUERIES = ROOT / "modules" / "analytics" / "queries"
USAGE_FILES = "usage/dt=*/hour=*/*.parquet"
TENANT_FILES = "tenants/*.json"
TENANT_COLUMNS = {
    **dict.fromkeys(
        ("tenant_id", "name", "kind", "cost_center", "tier", "status", "isolation"), "VARCHAR"
    ),
    "account_id": "VARCHAR",
    "markup": "VARCHAR",
    "tags": "MAP(VARCHAR, VARCHAR)",
}

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_COSTS = ("input_cost", "output_cost", "total")
_SHOWN_NAMES = 5


class ReportError(Exception):
    """There is nothing to report; the message says what was asked for and what there is."""


@dataclass(frozen=True, slots=True)
class ChargebackRow:
    """What one team spent on one model in a month; costs are picodollars."""

    team_id: str
    model_id: str
    input_tokens: int
    output_tokens: int
    invocations: int
    input_cost: int
    output_cost: int
    total: int


@dataclass(frozen=True, slots=True)
class KindRow:
    """What the tenants of one kind used in a month; the total is picodollars."""

    kind: str
    tenant_count: int
    input_tokens: int
    output_tokens: int
    invocations: int
    total: int


COLUMNS = tuple(column.name for column in fields(ChargebackRow))
REPORTS: dict[str, tuple[type[ChargebackRow | KindRow], str]] = {
    "chargeback": (ChargebackRow, "what each team spent on each model"),
    "usage-by-kind": (KindRow, "what each kind of tenant used"),
}


def chargeback(
    lake_dir: Path, month: str, settled_before: date | None = None
) -> list[ChargebackRow]:
    """Run the chargeback query over a copy of the lake for a month ("YYYY-MM", UTC).

    `settled_before` leaves out what was settled from that day (UTC) on: later corrections of prices
    too, so that a statement of that day can be made again.
    Returns no rows when the lake has no usage of that month. Raises ValueError for a month of
    another form and FileNotFoundError when `lake_dir` is not a folder.
    """
    found = _query(lake_dir, month, "chargeback.sql", settled_before)
    return [
        ChargebackRow(
            team_id=row[0],
            model_id=row[1],
            input_tokens=int(row[2]),
            output_tokens=int(row[3]),
            invocations=int(row[4]),
            input_cost=_pico(row[5]),
            output_cost=_pico(row[6]),
            total=_pico(row[7]),
        )
        for row in found
    ]


def usage_by_kind(lake_dir: Path, month: str, settled_before: date | None = None) -> list[KindRow]:
    """Run the query by kind of tenant, as `chargeback` does; tenants are those of the lake's list.

    Raises also ReportError when the lake has no list of tenants.
    """
    found = _query(lake_dir, month, "usage_by_kind.sql", settled_before)
    return [
        KindRow(
            kind=row[0],
            tenant_count=int(row[1]),
            input_tokens=int(row[2]),
            output_tokens=int(row[3]),
            invocations=int(row[4]),
            total=_pico(row[5]),
        )
        for row in found
    ]


def months(lake_dir: Path) -> list[str]:
    """Return the months that a lake has usage files of, in order."""
    return sorted({path.parts[-3][3:10] for path in lake_dir.glob(USAGE_FILES)})


def why_empty(lake_dir: Path, month: str, settled_before: date | None) -> str:
    """Say why a report has no rows: what was asked for, and what the lake has."""
    found = months(lake_dir)
    if not found:
        names = sorted(path.name for path in lake_dir.iterdir())
        more = ", …" if len(names) > _SHOWN_NAMES else ""
        held = ", ".join(names[:_SHOWN_NAMES]) + more if names else "nothing"
        return f"{lake_dir} is no lake with usage: it has no {USAGE_FILES}; it holds {held}"
    if month not in found:
        return f"no usage in {month}; {lake_dir} has usage of {', '.join(found)}"
    if settled_before is not None:
        return f"no usage of {month} was settled before {settled_before}"
    return f"{month} has only calls that failed and cost nothing"


def render(
    rows: Sequence[ChargebackRow | KindRow],
    decimals: int | None = None,
    kind: type[ChargebackRow | KindRow] = ChargebackRow,
) -> str:
    """Lay out rows as an aligned table with a total; costs in USD, exact unless rounded.

    The total is the sum of the exact amounts, rounded half up, and the rounded amounts above it add
    up to it (see `footing.apportion`); across a row, a unit of the last place may be over.
    """
    columns = [column.name for column in fields(kind)]
    texts = sum(1 for column in fields(kind) if column.type == "str")
    body = [list(map(str, astuple(row))) for row in rows]
    sums = ["total", *[""] * (texts - 1)]
    for n, name in enumerate(columns[texts:], texts):
        amounts = [getattr(row, name) for row in rows]
        sums.append(_shown(name, sum(amounts), decimals))
        if name in _COSTS and decimals is not None:
            amounts = apportion(amounts, decimals)
        for cells, amount in zip(body, amounts, strict=True):
            cells[n] = _shown(name, amount, decimals)
    lines = [columns, *body, sums]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    rule = ["-" * width for width in widths]
    return "".join(_align(line, widths, texts) for line in [columns, rule, *body, rule, sums])


def render_csv(
    rows: Sequence[ChargebackRow | KindRow],
    decimals: int | None = None,
    kind: type[ChargebackRow | KindRow] = ChargebackRow,
) -> str:
    """Write rows as CSV with a header and no total; costs in USD, exact unless rounded half up."""
    columns = [column.name for column in fields(kind)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        pairs = zip(columns, astuple(row), strict=True)
        writer.writerow([_shown(name, value, decimals) for name, value in pairs])
    return text.getvalue()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(argv)
    kind, _ = REPORTS[options.report]
    read = chargeback if kind is ChargebackRow else usage_by_kind
    try:
        rows = read(options.lake, options.month, options.settled_before)
        layout = render_csv if options.csv else render
        text = layout(rows, options.decimals, kind)
        if not rows:
            raise ReportError(why_empty(options.lake, options.month, options.settled_before))
    except (ReportError, ValueError, FileNotFoundError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    print(text, end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.reports.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="report", dest="report")
    for name, (_, about) in REPORTS.items():
        command = commands.add_parser(name, help=about)
        command.add_argument(
            "--lake", type=Path, required=True, help="folder with the lake's files"
        )
        command.add_argument(
            "--month",
            default=f"{datetime.now(UTC):%Y-%m}",
            help="YYYY-MM (UTC); this month unless given",
        )
        command.add_argument(
            "--settled-before",
            type=date.fromisoformat,
            help="leave out what was settled from this day (UTC) on, such as later corrections",
        )
        command.add_argument("--decimals", type=int, help="round costs; exact unless given")
        command.add_argument("--csv", action="store_true", help="CSV instead of a table")
    return parser


def _query(
    lake_dir: Path, month: str, query_file: str, settled_before: date | None
) -> list[tuple[Any, ...]]:
    if _MONTH.fullmatch(month) is None:
        raise ValueError(f"{month!r} is not a month: use YYYY-MM")
    if not lake_dir.is_dir():
        raise FileNotFoundError(f"{lake_dir} is not a folder")
    files = sorted(map(str, lake_dir.glob(USAGE_FILES)))
    if not files:
        return []
    query = _for_month((QUERIES / query_file).read_text("utf-8"), month)
    with duckdb.connect(":memory:") as db:
        usage = db.read_parquet(files, hive_partitioning=True)
        if settled_before is not None:
            usage = usage.filter(f"settled_at < DATE '{settled_before.isoformat()}'")
        usage.create_view("usage")
        if query_file != "chargeback.sql":
            _tenants(db, lake_dir)
        return db.execute(query).fetchall()


def _tenants(db: duckdb.DuckDBPyConnection, lake_dir: Path) -> None:
    files = sorted(map(str, lake_dir.glob(TENANT_FILES)))
    if not files:
        raise ReportError(f"{lake_dir} has no {TENANT_FILES}, the list of tenants")
    tenants = db.read_json(
        files,  # type: ignore[arg-type]  # it takes several as well
        format="newline_delimited",
        columns=TENANT_COLUMNS,
    )
    tenants.create_view("tenants")


def _for_month(query: str, month: str) -> str:
    today = exp.cast(exp.Literal.string(date.fromisoformat(f"{month}-01").isoformat()), "date")
    tree = sqlglot.parse_one(query, read="athena")
    return tree.transform(
        lambda node: today.copy() if isinstance(node, exp.CurrentDate) else node
    ).sql("duckdb")


def _pico(amount: Decimal) -> int:
    return usd(f"{amount:f}")


def _shown(name: str, value: Any, decimals: int | None) -> str:  # noqa: ANN401 - any cell
    if name not in _COSTS:
        return str(value)
    return format_usd(value) if decimals is None else round_usd(value, decimals)


def _align(line: Sequence[str], widths: Sequence[int], texts: int) -> str:
    cells = [
        cell.ljust(width) if n < texts else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
