"""Change the rules of the domain one small step at a time and see whether a test notices.

    make mutation                              all modules of tollgate/domain
    make mutation ARGS="prices families.nova"  some of them
    make mutation ARGS="prices --minimum 90"

Every mutant is a copy of the domain with one operator, number, text or argument changed; it is
killed when a fast unit test of its module fails. The work is done by mutmut in a copy under
`build/mutation`, where the package lies as mutmut expects it. Mutmut leaves decorated functions
(properties, mostly) as they are. Exit status 1 when fewer mutants than wanted are killed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE = ROOT / "build" / "mutation"
DOMAIN = Path("tollgate", "domain")
# A service's tests exercise its rules too.
TESTS = (Path("tests", "unit", "domain"), Path("tests", "unit", "services"))
SHARED_TESTS = ("test_domain_edges.py",)
# The fakes' accounts are those of what-if.
FAKES_OF_SCRIPTS = Path("scripts", "whatif")
# Rules whose tests bear the name of what makes use of them.
OTHER_TESTS = {"ledger": ("test_shards.py",), "models": ("test_policy.py",)}
MINIMUM_PERCENT = 95.0

# pytest's and mutmut's exit codes by what they say of a mutant; what is not here (an error, a
# crash, a test that ran out of its time or memory) means that the mutant did not go unnoticed.
SURVIVED = frozenset({0})
UNTESTED = frozenset({5, 33})
SKIPPED = frozenset({34})
UNFINISHED = frozenset({None, 2})


class MutationError(Exception):
    """The run cannot be made or did not finish; the message says why."""


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant; its name is `<module>.<function>__mutmut_<n>`."""

    name: str
    exit_code: int | None

    @property
    def module(self) -> str:
        """The module of the domain that the mutant is in."""
        return self.name.rpartition(".")[0].removeprefix("tollgate.domain.")

    @property
    def outcome(self) -> str:
        """One of killed, survived, untested, skipped."""
        if self.exit_code in SURVIVED:
            return "survived"
        if self.exit_code in UNTESTED:
            return "untested"
        return "skipped" if self.exit_code in SKIPPED else "killed"


def modules(root: Path = ROOT) -> list[str]:
    """Names of the domain's modules below it, such as `families.nova`.

    Tables without a function are left out: there is nothing in them that mutmut changes.
    """
    folder = root / "functions" / "shared" / DOMAIN
    return sorted(
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if path.stem != "__init__" and _has_functions(path)
    )


def _has_functions(path: Path) -> bool:
    return any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(path.read_text())))


def tests_of(chosen: Iterable[str], root: Path = ROOT) -> list[str]:
    """The test files of these modules: `test_<module>*.py`, and those of `OTHER_TESTS`.

    Those of a module in a package of the domain lie in a folder of the package's name. What tests
    all modules is among them.
    """
    patterns = list(SHARED_TESTS)
    for module in chosen:
        patterns += _pattern(module), *OTHER_TESTS.get(module, ())
    found = {
        path.relative_to(root)
        for folder in TESTS
        for pattern in patterns
        for path in (root / folder).glob(pattern)
    }
    return sorted(map(str, found))


def _pattern(module: str) -> str:
    *packages, name = module.split(".")
    return "/".join((*packages, f"test_{name}*.py"))


def configuration(chosen: Sequence[str], tests: Sequence[str]) -> str:
    """The workspace's pyproject.toml."""
    mutate = [f"src/{DOMAIN}/{module.replace('.', '/')}.py" for module in chosen]
    return "\n".join(
        (
            "[tool.mutmut]",
            'source_paths = ["src"]',
            f"also_copy = {json.dumps([FAKES_OF_SCRIPTS.parts[0]])}",
            f"only_mutate = {json.dumps(mutate)}",
            f"pytest_add_cli_args_test_selection = {json.dumps(list(tests))}",
            'pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]',
            "[tool.pytest.ini_options]",
            'pythonpath = [".", "src"]',
            # The same examples for every mutant, and no verdict that a busy machine gives.
            'addopts = ["--import-mode=importlib", "-m=not soak", "--hypothesis-profile=ci"]',
            'markers = ["soak", "slow", "stack"]',
            "",
        )
    )


def prepare(chosen: Sequence[str], workspace: Path = WORKSPACE, root: Path = ROOT) -> None:
    """Copy the package and its tests to a fresh workspace."""
    shutil.rmtree(workspace, ignore_errors=True)
    unwanted = shutil.ignore_patterns("__pycache__")
    package = root / "functions" / "shared" / "tollgate"
    shutil.copytree(package, workspace / "src" / "tollgate", ignore=unwanted)
    for folder in (FAKES_OF_SCRIPTS, Path("tests", "fakes"), *TESTS):
        shutil.copytree(root / folder, workspace / folder, ignore=unwanted)
    for helper in (root / "tests").glob("*.py"):
        if helper.name != "conftest.py":  # it knows the stack, which is not copied
            shutil.copy(helper, workspace / "tests")
    document = configuration(chosen, tests_of(chosen, root))
    (workspace / "pyproject.toml").write_text(document, "utf-8")


def run(workspace: Path, processes: int) -> None:
    """Run mutmut in the workspace.

    Raises:
        MutationError: the tests fail without any mutation, or mutmut itself failed.
    """
    outcome = subprocess.run(
        [*_mutmut("run"), "--max-children", str(processes)],
        cwd=workspace,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        tail = "\n".join((outcome.stdout + outcome.stderr).splitlines()[-30:])
        raise MutationError(f"mutmut ended with status {outcome.returncode}:\n{tail}")


def verdicts(workspace: Path) -> list[Verdict]:
    """Read what mutmut found out.

    Raises:
        MutationError: there is nothing, or some mutants were not tried.
    """
    folder = workspace / "mutants" / "src" / DOMAIN
    found = [
        Verdict(name, exit_code)
        for file in sorted(folder.rglob("*.meta"))
        for name, exit_code in json.loads(file.read_text("utf-8"))["exit_code_by_key"].items()
    ]
    if not found:
        raise MutationError("mutmut made no mutants")
    unfinished = [verdict.name for verdict in found if verdict.exit_code in UNFINISHED]
    if unfinished:
        raise MutationError(f"{len(unfinished)} mutants were not tried, {unfinished[0]} among them")
    return found


def score(found: Iterable[Verdict]) -> float:
    """Percent of the mutants that a test killed."""
    outcomes = Counter(verdict.outcome for verdict in found)
    counted = outcomes.total() - outcomes["skipped"]
    return 100.0 * outcomes["killed"] / counted if counted else 100.0


def table(found: Sequence[Verdict]) -> str:
    """Killed, survived and untested mutants and the score, by module."""
    lines = [
        f"{'module':<26}{'mutants':>9}{'killed':>9}{'survived':>10}{'untested':>10}{'score':>9}"
    ]
    by_module: dict[str, list[Verdict]] = {}
    for verdict in found:
        by_module.setdefault(verdict.module, []).append(verdict)
    for name, of_module in [*sorted(by_module.items()), ("all", list(found))]:
        outcomes = Counter(verdict.outcome for verdict in of_module)
        lines.append(
            f"{name:<26}{len(of_module):>9}{outcomes['killed']:>9}{outcomes['survived']:>10}"
            f"{outcomes['untested']:>10}{score(of_module):>8.1f}%"
        )
    return "\n".join(lines)


def change(workspace: Path, name: str) -> str:
    """The lines that a mutant takes away and puts in."""
    shown = subprocess.run(
        [*_mutmut("show"), name],
        cwd=workspace,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return "\n".join(
        f"    {line}" for line in shown if line[:1] in "+-" and line[:3] not in ("+++", "---")
    )


def _mutmut(command: str) -> list[str]:
    return [sys.executable, "-m", "mutmut", command]


def _environment() -> dict[str, str]:
    # Without our own folders: the copy must not find the package it is a copy of.
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("modules", nargs="*", metavar="module", help=f"of {', '.join(modules())}")
    parser.add_argument("--minimum", type=float, default=MINIMUM_PERCENT, help="percent to kill")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.modules) - set(modules()))
    if unknown:
        parser.error(f"no such module: {', '.join(unknown)}; there are {', '.join(modules())}")
    chosen = given.modules or modules()
    try:
        prepare(chosen)
        run(WORKSPACE, given.processes)
        found = verdicts(WORKSPACE)
    except MutationError as error:
        print(f"mutation: {error}", file=sys.stderr)
        return 1
    alive = [verdict for verdict in found if verdict.outcome in ("survived", "untested")]
    with ThreadPoolExecutor(given.processes) as pool:
        changes = pool.map(lambda verdict: change(WORKSPACE, verdict.name), alive)
        for verdict, lines in zip(alive, changes, strict=True):
            print(f"{verdict.outcome}: {verdict.name}\n{lines}")
    print(table(found))
    reached = score(found)
    if reached < given.minimum:
        print(f"mutation: {reached:.1f} % is below {given.minimum:g} %", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
