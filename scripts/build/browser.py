"""Find a Chromium on this machine, for the tests that open pages; in CI, install a missing one.

    python -m scripts.build.browser

Prints where it is. With CI=true a missing one is installed from Debian's packages, as root. It is
found on PATH, or where macOS keeps applications; CHROMIUM names another one.
Imports the standard library only, as it runs before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from scripts.build.stamps import SetupError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# Without a font a page is photographed with boxes for letters.
PACKAGES = ("chromium", "fonts-dejavu-core")
MISSING = (
    f"no Chromium or Chrome: none of {', '.join(NAMES)} is on PATH; install one "
    f"(Debian: apt-get install {' '.join(PACKAGES)}), or name its path in CHROMIUM"
)


def find() -> str | None:
    """Return the path of a Chromium or Chrome, None where there is none.

    Raises:
        SetupError: CHROMIUM names a program that does not exist.
    """
    named = os.environ.get("CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise SetupError(f"CHROMIUM is {named!r}, which is no program")
        return found
    return next(filter(None, map(shutil.which, (*NAMES, *APPLICATIONS))), None)


def unavailable() -> str | None:
    """Return why pages cannot be opened here, None where they can.

    Raises:
        SetupError: they cannot, and with CI=true nothing may be left out.
    """
    if find() is not None:
        return None
    if os.environ.get("CI") == "true":
        raise SetupError(MISSING)
    return MISSING


def install() -> None:
    """Install Debian's Chromium.

    Raises:
        SetupError: this is no Debian, or apt-get failed; what it said is in the message.
    """
    apt = shutil.which("apt-get")
    if apt is None:
        raise SetupError(MISSING)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (("update",), ("install", "--yes", "--no-install-recommends", *PACKAGES)):
        command = [apt, "--quiet", *arguments]
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()
            raise SetupError(f"{' '.join(command)} failed. It said:\n{said}")


def main() -> int:
    """Run the command line; return its exit status."""
    try:
        if find() is None and os.environ.get("CI") == "true":
            print("browser: installing Debian's Chromium", file=sys.stderr, flush=True)
            install()
        found = find()
        if found is None:
            raise SetupError(MISSING)
    except SetupError as error:
        print(f"browser: {error}", file=sys.stderr)
        return 1
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
