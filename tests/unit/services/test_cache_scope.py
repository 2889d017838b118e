"""Prompt caches of tenants that call from one account: nobody finds another's prefixes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.world import tenant
from tests.unit.services.test_shapes import CLAUDE, NOVA_LITE
from tollgate.domain.models import resolve_model
from tollgate.domain.prices import load_default
from tollgate.services.shapes import Call, ChatCall, EndpointCall, NativeCall

if TYPE_CHECKING:
    from tollgate.services.shapes import Shape

BOOK = load_default()
POINT = {"cachePoint": {"type": "default"}}
EPHEMERAL = {"type": "ephemeral"}
GUESS = "What another tenant may have said. " * 9
HI = [{"role": "user", "content": [{"text": "hi"}]}]
NATIVE_HI = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
SCHEMA = {"json": {"type": "object"}}


def spec(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"toolSpec": {"name": name, "inputSchema": SCHEMA, **more}}


def chat(model: str = CLAUDE, **body: Any) -> Call:  # noqa: ANN401
    return ChatCall(model, {"messages": HI, **body}, 50, "bedrock.converse")


def native(**body: Any) -> Call:  # noqa: ANN401
    given = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": NATIVE_HI}
    return NativeCall(CLAUDE, {**given, **body}, "bedrock.invoke")


MARKED: dict[str, Call] = {
    "system": chat(system=[{"text": GUESS}, POINT]),
    "messages": chat(messages=[{"role": "user", "content": [{"text": GUESS}, POINT]}]),
    "another family": chat(NOVA_LITE, system=[{"text": GUESS}, POINT]),
    "native system": native(system=[{"type": "text", "text": GUESS, "cache_control": EPHEMERAL}]),
    "native message": native(
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": GUESS, "cache_control": EPHEMERAL}],
            }
        ],
        system="Be brief.",
    ),
}
MARKED_TOOLS: dict[str, Call] = {
    "tools": chat(toolConfig={"tools": [spec("look", description=GUESS), POINT]}),
    "tools without words": chat(toolConfig={"tools": [spec("look"), POINT]}),
    "native tools": native(
        tools=[
            {"type": "bash_20250124", "name": "bash"},
            {
                "name": "look",
                "description": GUESS,
                "input_schema": {"type": "object"},
                "cache_control": EPHEMERAL,
            },
        ]
    ),
}


def shaped(call: Call, tenant_id: str = "acme", **policy: Any) -> Shape:  # noqa: ANN401
    card = BOOK.card(resolve_model(call.model).model_id)
    assert card is not None
    assert not isinstance(call, EndpointCall)
    return call.shaped(card, tenant(tenant_id=tenant_id, **policy))


def sent(call: Call, tenant_id: str = "acme", **policy: Any) -> dict[str, Any]:  # noqa: ANN401
    body: dict[str, Any] = shaped(call, tenant_id, **policy).sent(50)
    return body


def first_system_text(body: dict[str, Any]) -> str:
    system = body["system"]
    text: str = system if isinstance(system, str) else system[0]["text"]
    return text


def first_description(body: dict[str, Any]) -> str:
    """What the model is told first of all tools that have words of the caller's."""
    tools = body["toolConfig"]["tools"] if "toolConfig" in body else body["tools"]
    described = [tool.get("toolSpec", tool) for tool in tools]
    text: str = next(tool["description"] for tool in described if "description" in tool)
    return text


@pytest.mark.parametrize("call", MARKED.values(), ids=list(MARKED))
@pytest.mark.parametrize("preamble", [None, "The company's rules."])
def test_a_cached_prefix_begins_with_the_tenants_own_text(call: Call, preamble: str | None) -> None:
    acme, again, globex = (
        sent(call, name, system_preamble=preamble) for name in ("acme", "acme", "globex")
    )

    assert acme == again
    assert first_system_text(acme) != first_system_text(globex)
    assert "acme" not in json.dumps(acme)
    # All else is as it was said.
    assert preamble is None or json.dumps(acme).count(preamble) == 1
    assert json.dumps(acme).count(GUESS) == 1


@pytest.mark.parametrize("call", MARKED_TOOLS.values(), ids=list(MARKED_TOOLS))
def test_tools_that_are_cached_by_themselves_carry_it_too(call: Call) -> None:
    acme, again, globex = (sent(call, name) for name in ("acme", "acme", "globex"))

    assert acme == again
    assert first_description(acme) != first_description(globex)
    assert first_system_text(acme) != first_system_text(globex)
    assert first_description(acme).startswith(first_system_text(acme))


def test_a_guess_that_begins_like_another_tenants_prompt_is_behind_ones_own_text() -> None:
    theirs = sent(MARKED["system"], "globex")

    guessed = sent(chat(system=theirs["system"]), "acme")

    assert guessed["system"][1:] == theirs["system"]
    assert guessed["system"][0] != theirs["system"][0]


UNMARKED = {
    "system": chat(system=[{"text": GUESS}]),
    "tools": chat(toolConfig={"tools": [spec("look")]}),
    "native": native(system=GUESS),
}


@pytest.mark.parametrize("call", UNMARKED.values(), ids=list(UNMARKED))
def test_what_is_not_cached_is_sent_as_it_was_said(call: Call) -> None:
    assert sent(call, "acme") == sent(call, "globex")


@pytest.mark.parametrize("call", (MARKED | MARKED_TOOLS).values(), ids=[*MARKED, *MARKED_TOOLS])
def test_a_tenant_in_an_account_of_its_own_shares_no_cache(call: Call) -> None:
    assert sent(call, "acme", isolation="silo") == sent(call, "globex", isolation="silo")


def test_the_text_is_held_and_counted() -> None:
    call = MARKED["system"]

    pool, silo = shaped(call), shaped(call, isolation="silo")

    scope = pool.body["system"][0]
    assert pool.counted["converse"]["system"] == [scope, *silo.counted["converse"]["system"]]
    assert pool.countable == pool.body
    assert pool.input_tokens >= silo.input_tokens + len(scope["text"])
