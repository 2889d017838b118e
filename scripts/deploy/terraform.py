"""Run Terraform the same way on a laptop, in CI and in tests.

``python -m scripts.deploy.terraform <directory> <terraform arguments...>``, for example
``python -m scripts.deploy.terraform modules/function test``.

It finds a local mirror of the AWS provider, keeps one data directory per root module and
environment, and never asks questions. Without a mirror the public registry is used.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
PROVIDER = "registry.terraform.io/hashicorp/aws"
REGISTRY_URL = "https://registry.terraform.io/.well-known/terraform.json"
DEFAULT_ENVIRONMENT = "default"
_ENVIRONMENT_NAME = re.compile(r"[a-z][a-z0-9-]*")
_REGISTRY_TIMEOUT_SECONDS = 5


class TerraformError(Exception):
    """Terraform cannot run here, or a run failed; the message says what to do."""


def executable() -> str | None:
    """Full path of Terraform (``TERRAFORM`` overrides the name), or None when there is none."""
    return shutil.which(os.environ.get("TERRAFORM") or "terraform")


def required_executable() -> str:
    """Full path of Terraform; raises TerraformError when there is none."""
    program = executable()
    if program is None:
        raise TerraformError("terraform is not on PATH; install it or set TERRAFORM")
    return program


def mirror_roots() -> list[Path]:
    """Folders worth a look for a provider mirror, each looked into one level deep only."""
    home = Path.home()
    return [
        home / ".terraform.d",
        home,
        *(Path(p) for p in ("/opt", "/usr/local/share", "/usr/share", "/usr/lib", "/srv")),
    ]


def find_mirror(roots: Iterable[Path] | None = None) -> Path | None:
    """The folder that holds ``registry.terraform.io/hashicorp/aws``, or None.

    ``TF_PLUGIN_DIR`` wins over the search. Raises TerraformError when it is set but holds no
    AWS provider: a typo must not silently fall back to the network.
    """
    configured = os.environ.get("TF_PLUGIN_DIR")
    if configured:
        mirror = Path(configured).resolve()
        if not (mirror / PROVIDER).is_dir():
            raise TerraformError(f"TF_PLUGIN_DIR={configured} has no folder {PROVIDER}")
        return mirror
    for root in mirror_roots() if roots is None else roots:
        for candidate in (root, *_subfolders(root)):
            if (candidate / PROVIDER).is_dir():
                return candidate
    return None


def _subfolders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:
        return []


def unavailable() -> str | None:
    """Why Terraform cannot run here, or None when it can.

    Tests skip with the reason. With ``CI=true`` nothing may be skipped, so TerraformError is
    raised instead.
    """
    reason = None
    if executable() is None:
        reason = "terraform is not on PATH; install it or set TERRAFORM"
    elif find_mirror() is None and not _registry_answers():
        reason = "no provider mirror (set TF_PLUGIN_DIR) and the public registry does not answer"
    if reason and os.environ.get("CI") == "true":
        raise TerraformError(reason)
    return reason


def _registry_answers() -> bool:
    try:
        with urllib.request.urlopen(  # noqa: S310 - a constant https address
            REGISTRY_URL, timeout=_REGISTRY_TIMEOUT_SECONDS
        ):
            return True
    except (urllib.error.URLError, TimeoutError):
        return False


def data_directory(cwd: Path, environment_name: str | None = None) -> Path:
    """Terraform's working data (providers, backend, saved plan) of one directory and environment.

    ``environment_name`` defaults to ``ENV``. Separate folders keep a plan of dev from meeting the
    backend of prod.
    """
    name = environment_name or os.environ.get("ENV") or DEFAULT_ENVIRONMENT
    if not _ENVIRONMENT_NAME.fullmatch(name):
        raise TerraformError(f"environment {name!r}: allowed are a-z, 0-9 and -")
    return cwd.resolve() / ".terraform" / name


def environment(cwd: Path, environment_name: str | None = None) -> dict[str, str]:
    """The process environment for Terraform in ``cwd``; writes its CLI configuration if needed."""
    variables = dict(os.environ)
    data = data_directory(cwd, environment_name)
    data.mkdir(parents=True, exist_ok=True)
    variables.update(
        TF_DATA_DIR=str(data), TF_IN_AUTOMATION="1", TF_INPUT="0", CHECKPOINT_DISABLE="1"
    )
    inherited = variables.get("TF_CLI_CONFIG_FILE")
    if inherited and not Path(inherited).is_file():
        # Terraform only warns about a missing file, on every command; a stale setting is noise.
        del variables["TF_CLI_CONFIG_FILE"]
    mirror = find_mirror()
    if "TF_CLI_CONFIG_FILE" not in variables and mirror is not None:
        variables["TF_CLI_CONFIG_FILE"] = str(_write_cli_configuration(data, mirror))
    elif mirror is None:
        cache = REPOSITORY / ".terraform" / "plugin-cache"
        cache.mkdir(parents=True, exist_ok=True)
        variables.setdefault("TF_PLUGIN_CACHE_DIR", str(cache))
        # The modules have no lock file, and without this the cache would be ignored for them.
        variables.setdefault("TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "1")
    return variables


def _write_cli_configuration(folder: Path, mirror: Path) -> Path:
    target = folder / "cli.tfrc"
    text = (
        "provider_installation {\n"
        "  filesystem_mirror {\n"
        f"    path    = {json.dumps(str(mirror))}\n"
        f'    include = ["{PROVIDER}"]\n'
        "  }\n"
        "  direct {\n"
        f'    exclude = ["{PROVIDER}"]\n'
        "  }\n"
        "}\n"
    )
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        # Replaced in one step: tests run several Terraform processes at once.
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix="cli.", suffix=".tmp", delete=False, encoding="utf-8"
        ) as scratch:
            scratch.write(text)
        Path(scratch.name).replace(target)
    return target


def run(  # noqa: PLR0913 - the options of one subprocess call
    cwd: Path,
    *arguments: str,
    environment_name: str | None = None,
    variables: Mapping[str, str] | None = None,
    capture: bool = False,
    shown: Callable[[Iterable[str]], Iterable[str]] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run Terraform in ``cwd`` with ``variables`` on top of :func:`environment`.

    ``shown`` makes of the lines that Terraform prints those that are to be seen.

    Raises TerraformError when Terraform is missing, when ``cwd`` is no folder, or when ``check``
    is set and the exit status is not zero (with the captured output, if any).
    """
    program = required_executable()
    if not cwd.is_dir():
        raise TerraformError(f"{cwd}: no such directory")
    command = [program, *arguments]
    settings = {**environment(cwd, environment_name), **(variables or {})}
    if shown is not None:
        result = _show(command, cwd, settings, shown)
    else:
        result = subprocess.run(
            command, cwd=cwd, env=settings, capture_output=capture, text=True, check=False
        )
    if check and result.returncode != 0:
        output = f"\n{result.stdout}{result.stderr}" if capture else ""
        raise TerraformError(
            f"terraform {arguments[0] if arguments else ''} in {cwd}: "
            f"exit status {result.returncode}{output}"
        )
    return result


def _show(
    command: list[str],
    cwd: Path,
    settings: Mapping[str, str],
    shown: Callable[[Iterable[str]], Iterable[str]],
) -> subprocess.CompletedProcess[str]:
    # Terraform gets an interrupt from the terminal, too, and then ends what it has begun; this
    # process waits for it instead of leaving it behind with the state's lock.
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with subprocess.Popen(
            command, cwd=cwd, env=settings, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            for line in shown(process.stdout):
                print(line, end="", flush=True)
    finally:
        signal.signal(signal.SIGINT, previous)
    return subprocess.CompletedProcess(command, process.returncode)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns Terraform's exit status, or 2 when it could not be started."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) < 2 or given[0].startswith("-"):  # noqa: PLR2004 - directory and command
        print("usage: python -m scripts.deploy.terraform <directory> <terraform arguments...>")
        return 2
    try:
        if given[1] == "init" and os.environ.get("CI") == "true":
            unavailable()
        return run(Path(given[0]), *given[1:], check=False).returncode
    except TerraformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
