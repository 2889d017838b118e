"""Make the repository's environments from their hashed locks: Python's, and one of Node.js.

    python3 -m scripts.build.environments run ministack

Runs before anything is installed, so it imports the standard library only. The environments are
made with the newest of Python 3.13, 3.12 and 3.11 that this machine has, whichever runs this; with
CI=true only the first will do, the Lambda functions'. Each is a folder of its own, because the
tools pin releases of common libraries that exclude each other. A stamp inside the folder records
what it was made from: a second call finds it and returns at once, and a half-made environment,
which has none, is made again. Package indexes, mirrors and certificates come from pip's own
configuration.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.build import node_tools
from scripts.build.interpreters import VERSIONS, Interpreter, newest_interpreter
from scripts.build.progress import Progress
from scripts.build.stamps import SetupError, exclusively, is_stamped, megabytes, write_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
MINIMUM_PYTHON = (3, 11)
LOG_NAME = "setup.log"
POLL_SECONDS = 0.2
# The names in a lock.
_NAME = re.compile(r"^[\w.-]+(?===)", re.MULTILINE)


@dataclass(frozen=True)
class Environment:
    """One Python environment: its name, its folder and its lock, both relative to the root.

    `source_lock` is of packages that come as source only, and of nothing that they need: that, and
    what builds them, is in `lock`.
    """

    name: str
    folder: str
    lock: str
    source_lock: str | None = None

    def python(self, root: Path) -> Path:
        """Return the path of this environment's interpreter."""
        return root / self.folder / "bin" / "python"


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        # What the stack on this machine, the demo, reports and deployments import.
        Environment("run", ".tools/run", "scripts/build/requirements/run.lock"),
        Environment("ministack", ".tools/ministack", "scripts/build/requirements/ministack.lock"),
        # The same, and what tests, linters and benches need besides.
        Environment("dev", ".venv", "scripts/build/requirements/dev.lock"),
        Environment("checkov", ".tools/checkov", "scripts/build/requirements/checkov.lock"),
        Environment("cdktf", ".tools/cdktf", "scripts/build/requirements/cdktf.lock"),
        Environment("lambda", ".tools/lambda", "scripts/build/requirements/lambda.lock"),
        # The validator of FOCUS files.
        Environment(
            "focus",
            ".tools/focus",
            "scripts/build/requirements/focus.lock",
            "scripts/build/requirements/focus_source.lock",
        ),
    )
}
# The pip that comes with Python 3.11 takes seven times as long as this one, which fills the others.
PIP = Environment("pip", ".tools/pip", "scripts/build/requirements/pip.lock")


def running_interpreter() -> Interpreter:
    """Return the Python that runs this.

    Raises:
        SetupError: it is older than what the code is written for.
    """
    if sys.version_info < MINIMUM_PYTHON:
        wanted = ".".join(map(str, MINIMUM_PYTHON))
        raise SetupError(
            f"Python {wanted} or newer is needed, this is {sys.version.split()[0]} "
            f"({sys.executable}); run make with PYTHON=<path of a newer python3>"
        )
    return Interpreter(sys.executable, ".".join(platform.python_version_tuple()[:2]))


def choose_interpreter() -> Interpreter:
    """Return the Python to make environments with: the newest that tests run on, or this one.

    Raises:
        SetupError: CI has no Python of the Lambda functions' version, or see `running_interpreter`.
    """
    wanted = VERSIONS[0]
    chosen = newest_interpreter() or running_interpreter()
    if os.environ.get("CI") == "true" and chosen.version != wanted:
        raise SetupError(
            f"CI=true needs Python {wanted}, the version of the Lambda functions; the newest "
            f"found is {chosen.version} ({chosen.program}). Put python{wanted} on PATH or install "
            "it with pyenv; PYTHON=<path> names another one on purpose"
        )
    return chosen


def expected_stamp(
    lock: Path, folder: Path, python: Interpreter, source_lock: Path | None = None
) -> dict[str, str]:
    """Describe what an up-to-date environment in `folder` was made from.

    The folder is part of it because an environment's scripts name their interpreter by full path:
    a copied or moved checkout needs new ones.

    Raises:
        SetupError: a lock does not exist.
    """
    locks = [lock, *([] if source_lock is None else [source_lock])]
    for each in locks:
        if not each.is_file():
            raise SetupError(f"the lock {each} does not exist; `make lock` makes it")
    return {
        "lock_sha256": hashlib.sha256(b"".join(each.read_bytes() for each in locks)).hexdigest(),
        "python": python.version,
        "folder": str(folder),
    }


def is_current(folder: Path, stamp: dict[str, str]) -> bool:
    """Return whether `folder` holds a finished environment made from what `stamp` says."""
    return is_stamped(folder, stamp) and (folder / "bin" / "python").exists()


def build(environment: Environment, root: Path, python: Interpreter, progress: Progress) -> None:
    """Make the environment from nothing.

    Raises:
        SetupError: the Python cannot make environments, or pip could not install the lock; what pip
            said is in the message.
    """
    folder = root / environment.folder
    if folder.exists():
        shutil.rmtree(folder)
    is_pip = environment is PIP
    made = subprocess.run(
        [python.program, "-m", "venv", *([] if is_pip else ["--without-pip"]), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise SetupError(
            f"{python.program} cannot make the environment {environment.folder}; on Debian and "
            f"Ubuntu install the package python3-venv\n{made.stdout}{made.stderr}".rstrip()
        )
    pip = [
        *(str(PIP.python(root)), "-m", "pip"),
        *([] if is_pip else ["--python", str(environment.python(root))]),
        *("install", "--no-input", "--disable-pip-version-check", "--progress-bar=off"),
        *("--require-hashes", "--no-deps"),
        # Of the tools' thousands of modules few are ever imported; those are compiled then.
        "--no-compile",
    ]
    installs = [(environment.lock, ["--only-binary=:all:"])]
    if environment.source_lock is not None:
        # Built with what the first lock has, which has hashes too, and with nothing else.
        installs.append((environment.source_lock, ["--no-build-isolation"]))
    for lock, options in installs:
        command = [*pip, *options, "--requirement", str(root / lock)]
        if not run_pip(command, environment, root, progress):
            raise SetupError(
                f"pip could not install {lock} into {environment.folder}; "
                "`pip config list` shows which package indexes it used. It said:\n"
                f"{(folder / LOG_NAME).read_text('utf-8', 'replace').strip()}"
            )


def run_pip(
    command: Sequence[str], environment: Environment, root: Path, progress: Progress
) -> bool:
    """Run pip, tell how far it is, and return whether it succeeded; its words go to a log."""
    folder = root / environment.folder
    packages = len(_NAME.findall((root / environment.lock).read_text("utf-8")))
    log = folder / LOG_NAME
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    unpacked: list[str] = []
    while True:
        try:
            return process.wait(POLL_SECONDS) == 0
        except subprocess.TimeoutExpired:
            unpacked += sorted(unpacked_packages(folder) - set(unpacked))
            news = how_far(log.read_text("utf-8", "replace"), unpacked, packages)
            progress.tell(environment.folder, news)


def how_far(said: str, unpacked: Sequence[str], packages: int) -> str:
    """Say in a few words what pip is doing, from what it said, and unpacked of so many packages."""
    # Those for other systems than this one.
    wanted = packages - len(re.findall(r"^Ignoring ", said, re.MULTILINE))
    fetched = re.findall(r"^Collecting ([\w.-]+)", said, re.MULTILINE)
    if "Installing collected packages" in said and unpacked:
        return f"{len(unpacked)} of {wanted} unpacked, {unpacked[-1]}"
    return f"{len(fetched)} of {wanted} fetched, {fetched[-1]}" if fetched else "pip starts"


def unpacked_packages(folder: Path) -> set[str]:
    """Return the names of the packages in an environment."""
    found = folder.glob("lib/python*/site-packages/*.dist-info")
    # A package that pip replaces is called ~something until it is gone.
    return {entry.name.partition("-")[0] for entry in found if not entry.name.startswith("~")}


def ensure(
    environment: Environment, python: Interpreter, progress: Progress, root: Path = ROOT
) -> bool:
    """Make the environment unless it is already current; return whether it was made.

    Raises:
        SetupError: see `expected_stamp` and `build`.
    """
    folder = root / environment.folder
    source_lock = environment.source_lock and root / environment.source_lock
    stamp = expected_stamp(root / environment.lock, folder, python, source_lock or None)
    if is_current(folder, stamp):
        return False
    if environment is not PIP:
        ensure(PIP, python, progress, root)
    with exclusively(folder):
        if is_current(folder, stamp):
            return False
        progress.say(
            f"{environment.folder}: making it with Python {python.version} from {environment.lock}"
        )
        started = time.monotonic()
        build(environment, root, python, progress)
        write_stamp(folder, stamp)
        progress.end(
            environment.folder,
            f"ready, {len(unpacked_packages(folder))} packages, {megabytes(folder)} MB, "
            f"{time.monotonic() - started:.0f} s",
        )
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.build.environments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names",
        nargs="+",
        choices=[*ENVIRONMENTS, node_tools.NAME, "all"],
        metavar="environment",
        help=f"{', '.join(ENVIRONMENTS)}, {node_tools.NAME} or all",
    )
    parser.add_argument(
        "--this-python", action="store_true", help="make them with the Python that runs this"
    )
    options = parser.parse_args(arguments)
    progress = Progress(sys.stderr)
    try:
        names = _all(progress) if "all" in options.names else list(dict.fromkeys(options.names))
        python = running_interpreter() if options.this_python else choose_interpreter()

        def make(name: str) -> bool:
            if name == node_tools.NAME:
                return node_tools.ensure(progress, ROOT)
            return ensure(ENVIRONMENTS[name], python, progress)

        # Unpacking keeps one core busy, so several are made at once.
        with ThreadPoolExecutor() as pool:
            list(pool.map(make, names))
    except SetupError as error:
        progress.say(str(error))
        return 1
    return 0


def _all(progress: Progress) -> list[str]:
    """The names of all that can be made here; says what cannot. Raises SetupError with CI=true.

    What has to be built from source is made when it is asked for by its name.
    """
    names = [each.name for each in ENVIRONMENTS.values() if each.source_lock is None]
    reason = node_tools.unavailable()
    if reason is None:
        return [*names, node_tools.NAME]
    if os.environ.get("CI") == "true":
        raise SetupError(reason)
    progress.say(f"{node_tools.FOLDER}: left out, and the tests that need it: {reason}")
    return names


if __name__ == "__main__":
    sys.exit(main())
