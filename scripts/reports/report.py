"""Answer a question of finance with a named query, on a copy of the lake or in Athena.

    python -m scripts.reports.report                                    lists the queries
    python -m scripts.reports.report chargeback --help                  says what one takes
    python -m scripts.reports.report chargeback --lake .local/lake --month 2026-11
    python -m scripts.reports.report chargeback --env prod --from 2026-11-01 --to 2026-11-15

`--lake` is a folder with the bucket's layout (`usage/dt=…/hour=…/*.parquet`, `tenants/*.json`): the
local stack's, or a copy made with `aws s3 sync s3://<lake bucket> <folder>`. `--env` runs the same
SQL in the environment's Athena workgroup.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.reports import checks, layout, periods, queries
from scripts.reports.checks import RefusedError
from scripts.reports.engines import AthenaEngine, DuckDbEngine, EngineError
from scripts.reports.tables import TABLES
from tollgate.domain.money import round_usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.reports.engines import Result
    from scripts.reports.periods import Period
    from scripts.reports.queries import Query

_MONTH_OF_PATH = slice(3, 10)  # of "dt=2026-11-30"


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


COLUMNS = tuple(column.name for column in fields(ChargebackRow))


def chargeback(
    lake_dir: Path, month: str, settled_before: date | None = None
) -> list[ChargebackRow]:
    """Run the chargeback query over a copy of the lake for a month ("YYYY-MM", UTC).

    `settled_before` leaves out what was settled from that day (UTC) on: later corrections of prices
    too, so that a statement of that day can be made again.
    Returns no rows when the lake has no usage of that month. Raises ValueError for a month of
    another form, EngineError when `lake_dir` is not a folder, and RefusedError when it has a hole.
    """
    period = periods.month(month)
    sql = queries.load()["chargeback"].fill(period, settled_before=settled_before)
    with DuckDbEngine(lake_dir) as engine:
        if not engine.has("usage"):
            return []
        checks.lake(engine, sql, period, datetime.now(UTC).date())
        return [ChargebackRow(**record) for record in engine.run(sql).records()]


def months(lake_dir: Path) -> list[str]:
    """Return the months that a lake has usage files of, in order."""
    found = lake_dir.glob(TABLES["usage"].files)
    return sorted({path.parts[-3][_MONTH_OF_PATH] for path in found})


def why_empty(lake_dir: Path | None, period: Period, settled_before: date | None) -> str:
    """Say why a report has no rows: what was asked for, and what a lake's copy has."""
    if lake_dir is not None:
        found = months(lake_dir)
        wanted = {f"{day:%Y-%m}" for day in period.days()}
        if wanted.isdisjoint(found):
            return f"no usage in {period}; {lake_dir} has usage of {', '.join(found)}"
    if settled_before is not None:
        return f"no usage of {period} was settled before {settled_before}"
    return f"{period} has nothing to show, or only calls that failed and cost nothing"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    found = queries.load()
    options = _parser(found).parse_args(argv)
    if options.query is None:
        print(_listed(found), end="")
        return 0
    try:
        print(_report(found[options.query.replace("-", "_")], options), end="")
    except (ReportError, RefusedError, EngineError, ValueError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    return 0


def _report(query: Query, options: argparse.Namespace) -> str:
    if options.decimals is not None:
        round_usd(0, options.decimals)  # refuses what cannot be rounded to
    today = datetime.now(UTC).date()
    period = period_of(options, today, is_over=query.over)
    if query.over and not period.over(today):
        raise ReportError(
            f"{query.name} is of days that are over, and {period} ends on {period.end}, UTC"
        )
    values = _values(options.param)
    sql = query.fill(period, values, options.settled_before, today)
    with engine_of(options) as engine:
        checks.lake(engine, sql, period, today)
        for parameter in query.parameters:
            if parameter.type == "tenant" and values.get(parameter.name):
                checks.tenant(engine, period, values[parameter.name])
        result = engine.run(sql)
    if not result.rows:
        raise ReportError(why_empty(options.lake, period, options.settled_before))
    return _laid_out(result, query, options)


def _laid_out(result: Result, query: Query, options: argparse.Namespace) -> str:
    if options.csv:
        return layout.csv_text(result, options.decimals)
    if options.json:
        return layout.json_text(result, options.decimals)
    return layout.table(result, query.totals, options.decimals)


def period_of(options: argparse.Namespace, today: date, *, is_over: bool = False) -> Period:
    """The period that a command line names: this month, or the last that is over, unless given.

    Raises ValueError for two that exclude each other.
    """
    if (options.start is None) != (options.end is None):
        raise ValueError("--from and --to: given one; allowed: both, or --month, or none")
    if options.start is not None:
        if options.month is not None:
            raise ValueError("--month and --from: given both; allowed: one of them")
        return periods.Period(options.start, options.end)
    if options.month is not None:
        return periods.month(options.month)
    this = periods.Period(periods.month_of(today), periods.month_after(today))
    return this.before() if is_over else this


def _values(given: Sequence[str]) -> Mapping[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not equals:
            raise ValueError(f"--param: given {name!r}; allowed: <name>=<value>")
    return {name: value for name, _, value in pairs}


def engine_of(options: argparse.Namespace) -> DuckDbEngine | AthenaEngine:
    """The engine that a command line names. Raises EngineError and ReportError."""
    if options.lake is not None:
        return DuckDbEngine(options.lake)
    return athena_of(options.env)


def athena_of(environment: str) -> AthenaEngine:
    """The Athena workgroup of a deployed environment, by its name in `envs/`."""
    # What deployments import is not needed to read a folder.
    import boto3  # noqa: PLC0415

    from scripts.deploy import environments  # noqa: PLC0415

    try:
        settings = environments.load(environment)
    except environments.SettingsError as error:
        raise ReportError(str(error)) from error
    database = settings.prefix.replace("-", "_")
    session = boto3.Session(region_name=settings.region)
    glue, storage = session.client("glue"), session.client("s3")

    def keys(prefix: str) -> Iterator[str]:
        usage = glue.get_table(DatabaseName=database, Name="usage")["Table"]
        bucket = usage["StorageDescriptor"]["Location"].split("/")[2]
        pages = storage.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return (found["Key"] for page in pages for found in page.get("Contents", []))

    return AthenaEngine(session.client("athena"), settings.prefix, database, keys)


def _listed(found: Mapping[str, Query]) -> str:
    width = max(map(len, found))
    return "".join(f"{_command(name):{width}}  {query.question}\n" for name, query in found.items())


def _command(name: str) -> str:
    return name.replace("_", "-")


def _parser(found: Mapping[str, Query]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.reports.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="query", dest="query")
    for name, query in found.items():
        command = commands.add_parser(
            _command(name),
            help=query.question.replace("%", "%%"),
            description=_about(query),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_options(command, query)
    return parser


def _about(query: Query) -> str:
    lines = [
        f"  --param {each.name}=…: {each.help}"
        + (f" (one of {', '.join(each.choices)})" if each.choices else "")
        + ("" if each.default == "''" else f"; {each.default} unless given")
        for each in query.parameters
    ]
    return "\n\n".join(filter(None, [query.question, query.about, "\n".join(lines)]))


def _add_options(command: argparse.ArgumentParser, query: Query) -> None:
    add_source_and_period(command, is_over=query.over)
    command.add_argument(
        "--settled-before",
        type=date.fromisoformat,
        help="leave out what was settled from this day (UTC) on, such as later corrections",
    )
    command.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter's value"
    )
    command.add_argument("--decimals", type=int, help="round costs; exact unless given")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="CSV instead of a table")
    form.add_argument("--json", action="store_true", help="JSON instead of a table")


def add_source_and_period(parser: argparse.ArgumentParser, *, is_over: bool = False) -> None:
    """Add the options that `engine_of` and `period_of` read."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--lake", type=Path, help="folder with the lake's files")
    source.add_argument("--env", help="deployed environment whose Athena answers")
    parser.add_argument(
        "--month",
        help=f"YYYY-MM (UTC); {'the one before this' if is_over else 'this'} unless given",
    )
    day = date.fromisoformat
    parser.add_argument("--from", dest="start", type=day, help="first day, YYYY-MM-DD (UTC)")
    parser.add_argument("--to", dest="end", type=day, help="day after the last")


if __name__ == "__main__":
    sys.exit(main())
