"""What the roles of the applied stack may do: what was reviewed, and nothing across tenants.

The policies come from a plan of the real provider and are evaluated, so that a condition that
lets too much through shows even when every statement looks right.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.policy.evaluator import Decision, Request, allows, decide
from tests.stack import moto, permissions

if TYPE_CHECKING:
    from tests.stack.moto import Stack
    from tests.stack.permissions import Resource, Roles

REVIEWED = Path(__file__).parent / "permissions"
TENANT, OTHER = "acme", "globex"
FUNCTIONS = moto.FUNCTIONS
_OF_ONE_TENANT = ("-pool-session", "-tenant-admin")
MODEL_CALLERS = ("invoke", "models", "stream")

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.skipif(moto.UNAVAILABLE is not None, reason=str(moto.UNAVAILABLE)),
    pytest.mark.xdist_group("moto-stack"),
]


@pytest.fixture(scope="module")
def unit(stack: Stack) -> permissions.Unit:
    outputs = stack.outputs()
    account_id = outputs["kms_key_arn"].split(":")[4]
    prefix = outputs["table_names"]["tenants"].removesuffix("-tenants")
    return permissions.Unit(prefix, account_id, moto.REGION)


@pytest.fixture(scope="module")
def everything(stack: Stack, unit: permissions.Unit) -> dict[str, Resource]:
    return unit.everything(stack.outputs()["kms_key_arn"], TENANT, OTHER)


@pytest.fixture(scope="module")
def with_sessions(stack: Stack) -> Roles:
    """The roles as the stack is applied: data of pool tenants is reached through their sessions."""
    return permissions.roles_of(stack.plan())


@pytest.fixture(scope="module")
def without_sessions(stack: Stack) -> Roles:
    """The roles of the same stack without sessions, which is the default."""
    return permissions.roles_of(stack.plan("-var=pool_sessions=false"))


@pytest.fixture(scope="module", params=[False, True], ids=["default", "pool sessions"])
def roles(request: pytest.FixtureRequest) -> Roles:
    name = "with_sessions" if request.param else "without_sessions"
    found: Roles = request.getfixturevalue(name)
    return found


def _session(tenant: str | None, app: str | None = "web") -> dict[str, str]:
    tags = {"tenant": tenant, "app": app}
    return {f"aws:PrincipalTag/{k}": v for k, v in tags.items() if v is not None}


def _function(unit: permissions.Unit, name: str) -> dict[str, str]:
    return {"lambda:SourceFunctionArn": unit.function(name).arn}


def _compare(found: dict[str, Any], name: str, folder: Path) -> None:
    reviewed = REVIEWED / f"{name}.json"
    text = json.dumps(found, indent=2, sort_keys=True) + "\n"
    new = folder / reviewed.name
    new.write_text(text, encoding="utf-8")
    before = reviewed.read_text(encoding="utf-8") if reviewed.is_file() else ""
    difference = "\n".join(
        difflib.unified_diff(
            before.splitlines(), text.splitlines(), "reviewed", "found", lineterm=""
        )
    )
    if difference:
        pytest.fail(f"{difference}\nIf this is wanted: cp {new} {reviewed}", pytrace=False)


@pytest.mark.parametrize("name", ["default", "pool_sessions"])
def test_roles_may_do_what_was_reviewed(
    request: pytest.FixtureRequest,
    unit: permissions.Unit,
    everything: dict[str, Resource],
    name: str,
    tmp_path: Path,
) -> None:
    roles: Roles = request.getfixturevalue(
        "with_sessions" if name == "pool_sessions" else "without_sessions"
    )
    actions = roles.actions | set(permissions.HARMFUL)
    found = {
        role: permissions.matrix(
            roles.policies[role],
            actions,
            everything,
            # What a role of one tenant's sessions may do is what it may do for that tenant.
            _session(TENANT) if role.endswith(_OF_ONE_TENANT) else _function(unit, "invoke"),
        )
        for role in sorted(roles.trusts)
    }

    _compare(found, name, tmp_path)


def test_every_function_has_its_own_role(roles: Roles, unit: permissions.Unit) -> None:
    own = {f"{unit.prefix}-{name}" for name in FUNCTIONS}

    assert own <= set(roles.trusts)
    for name in own:
        for service, trusted in (("lambda.amazonaws.com", True), ("ec2.amazonaws.com", False)):
            document = roles.trusts[name]
            taken = Request("sts:AssumeRole", "", principal=("Service", service))
            assert allows([document], taken) is trusted


@pytest.mark.parametrize("function", MODEL_CALLERS)
def test_functions_that_call_models_are_denied_the_unmetered_endpoint(
    roles: Roles, unit: permissions.Unit, everything: dict[str, Resource], function: str
) -> None:
    for resource in everything.values():
        asked = permissions.request("bedrock-mantle:CreateInference", resource)
        assert decide(roles.policies[f"{unit.prefix}-{function}"], asked) is Decision.DENIED


def test_nobody_may_call_the_unmetered_endpoint(
    roles: Roles, everything: dict[str, Resource]
) -> None:
    for name, documents in roles.policies.items():
        for resource in everything.values():
            asked = permissions.request("bedrock-mantle:CreateInference", resource)
            assert not allows(documents, asked), name


def test_no_managed_policy_gives_a_function_more(roles: Roles, unit: permissions.Unit) -> None:
    own = {f"{unit.prefix}-{name}" for name in FUNCTIONS}

    assert {role: arns for role, arns in roles.attached.items() if role in own} == {}


# --- Sessions of pool tenants -----------------------------------------------------------------


@pytest.fixture
def session_policies(with_sessions: Roles, unit: permissions.Unit) -> list[dict[str, Any]]:
    return with_sessions.policies[f"{unit.prefix}-pool-session"]


def _data_of(unit: permissions.Unit, tenant: str) -> list[tuple[str, Resource]]:
    """Calls that read or write what belongs to one tenant."""
    payload = unit.object("payloads", f"jobs/{tenant}/0001/request.json")
    answer = unit.object("payloads", f"idempotency/{tenant}/0001")
    job = unit.table("streams", f"JOB#{tenant}#0001")
    record = unit.table("streams", f"IDEMPOTENCY#{tenant}#0001")
    return [
        *(
            (action, item)
            for action in ("s3:GetObject", "s3:PutObject")
            for item in (payload, answer)
        ),
        *(
            (action, item)
            for action in ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
            for item in (job, record)
        ),
        ("dynamodb:Query", job),
        *(
            (action, unit.tenant_key(tenant, tenant=tenant))
            for action in ("kms:Decrypt", "kms:GenerateDataKey")
        ),
    ]


def test_a_session_reaches_what_is_its_tenants(
    session_policies: list[dict[str, Any]], unit: permissions.Unit
) -> None:
    for action, resource in _data_of(unit, TENANT):
        asked = permissions.request(action, resource, _session(TENANT))
        assert allows(session_policies, asked), (action, resource)


@pytest.mark.parametrize(
    "owner",
    [
        OTHER,
        # Names that begin or end alike, and one that looks like a pattern.
        f"{TENANT}2",
        f"{TENANT}-eu",
        f"x{TENANT}",
        "*",
    ],
)
def test_a_session_reaches_nothing_of_another_tenant(
    session_policies: list[dict[str, Any]],
    with_sessions: Roles,
    unit: permissions.Unit,
    owner: str,
) -> None:
    actions = with_sessions.actions | set(permissions.HARMFUL)
    for _, resource in _data_of(unit, owner):
        found = permissions.matrix(
            session_policies, actions, {"theirs": resource}, _session(TENANT)
        )
        assert found == {}, resource


def test_a_session_uses_no_key_under_another_tenants_context(
    session_policies: list[dict[str, Any]], unit: permissions.Unit
) -> None:
    # Its own key with another's context, another's key with its own context, and no context.
    for resource in (
        unit.tenant_key(TENANT, tenant=OTHER),
        unit.tenant_key(OTHER, tenant=TENANT),
        unit.tenant_key(TENANT),
    ):
        for action in ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"):
            asked = permissions.request(action, resource, _session(TENANT))
            assert not allows(session_policies, asked), (action, resource)


def test_a_session_cannot_read_past_its_keys(
    session_policies: list[dict[str, Any]], unit: permissions.Unit
) -> None:
    """A request for items of two tenants, and one that names no item."""
    both = unit.table("streams", f"JOB#{TENANT}#1", f"JOB#{OTHER}#1")
    for resource in (both, unit.table("streams")):
        for action in ("BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "Query", "Scan"):
            asked = permissions.request(f"dynamodb:{action}", resource, _session(TENANT))
            assert not allows(session_policies, asked), (action, resource)
    for resource in (unit.bucket("payloads"), unit.bucket("lake")):
        asked = permissions.request("s3:ListBucket", resource, _session(TENANT))
        assert not allows(session_policies, asked)


def test_a_session_without_a_tenant_reaches_nothing(
    session_policies: list[dict[str, Any]],
    with_sessions: Roles,
    unit: permissions.Unit,
) -> None:
    actions = with_sessions.actions | set(permissions.HARMFUL)
    for tenant in (TENANT, "", "${aws:PrincipalTag/tenant}"):
        for _, resource in _data_of(unit, tenant):
            found = permissions.matrix(
                session_policies, actions, {"data": resource}, _session(None, None)
            )
            assert found == {}, resource


def test_with_sessions_no_function_reads_a_tenants_texts_by_itself(
    with_sessions: Roles, unit: permissions.Unit
) -> None:
    for function in ("invoke", "stream"):
        documents = with_sessions.policies[f"{unit.prefix}-{function}"]
        allowed = [
            (action, resource)
            for action, resource in _data_of(unit, TENANT)
            if allows(documents, permissions.request(action, resource, _function(unit, function)))
        ]
        assert allowed == [], function


@pytest.mark.parametrize(
    ("principal", "tags", "taken"),
    [
        ("invoke", {"tenant": TENANT, "app": "web"}, True),
        ("stream", {"tenant": TENANT, "app": "web"}, True),
        ("invoke", {"tenant": TENANT}, True),
        ("invoke", {}, False),
        ("invoke", {"app": "web"}, False),
        ("invoke", {"tenant": TENANT, "role": "admin"}, False),
        ("authorize", {"tenant": TENANT, "app": "web"}, False),
        ("aggregate", {"tenant": TENANT, "app": "web"}, False),
        ("models", {"tenant": TENANT, "app": "web"}, False),
    ],
)
def test_who_may_open_a_session(
    with_sessions: Roles,
    unit: permissions.Unit,
    principal: str,
    tags: dict[str, str],
    *,
    taken: bool,
) -> None:
    """Both sides must agree: the role's trust and the caller's own policy."""
    pool = unit.role(f"tollgate/{unit.prefix}/{unit.prefix}-pool-session")
    caller = unit.role(f"{unit.prefix}-{principal}").arn
    context: dict[str, Any] = {
        "aws:PrincipalArn": caller,
        **{f"aws:RequestTag/{name}": value for name, value in tags.items()},
        **({"aws:TagKeys": tuple(tags)} if tags else {}),
    }
    trust = with_sessions.trusts[f"{unit.prefix}-pool-session"]
    policies = with_sessions.policies[f"{unit.prefix}-{principal}"]

    def both(action: str) -> bool:
        asked = Request(action, pool.arn, context, ("AWS", caller))
        return allows([trust], asked) and allows(policies, asked)

    assert all(both(action) for action in ("sts:AssumeRole", "sts:TagSession")) is taken


def test_functions_take_roles_of_this_unit_only(roles: Roles, unit: permissions.Unit) -> None:
    context = {"aws:RequestTag/tenant": TENANT, "aws:RequestTag/app": "web"}
    keys = {"aws:TagKeys": ("tenant", "app")}
    for function in FUNCTIONS:
        documents = roles.policies[f"{unit.prefix}-{function}"]
        for name, account_id in (
            ("administrator", unit.account_id),
            (f"{unit.prefix}-aggregate", unit.account_id),
            ("tollgate/another-unit/acme", "999999999999"),
            (f"tollgate/{unit.prefix}-eu/acme", "999999999999"),
        ):
            resource = unit.role(name, account_id)
            asked = permissions.request("sts:AssumeRole", resource, {**context, **keys})
            assert not allows(documents, asked), (function, name)
