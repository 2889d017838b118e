"""Hold a month's FOCUS files against the rules of FOCUS 1.2, with FinOps's own validator.

The validator (`focus-validator`) has an environment of its own, `.tools/focus`, and the rules
inside, so it asks nothing of the network.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import duckdb

from scripts.build.environments import ENVIRONMENTS, ROOT
from scripts.focus.columns import FOCUS_COLUMNS
from scripts.focus.writing import FOLDER, FocusError

VERSION = "1.2"
# What of FOCUS applies to the gateway; without these it has no availability zones, capacity
# reservations, commitment discounts and virtual currencies.
CRITERIA = (
    "ACCOUNT_NAMING_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
    "MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED",
    "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "REGION_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "TAGGING_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
)
# An invoice's id is null before there is one and is not from then on: the two are rules of their
# own, and the validator, which cannot know, asks for both. InvoiceId-C-003-C asks for either.
EITHER = frozenset({"InvoiceId-C-004-C", "InvoiceId-C-005-C"})
# FOCUS wants no effective cost of a purchase that is to cover future charges; the validator asks it
# of all purchases. Shares of shared costs cover the month that they are of, and no later charge.
NOT_OURS = frozenset({"EffectiveCost-C-005-C"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many rules were looked at, and those that do not hold."""

    rules: int
    broken: tuple[str, ...]


def validate(lake: Path, month: str) -> Verdict:
    """Validate a month's files in a lake's folder. Raises FocusError when there are none."""
    folder = lake / FOLDER / f"billing_period={month}"
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise FocusError(f"{folder} has no FOCUS files: make focus writes them")
    python = ENVIRONMENTS["focus"].python(ROOT)
    if not python.exists():
        raise FocusError(f"{python.parents[1]} is not there: make focus-check makes it")
    with TemporaryDirectory(prefix="tollgate-focus-") as scratch:
        return _run(python, files, Path(scratch))


def _run(python: Path, files: list[Path], scratch: Path) -> Verdict:
    _plain(files, scratch / "focus.parquet")
    package = next((python.parents[1] / "lib").glob("python*/site-packages/focus_validator"), None)
    if package is None:
        raise FocusError("focus-validator needs Python 3.12 or newer, and .tools/focus has none")
    # It opens its list of currencies below the folder that it runs in.
    (scratch / package.name).symlink_to(package)
    report = scratch / "report.xml"
    outcome = subprocess.run(
        [
            *(str(python.with_name("focus-validator")), "--data-file", "focus.parquet"),
            *("--validate-version", VERSION, "--block-download"),
            *("--applicability-criteria", ",".join(CRITERIA)),
            *("--output-type", "unittest", "--output-destination", report.name),
        ],
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
    )
    if not report.exists():
        said = (outcome.stderr or outcome.stdout).strip().splitlines()[-1:]
        raise FocusError(f"focus-validator failed: {''.join(said)}")
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314 - written just now
    looked_at = [case for case in cases if case.find("skipped") is None]
    failures = {failure.get("name", "") for case in cases for failure in case.iter("failure")}
    told = (failures if failures >= EITHER else failures - EITHER) - NOT_OURS
    return Verdict(len(looked_at), tuple(sorted(told)))


def _plain(files: list[Path], path: Path) -> None:
    """One file of all lines, as the validator reads them: FOCUS's spelling, and pairs as JSON."""
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    columns = ", ".join(
        f"CAST(to_json({name}) AS VARCHAR) AS {name}"
        if kind.startswith("map")
        else f"{name} AS {name}"
        for name, kind in FOCUS_COLUMNS
    )
    with duckdb.connect(":memory:") as db:
        db.execute(
            f"COPY (SELECT {columns} FROM read_parquet([{listed}], union_by_name = true)) "  # noqa: S608 - ours
            f"TO '{path}' (FORMAT parquet)"
        )
