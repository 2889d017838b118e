"""Write deployment.json anew, out of terraform/ and envs/local: `python -m scripts.local.describe`.

Terraform evaluates the root module as in an apply, with stand-ins for what AWS would tell it (ARNs,
URLs), and prints the state that this makes: no account is needed and nothing is made. tests/stack
holds the file against the state of an apply by the real provider.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.deploy import terraform
from scripts.local import deployment
from scripts.local.ministack import ACCOUNT_ID, REGION, ROOT
from scripts.local.provision import INVOCATION_LOGS_BUCKET, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENVIRONMENT = "local"
_ARTIFACTS = Path("tests") / "fixtures" / "artifacts"
_TEST = Path("tests") / "describe.tftest.json"
# Everything that functions can be told of is on; the local stack leaves out what is off.
_VARIABLES = {
    "artifact_dir": str(_ARTIFACTS),
    "environment": _ENVIRONMENT,
    "invocation_logs": {"bucket": INVOCATION_LOGS_BUCKET},
    "pool_sessions": True,
    "region": REGION,
    "tenants_dir": "no-tenants",
}


def render() -> deployment.Deployment:
    """Return the deployment that the Terraform code makes now.

    Raises:
        scripts.deploy.terraform.TerraformError: Terraform is missing or takes the code for wrong.
    """
    with tempfile.TemporaryDirectory(prefix="tollgate-describe-") as folder:
        root = _copy_code(Path(folder))
        terraform.run(root, "init", "-backend=false", "-no-color", capture=True)
        printed = terraform.run(
            root,
            *("test", "-json", "-verbose", f"-filter={_TEST}"),
            f"-var-file=../envs/{_ENVIRONMENT}/env.tfvars",
            *(f"-var={name}={_value(value)}" for name, value in _VARIABLES.items()),
            capture=True,
        ).stdout
    [state] = [
        message["test_state"]
        for message in map(json.loads, printed.splitlines())
        if message["type"] == "test_state"
    ]
    return deployment.read(state)


def main() -> int:
    """Write the file; returns the exit status."""
    try:
        text = deployment.text(render())
    except terraform.TerraformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    deployment.DESCRIPTION.write_text(text, encoding="utf-8")
    print(f"{deployment.DESCRIPTION.relative_to(ROOT)} is written anew")
    return 0


def _copy_code(folder: Path) -> Path:
    """Copy what the root module is made of; returns the copy of the root module's folder."""
    for name in ("terraform", "modules", "envs"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*")
        )
    root = folder / "terraform"
    # Cases of the root's own tests have variables of their own.
    for file in (root / "tests").glob("*.tf*"):
        file.unlink()
    (root / "no-tenants").mkdir()
    manifest = json.loads((root / _ARTIFACTS / "manifest.json").read_text("utf-8"))
    (root / _TEST).write_text(json.dumps(_test(sorted(manifest["functions"]))), encoding="utf-8")
    return root


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _test(functions: list[str]) -> dict[str, Any]:
    overrides = [{"target": target, "values": values} for target, values in _computed(functions)]
    caller = {"target": "data.aws_caller_identity.this", "values": {"account_id": ACCOUNT_ID}}
    return {
        "mock_provider": {
            "aws": [
                {
                    "source": "../modules/_mocks/aws",
                    "override_data": [caller],
                    "override_resource": overrides,
                },
                # Of AWS's bill, which the local stack has none of.
                {"alias": "us_east_1", "source": "../modules/_mocks/aws"},
            ]
        },
        "run": {"everything": {"command": "apply"}},
    }


def _computed(functions: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """What AWS would tell of each resource that something else is made of."""
    key_id = "00000000-0000-4000-8000-000000000000"
    key = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/{key_id}"
    yield "aws_kms_key.this", {"arn": key, "key_id": key_id}
    for name in functions:
        module, full_name = f'module.function["{name}"]', f"{PREFIX}-{name}"
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{full_name}"
        path = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions"
        yield (
            f"{module}.aws_lambda_function.this",
            {"arn": arn, "invoke_arn": f"{path}/{arn}/invocations"},
        )
        role = f"arn:aws:iam::{ACCOUNT_ID}:role/{full_name}"
        yield f"{module}.aws_iam_role.this", {"arn": role, "id": full_name}
        yield f"{module}.aws_sqs_queue.dead", _queue(f"{name}-dead")
    yield "module.streaming.aws_sqs_queue.jobs", _queue("jobs")
    yield "module.streaming.aws_sqs_queue.dead", _queue("jobs-dead")


def _queue(short_name: str) -> dict[str, str]:
    name = f"{PREFIX}-{short_name}"
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/{name}"
    return {
        "arn": f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}",
        "id": url,
        "url": url,
        "kms_data_key_reuse_period_seconds": "300",
        "redrive_policy": "",
    }


if __name__ == "__main__":
    sys.exit(main())
