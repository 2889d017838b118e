"""The LangChain clients of OpenAI and AWS, unmodified, against the gateway; books must balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from langchain_aws import BedrockEmbeddings, ChatBedrock, ChatBedrockConverse
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from scripts.local.ministack import REGION
from scripts.local.stack import LocalStack
from tests.integration.local.clients import (
    CLAUDE,
    NOVA,
    TITAN_EMBED,
    Books,
    bedrock_client,
    in_base64,
    key_of,
    picture,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from langchain_core.language_models import BaseChatModel

    Make = Callable[[str], BaseChatModel]

pytestmark = pytest.mark.stack


class Trip(BaseModel):
    """An answer with a form."""

    city: str
    days: int


@tool
def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"rain in {city}"


@pytest.fixture(scope="module")
def stack(environment: Path) -> Iterator[LocalStack]:
    with LocalStack(environment, delta_seconds=0.001, tls=True) as running:
        yield running


@pytest.fixture(scope="module")
def bedrock(stack: LocalStack) -> Any:
    return bedrock_client(stack)


@pytest.fixture(scope="module")
def settings(stack: LocalStack) -> dict[str, Any]:
    """Where LangChain's clients of OpenAI find the gateway."""
    # They trust what the environment does not know through an HTTP client of one's own.
    return {
        "base_url": f"{stack.url}/v1",
        "api_key": key_of(stack),
        "http_client": openai.DefaultHttpxClient(verify=str(stack.ca_file)),
        "max_retries": 0,
    }


@pytest.fixture(scope="module")
def makers(settings: dict[str, Any], bedrock: Any) -> dict[str, Make]:
    """The chat models by their class."""
    return {
        "ChatOpenAI": lambda model: ChatOpenAI(model=model, stream_usage=True, **settings),
        "ChatBedrockConverse": lambda model: ChatBedrockConverse(
            model=model, client=bedrock, bedrock_client=bedrock, region_name=REGION
        ),
        "ChatBedrock": lambda model: ChatBedrock(
            model=model,
            client=bedrock,
            bedrock_client=bedrock,
            region_name=REGION,
            beta_use_converse_api=False,
        ),
    }


EACH = pytest.mark.parametrize("name", ["ChatOpenAI", "ChatBedrockConverse", "ChatBedrock"])
CHATS = pytest.mark.parametrize("name", ["ChatOpenAI", "ChatBedrockConverse"])


@EACH
def test_a_chat(makers: dict[str, Make], books: Books, name: str) -> None:
    answer: Any = makers[name](CLAUDE).invoke([("system", "Be brief."), ("user", "Hello")])

    (call,) = books.billed
    assert answer.text
    assert answer.usage_metadata["input_tokens"] == call["usage"]["inputTokens"]
    assert answer.usage_metadata["output_tokens"] == call["usage"]["outputTokens"]


@EACH
def test_a_stream(makers: dict[str, Make], books: Books, name: str) -> None:
    whole: Any = AIMessageChunk("")
    pieces = 0
    for chunk in makers[name](CLAUDE).stream("Go on [stub:tokens=40]"):
        whole += chunk
        pieces += bool(chunk.text)

    assert pieces == 10
    assert whole.usage_metadata["output_tokens"] == 40
    assert len(books.billed) == 1


@CHATS
def test_a_round_of_tools(makers: dict[str, Make], books: Books, name: str) -> None:
    model = makers[name](CLAUDE).bind_tools([get_weather])
    messages: list[Any] = [HumanMessage("Where? [stub:tool=get_weather]")]

    first: Any = model.invoke(messages)
    (called,) = first.tool_calls
    assert (called["name"], called["args"]) == ("get_weather", {"city": "example"})
    messages += [first, ToolMessage(get_weather.invoke(called["args"]), tool_call_id=called["id"])]
    second = model.invoke(messages)

    assert second.text
    assert len(books.billed) == 2


@CHATS
def test_structured_output(makers: dict[str, Make], books: Books, name: str) -> None:
    model = makers[name](CLAUDE)
    for method in ("json_schema", "function_calling"):
        answer = model.with_structured_output(Trip, method=method).invoke("Where to?")
        assert answer == Trip(city="example", days=1)
    assert len(books.billed) == 2


@CHATS
def test_images(makers: dict[str, Make], books: Books, name: str) -> None:
    content: Any = [
        {"type": "text", "text": "What is it?"},
        {"type": "image", "base64": in_base64(picture()), "mime_type": "image/png"},
    ]

    assert makers[name](NOVA).invoke([HumanMessage(content)]).text
    assert len(books.billed) == 1


def test_embeddings_by_openais_client(settings: dict[str, Any], books: Books) -> None:
    embeddings = OpenAIEmbeddings(model=TITAN_EMBED, check_embedding_ctx_length=False, **settings)

    vectors = embeddings.embed_documents(["One", "Two"])
    assert [len(vector) for vector in vectors] == [1024, 1024]
    assert embeddings.embed_query("One") == vectors[0]
    assert len(books.billed) == 3


def test_embeddings_by_the_client_of_aws(bedrock: Any, books: Books) -> None:
    embeddings = BedrockEmbeddings(model_id=TITAN_EMBED, client=bedrock, region_name=REGION)

    assert [len(vector) for vector in embeddings.embed_documents(["One", "Two"])] == [1024, 1024]
    assert len(books.billed) == 2


def test_a_refusal_is_what_the_client_raises(settings: dict[str, Any], books: Books) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature is 1.7"):
        ChatOpenAI(model=NOVA, temperature=1.7, **settings).invoke("Hi")
    assert books.calls == []


@pytest.mark.parametrize("streamed", [False, True])
def test_a_throttled_call_is_retried_and_charged_once(
    stack: LocalStack, settings: dict[str, Any], books: Books, streamed: bool
) -> None:
    stack.stub.fault(times=1, error="ThrottlingException")
    model = ChatOpenAI(model=NOVA, **{**settings, "max_retries": 2})

    assert list(model.stream("Again")) if streamed else model.invoke("Again")
    assert [call["http_status"] for call in books.calls] == [429, 200]
