"""What the dialects make of requests, Bedrock takes: the stub refuses what Bedrock refuses.

The requests are those of clients that other providers answer, however Bedrock takes their parts.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.stubs.bedrock.catalogue import Catalogue
from scripts.local.stubs.bedrock.families.pictures import picture
from scripts.local.stubs.bedrock.refusals.claude import BETAS as KNOWN_BETAS
from scripts.local.stubs.bedrock.requests import resolve, validate
from scripts.local.stubs.service_model.requests import Request, check, operation
from tests.fakes.exchanges import request
from tollgate.dialects.anthropic.request import parse_chat as parse_messages
from tollgate.dialects.openai.request import parse_chat as parse_completion
from tollgate.domain.converse import json_blocks
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.claude import BETAS

if TYPE_CHECKING:
    from tollgate.dialects.exchange import ParsedCall

CATALOGUE = Catalogue.from_price_book()
NOVA = "amazon.nova-lite-v1:0"
HAIKU_3_5 = "us.anthropic.claude-3-5-haiku-20241022-v1:0"
HAIKU_4_5 = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
OPUS_4_8 = "us.anthropic.claude-opus-4-8"
LLAMA = "meta.llama3-8b-instruct-v1:0"
MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
CALL = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": ""}}
USE = {"type": "tool_use", "id": "t1", "name": "now", "input": {}}
PDF = base64.b64encode(b"%PDF-1.7").decode()


def taken(parsed: ParsedCall) -> dict[str, Any]:
    """The Converse body that a request became, once the stub has taken it."""
    call = parsed.call
    body: dict[str, Any] = dict(call.body)
    inference = {**body.get("inferenceConfig", {}), "maxTokens": call.max_tokens or 2000}
    (document,) = json_blocks([{**body, "inferenceConfig": inference}])
    given = Request({"modelId": call.model}, body=json.dumps(document).encode())
    check(operation("bedrock-runtime", "Converse"), given, document)
    validate(document, resolve(CATALOGUE, call.model))
    return body


def completion(*messages: dict[str, Any], model: str = HAIKU_4_5, **fields: Any) -> ParsedCall:
    said = list(messages) or [user("Hi")]
    return parse_completion(request({"model": model, "messages": said, **fields}))


def message(*messages: dict[str, Any], model: str = HAIKU_4_5, **fields: Any) -> ParsedCall:
    said = list(messages) or [user("Hi")]
    return parse_messages(request({"model": model, "max_tokens": 2000, "messages": said, **fields}))


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def function(**parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "now", **parameters}}


@pytest.mark.parametrize(
    ("tool", "schema"),
    [
        (function(), {"type": "object", "properties": {}}),
        (function(parameters={}), {"type": "object", "properties": {}}),
        (
            function(parameters={"properties": {"at": {}}}),
            {"type": "object", "properties": {"at": {}}},
        ),
        (function(parameters={"type": ["object", "null"]}), {"type": "object"}),
    ],
)
def test_the_schema_of_a_tool_is_of_an_object(tool: Any, schema: dict[str, Any]) -> None:
    body = taken(completion(tools=[tool]))
    assert body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"] == schema

    parameters = tool["function"].get("parameters", {})
    same = taken(message(tools=[{"name": "now", "input_schema": parameters}]))
    assert same["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"] == schema


def test_no_tool_takes_anything_else() -> None:
    with pytest.raises(InvalidRequestError, match="parameters.type is .string.; allowed is obj"):
        completion(tools=[function(parameters={"type": "string"})])
    with pytest.raises(InvalidRequestError, match="input_schema.type is .array.; allowed is obj"):
        message(tools=[{"name": "now", "input_schema": {"type": "array"}}])


@pytest.mark.parametrize(
    "parsed",
    [
        completion({"role": "system", "content": ""}, user("Hi")),
        completion(user([text(""), text("Hi")])),
        completion(
            user("Hi"),
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "t1", "content": " "},
            tools=[function()],
        ),
        message(system=" "),
        message(user([text("Hi", **MARK), text(" ", **MARK)])),
        message(user([text("", **MARK), text("Hi")]), system=[text("", **MARK)]),
        message(
            user("Hi"),
            {"role": "assistant", "content": [text(""), USE]},
            user([{"type": "tool_result", "tool_use_id": "t1", "content": [text("")]}]),
            tools=[{"name": "now", "input_schema": {}}],
        ),
    ],
)
def test_blank_texts_are_left_out(parsed: ParsedCall) -> None:
    assert '"text": " "' not in json.dumps(taken(parsed))


@pytest.mark.parametrize("blank", ["", " \n", [text("")]])
def test_a_blank_message_is_refused(blank: Any) -> None:
    for parse in (completion, message):
        with pytest.raises(InvalidRequestError, match=r"messages\[0\] is blank; allowed is text"):
            parse(user(blank))
    with pytest.raises(InvalidRequestError, match=r"messages\[1\] is blank"):
        message(user("Hi"), {"role": "assistant", "content": [text("")]})


def test_the_user_begins() -> None:
    for parse in (completion, message):
        with pytest.raises(InvalidRequestError, match=r"messages\[0\] begins the conversation"):
            parse({"role": "assistant", "content": "Hi"}, user("Hi"))


def test_a_document_needs_a_text() -> None:
    file = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}}
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    document = {"type": "document", "source": source}

    for parse, block in ((completion, file), (message, document)):
        with pytest.raises(InvalidRequestError, match="document with no text beside it"):
            parse(user([block]))
        assert taken(parse(user([block]), user("Read.")))


def test_one_mark_is_enough() -> None:
    both = message(user([text("Hi", **MARK)]), **MARK)

    assert taken(both)["messages"][0]["content"][1:] == [{"cachePoint": {"type": "default"}}]


def test_marks_that_lead_nowhere_are_left_out_and_noted() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s", **MARK}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [text("noon", **MARK)]}
    parsed = message(
        user("Hi"),
        {"role": "assistant", "content": [USE, thought]},
        user([result]),
        tools=[{"name": "now", "input_schema": {}}],
    )

    assert "cachePoint" not in json.dumps(taken(parsed))
    assert [note for note in parsed.notes if "cache_control is ignored" in note] == list(
        parsed.notes
    )
    assert len(parsed.notes) == 2


@pytest.mark.parametrize(
    ("model", "places", "notes"),
    [
        (HAIKU_4_5, ["tools", "system", "messages"], []),
        (
            NOVA,
            ["system", "messages"],
            [
                "cache_control is ignored: this model caches nothing there: tools",
                "cache_control.ttl is ignored: this model has one lifetime",
            ],
        ),
        (
            LLAMA,
            [],
            [
                f"cache_control is ignored: this model caches nothing there: {place}"
                for place in ("tools", "system", "messages")
            ],
        ),
    ],
)
def test_a_model_caches_where_it_can(model: str, places: list[str], notes: list[str]) -> None:
    parsed = message(
        user([text("Hi", **HOUR)]),
        model=model,
        system=[text("Rules.", **HOUR)],
        tools=[{"name": "now", "input_schema": {}, **HOUR}],
    )

    body = taken(parsed)
    lists = {
        "tools": body["toolConfig"]["tools"],
        "system": body["system"],
        "messages": body["messages"][0]["content"],
    }
    marked = [place for place, blocks in lists.items() if "cachePoint" in json.dumps(blocks)]
    assert marked == places
    assert list(parsed.notes) == notes


@pytest.mark.parametrize("parse", [completion, message])
@pytest.mark.parametrize(
    ("model", "given", "left"),
    [
        (HAIKU_3_5, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "topP": 0.9}),
        (HAIKU_4_5, {"temperature": 0.5, "top_p": 1}, {"temperature": 0.5}),
        (HAIKU_4_5, {"temperature": 1, "top_p": 0.5}, {"topP": 0.5}),
        (HAIKU_4_5, {"temperature": 1, "top_p": 1}, {"temperature": 1}),
        (HAIKU_4_5, {"top_p": 0.5}, {"topP": 0.5}),
        (OPUS_4_8, {"temperature": 0, "top_p": 0.5}, None),
        (NOVA, {"temperature": 0, "top_p": 0.5}, {"temperature": 0, "topP": 0.5}),
    ],
)
def test_a_model_samples_as_it_can(
    parse: Any, model: str, given: dict[str, Any], left: dict[str, Any] | None
) -> None:
    parsed = parse(model=model, **given)

    assert taken(parsed).get("inferenceConfig") == left
    assert len(parsed.notes) == len(given) - len(left or {})


@pytest.mark.parametrize("parse", [completion, message])
def test_two_samplers_are_one_too_many(parse: Any) -> None:
    with pytest.raises(InvalidRequestError, match="temperature and top_p are both given"):
        parse(temperature=0.5, top_p=0.5)


def test_a_model_that_samples_itself_takes_no_top_k() -> None:
    parsed = message(model=OPUS_4_8, top_k=5)

    assert "additionalModelRequestFields" not in taken(parsed)
    assert parsed.notes == ("top_k is ignored: this model takes none",)


def test_thinking_leaves_out_what_it_cannot_stand() -> None:
    parsed = completion(reasoning_effort="low", temperature=0.2)
    assert "thinking" in taken(parsed)["additionalModelRequestFields"]
    assert parsed.notes == ("temperature is ignored: a model that thinks does not take it",)

    forced = completion(reasoning_effort="low", tools=[function()], tool_choice="required")
    assert "additionalModelRequestFields" not in taken(forced)
    assert forced.notes == (
        "reasoning_effort is ignored: a model that thinks is not made to use a tool",
    )


def test_what_clients_send_is_taken() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture('x')}"}}
    taken(completion(user([text("See"), image]), model=NOVA))
    claude_code = message(
        user([text("Hi", **MARK)]),
        {"role": "system", "content": "Be brief."},
        model=OPUS_4_8,
        system=[text("You are.", **MARK)],
        thinking={"type": "adaptive"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        metadata={"user_id": "u"},
        tools=[{"name": "now", "input_schema": {"type": "object"}, **MARK}],
    )
    taken(claude_code)


def test_every_beta_that_is_handed_on_is_known_to_bedrock() -> None:
    assert set(BETAS) <= KNOWN_BETAS
