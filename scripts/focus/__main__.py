"""Write a month's FOCUS files, or hold them against FOCUS's rules.

    python -m scripts.focus write --env prod --month 2026-11
    python -m scripts.focus write --lake .local/lake --month 2026-11
    python -m scripts.focus check --lake .local/lake --month 2026-11

With `--env` Athena writes them into the environment's lake. `--lake` is a folder: the local
stack's, or a copy made with `aws s3 sync s3://<lake bucket> <folder>`.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.focus.validating import VERSION, validate
from scripts.focus.writing import AthenaTarget, FocusError, FolderTarget, Writer
from scripts.reports.checks import RefusedError
from scripts.reports.engines import DuckDbEngine, EngineError
from scripts.statements import history
from scripts.statements.record import RecordError
from scripts.statements.storage import FolderStore
from tollgate.domain.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scripts.reports.engines import Engine
    from scripts.statements.storage import Store

_MOST_DELETED = 1000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        if options.command == "write":
            return _write(options)
        return _check(options)
    except (EngineError, FocusError, RecordError, RefusedError) as error:
        print(f"focus: {error}", file=sys.stderr)
        return 1


def _write(options: argparse.Namespace) -> int:
    with _writer(options) as writer:
        written = writer.write(options.month, options.grain, options.issuer)
    kind = "its statements' lines" if written.stated else "the month is not closed"
    print(f"{written.where}: {format_usd(written.billed)} USD billed, {kind}")
    return 0


def _check(options: argparse.Namespace) -> int:
    verdict = validate(options.lake, options.month)
    for rule in verdict.broken:
        print(f"broken: {rule}")
    print(f"FOCUS {VERSION}: {len(verdict.broken)} of {verdict.rules} rules broken")
    return 1 if verdict.broken else 0


@contextmanager
def _writer(options: argparse.Namespace) -> Iterator[Writer]:
    if options.env is not None:
        yield _deployed(options.env)
        return
    with DuckDbEngine(options.lake) as engine:
        store = FolderStore(options.lake / "statements")
        yield _of(engine, FolderTarget(engine, options.lake), store)


def _of(engine: Engine, target: FolderTarget | AthenaTarget, store: Store) -> Writer:
    return Writer(
        engine=engine,
        target=target,
        record=lambda month: history.read(store, month),
        clock=lambda: datetime.now(UTC),
    )


def _deployed(name: str) -> Writer:
    # What deployments import is not needed to write a folder.
    import boto3  # noqa: PLC0415

    from scripts.deploy import environments, preflight  # noqa: PLC0415
    from scripts.reports.report import athena_of  # noqa: PLC0415
    from scripts.statements.s3 import S3Store  # noqa: PLC0415

    try:
        settings = environments.load(name)
        account = preflight.check(settings, state=False).account
    except (environments.SettingsError, preflight.PreflightError) as error:
        raise FocusError(str(error)) from error
    storage = boto3.client("s3", region_name=settings.region)
    engine = athena_of(name)
    bucket = f"{settings.prefix}-lake-{account}"
    run = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    target = AthenaTarget(engine, BucketObjects(storage, bucket), bucket, run)
    return _of(engine, target, S3Store(storage, f"{settings.prefix}-statements-{account}"))


class BucketObjects:
    """Objects of a bucket."""

    def __init__(self, client: Any, bucket: str) -> None:  # noqa: ANN401 - boto3's S3 client
        self._client = client
        self._bucket = bucket

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that start with a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        return (found["Key"] for page in pages for found in page.get("Contents", []))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, as many in a call as S3 takes. Raises FocusError for one that stays."""
        rest = list(keys)
        while rest:
            some, rest = rest[:_MOST_DELETED], rest[_MOST_DELETED:]
            answer = self._client.delete_objects(
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": key} for key in some], "Quiet": True},
            )
            for error in answer.get("Errors", []):
                raise FocusError(f"s3://{self._bucket}/{error['Key']} stays: {error['Message']}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.focus",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="command")
    write = commands.add_parser("write", help="write a month's files")
    source = write.add_mutually_exclusive_group(required=True)
    source.add_argument("--env", help="folder in envs/")
    source.add_argument("--lake", type=Path, help="folder with the lake's files")
    write.add_argument(
        "--grain", choices=("day", "hour"), default="day", help="how long a charge period is"
    )
    write.add_argument(
        "--issuer", default="Tollgate", help="who provides the gateway and issues the statements"
    )
    check = commands.add_parser("check", help="hold a month's files against FOCUS's rules")
    check.add_argument("--lake", type=Path, required=True, help="folder with the lake's files")
    for command in (write, check):
        command.add_argument("--month", required=True, help="YYYY-MM (UTC)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
