"""Every name that Terraform composes is one that AWS takes, whatever the prefix and the tenants."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from scripts.tenants import rules
from tests.contract import hcl

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = [
    *sorted(f"modules/{file.parent.name}" for file in hcl.ROOT.glob("modules/*/variables.tf")),
    "terraform",
]
# Characters that AWS allows, by type of resource; None where it documents no limit.
MOST = {
    "aws_api_gateway_api_key": None,
    "aws_api_gateway_rest_api": None,
    "aws_api_gateway_usage_plan": None,
    "aws_athena_workgroup": 128,
    "aws_bedrock_inference_profile": 64,
    "aws_cloudtrail": 128,
    "aws_cloudwatch_log_group": 512,
    "aws_cloudwatch_log_subscription_filter": 512,
    "aws_cloudwatch_metric_alarm": 255,
    "aws_dynamodb_table": 255,
    "aws_glue_catalog_database": 255,
    "aws_iam_policy": 128,
    "aws_iam_role": 64,
    "aws_iam_role_policy": 128,
    "aws_kinesis_firehose_delivery_stream": 64,
    "aws_kms_alias": 256,
    "aws_lambda_function": 64,
    "aws_quicksight_dashboard": 2048,
    "aws_quicksight_data_set": 128,
    "aws_quicksight_data_source": 128,
    "aws_s3_bucket": 63,
    "aws_scheduler_schedule": 64,
    "aws_secretsmanager_secret": 512,
    "aws_security_group": 255,
    "aws_sqs_queue": 80,
    "aws_ssm_parameter": 1011,
    "aws_wafv2_web_acl": 128,
}
# Names that AWS refuses or has given away already, by type of resource.
REFUSED = {
    "aws_athena_workgroup": "primary",
    "aws_cloudtrail": ".*--.*",
    "aws_glue_catalog_database": "default",
    "aws_kms_alias": "alias/aws.*",
    "aws_s3_bucket": "(xn--|sthree-|amzn-s3-demo-).*",
    "aws_security_group": "sg-.*",
    "aws_ssm_parameter": "/?(aws|ssm).*",
}
PREFIXES = [
    *("amzn-s3-demo", "amzn-s3-demo-x", "aws", "aws-gateway", "awsome", "default", "primary"),
    *(
        "sg-tollgate",
        "ssm",
        "ssm-x",
        "ssmith",
        "sthree",
        "sthree-x",
        "tollgate--dev",
        "xn--tollgate",
    ),
]
# The longest text that an expression stands for: what its variable's rule or its keys allow.
LONGEST = {
    "aws_iam_role.operator[0].name": 64,
    "aws_iam_role.pool_session[0].name": 64,
    "aws_iam_role.tenant_admin[0].name": 64,
    "each.key": 127,  # <app>/<key name>, the longest of all
    "local._profile_names[each.key]": 64,
    "module.gateway.rest_api_id": 32,
    "var.account_id": 12,
    "var.name": 20,
    "var.name_prefix": 32,
    "var.prefix": 32,
    "var.stage_name": 128,
    "var.tenant_id": 32,
}
KEYS = {
    ("modules/metering", "aws_dynamodb_table"): len("accounts"),
    # Longer ones are refused by a precondition beside it.
    ("modules/tenant_role", "aws_bedrock_inference_profile"): 64 - 66,
}


def names() -> Iterator[tuple[str, str, str]]:
    """Folder, type and name of each resource that has `prefix` in its name."""
    for folder in filter(_has_resources, FOLDERS):
        values = hcl.locals_of(folder) if "locals" in hcl.load(folder) else {}
        for block in hcl.load(folder).get("resource", []):
            for kind, resources in block.items():
                for resource in resources.values():
                    yield from ((folder, kind, name) for name in _named(resource, values))


def _has_resources(folder: str) -> bool:
    files = (hcl.ROOT / folder).glob("*.tf")
    return any(re.search(r'^resource "', file.read_text("utf-8"), re.M) for file in files)


def _named(resource: dict[str, Any], values: dict[str, Any]) -> Iterator[str]:
    for attribute in ("name", "bucket", "function_name", "alarm_name"):
        name = resource.get(attribute)
        while isinstance(name, str) and (inner := re.search(r"\$\{local\.(\w+)\}", name)):
            given = values[inner[1]]
            name = name.replace(inner[0], given if isinstance(given, str) else "")
        if isinstance(name, str) and re.search(r"\$\{.*var\.(name_)?prefix", name):
            yield name


NAMES = sorted(set(names()))


def _longest(folder: str, kind: str, name: str) -> int:
    given_a_name = re.search(r'coalesce\(var\.name, "(.*?)"\)', name)
    if given_a_name:
        return 64  # the variable's own rules say so
    length = len(re.sub(r"\$\{.*?\}", "", name))
    for found in re.findall(r"\$\{(.*?)\}", name):
        inner = re.fullmatch(r"replace\(([\w.]+), .*\)", found)
        expression = inner[1] if inner else found
        own = KEYS.get((folder, kind)) if expression == "each.key" else None
        length += LONGEST[expression] if own is None else own
    return length


def test_the_names_are_found() -> None:
    assert {kind for _, kind, _ in NAMES} >= {
        "aws_iam_role",
        "aws_lambda_function",
        "aws_s3_bucket",
    }
    assert ("modules/function", "aws_lambda_function", "${var.name_prefix}-${var.name}") in NAMES


@pytest.mark.parametrize(("folder", "kind", "name"), NAMES)
def test_the_longest_name_is_no_longer_than_aws_allows(folder: str, kind: str, name: str) -> None:
    most = MOST[kind]

    assert most is None or _longest(folder, kind, name) <= most


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_that_makes_a_name_that_aws_refuses_is_refused(prefix: str) -> None:
    broken = {
        kind
        for _, kind, name in NAMES
        if kind in REFUSED
        and re.fullmatch(REFUSED[kind], re.sub(r"\$\{.*?var\.(name_)?prefix.*?\}", prefix, name))
    }

    assert broken
    assert list(rules.value_errors("env.tfvars", "prefix", prefix, "prefix"))


@pytest.mark.parametrize("prefix", ["a-ws", "default-x", "my-aws", "sandbox-load", "tollgate-dev"])
def test_other_prefixes_are_taken(prefix: str) -> None:
    assert not list(rules.value_errors("env.tfvars", "prefix", prefix, "prefix"))


def test_every_module_has_the_one_rule_of_prefixes() -> None:
    rule = json.loads(rules.SCHEMA_FILE.read_text("utf-8"))["rules"]["prefix"]
    wanted = (
        f'can(regex("^{rule["pattern"]}$", var.NAME)) && '
        f'!can(regex("^({rule["refused"]})$", var.NAME))'
    )

    for folder in FOLDERS:
        for file in (hcl.ROOT / folder).glob("variables.tf"):
            for name, body in re.findall(
                r'^variable "((?:name_)?prefix)" \{\n(.*?)^\}', file.read_text("utf-8"), re.M | re.S
            ):
                assert wanted.replace("NAME", name) in body, file
                assert rule["allowed"] in body, file
