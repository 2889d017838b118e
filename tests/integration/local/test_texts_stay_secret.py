"""No key, prompt or answer is told: not by a log line, a usage row, a header or an error.

Every route that takes a body is called with a secret in each place where a caller writes text: as
the route wants it, and wrong in one way after the other. A route without a body here fails.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local.logs import FUNCTIONS_LOG, REQUESTS_LOG, logs_in
from scripts.local.stack import LocalStack
from tests.fakes.stored import items
from tests.waiting import PATIENCE_SECONDS, until_job_ends
from tollgate.entry.route_table import ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.stack

MODEL = "amazon.nova-lite-v1:0"
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
SECRET = "classified-quail-481"
TENANT, APP = "customer2", "websearch"


def conversation(text: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}], "system": [{"text": text}]}


def openai(text: object) -> dict[str, Any]:
    function = {"name": "look", "description": text, "parameters": {"type": "object"}}
    return {
        "model": MODEL,
        "messages": [{"role": "system", "content": text}, {"role": "user", "content": text}],
        "tools": [{"type": "function", "function": function}],
        "stop": [text],
        "user": text,
    }


def anthropic(text: object) -> dict[str, Any]:
    return {
        "model": CLAUDE,
        "max_tokens": 50,
        "system": text,
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}],
        "metadata": {"user_id": text},
    }


def counted(text: object) -> dict[str, Any]:
    body = anthropic(text)
    return {name: body[name] for name in ("model", "system", "messages")}


def legacy(text: object) -> dict[str, Any]:
    return {"inputs": text, "parameters": {"maxTokens": 50, "stopSequences": [text]}}


def native(text: object) -> dict[str, Any]:
    return {**conversation(text), "inferenceConfig": {"maxTokens": 50}}


BODIES: Mapping[str, Callable[[object], dict[str, Any]]] = {
    f"/invoke_model?model_id={MODEL}": legacy,
    "/invoke": conversation,
    "/v1/jobs": lambda text: {"model": MODEL, **conversation(text)},
    "/v1/chat/completions": openai,
    "/v1/embeddings": lambda text: {"model": "amazon.titan-embed-text-v2:0", "input": [text]},
    "/v1/messages": anthropic,
    "/v1/messages/count_tokens": counted,
    f"/model/{MODEL}/converse": conversation,
    f"/model/{MODEL}/converse-stream": conversation,
    f"/model/{MODEL}/invoke": native,
    f"/model/{MODEL}/invoke-with-response-stream": native,
    f"/model/{CLAUDE}/count-tokens": lambda text: {"input": {"converse": conversation(text)}},
}
# What a body may have wrong, as the text in it or as a member beside its own.
TEXTS: Mapping[str, object] = {
    "as wanted": SECRET,
    "directed to fail": f"{SECRET} [stub:error=ValidationException]",
    "directed to break": f"{SECRET} [stub:cut=mid-stream]",
    "a list": [SECRET],
    "an object": {"value": SECRET},
    "half a character": f"{SECRET}\ud800",
    "blank": " ",
}


def wrong(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The body with one more member, and with its secret in place of each of its members.

    A model's id is shown to whoever gave a wrong one.
    """
    yield {**body, "surprise": SECRET}
    for name in body.keys() - {"model"}:
        for value in (SECRET, [SECRET], {"a": SECRET}):
            yield {**body, name: value}


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(delta_seconds=0.001) as running:
        lift_limits(running)
        yield running


def lift_limits(stack: LocalStack) -> None:
    limits = dict.fromkeys(("requests_per_minute", "requests_per_day", "tokens_per_minute"))
    document = json.dumps({"expires": 2**40, "limits": limits})
    stack.client("dynamodb").put_item(
        TableName="tollgate-local-tenants",
        Item={"pk": {"S": f"OVERRIDE#{TENANT}"}, "document": {"S": document}},
    )


def test_no_route_is_forgotten() -> None:
    taking = {path for method, path, *_ in ROWS if method == "POST"}
    assert {name.partition("?")[0] for name in BODIES} == {
        path.replace("{modelId}", CLAUDE if path.endswith("count-tokens") else MODEL)
        for path in taking
    }


@pytest.mark.parametrize("route", BODIES)
def test_a_text_goes_to_the_model_and_back_and_nowhere_else(
    stack: LocalStack, route: str, tmp_path: Path
) -> None:
    key = stack.keys[f"{TENANT}/{APP}/primary"]
    headers = {
        "x-api-key": key,
        "Authorization": f"Bearer {key}",
        "team_id": TENANT,
        "inference-profile-id": "nova-lite",
    }
    bodies = [BODIES[route](text) for text in TEXTS.values()]
    bodies += wrong(BODIES[route]("hello"))

    with logs_in(tmp_path):
        statuses = {answered(stack, route, body, headers) for body in bodies}
        stack.sweep()

    assert {200, 400} <= statuses
    logged = (tmp_path / FUNCTIONS_LOG).read_text() + (tmp_path / REQUESTS_LOG).read_text()
    assert '"message":"allowed"' in logged, "nothing was logged at all"
    rows = items(stack.client("dynamodb"), "tollgate-local-usage")
    assert key not in logged
    assert key not in str(rows)
    # Whom a client names as the end user is booked as it is, in the column for that alone.
    texts = [{name: value for name, value in row.items() if name != "end_user"} for row in rows]
    assert SECRET not in logged
    assert SECRET not in str(texts)


def answered(stack: LocalStack, route: str, body: object, headers: Mapping[str, str]) -> int:
    """The status of an answer, whose headers, and whose body where it refuses, tell no secret."""
    answer = requests.post(
        f"{stack.url}{route}", json=body, headers=headers, timeout=PATIENCE_SECONDS
    )
    told = str(answer.headers)
    if answer.status_code >= requests.codes.bad_request:
        told += answer.text
    elif answer.status_code == requests.codes.accepted:
        finish(stack, answer.json()["id"], headers)
    assert SECRET not in told, (body, told)
    assert headers["x-api-key"] not in told
    return 200 if answer.ok else answer.status_code


def finish(stack: LocalStack, job: str, headers: Mapping[str, str]) -> None:
    until_job_ends(
        lambda: requests.get(
            f"{stack.url}/v1/jobs/{job}?wait=5", headers=headers, timeout=PATIENCE_SECONDS
        )
    )
