"""Imports point one way, down the floors of the shared package; adapters alone know boto3.

The stand-ins for model services, which the gateway is tested with, know nothing of its tables.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "functions"
SHARED = ROOT / "shared" / "tollgate"
FUNCTIONS = sorted(path for path in ROOT.glob("*/tollgate_*") if path.is_dir())
MODULES = sorted([*SHARED.rglob("*.py"), *(m for f in FUNCTIONS for m in f.rglob("*.py"))])
STUBS = ROOT.parent / "scripts" / "local" / "stubs"
# The framing of event streams and the names of log folders, which are the service's own.
OF_BOTH = {"tollgate.dialects.bedrock.eventstream", "tollgate.domain.invocation_logs"}
AWS = {"boto3", "botocore", "urllib3", "s3transfer"}
# From the roof down: a room sees its own floor and those below.
FLOORS = (
    {"dialects"},
    {"entry"},
    {"adapters"},
    {"services"},
    {"ports", "observability"},
    {"domain", "prices"},
)
# Composition is the only place that joins adapters with services.
COMPOSERS = {"composition.py", "handler.py"}


def imports(module: Path, *, runtime_only: bool = False) -> set[str]:
    """Absolute names a module imports; optionally without those for type checkers alone."""
    tree = ast.parse(module.read_text())
    found: set[str] = set()
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if runtime_only and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped |= {child for statement in node.body for child in ast.walk(statement)}
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tops(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def relative(module: Path) -> str:
    return str(module.relative_to(ROOT))


@pytest.mark.parametrize("module", sorted(SHARED.joinpath("domain").rglob("*.py")), ids=relative)
def test_the_domain_imports_the_standard_library_and_itself(module: Path) -> None:
    names = imports(module)

    assert tops(names) - {"tollgate"} <= set(sys.stdlib_module_names)
    ours = {name for name in names if name.startswith("tollgate")}
    assert all(name.startswith(("tollgate.domain", "tollgate.prices")) for name in ours), ours


def room(module: Path) -> str:
    """The package or module of `tollgate` that a file of it belongs to."""
    return module.relative_to(SHARED).parts[0].removesuffix(".py")


@pytest.mark.parametrize("module", sorted(SHARED.rglob("[!_]*.py")), ids=relative)
def test_no_import_climbs_a_floor(module: Path) -> None:
    (own,) = (number for number, floor in enumerate(FLOORS) if room(module) in floor)
    above = {name for floor in FLOORS[:own] for name in floor}

    used = {name.split(".")[1] for name in imports(module) if name.startswith("tollgate.")}
    assert not used & above


def test_every_room_stands_on_a_floor() -> None:
    rooms = {room(module) for module in SHARED.rglob("*.py")} - {"__init__"}

    assert rooms == {name for floor in FLOORS for name in floor}


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_only_adapters_know_aws(module: Path) -> None:
    if "adapters" not in module.parts:
        assert not tops(imports(module, runtime_only=True)) & AWS


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_only_composers_join_adapters(module: Path) -> None:
    if "adapters" in module.parts or module.name in COMPOSERS:
        return
    assert not any(name.startswith("tollgate.adapters") for name in imports(module))


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_functions_import_the_shared_package_and_themselves_only(module: Path) -> None:
    own = module.relative_to(ROOT).parts[1]
    others = {name for name in tops(imports(module)) if name.startswith("tollgate_")}

    assert others <= {own}


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_the_environment_is_read_in_one_place(module: Path) -> None:
    if module.name != "settings.py" or "entry" not in module.parts:
        assert "os.environ" not in module.read_text()


@pytest.mark.parametrize(
    "module", sorted(STUBS.rglob("*.py")), ids=lambda path: str(path.relative_to(STUBS))
)
def test_a_stub_knows_bodies_by_itself(module: Path) -> None:
    ours = {name for name in imports(module) if name.startswith("tollgate.")}
    parents = {known.rpartition(".")[0] for known in OF_BOTH}
    taken = {name for name in ours - parents if name.rpartition(".")[0] not in OF_BOTH}
    assert taken <= OF_BOTH


@pytest.mark.parametrize("module", sorted(STUBS.glob("*.py")), ids=lambda path: path.name)
def test_what_stubs_share_knows_none_of_them(module: Path) -> None:
    shared = {path.stem for path in STUBS.glob("*.py")}
    within = "scripts.local.stubs."
    used = {name.split(".")[3] for name in imports(module) if name.startswith(within)}
    assert used <= shared


def test_there_are_modules_to_walk() -> None:
    assert len(MODULES) > 40
    assert len(FUNCTIONS) >= 6
    assert len(list(STUBS.rglob("*.py"))) > 20
