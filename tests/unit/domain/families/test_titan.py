"""Amazon Titan."""

from __future__ import annotations

from typing import Any

import pytest

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.titan import EMBEDDINGS, IMAGES, TEXT
from tollgate.domain.prices import TokenUsage


def test_a_prompt() -> None:
    assert TEXT.write("Hi") == {"inputText": "Hi"}
    assert TEXT.with_system(TEXT.write("Hi"), "Be kind.") == {"inputText": "Be kind.\n\nHi"}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (
            {"inputTextTokenCount": 4, "results": [{"tokenCount": 2}, {"tokenCount": 3}]},
            TokenUsage(input=4, output=5),
        ),
        ({"inputTextTokenCount": 4, "results": []}, TokenUsage(input=4)),
        ({"inputTextTokenCount": 4, "results": [{"tokenCount": 2}, {}]}, None),
        ({"inputTextTokenCount": 4, "totalOutputTextTokenCount": 6}, TokenUsage(input=4, output=6)),
        ({"inputTextTokenCount": 0, "embedding": []}, TokenUsage(input=0)),
        ({"inputTextTokenCount": 4, "embeddingsByType": {}}, TokenUsage(input=4)),
        # The first chunk of a stream counts no output yet.
        ({"inputTextTokenCount": 4, "outputText": "He"}, None),
        ({"results": [{"tokenCount": 2}]}, None),
    ],
)
def test_counts(document: dict[str, Any], found: TokenUsage | None) -> None:
    assert TEXT.answer.usage is EMBEDDINGS.usage
    assert TEXT.answer.usage is not None
    assert TEXT.answer.usage(document) == found


def test_each_text_is_embedded_by_a_call_of_its_own() -> None:
    assert EMBEDDINGS.write_texts(["a", "b"], {"dimensions": 256}) == [
        {"inputText": "a", "dimensions": 256},
        {"inputText": "b", "dimensions": 256},
    ]
    # What is asked is not the settings' to change.
    assert EMBEDDINGS.write_texts(["a"], {"inputText": "b"}) == [{"inputText": "a"}]
    assert EMBEDDINGS.write_image("AA==", {"inputImage": "x", "embeddingConfig": {}}) == {
        "inputImage": "AA==",
        "embeddingConfig": {},
    }


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        (None, (1, "1024x1024", "standard")),
        ({}, (1, "1024x1024", "standard")),
        (
            {"numberOfImages": 3, "width": 512, "height": 768, "quality": "premium"},
            (3, "512x768", "premium"),
        ),
    ],
)
def test_what_images_are_asked_for(settings: object, asked: tuple[int, str, str]) -> None:
    assert IMAGES.asked({"imageGenerationConfig": settings}) == asked
    assert IMAGES.asked({}) == (1, "1024x1024", "standard")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([1], "imageGenerationConfig allows an object only"),
        ({"numberOfImages": 0}, "numberOfImages allows a whole number of 1 or more"),
        ({"numberOfImages": True}, "numberOfImages allows a whole number of 1 or more"),
        ({"numberOfImages": "2"}, "numberOfImages allows a whole number of 1 or more"),
        ({"quality": "best"}, "quality allows 'standard' or 'premium'"),
        ({"width": 0}, "width allows a whole number of 1 or more"),
        ({"height": None}, "height allows a whole number of 1 or more"),
    ],
)
def test_a_figure_that_decides_about_the_price_is_usable(settings: object, message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        IMAGES.asked({"imageGenerationConfig": settings})
    assert refused.value.message == message
