"""Chat Completions and Embeddings in terms of Converse."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.exchanges import request
from tollgate.dialects.openai.request import parse_chat, parse_embeddings
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from tollgate.dialects.exchange import ParsedCall

COHERE = "cohere.embed-english-v3"
USER = {"role": "user", "content": "What is a token?"}
PIXEL = base64.b64encode(b"pixel").decode()
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = {
    "id": "call-1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
}


def parse(**fields: Any) -> ParsedCall:
    body = {"model": "amazon.nova-lite-v1:0", "messages": [USER], **fields}
    return parse_chat(request(body))


def body(**fields: Any) -> dict[str, Any]:
    return dict(parse(**fields).call.body)


def test_a_plain_chat() -> None:
    parsed = parse()

    assert parsed.call.model == "amazon.nova-lite-v1:0"
    assert parsed.call.max_tokens is None
    assert parsed.call.body == {
        "messages": [{"role": "user", "content": [{"text": "What is a token?"}]}]
    }
    assert (parsed.is_streamed, parsed.includes_usage, parsed.notes) == (False, False, ())


def test_settings_have_converses_names() -> None:
    parsed = parse(
        temperature=0.5,
        top_p=0.9,
        stop="END",
        max_completion_tokens=50,
        stream=True,
        stream_options={"include_usage": True},
        service_tier="flex",
    )

    assert parsed.call.max_tokens == 50
    assert parsed.call.body["inferenceConfig"] == {
        "temperature": 0.5,
        "topP": 0.9,
        "stopSequences": ["END"],
    }
    assert parsed.call.body["serviceTier"] == {"type": "flex"}
    assert (parsed.is_streamed, parsed.includes_usage) == (True, True)


def test_instructions_stand_apart_and_equal_roles_are_one_turn() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        USER,
        {"role": "user", "content": "In one word."},
    ]

    assert body(messages=messages) == {
        "system": [{"text": "Be brief."}, {"text": "Be kind."}],
        "messages": [
            {"role": "user", "content": [{"text": "What is a token?"}, {"text": "In one word."}]}
        ],
    }


def test_images_and_files_are_decoded() -> None:
    parts = [
        {"type": "text", "text": "Compare."},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PIXEL}"}},
    ]

    (turn,) = body(messages=[{"role": "user", "content": parts}])["messages"]
    assert turn["content"] == [
        {"text": "Compare."},
        {"image": {"format": "png", "source": {"bytes": b"pixel"}}},
        {"document": {"format": "pdf", "name": "document 1", "source": {"bytes": b"pixel"}}},
    ]


def test_a_round_of_tools() -> None:
    messages = [
        USER,
        {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL, CALL]},
        {"role": "tool", "tool_call_id": "call-1", "content": "rain"},
        {"role": "tool", "tool_call_id": "call-2", "content": "sun"},
    ]
    tool_use = {"toolUseId": "call-1", "name": "get_weather", "input": {"city": "Oslo"}}

    converse = body(messages=messages, tools=[WEATHER], tool_choice="required")
    assert converse["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"text": "Let me look."}, {"toolUse": tool_use}, {"toolUse": tool_use}],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "call-1", "content": [{"text": "rain"}]}},
                {"toolResult": {"toolUseId": "call-2", "content": [{"text": "sun"}]}},
            ],
        },
    ]
    assert converse["toolConfig"] == {
        "tools": [
            {
                "toolSpec": {
                    "name": "get_weather",
                    "description": "Weather of a city",
                    "inputSchema": {"json": WEATHER["function"]["parameters"]},  # type: ignore[index]
                }
            }
        ],
        "toolChoice": {"any": {}},
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"auto": {}}),
        (
            {"type": "function", "function": {"name": "get_weather"}},
            {"tool": {"name": "get_weather"}},
        ),
    ],
)
def test_tool_choices(choice: object, expected: dict[str, Any]) -> None:
    assert body(tools=[WEATHER], tool_choice=choice)["toolConfig"]["toolChoice"] == expected


def test_no_tool_may_be_called() -> None:
    assert "toolConfig" not in body(tools=[WEATHER], tool_choice="none")


def test_tools_stay_where_the_conversation_used_some() -> None:
    messages = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call-1", "content": "rain"},
    ]

    parsed = parse(messages=messages, tools=[WEATHER], tool_choice="none")
    assert "toolChoice" not in parsed.call.body["toolConfig"]
    assert parsed.notes == ("tool_choice none is ignored: the conversation has used tools",)


def test_a_schema_of_the_answer() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}

    given = {"type": "json_schema", "json_schema": {"name": "number", "schema": schema}}
    text_format = body(response_format=given)["outputConfig"]["textFormat"]
    assert text_format["type"] == "json_schema"
    assert text_format["structure"]["jsonSchema"]["name"] == "number"
    assert json.loads(text_format["structure"]["jsonSchema"]["schema"]) == schema


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("openai.gpt-oss-120b-1:0", {"reasoning_effort": "low"}),
        (
            "us.amazon.nova-2-lite-v1:0",
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
        ),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        ),
        (
            "us.anthropic.claude-opus-4-20250514-v1:0",
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        ),
        (
            "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        ),
        # From 4.6 on Claude decides itself how much to think; later models refuse a budget.
        (
            "us.anthropic.claude-sonnet-4-6",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        ),
        (
            "anthropic.claude-mythos-preview",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        ),
    ],
)
def test_reasoning_effort_is_the_familys_own_field(model: str, fields: dict[str, Any]) -> None:
    assert body(model=model, reasoning_effort="low")["additionalModelRequestFields"] == fields


BUDGETED = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


@pytest.mark.parametrize(
    ("given", "budget", "max_tokens"),
    [(None, 4096, 8192), (20_000, 4096, 20_000), (2000, 1984, 2000), (1040, 1024, 1040)],
)
def test_a_budget_of_thinking_leaves_room_for_an_answer(
    given: int | None, budget: int, max_tokens: int
) -> None:
    parsed = parse(model=BUDGETED, reasoning_effort="medium", max_completion_tokens=given)

    fields = parsed.call.body["additionalModelRequestFields"]
    assert fields["thinking"]["budget_tokens"] == budget
    assert parsed.call.max_tokens == max_tokens


def test_no_thinking_where_the_thoughts_of_earlier_turns_are_gone() -> None:
    messages = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call-1", "content": "rain"},
    ]

    parsed = parse(model=BUDGETED, messages=messages, tools=[WEATHER], reasoning_effort="low")
    assert "additionalModelRequestFields" not in parsed.call.body
    assert parsed.call.max_tokens is None
    assert parsed.notes == ("reasoning_effort is ignored: the conversation has used tools",)


def test_fast_is_openais_newer_word_for_priority() -> None:
    assert body(service_tier="fast")["serviceTier"] == {"type": "priority"}


def test_blank_words_around_tools_are_left_out() -> None:
    messages = [
        USER,
        {"role": "assistant", "content": "\n\n", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call-1", "content": ""},
    ]

    _, said, result = body(messages=messages, tools=[WEATHER])["messages"]
    assert [set(block) for block in said["content"]] == [{"toolUse"}]
    assert result["content"] == [{"toolResult": {"toolUseId": "call-1", "content": []}}]


def test_what_changes_nothing_is_noted() -> None:
    parsed = parse(seed=7, store=True, n=1, logprobs=False, frequency_penalty=0, temperature=None)

    assert parsed.notes == ("seed is ignored", "store is ignored")
    assert parsed.call.body == parse().call.body


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 2}, "n is not supported by Bedrock; allowed is 1, or leave it out"),
        ({"logprobs": True}, "logprobs is not supported by Bedrock; allowed is false"),
        ({"frequency_penalty": False}, "frequency_penalty is not supported"),
        ({"audio": {}}, "the body has the unknown key 'audio'; allowed are"),
        ({"model": None}, "model is null; allowed is a string"),
        ({"messages": []}, "messages is empty; allowed is an array with entries"),
        ({"messages": ["hi"]}, "messages[0] is a string; allowed is an object"),
        ({"messages": [{"role": "function"}]}, "messages[0].role is 'function'; allowed is system"),
        ({"messages": [{"role": "assistant"}]}, "messages[0] is blank"),
        ({"temperature": 1.5}, "temperature is 1.5; allowed is 0 to 1"),
        ({"temperature": float("nan")}, "the body is not valid JSON"),
        ({"temperature": 10**18}, "temperature is 1000"),
        ({"temperature": 10**400}, "the body has a number beyond 64 bits"),
        ({"top_p": True}, "top_p is a boolean; allowed is a number"),
        ({"max_tokens": 0}, "max_tokens is 0; allowed is 1 or more"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "a second time"),
        ({"stop": [1]}, "stop[0] is a number; allowed is a string"),
        ({"stream": "yes"}, "stream is a string; allowed is true or false"),
        ({"service_tier": "scale"}, "service_tier is 'scale'; allowed is auto, default"),
        ({"tool_choice": "required"}, "tool_choice asks for a tool, but tools is empty"),
        ({"tools": [WEATHER], "tool_choice": "some"}, "tool_choice is 'some'; allowed is none"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "allowed_tools"}},
            "tool_choice.type is 'allowed_tools'; allowed is function",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type is 'web_search'; allowed is function"),
        ({"response_format": {"type": "json_object"}}, "send json_schema with a schema"),
        ({"response_format": {"type": "xml"}}, "response_format.type is 'xml'; allowed is text"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort is 'extreme'; allowed is none, low"),
        ({"reasoning_effort": "low"}, "reasoning_effort is not supported by this model"),
        (
            {"reasoning_effort": "low", "model": "anthropic.claude-3-5-sonnet-20241022-v2:0"},
            "reasoning_effort is not supported by this model",
        ),
        (
            {"reasoning_effort": "low", "model": BUDGETED, "max_completion_tokens": 1039},
            "leaves no room to think; allowed is 1040 or more with this model",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse(**fields)
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"type": "input_audio"}, "content[0].type is 'input_audio'; allowed is text, image_url"),
        (
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            "is not a data: URL",
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}},
            "is not base64",
        ),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/bmp;base64,{PIXEL}"}},
            "media type is 'image/bmp'; allowed is image/png",
        ),
        ({"type": "file", "file": {"file_id": "f-1"}}, "file_id is not supported"),
    ],
)
def test_parts_that_cannot_be_read_are_refused(part: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse(messages=[{"role": "user", "content": [part]}])
    assert message in refused.value.message


def test_cohere_texts_are_a_call_for_every_96() -> None:
    parsed = parse_embeddings(request({"model": COHERE, "input": ["a"] * 97}))

    assert [len(call.body["texts"]) for call in parsed.calls] == [96, 1]
    assert {call.body["input_type"] for call in parsed.calls} == {"search_document"}


def test_what_a_cohere_model_is_told() -> None:
    body = {"input": "a", "dimensions": 256, "input_type": "search_query"}
    (call,) = parse_embeddings(request({"model": "cohere.embed-v4:0", **body})).calls

    assert call.body == {
        "texts": ["a"],
        "input_type": "search_query",
        "embedding_types": ["float"],
        "output_dimension": 256,
    }
