"""What the dialects answer, read by the SDKs' own types and by their own streaming helpers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic as anthropic_sdk
import httpx2
import openai as openai_sdk
import pytest
from anthropic.types import Message
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from tests.fakes.exchanges import CALL_ID, RECEIPT, answer, parsed, request
from tollgate.dialects.anthropic.answer import chat_body as message_body
from tollgate.dialects.anthropic.stream import ChatStream as MessageStream
from tollgate.dialects.openai.answer import chat_body as completion_body
from tollgate.dialects.openai.answer import embeddings_body
from tollgate.dialects.openai.request import parse_embeddings
from tollgate.dialects.openai.stream import ChatStream as CompletionStream
from tollgate.domain.errors import StreamBrokenError
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tollgate.dialects.exchange import Stream

USAGE = TokenUsage(input=10, output=5, cache_read=3, cache_write_5m=2, cache_write_1h=1)
BLOCKS: Sequence[Mapping[str, Any]] = (
    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
    {"reasoningContent": {"redactedContent": b"secret"}},
    {"text": "It rains."},
    {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Tromsø"}}},
    {"toolUse": {"toolUseId": "t2", "name": "now", "input": {}}},
)
STOP_REASONS = (
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "guardrail_intervened",
    "content_filtered",
    "malformed_model_output",
    "malformed_tool_use",
    "model_context_window_exceeded",
)


class Weather(BaseModel):
    """What a model is asked to answer with."""

    city: str


def document(stop_reason: str, blocks: Sequence[Mapping[str, Any]] = BLOCKS) -> dict[str, Any]:
    message = {"role": "assistant", "content": list(blocks)}
    return {"output": {"message": message}, "stopReason": stop_reason}


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": fields}}


def stop(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def tool(index: int, identifier: str, name: str) -> dict[str, Any]:
    start = {"toolUse": {"toolUseId": identifier, "name": name}}
    return {"contentBlockStart": {"contentBlockIndex": index, "start": start}}


EVENTS: Sequence[Mapping[str, Any]] = (
    {"messageStart": {"role": "assistant"}},
    delta(0, reasoningContent={"text": "H"}),
    delta(0, reasoningContent={"text": "m."}),
    delta(0, reasoningContent={"signature": "s"}),
    stop(0),
    delta(1, reasoningContent={"redactedContent": b"secret"}),
    stop(1),
    delta(2, text="It "),
    delta(2, text="rains."),
    stop(2),
    tool(3, "t1", "get_weather"),
    delta(3, toolUse={"input": '{"city": '}),
    delta(3, toolUse={"input": '"Tromsø"}'}),
    stop(3),
    tool(4, "t2", "now"),
    stop(4),
    {"messageStop": {"stopReason": "tool_use"}},
    {"metadata": {}},
)


def served(data: bytes, status: int = 200) -> httpx2.Client:
    """An HTTP client whose server answers everything with a stream of server-sent events."""
    headers = {"content-type": "text/event-stream"}
    return httpx2.Client(
        transport=httpx2.MockTransport(
            lambda _: httpx2.Response(status, headers=headers, content=data)
        )
    )


def openai_client(data: bytes) -> openai_sdk.OpenAI:
    return openai_sdk.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=served(data))


def anthropic_client(data: bytes) -> anthropic_sdk.Anthropic:
    return anthropic_sdk.Anthropic(
        api_key="k", base_url="http://gateway", http_client=served(data), max_retries=0
    )


def streamed(stream: Stream, events: Sequence[Mapping[str, Any]]) -> bytes:
    data = b"".join(stream.event(event) for event in events)
    return data + stream.end(answer(usage=USAGE, stop_reason="tool_use"), RECEIPT)


def completion_stream(events: Sequence[Mapping[str, Any]] = EVENTS) -> bytes:
    return streamed(CompletionStream(parsed(includes_usage=True), CALL_ID), events)


def message_stream(events: Sequence[Mapping[str, Any]] = EVENTS) -> bytes:
    return streamed(MessageStream(parsed(), CALL_ID), events)


@pytest.mark.parametrize("stop_reason", STOP_REASONS)
def test_completions_are_valid(stop_reason: str) -> None:
    given = {**document(stop_reason), "serviceTier": {"type": "priority"}}
    body = completion_body(parsed(), answer(given, USAGE))

    read = ChatCompletion.model_validate(body)
    assert read.usage is not None
    assert read.usage.total_tokens == 21


@pytest.mark.parametrize("stop_reason", STOP_REASONS)
def test_messages_are_valid(stop_reason: str) -> None:
    body = message_body(parsed(), answer(document(stop_reason), USAGE))

    read = Message.model_validate(body)
    assert [block.type for block in read.content] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
    ]


def test_embeddings_are_valid() -> None:
    asked = parse_embeddings(request({"model": "cohere.embed-english-v3", "input": ["a", "b"]}))
    body = embeddings_body(asked, [answer({"embeddings": [[0.5], [1.0]]})])

    assert CreateEmbeddingResponse.model_validate(body).data[1].embedding == [1.0]


def test_a_stream_of_completions_adds_up() -> None:
    client = openai_client(completion_stream())
    with client.chat.completions.stream(
        model="m",
        messages=[{"role": "user", "content": "Hi"}],
        stream_options={"include_usage": True},
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()

    (choice,) = final.choices
    assert (choice.message.content, choice.finish_reason) == ("It rains.", "tool_calls")
    calls = choice.message.tool_calls or []
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("get_weather", '{"city": "Tromsø"}'),
        ("now", "{}"),
    ]
    assert final.usage is not None
    assert (final.usage.prompt_tokens, final.usage.completion_tokens) == (16, 5)
    # The first chunk says whose turn it is, with no word yet, as OpenAI does.
    assert kinds.count("content.delta") == 3
    assert kinds.count("tool_calls.function.arguments.done") == 2


def test_a_stream_of_messages_adds_up() -> None:
    with anthropic_client(message_stream()).messages.stream(
        model="m", max_tokens=100, messages=[{"role": "user", "content": "Hi"}]
    ) as stream:
        texts = [event.text for event in stream if event.type == "text"]
        final = stream.get_final_message()

    buffered = message_body(parsed(), answer(document("tool_use"), USAGE))
    assert texts == ["It ", "rains."]
    assert final.to_dict(mode="json", exclude_none=True)["content"] == buffered["content"]
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == (
        "tool_use",
        10,
        5,
    )
    assert (final.usage.cache_read_input_tokens, final.usage.cache_creation_input_tokens) == (3, 3)


def test_a_stream_with_a_schema_is_parsed() -> None:
    events = [{"messageStart": {"role": "assistant"}}, delta(0, text='{"city": "Oslo"}'), stop(0)]

    with anthropic_client(message_stream(events)).messages.stream(
        model="m",
        max_tokens=100,
        messages=[{"role": "user", "content": "Hi"}],
        output_format=Weather,
    ) as stream:
        assert stream.get_final_message().parsed_output == Weather(city="Oslo")


def test_failures_in_a_stream_are_the_sdks_own_errors() -> None:
    error = StreamBrokenError("the stream broke", code="broken")
    chat = CompletionStream(parsed(), CALL_ID)
    data = chat.event(EVENTS[0]) + chat.error(error, CALL_ID)
    with pytest.raises(openai_sdk.APIError, match="the stream broke") as failed:
        list(
            openai_client(data).chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
            )
        )
    assert failed.value.code == "broken"

    messages = MessageStream(parsed(), CALL_ID)
    data = messages.event(EVENTS[0]) + messages.error(error, CALL_ID)
    with pytest.raises(anthropic_sdk.APIStatusError, match="the stream broke"):
        list(
            anthropic_client(data).messages.create(
                model="m",
                max_tokens=9,
                messages=[{"role": "user", "content": "Hi"}],
                stream=True,
            )
        )
