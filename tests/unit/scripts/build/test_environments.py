"""Environments are made once per lock, made again when half-made, and refused with a reason."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts.build import environments as setup
from scripts.build.locks import requirements
from scripts.build.environments import ENVIRONMENTS, ROOT, Environment, SetupError, ensure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENVIRONMENT = Environment("probe", ".tools/probe", "probe.lock")
LOCKS = [ROOT / file.with_suffix(".lock") for file in requirements(ROOT)]
# A requirement with an exact version, maybe a marker, and hashes; nothing about where to get it.
LOCK_LINE = re.compile(
    r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
)


@pytest.fixture
def pip_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Make environments without pip in them, and note what pip was asked for."""
    calls: list[list[str]] = []

    class BareBuilder(setup.venv.EnvBuilder):
        def __init__(self, **options: bool) -> None:
            super().__init__(**{**options, "with_pip": False})

    def run(
        command: Sequence[str], *, cwd: Path, check: bool
    ) -> subprocess.CompletedProcess[bytes]:
        del cwd, check
        calls.append(list(command))
        return subprocess.CompletedProcess(command, returncode=0)

    monkeypatch.setattr(setup.venv, "EnvBuilder", BareBuilder)
    monkeypatch.setattr(setup.subprocess, "run", run)
    return calls


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one lock, beside that of pip itself."""
    (tmp_path / setup.PIP_LOCK).parent.mkdir(parents=True)
    (tmp_path / setup.PIP_LOCK).write_text("pip==1 \\\n    --hash=sha256:00\n", "utf-8")
    (tmp_path / "probe.lock").write_text("probe==1 \\\n    --hash=sha256:00\n", "utf-8")
    return tmp_path


def test_the_second_call_does_nothing(root: Path, pip_calls: list[list[str]]) -> None:
    assert ensure(ENVIRONMENT, root) is True
    assert ensure(ENVIRONMENT, root) is False
    # A newer pip first, which installs the rest.
    assert [call[-1] for call in pip_calls] == [
        str(root / setup.PIP_LOCK),
        str(root / "probe.lock"),
    ]
    for call in pip_calls:
        assert call[0] == str(root / ".tools/probe/bin/python")
        assert "--require-hashes" in call
        assert not any("://" in part or "index" in part or "find-links" in part for part in call)


def test_another_lock_makes_it_anew(root: Path, pip_calls: list[list[str]]) -> None:
    ensure(ENVIRONMENT, root)
    leftover = root / ".tools/probe/leftover"
    leftover.touch()
    (root / "probe.lock").write_text("probe==2 \\\n    --hash=sha256:00\n", "utf-8")
    assert ensure(ENVIRONMENT, root) is True
    assert not leftover.exists()
    assert len(pip_calls) == 4


def test_a_half_made_one_is_made_anew(
    root: Path, pip_calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        failure = subprocess.CompletedProcess([], returncode=1)
        broken.setattr(setup.subprocess, "run", lambda *_, **__: failure)
        with pytest.raises(
            SetupError, match=r"pip could not install scripts/build/requirements/pip\.lock"
        ):
            ensure(ENVIRONMENT, root)
    assert (root / ".tools/probe/bin/python").exists()
    assert ensure(ENVIRONMENT, root) is True
    assert len(pip_calls) == 2


@pytest.mark.parametrize("damage", ["", "not json", '{"lock_sha256": "0"}'])
def test_a_damaged_stamp_is_no_stamp(root: Path, pip_calls: list[list[str]], damage: str) -> None:
    ensure(ENVIRONMENT, root)
    (root / ".tools/probe" / setup.STAMP_NAME).write_text(damage, "utf-8")
    assert ensure(ENVIRONMENT, root) is True
    assert len(pip_calls) == 4


@pytest.mark.usefixtures("pip_calls")
def test_a_moved_checkout_needs_its_own(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ensure(ENVIRONMENT, root)
    moved = tmp_path_factory.mktemp("moved") / "copy"
    shutil.copytree(root, moved, symlinks=True)
    assert ensure(ENVIRONMENT, moved) is True


def test_a_missing_lock_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"probe\.lock does not exist; `make lock` makes it"):
        ensure(ENVIRONMENT, tmp_path)


def test_an_old_python_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "MINIMUM_PYTHON", (99, 0))
    with pytest.raises(SetupError, match=r"Python 99\.0 or newer is needed, this is "):
        ensure(ENVIRONMENT, root)


def test_a_python_without_pip_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SetupError, match="install the package python3-venv"):
        ensure(ENVIRONMENT, root)


def test_the_command_line_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: Environment) -> bool:
        raise SetupError("no such thing")

    monkeypatch.setattr(setup, "ensure", refuse)
    assert setup.main(["dev"]) == 1
    assert capsys.readouterr().err == "setup: no such thing\n"


def test_all_means_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(setup, "ensure", lambda environment: made.append(environment.name))
    assert setup.main(["all"]) == 0
    assert made == list(ENVIRONMENTS) == ["dev", "ministack", "checkov", "cdktf"]


def test_it_needs_the_standard_library_only() -> None:
    program = "import scripts.build.environments, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names}
    assert ours <= {"__main__", "scripts", "scripts.build.environments"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.relative_to(ROOT).as_posix())
def test_locks_are_exact_and_name_no_place(lock: Path) -> None:
    lines = lock.read_text("utf-8").splitlines()
    assert lines
    assert [line for line in lines if not LOCK_LINE.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.relative_to(ROOT).as_posix())
def test_locks_hold_what_their_requirements_pin(lock: Path) -> None:
    pinned = {
        re.sub(r"\[.*\]", "", line).lower()
        for line in lock.with_suffix(".in").read_text("utf-8").splitlines()
        if "==" in line
    }
    locked = {line.split(" ")[0].lower() for line in lock.read_text("utf-8").splitlines()}
    assert pinned <= locked
