"""Print reports from the usage lake's Parquet files with the SQL that Athena runs.

    python -m scripts.reports.report chargeback --lake .local/lake --month 2026-11

`--lake` is a folder with the bucket's layout (`usage/dt=…/hour=…/*.parquet`): the local stack's, or
a copy made with `aws s3 sync s3://<lake bucket> <folder>`.
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

from tollgate.domain.money import format_usd, round_usd, usd  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

QUERIES = ROOT / "modules" / "analytics" / "queries"

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_TEXT_COLUMNS = 2


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


COLUMNS = tuple(column.name for column in fields(ChargebackRow))
_COSTS = ("input_cost", "output_cost", "total")


def chargeback(
    lake_dir: Path, month: str, settled_before: date | None = None
) -> list[ChargebackRow]:
    """Run the chargeback query over a copy of the lake for a month ("YYYY-MM", UTC).

    `settled_before` leaves out what was settled from that day (UTC) on: later corrections of prices
    too, so that a statement of that day can be made again.
    Returns no rows when the lake has no usage of that month. Raises ValueError for a month of
    another form and FileNotFoundError when `lake_dir` is not a folder.
    """
    if _MONTH.fullmatch(month) is None:
        raise ValueError(f"{month!r} is not a month: use YYYY-MM")
    if not lake_dir.is_dir():
        raise FileNotFoundError(f"{lake_dir} is not a folder")
    files = sorted(str(path) for path in lake_dir.glob("usage/dt=*/hour=*/*.parquet"))
    if not files:
        return []
    query = _for_month((QUERIES / "chargeback.sql").read_text("utf-8"), month)
    with duckdb.connect(":memory:") as db:
        usage = db.read_parquet(files, hive_partitioning=True)
        if settled_before is not None:
            usage = usage.filter(f"settled_at < DATE '{settled_before.isoformat()}'")
        usage.create_view("usage")
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
            for row in db.execute(query).fetchall()
        ]


def render(rows: Sequence[ChargebackRow], decimals: int | None = None) -> str:
    """Lay out rows as an aligned table with a total; costs in USD, exact unless rounded half up.

    The total is the sum of the exact amounts, then rounded.
    """
    lines = [COLUMNS, *(_cells(row, decimals) for row in [*rows, _total(rows)])]
    widths = [max(len(line[n]) for line in lines) for n in range(len(COLUMNS))]
    rule = tuple("-" * width for width in widths)
    return "".join(_align(line, widths) for line in [lines[0], rule, *lines[1:-1], rule, lines[-1]])


def render_csv(rows: Sequence[ChargebackRow], decimals: int | None = None) -> str:
    """Write rows as CSV with a header and no total; costs as `render` has them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(row, decimals) for row in rows)
    return text.getvalue()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        rows = chargeback(options.lake, options.month, options.settled_before)
        layout = render_csv if options.csv else render
        print(layout(rows, options.decimals), end="")
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.reports.report", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="report")
    command = commands.add_parser("chargeback", help="what each team spent on each model")
    command.add_argument("--lake", type=Path, required=True, help="folder with the lake's files")
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
    command.add_argument("--decimals", type=int, help="round costs half up; exact unless given")
    command.add_argument("--csv", action="store_true", help="CSV instead of a table")
    return parser


def _for_month(query: str, month: str) -> str:
    today = exp.cast(exp.Literal.string(date.fromisoformat(f"{month}-01").isoformat()), "date")
    tree = sqlglot.parse_one(query, read="athena")
    return tree.transform(
        lambda node: today.copy() if isinstance(node, exp.CurrentDate) else node
    ).sql("duckdb")


def _pico(amount: Decimal) -> int:
    return usd(f"{amount:f}")


def _total(rows: Sequence[ChargebackRow]) -> ChargebackRow:
    sums = {name: sum(getattr(row, name) for row in rows) for name in COLUMNS[_TEXT_COLUMNS:]}
    return ChargebackRow("total", "", **sums)


def _cells(row: ChargebackRow, decimals: int | None) -> tuple[str, ...]:
    return tuple(
        _usd(value, decimals) if name in _COSTS else str(value)
        for name, value in zip(COLUMNS, astuple(row), strict=True)
    )


def _usd(pico: int, decimals: int | None) -> str:
    return format_usd(pico) if decimals is None else round_usd(pico, decimals)


def _align(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if n < _TEXT_COLUMNS else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
