"""What stands around the roles: the private network's endpoints, and the role in a silo's account.

As in test_roles, policies of real plans are evaluated.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.policy.evaluator import Request, allows
from tests.stack import moto, permissions

if TYPE_CHECKING:
    from tests.stack.inventories import Planner

UNIT = permissions.Unit("tollgate-dev", moto.ACCOUNT_ID, moto.REGION)
STRANGERS = (
    UNIT.role("administrator").arn,
    UNIT.role("tollgate-prod-invoke").arn,
    UNIT.role("tollgate-dev-invoke", "999999999999").arn,
    UNIT.role("tollgate/tollgate-prod/acme", "999999999999").arn,
)

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.skipif(moto.UNAVAILABLE is not None, reason=str(moto.UNAVAILABLE)),
    pytest.mark.xdist_group("moto-inventories"),
]


# --- Endpoints of the private network ---------------------------------------------------------


@pytest.fixture(scope="module")
def endpoints(planner: Planner) -> dict[str, dict[str, Any]]:
    """Policies by service. That of the API's own endpoint is known after apply only."""
    made = [
        change["change"]["after"]
        for change in planner.plan("private")["resource_changes"]
        if change["type"] == "aws_vpc_endpoint"
    ]
    return {
        endpoint["service_name"].removeprefix(f"com.amazonaws.{moto.REGION}."): (
            json.loads(endpoint["policy"])
        )
        for endpoint in made
        if "policy" in endpoint
    }


def _passes(document: dict[str, Any], action: str, principal: str) -> bool:
    asked = Request(action, "arn:aws:x:::y", {"aws:PrincipalArn": principal}, ("AWS", principal))
    return allows([document], asked)


@pytest.mark.parametrize(
    ("service", "action", "function"),
    [
        ("bedrock", "bedrock:ListFoundationModels", "models"),
        ("bedrock-runtime", "bedrock:InvokeModel", "invoke"),
        ("bedrock-runtime", "bedrock:InvokeModelWithResponseStream", "stream"),
        ("dynamodb", "dynamodb:UpdateItem", "sweep"),
        ("kms", "kms:Encrypt", "stream"),
        ("s3", "s3:PutObject", "aggregate"),
        ("sqs", "sqs:SendMessage", "invoke"),
    ],
)
def test_functions_get_through_and_strangers_do_not(
    endpoints: dict[str, dict[str, Any]], service: str, action: str, function: str
) -> None:
    document = endpoints[service]

    assert _passes(document, action, UNIT.role(f"tollgate-dev-{function}").arn)
    assert not [stranger for stranger in STRANGERS if _passes(document, action, stranger)]


def test_endpoints_let_sessions_of_this_unit_through(endpoints: dict[str, Any]) -> None:
    silo = UNIT.role("tollgate/tollgate-dev/initech", "999999999999").arn

    assert _passes(endpoints["bedrock-runtime"], "bedrock:InvokeModel", silo)
    assert not _passes(endpoints["bedrock-runtime"], "bedrock:CreateInferenceProfile", silo)


def test_no_endpoint_lets_through_what_no_function_does(endpoints: dict[str, Any]) -> None:
    asked = (
        "bedrock-mantle:CreateInference",
        "dynamodb:DeleteTable",
        "kms:ScheduleKeyDeletion",
        "s3:DeleteBucket",
        "s3:PutBucketPolicy",
        "sqs:PurgeQueue",
    )
    through = [
        (service, action)
        for service, document in endpoints.items()
        for action in asked
        if _passes(document, action, UNIT.role("tollgate-dev-invoke").arn)
    ]

    assert endpoints
    assert not [service for service in endpoints if "mantle" in service]
    assert through == []


# --- The role in a silo tenant's account ------------------------------------------------------

EXAMPLE = "modules/tenant_role/examples/basic"


@pytest.fixture(scope="module")
def trust(planner: Planner, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Who may take the role that the module's example makes in the tenant's account."""
    file = str(tmp_path_factory.mktemp("silo") / "saved.tfplan")
    stack = moto.Stack(planner.folder, planner.endpoint, root=EXAMPLE)
    for command in (("init", "-no-color"), ("plan", "-no-color", f"-out={file}")):
        result = stack.terraform(*command)
        assert result.returncode == 0, result.stdout + result.stderr
    shown = stack.terraform("show", "-json", file)
    roles = [
        change["change"]["after"]["assume_role_policy"]
        for change in json.loads(shown.stdout)["resource_changes"]
        if change["type"] == "aws_iam_role"
    ]
    assert len(roles) == 1
    document: dict[str, Any] = json.loads(roles[0])
    return document


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({}, True),
        ({"aws:PrincipalArn": "arn:aws:iam::111122223333:role/tollgate-prod-stream"}, True),
        ({"aws:PrincipalArn": "arn:aws:iam::111122223333:role/tollgate-prod-sweep"}, False),
        ({"aws:PrincipalArn": "arn:aws:iam::111122223333:role/tollgate-dev-invoke"}, False),
        ({"aws:PrincipalArn": "arn:aws:iam::999999999999:role/tollgate-prod-invoke"}, False),
        ({"sts:ExternalId": "tollgate-prod:acme"}, False),
        ({"sts:ExternalId": None}, False),
        ({"aws:RequestTag/tenant": "globex"}, False),
        ({"aws:RequestTag/tenant": None, "aws:TagKeys": ("app",)}, False),
        ({"aws:RequestTag/app": "payroll"}, False),
        ({"aws:RequestTag/app": None, "aws:TagKeys": ("tenant",)}, False),
        ({"aws:RequestTag/role": "admin", "aws:TagKeys": ("app", "tenant", "role")}, False),
    ],
)
def test_who_may_take_a_silos_role(
    trust: dict[str, Any], change: dict[str, Any], *, taken: bool
) -> None:
    context: dict[str, Any] = {
        "aws:PrincipalArn": "arn:aws:iam::111122223333:role/tollgate-prod-invoke",
        "aws:RequestTag/app": "websearch",
        "aws:RequestTag/tenant": "acme",
        "aws:TagKeys": ("app", "tenant"),
        "sts:ExternalId": "tollgate-prod:acme:4f1c",
        **change,
    }
    known = {key: value for key, value in context.items() if value is not None}
    asked = [
        Request(action, "", known, ("AWS", known["aws:PrincipalArn"]))
        for action in ("sts:AssumeRole", "sts:TagSession")
    ]

    assert all(allows([trust], one) for one in asked) is taken
