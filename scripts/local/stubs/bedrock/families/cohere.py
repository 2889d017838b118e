"""Cohere: Command, Command R and Embed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.stubs.bedrock.families.forms import Embedded, EmbeddingBody, Family, TextBody
from scripts.local.stubs.bedrock.families.reading import prompt_reader, vector_size
from scripts.local.stubs.errors import invalid
from scripts.local.stubs.language import count_tokens, vector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.local.stubs.bedrock.families.forms import Said

_WORDS = {"end_turn": "COMPLETE", "max_tokens": "MAX_TOKENS", "stop_sequence": "COMPLETE"}


def _command(said: Said) -> dict[str, Any]:
    reason = _WORDS[said.stop_reason]
    generation = {"id": "stub", "text": said.text, "finish_reason": reason}
    return {"id": "stub", "generations": [generation] * said.answers}


def _command_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"text": text, "is_finished": False}
    yield {"is_finished": True, "finish_reason": _WORDS[said.stop_reason]}


def _command_r(said: Said) -> dict[str, Any]:
    return {"text": said.text, "finish_reason": _WORDS[said.stop_reason], "generation_id": "stub"}


def _command_r_chunks(said: Said, groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    for text in groups:
        yield {"event_type": "text-generation", "text": text, "is_finished": False}
    end = {"event_type": "stream-end", "is_finished": True}
    yield {**end, "finish_reason": _WORDS[said.stop_reason]}


def _embed(body: Mapping[str, Any]) -> Embedded:
    if body.get("input_type") is None:
        raise invalid("Malformed input request: input_type is required")
    texts: Sequence[str] = body.get("texts") or ()
    images: Sequence[str] = body.get("images") or ()
    mixed = [part for given in body.get("inputs") or () for part in given["content"]]
    if [bool(texts), bool(images), bool(mixed)].count(True) != 1:
        raise invalid("Malformed input request: one of texts, images and inputs is required")
    if mixed:
        texts = [part["text"] for part in mixed if part["type"] == "text"]
        images = [part["image_url"]["url"] for part in mixed if part["type"] == "image_url"]
    size = vector_size(body.get("output_dimension"))
    vectors = [vector(text, size) for text in (*texts, *images)]
    document: dict[str, Any] = {
        "id": "stub",
        "texts": list(texts),
        "embeddings": vectors,
        "response_type": "embeddings_floats",
    }
    if body.get("embedding_types"):
        document |= {"embeddings": {"float": vectors}, "response_type": "embeddings_by_type"}
    return Embedded(document, sum(map(count_tokens, texts)), len(images))


COMMAND = TextBody(
    models=("cohere.command-",),
    members=frozenset(("prompt", "max_tokens", "temperature", "p", "k", "stop_sequences"))
    | {"logit_bias", "num_generations", "return_likelihoods", "stream", "truncate"},
    answers=(("num_generations",),),
    read=prompt_reader("prompt", "max_tokens", "stop_sequences"),
    answer=_command,
    chunks=_command_chunks,
)
COMMAND_R = TextBody(
    models=("cohere.command-r",),
    members=frozenset(("message", "chat_history", "max_tokens", "temperature", "p", "k"))
    | {"stop_sequences", "preamble", "tools"},
    read=prompt_reader("message", "max_tokens", "stop_sequences"),
    answer=_command_r,
    chunks=_command_r_chunks,
)

FAMILY = Family(
    texts=(COMMAND, COMMAND_R),
    embeddings=(
        EmbeddingBody(
            models=("cohere.",),
            members=frozenset(("texts", "images", "input_type", "truncate", "embedding_types")),
            embed=_embed,
        ),
        EmbeddingBody(
            models=("cohere.embed-v4",),
            members=frozenset(("texts", "images", "inputs", "input_type", "truncate"))
            | {"embedding_types", "max_tokens", "output_dimension"},
            embed=_embed,
        ),
    ),
)
