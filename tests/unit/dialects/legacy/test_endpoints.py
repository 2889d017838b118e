"""What containers of SageMaker endpoints are sent, and what is read of their answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.exchanges import answer
from tests.unit.dialects.legacy.test_request import (
    CHAT,
    EMBED,
    HELLO,
    STREAM,
    USAGE,
    ask,
    body_of,
    parse,
)
from tollgate.dialects.legacy.request import Target
from tollgate.domain.errors import UpstreamFailedError
from tollgate.services.endpoint_calls import EndpointCall

ENDPOINT = Target("my model", None)


@pytest.mark.parametrize(
    ("body", "headers", "sent", "document"),
    [
        (
            {"inputs": "hi", "parameters": {"max_new_tokens": 9}},
            {},
            {"inputs": "hi", "parameters": {"max_new_tokens": 9}},
            [{"generated_text": "hey"}],
        ),
        ({"inputs": "hi"}, {}, {"inputs": "hi", "parameters": {}}, {"generated_text": "hey"}),
        (
            {"inputs": {"text": "hi"}, "parameters": {"top_k": 1}},
            {},
            {"text": "hi", "top_k": 1},
            {"generated_text": "hey"},
        ),
        (
            {"inputs": HELLO, "parameters": {"model": "tgi", "max_tokens": 9}},
            CHAT,
            {"model": "tgi", "max_tokens": 9, "messages": HELLO},
            {"choices": [{"message": {"content": " hey "}}]},
        ),
    ],
)
def test_an_endpoint_is_sent_what_its_container_reads(
    body: dict[str, Any], headers: dict[str, str], sent: object, document: object
) -> None:
    asked = ask(body, headers, ENDPOINT)

    tags = {"team": "search"}
    assert list(asked.calls) == [EndpointCall("my model", sent, "legacy.endpoint", None, tags)]
    assert asked.body([answer(document)]) == [
        {"generated_text": "hey", "stop_reason": "end_turn", "usage": USAGE}
    ]


def test_an_inference_component_is_no_parameter() -> None:
    parameters = {"max_new_tokens": 9, "InferenceComponentName": "part-1"}
    call = parse({"inputs": "hi", "parameters": parameters}, STREAM, ENDPOINT)

    assert isinstance(call, EndpointCall)
    assert call.component == "part-1"
    assert call.body == {"inputs": "hi", "parameters": {"max_new_tokens": 9}}


@pytest.mark.parametrize("inputs", ["hi", {"text_inputs": "hi"}])
def test_an_endpoint_embeds(inputs: object) -> None:
    asked = ask({"inputs": inputs, "parameters": {"top": 1}}, EMBED, ENDPOINT)

    assert body_of(asked.calls[0]) == {"text_inputs": "hi", "mode": "embedding", "top": 1}
    assert asked.body([answer({"embedding": [[1.0]]})])[0]["embedding"] == [1.0]
    many = ask({"inputs": {"text_inputs": ["a", "b"]}}, EMBED, ENDPOINT)
    (body,) = many.body([answer({"embedding": [[1.0], [2.0]]})])
    assert body["embeddings"] == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("headers", "body", "document", "missing"),
    [
        ({}, {"inputs": "x"}, [], "no generated_text"),
        ({}, {"inputs": "x"}, {"text": "y"}, "no generated_text"),
        ({}, {"inputs": "x"}, {"generated_text": 5}, "no generated_text"),
        (CHAT, {"inputs": HELLO}, {"choices": []}, "no message in choices"),
        (CHAT, {"inputs": HELLO}, [{"generated_text": "y"}], "no message in choices"),
    ],
)
def test_an_endpoint_that_answers_in_another_form_is_named(
    headers: dict[str, str], body: object, document: object, missing: str
) -> None:
    with pytest.raises(UpstreamFailedError, match=missing) as failed:
        ask(body, headers, ENDPOINT).body([answer(document)])
    assert failed.value.code == "upstream_unreadable"
