"""The first seed system's wire format."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.fakes.world import NOVA_LITE, caller
from tollgate.calls import ChatCall
from tollgate.dialects import legacy
from tollgate.domain.errors import ForbiddenError, InvalidRequestError
from tollgate.domain.prices import Cost, TokenUsage
from tollgate.http import Request
from tollgate.pipeline import Answer

CHAT = {"messages_api": "true"}
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


def request(
    body: object = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> Request:
    return Request(
        request_id="gw-1",
        caller=caller(),
        path={},
        query={"model_id": NOVA_LITE} if query is None else query,
        headers={"team_id": "acme", **(headers or {})},
        body=json.dumps(body if body is not None else {"inputs": "hello"}).encode(),
    )


def parse(body: object, headers: dict[str, str] | None = None) -> ChatCall:
    return legacy.parse_call(request(body, headers))


def test_the_team_must_be_the_keys_tenant() -> None:
    legacy.check_team(request())
    with pytest.raises(ForbiddenError) as refused:
        legacy.check_team(request(headers={"team_id": "globex"}))
    assert refused.value.code == "tenant_mismatch"
    with pytest.raises(InvalidRequestError, match=r"Missing required request parameters: \[team"):
        legacy.check_team(request(headers={"team_id": " "}))


def test_a_chat_becomes_a_converse_request() -> None:
    call = parse(
        {
            "inputs": HELLO,
            "parameters": {
                "maxTokens": 50,
                "temperature": 0.1,
                "topP": 1,
                "stopSequences": ["END"],
                "system": "Be brief.",
            },
            "tool_config": {"tools": []},
            "additional_model_fields": {"top_k": 5},
        },
        CHAT,
    )

    assert call == ChatCall(
        model=NOVA_LITE,
        body={
            "messages": HELLO,
            "system": [{"text": "Be brief."}],
            "toolConfig": {"tools": []},
            "additionalModelRequestFields": {"top_k": 5},
            "inferenceConfig": {"temperature": 0.1, "topP": 1, "stopSequences": ["END"]},
        },
        max_tokens=50,
        dialect="legacy.chat",
    )


@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_the_chat_header_may_be_capitalised(value: str) -> None:
    assert parse({"inputs": HELLO}, {"messages_api": value}).dialect == legacy.CHAT


def test_media_arrive_as_bytes_also_inside_tool_results() -> None:
    encoded = base64.b64encode(b"\x89PNG").decode()
    image = {"image": {"format": "png", "source": {"bytes": encoded}}}
    result = {"toolResult": {"toolUseId": "t", "content": [image, {"text": "x"}]}}

    call = parse({"inputs": [{"role": "user", "content": [image, result]}]}, CHAT)

    first, second = call.body["messages"][0]["content"]
    assert first["image"]["source"] == {"bytes": b"\x89PNG"}
    assert second["toolResult"]["content"][0]["image"]["source"] == {"bytes": b"\x89PNG"}


@pytest.mark.parametrize(
    "name",
    ["maxTokens", "max_tokens", "maxTokenCount", "max_tokens_to_sample", "max_gen_len"],
)
def test_a_prompt_takes_the_providers_own_names(name: str) -> None:
    call = parse({"inputs": "hi", "parameters": {name: 9, "top_p": 0.5, "top_k": 3}})

    assert call.max_tokens == 9
    assert call.body["inferenceConfig"] == {"topP": 0.5}
    assert call.body["additionalModelRequestFields"] == {"top_k": 3}
    assert call.body["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]
    assert call.dialect == "legacy.prompt"


def test_a_bare_prompt_sends_nothing_else() -> None:
    assert set(parse({"inputs": "hi"}).body) == {"messages"}


IMAGE_FROM_BUCKET = {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://x/y"}}}}


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        ([], {}, "the body is an array; allowed is a JSON object"),
        ({"input": "x"}, {}, "unknown key 'input'; allowed are additional_model_fields, inputs"),
        ({}, {}, "inputs is null; allowed without the header messages_api is a prompt"),
        ({"inputs": ""}, {}, "inputs is empty"),
        ({"inputs": HELLO}, {}, "inputs is an array; allowed without the header messages_api"),
        ({"inputs": "x"}, CHAT, "inputs is a string; allowed with messages_api"),
        ({"inputs": []}, CHAT, "a non-empty list of Converse messages"),
        ({"inputs": ["x"]}, CHAT, r"inputs\[0\] is a string"),
        ({"inputs": [{"role": "bot", "content": []}]}, CHAT, r"inputs\[0\].role allows"),
        ({"inputs": [{"role": "user", "content": "x"}]}, CHAT, r"content is a string"),
        ({"inputs": [{"role": "user", "content": ["x"]}]}, CHAT, r"content\[0\] allows an object"),
        (
            {"inputs": [{"role": "user", "content": [IMAGE_FROM_BUCKET]}]},
            CHAT,
            "allows an object with base64 bytes only",
        ),
        (
            {"inputs": [{"role": "user", "content": [{"image": {"source": {"bytes": "%"}}}]}]},
            CHAT,
            "is not base64",
        ),
        ({"inputs": HELLO, "parameters": {"max_tokens": 5}}, CHAT, "unknown key 'max_tokens'"),
        ({"inputs": HELLO, "parameters": []}, CHAT, "parameters is an array"),
        ({"inputs": HELLO, "parameters": {"system": 5}}, CHAT, "parameters.system is a number"),
        ({"inputs": "x", "parameters": {"maxTokens": "9"}}, {}, "maxTokens is a string"),
        ({"inputs": "x", "parameters": {"maxTokens": True}}, {}, "maxTokens is a boolean"),
        ({"inputs": "x", "parameters": {"temperature": "hot"}}, {}, "temperature is a string"),
        ({"inputs": "x", "parameters": {"stop": "END"}}, {}, "stopSequences allows a list"),
        (
            {"inputs": "x", "parameters": {"max_tokens": 1, "maxTokens": 2}},
            {},
            "sets maxTokens a second time",
        ),
        ({"inputs": "x", "tool_config": {}}, {}, "tool_config needs the header messages_api"),
        ({"inputs": "x"}, {"type": "embeddings"}, "the header type is 'embeddings'"),
        ({"inputs": "x"}, {"streaming": "yes"}, "the header streaming is 'yes'; allowed is"),
        (
            {"inputs": HELLO, "tool_config": {"tools": []}},
            {**CHAT, "streaming": "true"},
            "tool_config is not supported with streaming",
        ),
    ],
)
def test_bad_input_is_named(body: object, headers: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        parse(body, headers)


def test_the_model_must_be_named_and_be_no_arn_parameter() -> None:
    with pytest.raises(InvalidRequestError, match="model_id is missing"):
        legacy.parse_call(request(query={}))
    with pytest.raises(InvalidRequestError, match="model_arn is not supported"):
        legacy.parse_call(request(query={"model_id": NOVA_LITE, "model_arn": "arn:x"}))


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"nope", b"[" * 100_000])
def test_a_body_that_is_no_json_is_named_without_quoting_it(text: bytes) -> None:
    broken = Request("gw", caller(), {}, {"model_id": "m.x"}, {"team_id": "acme"}, text)

    with pytest.raises(InvalidRequestError, match="not valid JSON"):
        legacy.parse_call(broken)


def answer(*content: dict[str, Any]) -> Answer:
    cost = Cost(1, 1, 0, 0, priced=True)
    document = {"output": {"message": {"content": content}}}
    return Answer("r", document, "end_turn", TokenUsage(input=3, output=2), cost, None)


def test_an_answer_is_one_element_with_the_joined_text() -> None:
    assert legacy.answer_body(answer({"text": "a"}, {"reasoningContent": {}}, {"text": "b"})) == [
        {
            "generated_text": "a b",
            "stop_reason": "end_turn",
            "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5},
        }
    ]


def test_text_beside_a_tool_use_is_kept() -> None:
    use = {"toolUse": {"toolUseId": "t", "name": "n", "input": {}}}

    (body,) = legacy.answer_body(answer({"text": "let me look"}, use))

    assert body["generated_text"] == [{"text": "let me look"}, use]
