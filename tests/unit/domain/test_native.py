"""Native bodies: what each family reads and answers."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain import native
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.prices import TokenUsage

CHAT = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (
            "amazon.titan-text-express-v1",
            {
                "inputText": "Hi",
                "textGenerationConfig": {
                    "maxTokenCount": 9,
                    "topP": 0.5,
                    "stopSequences": ["END"],
                },
            },
        ),
        (
            "amazon.nova-lite-v1:0",
            {
                "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
                "inferenceConfig": {"maxTokens": 9, "topP": 0.5, "stopSequences": ["END"]},
            },
        ),
        (
            "anthropic.claude-sonnet-4-6",
            {
                "anthropic_version": "bedrock-2023-05-31",
                "messages": CHAT,
                "max_tokens": 9,
                "top_p": 0.5,
                "stop_sequences": ["END"],
            },
        ),
        (
            "anthropic.claude-v2:1",
            {
                "prompt": "\n\nHuman: Hi\n\nAssistant:",
                "max_tokens_to_sample": 9,
                "top_p": 0.5,
                "stop_sequences": ["END"],
            },
        ),
        (
            "mistral.mistral-7b-instruct-v0:2",
            {"prompt": "Hi", "max_tokens": 9, "top_p": 0.5, "stop": ["END"]},
        ),
        (
            "mistral.mistral-large-3-675b-instruct",
            {"messages": CHAT, "max_tokens": 9, "top_p": 0.5, "stop": ["END"]},
        ),
        (
            "meta.llama3-3-70b-instruct-v1:0",
            {"prompt": "Hi", "max_gen_len": 9, "top_p": 0.5, "stop": ["END"]},
        ),
        (
            "cohere.command-text-v14",
            {"prompt": "Hi", "max_tokens": 9, "p": 0.5, "stop_sequences": ["END"]},
        ),
        (
            "cohere.command-r-plus-v1:0",
            {"message": "Hi", "max_tokens": 9, "p": 0.5, "stop_sequences": ["END"]},
        ),
        (
            "ai21.j2-ultra-v1",
            {"prompt": "Hi", "maxTokens": 9, "topP": 0.5, "stopSequences": ["END"]},
        ),
        (
            "ai21.jamba-1-5-large-v1:0",
            {"messages": CHAT, "max_tokens": 9, "top_p": 0.5, "stop": ["END"]},
        ),
        ("deepseek.r1-v1:0", {"prompt": "Hi", "max_tokens": 9, "top_p": 0.5, "stop": ["END"]}),
        ("deepseek.v3.2", {"messages": CHAT, "max_tokens": 9, "top_p": 0.5, "stop": ["END"]}),
        (
            "openai.gpt-oss-20b-1:0",
            {"messages": CHAT, "max_completion_tokens": 9, "top_p": 0.5, "stop": ["END"]},
        ),
    ],
)
def test_a_prompt_in_the_familys_own_body(model: str, body: dict[str, Any]) -> None:
    settings = {"maxTokens": 9, "topP": 0.5, "stop": ["END"]}

    assert native.prompt_body(model, "Hi", settings) == body


def test_settings_that_no_family_shares_pass_as_they_are() -> None:
    body = native.prompt_body("mistral.mixtral-8x7b-instruct-v0:1", "Hi", {"top_k": 3})

    assert body == {"prompt": "Hi", "top_k": 3}


def test_a_setting_of_the_familys_section_goes_there() -> None:
    settings = {"topK": 3, "maxTokens": 9, "reasoningConfig": {"type": "disabled"}}

    body = native.prompt_body("amazon.nova-2-lite-v1:0", "Hi", settings)
    assert body["inferenceConfig"] == {"topK": 3, "maxTokens": 9}
    # This one has a place at the top as well.
    assert body["reasoningConfig"] == {"type": "disabled"}


def test_a_section_that_the_caller_wrote_is_kept() -> None:
    settings = {"textGenerationConfig": {"topP": 0.5}, "maxTokens": 9}

    body = native.prompt_body("amazon.titan-text-lite-v1", "Hi", settings)
    assert body["textGenerationConfig"] == {"topP": 0.5, "maxTokenCount": 9}


def test_a_prompt_that_has_the_old_claudes_form_is_kept() -> None:
    prompt = "\n\nHuman: Hi\n\nAssistant: Ah,"

    assert native.prompt_body("anthropic.claude-instant-v1", prompt, {}) == {"prompt": prompt}


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("stability.sd3-5-large-v1:0", {}, "has no known form for a plain prompt"),
        ("meta.llama3-8b-instruct-v1:0", {"maxTokens": 1, "max_gen_len": 2}, "a second time"),
        ("meta.llama3-8b-instruct-v1:0", {"prompt": "Ho"}, "says a second time what inputs says"),
        ("anthropic.claude-sonnet-4-6", {"messages": []}, "says a second time what inputs says"),
        ("amazon.nova-lite-v1:0", {"inferenceConfig": 1}, "inferenceConfig allows an object only"),
    ],
)
def test_what_no_body_can_say_is_refused(
    model: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        native.prompt_body(model, "Hi", settings)
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("document", "text", "reason", "usage"),
    [
        pytest.param(
            {
                "inputTextTokenCount": 4,
                "results": [{"outputText": "Hello", "tokenCount": 2, "completionReason": "FINISH"}],
            },
            "Hello",
            "FINISH",
            TokenUsage(input=4, output=2),
            id="titan",
        ),
        pytest.param(
            {
                "output": {"message": {"content": [{"text": "Hel"}, {"text": "lo"}]}},
                "stopReason": "end_turn",
                "usage": {
                    "inputTokens": 4,
                    "outputTokens": 2,
                    "cacheReadInputTokenCount": 1,
                    "cacheWriteInputTokenCount": 3,
                },
            },
            "Hello",
            "end_turn",
            TokenUsage(input=4, output=2, cache_read=1, cache_write_5m=3),
            id="nova",
        ),
        pytest.param(
            {
                "content": [
                    {"type": "thinking", "thinking": "Hm"},
                    {"type": "text", "text": "Hello"},
                ],
                "stop_reason": "end_turn",
                "usage": {
                    "input_tokens": 4,
                    "output_tokens": 2,
                    "cache_read_input_tokens": 1,
                    "cache_creation_input_tokens": 3,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": 1,
                        "ephemeral_1h_input_tokens": 2,
                    },
                },
            },
            "Hello",
            "end_turn",
            TokenUsage(input=4, output=2, cache_read=1, cache_write_5m=1, cache_write_1h=2),
            id="claude",
        ),
        pytest.param(
            {"completion": "Hello", "stop_reason": "stop_sequence"},
            "Hello",
            "stop_sequence",
            None,
            id="claude 2",
        ),
        pytest.param(
            {"outputs": [{"text": "Hello", "stop_reason": "stop"}]},
            "Hello",
            "stop",
            None,
            id="mistral",
        ),
        pytest.param(
            {
                "generation": "Hello",
                "prompt_token_count": 4,
                "generation_token_count": 2,
                "stop_reason": "stop",
            },
            "Hello",
            "stop",
            TokenUsage(input=4, output=2),
            id="llama",
        ),
        pytest.param(
            {"generations": [{"text": "Hello", "finish_reason": "COMPLETE"}]},
            "Hello",
            "COMPLETE",
            None,
            id="command",
        ),
        pytest.param(
            {
                "text": "Hello",
                "finish_reason": "COMPLETE",
                "meta": {"billed_units": {"input_tokens": 4, "output_tokens": 2}},
            },
            "Hello",
            "COMPLETE",
            TokenUsage(input=4, output=2),
            id="command r",
        ),
        pytest.param(
            {
                "prompt": {"tokens": [{}, {}, {}, {}]},
                "completions": [
                    {
                        "data": {"text": "Hello", "tokens": [{}, {}]},
                        "finishReason": {"reason": "endoftext"},
                    }
                ],
            },
            "Hello",
            "endoftext",
            TokenUsage(input=4, output=2),
            id="jurassic",
        ),
        pytest.param(
            {
                "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
                "usage": {
                    "prompt_tokens": 4,
                    "completion_tokens": 2,
                    "prompt_tokens_details": {"cached_tokens": 1},
                },
            },
            "Hello",
            "stop",
            TokenUsage(input=3, output=2, cache_read=1),
            id="choices",
        ),
        pytest.param(
            {"choices": [{"text": "Hello", "stop_reason": "stop"}]},
            "Hello",
            "stop",
            None,
            id="deepseek r1",
        ),
        pytest.param(
            {"embedding": [0.1], "inputTextTokenCount": 4},
            "",
            None,
            TokenUsage(input=4),
            id="titan embedding",
        ),
    ],
)
def test_an_answer(
    document: dict[str, Any], text: str, reason: str | None, usage: TokenUsage | None
) -> None:
    assert native.text_of(document) == text
    assert native.stop_reason_of(document) == reason
    assert native.usage_in(document) == usage


@pytest.mark.parametrize(
    ("chunk", "text"),
    [
        ({"outputText": "He"}, "He"),
        ({"contentBlockDelta": {"delta": {"text": "He"}}}, "He"),
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "He"}}, "He"),
        ({"completion": "He"}, "He"),
        ({"outputs": [{"text": "He"}]}, "He"),
        ({"generation": "He"}, "He"),
        ({"choices": [{"delta": {"content": "He"}}]}, "He"),
        ({"event_type": "text-generation", "text": "He"}, "He"),
        ({"type": "message_stop"}, ""),
    ],
)
def test_a_chunk_of_a_stream(chunk: dict[str, Any], text: str) -> None:
    assert native.text_of(chunk) == text


@pytest.mark.parametrize(
    "document",
    [
        {"usage": {"input_tokens": -1, "output_tokens": 2}},
        {"usage": {"input_tokens": True, "output_tokens": 2}},
        {"usage": "much", "results": [], "choices": [1], "meta": []},
        {"inputTextTokenCount": 4, "results": [{"outputText": "no count"}]},
    ],
)
def test_a_count_is_never_guessed(document: dict[str, Any]) -> None:
    assert native.usage_in(document) is None
