"""Environments are made once per lock, made again when half-made, and refused with a reason."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts.build import environments as setup
from scripts.build import node_tools
from scripts.build.environments import ENVIRONMENTS, PIP, ROOT, Environment, ensure
from scripts.build.interpreters import VERSIONS, Interpreter
from scripts.build.locks import requirements
from scripts.build.package import Target
from scripts.build.progress import Progress
from scripts.build.stamps import STAMP_NAME, SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENVIRONMENT = Environment("probe", ".tools/probe", "probe.lock")
THIS = setup.running_interpreter()
LOCKS = [ROOT / file.with_suffix(".lock") for file in requirements(ROOT)]
# A requirement with an exact version, maybe a marker, and hashes; nothing about where to get it.
LOCK_LINE = re.compile(
    r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
)


@pytest.fixture
def pip_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Make environments without pip in them, and note what pip was asked for."""
    calls: list[list[str]] = []
    run = subprocess.run

    def without_pip(
        command: Sequence[str], **options: object
    ) -> subprocess.CompletedProcess[bytes]:
        if "venv" in command and "--without-pip" not in command:
            command = [*command[:-1], "--without-pip", command[-1]]
        return run(command, **options)  # type: ignore[call-overload]

    def note(command: Sequence[str], *_: object) -> bool:
        calls.append(list(command))
        return True

    monkeypatch.setattr(setup.subprocess, "run", without_pip)
    monkeypatch.setattr(setup, "run_pip", note)
    return calls


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one lock, beside that of pip itself."""
    (tmp_path / PIP.lock).parent.mkdir(parents=True)
    (tmp_path / PIP.lock).write_text("pip==1 \\\n    --hash=sha256:00\n", "utf-8")
    (tmp_path / "probe.lock").write_text("probe==1 \\\n    --hash=sha256:00\n", "utf-8")
    return tmp_path


def make(root: Path, python: Interpreter = THIS) -> bool:
    return ensure(ENVIRONMENT, python, Progress(io.StringIO()), root)


def failing_pip(_: object, environment: Environment, root: Path, __: object) -> bool:
    (root / environment.folder / setup.LOG_NAME).write_text("ERROR: no such thing\n", "utf-8")
    return False


def test_the_second_call_does_nothing(root: Path, pip_calls: list[list[str]]) -> None:
    assert make(root) is True
    assert make(root) is False
    # A newer pip first, which installs the rest.
    assert [call[-1] for call in pip_calls] == [str(root / PIP.lock), str(root / "probe.lock")]
    for call in pip_calls:
        assert call[0] == str(root / ".tools/pip/bin/python")
        assert "--require-hashes" in call
        assert not any("://" in part or "index" in part or "find-links" in part for part in call)
    assert str(root / ".tools/probe/bin/python") in pip_calls[1]


def test_what_comes_as_source_is_built_with_what_the_first_lock_has(
    root: Path, pip_calls: list[list[str]]
) -> None:
    (root / "source.lock").write_text("probe-source==1.0\n", "utf-8")
    probe = Environment("probe", ".tools/probe", "probe.lock", "source.lock")
    assert setup.ensure(probe, setup.running_interpreter(), Progress(io.StringIO()), root)
    _, first, second = pip_calls
    assert (first[-1], second[-1]) == (str(root / "probe.lock"), str(root / "source.lock"))
    assert "--only-binary=:all:" in first
    assert "--only-binary=:all:" not in second
    assert "--no-build-isolation" in second
    assert "--require-hashes" in second
    # Another lock of sources makes it anew, too.
    (root / "source.lock").write_text("probe-source==2.0\n", "utf-8")
    assert setup.ensure(probe, setup.running_interpreter(), Progress(io.StringIO()), root)


def test_another_lock_makes_it_anew(root: Path, pip_calls: list[list[str]]) -> None:
    make(root)
    leftover = root / ".tools/probe/leftover"
    leftover.touch()
    (root / "probe.lock").write_text("probe==2 \\\n    --hash=sha256:00\n", "utf-8")
    assert make(root) is True
    assert not leftover.exists()
    assert len(pip_calls) == 3


def test_another_python_makes_it_anew(root: Path, pip_calls: list[list[str]]) -> None:
    make(root, Interpreter(sys.executable, "3.10"))
    assert make(root) is True
    assert make(root) is False
    assert len(pip_calls) == 4


def test_a_half_made_one_is_made_anew(
    root: Path, pip_calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(setup, "run_pip", failing_pip)
        with pytest.raises(SetupError, match=r"(?s)pip\.lock into \.tools/pip.*no such thing"):
            make(root)
    assert (root / ".tools/pip/bin/python").exists()
    assert make(root) is True
    assert len(pip_calls) == 2


@pytest.mark.parametrize("damage", ["", "not json", '{"lock_sha256": "0"}'])
def test_a_damaged_stamp_is_no_stamp(root: Path, pip_calls: list[list[str]], damage: str) -> None:
    make(root)
    (root / ".tools/probe" / STAMP_NAME).write_text(damage, "utf-8")
    assert make(root) is True
    assert len(pip_calls) == 3


@pytest.mark.usefixtures("pip_calls")
def test_a_moved_checkout_needs_its_own(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    make(root)
    moved = tmp_path_factory.mktemp("moved") / "copy"
    shutil.copytree(root, moved, symlinks=True)
    assert make(moved) is True


def test_a_missing_lock_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"probe\.lock does not exist; `make lock` makes it"):
        make(tmp_path)


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "MINIMUM_PYTHON", (99, 0))
    monkeypatch.setattr(setup, "newest_interpreter", lambda: None)
    with pytest.raises(SetupError, match=r"Python 99\.0 or newer is needed, this is "):
        setup.choose_interpreter()
    assert setup.main(["--this-python", "run"]) == 1


def test_an_old_python_finds_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = Interpreter("/opt/python", VERSIONS[0])
    monkeypatch.setattr(setup, "MINIMUM_PYTHON", (99, 0))
    monkeypatch.setattr(setup, "newest_interpreter", lambda: newest)
    assert setup.choose_interpreter() == newest


def test_a_python_that_makes_no_environments_is_refused(root: Path) -> None:
    program = root / "python"
    program.write_text("#!/bin/sh\necho no ensurepip >&2\nexit 1\n", "utf-8")
    program.chmod(0o755)
    with pytest.raises(SetupError, match=r"install the package python3-venv\nno ensurepip"):
        make(root, Interpreter(str(program), "3.13"))


# Says what the real one says of lines that matter here, installs one package, fails if told to.
PIP_THAT_SPEAKS = """
import pathlib, sys, time
folder, status = pathlib.Path(sys.argv[1]), int(sys.argv[2])
print("Ignoring pywin32: markers 'sys_platform' don't match your environment")
print("Collecting boto3==1.44.5 (from -r probe.lock (line 1))")
time.sleep(float(sys.argv[3]))
print("Installing collected packages: boto3, six")
(folder / "lib/python3.13/site-packages/boto3-1.44.5.dist-info").mkdir(parents=True)
time.sleep(float(sys.argv[3]))
print("ERROR: no such thing" if status else "Successfully installed")
sys.exit(status)
"""


class Watched(Progress):
    """Keeps all the news."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.all: list[str] = []

    def tell(self, step: str, news: str) -> None:
        self.all.append(f"{step}: {news}")


@pytest.mark.parametrize("status", [0, 1])
def test_what_pip_does_is_told(root: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(setup, "POLL_SECONDS", 0.01)
    (root / "probe.lock").write_text("boto3==1 \\\nsix==1 \\\npywin32==1 \\\n", "utf-8")
    folder = root / ENVIRONMENT.folder
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", PIP_THAT_SPEAKS, str(folder), str(status), "0.3"]
    watched = Watched()
    assert setup.run_pip(command, ENVIRONMENT, root, watched) is (status == 0)
    assert ".tools/probe: 1 of 2 fetched, boto3" in watched.all
    assert ".tools/probe: 1 of 2 unpacked, boto3" in watched.all


def test_the_command_line_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> bool:
        raise SetupError("no such thing")

    monkeypatch.setattr(setup, "ensure", refuse)
    assert setup.main(["--this-python", "dev"]) == 1
    assert capsys.readouterr().err == "setup: no such thing\n"


def test_all_means_all_and_the_newest_python(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Interpreter] = {}
    newest = Interpreter("/opt/python", VERSIONS[0])

    def ensure(environment: Environment, python: Interpreter, _: Progress) -> bool:
        made[environment.name] = python
        return True

    def ensure_node(_: Progress, root: Path) -> bool:
        made["node"] = newest
        return root == ROOT

    monkeypatch.setattr(setup, "ensure", ensure)
    monkeypatch.setattr(node_tools, "ensure", ensure_node)
    monkeypatch.setattr(node_tools, "unavailable", lambda: None)
    monkeypatch.setattr(setup, "running_interpreter", lambda: Interpreter("/bin/old", "3.11"))
    monkeypatch.setattr(setup, "newest_interpreter", lambda: newest)
    assert setup.main(["all"]) == 0
    assert made.pop("node") is newest
    # What is built from source is made when it is asked for.
    assert made == dict.fromkeys(ENVIRONMENTS.keys() - {"focus"}, newest)
    assert set(made) == {"run", "ministack", "dev", "checkov", "cdktf", "lambda"}
    assert setup.main(["focus"]) == 0
    assert made["focus"] is newest
    assert setup.main(["--this-python", "run"]) == 0
    assert made["run"].program == "/bin/old"


def test_ci_demands_the_python_of_the_functions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    older = Interpreter("/bin/python3.12", "3.12")
    monkeypatch.setattr(setup, "running_interpreter", lambda: Interpreter("/bin/old", "3.11"))
    monkeypatch.setattr(setup, "newest_interpreter", lambda: older)
    monkeypatch.delenv("CI", raising=False)
    assert setup.choose_interpreter() == older
    monkeypatch.setenv("CI", "true")
    assert setup.main(["all"]) == 1
    said = capsys.readouterr().err
    assert "CI=true needs Python 3.13, the version of the Lambda functions" in said
    assert "the newest found is 3.12 (/bin/python3.12)" in said
    assert VERSIONS[0] == Target.python


def test_without_node_the_rest_is_made_and_ci_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    def ensure(environment: Environment, *_: object) -> bool:
        made.append(environment.name)
        return True

    monkeypatch.setattr(setup, "ensure", ensure)
    monkeypatch.setattr(setup, "choose_interpreter", lambda: THIS)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    assert setup.main(["all"]) == 0
    assert set(made) == set(ENVIRONMENTS) - {"focus"}
    assert "node and npm not on PATH; install Node.js 20 or newer" in capsys.readouterr().err
    monkeypatch.setenv("CI", "true")
    assert setup.main(["all"]) == 1
    assert "setup: node and npm not on PATH" in capsys.readouterr().err


def test_it_needs_the_standard_library_only() -> None:
    program = "import scripts.build.environments, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name in ours if not name.startswith("scripts.build.")} <= {
        "__main__",
        "scripts",
        "scripts.build",
    }


def test_what_runs_is_part_of_what_tests_in_the_same_versions() -> None:
    run, dev = (
        {
            line.split(" ")[0]
            for line in (ROOT / ENVIRONMENTS[name].lock).read_text("utf-8").splitlines()
            if "==" in line
        }
        for name in ("run", "dev")
    )
    assert run < dev


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.relative_to(ROOT).as_posix())
def test_locks_are_exact_and_name_no_place(lock: Path) -> None:
    lines = lock.read_text("utf-8").splitlines()
    assert lines
    assert [line for line in lines if not LOCK_LINE.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.relative_to(ROOT).as_posix())
def test_locks_hold_what_their_requirements_pin(lock: Path) -> None:
    pinned = {
        re.sub(r"\[.*\]|\s*;.*", "", line).lower()
        for line in lock.with_suffix(".in").read_text("utf-8").splitlines()
        if "==" in line
    }
    locked = {line.split(" ")[0].lower() for line in lock.read_text("utf-8").splitlines()}
    assert pinned <= locked
