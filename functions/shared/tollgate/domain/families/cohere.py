"""Cohere: Command, Command R and Embed. Rerank is a model that no route of the gateway calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.families.forms import (
    Answer,
    EmbeddingBody,
    Family,
    MaxTokensField,
    TextBody,
    said_before,
)
from tollgate.domain.families.openai_format import write_prompt
from tollgate.domain.families.reading import count, part
from tollgate.domain.prices import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_TOKENS = MaxTokensField(("max_tokens",))


def _write_message(prompt: str) -> dict[str, Any]:
    return {"message": prompt}


def _with_preamble(body: Mapping[str, Any], text: str) -> dict[str, Any]:
    own = body.get("preamble")
    return {**body, "preamble": f"{text}\n\n{own}" if own else text}


def _usage(document: Mapping[str, Any]) -> TokenUsage | None:
    billed = part(part(document, "meta"), "billed_units")
    given, made = count(billed, "input_tokens"), count(billed, "output_tokens")
    return None if given is None else TokenUsage(input=given, output=made or 0)


COMMAND = TextBody(
    models=("cohere.command",),
    prompt="prompt",
    members=frozenset(
        (
            "k",
            "logit_bias",
            "max_tokens",
            "num_generations",
            "p",
            "prompt",
            "return_likelihoods",
            "stop_sequences",
            "stream",
            "temperature",
            "truncate",
        )
    ),
    max_tokens=_MAX_TOKENS,
    top_p="p",
    stop="stop_sequences",
    write=write_prompt,
    system="prompt",
    with_system=said_before("prompt"),
    answer=Answer(
        texts=(("generations", 0, "text"), ("text",)),
        stops=(("generations", 0, "finish_reason"), ("finish_reason",)),
        usage=_usage,
    ),
    answers=("num_generations",),
)

COMMAND_R = TextBody(
    models=("cohere.command-r",),
    prompt="message",
    members=frozenset(
        (
            "chat_history",
            "documents",
            "force_single_step",
            "frequency_penalty",
            "k",
            "max_tokens",
            "message",
            "p",
            "preamble",
            "presence_penalty",
            "prompt_truncation",
            "raw_prompting",
            "return_prompt",
            "search_queries_only",
            "seed",
            "stop_sequences",
            "temperature",
            "tool_results",
            "tools",
        )
    ),
    max_tokens=_MAX_TOKENS,
    top_p="p",
    stop="stop_sequences",
    write=_write_message,
    system="preamble",
    with_system=_with_preamble,
    answer=Answer(texts=(("text",),), stops=(("finish_reason",),), usage=_usage),
    tools=("tools",),
)


# What one call takes.
_TEXTS_PER_CALL = 96


def _write_texts(texts: Sequence[str], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "input_type": EMBED_V3.input_types[0],
            **settings,
            "texts": list(texts[start : start + _TEXTS_PER_CALL]),
        }
        for start in range(0, len(texts), _TEXTS_PER_CALL)
    ]


def _write_image(image: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings, "input_type": "image", "images": [image]}


def _sized(length: int) -> dict[str, Any]:
    return {"embedding_types": ["float"], "output_dimension": length}


EMBED_V3 = EmbeddingBody(
    models=("cohere.embed",),
    members=frozenset(("embedding_types", "images", "input_type", "texts", "truncate")),
    texts="texts",
    write_texts=_write_texts,
    write_image=_write_image,
    vectors=("embeddings",),
    images=("images",),
    takes_data_url=True,
    input_types=("search_document", "search_query", "classification", "clustering"),
)
EMBED_V4 = EMBED_V3._replace(
    models=("cohere.embed-v4",),
    # In `inputs`, texts and images stand between each other.
    members=EMBED_V3.members | {"inputs", "max_tokens", "output_dimension"},
    images=("image_url", "images"),
    sized=_sized,
)

COHERE = Family(
    name="Cohere", models=("cohere.",), texts=(COMMAND_R, COMMAND), embeddings=(EMBED_V4, EMBED_V3)
)
