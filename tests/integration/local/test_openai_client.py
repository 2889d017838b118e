"""The openai package, unmodified, against the gateway; after each test the books must balance."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import openai
import pytest
from pydantic import BaseModel

from tests.integration.local.clients import (
    CLAUDE,
    COHERE_EMBED,
    NOVA,
    TITAN_EMBED,
    Books,
    in_base64,
    key_of,
    picture,
)
from tests.waiting import until

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

    from scripts.local.stack import LocalStack

pytestmark = pytest.mark.stack

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
NOW: Any = {"type": "function", "function": {"name": "now"}}


class Trip(BaseModel):
    """An answer with a form."""

    city: str
    days: int


@pytest.fixture
def client(stack: LocalStack, books: Books) -> openai.OpenAI:
    return client_of(stack)


def client_of(stack: LocalStack, tenant: str = "acme", **settings: Any) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{stack.url}/v1", api_key=key_of(stack, tenant), **{"max_retries": 0, **settings}
    )


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def receipt(chunk: ChatCompletionChunk) -> dict[str, str]:
    return (chunk.model_extra or {}).get("tollgate", {})


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
def test_chat(client: openai.OpenAI, books: Books, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model,
        messages=[{"role": "system", "content": "Be brief."}, *user("Hello [stub:tokens=12]")],
        max_completion_tokens=50,
        temperature=0.2,
        seed=7,
    )
    completion = raw.parse()

    (call,) = books.billed
    (choice,) = completion.choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert choice.message.content
    assert completion.model == model
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == call["usage"]["inputTokens"]
    assert completion.usage.completion_tokens == call["usage"]["outputTokens"] == 12
    assert float(raw.headers["x-tollgate-cost-usd"]) == books.cost_usd
    assert raw.headers["x-tollgate-notes"] == "seed is ignored"
    assert completion._request_id == call["requestMetadata"]["request_id"]


def test_an_answer_that_is_cut(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model=NOVA, messages=user("Go on [stub:tokens=60]"), max_tokens=20
    )

    assert completion.choices[0].finish_reason == "length"


def test_a_stream_comes_bit_by_bit_with_usage_and_receipt(
    stack: LocalStack, client: openai.OpenAI, books: Books
) -> None:
    with stack.stub.gate("middle") as gate:
        stream = client.chat.completions.create(
            model=CLAUDE,
            messages=user("Go on [stub:tokens=40] [stub:gate=middle@mid-stream]"),
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks: list[ChatCompletionChunk] = [next(stream), next(stream)]
        until(lambda: gate.waiting == 1, "the model half way, and no further")
    chunks += stream

    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert len([text for text in texts if text]) == 10
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == 40
    (found,) = [receipt(chunk) for chunk in chunks if receipt(chunk)]
    until(lambda: len(books.rows) == 1, "the call's row")
    assert float(found["cost_usd"]) == books.cost_usd
    assert found["request_id"] in books.rows


def test_the_streaming_helper(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=NOVA,
        messages=user("Where? [stub:tool=get_weather,now]"),
        tools=[WEATHER, NOW],
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()

    assert {"content.delta", "tool_calls.function.arguments.done"} <= kinds
    calls = final.choices[0].message.tool_calls or []
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("get_weather", '{"city": "example"}'),
        ("now", "{}"),
    ]


def test_a_round_of_tools(client: openai.OpenAI, books: Books) -> None:
    messages = user("Where? [stub:tool=get_weather,now]")
    first = client.chat.completions.create(
        model=CLAUDE, messages=messages, tools=[WEATHER, NOW], parallel_tool_calls=True
    ).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.tool_calls is not None

    messages.append(first.message)
    for called in first.message.tool_calls:
        messages.append({"role": "tool", "tool_call_id": called.id, "content": "rain"})
    second = client.chat.completions.create(model=CLAUDE, messages=messages, tools=[WEATHER, NOW])

    assert second.choices[0].finish_reason == "stop"
    assert len(books.billed) == 2


def test_a_tool_that_is_asked_for(client: openai.OpenAI) -> None:
    named: Any = {"type": "function", "function": {"name": "get_weather"}}
    for choice in ("required", named):
        completion = client.chat.completions.create(
            model=NOVA, messages=user("Where?"), tools=[WEATHER], tool_choice=choice
        )
        assert completion.choices[0].finish_reason == "tool_calls"


def test_images_and_documents(client: openai.OpenAI, books: Books) -> None:
    parts: Any = [
        {"type": "text", "text": "Compare."},
        {
            "type": "image_url",
            "image_url": {"url": f"data:image/png;base64,{in_base64(picture())}"},
        },
        {
            "type": "file",
            "file": {
                "filename": "a.pdf",
                "file_data": f"data:application/pdf;base64,{in_base64(b'%PDF-1.7 ' * 50)}",
            },
        },
    ]

    completion = client.chat.completions.create(
        model=NOVA, messages=[{"role": "user", "content": parts}], max_tokens=50
    )
    assert completion.choices[0].message.content
    assert books.billed[0]["usage"]["inputTokens"] > 600


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
def test_structured_output(client: openai.OpenAI, model: str) -> None:
    completion = client.chat.completions.parse(
        model=model, messages=user("Where to?"), response_format=Trip
    )
    assert completion.choices[0].message.parsed == Trip(city="example", days=1)

    with client.chat.completions.stream(
        model=model, messages=user("Where to?"), response_format=Trip
    ) as stream:
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.parsed == Trip(city="example", days=1)


def test_thinking(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model=CLAUDE,
        messages=user("Why?"),
        reasoning_effort="low",
        max_completion_tokens=2000,
    )

    assert (completion.choices[0].message.model_extra or {})["reasoning_content"]


def test_a_wrong_key(stack: LocalStack, books: Books) -> None:
    stranger = openai.OpenAI(base_url=f"{stack.url}/v1", api_key="k" * 40, max_retries=0)
    with pytest.raises(openai.PermissionDeniedError) as refused:
        stranger.chat.completions.create(model=NOVA, messages=user("Hi"))
    assert refused.value.message
    assert books.calls == []


def test_no_money_left(stack: LocalStack, books: Books) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client_of(stack, "poor", max_retries=2).chat.completions.create(
            model=CLAUDE, messages=user("Hi"), max_tokens=2000
        )
    assert refused.value.status_code == 402
    assert (refused.value.code, refused.value.type) == ("budget_exceeded", "insufficient_quota")
    assert refused.value.request_id
    assert books.calls == []


def test_too_many_requests(stack: LocalStack, books: Books) -> None:
    slow = client_of(stack, "slow")
    served = 0
    with pytest.raises(openai.RateLimitError) as refused:
        for served in count():  # noqa: B007 - a minute may end between two calls
            slow.chat.completions.create(model=NOVA, messages=user("Hi"))
    assert refused.value.code == "requests_per_minute_exceeded"
    assert 0 < int(refused.value.response.headers["retry-after"]) <= 60
    assert len(books.calls) == served >= 1


@pytest.mark.parametrize("model", ["nova-lite", "bedrock/amazon.nova-lite-v1:0"])
def test_the_nearest_models_are_named(client: openai.OpenAI, books: Books, model: str) -> None:
    with pytest.raises(openai.BadRequestError, match=f"did you mean {NOVA}") as refused:
        client.chat.completions.create(model=model, messages=user("Hi"), reasoning_effort="low")
    body: Any = refused.value.body
    assert body["details"]["nearest"][0] == NOVA
    assert books.calls == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 2}, "n is not supported by Bedrock; allowed is 1"),
        ({"max_tokens": 10**9}, "allowed is at most"),
        ({"temperature": 1.7}, "temperature is 1.7; allowed is 0 to 1"),
        ({"response_format": {"type": "json_object"}}, "send json_schema"),
        ({"stream": True, "n": 2}, "n is not supported"),
    ],
)
def test_what_cannot_be_done(
    client: openai.OpenAI, books: Books, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as refused:
        client.chat.completions.create(model=NOVA, messages=user("Hi"), **fields)
    assert refused.value.type == "invalid_request_error"
    assert books.calls == []


@pytest.mark.parametrize("streamed", [False, True])
def test_a_throttled_call_is_retried_after_the_time_and_charged_once(
    stack: LocalStack, books: Books, streamed: bool
) -> None:
    stack.stub.fault(times=1, error="ThrottlingException")
    patient = client_of(stack, max_retries=2)

    began = time.monotonic()
    answer: Any = patient.chat.completions.create(
        model=NOVA, messages=user("Again"), stream=streamed
    )
    if streamed:
        answer = list(answer)

    # The gateway names two seconds.
    assert time.monotonic() - began >= 2
    assert answer
    assert [call["http_status"] for call in books.calls] == [429, 200]
    assert len(books.billed) == 1


def test_a_failed_call_that_costs_nothing_is_retried(stack: LocalStack, books: Books) -> None:
    stack.stub.fault(times=1, error="InternalServerException")

    assert client_of(stack, max_retries=2).chat.completions.create(
        model=NOVA, messages=user("Again")
    )
    assert [call["http_status"] for call in books.calls] == [500, 200]


def test_a_lost_answer_is_not_asked_for_twice(stack: LocalStack, books: Books) -> None:
    stack.stub.fault(times=1, cut="mid-stream")

    with pytest.raises(openai.InternalServerError) as failed:
        client_of(stack, max_retries=2).chat.completions.create(model=NOVA, messages=user("Once"))
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert len(books.calls) == 1
    (row,) = books.rows.values()
    assert (row.status, row.total_cost) == ("orphaned", row.held)


def test_a_stream_that_breaks_is_an_error_in_the_stream(
    stack: LocalStack, client: openai.OpenAI, books: Books
) -> None:
    stack.stub.fault(times=1, cut="mid-stream")
    seen: list[str] = []

    with pytest.raises(openai.APIError, match="broke") as failed:
        for chunk in client.chat.completions.create(
            model=NOVA, messages=user("Go on [stub:tokens=40]"), stream=True
        ):
            seen.extend(choice.delta.content or "" for choice in chunk.choices)
    assert "".join(seen)
    assert failed.value.code == "upstream_stream_broken"
    assert len(books.calls) == 1


def test_a_client_that_goes_away_pays_once_for_what_was_made(
    client: openai.OpenAI, books: Books
) -> None:
    stream = client.chat.completions.create(
        model=NOVA, messages=user("Go on [stub:tokens=80] [stub:delta_ms=30]"), stream=True
    )
    next(stream)
    next(stream)
    stream.close()

    until(lambda: len(books.billed) == 1, "the bill of the call")
    (call,) = books.billed
    assert (call["status"], call["usage"]["outputTokens"]) == ("ok", 80)


def test_embeddings(client: openai.OpenAI, books: Books) -> None:
    packed = client.embeddings.create(model=TITAN_EMBED, input="One text")
    plain = client.embeddings.create(model=TITAN_EMBED, input="One text", encoding_format="float")

    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert len(plain.data[0].embedding) == 1024
    assert packed.usage.prompt_tokens == books.billed[0]["usage"]["inputTokens"]


@pytest.mark.parametrize(("model", "calls"), [(TITAN_EMBED, 3), (COHERE_EMBED, 1)])
def test_embeddings_of_several_texts(
    client: openai.OpenAI, books: Books, model: str, calls: int
) -> None:
    texts = ["One", "Two", "Three words here"]

    together = client.embeddings.create(model=model, input=texts)
    assert [item.index for item in together.data] == [0, 1, 2]
    assert len(books.billed) == calls
    total = sum(call["usage"]["inputTokens"] for call in books.billed)
    assert together.usage.total_tokens == total

    alone = client.embeddings.create(model=model, input=texts[1])
    assert together.data[1].embedding == alone.data[0].embedding


def test_fewer_dimensions(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model=TITAN_EMBED, input="One", dimensions=256)

    assert len(found.data[0].embedding) == 256


def test_arrays_of_tokens_are_refused_with_advice(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        client.embeddings.create(model=TITAN_EMBED, input=[[1, 2, 3]])


def test_models(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}

    assert {NOVA, CLAUDE} <= listed.keys()
    assert listed[NOVA].object == "model"
    assert client.models.retrieve(NOVA).id == NOVA


def test_the_asynchronous_client(stack: LocalStack, books: Books) -> None:
    async def run() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(base_url=f"{stack.url}/v1", api_key=key_of(stack)) as client:
            first, stream = await asyncio.gather(
                client.chat.completions.create(model=NOVA, messages=user("Hi")),
                client.chat.completions.create(model=NOVA, messages=user("Ho"), stream=True),
            )
            text = ""
            async for chunk in stream:
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
            return first.choices[0].message.content, text

    assert all(asyncio.run(run()))
    assert len(books.billed) == 2
