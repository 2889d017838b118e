"""Cohere: Command, Command R and Embed. Rerank is a model that no route of the gateway calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tollgate.domain.families.forms import (
    DATA_URL,
    Answer,
    EmbeddingBody,
    Family,
    MaxTokensField,
    TextBody,
    anything,
    said_before,
    within,
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


_COMMAND_FIELDS = anything("logit_bias") | {
    *("k", "num_generations", "p", "return_likelihoods", "truncate"),
}
COMMAND = TextBody(
    models=("cohere.command",),
    prompt="prompt",
    members=_COMMAND_FIELDS | {"max_tokens", "prompt", "stop_sequences", "stream", "temperature"},
    fields=_COMMAND_FIELDS,
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

_COMMAND_R_FIELDS = frozenset(
    (
        "force_single_step",
        "frequency_penalty",
        "k",
        "p",
        "presence_penalty",
        "prompt_truncation",
        "return_prompt",
        "search_queries_only",
        "seed",
    )
) | anything("documents")
# Not among them: raw_prompting, with which the model reads no preamble.
COMMAND_R = TextBody(
    models=("cohere.command-r",),
    prompt="message",
    members=_COMMAND_R_FIELDS
    | {"max_tokens", "message", "preamble", "stop_sequences", "temperature"}
    | within("chat_history", "message", "role", "tool_calls", "tool_results")
    | within("tools", "description", "name", "parameter_definitions")
    | anything(
        "chat_history.tool_calls",
        "chat_history.tool_results",
        "tool_results",
        "tools.parameter_definitions",
    ),
    fields=_COMMAND_R_FIELDS,
    max_tokens=_MAX_TOKENS,
    top_p="p",
    stop="stop_sequences",
    write=_write_message,
    system="preamble",
    with_system=_with_preamble,
    answer=Answer(texts=(("text",),), stops=(("finish_reason",),), usage=_usage),
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
    values={"images": DATA_URL},
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
    members=EMBED_V3.members
    | {"max_tokens", "output_dimension"}
    | within("inputs", "content")
    | within("inputs.content", "image_url", "text", "type")
    | within("inputs.content.image_url", "detail", "url"),
    values={
        **EMBED_V3.values,
        "inputs.content.image_url": DATA_URL,
        "inputs.content.image_url.url": DATA_URL,
        "inputs.content.type": ("image_url", "text"),
    },
    images=("image_url", "images"),
    sized=_sized,
)

COHERE = Family(
    name="Cohere", models=("cohere.",), texts=(COMMAND_R, COMMAND), embeddings=(EMBED_V4, EMBED_V3)
)
