"""Where a clock is set for a boundary, and what is said when a machine cannot be made hard."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scripts.bench import hardship

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2027, 12, 30, 23, 58, 12, 345678, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "now", "end"),
    [
        ("minute", NOW, datetime(2027, 12, 30, 23, 59, tzinfo=UTC)),
        ("day", NOW, datetime(2027, 12, 31, tzinfo=UTC)),
        ("month", NOW, datetime(2028, 1, 1, tzinfo=UTC)),
        ("month", NOW.replace(year=2028, month=2, day=29), datetime(2028, 3, 1, tzinfo=UTC)),
        ("year", NOW, datetime(2028, 1, 1, tzinfo=UTC)),
        ("year", datetime(2028, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_end_of(kind: str, now: datetime, end: datetime) -> None:
    assert hardship.end_of(kind, now) == end


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of libraries, and nothing in it."""
    monkeypatch.setattr(hardship, "LIBRARIES", (tmp_path,))
    return tmp_path


def test_a_clock_is_set_to_shortly_before(libraries: Path, tmp_path: Path) -> None:
    library = libraries / "x86_64-linux-gnu" / hardship.LIBRARY
    library.parent.mkdir(parents=True)
    library.touch()

    variables = hardship.shifted_clock("day", 9, NOW, tmp_path)

    assert variables["LD_PRELOAD"] == str(library)
    # Till midnight it is 107.654322 seconds; nine of them are left for the tests to start in.
    assert float(variables["FAKETIME"]) == pytest.approx(98.654)
    assert (tmp_path / "sitecustomize.py").is_file()


def test_without_the_library_it_says_what_to_install(libraries: Path) -> None:
    with pytest.raises(hardship.HardshipError, match="install the package faketime"):
        hardship.shifted_clock("day", 9, NOW, libraries)


def test_a_machine_without_control_groups_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hardship, "CONTROL_GROUPS", tmp_path / "none")

    assert hardship.main(["quarter", "tests/nothing"]) == 1
    assert "no control group can be made" in capsys.readouterr().err


def test_a_folder_is_its_files_one_by_one() -> None:
    found = hardship.files_of(["tests/e2e", "tests/unit/test_layers.py"])

    assert found[-1] == "tests/unit/test_layers.py"
    assert "tests/e2e/test_demo.py" in found


def test_a_run_that_fails_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hardship, "BUSY_PROCESSES", 1)
    monkeypatch.setattr(hardship, "run", lambda arguments, *_: "tests/good" in arguments)

    assert hardship.main(["busy", "tests/good"]) == 0
    assert hardship.main(["busy", "--times", "2", "tests/bad"]) == 1
    assert capsys.readouterr().err.count("failed: tests/bad (busy") == 2


PAGE = (hardship.ROOT / "tests" / "README.md").read_text("utf-8")
COMMANDS = re.findall(r'^make hardship ARGS="([^"]+)"', PAGE, re.MULTILINE)


@pytest.mark.parametrize("arguments", COMMANDS)
def test_the_pages_commands_run(
    arguments: str, libraries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = libraries / "any" / hardship.LIBRARY
    library.parent.mkdir(parents=True)
    library.touch()
    group = libraries / "groups"
    group.mkdir()
    monkeypatch.setattr(hardship, "CONTROL_GROUPS", group)
    monkeypatch.setattr(hardship, "BUSY_PROCESSES", 1)
    runs: list[tuple[object, ...]] = []

    def run(*given: object) -> bool:
        runs.append(given)
        for made in group.glob("hardship-*/*"):  # a real group has no files to take away
            made.unlink()
        return True

    monkeypatch.setattr(hardship, "run", run)

    assert hardship.main(arguments.split()) == 0
    assert runs


def test_the_page_has_its_commands() -> None:
    assert len(COMMANDS) == 3
