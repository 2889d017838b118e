"""The zips of the real functions: the same bytes every time, small, right for Lambda, complete."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import subprocess
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from scripts.build.package import MAX_UNZIPPED_BYTES, MAX_ZIP_BYTES, ROOT, Target, read_declaration
from tests.packaging.builds import FUNCTIONS, run_build

if TYPE_CHECKING:
    from tests.packaging.builds import Build

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

each_function = pytest.mark.parametrize("name", FUNCTIONS)

# ELF: the field e_machine is the 16-bit word at byte 18; 183 stands for AArch64.
ELF_MACHINE = slice(18, 20)
ELF_AARCH64 = 183

MIB = 2**20
# Budgets, in bytes, well below Lambda's quotas: (zip, unpacked). A cold start reads every byte.
BUDGETS = {"aggregate": (30 * MIB, 90 * MIB)}
DEFAULT_BUDGET = (4 * MIB, 14 * MIB)
SHARED_SERVICE_DATA = {
    "_retry.json",
    "endpoints.json",
    "partitions.json",
    "sdk-default-configuration.json",
}


def test_all_functions_are_packaged() -> None:
    assert set(FUNCTIONS) == {
        "aggregate",
        "authorize",
        "converse",
        "invoke",
        "models",
        "stream",
        "sweep",
    }


def test_a_second_build_has_the_same_bytes(lambda_build: Build, tmp_path: Path) -> None:
    again = run_build(tmp_path, Target(), umask=0o077, hash_seed="12345")
    assert again.manifest == lambda_build.manifest


@each_function
def test_the_manifest_tells_the_truth(lambda_build: Build, name: str) -> None:
    content = lambda_build.zip(name).read_bytes()
    digest = hashlib.sha256(content)
    with zipfile.ZipFile(lambda_build.zip(name)) as archive:
        unzipped = sum(entry.file_size for entry in archive.infolist())
    assert lambda_build.manifest[name] == {
        "file": f"{name}.zip",
        "sha256": digest.hexdigest(),
        "sha256_base64": base64.b64encode(digest.digest()).decode(),
        "bytes": len(content),
        "unzipped_bytes": unzipped,
        "handler": f"tollgate_{name}.handler.lambda_handler",
        "runtime": "python3.13",
        "architecture": "arm64",
    }


@each_function
def test_entries_are_uniform(lambda_build: Build, name: str) -> None:
    with zipfile.ZipFile(lambda_build.zip(name)) as archive:
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    assert names == sorted(set(names))
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.create_system for entry in entries} == {3}
    for entry in entries:
        is_program = entry.filename.endswith(".so") or entry.filename == "bootstrap"
        mode = 0o755 if is_program else 0o644
        assert entry.external_attr >> 16 == stat.S_IFREG | mode, entry.filename


@each_function
def test_nothing_useless_is_inside(lambda_build: Build, name: str) -> None:
    with zipfile.ZipFile(lambda_build.zip(name)) as archive:
        paths = [PurePosixPath(entry) for entry in archive.namelist()]
    folders = {part for path in paths for part in path.parts[:-1]}
    assert folders.isdisjoint({"__pycache__", "bin", "examples", "test", "tests"})
    assert {path.suffix for path in paths}.isdisjoint({".pyc", ".pyi", ".exe"})
    assert {path.name for path in paths}.isdisjoint({"RECORD", "INSTALLER", "WHEEL", "py.typed"})
    ours = {path.parts[0] for path in paths if path.parts[0].startswith("tollgate")}
    assert ours == {"tollgate", f"tollgate_{name}"}


@each_function
def test_licences_come_along(lambda_build: Build, name: str) -> None:
    with zipfile.ZipFile(lambda_build.zip(name)) as archive:
        entries = archive.namelist()
    metadata = {entry.split("/")[0] for entry in entries if ".dist-info/" in entry}
    assert metadata
    for folder in metadata:
        assert f"{folder}/METADATA" in entries
    assert any(
        entry.startswith("boto3-") and PurePosixPath(entry).name == "LICENSE" for entry in entries
    )


@each_function
def test_native_code_is_for_arm(lambda_build: Build, name: str) -> None:
    with zipfile.ZipFile(lambda_build.zip(name)) as archive:
        libraries = {
            entry: archive.read(entry)[:20]
            for entry in archive.namelist()
            if ".so" in PurePosixPath(entry).suffixes
        }
    # Pure Python starts faster; only the writer of Parquet files is worth native code.
    assert bool(libraries) == (name == "aggregate")
    for entry, header in libraries.items():
        assert header[:4] == b"\x7fELF", entry
        assert int.from_bytes(header[ELF_MACHINE], "little") == ELF_AARCH64, entry


@each_function
def test_it_is_small(lambda_build: Build, name: str) -> None:
    zip_budget, unzipped_budget = BUDGETS.get(name, DEFAULT_BUDGET)
    assert zip_budget < MAX_ZIP_BYTES
    assert unzipped_budget < MAX_UNZIPPED_BYTES
    assert lambda_build.manifest[name]["bytes"] <= zip_budget
    assert lambda_build.manifest[name]["unzipped_bytes"] <= unzipped_budget


@each_function
def test_service_data_is_pruned_to_the_declared(lambda_build: Build, name: str) -> None:
    with zipfile.ZipFile(lambda_build.zip(name)) as archive:
        data = [PurePosixPath(entry) for entry in archive.namelist()]
    below = [path.parts[2:] for path in data if path.parts[:2] == ("botocore", "data")]
    declared = set(read_declaration(ROOT / "functions" / name / "package.toml").services)
    assert {parts[0] for parts in below if len(parts) == 1} == SHARED_SERVICE_DATA
    assert {parts[0] for parts in below if len(parts) > 1} == declared


@each_function
def test_it_runs_on_its_own(
    native_build: Build, interpreter: str, name: str, tmp_path: Path
) -> None:
    """Compose the service as the first request would, from the zip's files alone.

    The zip is the one for this machine: of the same sources, locks and rules as the one for Lambda,
    whose native code cannot be loaded here.
    """
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(native_build.zip(name)) as archive:
        archive.extractall(unpacked)
    outcome = subprocess.run(
        [
            *(interpreter, "-I", "-S", "-B"),
            *(str(Path(__file__).with_name("load_zip.py")), str(unpacked), name),
        ],
        cwd=tmp_path,
        env={
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "HOME": str(tmp_path),
            "POWERTOOLS_SERVICE_NAME": name,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    declared = sorted(read_declaration(ROOT / "functions" / name / "package.toml").services)
    assert json.loads(outcome.stdout) == {
        "callable": True,
        "services": declared,
        "strangers": [],
        "duckdb_rows": 3 if name == "aggregate" else None,
    }


def test_both_targets_hold_the_same_python_code(lambda_build: Build, native_build: Build) -> None:
    """What `test_it_runs_on_its_own` shows of one holds for the other."""
    for name in FUNCTIONS:
        contents = []
        for build in (lambda_build, native_build):
            with zipfile.ZipFile(build.zip(name)) as archive:
                contents.append(
                    {
                        entry.filename: entry.CRC
                        for entry in archive.infolist()
                        if ".so" not in PurePosixPath(entry.filename).suffixes
                    }
                )
        assert contents[0] == contents[1]
