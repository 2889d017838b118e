"""A Python of a version is found where it runs, and not where only its name is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.build.interpreters import interpreter_of

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
