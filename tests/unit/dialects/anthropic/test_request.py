"""Messages in terms of Converse."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.exchanges import request
from tollgate.dialects.anthropic.request import parse_chat, parse_count
from tollgate.domain.errors import InvalidRequestError

if TYPE_CHECKING:
    from tollgate.dialects.exchange import ParsedCall

CLAUDE = "us.anthropic.claude-sonnet-4-6"
USER = {"role": "user", "content": "What is a token?"}
PIXEL = base64.b64encode(b"pixel").decode()
WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
SPEC = {
    "toolSpec": {
        "name": "get_weather",
        "description": "Weather of a city",
        "inputSchema": {"json": WEATHER["input_schema"]},
    }
}


def parse(betas: str = "", **fields: Any) -> ParsedCall:
    given = {"model": CLAUDE, "max_tokens": 100, "messages": [USER], **fields}
    return parse_chat(request(given, headers={"anthropic-beta": betas}))


def body(**fields: Any) -> dict[str, Any]:
    return dict(parse(**fields).call.body)


def content(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    (turn,) = body(messages=[{"role": "user", "content": list(blocks)}])["messages"]
    return list(turn["content"])


def test_a_plain_message() -> None:
    parsed = parse()

    assert (parsed.call.model, parsed.call.max_tokens) == (CLAUDE, 100)
    assert parsed.call.body == {
        "messages": [{"role": "user", "content": [{"text": "What is a token?"}]}]
    }
    assert (parsed.is_streamed, parsed.notes) == (False, ())


def test_settings_have_converses_names() -> None:
    converse = body(
        model="anthropic.claude-3-haiku-20240307-v1:0",
        system="Be brief.",
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop_sequences=["END"],
        stream=True,
    )

    assert converse["system"] == [{"text": "Be brief."}]
    assert converse["inferenceConfig"] == {
        "temperature": 0.5,
        "topP": 0.9,
        "stopSequences": ["END"],
    }
    assert converse["additionalModelRequestFields"] == {"top_k": 5}
    assert converse["additionalModelResponseFieldPaths"] == ["/stop_sequence"]


def test_what_to_cache_is_marked_where_the_caller_marked_it() -> None:
    hour = {"type": "ephemeral", "ttl": "1h"}
    converse = body(
        system=[{"type": "text", "text": "Rules.", "cache_control": hour}],
        tools=[{**WEATHER, "cache_control": {"type": "ephemeral"}}],
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}],
            }
        ],
    )
    default = {"cachePoint": {"type": "default"}}

    assert converse["system"] == [
        {"text": "Rules."},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
    ]
    assert converse["toolConfig"]["tools"] == [SPEC, default]
    assert converse["messages"][0]["content"] == [{"text": "Hi"}, default]


def test_a_mark_of_the_whole_request_ends_its_last_turn() -> None:
    (turn,) = body(cache_control={"type": "ephemeral"})["messages"]

    assert turn["content"][-1] == {"cachePoint": {"type": "default"}}


def test_media_are_decoded() -> None:
    image = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": PIXEL}
    text = {"type": "text", "media_type": "text/plain", "data": "words"}

    assert content(
        {"type": "image", "source": image},
        {"type": "document", "source": pdf, "citations": {"enabled": True}, "context": "A form."},
        {"type": "document", "source": text, "title": "ignored"},
        {"type": "text", "text": "Compare."},
    ) == [
        {"image": {"format": "png", "source": {"bytes": b"pixel"}}},
        {
            "document": {
                "format": "pdf",
                "name": "document 1",
                "source": {"bytes": b"pixel"},
                "context": "A form.",
                "citations": {"enabled": True},
            }
        },
        {"document": {"format": "txt", "name": "document 2", "source": {"bytes": b"words"}}},
        {"text": "Compare."},
    ]


def test_a_round_of_tools_and_thoughts() -> None:
    converse = body(
        messages=[
            USER,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                    {"type": "redacted_thinking", "data": PIXEL},
                    {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "X"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "rain"},
                    {"type": "tool_result", "tool_use_id": "t2", "is_error": True},
                ],
            },
        ],
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "get_weather"},
        thinking={"type": "enabled", "budget_tokens": 50},
    )

    assert converse["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": b"pixel"}},
        {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "X"}}},
    ]
    assert converse["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "rain"}]}},
        {"toolResult": {"toolUseId": "t2", "content": [], "status": "error"}},
    ]
    assert converse["toolConfig"] == {
        "tools": [SPEC],
        "toolChoice": {"tool": {"name": "get_weather"}},
    }
    assert converse["additionalModelRequestFields"] == {
        "thinking": {"type": "enabled", "budget_tokens": 50}
    }


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ({"type": "auto"}, {"tools": [SPEC], "toolChoice": {"auto": {}}}),
        ({"type": "any"}, {"tools": [SPEC], "toolChoice": {"any": {}}}),
        ({"type": "none"}, None),
    ],
)
def test_tool_choices(choice: dict[str, Any], config: dict[str, Any] | None) -> None:
    assert body(tools=[WEATHER], tool_choice=choice).get("toolConfig") == config


def test_what_else_a_tool_says_of_itself() -> None:
    told = {
        **WEATHER,
        "strict": True,
        "eager_input_streaming": True,
        "input_examples": [{"city": "Oslo"}],
        "allowed_callers": ["direct"],
        "defer_loading": False,
    }

    parsed = parse(tools=[told])
    (tool,) = parsed.call.body["toolConfig"]["tools"]
    assert tool == {"toolSpec": {**SPEC["toolSpec"], "strict": True}}
    assert parsed.notes == (
        "tools[].eager_input_streaming is ignored",
        "tools[].input_examples is ignored",
    )


def test_a_schema_and_an_effort_of_the_answer() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    config = {"format": {"type": "json_schema", "schema": schema}, "effort": "low"}

    converse = body(output_config=config, thinking={"type": "adaptive", "display": "omitted"})
    text_format = converse["outputConfig"]["textFormat"]
    assert text_format["type"] == "json_schema"
    assert json.loads(text_format["structure"]["jsonSchema"]["schema"]) == schema
    assert converse["additionalModelRequestFields"] == {
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "low"},
    }


def test_turns_of_one_role_are_joined() -> None:
    (turn,) = body(messages=[USER, {"role": "user", "content": "In one word."}])["messages"]

    assert turn["content"] == [{"text": "What is a token?"}, {"text": "In one word."}]


def test_betas_reach_claude_and_no_other() -> None:
    claude = parse("context-1m-2025-08-07, ,")
    nova = parse("x", model="amazon.nova-lite-v1:0")
    assert claude.call.body["additionalModelRequestFields"] == {
        "anthropic_beta": ["context-1m-2025-08-07"]
    }
    assert "additionalModelRequestFields" not in nova.call.body
    assert nova.notes == ("anthropic-beta is ignored: the model is not Claude",)


def test_betas_that_only_hint_or_that_bedrock_has_not_are_left_out_with_a_note() -> None:
    sent = ("claude-code-20250219", "interleaved-thinking-2025-05-14", "compact-2026-01-12")
    hint = "fine-grained-tool-streaming-2025-05-14"

    parsed = parse(",".join((*sent, hint, sent[0])))

    assert parsed.call.body["additionalModelRequestFields"] == {"anthropic_beta": [sent[1]]}
    assert parsed.notes == (f"anthropic-beta is ignored in {sent[0]}, {sent[2]}, {hint}",)
    assert "additionalModelRequestFields" not in parse(hint).call.body


def test_a_count_needs_no_maximum() -> None:
    call = parse_count(request({"model": CLAUDE, "messages": [USER], "tools": [WEATHER]}))

    assert (call.model, call.max_tokens) == (CLAUDE, None)
    assert call.body["toolConfig"] == {"tools": [SPEC]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_tokens": None}, "max_tokens is null; allowed is a whole number"),
        ({"temperature": 2}, "temperature is 2; allowed is 0 to 1"),
        ({"mcp_servers": []}, "the body has the unknown key 'mcp_servers'"),
        ({"system": [{"type": "image"}]}, "system[0].type is 'image'; allowed is text"),
        ({"messages": [{"role": "tool"}]}, "messages[0].role is 'tool'; allowed is user"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content is empty"),
        (
            {"tools": [{"type": "web_search_20250305", "name": "w"}]},
            "billed beyond what can be held",
        ),
        ({"tool_choice": {"type": "any"}}, "tool_choice asks for a tool, but tools is empty"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type is 'some'; allowed is auto"),
        ({"thinking": {"type": "much"}}, "thinking.type is 'much'; allowed is enabled"),
        ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.ttl is '2h'"),
        ({"speed": "fast"}, "speed is 'fast'; allowed is standard"),
        ({"thinking": {"type": "adaptive", "display": "all"}}, "thinking.display is 'all'"),
        ({"output_config": {"effort": "much"}}, "output_config.effort is 'much'; allowed is low"),
        ({"output_config": {"format": {"type": "xml"}}}, "format.type is 'xml'; allowed is json_"),
        (
            {"output_config": {"effort": "low"}, "model": "amazon.nova-lite-v1:0"},
            "output_config.effort is not supported by this model",
        ),
        (
            {"tools": [{**WEATHER, "defer_loading": True}]},
            "tools[0].defer_loading is not supported by Bedrock; allowed is false",
        ),
        ({"tools": [{**WEATHER, "mode": "x"}]}, "tools[0] has the unknown key 'mode'"),
        ({"model": "amazon.nova-lite-v1:0", "top_k": 3}, "top_k is not supported by this model"),
        (
            {"model": "amazon.nova-lite-v1:0", "thinking": {"type": "adaptive"}},
            "thinking is not supported by this model",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse(**fields)
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "video"}, "messages[0].content[0].type is 'video'; allowed is text"),
        ({"type": "image", "source": {"type": "url"}}, "the gateway fetches and keeps no files"),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/bmp"}},
            "media_type is 'image/bmp'; allowed is image/png",
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "text/csv"}},
            "media_type is 'text/csv'; allowed is application/pdf",
        ),
    ],
)
def test_blocks_that_cannot_be_read_are_refused(block: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        content(block)
    assert message in refused.value.message
