"""Run the build the way `make package` does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.build.interpreters import interpreter_of
from scripts.build.package import ROOT, Target, function_names

if TYPE_CHECKING:
    from pathlib import Path

FUNCTIONS = function_names(ROOT)


@dataclass(frozen=True)
class Build:
    """A folder of zips with its manifest, and what it was built for."""

    folder: Path
    target: Target

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest's entry of each function."""
        return json.loads((self.folder / "manifest.json").read_text("utf-8"))["functions"]

    def zip(self, name: str) -> Path:
        """The zip of a function."""
        return self.folder / self.manifest[name]["file"]


def run_build(folder: Path, target: Target, *, umask: int = 0o022, hash_seed: str = "0") -> Build:
    """Build all functions in a process of its own."""
    outcome = subprocess.run(
        [
            *(sys.executable, "-m", "scripts.build.package", "--output", str(folder)),
            *("--architecture", target.architecture, "--python-version", target.python),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return Build(folder, target)


def runtime_interpreter() -> str:
    """Find a Python of the runtime's version, or settle for the one running the tests."""
    return interpreter_of(Target.python) or sys.executable
