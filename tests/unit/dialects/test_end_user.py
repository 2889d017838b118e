"""Whom a call is for, as each API's clients say it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.exchanges import request
from tollgate.dialects.anthropic import request as anthropic
from tollgate.dialects.bedrock import request as bedrock
from tollgate.dialects.openai import request as openai
from tollgate.domain.errors import InvalidRequestError

NOVA = "amazon.nova-lite-v1:0"
TEXT = [{"role": "user", "content": "Hello"}]
BLOCKS = [{"role": "user", "content": [{"text": "Hello"}]}]
MOST = 256


def of_openai(headers: dict[str, str] | None = None, **members: Any) -> str | None:
    body = {"model": NOVA, "messages": TEXT, **members}
    return openai.parse_chat(request(body, headers=headers or {})).call.end_user


def of_embeddings(headers: dict[str, str] | None = None, **members: Any) -> str | None:
    body = {"model": "amazon.titan-embed-text-v2:0", "input": "Hello", **members}
    (call,) = openai.parse_embeddings(request(body, headers=headers or {})).calls
    return call.end_user


def of_anthropic(headers: dict[str, str] | None = None, **members: Any) -> str | None:
    body = {"model": NOVA, "max_tokens": 9, "messages": TEXT, **members}
    return anthropic.parse_chat(request(body, headers=headers or {})).call.end_user


def of_bedrock(headers: dict[str, str] | None = None, **members: Any) -> str | None:
    asked = request({"messages": BLOCKS, **members}, path={"modelId": NOVA}, headers=headers or {})
    return bedrock.parse_chat(asked).call.end_user


PLACES = {
    "user": (of_openai, lambda name: {"user": name}),
    "safety_identifier": (of_openai, lambda name: {"safety_identifier": name}),
    "user of embeddings": (of_embeddings, lambda name: {"user": name}),
    "metadata.user_id": (of_anthropic, lambda name: {"metadata": {"user_id": name}}),
    "requestMetadata.end_user": (
        of_bedrock,
        lambda name: {"requestMetadata": {"end_user": name, "team": "search"}},
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_each_api_has_a_place_for_it(place: str) -> None:
    read, members = PLACES[place]

    assert read() is None
    assert read(**members("")) is None
    assert read(**members("u-1")) == "u-1"
    assert read(**members("u" * MOST)) == "u" * MOST


@pytest.mark.parametrize("place", PLACES)
def test_it_is_bounded(place: str) -> None:
    read, members = PLACES[place]

    with pytest.raises(InvalidRequestError) as refused:
        read(**members("secret-" * 40))

    assert "256" in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("headers", [{"x-api-key": "k-123"}, {"authorization": "Bearer k-123"}])
def test_it_is_never_the_key(place: str, headers: dict[str, str]) -> None:
    read, members = PLACES[place]

    with pytest.raises(InvalidRequestError, match="has the key of this request") as refused:
        read(headers, **members("user k-123"))

    assert "k-123" not in refused.value.message
    assert read(headers, **members("u-1")) == "u-1"


def test_the_newer_of_openais_names_counts_more() -> None:
    assert of_openai(user="u-1", safety_identifier="s-1") == "s-1"
    assert of_openai(user="u-1", safety_identifier="") == "u-1"


def test_what_else_is_in_anthropics_metadata_is_noted() -> None:
    body = {"model": NOVA, "max_tokens": 9, "messages": TEXT}
    body |= {"metadata": {"user_id": "u-1", "trace": "t"}}

    parsed = anthropic.parse_chat(request(body))

    assert parsed.call.end_user == "u-1"
    assert parsed.notes == ("metadata is ignored: only its user_id is read",)


@pytest.mark.parametrize("given", [7, ["u-1"], {"id": "u-1"}])
def test_it_is_a_text(given: object) -> None:
    with pytest.raises(InvalidRequestError, match="user is .*; allowed is a string"):
        of_openai(user=given)
