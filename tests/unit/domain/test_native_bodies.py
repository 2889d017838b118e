"""Native bodies: the maximum of tokens, the tenant's text, what is embedded, what is answered."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain import native
from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.forms import MaxTokensField

USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("model", "body", "path"),
    [
        ("meta.llama3-8b-instruct-v1:0", {"prompt": "Hi"}, ("max_gen_len",)),
        ("amazon.nova-lite-v1:0", {"messages": []}, ("inferenceConfig", "maxTokens")),
        ("anthropic.claude-sonnet-4-6", {"messages": []}, ("max_tokens",)),
        ("anthropic.claude-sonnet-4-6", {"prompt": "Hi"}, ("max_tokens",)),
        ("anthropic.claude-v2:1", {"prompt": "Hi"}, ("max_tokens_to_sample",)),
    ],
)
def test_the_maximum_stands_where_the_family_has_it(
    model: str, body: dict[str, Any], path: tuple[str, ...]
) -> None:
    field = native.text_form(model, body).max_tokens

    assert isinstance(field, MaxTokensField)
    assert field.path == path


def test_without_a_place_for_the_maximum_nothing_is_sent() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        native.text_form("acme.model-v1", {"prompt": "Hi"})

    assert refused.value.code == "unbounded_request"
    assert refused.value.message == (
        "the native request body of acme.model-v1 has no known field for the maximum of tokens, "
        "so its cost cannot be bounded; call it with a chat request"
    )


def test_a_prompt_for_a_model_without_one_says_what_to_send() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        native.prompt_body("acme.model-v1", "Hi", {})

    assert refused.value.code == "wrong_operation"
    assert refused.value.message == (
        "acme.model-v1 has no known form for a plain prompt; send Converse messages with the "
        "header messages_api: true"
    )


def test_a_section_that_nothing_is_in_is_left_out() -> None:
    assert native.prompt_body("amazon.titan-text-lite-v1", "Hi", {}) == {"inputText": "Hi"}


@pytest.mark.parametrize(
    ("model", "body", "said"),
    [
        ("amazon.titan-text-lite-v1", {"inputText": " Hi"}, {"inputText": "Be kind.\n\nHi"}),
        ("meta.llama3-8b-instruct-v1:0", {"prompt": "Hi"}, {"prompt": "Be kind.\n\nHi"}),
        (
            "cohere.command-r-v1:0",
            {"message": "Hi"},
            {"message": "Hi", "preamble": "Be kind."},
        ),
        (
            "amazon.nova-lite-v1:0",
            {"messages": [USER]},
            {"messages": [USER], "system": [{"text": "Be kind."}]},
        ),
        (
            "anthropic.claude-v2:1",
            {"messages": [USER]},
            {"messages": [USER], "system": [{"type": "text", "text": "Be kind."}]},
        ),
        (
            "qwen.qwen3-32b-v1:0",
            {"messages": [USER]},
            {"messages": [{"role": "system", "content": "Be kind."}, USER]},
        ),
    ],
)
def test_the_tenants_text_is_said_before_the_callers(
    model: str, body: dict[str, Any], said: dict[str, Any]
) -> None:
    assert native.with_preamble(native.text_form(model, body), body, "Be kind.") == said


@pytest.mark.parametrize("model", ["anthropic.claude-sonnet-4-v1:0", "amazon.nova-pro-v1:0"])
@pytest.mark.parametrize("own", [7, True, 1.5, {"text": "Be brief."}])
def test_a_system_text_that_is_neither_text_nor_blocks_is_refused(model: str, own: object) -> None:
    body = {"system": own, "messages": [{"role": "user", "content": "hi"}]}

    with pytest.raises(InvalidRequestError) as refused:
        native.with_preamble(native.text_form(model, body), body, "Be kind.")
    assert refused.value.message == "system allows a string or a list of blocks"


@pytest.mark.parametrize(
    ("model", "body", "place"),
    [
        ("meta.llama3-8b-instruct-v1:0", {}, "prompt as a string"),
        ("meta.llama3-8b-instruct-v1:0", {"prompt": ["Hi"]}, "prompt as a string"),
        ("qwen.qwen3-32b-v1:0", {"messages": "Hi"}, "messages as an array"),
        # What another family reads is no place.
        ("cohere.command-r-v1:0", {"prompt": "Hi"}, "message as a string"),
        ("amazon.nova-lite-v1:0", {"inputText": "Hi"}, "messages as an array"),
    ],
)
def test_a_body_without_a_place_for_the_tenants_text_is_refused(
    model: str, body: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        native.with_preamble(native.text_form(model, body), body, "Be kind.")

    assert refused.value.code == "wrong_operation"
    assert refused.value.message == (
        f"the body has no place for the tenant's preamble; send {place}"
    )


@pytest.mark.parametrize("decoy", ["inputText", "prompt", "message", "inputs"])
def test_what_another_family_reads_does_not_move_the_tenants_text(decoy: str) -> None:
    model, body = "qwen.qwen3-32b-v1:0", {decoy: "Hi", "messages": [USER]}

    said = native.with_preamble(native.text_form(model, body), body, "Be kind.")
    assert said["messages"][0] == {"role": "system", "content": "Be kind."}


@pytest.mark.parametrize(
    ("body", "texts", "images"),
    [
        ({"inputText": "a", "inputImage": "AA=="}, ["a"], 1),
        ({"texts": ["a", "b"], "input_type": "c"}, ["a", "b", "c"], 0),
        ({"images": ["AA==", "AA=="]}, [], 2),
        ({"inputImage": None}, [], 0),
        (
            {
                "inputs": [
                    {
                        "content": [
                            {"type": "text", "text": "a"},
                            {"type": "image_url", "image_url": {"url": "AA=="}},
                        ]
                    }
                ]
            },
            ["text", "a", "image_url"],
            1,
        ),
        ({"dimensions": 256, "normalize": True}, [], 0),
    ],
)
def test_all_that_is_no_image_can_be_embedded(
    body: dict[str, Any], texts: list[str], images: int
) -> None:
    assert native.embedding_texts(body) == texts
    assert native.embedding_images(body) == images


@pytest.mark.parametrize(
    ("document", "vectors"),
    [
        ({"embedding": [0.1, 0.2]}, [[0.1, 0.2]]),
        ({"embeddings": [[0.1], [0.2]]}, [[0.1], [0.2]]),
        ({"embeddings": {"int8": [[1]], "float": [[0.1]]}}, [[0.1]]),
        ({"embeddings": {"int8": [[1]]}}, [[1]]),
        ({"embeddingsByType": {"binary": [1, 0]}}, [[1, 0]]),
        ([[0.1]], [[0.1]]),
        ([0.1], [[0.1]]),
        ({"embeddings": {}}, []),
        ({"embedding": []}, []),
        ({"images": []}, []),
        ("none", []),
    ],
)
def test_vectors(document: object, vectors: list[Any]) -> None:
    assert native.vectors_of(document) == vectors


@pytest.mark.parametrize(
    ("document", "images"),
    [
        ({"images": ["AA==", "AA=="]}, 2),
        ({"artifacts": [{"base64": "AA=="}]}, 1),
        ({"images": []}, 0),
        ({"images": None, "artifacts": [{}, {}]}, 2),
        ({}, 0),
    ],
)
def test_images_that_are_answered_are_counted(document: dict[str, Any], images: int) -> None:
    assert native.image_count(document) == images
