"""Cohere."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.families import registry
from tollgate.domain.families.cohere import COMMAND, COMMAND_R, EMBED_V3, EMBED_V4
from tollgate.domain.prices import TokenUsage


def test_the_longer_name_has_the_newer_body() -> None:
    assert registry.text_body("cohere.command-r-plus-v1:0") is COMMAND_R
    assert registry.text_body("cohere.command-light-text-v14") is COMMAND


def test_a_prompt_and_a_message() -> None:
    assert COMMAND.write("Hi") == {"prompt": "Hi"}
    assert COMMAND_R.write("Hi") == {"message": "Hi"}


@pytest.mark.parametrize(
    ("own", "said"),
    [(None, "Be kind."), ("", "Be kind."), ("Be brief.", "Be kind.\n\nBe brief.")],
)
def test_a_message_has_a_preamble(own: str | None, said: str) -> None:
    body = {"message": "Hi", "preamble": own}

    assert COMMAND_R.with_system(body, "Be kind.") == {"message": "Hi", "preamble": said}


@pytest.mark.parametrize(
    ("billed", "found"),
    [
        ({"input_tokens": 4, "output_tokens": 2}, TokenUsage(input=4, output=2)),
        ({"input_tokens": 0}, TokenUsage(input=0)),
        ({"output_tokens": 2}, None),
        ([], None),
    ],
)
def test_counts(billed: Any, found: TokenUsage | None) -> None:
    assert COMMAND_R.answer.usage is COMMAND.answer.usage
    assert COMMAND_R.answer.usage is not None
    assert COMMAND_R.answer.usage({"meta": {"billed_units": billed}}) == found
    assert COMMAND_R.answer.usage({"meta": "strange"}) is None


def test_texts_are_embedded_by_one_call_for_a_search_unless_told_otherwise() -> None:
    assert EMBED_V3.write_texts(("a", "b"), {}) == [
        {"texts": ["a", "b"], "input_type": "search_document"}
    ]
    assert EMBED_V3.write_texts(["a"], {"input_type": "clustering", "texts": ["x"]}) == [
        {"texts": ["a"], "input_type": "clustering"}
    ]


def test_a_call_takes_at_most_96_texts() -> None:
    texts = [str(number) for number in range(193)]

    bodies = EMBED_V3.write_texts(texts, {})

    assert [len(body["texts"]) for body in bodies] == [96, 96, 1]
    assert [text for body in bodies for text in body["texts"]] == texts


def test_only_the_fourth_version_has_vectors_of_any_length() -> None:
    assert EMBED_V3.sized is None
    assert EMBED_V4.sized is not None
    assert EMBED_V4.sized(256) == {"embedding_types": ["float"], "output_dimension": 256}
    assert registry.embedding_body("cohere.embed-v4:0") is EMBED_V4
    assert registry.embedding_body("cohere.embed-multilingual-v3") is EMBED_V3


def test_an_image_is_embedded_by_its_data_url() -> None:
    assert EMBED_V3.takes_data_url
    assert EMBED_V3.write_image("data:image/png;base64,AA==", {"input_type": "x", "t": 1}) == {
        "images": ["data:image/png;base64,AA=="],
        "input_type": "image",
        "t": 1,
    }
