"""The roles for people, as a plan has them: what each may do, and whose tenant it may touch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.deploy import terraform
from tests.policy.evaluator import Request, allows
from tests.stack import moto

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = moto.REPOSITORY / "modules" / "operator_roles" / "examples" / "basic"
ENVIRONMENT = "policy-tests"
ACCOUNT = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-dev"
PARAMETERS = "arn:aws:ssm:us-east-1:111122223333:parameter/tollgate-dev/tenants"
OUTPUTS = "arn:aws:ssm:us-east-1:111122223333:parameter/tollgate-dev/outputs/tenants"
SECRETS = "arn:aws:secretsmanager:us-east-1:111122223333:secret:tollgate-dev/tenants"
KEY = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
API_KEY = "arn:aws:apigateway:us-east-1::/apikeys/abc"
DEAD_QUEUE = "arn:aws:sqs:us-east-1:111122223333:tollgate-dev-jobs-dead"

pytestmark = [
    pytest.mark.policy,
    pytest.mark.slow,
    pytest.mark.skipif(moto.UNAVAILABLE is not None, reason=str(moto.UNAVAILABLE)),
    # One plan serves all tests, so one worker.
    pytest.mark.xdist_group("operator-roles"),
]


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By role: its trust policy and what it may do, from a plan by the real provider."""
    folder: Path = tmp_path_factory.mktemp("operator_roles")
    saved = folder / "saved.tfplan"

    def run(*arguments: str) -> str:
        return terraform.run(
            EXAMPLE,
            *arguments,
            environment_name=ENVIRONMENT,
            variables=variables,
            capture=True,
        ).stdout

    with moto.serve(folder / "moto.log") as endpoint:
        variables = moto.Stack(folder, endpoint).variables()
        run("init", "-no-color")
        run("plan", "-no-color", f"-state={folder / 'none.tfstate'}", f"-out={saved}")
        plan = json.loads(run("show", "-json", str(saved)))
    resources = plan["planned_values"]["root_module"]["child_modules"][0]["resources"]
    found: dict[str, dict[str, Any]] = {}
    for resource in resources:
        attribute = {"aws_iam_role": "assume_role_policy", "aws_iam_role_policy": "policy"}
        name = attribute[resource["type"]]
        found.setdefault(resource["name"], {})[name] = json.loads(resource["values"][name])
    return found


def may(
    documents: dict[str, Any], action: str, resource: str, tenant: str | None = None, **keys: Any
) -> bool:
    """Whether the role's policy lets a call through; of a key's name, `__` is a colon."""
    context = {name.replace("__", ":"): value for name, value in keys.items()}
    if tenant is not None:
        context["aws:PrincipalTag/tenant"] = tenant
    return allows([documents["policy"]], Request(action, resource, context))


@pytest.mark.parametrize(
    ("claimed", "own", "allowed"),
    [
        ("acme", "acme", True),
        ("globex", "acme", False),
        ("acme", None, False),
        (None, "acme", False),
        ("", "", False),
    ],
)
def test_a_principal_takes_the_tenant_of_its_own_tag(
    roles: dict[str, Any], claimed: str | None, own: str | None, allowed: bool
) -> None:
    context: dict[str, Any] = {} if own is None else {"aws:PrincipalTag/tenant": own}
    if claimed is not None:
        context |= {"aws:RequestTag/tenant": claimed, "aws:TagKeys": ("tenant",)}
    principal = ("AWS", "arn:aws:iam::111122223333:role/search-team")
    role = "arn:aws:iam::111122223333:role/tollgate-dev-tenant-admin"
    trust = roles["tenant_admin"]["assume_role_policy"]

    for action in ("sts:AssumeRole", "sts:TagSession"):
        assert allows([trust], Request(action, role, context, principal)) is allowed
    context["aws:TagKeys"] = ("tenant", "app")
    assert not allows([trust], Request("sts:TagSession", role, context, principal))


@pytest.mark.parametrize(
    ("table", "key", "own"),
    [
        ("tenants", "TENANT#acme", True),
        ("tenants", "OVERRIDE#acme", True),
        ("tenants", "TENANT#globex", False),
        ("tenants", "KEY#0a1b", False),
        ("accounts", "tenant#acme", True),
        ("accounts", "tenant#acme#1.0", True),
        ("accounts", "tenant#acme-labs", False),
        ("accounts", "app#acme/web#1.0", True),
        ("accounts", "app#acme-labs/web", False),
        ("accounts", "model#acme/anthropic.claude-*", True),
        ("accounts", "model#acme-labs/anthropic.claude-*", False),
        ("usage", "2026-11-22T04#0", False),
    ],
)
def test_a_tenant_admin_reads_its_own_items_only(
    roles: dict[str, Any], table: str, key: str, own: bool
) -> None:
    admin = roles["tenant_admin"]
    arn = f"{ACCOUNT}-{table}"

    def reads(tenant: str | None, *keys: str, action: str = "dynamodb:GetItem") -> bool:
        return may(admin, action, arn, tenant, dynamodb__LeadingKeys=keys)

    assert reads("acme", key) is own
    assert reads("acme", key, action="dynamodb:BatchGetItem") is own
    assert not reads("globex", "TENANT#acme", key)
    assert not reads(None, key)
    assert not reads("acme", key, action="dynamodb:PutItem")
    assert not may(admin, "dynamodb:GetItem", arn, "acme")
    assert not may(admin, "dynamodb:Scan", arn, "acme")


def test_a_tenant_admin_reads_its_own_api_and_profiles_only(roles: dict[str, Any]) -> None:
    def reads(tenant: str, outputs: str) -> bool:
        return may(roles["tenant_admin"], "ssm:GetParameter", f"{OUTPUTS}/{outputs}", tenant)

    assert reads("acme", "acme")
    assert not reads("acme", "acme-labs")
    assert not reads("globex", "acme")


def test_a_tenant_admin_reads_its_own_keys_only(roles: dict[str, Any]) -> None:
    admin = roles["tenant_admin"]
    stores = {
        ("ssm:GetParameter", PARAMETERS): ("ssm", "PARAMETER_ARN"),
        ("secretsmanager:GetSecretValue", SECRETS): ("secretsmanager", "SecretARN"),
    }
    for (action, store), (service, context) in stores.items():

        def opens(tenant: str, key: str, service: str = service, context: str = context) -> bool:
            keys = {
                "kms:ViaService": f"{service}.us-east-1.amazonaws.com",
                f"kms:EncryptionContext:{context}": key,
            }
            return may(admin, "kms:Decrypt", KEY, tenant, **keys)

        own, other = f"{store}/acme/web/primary", f"{store}/acme-labs/web/primary"
        assert may(admin, action, own, "acme")
        assert opens("acme", own)
        assert not may(admin, action, other, "acme")
        assert not opens("acme", other)
        assert not may(admin, action, own, "globex")


def test_a_tenant_admin_switches_its_own_keys_only(roles: dict[str, Any]) -> None:
    def switches(tenant: str, unit: str, action: str = "apigateway:PATCH") -> bool:
        tags = {"aws:ResourceTag/Tenant": "acme", "aws:ResourceTag/tollgate-unit": unit}
        return may(roles["tenant_admin"], action, API_KEY, tenant, **tags)

    assert switches("acme", "tollgate-dev")
    assert not switches("globex", "tollgate-dev")
    assert not switches("acme", "tollgate-prod")
    assert not switches("acme", "tollgate-dev", action="apigateway:DELETE")


def test_an_operator_overrides_but_does_not_rewrite(roles: dict[str, Any]) -> None:
    operator = roles["operator"]

    def writes(key: str, action: str = "dynamodb:PutItem") -> bool:
        return may(operator, action, f"{ACCOUNT}-tenants", dynamodb__LeadingKeys=(key,))

    assert writes("OVERRIDE#acme")
    assert writes("OVERRIDE#acme", "dynamodb:DeleteItem")
    assert not writes("TENANT#acme")
    assert not writes("KEY#0a1b")
    assert not may(operator, "dynamodb:PutItem", f"{ACCOUNT}-tenants")
    for table in ("accounts", "usage"):
        assert may(operator, "dynamodb:GetItem", f"{ACCOUNT}-{table}")
        assert not may(operator, "dynamodb:UpdateItem", f"{ACCOUNT}-{table}")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:GetItem", f"{ACCOUNT}-streams"),
        ("s3:GetObject", "arn:aws:s3:::tollgate-dev-payloads-111122223333/jobs/acme/1"),
        ("s3:PutObject", "arn:aws:s3:::tollgate-dev-lake-111122223333/usage/x"),
        ("s3:DeleteObject", "arn:aws:s3:::tollgate-dev-lake-111122223333/usage/x"),
        ("ssm:GetParameter", f"{PARAMETERS}/acme/web/primary"),
        ("secretsmanager:GetSecretValue", f"{SECRETS}/acme/web/primary"),
        ("sqs:SendMessage", DEAD_QUEUE),
        (
            "bedrock:InvokeModel",
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
        ),
        ("sts:AssumeRole", "arn:aws:iam::111122223333:role/tollgate/tollgate-dev/x"),
        ("iam:PassRole", "arn:aws:iam::111122223333:role/tollgate-dev-invoke"),
    ],
)
def test_neither_role_reaches_texts_keys_or_more_rights(
    roles: dict[str, Any], action: str, resource: str
) -> None:
    assert not may(roles["operator"], action, resource, "globex")
    assert not may(roles["tenant_admin"], action, resource, "globex")


def test_an_operator_finds_the_log_groups(roles: dict[str, Any]) -> None:
    """Their list is whole or not at all, so the action is allowed on everything."""
    assert may(roles["operator"], "logs:DescribeLogGroups", "*")


def test_an_operator_opens_data_but_no_keys(roles: dict[str, Any]) -> None:
    def opens(service: str) -> bool:
        via = f"{service}.us-east-1.amazonaws.com"
        return may(roles["operator"], "kms:Decrypt", KEY, **{"kms:ViaService": via})

    assert [name for name in ("dynamodb", "s3", "sqs") if not opens(name)] == []
    assert [name for name in ("ssm", "secretsmanager", "lambda") if opens(name)] == []
    assert may(roles["operator"], "sqs:StartMessageMoveTask", DEAD_QUEUE)
