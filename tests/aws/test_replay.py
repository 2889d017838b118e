"""Whatever the functions ask of AWS is what AWS would let them do: no less, and no more.

The local stack runs every path of every function while each call is recorded. A call's parameters
are checked against the service's model, and what AWS asks IAM for it is decided by the policies
that Terraform would give the role, with a simulator that knows AWS's actions and conditions.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.ministack import ACCOUNT_ID
from scripts.local.provision import PREFIX
from scripts.local.stack import LocalStack
from scripts.local.stubs.service_model.requests import operation
from scripts.local.stubs.service_model.shapes import violations
from tests.aws import kinds, paths, roles, simulator
from tests.aws.authorizations import UNIT_KEY_ARN, Asked, World
from tests.aws.recorder import recording
from tests.aws.service_calls import made_by_services
from tests.fakes import stored
from tests.fakes.environments import SILO_ACCOUNT_ID, SILO_ROLE_ARN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.aws.recorder import Call, Session
    from tests.aws.roles import Roles
    from tests.aws.simulator import Decision, Request

_MISSING = roles.UNAVAILABLE or simulator.UNAVAILABLE

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.skipif(_MISSING is not None, reason=f"NOT CHECKED: {_MISSING}"),
    # A run of every path serves all tests, so one worker.
    pytest.mark.xdist_group("replay"),
]

FUNCTIONS = ("aggregate", "authorize", "converse", "invoke", "models", "stream", "sweep")
SESSION_ROLE = f"{PREFIX}-pool-session"
SILO_ROLE = "silo"


def data_keys_of(*functions: str) -> set[tuple[str, str, str]]:
    """A grant as it is compared: its policy, the Sid, and one of its actions or resources."""
    return {
        (f'module.function["{name}"].aws_iam_role_policy.this', "UseKey", "kms:GenerateDataKey")
        for name in functions
    }


# What is granted and asked for by no call. One statement is for all functions: these store nothing
# but through DynamoDB, which asks for decryption alone; of the others each makes data keys.
UNUSED = data_keys_of("authorize", "models", "stream")
# What `converse` stores it then stores in a session.
UNUSED_WITH_SESSIONS = data_keys_of("converse")


@dataclass
class Replay:
    """One run: its calls, and the roles that AWS would decide by."""

    calls: list[Call]
    roles: Roles
    silo: Roles
    world: World
    all_on: bool

    @property
    def policies(self) -> dict[str, simulator.Document]:
        """The policies of all roles by their address."""
        return {**self.roles.policies, **self.silo.policies}

    @cached_property
    def of_functions(self) -> list[tuple[Request, Decision]]:
        """What the functions ask for."""
        return self.decide(self.requests(self.calls))

    @cached_property
    def of_services(self) -> list[tuple[Request, Decision]]:
        """What services do with the functions' roles."""
        return self.decide(
            self.request(asked, role)
            for function in FUNCTIONS
            for role, asked in made_by_services(self.world, function, in_network=self.all_on)
        )

    def decide(self, requests: Iterable[Request]) -> list[tuple[Request, Decision]]:
        """Each request once, with what AWS would say."""
        listed = list({repr(request): request for request in requests}.values())
        return list(zip(listed, simulator.decide(self.policies, listed), strict=True))

    def requests(self, calls: Iterable[Call]) -> Iterator[Request]:
        """What AWS asks IAM for each call."""
        for call in calls:
            for asked in self.world.asked(call):
                yield self.request(asked, f"{PREFIX}-{call.function}", call.session)

    def request(self, asked: Asked, role: str, session: Session | None = None) -> Request:
        """An authorization in the name of a role, or of a session of another that it opened."""
        account, path, tags = ACCOUNT_ID, "", {}
        if session is not None:
            is_silo = session.role_arn == SILO_ROLE_ARN
            account = SILO_ACCOUNT_ID if is_silo else ACCOUNT_ID
            role, path = (SILO_ROLE if is_silo else SESSION_ROLE), f"tollgate/{PREFIX}/"
            tags = {f"aws:PrincipalTag/{key}": value for key, value in session.tags.items()}
        arn = f"arn:aws:iam::{account}:role/{path}{role}"
        owner, policy = self._owner(asked, account)
        return simulator.Request(
            principal=f"arn:aws:sts::{account}:assumed-role/{role}/session",
            action=asked.action,
            resource=asked.resource,
            account=owner,
            context={**asked.context, **tags, "aws:PrincipalArn": arn},
            policies={**self.roles.policies_of, **self.silo.policies_of}.get(role, ()),
            resource_policy=policy,
        )

    def _owner(self, asked: Asked, caller: str) -> tuple[str, simulator.Document | None]:
        """Whose the resource is, and the policy that it has of its own."""
        if asked.action.startswith("sts:"):
            if asked.resource == SILO_ROLE_ARN:
                return SILO_ACCOUNT_ID, self.silo.trusts[SILO_ROLE]
            return ACCOUNT_ID, self.roles.trusts.get(SESSION_ROLE)
        if asked.action.startswith("kms:"):
            of_unit = asked.resource == UNIT_KEY_ARN
            keys = self.roles.keys.items()
            return ACCOUNT_ID, next(
                policy for name, policy in keys if name.startswith("aws_kms_key.") is of_unit
            )
        return caller, None


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paths.environment(tmp_path_factory.mktemp("environments"))


@pytest.fixture(scope="module")
def made(environment: Path) -> dict[str, Roles]:
    """The roles by run of terraform/tests/roles."""
    return roles.planned(environment)


@pytest.fixture(scope="module", params=["plain", "everything"])
def replay(request: pytest.FixtureRequest, environment: Path, made: dict[str, Roles]) -> Replay:
    """All calls, without and with invocation logs and pool sessions."""
    all_on = request.param == "everything"
    calls: list[Call] = []
    with (
        recording(calls.append),
        LocalStack(environment, invocation_logs=all_on, pool_sessions=all_on) as stack,
    ):
        paths.exercise(stack)
        world = known(stack)
    return Replay(calls, made[request.param], made["silo"], world, all_on)


def known(stack: LocalStack) -> World:
    """What AWS knows of the stack's keys and profiles."""
    keys = stack.client("kms")
    aliases: dict[str, list[str]] = {}
    for alias in keys.list_aliases()["Aliases"]:
        key = keys.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]["Arn"]
        aliases.setdefault(key, []).append(alias["AliasName"])
    tags: dict[str, dict[str, str]] = {}
    for item in stored.items(stack.client("dynamodb"), f"{PREFIX}-tenants"):
        policy = json.loads(item.get("document", "{}"))
        for app, made in policy.get("apps", {}).items():
            for profile in made.get("inference_profiles", {}).values():
                names = {"tollgate-unit": PREFIX, "tenant": policy["tenant_id"], "app": app}
                tags[profile["arn"]] = names
    return World(aliases, tags, stack.deployment.models_by_profile_arn)


def refused(decided: Iterable[tuple[Request, Decision]]) -> list[str]:
    return [shown(*one) for one in decided if not one[1].is_allowed]


def shown(request: Request, decision: Decision) -> str:
    role = request.principal.split("/")[1]
    return f"{role}: {request.action} on {request.resource}: {decision.result}, {decision.reason}"


# --- What is called -----------------------------------------------------------------------------


def test_what_is_sent_is_what_the_service_takes(replay: Replay) -> None:
    """botocore checks names, types and `min` alone before it sends."""
    found = {
        f"{call.service}:{call.operation}: {violation}"
        for call in replay.calls
        for violation in violations(
            operation(call.service, call.operation).input_shape, as_json(call.parameters), ""
        )
    }
    assert found == set()


def as_json(value: Any) -> Any:
    """A value as it travels, bytes as base64."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value


def test_their_kinds_are_those_that_other_tests_are_held_to(replay: Replay, tmp_path: Path) -> None:
    run = "everything" if replay.all_on else "plain"
    found = {**kinds.known(), run: sorted(set().union(*map(kinds.kinds_of, replay.calls)))}
    new = tmp_path / kinds.FILE.name
    new.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    assert found == kinds.known(), f"if this is wanted: cp {new} {kinds.FILE}"


def test_every_call_is_allowed(replay: Replay) -> None:
    assert refused(replay.of_functions) == []


# --- What is granted ----------------------------------------------------------------------------


def test_every_grant_is_used(replay: Replay) -> None:
    """Each action of a statement by some call, and each of its resources."""
    used = {
        (policy, sid, part)
        for request, decision in (*replay.of_functions, *replay.of_services)
        for policy, sid, resource in decision.used
        for part in (request.action, resource)
    }
    callers = {f"{PREFIX}-{name}" for name in FUNCTIONS} | {SESSION_ROLE, SILO_ROLE}
    of_roles = {**replay.roles.policies_of, **replay.silo.policies_of}
    granted = {
        (name, statement["Sid"], part)
        for role, names in of_roles.items()
        if role.removesuffix("-schedule") in callers
        for name in names
        for statement in replay.policies[name]["Statement"]
        if statement["Effect"] == "Allow"
        for part in (*as_list(statement["Action"]), *as_list(statement["Resource"]))
    }
    unused = UNUSED | UNUSED_WITH_SESSIONS if replay.all_on else UNUSED
    assert sorted(granted - used) == sorted(unused)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_services_may_do_what_they_do(replay: Replay) -> None:
    assert refused(replay.of_services) == []


@pytest.mark.parametrize("run", ["plain", "everything", "silo"])
def test_policies_say_what_aws_knows(made: dict[str, Roles], run: str) -> None:
    """Actions that there are, on resources that they take, under conditions that they have."""
    documents = {**made[run].policies, **made[run].trusts}
    assert documents
    assert simulator.problems(documents) == {}


# --- What is another tenant's -------------------------------------------------------------------

# What sessions of all tenants share: models, guardrails and endpoints, which a tenant's policy
# lets it call, and the deployment's key, which opens nothing but through its table and bucket.
SHARED = ("bedrock:", "sagemaker:")


def test_no_session_does_the_same_for_another_tenant(replay: Replay) -> None:
    """Each call of a session on what is its tenant's, as another tenant's session would make it."""
    calls = [
        call
        for call in replay.calls
        if call.session is not None and call.session.role_arn != SILO_ROLE_ARN
    ]
    assert bool(calls) is replay.all_on
    others = [
        replace(call, session=replace(call.session, tags={**call.session.tags, "tenant": other}))
        for call in calls
        for other in ("globex", f"{call.session.tags['tenant']}2", "*")
    ]
    allowed = [
        shown(request, decision)
        for request, decision in replay.decide(replay.requests(others))
        if decision.is_allowed and not is_shared(request)
    ]
    assert allowed == []


def is_shared(request: Request) -> bool:
    own = (":application-inference-profile/", ":provisioned-model/")
    if any(kind in request.resource for kind in own):
        return False
    return request.action.startswith(SHARED) or request.resource == UNIT_KEY_ARN


@pytest.mark.parametrize("replay", ["everything"], indirect=True)
def test_with_sessions_no_function_does_it_by_itself(replay: Replay) -> None:
    """What is a tenant's is reached in a session, and with no function's own role."""
    calls = [replace(call, session=None) for call in replay.calls if call.session is not None]
    allowed = [
        shown(request, decision)
        for request, decision in replay.decide(replay.requests(calls))
        if decision.is_allowed and request.resource != UNIT_KEY_ARN
    ]
    assert allowed == []
