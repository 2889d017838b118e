"""Find, without running anything, which modules a function's code needs at run time.

The walk starts at the function's own package and follows each import of the shared package
`tollgate` into the files it names. It sees imports inside functions too, and leaves out those that
only the type checker reads (`if TYPE_CHECKING`).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ImportWalkError(Exception):
    """An import cannot be followed; the message names file, line and module."""


@dataclass(frozen=True)
class Import:
    """One imported dotted name, and where it is imported.

    `parts_of` names the module a `from ... import` reads from, so that a name which turns out to be
    an attribute and not a sub-module is not an error.
    """

    name: str
    parts_of: str | None
    file: Path
    line: int


@dataclass
class Reached:
    """What a walk found: our files by their path in the zip, and the other top-level modules."""

    files: dict[str, Path] = field(default_factory=dict)
    external: dict[str, Import] = field(default_factory=dict)


def _is_type_checking(test: ast.expr) -> bool:
    """Return whether an `if` asks for the type checker only."""
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node below `node` that can run."""
    for child in ast.iter_child_nodes(node):
        yield child
        if isinstance(child, ast.If) and _is_type_checking(child.test):
            for statement in child.orelse:
                yield statement
                yield from _runtime_nodes(statement)
        else:
            yield from _runtime_nodes(child)


def _refuse_dynamic(call: ast.Call, file: Path) -> None:
    """Raise ImportWalkError for a call that imports a module by a computed name."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in {"import_module", "__import__"}:
        raise ImportWalkError(
            f"{file}:{call.lineno}: {name}() hides what it imports from the build; "
            "use an import statement (inside a function when it should be late)"
        )


def _base_package(node: ast.ImportFrom, package: str, file: Path) -> str:
    """Return the absolute name of the module a `from` import reads from."""
    if node.level == 0:
        return node.module or ""
    parts = package.split(".")
    if node.level > len(parts):
        raise ImportWalkError(f"{file}:{node.lineno}: relative import beyond the top package")
    base = ".".join(parts[: len(parts) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def imports_of(file: Path, package: str) -> Iterator[Import]:
    """Yield the imports that `file`, a module of `package`, can run.

    Raises:
        ImportWalkError: the file imports by a computed name.
    """
    for node in _runtime_nodes(ast.parse(file.read_text("utf-8"), str(file))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, file, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = _base_package(node, package, file)
            yield Import(base, None, file, node.lineno)
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", base, file, node.lineno)
        elif isinstance(node, ast.Call):
            _refuse_dynamic(node, file)


def _module_file(source: Path, name: str) -> Path | None:
    """Return the file of module `name` below `source`; None when there is no such module."""
    path = source.joinpath(*name.split("."))
    for candidate in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if candidate.is_file():
            return candidate
    return None


class _Walk:
    """One walk over the modules of a few source folders, each the parent of top packages."""

    def __init__(self, sources: dict[str, Path]) -> None:
        self.sources = sources
        self.reached = Reached()

    def add_module(self, name: str) -> bool:
        """Add module `name` with its parent packages; return whether it exists."""
        source = self.sources[name.partition(".")[0]]
        file = _module_file(source, name)
        if file is None:
            return False
        key = file.relative_to(source).as_posix()
        if key in self.reached.files:
            return True
        self.reached.files[key] = file
        parent = name.rpartition(".")[0]
        if parent:
            self.add_module(parent)
        package = name if file.name == "__init__.py" else parent
        for found in imports_of(file, package):
            self.follow(found)
        return True

    def follow(self, found: Import) -> None:
        """Go where one import leads."""
        top = found.name.partition(".")[0]
        if top not in self.sources:
            self.reached.external.setdefault(top, found)
        elif not (self.add_module(found.name) or found.parts_of or self._is_folder(found.name)):
            raise ImportWalkError(f"{found.file}:{found.line}: no module {found.name}")

    def _is_folder(self, name: str) -> bool:
        """Return whether `name` is a folder without code of its own, such as one of data files."""
        return self.sources[name.partition(".")[0]].joinpath(*name.split(".")).is_dir()


def walk(function_source: Path, package: str, shared_source: Path) -> Reached:
    """Collect what `package`, below `function_source`, needs of itself and of `tollgate`.

    Every module of the function's own package counts; of `tollgate` only what is reached.

    Raises:
        ImportWalkError: an import leads nowhere or is made by a computed name.
    """
    state = _Walk({package: function_source, "tollgate": shared_source})
    for file in sorted((function_source / package).rglob("*.py")):
        parts = file.relative_to(function_source).with_suffix("").parts
        state.add_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return state.reached
