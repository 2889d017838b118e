"""Build one zip per function into `dist/`, and `dist/manifest.json` for Terraform.

The same sources and locks give the same bytes: entries are sorted and have fixed times, modes and
compression (a different zlib may compress differently). A zip holds the function's package, those
modules of `tollgate` that it can reach by imports, the data files that its `package.toml` names,
the script `bootstrap` where it has one, and its third-party packages as wheels for the Lambda
runtime, not for this machine. Wheels come from the function's hashed lock and are kept in
`build/wheels`, by the lock's hash, so only the first build needs a package index.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from scripts.build.imports import ImportWalkError, Reached, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[2]

# Lambda's quotas: a zip uploaded directly, and everything unpacked.
MAX_ZIP_BYTES = 50 * 1024 * 1024
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024

# The script that Lambda starts in place of its own runtime, in the zips of functions that have one.
WRAPPER = "bootstrap"

# The earliest time a zip entry can have.
ENTRY_TIME = (1980, 1, 1, 0, 0, 0)
# A level above saves next to nothing on native code and doubles the time.
COMPRESS_LEVEL = 6

# Lambda's name of an architecture: the one in wheel names.
WHEEL_ARCHITECTURES = {"arm64": "aarch64", "x86_64": "x86_64"}
# The runtime is Amazon Linux 2023 with glibc 2.34, so wheels for any older one fit.
GLIBC_MINORS = range(34, 16, -1)

# Of dist-info only what names the package to a vulnerability scanner, and its licence.
KEPT_METADATA = ("METADATA", "LICENSE", "LICENCE", "COPYING", "NOTICE")
DROPPED_FOLDERS = {"__pycache__", "bin", "examples", "test", "tests"}
DROPPED_SUFFIXES = {".pyc", ".pyi"}
DROPPED_NAMES = {"py.typed"}
# Service data that no client needs to make calls and to page.
DROPPED_SERVICE_DATA = ("examples-", "waiters-")


class PackageError(Exception):
    """A zip cannot be built, or must not be used; the message says why."""


@dataclass(frozen=True)
class Target:
    """The Lambda runtime that a zip is built for."""

    architecture: str = "arm64"
    python: str = "3.13"

    def pip_options(self) -> list[str]:
        """Return the options with which pip picks this target's wheels."""
        machine = WHEEL_ARCHITECTURES[self.architecture]
        tags = ["manylinux2014", *(f"manylinux_2_{minor}" for minor in GLIBC_MINORS)]
        options = ["--implementation", "cp", "--python-version", self.python]
        for tag in tags:
            options += ["--platform", f"{tag}_{machine}"]
        return options


@dataclass(frozen=True)
class Declaration:
    """A function's `package.toml`."""

    services: tuple[str, ...]
    data: tuple[str, ...]


@dataclass(frozen=True)
class Built:
    """One function's entry in the manifest. Sizes are bytes."""

    file: str
    sha256: str
    sha256_base64: str
    bytes: int
    unzipped_bytes: int
    handler: str
    runtime: str
    architecture: str


def read_declaration(file: Path) -> Declaration:
    """Read a `package.toml`.

    Raises:
        PackageError: it is missing, or a key is missing, unknown or not a list of strings.
    """
    if not file.is_file():
        raise PackageError(f"{file} does not exist; a function needs one to be packaged")
    content = tomllib.loads(file.read_text("utf-8"))
    wanted = {"data", "services"}
    if set(content) != wanted:
        raise PackageError(f"{file}: got the keys {sorted(content)}, expected {sorted(wanted)}")
    for key, value in content.items():
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise PackageError(f"{file}: {key} must be a list of strings, got {value!r}")
    return Declaration(tuple(content["services"]), tuple(content["data"]))


def fetch_wheels(lock: Path, target: Target, cache: Path) -> Path:
    """Return a folder with the lock's packages unpacked for `target`, fetching them if need be.

    Raises:
        PackageError: pip cannot bring them; its own message is already on stderr.
    """
    key = hashlib.sha256(lock.read_bytes() + repr(target).encode()).hexdigest()
    folder = cache / key
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
        unpacked = Path(scratch) / "wheels"
        command = [
            *(sys.executable, "-m", "pip", "install", "-qq", "--no-input"),
            *("--require-hashes", "--no-deps", "--no-compile", "--only-binary=:all:"),
            *target.pip_options(),
            *("--target", str(unpacked), "--requirement", str(lock)),
        ]
        if subprocess.run(command, check=False).returncode != 0:
            raise PackageError(
                f"pip could not bring the wheels of {lock} for {target.architecture} and "
                f"Python {target.python} (see above)"
            )
        try:
            unpacked.rename(folder)
        except OSError:
            # Another build of the same lock finished first; its folder holds the same wheels.
            if not folder.is_dir():
                raise
    return folder


def _is_metadata_kept(path: PurePosixPath) -> bool:
    return path.name.startswith(KEPT_METADATA) or "licenses" in path.parts


def _is_service_data_kept(path: PurePosixPath, latest: dict[str, str]) -> bool:
    """Decide on a path below botocore's or boto3's data folder.

    A file directly in it belongs to all services; any other is at service/version/name.
    """
    match path.parts:
        case (_,):
            return True
        case (service, version, name):
            return latest.get(service) == version and not name.startswith(DROPPED_SERVICE_DATA)
        case _:
            return False


def _latest_versions(data: Path, services: Iterable[str]) -> dict[str, str]:
    """Return each service's newest API version in a data folder; boto3's lacks some services."""
    versions = {service: sorted((data / service).glob("*/")) for service in services}
    return {service: found[-1].name for service, found in versions.items() if found}


def third_party_files(wheels: Path, services: Sequence[str]) -> tuple[dict[str, Path], int]:
    """Choose the files of unpacked wheels that a zip needs.

    Returns:
        The files by their path in the zip, and the bytes of service data left out.

    Raises:
        PackageError: botocore has no data of a declared service.
    """
    latest = {
        package: _latest_versions(wheels / package / "data", services)
        for package in ("boto3", "botocore")
    }
    unknown = sorted(set(services) - set(latest["botocore"]))
    if unknown and (wheels / "botocore").is_dir():
        raise PackageError(f"botocore knows no service {', '.join(unknown)}")
    files: dict[str, Path] = {}
    pruned = 0
    for file in sorted(wheels.rglob("*")):
        path = PurePosixPath(file.relative_to(wheels).as_posix())
        if file.is_dir() or _is_dropped(path):
            continue
        if path.parts[0] in latest and path.parts[1] == "data":
            below = PurePosixPath(*path.parts[2:])
            if not _is_service_data_kept(below, latest[path.parts[0]]):
                pruned += file.stat().st_size
                continue
        files[str(path)] = file
    return files, pruned


def _is_dropped(path: PurePosixPath) -> bool:
    """Return whether a third-party file has no use at run time, whatever package it is of."""
    if path.parts[0].endswith(".dist-info"):
        return not _is_metadata_kept(path)
    return (
        path.suffix in DROPPED_SUFFIXES
        or path.name in DROPPED_NAMES
        or not DROPPED_FOLDERS.isdisjoint(path.parts[:-1])
    )


def _check_external(reached: Reached, third_party: Iterable[str]) -> None:
    """Raise PackageError when our code imports a package that is in neither lock nor library."""
    present = {name.split("/")[0].split(".")[0] for name in third_party}
    for name, found in sorted(reached.external.items()):
        if name not in present and name not in sys.stdlib_module_names:
            raise PackageError(
                f"{found.file}:{found.line}: imports {name}, which the function's "
                "requirements.lock does not bring"
            )


def collect(name: str, root: Path, target: Target, cache: Path) -> tuple[dict[str, Path], int]:
    """Collect a function's files by their path in the zip, and the bytes of data left out.

    Raises:
        PackageError: something it needs is missing or declared wrongly.
    """
    source = root / "functions" / name
    shared = root / "functions" / "shared"
    package = f"tollgate_{name}"
    if not (source / package / "handler.py").is_file():
        raise PackageError(f"{source / package / 'handler.py'} does not exist")
    declaration = read_declaration(source / "package.toml")
    try:
        reached = walk(source, package, shared)
    except ImportWalkError as error:
        raise PackageError(str(error)) from error
    wheels = fetch_wheels(source / "requirements.lock", target, cache)
    third_party, pruned = third_party_files(wheels, declaration.services)
    _check_external(reached, third_party)
    data = {path: shared / path for path in declaration.data}
    wrapper = source / WRAPPER
    if wrapper.is_file():
        data[WRAPPER] = wrapper
    for path, file in data.items():
        if not file.is_file():
            raise PackageError(f"{source / 'package.toml'}: data file {path} is not in {shared}")
    return {**third_party, **reached.files, **data}, pruned


def write_zip(files: dict[str, Path], output: Path) -> int:
    """Write `files` as a zip of reproducible bytes; return the size of all files unpacked."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unzipped = 0
    with (
        tempfile.NamedTemporaryFile(dir=output.parent, delete=False) as scratch,
        zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in sorted(files):
            content = files[name].read_bytes()
            is_program = name == WRAPPER or ".so" in PurePosixPath(name).suffixes
            mode = 0o100755 if is_program else 0o100644
            entry = zipfile.ZipInfo(name, ENTRY_TIME)
            entry.create_system = 3
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=COMPRESS_LEVEL)
            unzipped += len(content)
    scratch_file = Path(scratch.name)
    scratch_file.chmod(0o644)
    scratch_file.replace(output)
    return unzipped


def check_sizes(name: str, zipped: int, unzipped: int) -> None:
    """Raise PackageError when a zip is over one of Lambda's size quotas (bytes)."""
    for what, got, limit in (
        ("zip", zipped, MAX_ZIP_BYTES),
        ("unpacked", unzipped, MAX_UNZIPPED_BYTES),
    ):
        if got > limit:
            raise PackageError(
                f"{name}: {what} it has {got / 2**20:.1f} MiB, Lambda takes {limit // 2**20} MiB"
            )


def build(name: str, root: Path, output: Path, target: Target) -> tuple[Built, int]:
    """Build one function's zip; return its manifest entry and the bytes of data left out.

    Raises:
        PackageError: see `collect` and `check_sizes`.
    """
    files, pruned = collect(name, root, target, root / "build" / "wheels")
    file = output / f"{name}.zip"
    unzipped = write_zip(files, file)
    content = file.read_bytes()
    check_sizes(name, len(content), unzipped)
    digest = hashlib.sha256(content)
    return (
        Built(
            file=file.name,
            sha256=digest.hexdigest(),
            sha256_base64=base64.b64encode(digest.digest()).decode(),
            bytes=len(content),
            unzipped_bytes=unzipped,
            handler=f"tollgate_{name}.handler.lambda_handler",
            runtime=f"python{target.python}",
            architecture=target.architecture,
        ),
        pruned,
    )


def function_names(root: Path) -> list[str]:
    """Return the names of all functions: the folders with a `package.toml`."""
    return sorted(file.parent.name for file in (root / "functions").glob("*/package.toml"))


def update_manifest(file: Path, built: dict[str, Built], known: Iterable[str]) -> None:
    """Write `built` over the manifest's entries, and forget functions that no longer exist."""
    entries = json.loads(file.read_text("utf-8"))["functions"] if file.is_file() else {}
    entries |= {name: asdict(entry) for name, entry in built.items()}
    manifest = {"functions": {name: entries[name] for name in sorted(set(entries) & set(known))}}
    file.write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def _print_row(name: str, *cells: object) -> None:
    print(f"{name:<12}" + "".join(f"{cell!s:>14}" for cell in cells), flush=True)


def package(names: Sequence[str], root: Path, output: Path, target: Target) -> None:
    """Build the named functions' zips and the manifest, and print a table of sizes.

    Raises:
        PackageError: a name is unknown, or see `build`.
    """
    known = function_names(root)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise PackageError(f"no function {', '.join(unknown)}; there are {', '.join(known)}")
    built: dict[str, Built] = {}
    _print_row("function", "zip KiB", "unpacked KiB", "pruned KiB", "sha256")
    for name in names or known:
        built[name], pruned = build(name, root, output, target)
        entry = built[name]
        sizes = (entry.bytes, entry.unzipped_bytes, pruned)
        _print_row(name, *(f"{size / 1024:,.0f}" for size in sizes), entry.sha256[:12])
    update_manifest(output / "manifest.json", built, known)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.build.package", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="function", help="default: all")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--architecture", choices=WHEEL_ARCHITECTURES, default="arm64")
    parser.add_argument("--python-version", default=Target.python, metavar="X.Y")
    options = parser.parse_args(arguments)
    target = Target(options.architecture, options.python_version)
    try:
        package(options.names, ROOT, options.output, target)
    except PackageError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
