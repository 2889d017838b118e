"""What is too large to be kept anywhere is a 400 that names its place, before anything is held."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.world import NOVA_LITE, tenant
from tests.unit.functions.test_converse import (
    ANTHROPIC_BODY,
    BODIES,
    CONVERSE,
    CONVERSE_BODY,
    COUNT,
    COUNT_MESSAGE,
    EMBEDDINGS,
    INVOKE,
    MESSAGES,
    OPENAI_BODY,
    Converse,
)
from tests.unit.functions.test_invoke import Gateway, body_of

if TYPE_CHECKING:
    from tests.unit.services.test_calls import World
    from tollgate.entry.http import Response

ROUTES: dict[str, dict[str, Any]] = {
    **BODIES,
    EMBEDDINGS: {"model": OPENAI_BODY["model"], "input": "hi"},
    COUNT_MESSAGE: {name: ANTHROPIC_BODY[name] for name in ("model", "messages")},
    COUNT: {"input": {"converse": CONVERSE_BODY}},
}
# Under a ceiling of nothing every id is allowed and costs nothing: only its form can refuse it.
ANYTHING = {"models": ("*",), "unpriced": {"input": "0", "output": "0"}}
IDS = {
    "too long": f"amazon.{'x' * 220_000}",
    "beyond the limit": f"amazon.{'x' * 2042}",
    "long version": f"amazon.nova-lite-v1:{'0' * 3000}",
    "long ARN": f"arn:aws:bedrock:us-east-1::foundation-model/amazon.{'x' * 2100}",
    "long region": f"arn:aws:bedrock:us-{'east-' * 50}1::foundation-model/{NOVA_LITE}",
    "long account": f"arn:aws:bedrock:us-east-1:{'1' * 500}:inference-profile/us.{NOVA_LITE}",
    "empty": "",
}


def nothing_is_held(world: World) -> bool:
    held = [account.month_committed for account in world.accounts.scan()]
    return not any(held) and world.open_holds == 0 and world.usage.rows == {}


def message_of(response: Response) -> str:
    body = json.loads(response["body"])
    return str(body.get("error", body)["message"])


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("route", sorted(ROUTES))
def test_a_model_of_no_size_that_is_kept_is_refused_on_every_route(route: str, kind: str) -> None:
    world = Converse()
    world.tenants.tenants["acme"] = tenant(**ANYTHING)
    in_path = "{" in route
    body = ROUTES[route] if in_path else {**ROUTES[route], "model": IDS[kind]}

    response = world.answer(route, body, model=IDS[kind] if in_path else NOVA_LITE)

    assert response["statusCode"] == 400, response["body"][:300]
    assert len(response["body"]) < 5000
    assert nothing_is_held(world)
    assert world.runtime.requests == []


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("route", ["/invoke_model", "/v1/jobs"])
@pytest.mark.parametrize("streaming", ["false", "true"])
def test_so_it_is_on_the_seed_systems_routes(route: str, kind: str, streaming: str) -> None:
    gateway = Gateway()
    gateway.tenants.tenants["acme"] = tenant(**ANYTHING)
    if route == "/v1/jobs":
        turn = {"role": "user", "content": [{"text": "hi"}]}
        response = gateway.send("/v1/jobs", {"model": IDS[kind], "messages": [turn]})
    else:
        response = gateway.post(query={"model_id": IDS[kind]}, streaming=streaming)

    assert response["statusCode"] == 400, response["body"][:300]
    assert len(response["body"]) < 5000
    assert nothing_is_held(gateway)
    assert gateway.queue.sent == []


NUMBERS = ["1e400", "-1e400", str(2**63), "NaN", "Infinity", "9" * 5000]
DEEP = "[" * 70 + "]" * 70


@pytest.mark.parametrize("value", [*NUMBERS, DEEP], ids=lambda value: value[:12])
@pytest.mark.parametrize("route", sorted(ROUTES))
def test_json_that_nothing_keeps_is_refused_on_every_route(route: str, value: str) -> None:
    world = Converse()
    text = json.dumps(ROUTES[route])
    body = f'{text[:-1]}, "odd": {value}}}'

    response = world.answer(route, body)

    assert response["statusCode"] == 400
    assert message_of(response).startswith("the body ")
    assert nothing_is_held(world)


@pytest.mark.parametrize("value", [*NUMBERS, DEEP], ids=lambda value: value[:12])
def test_so_it_is_in_json_within_json_and_in_headers(value: str) -> None:
    world = Converse()
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": value}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ]
    chat = next(route for route in BODIES if route.endswith("chat/completions"))
    refused = world.answer(chat, {"model": NOVA_LITE, "messages": messages})

    assert refused["statusCode"] == 400
    assert message_of(refused).startswith("messages[1].tool_calls[0].function.arguments ")
    assert nothing_is_held(world)

    gateway = Gateway()
    tagged = gateway.send("/invoke", [], tags=f'[{{"key": "a", "value": {value}}}]')

    assert tagged["statusCode"] == 400
    assert body_of(tagged)["message"].startswith("the header tags ")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"cursor": "9" * 5000}, "cursor"),
        ({"cursor": f"{'0' * 18}{'9' * 40}"}, "cursor"),
        ({"wait": "1" * 30}, "wait"),
    ],
)
def test_numbers_of_a_query_are_bounded(query: dict[str, str], word: str) -> None:
    gateway = Gateway()
    response = gateway.job(gateway.start(), **query)

    assert response["statusCode"] == 400
    assert body_of(response)["message"].startswith(f"{word} is '")
    assert len(response["body"]) < 300


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": "k" * 256},
        {"Idempotency-Key": "sm\N{LATIN SMALL LETTER O WITH DIAERESIS}r"},
        {"Idempotency-Key": ""},
    ],
)
@pytest.mark.parametrize("route", [CONVERSE, INVOKE, MESSAGES])
def test_a_key_that_is_none_is_refused_before_anything(route: str, headers: dict[str, str]) -> None:
    world = Converse()
    response = world.answer(route, **headers)

    assert response["statusCode"] == 400
    assert "Idempotency-Key" in message_of(response)
    assert nothing_is_held(world)


@pytest.mark.parametrize("given", ["t" * 10_000, "\N{DUCK}", "acme/../x"])
def test_a_team_is_one_of_the_tenants(given: str) -> None:
    gateway = Gateway()
    response = gateway.post(team_id=given)

    assert response["statusCode"] == 403
    assert given not in response["body"]
    assert nothing_is_held(gateway)


@pytest.mark.parametrize("given", ["j" * 10_000, "../jobs", "%00", ""])
def test_a_job_of_no_request_is_unknown(given: str) -> None:
    response = Gateway().job(given)

    assert response["statusCode"] == 404
    assert len(response["body"]) < 300


def test_a_count_of_answers_that_no_row_can_say_is_refused() -> None:
    """10^14 answers of a model at the list price stopped `aggregate` for everybody."""
    world = Converse()
    fields = {"additionalModelRequestFields": {"n": 10**14}}
    response = world.answer(CONVERSE, {**BODIES[CONVERSE], **fields})

    assert response["statusCode"] == 400
    assert nothing_is_held(world)


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_a_body_that_is_refused_is_not_sent_back(route: str) -> None:
    """Neither keys that a caller chose, however long, nor what they hold."""
    world = Converse()
    body: dict[str, Any] = {**ROUTES[route], "k" * 1_000_000: "secret"}
    response = world.answer(route, body)

    assert response["statusCode"] == 400
    assert len(response["body"]) < 5000
    assert "secret" not in response["body"]
