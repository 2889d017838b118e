"""Amazon Titan: text, embeddings and images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.errors import InvalidRequestError
from tollgate.domain.families.forms import (
    Answer,
    EmbeddingBody,
    Family,
    ImageBody,
    MaxTokensField,
    TextBody,
    said_before,
    within,
)
from tollgate.domain.families.reading import count, side
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _write(prompt: str) -> dict[str, Any]:
    return {"inputText": prompt}


def _usage(document: Mapping[str, Any]) -> TokenUsage | None:
    given = count(document, "inputTextTokenCount")
    if given is None:
        return None
    results = document.get("results")
    if isinstance(results, list):
        counts = [count(result, "tokenCount") for result in results if isinstance(result, dict)]
        return (
            None if None in counts else TokenUsage(input=given, output=sum(c or 0 for c in counts))
        )
    made = count(document, "totalOutputTextTokenCount")
    # An embedding has no output.
    if made is None and not any(name in document for name in _VECTORS):
        return None
    return TokenUsage(input=given, output=made or 0)


TEXT = TextBody(
    models=("amazon.titan-text-",),
    prompt="inputText",
    members=frozenset(("inputText",))
    | within("textGenerationConfig", "maxTokenCount", "stopSequences", "temperature", "topP"),
    max_tokens=MaxTokensField(("textGenerationConfig", "maxTokenCount")),
    top_p="topP",
    stop="stopSequences",
    write=_write,
    system="inputText",
    with_system=said_before("inputText"),
    answer=Answer(
        texts=(("results", 0, "outputText"), ("outputText",)),
        stops=(("results", 0, "completionReason"), ("completionReason",)),
        usage=_usage,
    ),
)


def _write_texts(texts: Sequence[str], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    # One text is all that a call takes.
    return [{**settings, "inputText": text} for text in texts]


def _write_image(image: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, "inputImage": image}


def _sized(length: int) -> dict[str, Any]:
    return {"dimensions": length}


_VECTORS = ("embedding", "embeddingsByType")
EMBED_V1 = EmbeddingBody(
    models=("amazon.titan-embed",),
    members=frozenset(("inputText",)),
    texts="inputText",
    write_texts=_write_texts,
    write_image=_write_image,
    vectors=_VECTORS,
    usage=_usage,
)
EMBED_V2 = EMBED_V1._replace(
    models=("amazon.titan-embed-text-v2",),
    members=frozenset(("dimensions", "embeddingTypes", "inputText", "normalize")),
    sized=_sized,
)
EMBED_IMAGE = EMBED_V1._replace(
    models=("amazon.titan-embed-image",),
    members=frozenset(("inputImage", "inputText"))
    | within("embeddingConfig", "outputEmbeddingLength"),
    images=("inputImage",),
)


# What one call draws.
_MOST_IMAGES = 5


def _asked(body: Mapping[str, Any]) -> tuple[int, str, str]:
    section = body.get("imageGenerationConfig") or {}
    if not isinstance(section, dict):
        raise InvalidRequestError("imageGenerationConfig allows an object only")
    images = section.get("numberOfImages", 1)
    if isinstance(images, bool) or not isinstance(images, int) or not 1 <= images <= _MOST_IMAGES:
        raise InvalidRequestError(f"numberOfImages allows a whole number of 1 to {_MOST_IMAGES}")
    quality = section.get("quality", "standard")
    if quality not in ("standard", "premium"):
        raise InvalidRequestError("quality allows 'standard' or 'premium'")
    size = f"{side(section, 'width', 1024)}x{side(section, 'height', 1024)}"
    return images, size, quality


_TEXTS = ("negativeText", "text")
IMAGES = ImageBody(
    members=frozenset(("taskType",))
    | within("backgroundRemovalParams", "image")
    | within("colorGuidedGenerationParams", *_TEXTS, "colors", "referenceImage")
    | within("imageVariationParams", *_TEXTS, "images", "similarityStrength")
    | within("inPaintingParams", *_TEXTS, "image", "maskImage", "maskPrompt", "returnMask")
    | within(
        "outPaintingParams",
        *_TEXTS,
        "image",
        "maskImage",
        "maskPrompt",
        "outPaintingMode",
        "returnMask",
    )
    | within("textToImageParams", *_TEXTS, "conditionImage", "controlMode", "controlStrength")
    | within(
        "imageGenerationConfig",
        "cfgScale",
        "height",
        "numberOfImages",
        "quality",
        "seed",
        "width",
    ),
    prompt="textToImageParams",
    asked=_asked,
    images="images",
)

TITAN = Family(
    name="Titan",
    models=("amazon.titan-",),
    texts=(TEXT,),
    embeddings=(EMBED_V2, EMBED_IMAGE, EMBED_V1),
    images=(IMAGES,),
)
