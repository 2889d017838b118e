"""Find a Python of a version on this machine: on PATH, then among pyenv's own.

Imports the standard library only, as it runs before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERSIONS = ("3.13", "3.12", "3.11")
"""What the repository's code and tests run on, the newest first: that of the Lambda functions."""
_WHO = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
_VENV = "import ensurepip, venv"


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs: its path, and its version such as 3.13."""

    program: str
    version: str

    def makes_environments(self) -> bool:
        """Whether it can make an environment with pip; Debian's needs the package python3-venv."""
        asked = subprocess.run([self.program, "-c", _VENV], capture_output=True, check=False)
        return asked.returncode == 0


def interpreters_of(version: str) -> Iterator[Interpreter]:
    """Yield the Pythons of a version such as 3.13.

    A pyenv shim is on PATH even where it leads nowhere, so a candidate counts if it runs.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    name = f"python{version}"
    candidates = [shutil.which(name), *sorted(map(str, pyenv.glob(f"{version}*/bin/{name}")))]
    for candidate in filter(None, candidates):
        asked = subprocess.run([candidate, "-c", _WHO], capture_output=True, text=True, check=False)
        found, _, program = asked.stdout.strip().partition(" ")
        if asked.returncode == 0 and found == version:
            yield Interpreter(program, version)


def interpreter_of(version: str) -> str | None:
    """The path of a Python of a version such as 3.13, None when there is none."""
    return next((found.program for found in interpreters_of(version)), None)


def newest_interpreter(versions: Sequence[str] = VERSIONS) -> Interpreter | None:
    """The first Python that can make environments, of versions in the order of preference."""
    for version in versions:
        for found in interpreters_of(version):
            if found.makes_environments():
                return found
    return None
