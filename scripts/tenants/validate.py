"""Check the files of environments, their tiers and tenants, without Terraform.

    python -m scripts.tenants.validate [ENV...]

What breaks a rule is an error, and the plan refuses most of it in the same words. What is legal but
most likely a mistake is a warning, which fails nothing: see `scripts.tenants.mistakes`. A plan that
`make plan` saves ends with the same lines.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scripts.tenants.files import (
    ENVIRONMENT_FILE,
    TenantFilesError,
    environments,
    load_environment,
)
from scripts.tenants.mistakes import Judge, load_book
from scripts.tenants.rules import REPOSITORY
from scripts.tenants.units import settings_in_unit, unit_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from scripts.tenants.files import Tenant
    from scripts.tenants.mistakes import Book


@dataclass(frozen=True, slots=True)
class Found:
    """What the files of an environment hold.

    `errors` and `warnings` begin with the path of the file; with errors there are no tenants.
    """

    tenants: Mapping[str, Tenant]
    errors: Sequence[str]
    warnings: Sequence[str]


def check(folder: Path, book: Book, today: date) -> Found:
    """Check the files of one environment, and what other environments of its unit have beside."""
    errors: list[str] = []
    tenants: Mapping[str, Tenant] = {}
    try:
        tenants = load_environment(folder)
    except TenantFilesError as error:
        errors.extend(error.errors)
    errors.extend(unit_errors(folder, tenants))
    if not errors:
        judge = Judge(settings_in_unit(folder), book, today)
        errors.extend(judge.errors(tenants))
    if errors:
        return Found({}, [_located(folder.name, line) for line in errors], [])
    warnings = [f"warning: {_located(folder.name, line)}" for line in judge.warnings(tenants)]
    return Found(tenants, [], warnings)


def _located(environment: str, error: str) -> str:
    folder = "" if error.startswith(f"{ENVIRONMENT_FILE}:") else "tenants/"
    return f"envs/{environment}/{folder}{error}"


def main(arguments: Sequence[str] | None = None, root: Path = REPOSITORY / "envs") -> int:
    """Print a line per environment, broken rule and warning; 0 when every file is valid, else 1."""
    parser = argparse.ArgumentParser(prog="python -m scripts.tenants.validate", description=__doc__)
    parser.add_argument("environments", nargs="*", metavar="ENV", help="default: all of envs/")
    options = parser.parse_args(arguments)
    named = [root / name for name in options.environments]
    book, today = load_book(), datetime.now(UTC).date()
    failed = False
    for folder in named or environments(root):
        found = check(folder, book, today)
        for line in (*found.errors, *found.warnings):
            print(line, file=sys.stderr)
        if found.errors:
            failed = True
            continue
        keys = sum(len(tenant.keys) for tenant in found.tenants.values())
        tenants = len(found.tenants)
        line = f"{_counted(tenants, 'tenant')} with {_counted(keys, 'key')}"
        valid = f"{folder.name}: {line} {'is' if tenants == 1 else 'are'} valid"
        print(valid + _noted(len(found.warnings)))
    return 1 if failed else 0


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _noted(warnings: int) -> str:
    if not warnings:
        return ""
    likely = "looks like a mistake" if warnings == 1 else "look like mistakes"
    return f"; {_counted(warnings, 'value')} {likely}"


if __name__ == "__main__":
    raise SystemExit(main())
