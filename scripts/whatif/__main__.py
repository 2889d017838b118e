"""Replay a past period under other prices, budgets and limits, and print what would have been.

    python -m scripts.whatif --lake lake --month 2026-11 --tenants prod \\
        --set acme.budget.month_usd=400 --set '*.markup=1.5'
    python -m scripts.whatif --env prod --month 2026-11 --base origin/main --markdown

The calls of the period go through the ledger that admits calls today, once as things stand and once
as they would be. `--set` puts another value into tenants' files (`<tenant or *>.<key>=<value>`; the
keys and rules are those of the files: budget, limits, tier, markup, models, prices, …), `--model`
calls a model in place of another, `--book` prices all calls with another price book. With `--base`
things stand as in that revision, and would be as in the files of this folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions" / "shared"), str(ROOT / "functions" / "aggregate")]

from scripts.reports.engines import EngineError  # noqa: E402
from scripts.reports.report import (  # noqa: E402
    ReportError,
    add_source_and_period,
    engine_of,
    period_of,
)
from scripts.tenants.files import TenantFilesError, environments  # noqa: E402
from scripts.whatif import calls, table  # noqa: E402
from scripts.whatif.replay import Replay  # noqa: E402
from scripts.whatif.scenario import (  # noqa: E402
    Scenario,
    ScenarioError,
    change,
    mapping,
    policies,
)
from tollgate.domain.prices import PriceBook, PriceBookError, load_default  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None, envs: Path = ROOT / "envs") -> int:
    """Run the command line over the environments below `envs`; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        print(_told(options, envs), end="")
    except (EngineError, PriceBookError, ReportError, TenantFilesError, ValueError) as error:
        print(f"what-if: {error}", file=sys.stderr)
        return 1
    return 0


def _told(options: argparse.Namespace, envs: Path) -> str:
    period = period_of(options, datetime.now(UTC).date(), is_over=True)
    now, then = _scenarios(options, envs)
    as_is, as_would_be = Replay(now), Replay(then)
    for call in calls.read(engine_of(options), period):
        as_is.run([call])
        as_would_be.run([call])
    if not as_is.outcomes:
        raise ScenarioError(f"no calls in {period}")
    found = table.lines(as_is.outcomes, as_would_be.outcomes, now.policies, then.policies)
    if options.json:
        return table.as_json(found)
    name = _environment(options)
    if options.markdown:
        title = f"What {name} would have made of {period}"
        return table.markdown(found, title, f"<!-- tollgate what-if {name} -->")
    return table.text(found, options.decimals)


def _scenarios(options: argparse.Namespace, envs: Path) -> tuple[Scenario, Scenario]:
    known = [path.name for path in environments(envs)]
    name = _environment(options)
    if name not in known:
        raise ScenarioError(f"environment: given {name!r}; allowed: {', '.join(known)}")
    folder = envs / name
    if options.base is None:
        standing = policies(folder)
    else:
        with TemporaryDirectory() as scratch:
            standing = policies(_of_revision(options.base, folder, Path(scratch)))
    proposed = policies(folder, [change(text) for text in options.set])
    shipped = load_default()
    book = shipped if options.book is None else _book(options.book)
    contracts = {tenant_id: tenant.prices for tenant_id, tenant in standing.tenants.items()}
    now = Scenario(standing, shipped, contracts)
    then = Scenario(
        proposed,
        book,
        contracts,
        models=mapping(options.model),
        is_repriced=options.book is not None,
    )
    return now, then


def _environment(options: argparse.Namespace) -> str:
    name = options.tenants or options.env
    if name is None:
        raise ScenarioError("--lake needs --tenants: the environment whose tenant files count")
    return str(name)


def _of_revision(revision: str, folder: Path, scratch: Path) -> Path:
    """An environment's folder as a revision of the repository has it."""
    done = subprocess.run(
        ["git", "archive", "--format=tar", "--end-of-options", revision, folder.name],
        cwd=folder.parent,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ScenarioError(f"--base: given {revision!r}; git says: {said[-1] if said else ''}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(scratch, filter="data")
    return scratch / folder.name


def _book(path: Path) -> PriceBook:
    try:
        return PriceBook.from_json(path.read_text("utf-8"))
    except (OSError, KeyError) as error:
        raise ScenarioError(f"--book: given {path}, which is no price book: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.whatif",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_source_and_period(parser, is_over=True)
    parser.add_argument(
        "--tenants", metavar="ENV", help="whose tenant files count; --env's unless given"
    )
    parser.add_argument("--set", action="append", default=[], metavar="TENANT.KEY=VALUE")
    parser.add_argument("--model", action="append", default=[], metavar="MODEL=MODEL")
    parser.add_argument("--book", type=Path, help="price book that prices all calls anew")
    parser.add_argument(
        "--base", metavar="REVISION", help="how things stand; this folder unless given"
    )
    parser.add_argument("--decimals", type=int, help="round costs; exact unless given")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON instead of a table")
    form.add_argument("--markdown", action="store_true", help="a comment for a pull request")
    return parser


if __name__ == "__main__":
    sys.exit(main())
