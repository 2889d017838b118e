"""What the build refuses and what it leaves out, shown on a made-up function."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.build import package
from scripts.build.imports import walk
from scripts.build.package import PackageError, Target


def write(root: Path, files: dict[str, str]) -> None:
    """Write text files below `root`."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one function, and wheels as pip would have unpacked them."""
    write(
        tmp_path,
        {
            "functions/echo/package.toml": 'services = ["s3"]\ndata = ["tollgate/book.json"]\n',
            "functions/echo/requirements.lock": "",
            "functions/echo/tollgate_echo/__init__.py": "",
            "functions/echo/tollgate_echo/handler.py": "from tollgate import used\nimport boto3\n",
            "functions/shared/tollgate/__init__.py": "",
            "functions/shared/tollgate/used.py": "",
            "functions/shared/tollgate/unused.py": "",
            "functions/shared/tollgate/book.json": "{}",
            "wheels/boto3/__init__.py": "",
            "wheels/boto3/__pycache__/session.cpython-313.pyc": "",
            "wheels/boto3/py.typed": "",
            "wheels/boto3/data/s3/2006-03-01/resources-1.json": "{}",
            "wheels/boto3/data/ec2/2016-11-15/resources-1.json": "{}",
            "wheels/boto3-1.0.dist-info/LICENSE": "",
            "wheels/boto3-1.0.dist-info/METADATA": "",
            "wheels/boto3-1.0.dist-info/RECORD": "",
            "wheels/boto3-1.0.dist-info/licenses/NOTICE.txt": "",
            "wheels/botocore/__init__.pyi": "",
            "wheels/botocore/data/endpoints.json": "{}",
            "wheels/botocore/data/ec2/2016-11-15/service-2.json": "{1234}",
            "wheels/botocore/data/s3/2001-01-01/service-2.json": "{12}",
            "wheels/botocore/data/s3/2006-03-01/examples-1.json": "{}",
            "wheels/botocore/data/s3/2006-03-01/paginators-1.json": "{}",
            "wheels/botocore/data/s3/2006-03-01/service-2.json": "{}",
            "wheels/botocore/data/s3/2006-03-01/waiters-2.json": "{}",
            "wheels/bin/jp.py": "",
            "wheels/native.abi3.so": "",
        },
    )
    monkeypatch.setattr(package, "fetch_wheels", lambda *_: tmp_path / "wheels")
    return tmp_path


def build(repository: Path) -> list[str]:
    """Build the function and return the names of the files that would be in its zip."""
    files, _ = package.collect("echo", repository, Target(), repository / "cache")
    return sorted(files)


def test_only_what_is_needed_goes_in(repository: Path) -> None:
    assert build(repository) == [
        "boto3-1.0.dist-info/LICENSE",
        "boto3-1.0.dist-info/METADATA",
        "boto3-1.0.dist-info/licenses/NOTICE.txt",
        "boto3/__init__.py",
        "boto3/data/s3/2006-03-01/resources-1.json",
        "botocore/data/endpoints.json",
        "botocore/data/s3/2006-03-01/paginators-1.json",
        "botocore/data/s3/2006-03-01/service-2.json",
        "native.abi3.so",
        "tollgate/__init__.py",
        "tollgate/book.json",
        "tollgate/used.py",
        "tollgate_echo/__init__.py",
        "tollgate_echo/handler.py",
    ]


def test_the_bytes_of_service_data_left_out_are_counted(repository: Path) -> None:
    _, pruned = package.third_party_files(repository / "wheels", ["s3"])
    assert pruned == len("{}") + len("{1234}") + len("{12}") + 2 * len("{}")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "functions/echo/tollgate_echo/handler.py",
            "\nimport requests\n",
            "handler.py:2: imports requests, which the function's requirements.lock does not bring",
        ),
        (
            "functions/echo/tollgate_echo/handler.py",
            "def late():\n    from tollgate.gone import x\n",
            "handler.py:2: no module tollgate.gone",
        ),
        (
            "functions/shared/tollgate/used.py",
            "import importlib\nimportlib.import_module('tollgate.unused')\n",
            "used.py:2: import_module() hides what it imports from the build",
        ),
        (
            "functions/echo/package.toml",
            'services = ["s3", "s33"]\ndata = []\n',
            "botocore knows no service s33",
        ),
        (
            "functions/echo/package.toml",
            'services = []\ndata = ["tollgate/gone.json"]\n',
            "data file tollgate/gone.json is not in",
        ),
        (
            "functions/echo/package.toml",
            'services = []\ndata = []\ndatum = "x"\n',
            "got the keys ['data', 'datum', 'services'], expected ['data', 'services']",
        ),
        (
            "functions/echo/package.toml",
            'services = "s3"\ndata = []\n',
            "services must be a list of strings, got 's3'",
        ),
    ],
)
def test_a_mistake_is_named(repository: Path, file: str, text: str, message: str) -> None:
    write(repository, {file: text})
    with pytest.raises(PackageError) as raised:
        build(repository)
    assert message in str(raised.value)


def test_a_function_without_handler_is_named(repository: Path) -> None:
    (repository / "functions/echo/tollgate_echo/handler.py").unlink()
    with pytest.raises(PackageError, match=r"handler\.py does not exist"):
        build(repository)


@pytest.mark.parametrize(
    ("source", "reached"),
    [
        ("import tollgate.a.b", {"a/__init__.py", "a/b.py"}),
        ("from tollgate.a import b", {"a/__init__.py", "a/b.py"}),
        ("from tollgate.a.b import VALUE", {"a/__init__.py", "a/b.py"}),
        ("from tollgate.a import c", {"a/__init__.py", "a/b.py", "a/c.py"}),
        ("def f():\n    from tollgate.a import b", {"a/__init__.py", "a/b.py"}),
        ("if TYPE_CHECKING:\n    from tollgate.a import b", set()),
        ("if typing.TYPE_CHECKING:\n    pass\nelse:\n    import tollgate.a", {"a/__init__.py"}),
        ("try:\n    import tollgate.a\nexcept ImportError:\n    pass", {"a/__init__.py"}),
        ("import json", set()),
    ],
)
def test_imports_are_followed(tmp_path: Path, source: str, reached: set[str]) -> None:
    write(
        tmp_path,
        {
            "echo/tollgate_echo/__init__.py": "",
            "echo/tollgate_echo/handler.py": source,
            "shared/tollgate/__init__.py": "",
            "shared/tollgate/a/__init__.py": "",
            "shared/tollgate/a/b.py": "VALUE = 1\n",
            "shared/tollgate/a/c.py": "from .b import VALUE\nfrom . import b\n",
        },
    )
    files = set(walk(tmp_path / "echo", "tollgate_echo", tmp_path / "shared").files)
    files -= {"tollgate/__init__.py", "tollgate_echo/__init__.py", "tollgate_echo/handler.py"}
    assert files == {f"tollgate/{name}" for name in reached}


@pytest.mark.parametrize(
    ("function", "dialects"),
    [
        ("converse", {"anthropic", "bedrock", "openai"}),
        # Jobs and profiles have a Converse body inside their own.
        ("invoke", {"bedrock", "jobs", "legacy", "profiles"}),
        # The errors of each, for routes that there are not.
        ("models", {"anthropic", "bedrock", "openai"}),
        *((name, set()) for name in ("aggregate", "authorize", "stream", "sweep")),
    ],
)
def test_a_function_has_the_dialects_that_it_speaks(function: str, dialects: set[str]) -> None:
    functions = Path(package.__file__).parents[2] / "functions"
    files = walk(functions / function, f"tollgate_{function}", functions / "shared").files

    parts = [name.split("/") for name in files if name.startswith("tollgate/dialects/")]
    assert {part[2] for part in parts if len(part) > 3} == dialects
    modules = {part[-1] for part in parts}
    assert ("stream.py" in modules) == (function == "converse")
    assert ("request.py" in modules) == (function in ("converse", "invoke"))


def test_the_size_quotas_hold() -> None:
    package.check_sizes("echo", package.MAX_ZIP_BYTES, package.MAX_UNZIPPED_BYTES)
    with pytest.raises(PackageError, match=r"echo: zip it has 50\.1 MiB, Lambda takes 50 MiB"):
        package.check_sizes("echo", package.MAX_ZIP_BYTES + 10**5, 1)
    with pytest.raises(PackageError, match=r"unpacked it has 251\.0 MiB, Lambda takes 250 MiB"):
        package.check_sizes("echo", 1, package.MAX_UNZIPPED_BYTES + 2**20)


def test_the_manifest_keeps_other_functions_and_forgets_removed_ones(
    repository: Path, tmp_path: Path
) -> None:
    output = tmp_path / "dist"
    write(output, {"manifest.json": '{"functions": {"gone": {"file": "gone.zip"}}}'})
    package.package(["echo"], repository, output, Target())
    manifest = json.loads((output / "manifest.json").read_text("utf-8"))
    assert list(manifest["functions"]) == ["echo"]
    assert (output / "echo.zip").is_file()
    with pytest.raises(PackageError, match="no function ehco; there are echo"):
        package.package(["ehco"], repository, output, Target())
