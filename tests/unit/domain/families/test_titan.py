"""Amazon Titan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families import registry
from tollgate.domain.families.titan import EMBED_IMAGE, EMBED_V1, EMBED_V2, IMAGES, TEXT
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from tollgate.domain.families.forms import EmbeddingBody


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
        ({"inputTextTokenCount": 4, "results": [{"tokenCount": 0}]}, TokenUsage(input=4)),
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
    assert TEXT.answer.usage is EMBED_V1.usage
    assert TEXT.answer.usage is not None
    assert TEXT.answer.usage(document) == found


def test_each_text_is_embedded_by_a_call_of_its_own() -> None:
    assert EMBED_V2.write_texts(["a", "b"], {"dimensions": 256}) == [
        {"inputText": "a", "dimensions": 256},
        {"inputText": "b", "dimensions": 256},
    ]
    # What is asked is not the settings' to change.
    assert EMBED_V2.write_texts(["a"], {"inputText": "b"}) == [{"inputText": "a"}]
    assert EMBED_IMAGE.write_image("AA==", {"inputImage": "x", "embeddingConfig": {}}) == {
        "inputImage": "AA==",
        "embeddingConfig": {},
    }


def test_only_the_second_version_has_vectors_of_any_length() -> None:
    assert EMBED_V1.sized is EMBED_IMAGE.sized is None
    assert EMBED_V2.sized is not None
    assert EMBED_V2.sized(256) == {"dimensions": 256}


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("amazon.titan-embed-text-v2:0", EMBED_V2),
        ("amazon.titan-embed-image-v1", EMBED_IMAGE),
        ("amazon.titan-embed-text-v1", EMBED_V1),
        ("amazon.titan-embed-g1-text-02", EMBED_V1),
    ],
)
def test_each_model_that_embeds_has_its_body(model: str, body: EmbeddingBody) -> None:
    assert registry.embedding_body(model) is body


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        (None, (1, "1024x1024", "standard")),
        ({}, (1, "1024x1024", "standard")),
        (
            {"numberOfImages": 3, "width": 512, "height": 768, "quality": "premium"},
            (3, "512x768", "premium"),
        ),
        ({"numberOfImages": 5}, (5, "1024x1024", "standard")),
    ],
)
def test_what_images_are_asked_for(settings: object, asked: tuple[int, str, str]) -> None:
    assert IMAGES.asked({"imageGenerationConfig": settings}) == asked
    assert IMAGES.asked({}) == (1, "1024x1024", "standard")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([1], "imageGenerationConfig allows an object only"),
        ({"numberOfImages": 0}, "numberOfImages allows a whole number of 1 to 5"),
        ({"numberOfImages": 6}, "numberOfImages allows a whole number of 1 to 5"),
        ({"numberOfImages": True}, "numberOfImages allows a whole number of 1 to 5"),
        ({"numberOfImages": "2"}, "numberOfImages allows a whole number of 1 to 5"),
        ({"quality": "best"}, "quality allows 'standard' or 'premium'"),
        ({"width": 0}, "width allows a whole number of 1 or more"),
        ({"height": None}, "height allows a whole number of 1 or more"),
    ],
)
def test_a_figure_that_decides_about_the_price_is_usable(settings: object, message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        IMAGES.asked({"imageGenerationConfig": settings})
    assert refused.value.message == message
