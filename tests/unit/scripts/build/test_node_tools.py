"""What runs in Node.js is installed once per lock, by npm as it is told, or not at all."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from scripts.build import node_tools
from scripts.build.environments import ROOT
from scripts.build.progress import Progress
from scripts.build.stamps import SetupError

if TYPE_CHECKING:
    from pathlib import Path

# Says how it was called and installs one file; fails while a file `broken` lies beside the lock.
NPM = """#!/bin/sh
echo "$@" >> "$CALLS"
echo no such package
mkdir -p node_modules && touch node_modules/one
test ! -e "$REQUIREMENTS/broken"
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a lock, and a node and an npm on PATH before this machine's own."""
    requirements = tmp_path / node_tools.REQUIREMENTS
    requirements.mkdir(parents=True)
    for name in ("package.json", node_tools.LOCK_NAME):
        (requirements / name).write_text("{}", "utf-8")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("npm", NPM), ("node", "#!/bin/sh\necho v20.1.0\n")):
        (programs / name).write_text(text, "utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("REQUIREMENTS", str(requirements))
    return tmp_path


def ensure(root: Path) -> bool:
    return node_tools.ensure(Progress(io.StringIO()), root)


def test_it_is_installed_once_per_lock_without_any_script(root: Path) -> None:
    assert ensure(root) is True
    assert ensure(root) is False
    (root / node_tools.FOLDER / "leftover").touch()
    (root / node_tools.REQUIREMENTS / node_tools.LOCK_NAME).write_text("{ }", "utf-8")
    assert ensure(root) is True
    assert not (root / node_tools.FOLDER / "leftover").exists()
    calls = (root / "calls").read_text("utf-8").splitlines()
    assert len(calls) == 2
    assert {tuple(call.split()[:2]) for call in calls} == {("ci", "--ignore-scripts")}


def test_a_failure_is_told_and_made_good(root: Path) -> None:
    broken = root / node_tools.REQUIREMENTS / "broken"
    broken.touch()
    with pytest.raises(SetupError, match=r"(?s)npm config get registry.*no such package"):
        ensure(root)
    broken.unlink()
    assert ensure(root) is True


def test_a_missing_node_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SetupError, match=r"node and npm not on PATH; install Node\.js 20"):
        ensure(root)


@pytest.mark.parametrize("says", ["v18.20.0", "nonsense", ""])
def test_an_old_node_is_refused(root: Path, says: str) -> None:
    (root / "programs" / "node").write_text(f"#!/bin/sh\necho {says}\n", "utf-8")
    with pytest.raises(SetupError, match=rf"Node\.js 20 or newer .* says {says or 'no answer'}"):
        ensure(root)


def test_tests_are_left_out_with_a_reason_and_never_in_ci(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    missing = node_tools.not_installed(root)
    assert missing is not None
    assert "run `python3 -m scripts.build.environments node`" in missing
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SetupError, match="is not current"):
        node_tools.not_installed(root)
    ensure(root)
    assert node_tools.not_installed(root) is None


def test_the_lock_is_exact_and_names_no_place() -> None:
    folder = ROOT / node_tools.REQUIREMENTS
    wanted: dict[str, Any] = json.loads((folder / "package.json").read_text("utf-8"))
    lock: dict[str, Any] = json.loads((folder / node_tools.LOCK_NAME).read_text("utf-8"))
    top = lock["packages"].pop("")
    assert top["dependencies"] == wanted["dependencies"]
    for name, version in wanted["dependencies"].items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    for package in lock["packages"].values():
        assert "resolved" not in package
        assert package["integrity"].startswith("sha512-")
    # npm would write the registry's address into the next one.
    assert (folder / ".npmrc").read_text("utf-8") == "omit-lockfile-registry-resolved=true\n"
