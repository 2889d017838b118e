"""The REST API's body as Terraform renders it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from scripts.deploy import terraform
from tests.aws.rest_api import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GATEWAY = terraform.REPOSITORY / "modules" / "gateway"
# What the body is made of, and no resource.
_FILES = ("openapi.tf", "openapi.yaml", "gateway_responses.yaml", "policy.tf", "variables.tf")


def functions(prefix: str) -> dict[str, dict[str, str]]:
    """The module's argument `functions`, for functions whose names begin with the prefix."""
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{prefix}"
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}"
    return {
        name: {"invoke_arn": f"{uri}-{name}/invocations", "name": f"{prefix}-{name}"}
        for name in ("authorize", "converse", "invoke", "models", "stream")
    }


def arguments(**changed: object) -> dict[str, Any]:
    """Arguments of the module, with some changed."""
    return {
        "prefix": "tollgate-one",
        "kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/key-1",
        "functions": functions("one"),
        **changed,
    }


def render(folder: Path, given: Mapping[str, Any]) -> Any:
    """The body, evaluated by Terraform itself in an empty folder; needs no provider."""
    for name in _FILES:
        shutil.copy(GATEWAY / name, folder / name)
    output = {"output": {"body": {"value": "${local._rest_api_body}"}}}
    (folder / "output.tf.json").write_text(json.dumps(output), "utf-8")
    (folder / "terraform.tfvars.json").write_text(json.dumps(given), "utf-8")
    terraform.run(folder, "apply", "-auto-approve", capture=True)
    return json.loads(terraform.run(folder, "output", "-raw", "body", capture=True).stdout)
