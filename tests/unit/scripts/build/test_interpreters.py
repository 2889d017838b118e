"""A Python of a version is found where it runs, and not where only its name is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.build.interpreters import interpreter_of, newest_interpreter

if TYPE_CHECKING:
    import pytest

VERSION = "{}.{}".format(*sys.version_info[:2])


def program(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)


def search(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", str(folder / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(folder / "pyenv"))


def test_one_on_the_path_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / f"bin/python{VERSION}", f'exec {sys.executable} "$@"')
    search(monkeypatch, tmp_path)
    found = interpreter_of(VERSION)
    assert found is not None
    assert Path(found).is_file()


def test_a_shim_that_leads_nowhere_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path / f"bin/python{VERSION}", "exit 127")
    search(monkeypatch, tmp_path)
    home = tmp_path / f"pyenv/versions/{VERSION}.7/bin/python{VERSION}"
    program(home, f'exec {sys.executable} "$@"')
    assert interpreter_of(VERSION) is not None
    home.unlink()
    assert interpreter_of(VERSION) is None


def test_another_version_under_that_name_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path / "bin/python2.9", f'exec {sys.executable} "$@"')
    search(monkeypatch, tmp_path)
    assert interpreter_of("2.9") is None


def fake_python(version: str, makes_environments: bool) -> str:
    answer = 0 if makes_environments else 1
    return f'case "$2" in *ensurepip*) exit {answer};; esac\necho {version} "$0"'


def test_the_newest_that_can_make_environments_is_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    search(monkeypatch, tmp_path)
    assert newest_interpreter() is None
    program(tmp_path / "bin/python3.11", fake_python("3.11", makes_environments=True))
    program(tmp_path / "bin/python3.13", fake_python("3.13", makes_environments=False))
    found = newest_interpreter()
    assert found is not None
    assert (found.version, found.program) == ("3.11", str(tmp_path / "bin/python3.11"))
    pyenv = tmp_path / "pyenv/versions/3.12.1/bin/python3.12"
    program(pyenv, fake_python("3.12", makes_environments=True))
    found = newest_interpreter()
    assert found is not None
    assert found.version == "3.12"
