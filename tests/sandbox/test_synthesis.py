"""The sandbox's stack is Terraform that is valid, owns nothing, and holds the tenants asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import tfvars
from scripts.build import environments as setup
from scripts.deploy import terraform
from scripts.tenants import files as tenants
from tests.stack import moto

PYTHON = setup.ENVIRONMENTS["cdktf"].python(moto.REPOSITORY)
PROGRAM = Path("envs") / "sandbox" / "app.py"
_MISSING = next(
    (
        reason
        for reason, missing in {
            "no cdktf; run `python3 -m scripts.build.environments cdktf`": not PYTHON.is_file(),
            "no node, which cdktf runs in; install Node.js": shutil.which("node") is None,
        }.items()
        if missing
    ),
    None,
)
if _MISSING and os.environ.get("CI") == "true":
    raise RuntimeError(_MISSING)

pytestmark = [
    pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING)),
    pytest.mark.xdist_group("sandbox"),
]


def synthesise(
    output: Path, *arguments: str, root: Path = moto.REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """Run the program as `make sandbox` does."""
    return subprocess.run(
        [str(PYTHON), str(root / PROGRAM), f"--output={output}", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stack with three tenants."""
    output = tmp_path_factory.mktemp("sandbox")
    result = synthesise(output, "--name=test", "--tenants=3")
    assert result.returncode == 0, result.stderr
    folder = output / "stacks" / "sandbox-test"
    assert f"sandbox-test: 3 tenants in {folder}\n" in result.stdout
    return folder


@pytest.fixture(scope="module")
def onto(stack: Path) -> Path:
    """The folder of a stack with two tenants for a gateway that is there."""
    output = stack.parents[1]
    result = synthesise(output, "--name=more", "--tenants=2", "--onto=tollgate-dev")
    assert result.returncode == 0, result.stderr
    return output / "stacks" / "sandbox-more"


@pytest.fixture(scope="module")
def document(stack: Path) -> dict[str, Any]:
    """What cdktf wrote."""
    written: dict[str, Any] = json.loads((stack / "cdk.tf.json").read_text("utf-8"))
    return written


def validate(folder: Path) -> dict[str, Any]:
    """The outcome of `terraform validate`."""
    reason = terraform.unavailable()
    if reason:
        pytest.skip(reason)
    terraform.run(folder, "init", "-backend=false", "-no-color", capture=True)
    outcome: dict[str, Any] = json.loads(
        terraform.run(folder, "validate", "-json", capture=True, check=False).stdout
    )
    return outcome


def test_it_owns_no_resources(document: dict[str, Any], onto: Path) -> None:
    only = json.loads((onto / "cdk.tf.json").read_text("utf-8"))
    for written, module in ((document, "gateway"), (only, "tenants")):
        assert set(written) - {"//"} == {"module", "output", "terraform"}
        assert set(written["module"]) == {module}
        assert set(written["terraform"]) == {"backend"}


@pytest.mark.parametrize("name", ["stack", "onto"])
def test_terraform_finds_it_valid(request: pytest.FixtureRequest, name: str) -> None:
    outcome = validate(request.getfixturevalue(name))

    assert outcome["valid"], outcome["diagnostics"]
    # The root's backend says where an environment's state lies; this stack has its own.
    assert {finding["summary"] for finding in outcome["diagnostics"]} <= {
        "Backend configuration ignored"
    }


def test_terraform_finds_a_variable_that_there_is_not(stack: Path) -> None:
    # As deep as the stack itself, so that its path to the module leads there from here too.
    broken = stack.parent / "broken"
    broken.mkdir()
    document = json.loads((stack / "cdk.tf.json").read_text("utf-8"))
    document["module"]["gateway"]["regoin"] = document["module"]["gateway"]["region"]
    (broken / "cdk.tf.json").write_text(json.dumps(document), "utf-8")

    outcome = validate(broken)

    assert not outcome["valid"]
    assert any('"regoin"' in finding["detail"] for finding in outcome["diagnostics"])


def test_its_tenant_files_are_valid(document: dict[str, Any], stack: Path) -> None:
    gateway = document["module"]["gateway"]

    loaded = tenants.load(stack / gateway["tenants_dir"], gateway["tiers"], gateway["prefix"])

    assert list(loaded) == ["test-0001", "test-0002", "test-0003"]


def test_tenants_for_a_gateway_that_is_there_have_names_of_their_own(onto: Path) -> None:
    module = json.loads((onto / "cdk.tf.json").read_text("utf-8"))["module"]["tenants"]
    # Relative to the module, as terraform/tenants_only reads it.
    folder = (onto / module["source"] / module["tenants_dir"]).resolve()

    assert module["parent"] == {"unit": "tollgate-dev"}
    assert folder == onto / "tenants"
    assert list(tenants.load(folder, module["tiers"], "tollgate-dev")) == ["more-0001", "more-0002"]


def test_no_environment_has_such_a_prefix(document: dict[str, Any]) -> None:
    prefixes = [
        tfvars.loads(file.read_text("utf-8")).get("prefix", "")
        for file in (moto.REPOSITORY / "envs").glob("*/env.tfvars")
    ]

    assert prefixes
    assert document["module"]["gateway"]["prefix"] == "sandbox-test"
    assert not any(prefix.startswith("sandbox-") for prefix in prefixes)


def test_make_clean_leaves_its_state_and_git_ignores_it(
    document: dict[str, Any], stack: Path
) -> None:
    state = (stack / document["terraform"]["backend"]["local"]["path"]).resolve()

    assert state == moto.REPOSITORY / "envs" / "sandbox" / "sandbox-test.tfstate"
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", str(state)], cwd=moto.REPOSITORY, check=False
    )
    assert ignored.returncode == 0


def test_a_second_run_changes_nothing_and_a_smaller_one_removes_tenants(tmp_path: Path) -> None:
    folder = tmp_path / "stacks" / "sandbox-again"

    def run(count: int) -> dict[str, str]:
        result = synthesise(tmp_path, "--name=again", f"--tenants={count}")
        assert result.returncode == 0, result.stderr
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_text("utf-8") for path in files}

    first = run(3)
    assert run(3) == first
    smaller = run(1)
    assert smaller == {name: first[name] for name in ("cdk.tf.json", "tenants/again-0001.tfvars")}


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--name=Load", "name: got 'Load'; allowed: 1 to 24 of a-z, 0-9 and inner hyphens, a"),
        ("--name=1", "name: got '1'; allowed: 1 to 24 of"),
        (f"--name={'a' * 25}", "allowed: 1 to 24 of"),
        ("--tenants=0", "tenants: got 0; allowed: 1 to 9999"),
        ("--tenants=10000", "tenants: got 10000; allowed: 1 to 9999"),
        ("--onto=*", "onto: got '*'; allowed: the prefix of a gateway"),
        ("--requests-per-second=0", "requests per second: got 0; allowed: 1 or more"),
    ],
)
def test_what_is_out_of_range_is_refused(tmp_path: Path, argument: str, said: str) -> None:
    result = synthesise(tmp_path, "--name=test", argument)

    assert result.returncode == 1
    assert said in result.stderr
    assert not (tmp_path / "stacks").exists()


def test_the_throttle_of_a_gateway_that_is_there_is_left_alone(tmp_path: Path) -> None:
    result = synthesise(tmp_path, "--name=test", "--onto=tollgate-dev", "--requests-per-second=5")

    assert result.returncode == 1
    assert "requests per second: got 5 with --onto; allowed: nothing" in result.stderr


def test_its_types_are_right() -> None:
    result = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict"),
            # The types of cdktf lie in the environment of cdktf.
            f"--python-executable={PYTHON}",
            str(PROGRAM),
        ],
        cwd=moto.REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.stack
def test_a_plan_has_the_gateway_with_its_tenants(tmp_path: Path) -> None:
    if moto.UNAVAILABLE is not None:
        pytest.skip(moto.UNAVAILABLE)
    root = tmp_path / "copy"
    moto.copy_code(root, "terraform__*.tf")
    shutil.copytree(moto.REPOSITORY / "scripts", root / "scripts")
    output = root / "build" / "sandbox"
    result = synthesise(output, "--name=test", "--tenants=3", root=root)
    assert result.returncode == 0, result.stderr

    folder = output / "stacks" / "sandbox-test"
    with moto.serve(tmp_path / "moto.log") as endpoint:
        variables = moto.Stack(root, endpoint).variables()
        for command in (["init"], ["plan", "-out=saved.tfplan"]):
            terraform.run(folder, *command, "-no-color", variables=variables, capture=True)
    shown = terraform.run(folder, "show", "-json", "saved.tfplan", capture=True).stdout

    planned = [change["address"] for change in json.loads(shown)["resource_changes"]]
    assert all(address.startswith("module.gateway.") for address in planned)
    assert {address.split('"')[1] for address in planned if ".module.tenant[" in address} == {
        "test-0001",
        "test-0002",
        "test-0003",
    }
    assert 'module.gateway.module.function["invoke"].aws_lambda_function.this' in planned
