"""What a cold start takes: processor time and memory of every function, from its own zip.

    make bench                     every function, medians of some cold starts
    make bench ARGS=--quick        two cold starts of each; only to see that it works

Each zip is built with wheels for this machine, unpacked, and imported by a fresh interpreter that
finds nothing else. Like Lambda it finds no compiled code and may not write any: /var/task is
read-only. "with .pyc" is the same with compiled code beside the sources. What Lambda does before,
fetching the zip and starting a machine and the runtime, is not in it; a function of 256 MB has
about a seventh of a core, which stretches these figures to that many times the wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.ledger import machine
from scripts.build.interpreters import interpreter_of
from scripts.build.package import ROOT, WHEEL_ARCHITECTURES, Target, build, function_names
from scripts.local.deployment import described

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CHILD = Path(__file__).with_name("cold_start_child.py")
RUNS, QUICK_RUNS = 7, 2
STEPS = ("interpreter", "boto3", "powertools", "function", "composed")
_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One cold start, or the medians of some: CPU-ms of each step, and MiB after it."""

    cpu_ms: Mapping[str, float]
    peak_mib: Mapping[str, float]

    @property
    def total_ms(self) -> float:
        """All steps but the bare interpreter's start, which every Python function has."""
        return sum(self.cpu_ms[step] for step in STEPS[1:])

    @classmethod
    def from_report(cls, text: str) -> ColdStart:
        """Read what the child printed, whose milliseconds count from its start."""
        steps: dict[str, tuple[float, float]] = json.loads(text)
        before = [0.0, *(steps[step][0] for step in STEPS)]
        return cls(
            {step: steps[step][0] - earlier for step, earlier in zip(STEPS, before, strict=False)},
            {step: steps[step][1] for step in STEPS},
        )

    @classmethod
    def median(cls, starts: Sequence[ColdStart]) -> ColdStart:
        """The medians of some cold starts, step by step."""
        return cls(
            {step: statistics.median(start.cpu_ms[step] for start in starts) for step in STEPS},
            {step: statistics.median(start.peak_mib[step] for start in starts) for step in STEPS},
        )


def cold_start(interpreter: str, folder: Path, name: str, settings: Mapping[str, str]) -> ColdStart:
    """One cold start of an unpacked function with these settings."""
    environment = {
        **settings,
        "PATH": os.environ.get("PATH", ""),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "POWERTOOLS_SERVICE_NAME": "tollgate",
    }
    # -B: the first start must not leave compiled code to the second.
    outcome = subprocess.run(
        [interpreter, "-I", "-S", "-B", str(CHILD), str(folder), name],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return ColdStart.from_report(outcome.stdout)


def compile_all(interpreter: str, folder: Path) -> None:
    """Put compiled code beside the sources."""
    subprocess.run([interpreter, "-m", "compileall", "-qq", str(folder)], check=True)


def native_target(interpreter: str) -> Target:
    """What a zip is built for that this machine's interpreter is to import."""
    version = subprocess.run(
        [interpreter, "-c", _VERSION], capture_output=True, text=True, check=True
    ).stdout.strip()
    machines = {wheel: name for name, wheel in WHEEL_ARCHITECTURES.items()}
    return Target(machines.get(platform.machine(), "x86_64"), version)


def report(runs: int, names: Sequence[str], scratch: Path) -> Iterator[str]:
    """The report's lines, as they become known."""
    interpreter = interpreter_of(Target.python) or sys.executable
    target = native_target(interpreter)
    yield f"Machine: {machine()}"
    yield ""
    yield (
        f"Cold start of each function's zip, Python {target.python}, medians of {runs}: CPU-ms of "
        "its imports and"
    )
    yield "of composing it (settings, price book, AWS clients), and the process's highest memory:"
    yield ""
    yield (
        f"{'function':<12}{'zip KiB':>8}{'boto3':>8}{'Powertools':>12}{'other':>8}{'compose':>9}"
        f"{'sum':>8}{'with .pyc':>11}{'MiB':>7}{'MiB, boto3':>12}"
    )
    for name in names:
        built, _ = build(name, ROOT, scratch, target)
        folder = scratch / name
        with zipfile.ZipFile(scratch / built.file) as archive:
            archive.extractall(folder)
        settings = described().functions[name].settings
        starts = [cold_start(interpreter, folder, name, settings) for _ in range(runs)]
        compile_all(interpreter, folder)
        compiled = [cold_start(interpreter, folder, name, settings) for _ in range(runs)]
        yield row(name, built.bytes, ColdStart.median(starts), ColdStart.median(compiled))


def row(name: str, zip_bytes: int, start: ColdStart, compiled: ColdStart) -> str:
    """One function's line."""
    steps = start.cpu_ms
    return (
        f"{name:<12}{zip_bytes / 1024:>8.0f}{steps['boto3']:>8.0f}{steps['powertools']:>12.0f}"
        f"{steps['function']:>8.0f}{steps['composed']:>9.0f}{start.total_ms:>8.0f}"
        f"{compiled.total_ms:>11.0f}{start.peak_mib['composed']:>7.0f}"
        f"{start.peak_mib['boto3']:>12.0f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.imports",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="measure hardly anything")
    runs = QUICK_RUNS if parser.parse_args(arguments).quick else RUNS
    with tempfile.TemporaryDirectory() as folder:
        for line in report(runs, function_names(ROOT), Path(folder)):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
