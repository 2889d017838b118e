"""Amazon Titan: text, vectors, and pictures, which Nova Canvas draws from the same body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import (
    Drawn,
    Embedded,
    EmbeddingBody,
    Family,
    ImageBody,
    TextBody,
)
from scripts.local.stubs.bedrock.families.pictures import picture
from scripts.local.stubs.bedrock.families.reading import prompt_reader, vector_size
from scripts.local.stubs.errors import invalid
from scripts.local.stubs.language import count_tokens, vector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.local.stubs.bedrock.families.forms import Said

MAX_IMAGES = 5
_WORDS = {"end_turn": "FINISH", "max_tokens": "LENGTH", "stop_sequence": "STOP_CRITERIA_MET"}


def _answer(said: Said) -> dict[str, Any]:
    result = {
        "tokenCount": said.output_tokens,
        "outputText": said.text,
        "completionReason": _WORDS[said.stop_reason],
    }
    return {"inputTextTokenCount": said.input_tokens, "results": [result]}


def _chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(groups, start=1):
        is_last = number == len(groups)
        yield {
            "outputText": text,
            "index": 0,
            "totalOutputTextTokenCount": said.output_tokens if is_last else None,
            "completionReason": _WORDS[said.stop_reason] if is_last else None,
            "inputTextTokenCount": said.input_tokens if number == 1 else None,
        }


def _embed(body: Mapping[str, Any]) -> Embedded:
    if body.get("inputText") is None and body.get("inputImage") is None:
        raise invalid("Malformed input request: inputText or inputImage is required")
    seed = str(body.get("inputText") or "") + str(body.get("inputImage") or "")
    settings = body.get("embeddingConfig", {})
    size = vector_size(body.get("dimensions") or settings.get("outputEmbeddingLength"))
    tokens = count_tokens(str(body.get("inputText") or ""))
    numbers = vector(seed, size)
    document = {"embedding": numbers, "inputTextTokenCount": tokens}
    if "embeddingTypes" in body:
        document["embeddingsByType"] = {"float": numbers}
    return Embedded(document, tokens, int(body.get("inputImage") is not None))


def _draw(body: Mapping[str, Any]) -> Drawn:
    text = body.get("textToImageParams", {}).get("text")
    if body.get("taskType") not in (None, "TEXT_IMAGE") or not text:
        raise invalid("Malformed input request: textToImageParams.text is required")
    settings = body.get("imageGenerationConfig", {})
    count = settings.get("numberOfImages", 1)
    if not isinstance(count, int) or not 1 <= count <= MAX_IMAGES:
        raise invalid(f"numberOfImages must be between 1 and {MAX_IMAGES}")
    size = f"{settings.get('width', 1024)}x{settings.get('height', 1024)}"
    images = [picture(f"{text}:{number}") for number in range(count)]
    quality = settings.get("quality", "standard")
    return Drawn({"images": images}, {f"{size}/{quality}": count})


TEXT = TextBody(
    models=("amazon.titan-text-",),
    members=frozenset(("inputText", "textGenerationConfig")),
    maxima=(("textGenerationConfig", "maxTokenCount"),),
    read=prompt_reader("inputText", "maxTokenCount", "stopSequences", "textGenerationConfig"),
    answer=_answer,
    chunks=_chunks,
)

FAMILY = Family(
    texts=(TEXT,),
    embeddings=(
        EmbeddingBody(
            models=("amazon.",),
            members=frozenset(("inputText", "inputImage", "dimensions", "normalize"))
            | {"embeddingTypes", "embeddingConfig"},
            embed=_embed,
        ),
    ),
    images=(
        ImageBody(
            models=("amazon.",),
            members=frozenset(("taskType", "textToImageParams", "imageGenerationConfig")),
            draw=_draw,
        ),
    ),
)
