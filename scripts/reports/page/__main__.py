"""Write what a period cost as one HTML file: for a browser, a screen reader or paper.

    python -m scripts.reports.page --lake .local/lake --month 2026-11
    python -m scripts.reports.page --env prod --from 2026-01-01 --to 2027-01-01 --out 2026.html

The file has everything in it and needs no network. Its figures are those of the named queries, on
a copy of the lake or in the environment's Athena workgroup (see `scripts.reports.report`).
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.reports import report
from scripts.reports.checks import RefusedError
from scripts.reports.engines import DuckDbEngine, EngineError
from scripts.reports.page import figures, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.reports.engines import Engine
    from scripts.reports.periods import Period


_REFUSALS = (
    *(figures.PageError, report.ReportError, RefusedError, EngineError, OSError, ValueError),
)


def from_lake(lake: Path, period: Period, now: datetime) -> str:
    """The page of a copy of the lake, as HTML; see `html`."""
    with DuckDbEngine(lake) as engine:
        if not engine.has("usage"):
            raise figures.PageError(report.why_empty(lake, period, None))
        return html(engine, period, "a copy of the lake", now)


def html(engine: Engine, period: Period, source: str, now: datetime) -> str:
    """The page of a period (UTC days); `source` says where its figures are from.

    Raises PageError for a period without usage, RefusedError for a lake with a hole, EngineError.
    """
    return render.html(figures.collect(figures.Asked(engine, now), period, source))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(argv)
    now = datetime.now(UTC)
    try:
        period = report.period_of(options, now.date())
        if options.lake is not None:
            text = from_lake(options.lake, period, now)
        else:
            with report.engine_of(options) as engine:
                text = html(engine, period, f"Athena of {options.env}", now)
        out = options.out or Path(f"model-spending-{str(period).replace(' ', '-')}.html")
        out.write_text(text, "utf-8")
    except _REFUSALS as error:
        print(f"page: {error}", file=sys.stderr)
        return 1
    print(f"{out}: {period}, {out.stat().st_size / 10**6:.1f} MB; open it in a browser")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.reports.page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_source_and_period(parser)
    parser.add_argument(
        "--out", type=Path, help="file to write; model-spending-<period>.html here unless given"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
