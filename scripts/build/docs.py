"""Write into the documents what is known from code: tables of inputs, routes, errors and keys.

``python -m scripts.build.docs`` rewrites what lies between two markers,
``<!-- BEGIN_<name> -->`` and ``<!-- END_<name> -->``; ``--check`` changes nothing and fails when a
document is stale.
"""

from __future__ import annotations

import argparse
import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.build.tables import errors, operations, tenants, terraform
from scripts.build.tables.markdown import DocsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Part:
    """A generated part of a document: where it lies, and what makes its Markdown."""

    document: Path
    name: str
    render: Callable[[], str]

    @property
    def begin(self) -> str:
        """The marker before it."""
        return f"<!-- BEGIN_{self.name} -->"

    @property
    def end(self) -> str:
        """The marker after it."""
        return f"<!-- END_{self.name} -->"

    def updated(self, text: str) -> str:
        """The document with the part made anew; raises DocsError without one pair of markers."""
        found = [text.count(self.begin), text.count(self.end)]
        if found != [1, 1] or text.index(self.begin) > text.index(self.end):
            raise DocsError(
                f"{self.document}: needs {self.begin} and, after it, {self.end} once each"
            )
        head, _, rest = text.partition(self.begin)
        tail = rest.partition(self.end)[2]
        return f"{head}{self.begin}\n{self.render()}\n{self.end}{tail}"


def parts(repository: Path = REPOSITORY) -> list[Part]:
    """All generated parts: of the root modules, of every module with variables, of the guides."""
    directories = [
        repository / "terraform",
        repository / "terraform" / "tenants_only",
        *sorted(path.parent for path in repository.glob("modules/*/variables.tf")),
    ]
    gateway = repository / "modules" / "gateway"
    calling = gateway / "CALLING.md"
    return [
        *(
            Part(path / "README.md", "TF_DOCS", functools.partial(terraform.render, path))
            for path in directories
        ),
        Part(calling, "OPERATIONS", functools.partial(operations.render, gateway / "openapi.yaml")),
        Part(calling, "ERRORS", errors.render),
        Part(repository / "envs" / "README.md", "TENANT_KEYS", tenants.render),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns 0, or 1 when a document is stale (``--check``) or cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m scripts.build.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which documents are stale")
    options = parser.parse_args(arguments)
    problems = []
    for part in parts():
        try:
            old = part.document.read_text(encoding="utf-8") if part.document.is_file() else ""
            new = part.updated(old)
        except DocsError as error:
            problems.append(str(error))
            continue
        if new == old:
            continue
        if options.check:
            problems.append(f"{part.document}: {part.name} is stale; run `make docs`")
        else:
            part.document.write_text(new, encoding="utf-8")
            print(f"wrote {part.name} of {part.document.relative_to(REPOSITORY)}")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
