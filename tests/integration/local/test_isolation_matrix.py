"""One tenant's key on every route, with every kind of object that is another tenant's.

The cases are made from the OpenAPI document: each operation, each place in its request that can
name an object, each kind of object that such a place can name. `MATRIX` says what must come out of
that, so that a new operation, parameter or property that could reach another tenant fails here
first.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import requests

from scripts.local import contract
from scripts.local.ministack import ACCOUNT_ID, REGION
from scripts.local.stack import ENVIRONMENTS, LocalStack
from tests.fakes.environments import allow_models
from tests.waiting import PATIENCE_SECONDS, until, until_job_ends

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.stack

OURS, THEIRS, APP = "customer1", "customer2", "websearch"
MODEL = "amazon.nova-lite-v1:0"
SECRET = "the-other-tenants-own-words"
TEAM = "team-of-theirs"
ENDPOINT = "llama-of-theirs"
MODEL_ARN = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:provisioned-model/theirs000001"
ENDPOINT_SETTING = f'"{ENDPOINT}" = {{ endpoint = "ep-1", price = {{ per_request = "0.01" }} }}'

# Kinds of objects. What names a model is refused wherever a model is named.
MODELS = ("profile ARN", "profile id", "model ARN", "endpoint")
JOB, TEAMS, TAGS, KEY = "job", ("tenant id as team", "team"), "profile tags", "idempotency key"
TENANT_TAG = "tenant in metadata"
# On every operation: the other tenant's key beside the own one, and its names where no one reads.
EVERYWHERE = ("credential", "identity")

PLACES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("query", "model_id"): MODELS,
    ("query", "model_arn"): MODELS,
    ("path", "modelId"): MODELS,
    ("path", "model"): MODELS,
    ("body", "model"): MODELS,
    ("header", "inference-profile-id"): MODELS,
    ("query", "requestId"): (JOB,),
    ("path", "id"): (JOB,),
    ("header", "team_id"): TEAMS,
    ("header", "tags"): (TAGS,),
    ("header", "Idempotency-Key"): (KEY,),
    ("body", "requestMetadata"): (TENANT_TAG,),
    ("body", "metadata"): (TENANT_TAG,),
}
# Places whose name sounds like one, and which name nothing of a tenant's.
HARMLESS = {
    ("header", "X-Amzn-Bedrock-Service-Tier"),
    ("body", "additionalModelRequestFields"),
    ("body", "additionalModelResponseFieldPaths"),
    ("body", "additional_model_fields"),
    ("body", "modalities"),
    ("body", "prompt_cache_key"),
    ("body", "safety_identifier"),
    ("body", "user"),
}
_SOUNDS_LIKE_ONE = re.compile(
    r"model|profile|arn|app|tenant|team|owner|account|user|key|tag|meta|job|request|ident|\bid|_id",
    re.IGNORECASE,
)

_CALL = {*EVERYWHERE, KEY}
MATRIX: Mapping[str, set[str]] = {
    "listFoundationModels": {*EVERYWHERE},
    "invokeModel": {*_CALL, *MODELS, JOB, *TEAMS},
    "invokeProfile": {*_CALL, *MODELS, TAGS},
    "createJob": {*_CALL, *MODELS},
    "getJob": {*EVERYWHERE, JOB},
    "getUsage": {*EVERYWHERE},
    "listModels": {*EVERYWHERE},
    "getModel": {*EVERYWHERE, *MODELS},
    "createChatCompletion": {*_CALL, *MODELS, TENANT_TAG},
    "createEmbeddings": {*_CALL, *MODELS},
    "createMessage": {*_CALL, *MODELS, TENANT_TAG},
    "countMessageTokens": {*EVERYWHERE, *MODELS, TENANT_TAG},
    "converse": {*_CALL, *MODELS, TENANT_TAG},
    "converseStream": {*_CALL, *MODELS, TENANT_TAG},
    "invokeNativeModel": {*_CALL, *MODELS},
    "invokeNativeModelWithResponseStream": {*_CALL, *MODELS},
    "countTokens": {*EVERYWHERE, *MODELS},
}

DOCUMENT = contract.read()
OPERATIONS: dict[str, tuple[str, str, Any]] = {
    operation["operationId"]: (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


@dataclass
class Ask:
    """A request of an operation."""

    name: str
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    header: dict[str, str] = field(default_factory=dict)
    body: Any = None

    def put(self, place: str, name: str, value: object) -> None:
        getattr(self, place)[name] = value

    def send(self, stack: LocalStack) -> requests.Response:
        path, method, operation = OPERATIONS[self.name]
        key = stack.keys[f"{OURS}/{APP}/primary"]
        for name, value in self.path.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return requests.request(
            method,
            f"{stack.url}{path}",
            params=self.query,
            headers={**credential(operation, key), **self.header},
            json=self.body,
            timeout=PATIENCE_SECONDS,
        )


def credential(operation: Any, key: str) -> dict[str, str]:  # noqa: ANN401
    (scheme,) = operation["security"][0]  # the first, where there are two
    return {"x-api-key": key} if scheme == "x_api_key" else {"Authorization": f"Bearer {key}"}


def example(node: Any) -> Any:  # noqa: ANN401
    if "example" in node:
        return node["example"]
    return next(iter(node["examples"].values()))["value"]


def base(name: str) -> Ask:
    """A request that the own tenant may make: the document's own example."""
    _, _, operation = OPERATIONS[name]
    ask = Ask(name)
    for parameter in operation.get("parameters", []):
        if "example" in parameter:
            ask.put(parameter["in"], parameter["name"], parameter["example"])
    if "requestBody" in operation:
        ask.body = copy.deepcopy(example(operation["requestBody"]["content"]["application/json"]))
    return ask


def properties(schema: Any) -> set[str]:  # noqa: ANN401
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    found = set(schema.get("properties", {}))
    return found.union(*(properties(one) for one in schema.get("oneOf", [])))


def places(name: str) -> set[tuple[str, str]]:
    """Every parameter of an operation and every property of its body."""
    _, _, operation = OPERATIONS[name]
    found = {(each["in"], each["name"]) for each in operation.get("parameters", [])}
    for media in operation.get("requestBody", {}).get("content", {}).values():
        found |= {("body", each) for each in properties(media["schema"])}
    return found


def cases() -> list[tuple[str, tuple[str, str] | None, str]]:
    """(operation, place, kind of object); the place of what goes everywhere is None."""
    found: list[tuple[str, tuple[str, str] | None, str]] = [
        (name, place, kind)
        for name in OPERATIONS
        for place in sorted(places(name) & set(PLACES))
        for kind in PLACES[place]
    ]
    return found + [(name, None, kind) for name in OPERATIONS for kind in EVERYWHERE]


def test_the_matrix_has_every_operation_and_every_place() -> None:
    made: dict[str, set[str]] = {name: set() for name in OPERATIONS}
    for name, _, kind in cases():
        made[name].add(kind)

    assert made == MATRIX
    for name in OPERATIONS:
        unknown = {
            place
            for place in places(name) - set(PLACES) - HARMLESS
            if _SOUNDS_LIKE_ONE.search(place[1])
        }
        assert not unknown, f"{name}: may {unknown} name an object of another tenant's?"


# --- The world --------------------------------------------------------------------------------


def environment(folder: Path) -> Path:
    """The local environment, whose second tenant has one of everything."""
    made = folder / "local"
    shutil.copytree(ENVIRONMENTS / "local", made)
    settings, opening = made / "env.tfvars", "sagemaker_endpoints = {"
    text = settings.read_text("utf-8").replace(opening, f"{opening}\n  {ENDPOINT_SETTING}", 1)
    settings.write_text(text, "utf-8")
    theirs = made / "tenants" / f"{THEIRS}.tfvars"
    allow_models(theirs, ENDPOINT)
    text = theirs.read_text("utf-8")
    text += f'\nteams = ["{TEAM}"]\nmodel_arns = {{ "{MODEL_ARN}" = "{MODEL}" }}\n'
    theirs.write_text(text, "utf-8")
    return made


@dataclass
class World:
    """The stack, with what the other tenant did before."""

    stack: LocalStack
    database: Any
    profile: str
    job: str
    own_job: str

    @property
    def objects(self) -> dict[str, Any]:
        """The other tenant's objects by kind."""
        return {
            "profile ARN": self.profile,
            "profile id": self.profile.rpartition("/")[2],
            "model ARN": MODEL_ARN,
            "endpoint": ENDPOINT,
            JOB: self.job,
            "tenant id as team": THEIRS,
            "team": TEAM,
            TAGS: json.dumps([{"key": "TenantID", "value": "Customer-2"}]),
            TENANT_TAG: {"tenant": THEIRS, "user_id": THEIRS},
        }

    @property
    def inventions(self) -> dict[str, Any]:
        """Objects of the same form that nobody has."""
        nobody = hashlib.sha256(b"nobody").hexdigest()[:12]
        arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}"
        return {
            "profile ARN": f"{arn}:application-inference-profile/{nobody}",
            "profile id": nobody,
            "model ARN": f"{arn}:provisioned-model/{nobody}",
            "endpoint": "llama-of-nobody",
            JOB: str(uuid4()),
            "tenant id as team": "nobody",
            "team": "team-of-nobody",
            TAGS: json.dumps([{"key": "TenantID", "value": "Nobody"}]),
        }

    def state(self) -> tuple[int, dict[str, Any]]:
        """How many calls went out, and the accounts, in one of which every call leaves a trace.

        A job that was started before has ended: nothing changes by itself any more.
        """

        def at_rest() -> list[dict[str, Any]]:
            found = self.database.scan(TableName="tollgate-local-accounts")["Items"]
            return [] if any(item["holds"]["M"] for item in found) else [found]

        (scanned,) = until(at_rest, "the end of all calls")
        accounts = {item["account_id"]["S"]: item for item in scanned}
        return len(self.stack.calls()) + len(self.stack.sagemaker.calls()), accounts

    def marks(self) -> list[str]:
        """What only the other tenant's answers may hold."""
        named = [THEIRS, "Customer-2", "Customer 2", "CC-1002", SECRET, TEAM, ENDPOINT, MODEL_ARN]
        keys = [key for name, key in self.stack.keys.items() if name.startswith(THEIRS)]
        return [*named, *keys, self.profile, self.profile.rpartition("/")[2], self.job]


def profile_arn(database: Any) -> str:  # noqa: ANN401
    """The other tenant's inference profile of the model that both may call."""
    item = database.get_item(
        TableName="tollgate-local-tenants", Key={"pk": {"S": f"TENANT#{THEIRS}"}}
    )["Item"]
    app = json.loads(item["document"]["S"])["apps"][APP]
    return str(app["inference_profiles"]["nova-lite"]["arn"])


def run_job(stack: LocalStack, tenant: str, text: str) -> str:
    key = stack.keys[f"{tenant}/{APP}/primary"]
    headers = {"Authorization": f"Bearer {key}", "x-api-key": key, "team_id": tenant}
    started = requests.post(
        f"{stack.url}/invoke_model?model_id={MODEL}",
        json={"inputs": text},
        headers={**headers, "streaming": "true"},
        timeout=PATIENCE_SECONDS,
    )
    job = str(started.json()[0]["request_id"])
    poll = partial(
        requests.get,
        f"{stack.url}/v1/jobs/{job}?wait=5",
        headers=headers,
        timeout=PATIENCE_SECONDS,
    )
    assert until_job_ends(poll)["status"] == "succeeded"
    return job


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = environment(tmp_path_factory.mktemp("environments"))
    with LocalStack(folder, delta_seconds=0.001) as stack:
        database = stack.client("dynamodb")
        yield World(
            stack,
            database,
            profile_arn(database),
            run_job(stack, THEIRS, SECRET),
            run_job(stack, OURS, "mine"),
        )


def own(world: World, name: str) -> Ask:
    ask = base(name)
    if "id" in ask.path:
        ask.path["id"] = world.own_job
        ask.query["wait"] = "0"
    return ask


_EXAMPLES = re.compile(r"(?<=this key may call ).+(?=, for example)")


def told(response: requests.Response, sent: object) -> tuple[int, str, str]:
    """Status, code and message of a refusal, without what was sent.

    Nor with the models that it names: which of the caller's own are nearest depends on what was
    sent, whether that is anybody's or not.
    """
    body = response.json()
    error = body.get("error", body)
    text = json.dumps(sent) if not isinstance(sent, str) else sent
    code = error.get("code") or body["code"]
    message = error["message"].replace(text, "it")
    return response.status_code, code, _EXAMPLES.sub("some", message)


def assert_nothing_of_theirs(world: World, response: requests.Response, sent: object) -> None:
    text = response.text + str(response.headers)
    spoken = sent if isinstance(sent, str) else json.dumps(sent)
    for form in (spoken, json.dumps(spoken)[1:-1]):
        text = text.replace(form, "")
    assert not [mark for mark in world.marks() if mark in text]


def only_theirs(accounts: Mapping[str, Any]) -> dict[str, Any]:
    return {account_id: item for account_id, item in accounts.items() if THEIRS in account_id}


# --- The matrix -------------------------------------------------------------------------------

REFUSED = {*MODELS, JOB, *TEAMS, TAGS}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_documents_example_is_answered(world: World, name: str) -> None:
    response = own(world, name).send(world.stack)

    assert response.ok, response.text
    assert response.headers["x-tenant-id"] == OURS
    assert_nothing_of_theirs(world, response, "")


@pytest.mark.parametrize(
    ("name", "place", "kind"),
    [case for case in cases() if case[2] in REFUSED],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_anothers_object_is_refused_as_if_it_were_not_there(
    world: World, name: str, place: tuple[str, str], kind: str
) -> None:
    theirs, invented = own(world, name), own(world, name)
    if name == "invokeProfile":
        # One of the two headers that choose a profile.
        theirs.header, invented.header = {}, {}
    if not isinstance(theirs.body, dict) and place[0] == "body":
        pytest.skip("the example's body has no properties")
    theirs.put(*place, world.objects[kind])
    invented.put(*place, world.inventions[kind])
    before = world.state()

    answers = theirs.send(world.stack), invented.send(world.stack)

    assert world.state() == before
    refusals = [
        told(answer, made[kind])
        for answer, made in zip(answers, (world.objects, world.inventions), strict=True)
    ]
    if kind == "endpoint" and place == ("query", "model_id"):
        # Endpoints are the deployment's: which there are is no secret of a tenant's.
        assert refusals[0][:2] == (403, "model_not_allowed")
    else:
        assert refusals[0] == refusals[1]
    assert refusals[0][0] in ({400} if _is_no_form(name, kind, place) else {403, 404})
    for answer in answers:
        assert_nothing_of_theirs(world, answer, world.objects[kind])


def _is_no_form(name: str, kind: str, place: tuple[str, str]) -> bool:
    """Whether the operation does not know objects of that form at all, whoever's they are."""
    if name == "createEmbeddings" and "ARN" in kind:
        return True
    reads_ids_only = place in {("query", "model_id"), ("path", "modelId"), ("body", "model")}
    if kind == "endpoint":
        return reads_ids_only and place != ("query", "model_id")
    return kind == "profile id" and reads_ids_only


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, place, kind in cases() if place is None]
)
def test_only_the_own_credential_says_who_calls(world: World, name: str, kind: str) -> None:
    ask = own(world, name)
    key = world.stack.keys[f"{THEIRS}/{APP}/primary"]
    if kind == "credential":
        _, _, operation = OPERATIONS[name]
        other = {"x-api-key": key, "Authorization": f"Bearer {key}"}
        for header in credential(operation, key):
            del other[header]
        ask.header |= other
    else:
        ask.query |= {"tenant_id": THEIRS, "app_id": APP, "team": TEAM}
        ask.header |= {"x-tenant-id": THEIRS, "x-app-id": APP, "x-forwarded-user": THEIRS}
    assert_is_own(world, ask, key if kind == "credential" else THEIRS)


@pytest.mark.parametrize(
    ("name", "place"), [(name, place) for name, place, kind in cases() if kind == TENANT_TAG]
)
def test_metadata_does_not_change_whose_call_it_is(
    world: World, name: str, place: tuple[str, str]
) -> None:
    ask = own(world, name)
    ask.put(*place, {"tenant": THEIRS} if place[1] == "requestMetadata" else {"user_id": THEIRS})
    assert_is_own(world, ask, THEIRS)


def assert_is_own(world: World, ask: Ask, sent: str) -> None:
    calls = len(world.stack.calls())
    _, accounts = world.state()

    response = ask.send(world.stack)

    assert response.ok, response.text
    assert response.headers["x-tenant-id"] == OURS
    assert_nothing_of_theirs(world, response, sent)
    made = world.stack.calls()[calls:]
    assert THEIRS not in json.dumps([call.get("requestMetadata") for call in made])
    _, after = world.state()
    assert only_theirs(after) == only_theirs(accounts)


@pytest.mark.parametrize("name", [name for name, _, kind in cases() if kind == KEY])
def test_anothers_idempotency_key_repeats_nothing_of_theirs(world: World, name: str) -> None:
    """The same key on the same request: each tenant has its own first answer."""
    key = uuid4().hex
    theirs, ours = own(world, name), own(world, name)
    for ask in (theirs, ours):
        ask.header["Idempotency-Key"] = key
    path, _, operation = OPERATIONS[name]
    value = world.stack.keys[f"{THEIRS}/{APP}/primary"]
    theirs.header |= credential(operation, value)
    if "team_id" in theirs.header:
        theirs.header["team_id"] = THEIRS
    first = theirs.send(world.stack)
    assert first.ok, first.text
    assert first.headers["x-tenant-id"] == THEIRS, path

    response = ours.send(world.stack)

    assert response.ok, response.text
    assert response.headers["x-tenant-id"] == OURS
    assert "x-tollgate-replayed" not in response.headers
    assert response.headers["x-request-id"] != first.headers["x-request-id"]
    assert_nothing_of_theirs(world, response, "")
