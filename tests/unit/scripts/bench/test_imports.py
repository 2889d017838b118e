"""A cold start is told step by step; the child measures what it imports, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts.bench import imports as bench_imports
from scripts.bench.imports import CHILD, STEPS, ColdStart

if TYPE_CHECKING:
    from pathlib import Path

HANDLER = """
from functools import cache
import os

@cache
def build_service():
    return os.environ["SOME_TABLE"]
"""
SETTINGS = """
from dataclasses import dataclass

@dataclass
class Settings:
    some_table: str
    maybe: str | None = None
"""


def start(*milliseconds: float, mib: float = 20.0) -> ColdStart:
    return ColdStart(dict(zip(STEPS, milliseconds, strict=True)), dict.fromkeys(STEPS, mib))


@pytest.fixture
def function(tmp_path: Path) -> Path:
    """An unpacked function that needs nothing but stand-ins for its libraries."""
    for module in ("boto3/__init__", "boto3/dynamodb/__init__", "boto3/dynamodb/types"):
        _write(tmp_path / f"{module}.py")
    for module in ("botocore/__init__", "botocore/config", "botocore/exceptions"):
        _write(tmp_path / f"{module}.py")
    _write(tmp_path / "aws_lambda_powertools/__init__.py", "Logger = Metrics = object\n")
    _write(tmp_path / "tollgate_probe/__init__.py")
    _write(tmp_path / "tollgate_probe/handler.py", HANDLER)
    _write(tmp_path / "tollgate_probe/settings.py", SETTINGS)
    return tmp_path


def _write(file: Path, text: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_steps_are_told_apart() -> None:
    report = {step: [100.0 * (index + 1), 10.0 + index] for index, step in enumerate(STEPS)}
    read = ColdStart.from_report(json.dumps(report))
    assert read.cpu_ms == dict.fromkeys(STEPS, 100.0)
    assert read.peak_mib["composed"] == 14.0
    # The interpreter's own start is not the function's.
    assert read.total_ms == 400.0


def test_medians_are_taken_step_by_step() -> None:
    starts = [start(9, 300, 50, 20, 40), start(9, 100, 90, 30, 10), start(9, 200, 10, 10, 20)]
    median = ColdStart.median(starts)
    assert [median.cpu_ms[step] for step in STEPS] == [9, 200, 50, 20, 20]


def test_a_function_is_imported_and_composed(function: Path) -> None:
    measured = bench_imports.cold_start(sys.executable, function, "probe", {"SOME_TABLE": "t"})
    assert set(measured.cpu_ms) == set(STEPS)
    assert all(value >= 0 for value in measured.cpu_ms.values())
    assert not list(function.rglob("*.pyc")), "the next start would find compiled code"


def test_a_function_that_fails_to_compose_fails_the_bench(function: Path) -> None:
    _write(function / "tollgate_probe/handler.py", HANDLER.replace("SOME_TABLE", "MAYBE"))
    with pytest.raises(subprocess.CalledProcessError):
        bench_imports.cold_start(sys.executable, function, "probe", {"SOME_TABLE": "t"})


def test_compiled_code_is_put_beside_the_sources(function: Path) -> None:
    bench_imports.compile_all(sys.executable, function)
    assert list(function.glob("tollgate_probe/__pycache__/handler.*.pyc"))


def test_the_child_needs_nothing_but_the_standard_library() -> None:
    outcome = subprocess.run(
        [sys.executable, "-I", "-S", str(CHILD)], capture_output=True, text=True, check=False
    )
    # It got as far as asking for its arguments.
    assert "IndexError" in outcome.stderr


def test_a_line_has_every_figure() -> None:
    line = bench_imports.row("probe", 2048, start(9, 300, 50, 20, 40, mib=52), start(9, 1, 1, 1, 1))
    assert line.split() == ["probe", "2", "300", "50", "20", "40", "410", "4", "52", "52"]
