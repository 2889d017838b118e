"""Cohere."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.families import registry
from tollgate.domain.families.cohere import COMMAND, COMMAND_R, EMBEDDINGS
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
    assert EMBEDDINGS.write_texts(("a", "b"), {}) == [
        {"texts": ["a", "b"], "input_type": "search_document"}
    ]
    assert EMBEDDINGS.write_texts(["a"], {"input_type": "clustering", "texts": ["x"]}) == [
        {"texts": ["a"], "input_type": "clustering"}
    ]


def test_an_image_is_embedded_by_its_data_url() -> None:
    assert EMBEDDINGS.takes_data_url
    assert EMBEDDINGS.write_image("data:image/png;base64,AA==", {"input_type": "x", "t": 1}) == {
        "images": ["data:image/png;base64,AA=="],
        "input_type": "image",
        "t": 1,
    }
