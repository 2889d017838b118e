"""Close a month, or hold a statement against the ledger.

    python -m scripts.statements close --env prod --month 2026-10
    python -m scripts.statements verify --env prod 2026-10/tenant/acme
    python -m scripts.statements close --lake .local/lake --month 2026-10

With `--env` the lake and the statements are the deployed environment's, and the inputs are
`envs/<env>/finance.toml`. With `--lake` they are a folder: a copy made with `aws s3 sync
s3://<lake bucket> <folder>`; statements lie in its folder `statements`.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.reports.engines import DuckDbEngine, EngineError
from scripts.statements import inputs
from scripts.statements.closing import CloseError, Closer
from scripts.statements.inputs import InputsError
from scripts.statements.ledger import LedgerError
from scripts.statements.page import KIND_NAMES, money
from scripts.statements.record import RecordError
from scripts.statements.storage import FolderLake, FolderStore
from scripts.statements.verifying import Verifier, VerifyError
from tollgate.domain.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.reports.engines import Engine
    from scripts.statements.closing import Closed
    from scripts.statements.storage import LakeFiles, Store
    from scripts.statements.verifying import Verdict

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a lake and its statements are; `name` is where a person finds these."""

    lake: LakeFiles
    store: Store
    engine: Engine
    name: str
    closed_through: datetime | None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.lake is None and options.env is None:
        parser.error("given neither --env nor --lake; allowed: one of them, or both")
    try:
        if options.command == "close":
            return _close(options)
        return _verify(options)
    except (
        CloseError,
        EngineError,
        InputsError,
        LedgerError,
        RecordError,
        VerifyError,
        _PlaceError,
    ) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1


def _close(options: argparse.Namespace) -> int:
    finance = inputs.load(*_inputs_file(options))
    with _place(options) as place:
        closed = Closer(
            lake=place.lake,
            engine=place.engine,
            store=place.store,
            finance=finance,
            clock=lambda: datetime.now(UTC),
            closed_through=place.closed_through,
        ).close(options.month)
    print(_told(closed, place.name), end="")
    return 0


def _told(closed: Closed, where: str) -> str:
    record, statements = closed.record, closed.published.statements
    currency = record.inputs.currency
    tenants = [statement for statement in statements if statement.scope == "tenant"]
    sums = [
        (name, sum(line.net for s in tenants for line in s.lines if line.kind == kind))
        for kind, name in KIND_NAMES.items()
        if any(line.kind == kind for s in tenants for line in s.lines)
    ]
    sums.append(("Net total", sum(statement.net for statement in tenants)))
    width = max(len(name) for name, _ in sums)
    amounts = max(len(money(net)) for _, net in sums)
    was = "was closed before, at" if closed.already else "is closed, at"
    lines = [
        f"{record.month} {was} {record.closed_at}: {len(statements)} statements",
        *(f"  {name:{width}}  {money(net):>{amounts}} {currency}" for name, net in sums),
        f"{closed.published.written} files written to {where}/issued/{record.month}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _verify(options: argparse.Namespace) -> int:
    with _place(options) as place:
        verdict = Verifier(place.lake, place.store).verify(options.statement)
    print(_judged(verdict), end="")
    return 0 if verdict.holds else 1


def _judged(verdict: Verdict) -> str:
    statement = verdict.statement
    if verdict.holds:
        return (
            f"{statement.name} holds: {statement.rows} ledger rows of "
            f"{format_usd(statement.ledger_cost)} USD, digest {statement.digest}\n"
        )
    added = sum(difference.kind == "added" for difference in verdict.rows)
    lines = [f"{statement.name} does not hold:", *map(str, verdict.rows), *verdict.others]
    if added == len(verdict.rows) and added:
        lines.append("added rows are on no statement yet; the next close makes a note of them")
    return "".join(f"{line}\n" for line in lines)


def _inputs_file(options: argparse.Namespace) -> tuple[Path, str]:
    if options.inputs is not None:
        if not options.inputs.is_file():
            raise InputsError(f"--inputs: given {options.inputs}; allowed: a file that is there")
        return options.inputs, str(options.inputs)
    folder = ROOT / "envs" / (options.env or "")
    if not folder.is_dir():
        there = sorted(path.name for path in folder.parent.iterdir() if path.is_dir())
        raise InputsError(f"--env: given {options.env[:60]!r}; allowed: {', '.join(there)}")
    name = f"envs/{options.env}/{inputs.FILE}"
    return folder / inputs.FILE, name if options.env else inputs.FILE


class _PlaceError(Exception):
    """The environment or folder cannot be used; the message says why."""


@contextmanager
def _place(options: argparse.Namespace) -> Iterator[_Place]:
    if options.lake is None:
        yield _deployed(options.env)
        return
    with DuckDbEngine(options.lake) as engine:
        folder = options.lake / "statements"
        yield _Place(FolderLake(options.lake), FolderStore(folder), engine, str(folder), None)


def _deployed(name: str) -> _Place:
    # What deployments import is not needed to read a folder.
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from scripts.deploy import environments, preflight  # noqa: PLC0415
    from scripts.reports.report import athena_of  # noqa: PLC0415
    from scripts.statements.s3 import S3Lake, S3Store  # noqa: PLC0415
    from tollgate.adapters.usage_reader import DynamoWatermark  # noqa: PLC0415

    try:
        settings = environments.load(name)
        account = preflight.check(settings, state=False).account
        storage = boto3.client("s3", region_name=settings.region)
        table = boto3.client("dynamodb", region_name=settings.region)
        closed_through = DynamoWatermark(table, f"{settings.prefix}-usage").get()
    except (environments.SettingsError, preflight.PreflightError) as error:
        raise _PlaceError(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise _PlaceError(f"{name}: {error}") from error
    if closed_through is None:
        raise _PlaceError(f"{name}: no hour of its lake is closed: aggregate has not run")
    bucket = f"{settings.prefix}-statements-{account}"
    return _Place(
        S3Lake(storage, f"{settings.prefix}-lake-{account}"),
        S3Store(storage, bucket),
        athena_of(name),
        f"s3://{bucket}",
        closed_through,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.statements",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="command")
    close = commands.add_parser("close", help="close a month and write its statements")
    close.add_argument("--month", required=True, help="YYYY-MM (UTC), one that is over")
    close.add_argument("--inputs", type=Path, help="instead of envs/<env>/finance.toml")
    verify = commands.add_parser("verify", help="derive a statement again from the lake's rows")
    verify.add_argument("statement", help="such as 2026-10/tenant/acme")
    for command in (close, verify):
        command.add_argument("--env", help="folder in envs/")
        command.add_argument("--lake", type=Path, help="folder with the lake's files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
