"""Check the files of environments, their tiers and tenants, without Terraform.

    python -m scripts.tenants.validate [ENV...]

What breaks a rule is an error, and the plan refuses most of it in the same words. What is legal but
most likely a mistake is a warning, which fails nothing: see `scripts.tenants.mistakes`.
"""

from __future__ import annotations

import argparse
import sys
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
from scripts.tenants.units import ids_beside, settings_in_unit, unit_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.tenants.mistakes import Book


def main(arguments: Sequence[str] | None = None, root: Path = REPOSITORY / "envs") -> int:
    """Print a line per environment, broken rule and warning; 0 when every file is valid, else 1."""
    parser = argparse.ArgumentParser(prog="python -m scripts.tenants.validate", description=__doc__)
    parser.add_argument("environments", nargs="*", metavar="ENV", help="default: all of envs/")
    options = parser.parse_args(arguments)
    book = load_book()
    named = [root / name for name in options.environments]
    valid = [_validate(folder, book) for folder in named or environments(root)]
    return 0 if all(valid) else 1


def _validate(folder: Path, book: Book) -> bool:
    try:
        tenants = load_environment(folder)
        judge = Judge(settings_in_unit(folder), book, datetime.now(UTC).date())
        errors = [*unit_errors(tenants, ids_beside(folder)), *judge.errors(tenants)]
        if errors:
            raise TenantFilesError(errors)
    except TenantFilesError as error:
        for message in error.errors:
            print(_located(folder.name, message), file=sys.stderr)
        return False
    warnings = list(judge.warnings(tenants))
    for message in warnings:
        print(f"warning: {_located(folder.name, message)}", file=sys.stderr)
    keys = sum(len(tenant.keys) for tenant in tenants.values())
    noted = f"; {len(warnings)} of their values look like mistakes" if warnings else ""
    print(f"{folder.name}: {len(tenants)} tenants with {keys} keys are valid{noted}")
    return True


def _located(environment: str, error: str) -> str:
    folder = "" if error.startswith(f"{ENVIRONMENT_FILE}:") else "tenants/"
    return f"envs/{environment}/{folder}{error}"


if __name__ == "__main__":
    raise SystemExit(main())
