"""The real OpenAPI document against the local stack: generated requests, valid and not.

Nothing may answer 5xx, or with a status, content type or body that the document does not have.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from scripts.local import contract
from scripts.local.stack import ENVIRONMENTS, LocalStack
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case

pytestmark = pytest.mark.stack

# Two thousand cases take minutes; a few of each operation are part of every run.
SOAK = pytest.mark.soak
CASES = 2_000
A_FEW = 8
TENANT, APP = "customer1", "websearch"
MODEL = "amazon.nova-lite-v1:0"
EMBEDDING_MODEL = "amazon.titan-embed-text-v2:0"

DOCUMENT = contract.read()
OPERATIONS: dict[str, Any] = {
    operation["operationId"]: operation
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
}
# The others have nothing to generate: there is one request of each.
GENERATED = sorted(
    name for name, each in OPERATIONS.items() if "parameters" in each or "requestBody" in each
)
PLAIN = sorted(set(OPERATIONS) - set(GENERATED))
CASES_EACH = -(-CASES // len(GENERATED))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The local environment without a limit of requests, which would answer most of them."""
    folder = tmp_path_factory.mktemp("environments") / "local"
    shutil.copytree(ENVIRONMENTS / "local", folder)
    file = folder / "env.tfvars"
    text, limits = file.read_text("utf-8"), "limits     = { requests_per_minute = 600,"
    assert limits in text
    # So many a minute take shards.
    unlimited = f"shards     = 8\n    {limits.replace('600', '50000')}"
    file.write_text(text.replace(limits, unlimited), "utf-8")
    with LocalStack(folder, delta_seconds=0.0, authorizer_cache_seconds=60) as running:
        yield running


@pytest.fixture(scope="module")
def api(stack: LocalStack) -> Any:  # noqa: ANN401 - a schema
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.config.update(base_url=stack.url)
    return schema


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        yield made


class Caller:
    """Sends cases with the tenant's key, and counts them."""

    def __init__(self, stack: LocalStack, session: requests.Session) -> None:
        key = stack.keys[f"{TENANT}/{APP}/primary"]
        self._headers = {"x-api-key": key, "Authorization": f"Bearer {key}"}
        self._session = session
        self.statuses: list[int] = []

    def send(self, case: Case[Any]) -> None:
        response = case.call(session=self._session, headers=self._headers, timeout=PATIENCE_SECONDS)
        self.statuses.append(response.status_code)
        case.validate_response(response, checks=CHECKS)


def name_what_exists(case: Case[Any]) -> None:
    """Let a valid case be about a model, a profile and a team that the caller may use."""
    model = EMBEDDING_MODEL if "embeddings" in case.path else MODEL
    if isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = model
    for name in ("modelId", "model"):
        if name in (case.path_parameters or {}):
            case.path_parameters[name] = quote(model, safe="")
    if case.path == "/invoke_model":
        case.query["model_id"] = model
        case.headers["team_id"] = TENANT
    if case.path == "/invoke":
        case.headers.pop("tags", None)
        case.headers["inference-profile-id"] = "nova-lite"


@pytest.mark.parametrize("count", [A_FEW, pytest.param(CASES_EACH // 2 + 1, marks=SOAK)])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("name", GENERATED)
def test_generated_requests_are_answered_as_documented(
    stack: LocalStack,
    api: Any,
    session: requests.Session,
    name: str,
    mode: GenerationMode,  # noqa: ANN401
    count: int,
) -> None:
    caller = Caller(stack, session)

    @settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=api.find_operation_by_id(name).as_strategy(generation_mode=mode))
    def send(case: Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE:
            name_what_exists(case)
        caller.send(case)

    send()

    assert len(caller.statuses) >= count


@pytest.mark.parametrize("name", PLAIN)
def test_a_request_without_parameters_is_answered_as_documented(
    stack: LocalStack,
    api: Any,
    session: requests.Session,
    name: str,  # noqa: ANN401
) -> None:
    caller = Caller(stack, session)

    caller.send(api.find_operation_by_id(name).Case())

    assert caller.statuses == [200]


def test_there_are_enough_cases() -> None:
    assert len(GENERATED) * CASES_EACH >= CASES
