"""What was changed by hand shows in a plan, and an apply of a changed contract puts it right."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from scripts.deploy import terraform
from tests import provider
from tests.aws import gateway_root
from tests.aws.gateway_body import GATEWAY
from tests.aws.gateway_root import BASE, relative
from tests.stack import moto

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = "drift"
EVERYONE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "execute-api:Invoke",
            "Resource": "execute-api:/*",
        }
    ],
}


@pytest.mark.soak
@pytest.mark.stack
def test_what_was_changed_by_hand_shows_and_is_put_right(tmp_path: Path) -> None:
    if moto.UNAVAILABLE:
        pytest.skip(f"NOT CHECKED: {moto.UNAVAILABLE}")
    module, root = tmp_path / "gateway", tmp_path / "root"
    shutil.copytree(GATEWAY, module, ignore=shutil.ignore_patterns(".terraform"))
    root.mkdir()
    with gateway_root.serve(tmp_path) as aws:
        call = {"source": relative(module, root), **BASE}
        document = {"provider": {"aws": aws.provider}, "module": {"gateway": call}}
        (root / "main.tf.json").write_text(json.dumps(document), "utf-8")
        terraform.run(root, "init", environment_name=ENVIRONMENT, capture=True)
        with provider.serve(root, ENVIRONMENT, tmp_path / "provider.log") as variables:

            def run(*arguments: str, check: bool = True) -> Any:
                return terraform.run(
                    root,
                    *arguments,
                    environment_name=ENVIRONMENT,
                    variables=variables,
                    capture=True,
                    check=check,
                )

            run("apply", "-auto-approve")
            (api,) = aws.api_gateway.apis.values()
            ours = api.policy
            api.set_policy(EVERYONE)
            api.description = "by hand"
            api.api_key_source = "HEADER"

            plan = run("plan", "-no-color", "-detailed-exitcode", check=False)
            assert plan.returncode == 2, plan.stdout + plan.stderr
            for attribute in ("policy", "description", "api_key_source"):
                assert f"~ {attribute}" in plan.stdout, plan.stdout

            contract = module / "openapi.yaml"
            text = contract.read_text("utf-8")
            contract.write_text(
                text.replace("description: Multi-tenant", "description: A"), "utf-8"
            )
            run("apply", "-auto-approve")
            assert api.policy == ours
            assert api.description.startswith("A gateway")
            assert api.api_key_source == "AUTHORIZER"
            again = run("plan", "-no-color", "-detailed-exitcode", check=False)
            assert again.returncode == 0, again.stdout + again.stderr
