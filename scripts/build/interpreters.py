"""Find a Python of the Lambda runtime's version on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_WHO = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"


def interpreter_of(version: str) -> str | None:
    """The path of a Python of a version such as 3.13, None when there is none.

    A pyenv shim is on PATH even where it leads nowhere, so a candidate counts if it runs.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    name = f"python{version}"
    candidates = [shutil.which(name), *sorted(map(str, pyenv.glob(f"{version}*/bin/{name}")))]
    for candidate in filter(None, candidates):
        asked = subprocess.run([candidate, "-c", _WHO], capture_output=True, text=True, check=False)
        found, _, program = asked.stdout.strip().partition(" ")
        if asked.returncode == 0 and found == version:
            return program
    return None
