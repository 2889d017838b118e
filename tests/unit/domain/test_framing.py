"""A conversation's bound is above what a published template makes of it, and not far above."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.domain.families import registry
from tollgate.domain.framing import (
    BLOCK_FRAMING_TOKENS,
    FRAMING_TOKENS,
    MESSAGE_FRAMING_TOKENS,
    TOOL_FRAMING_TOKENS,
    conversation_tokens,
    json_tokens,
    referenced_tokens,
    text_tokens,
    told_tokens,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"
LLAMA = "meta.llama3-1-8b-instruct-v1:0"
QWEN = "qwen.qwen3-32b-v1:0"
DEEPSEEK = "deepseek.v3-v1:0"
HARMONY = "openai.gpt-oss-20b-1:0"
PUBLISHED = [CLAUDE, LLAMA, QWEN, DEEPSEEK, HARMONY]
UNPUBLISHED = [
    "amazon.nova-lite-v1:0",
    "openai.gpt-5.4",
    "mistral.mistral-large-3",
    "strange.model",
]

# Members that say how a call is made.
SETTINGS = {
    "inferenceConfig": {"maxTokens": 4096, "temperature": 0.5, "stopSequences": ["x" * 500]},
    "guardrailConfig": {"guardrailIdentifier": "gr1", "guardrailVersion": "1"},
    "requestMetadata": {"team": "x" * 200},
    "serviceTier": {"type": "priority"},
    "performanceConfig": {"latency": "optimized"},
    "additionalModelResponseFieldPaths": ["/stop_sequence"],
}

Template = list[str | int]
"""What a template makes of a conversation: text, and numbers of special tokens."""


# --- Text -------------------------------------------------------------------------------------


@given(st.text(st.characters()))
def test_a_text_has_at_most_its_bytes_of_tokens_in_every_normal_form(text: str) -> None:
    bound = text_tokens(text)

    assert bound >= len(text.encode(errors="surrogatepass"))
    assert bound >= len(unicodedata.normalize("NFKC", text).encode(errors="surrogatepass"))
    assert bound >= len(unicodedata.normalize("NFKD", text))


def test_a_ligature_that_grows_is_counted_grown() -> None:
    assert text_tokens("\ufdfa") == len(unicodedata.normalize("NFKC", "\ufdfa").encode()) == 33
    assert text_tokens("\u1f82") == 4
    # One that shrinks is counted as it was written.
    assert text_tokens("e\u0301") == 3
    assert text_tokens("\ud800") == 3
    assert text_tokens("abc") == 3
    assert text_tokens("") == 0


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"a": "é"}, len('{"a": "?"}') + 1),
        ([1, None, True], len("[1, null, true]")),
        # What is bytes is a medium, wherever it stands; its quotes are there.
        ({"a": [{"b": b"xyz"}, (b"x", "c")]}, len('{"a": [{"b": ""}, ["", "c"]]}')),
    ],
)
def test_a_value_counts_as_its_json_without_media(value: object, size: int) -> None:
    assert json_tokens(value) == size


# --- Conversations ----------------------------------------------------------------------------


def llama(system: str, turns: Sequence[tuple[str, str]]) -> Template:
    """Meta's template of Llama 3.1, which dates every conversation."""
    dated = "Cutting Knowledge Date: December 2023\nToday Date: 30 Nov 2026\n\n"
    made: Template = [2, "system", 1, "\n\n", dated, system, 1]
    for role, text in turns:
        made += [1, role, 1, "\n\n", text, 1]
    return [*made, 1, "assistant", 1, "\n\n"]


def qwen(system: str, turns: Sequence[tuple[str, str]]) -> Template:
    """Qwen's template, with empty thoughts before the answer."""
    made: Template = [1, "system\n", system, 1, "\n"] if system else []
    for role, text in turns:
        made += [1, f"{role}\n", text, 1, "\n"]
    return [*made, 1, "assistant\n", 1, "\n\n", 1, "\n\n"]


def deepseek(system: str, turns: Sequence[tuple[str, str]]) -> Template:
    """DeepSeek's template: one marker a turn."""
    made: Template = [1, system]
    for _, text in turns:
        made += [1, text, 1]
    return [*made, 1, 1, "\n"]


def harmony(system: str, turns: Sequence[tuple[str, str]]) -> Template:
    """OpenAI's format. Its own text has 57 words, signs and numbers."""
    made: Template = [1, "system", 1, 57, 1]
    if system:
        made += [1, "developer", 1, "# Instructions\n\n", system, 1]
    for role, text in turns:
        channel: Template = [1, "final"] if role == "assistant" else []
        made += [1, role, *channel, 1, text, 1]
    return [*made, 1, "assistant"]


TEMPLATES = {LLAMA: llama, QWEN: qwen, DEEPSEEK: deepseek, HARMONY: harmony}


def most_tokens(made: Template) -> int:
    """Every byte a token of its own."""
    return sum(each if isinstance(each, int) else len(each.encode()) for each in made)


def request_of(system: str, turns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "messages": [{"role": role, "content": [{"text": text}]} for role, text in turns],
        **SETTINGS,
    }
    return {**request, "system": [{"text": system}]} if system else request


@pytest.mark.parametrize("model", TEMPLATES)
@given(
    system=st.text(st.characters(codec="utf-8"), max_size=20),
    texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1),
)
def test_no_published_template_makes_more_of_a_conversation(
    model: str, system: str, texts: list[str]
) -> None:
    roles = ["user", "assistant"] * len(texts)
    turns = list(zip(roles, texts, strict=False))

    made = TEMPLATES[model](system, turns)

    assert conversation_tokens(request_of(system, turns), model) >= most_tokens(made)


@pytest.mark.parametrize("model", PUBLISHED)
def test_text_counts_as_it_is_and_settings_do_not(model: str) -> None:
    framing = registry.framing_tokens(model)
    assert framing is not None
    text = 'He said "no".\n' * 10

    one = conversation_tokens(request_of("", [("user", text)]), model)

    around = framing + MESSAGE_FRAMING_TOKENS + BLOCK_FRAMING_TOKENS + len("{}")
    assert one == len(text) + around
    two = conversation_tokens(request_of("Be brief.", [("user", text)]), model)
    assert two == one + len("Be brief.") + MESSAGE_FRAMING_TOKENS + BLOCK_FRAMING_TOKENS


@pytest.mark.parametrize("model", PUBLISHED)
@pytest.mark.parametrize(
    "block",
    [
        {"toolUse": {"toolUseId": "t", "name": "now", "input": {"zone": "UTC"}}},
        {"toolResult": {"toolUseId": "t", "content": [{"text": "noon"}]}},
        {"reasoningContent": {"reasoningText": {"text": "so", "signature": "s"}}},
        {"text": "a", "citations": "b"},
        {"text": ["c"]},
    ],
)
def test_blocks_of_more_than_text_count_whole(model: str, block: Mapping[str, Any]) -> None:
    plain = {"messages": [{"role": "user", "content": [{"text": ""}]}]}
    given = {"messages": [{"role": "user", "content": [block]}]}

    more = conversation_tokens(given, model) - conversation_tokens(plain, model)

    assert more == len(json.dumps(block))


@pytest.mark.parametrize("model", PUBLISHED)
@pytest.mark.parametrize("content", ["some text", {"text": "of no list"}, 5, ["a", "b"]])
def test_what_is_no_list_of_blocks_counts_whole(model: str, content: object) -> None:
    said = {"messages": [{"role": "user", "content": content}], "system": content}

    most = conversation_tokens(said, model)

    assert most >= 2 * len(json.dumps(content))


@pytest.mark.parametrize("model", PUBLISHED)
def test_what_stands_beside_the_conversation_counts_whole(model: str) -> None:
    request = request_of("", [("user", "hi")])
    told = {
        "toolConfig": {"tools": [{"toolSpec": {"name": "now"}}]},
        "additionalModelRequestFields": {"top_k": 5},
        "somethingNew": "x" * 100,
    }

    more = conversation_tokens({**request, **told}, model) - conversation_tokens(request, model)

    assert more == len(json.dumps(told)) - len("{}")


@pytest.mark.parametrize("model", UNPUBLISHED)
def test_without_a_published_template_the_whole_request_counts(model: str) -> None:
    request = request_of("Be brief.", [("user", "hi"), ("assistant", "yes"), ("user", "so?")])

    assert registry.framing_tokens(model) is None
    assert conversation_tokens(request, model) == (
        len(json.dumps(request)) + FRAMING_TOKENS + 3 * MESSAGE_FRAMING_TOKENS
    )


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"messages": [], "system": []},
        {"messages": [{}]},
        {"messages": [{"role": "user"}], "system": ()},
    ],
)
def test_a_conversation_without_text_is_its_framing(request_: Mapping[str, Any]) -> None:
    framing = registry.framing_tokens(CLAUDE)
    assert framing is not None

    messages = len(request_.get("messages", ()))
    assert conversation_tokens(request_, CLAUDE) == (
        framing + messages * MESSAGE_FRAMING_TOKENS + len("{}")
    )
    assert conversation_tokens({}, UNPUBLISHED[0]) == len("{}") + FRAMING_TOKENS


def test_a_system_text_is_a_message_of_its_own() -> None:
    bare = conversation_tokens({"messages": []}, CLAUDE)

    one = conversation_tokens({"messages": [], "system": [{"text": "a"}]}, CLAUDE)
    two = conversation_tokens({"messages": [], "system": ({"text": "a"}, {"text": "b"})}, CLAUDE)
    assert one == bare + MESSAGE_FRAMING_TOKENS + BLOCK_FRAMING_TOKENS + 1
    assert two == one + BLOCK_FRAMING_TOKENS + 1


# --- What a provider says -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool_config", "fields", "times"),
    [
        (None, {}, 0),
        ({}, {}, 1),
        (None, {"toolConfig": {}}, 1),
        ({}, {"toolConfig": {}}, 1),
        # Tools of a provider's own: what is said of all, and a definition of each.
        (None, {"tools": []}, 1),
        (None, {"tools": [{}]}, 2),
        (None, {"tools": ({}, {}, {})}, 4),
        (None, {"tools": "strange"}, 2),
        ({}, {"tools": [{}]}, 3),
        (None, {"documents": [{}]}, 1),
        (None, {"output_format": {"type": "json_schema"}}, 1),
        (None, {"prompt_mode": "reasoning"}, 1),
        (None, {"response_format": {"type": "json_object"}}, 1),
        (None, {"safe_prompt": True}, 1),
        (None, {"safe_prompt": False, "documents": []}, 0),
        (None, {"safe_prompt": True, "documents": [{}]}, 2),
        (None, {"output_config": {"format": {"type": "json_schema"}}}, 1),
        (None, {"output_config": {"effort": "high"}}, 0),
        (None, {"output_config": {"format": None}}, 0),
        (None, {"output_config": "strange"}, 0),
        ({}, {"tools": [{}], "safe_prompt": True, "output_config": {"format": {"a": 1}}}, 5),
    ],
)
def test_each_thing_that_a_model_is_told_of_is_framed(
    tool_config: object, fields: Mapping[str, Any], times: int
) -> None:
    assert told_tokens(tool_config, fields) == times * TOOL_FRAMING_TOKENS


FOUND = {"type": "tool_reference", "tool_name": "look"}
TOOLS = [{"name": "a"}, {"name": "é" * 9}, {"name": "b"}]
LONGEST = len(json.dumps({"name": "?" * 9})) + 9


@pytest.mark.parametrize(
    ("messages", "tools", "references"),
    [
        ([], TOOLS, 0),
        (None, TOOLS, 0),
        ("tool_reference", TOOLS, 0),
        ([FOUND], [], 0),
        ([FOUND], None, 0),
        ([FOUND], "strange", 0),
        ([FOUND], TOOLS, 1),
        ([FOUND], tuple(TOOLS), 1),
        ([{"content": (FOUND, {"type": "text"}, {"content": [FOUND]})}, FOUND], TOOLS, 3),
        # One within another.
        ([{**FOUND, "content": [FOUND]}], TOOLS, 2),
    ],
)
def test_a_tool_that_is_referred_to_counts_as_the_longest_of_them(
    messages: object, tools: object, references: int
) -> None:
    body = {"messages": messages, "tools": tools}

    assert referenced_tokens(body) == references * (LONGEST + TOOL_FRAMING_TOKENS)
    assert referenced_tokens({}) == 0
