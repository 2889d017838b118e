"""Run tests where machines are slow, busy, or at the end of a year: do they still pass?

    python -m scripts.bench.hardship quarter                 on a quarter of one core
    python -m scripts.bench.hardship busy                    with four busy processes beside them
    python -m scripts.bench.hardship day tests/integration   across midnight; or minute, month, year
    python -m scripts.bench.hardship year --times 3          three times, at other moments

A boundary of time passes while each file of the selection runs: every file is a run of its own, on
a clock that libfaketime (Debian's package `faketime`) has set to shortly before. A quarter of a
core is a control group's quota, which takes root. Exit status 1 when a run failed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
BUSY_PROCESSES = 4
QUARTER = 0.25
PERIOD_MICROSECONDS = 100_000
BOUNDARIES = ("minute", "day", "month", "year")
# When the boundary passes in the first, second, … run of a file, in seconds after its start: while
# a stack starts, in its first tests, in later ones.
MOMENTS_SECONDS = (5, 9, 14)
LIBRARIES = (Path("/usr/lib"), Path("/usr/lib64"))
LIBRARY = "faketime/libfaketime.so.1"
# libfaketime refuses the system call that Python sleeps with once the monotonic clock is real.
SLEEP = """
import select, time
time.sleep = lambda seconds: select.select((), (), (), seconds) and None
"""
CONTROL_GROUPS = Path("/sys/fs/cgroup")


class HardshipError(Exception):
    """This machine cannot be made as hard as that; the message says what it lacks."""


def end_of(kind: str, now: datetime) -> datetime:
    """The next end of a minute, a day, a month or a year (UTC)."""
    minute = now.replace(second=0, microsecond=0)
    if kind == "minute":
        return minute + timedelta(minutes=1)
    day = minute.replace(hour=0, minute=0)
    if kind == "day":
        return day + timedelta(days=1)
    if kind == "month":
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day.replace(year=now.year + 1, month=1, day=1)


def shifted_clock(kind: str, seconds: float, now: datetime, folder: Path) -> dict[str, str]:
    """Variables for a process whose clock is `seconds` before a boundary, if it starts now.

    `folder` gets a module that each Python process imports first. Raises HardshipError without
    libfaketime.
    """
    libraries = [path for folder in LIBRARIES for path in folder.glob("*")]
    found = next((path / LIBRARY for path in libraries if (path / LIBRARY).is_file()), None)
    if found is None:
        raise HardshipError("libfaketime is not here; on Debian install the package faketime")
    (folder / "sitecustomize.py").write_text(SLEEP, "utf-8")
    shift = end_of(kind, now) - timedelta(seconds=seconds) - now
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME": f"{shift.total_seconds():+.3f}",
        # Time-outs measure with the monotonic clock, which no boundary changes.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(folder),
    }


@contextmanager
def quarter_of_a_core() -> Iterator[dict[str, Path]]:
    """A control group for processes that together get a quarter of a core.

    Yields the file that takes their ids. Raises HardshipError where there is no such control.
    """
    quota = int(PERIOD_MICROSECONDS * QUARTER)
    old = (CONTROL_GROUPS / "cpu").is_dir()
    group = (CONTROL_GROUPS / "cpu" if old else CONTROL_GROUPS) / f"hardship-{os.getpid()}"
    try:
        group.mkdir()
        if old:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
    except OSError as error:
        raise HardshipError(f"no control group can be made: {error}") from error
    try:
        yield {"processes": group / "cgroup.procs"}
    finally:
        group.rmdir()


def _burn() -> None:
    while True:
        pass


@contextmanager
def busy_neighbours() -> Iterator[None]:
    """Processes that do nothing and take all the time that they get."""
    neighbours = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(BUSY_PROCESSES)]
    for neighbour in neighbours:
        neighbour.start()
    try:
        yield
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.join()


def run(arguments: Sequence[str], variables: dict[str, str], processes: Path | None = None) -> bool:
    """One run of pytest; whether it passed."""

    def enter() -> None:
        if processes is not None:
            processes.write_text(str(os.getpid()))

    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    outcome = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        check=False,
        preexec_fn=enter,  # noqa: PLW1509 - no thread runs here yet
    )
    return outcome.returncode == 0


def files_of(selection: Sequence[str]) -> list[str]:
    """The test files of a selection of files and folders, in order."""
    found: list[str] = []
    for name in selection:
        path = ROOT / name
        files = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
        found += [str(file.relative_to(ROOT)) for file in files]
    return found


def across(kind: str, selection: Sequence[str], times: int) -> list[str]:
    """Run each file across a boundary; returns what failed."""
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(times):
            moment = MOMENTS_SECONDS[turn % len(MOMENTS_SECONDS)]
            for file in files_of(selection):
                variables = shifted_clock(kind, moment, datetime.now(UTC), Path(folder))
                if not run(["-q", "--no-header", "-n", "0", file], variables):
                    failed.append(f"{file} ({kind} ends after {moment} s)")
    return failed


def under(kind: str, selection: Sequence[str], times: int) -> list[str]:
    """Run the selection on a slow or busy machine; returns what failed."""
    failed = []
    parallel = ["-n", "3", "--dist=loadgroup", "--no-loadscope-reorder"]
    for turn in range(times):
        with ExitStack() as hardship:
            processes = None
            if kind == "quarter":
                processes = hardship.enter_context(quarter_of_a_core())["processes"]
            else:
                hardship.enter_context(busy_neighbours())
            if not run([*parallel, *selection], {}, processes):
                failed.append(f"{' '.join(selection)} ({kind}, run {turn + 1})")
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.hardship",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=("quarter", "busy", *BOUNDARIES))
    parser.add_argument("selection", nargs="*", default=["tests"], help="files or folders of tests")
    parser.add_argument("--times", type=int, default=1, help="how often; default: 1")
    options = parser.parse_intermixed_args(arguments)
    selection = options.selection or ["tests"]
    try:
        go = across if options.kind in BOUNDARIES else under
        failed = go(options.kind, selection, options.times)
    except HardshipError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for what in failed:
        print(f"failed: {what}", file=sys.stderr)
    if not failed:
        print(f"passed: {' '.join(selection)} ({options.kind}, {options.times} times)")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
