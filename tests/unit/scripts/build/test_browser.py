"""The browser for tests of pages is found, or what to install is said; CI installs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.build import browser
from scripts.build.stamps import SetupError

# Says how it was called; `install` puts a chromium on PATH unless a file `broken` lies beside it.
APT = """#!/bin/sh
echo "$@" >> "${0%/*}/calls"
test -e "${0%/*}/broken" && echo no such package && exit 100
case "$*" in *install*) cp /bin/sh "${0%/*}/chromium";; esac
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, with an apt-get; no application, no CHROMIUM, no CI."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "apt-get").write_text(APT, "utf-8")
    (folder / "apt-get").chmod(0o755)
    for tool in ("cp", "sh"):
        (folder / tool).symlink_to(Path("/bin") / tool)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(browser, "APPLICATIONS", ())
    for name in ("CHROMIUM", "CI"):
        monkeypatch.delenv(name, raising=False)
    return folder


def program(folder: Path, name: str) -> str:
    (folder / name).write_text("#!/bin/sh\n", "utf-8")
    (folder / name).chmod(0o755)
    return str(folder / name)


def test_a_laptop_without_one_is_told_what_to_install(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert browser.unavailable() == browser.MISSING
    assert browser.main() == 1
    assert "apt-get install chromium fonts-dejavu-core" in capsys.readouterr().err
    assert not (programs / "calls").exists()


def test_ci_installs_it_once_and_never_goes_without(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SetupError, match="no Chromium or Chrome"):
        browser.unavailable()
    assert [browser.main(), browser.main()] == [0, 0]
    assert capsys.readouterr().out.splitlines() == [str(programs / "chromium")] * 2
    assert (programs / "calls").read_text("utf-8").splitlines() == [
        "--quiet update",
        "--quiet install --yes --no-install-recommends chromium fonts-dejavu-core",
    ]
    assert browser.unavailable() is None


def test_a_failed_install_is_told(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    (programs / "broken").touch()
    assert browser.main() == 1
    assert "update failed. It said:\nno such package" in capsys.readouterr().err


def test_any_of_them_will_do_and_one_can_be_named(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chrome = program(programs, "google-chrome")
    assert browser.find() == chrome
    named = program(programs, "my-chromium")
    monkeypatch.setenv("CHROMIUM", named)
    assert browser.find() == named
    monkeypatch.setenv("CHROMIUM", f"{named}{os.sep}no")
    with pytest.raises(SetupError, match="which is no program"):
        browser.find()
