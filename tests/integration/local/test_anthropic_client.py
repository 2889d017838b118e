"""The anthropic package, unmodified, against the gateway; after each test the books balance."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from pydantic import BaseModel

from tests.integration.local.clients import (
    CLAUDE,
    NOVA,
    Books,
    in_base64,
    key_of,
    picture,
)
from tests.waiting import until

if TYPE_CHECKING:
    from scripts.local.stack import LocalStack

    pass

pytestmark = pytest.mark.stack

WEATHER: Any = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
NOW: Any = {"name": "now", "input_schema": {"type": "object"}}


class Trip(BaseModel):
    """An answer with a form."""

    city: str
    days: int


@pytest.fixture
def client(stack: LocalStack, books: Books) -> anthropic.Anthropic:
    return client_of(stack)


def client_of(stack: LocalStack, tenant: str = "acme", **settings: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=stack.url, api_key=key_of(stack, tenant), **{"max_retries": 0, **settings}
    )


def user(content: Any) -> list[Any]:
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
def test_a_message(client: anthropic.Anthropic, books: Books, model: str) -> None:
    raw = client.messages.with_raw_response.create(
        model=model,
        max_tokens=50,
        system="Be brief.",
        messages=user("Hello [stub:tokens=12]"),
        metadata={"user_id": "u-1"},
    )
    message = raw.parse()

    (call,) = books.billed
    (block,) = message.content
    assert block.type == "text"
    assert block.text
    assert (message.model, message.role, message.stop_reason) == (model, "assistant", "end_turn")
    assert message.usage.input_tokens == call["usage"]["inputTokens"]
    assert message.usage.output_tokens == 12
    assert float(raw.headers["x-tollgate-cost-usd"]) == books.cost_usd
    assert "x-tollgate-notes" not in raw.headers
    assert message._request_id == call["requestMetadata"]["request_id"]


def test_the_key_as_a_bearer_token(stack: LocalStack, books: Books) -> None:
    client = anthropic.Anthropic(base_url=stack.url, auth_token=key_of(stack), api_key=None)

    assert client.messages.create(model=NOVA, max_tokens=20, messages=user("Hi")).content
    assert len(books.billed) == 1


def test_why_it_stopped(client: anthropic.Anthropic) -> None:
    cut = client.messages.create(
        model=CLAUDE, max_tokens=20, messages=user("Go on [stub:tokens=60]")
    )
    stopped = client.messages.create(
        model=CLAUDE, max_tokens=200, messages=user("Go on"), stop_sequences=["."]
    )

    assert (cut.stop_reason, cut.stop_sequence) == ("max_tokens", None)
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", ".")


def test_a_stream_comes_bit_by_bit_with_usage_and_receipt(
    stack: LocalStack, client: anthropic.Anthropic, books: Books
) -> None:
    with stack.stub.gate("middle") as gate:
        stream = client.messages.create(
            model=CLAUDE,
            max_tokens=100,
            messages=user("Go on [stub:tokens=40] [stub:gate=middle@mid-stream]"),
            stream=True,
        )
        events: list[Any] = [next(stream), next(stream)]
        until(lambda: gate.waiting == 1, "the model half way, and no further")
    events += stream

    kinds = [event.type for event in events]
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 10,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[-2].usage.output_tokens == 40
    receipt = events[-1].model_extra["tollgate"]
    until(lambda: len(books.rows) == 1, "the call's row")
    assert float(receipt["cost_usd"]) == books.cost_usd
    assert receipt["request_id"] in books.rows


def test_the_streaming_helper(client: anthropic.Anthropic, books: Books) -> None:
    with client.messages.stream(
        model=CLAUDE,
        max_tokens=200,
        messages=user("Where? [stub:tool=get_weather,now] [stub:think=9]"),
        tools=[WEATHER, NOW],
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert [block.type for block in final.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert final.content[1].type == "text"
    assert final.content[1].text == text
    assert [block.input for block in final.content if block.type == "tool_use"] == [
        {"city": "example"},
        {},
    ]
    assert final.stop_reason == "tool_use"
    assert final.usage.input_tokens == books.billed[0]["usage"]["inputTokens"]


def test_a_round_of_tools_and_thoughts(client: anthropic.Anthropic, books: Books) -> None:
    messages = user("Where? [stub:tool=get_weather,now]")
    settings: Any = {
        "model": CLAUDE,
        "max_tokens": 2000,
        "tools": [WEATHER, NOW],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    first = client.messages.create(messages=messages, **settings)
    assert (first.stop_reason, first.content[0].type) == ("tool_use", "thinking")

    messages.append({"role": "assistant", "content": first.content})
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "rain"}
        for block in first.content
        if block.type == "tool_use"
    ]
    messages.append({"role": "user", "content": results})
    second = client.messages.create(messages=messages, **settings)

    assert (second.stop_reason, len(results)) == ("end_turn", 2)
    assert len(books.billed) == 2


def test_thoughts_that_only_the_model_can_read(client: anthropic.Anthropic) -> None:
    messages = user("Hide it [stub:redacted]")
    first = client.messages.create(model=CLAUDE, max_tokens=90, messages=messages)
    assert first.content[0].type == "redacted_thinking"

    messages += [{"role": "assistant", "content": first.content}, *user("And now?")]
    assert client.messages.create(model=CLAUDE, max_tokens=90, messages=messages).content


def test_a_tool_that_is_asked_for(client: anthropic.Anthropic) -> None:
    choices: list[Any] = [{"type": "any"}, {"type": "tool", "name": "get_weather"}]
    for choice in choices:
        message = client.messages.create(
            model=NOVA, max_tokens=200, messages=user("?"), tools=[WEATHER], tool_choice=choice
        )
        assert message.stop_reason == "tool_use"


def test_images_and_documents(client: anthropic.Anthropic, books: Books) -> None:
    image = {"type": "base64", "media_type": "image/png", "data": in_base64(picture())}
    pdf = {
        "type": "base64",
        "media_type": "application/pdf",
        "data": in_base64(b"%PDF-1.7 " * 50),
    }
    text = {"type": "text", "media_type": "text/plain", "data": "It is said that it rains."}
    content = [
        {"type": "text", "text": "Compare."},
        {"type": "image", "source": image},
        {"type": "document", "source": pdf, "title": "The report"},
        {"type": "document", "source": text},
    ]

    message = client.messages.create(model=CLAUDE, max_tokens=50, messages=user(content))
    assert message.content
    assert books.billed[0]["usage"]["inputTokens"] > 600


def test_structured_output(client: anthropic.Anthropic) -> None:
    parsed = client.messages.parse(
        model=CLAUDE, max_tokens=100, messages=user("Where to?"), output_format=Trip
    )
    assert parsed.parsed_output == Trip(city="example", days=1)

    with client.messages.stream(
        model=CLAUDE, max_tokens=100, messages=user("Where to?"), output_format=Trip
    ) as stream:
        assert stream.get_final_message().parsed_output == Trip(city="example", days=1)


@pytest.mark.parametrize("lifetime", ["5m", "1h"])
def test_caching(client: anthropic.Anthropic, books: Books, lifetime: str) -> None:
    mark: Any = {"type": "ephemeral", "ttl": lifetime}
    question = f"Why? [stub:cache_write_{lifetime}=30] [stub:cache_read=5]"

    message = client.messages.create(
        model=CLAUDE,
        max_tokens=50,
        system=[{"type": "text", "text": "Rules. " * 40, "cache_control": mark}],
        messages=user(question),
    )
    usage = message.usage
    assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (30, 5)
    assert usage.cache_creation is not None
    hour = usage.cache_creation.ephemeral_1h_input_tokens
    assert (hour, usage.cache_creation.ephemeral_5m_input_tokens) == (
        (30, 0) if lifetime == "1h" else (0, 30)
    )
    (row,) = books.rows.values()
    assert row.cache_cost > 0


def test_counting_is_free(client: anthropic.Anthropic, books: Books) -> None:
    given: Any = {"model": CLAUDE, "messages": user("How many?"), "system": "Count."}

    counted = client.messages.count_tokens(**given, tools=[WEATHER])
    assert books.calls == []

    client.messages.create(**given, tools=[WEATHER], max_tokens=20)
    assert counted.input_tokens == books.billed[0]["usage"]["inputTokens"]


def test_a_wrong_key(stack: LocalStack, books: Books) -> None:
    stranger = anthropic.Anthropic(base_url=stack.url, api_key="k" * 40, max_retries=0)
    with pytest.raises(anthropic.PermissionDeniedError):
        stranger.messages.create(model=NOVA, max_tokens=20, messages=user("Hi"))
    assert books.calls == []


def test_no_money_left(stack: LocalStack, books: Books) -> None:
    with pytest.raises(anthropic.APIStatusError) as refused:
        client_of(stack, "poor", max_retries=2).messages.create(
            model=CLAUDE, max_tokens=2000, messages=user("Hi")
        )
    body: Any = refused.value.body
    assert refused.value.status_code == 402
    assert (body["error"]["type"], body["error"]["code"]) == ("billing_error", "budget_exceeded")
    assert refused.value.request_id
    assert books.calls == []


def test_too_many_requests(stack: LocalStack, books: Books) -> None:
    slow = client_of(stack, "slow")
    served = 0
    with pytest.raises(anthropic.RateLimitError) as refused:
        for served in count():  # noqa: B007 - a minute may end between two calls
            slow.messages.create(model=NOVA, max_tokens=20, messages=user("Hi"))
    assert 0 < int(refused.value.response.headers["retry-after"]) <= 60
    assert len(books.calls) == served >= 1


def test_the_nearest_models_are_named(client: anthropic.Anthropic, books: Books) -> None:
    with pytest.raises(anthropic.BadRequestError, match="did you mean") as refused:
        client.messages.create(
            model="nova-lite",
            max_tokens=2000,
            messages=user("Hi"),
            extra_body={"top_k": 5},
        )
    body: Any = refused.value.body
    assert body["error"]["details"]["nearest"][0] == NOVA
    assert books.calls == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_tokens": 10**6, "timeout": 60}, "allowed is at most"),
        ({"extra_body": {"temperature": 1.7}}, "temperature is 1.7; allowed is 0 to 1"),
        ({"tools": [{"type": "web_search_20250305", "name": "w"}]}, "beyond what can be held"),
        ({"stream": True, "extra_body": {"top_k": 5}}, "top_k is not supported by this model"),
    ],
)
def test_what_cannot_be_done(
    client: anthropic.Anthropic, books: Books, fields: dict[str, Any], message: str
) -> None:
    given = {"model": NOVA, "max_tokens": 20, "messages": user("Hi"), **fields}
    with pytest.raises(anthropic.BadRequestError, match=message) as refused:
        client.messages.create(**given)
    body: Any = refused.value.body
    assert body["error"]["type"] == "invalid_request_error"
    assert books.calls == []


@pytest.mark.parametrize("streamed", [False, True])
def test_a_throttled_call_is_retried_after_the_time_and_charged_once(
    stack: LocalStack, books: Books, streamed: bool
) -> None:
    stack.stub.fault(times=1, error="ThrottlingException")
    patient: Any = client_of(stack, max_retries=2)

    began = time.monotonic()
    answer = patient.messages.create(
        model=NOVA, max_tokens=50, messages=user("Again"), stream=streamed
    )
    if streamed:
        answer = list(answer)

    # The gateway names two seconds.
    assert time.monotonic() - began >= 2
    assert answer
    assert [call["http_status"] for call in books.calls] == [429, 200]
    assert len(books.billed) == 1


def test_a_lost_answer_is_not_asked_for_twice(stack: LocalStack, books: Books) -> None:
    stack.stub.fault(times=1, cut="mid-stream")

    with pytest.raises(anthropic.InternalServerError):
        client_of(stack, max_retries=2).messages.create(
            model=NOVA, max_tokens=50, messages=user("Once")
        )
    assert len(books.calls) == 1
    (row,) = books.rows.values()
    assert (row.status, row.total_cost) == ("orphaned", row.held)


def test_a_stream_that_breaks_is_an_error_in_the_stream(
    stack: LocalStack, client: anthropic.Anthropic, books: Books
) -> None:
    stack.stub.fault(times=1, cut="mid-stream")
    seen: list[str] = []

    with (
        pytest.raises(anthropic.APIStatusError, match="broke"),
        client.messages.stream(
            model=NOVA, max_tokens=100, messages=user("Go on [stub:tokens=40]")
        ) as stream,
    ):
        seen.extend(stream.text_stream)
    assert "".join(seen)
    assert len(books.calls) == 1


def test_a_client_that_goes_away_pays_once_for_what_was_made(
    client: anthropic.Anthropic, books: Books
) -> None:
    with client.messages.stream(
        model=NOVA, max_tokens=100, messages=user("Go on [stub:tokens=80] [stub:delta_ms=30]")
    ) as stream:
        next(stream.text_stream)

    until(lambda: len(books.billed) == 1, "the bill of the call")
    (call,) = books.billed
    assert (call["status"], call["usage"]["outputTokens"]) == ("ok", 80)


def test_models(client: anthropic.Anthropic) -> None:
    assert {NOVA, CLAUDE} <= {model.id for model in client.models.list()}


def test_the_asynchronous_client(stack: LocalStack, books: Books) -> None:
    async def run() -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=stack.url, api_key=key_of(stack)) as client:
            message = await client.messages.create(model=NOVA, max_tokens=50, messages=user("Hi"))
            async with client.messages.stream(
                model=NOVA, max_tokens=50, messages=user("Ho")
            ) as stream:
                text = "".join([piece async for piece in stream.text_stream])
            return [*(block.text for block in message.content if block.type == "text"), text]

    assert all(asyncio.run(run()))
    assert len(books.billed) == 2
