"""Reconcile the ledger with AWS's bill and say why they differ.

    python -m scripts.reconcile --env prod --month 2026-11
    python -m scripts.reconcile --lake lake --bill bill --from 2026-11-01 --to 2026-11-15

With `--env` both lie in the environment's Athena: `usage`, and `bill`, which the root's bill_export
makes. `--lake` and `--bill` are copies: `aws s3 sync s3://<lake bucket> lake`, and of the export's
folder, the output bill_location, `aws s3 sync <bill_location> bill`.

Ends with 0 when ledger and bill agree but for what AWS may still bill, rounds, taxes and takes off;
with 3 when they differ by more than `--allow`; with 1 when they cannot be compared: the export is
missing, late (a day has to be on it 72 hours after its end) or has changed.

`--out` writes proposed corrections, as scripts.prices.reprice does; `--apply` writes them to the
usage table and prints the events that make `aggregate` write those days again.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.prices import reprice
from scripts.reconcile import corrections, export, render
from scripts.reconcile.reconciliation import LedgerError, reconcile
from scripts.reports import checks, report
from scripts.reports.engines import AthenaEngine, DuckDbEngine, EngineError
from tollgate.domain.errors import UnavailableError
from tollgate.domain.money import format_usd, usd
from tollgate.domain.prices import load_default

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.reconcile.corrections import Proposal
    from scripts.reconcile.reconciliation import Reconciliation

AGREE, CANNOT, DIFFER = 0, 1, 3


def main(argv: Sequence[str] | None = None, now: datetime | None = None) -> int:
    """Run the command line; returns the exit status. `now` is when the bill is read."""
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.lake is None) != (options.bill is None):
        parser.error("--lake and --bill go together")
    if options.apply and not options.table:
        parser.error("--apply needs the usage table: --table <prefix>-usage")
    try:
        return _run(options, now or datetime.now(UTC))
    except (
        EngineError,
        LedgerError,
        OSError,
        UnavailableError,
        ValueError,
        checks.RefusedError,
        export.ExportError,
        report.ReportError,
    ) as error:
        print(f"reconcile: {error}", file=sys.stderr)
        return CANNOT


def _run(options: argparse.Namespace, now: datetime) -> int:
    period = report.period_of(options, now.date(), is_over=True)
    allowed = usd(options.allow)
    book = load_default()
    if options.bill is not None:
        export.check_files(options.bill, period)
    with _engine(options) as engine:
        outcome = reconcile(
            engine,
            period,
            book,
            now,
            account=options.account[0] if options.account else None,
            more_accounts=options.account[1:],
        )
        wants = options.out is not None or options.apply
        proposal = corrections.propose(outcome, engine, book) if wants else None
    if proposal is not None and options.out is not None:
        reprice.write(options.out, proposal.corrections)
    print(_laid_out(options, outcome, proposal), end="")
    if proposal is not None and options.apply:
        _apply(proposal, options.table)
    if outcome.unexplained() > allowed:
        shown = format_usd(outcome.unexplained())
        print(f"reconcile: ledger and bill differ by {shown} USD in all", file=sys.stderr)
        return DIFFER
    return AGREE


def _laid_out(
    options: argparse.Namespace, outcome: Reconciliation, proposal: Proposal | None
) -> str:
    if options.csv:
        return render.csv_text(outcome)
    if options.json:
        return render.json_text(outcome, proposal)
    return render.text(outcome, proposal)


def _apply(proposal: Proposal, table: str) -> None:
    _, usage = reprice.usage_table(table)
    written, there = reprice.apply(proposal.corrections, usage)
    print(f"{written} written to {table}, {there} were there", file=sys.stderr)
    for event in reprice.events(proposal.corrections):
        print(f"aggregate: {json.dumps(event)}", file=sys.stderr)


def _engine(options: argparse.Namespace) -> DuckDbEngine | AthenaEngine:
    if options.lake is None:
        return report.athena_of(options.env)
    return DuckDbEngine(options.lake, {"bill": options.bill})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.reconcile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_source_and_period(parser, is_over=True)
    parser.add_argument("--bill", type=Path, help="folder with the export's files, with --lake")
    parser.add_argument(
        "--account",
        action="append",
        default=[],
        metavar="ID",
        help="an AWS account to compare besides those that the ledger names; the first is that of "
        "rows which name none",
    )
    parser.add_argument("--allow", default="0.01", help="USD that may differ; 0.01 unless given")
    parser.add_argument("--out", type=Path, help="proposed corrections as .ndjson or .parquet")
    parser.add_argument("--apply", action="store_true", help="write them to the usage table")
    parser.add_argument("--table", default="", help="the usage table, with --apply")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="all differences as CSV")
    form.add_argument("--json", action="store_true", help="the whole outcome as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
